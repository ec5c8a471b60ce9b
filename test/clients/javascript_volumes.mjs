// The published JavaScript client and volumes that outlive, or go with, their sandboxes.
// Arguments: the client's module, domain, API key, image, a volume's name, a directory of the host that may be mounted.
import assert from "node:assert/strict";

const [module, domain, apiKey, image, claimName, path] = process.argv.slice(2);
const { ConnectionConfig, Sandbox, SandboxApiException } = await import(module);
const connectionConfig = new ConnectionConfig({ domain, apiKey, disableMetrics: true });

async function within(volumes, work) {
  const sandbox = await Sandbox.create({ image, entrypoint: ["sleep", "600"], timeoutSeconds: 300, volumes, connectionConfig });
  try {
    await work(sandbox);
  } finally {
    await sandbox.kill();
    await sandbox.close();
  }
}

await within([{ name: "data", pvc: { claimName }, mountPath: "/data" }], (sandbox) =>
  sandbox.files.writeFiles([{ path: "/data/note.txt", data: "kept" }]));
await within([
  { name: "data", pvc: { claimName }, mountPath: "/data", readOnly: true },
  { name: "gone", pvc: { claimName: claimName + "-gone", deleteOnSandboxTermination: true }, mountPath: "/gone" },
  { name: "work", host: { path }, mountPath: "/mnt/shared" },
], async (sandbox) => {
  assert.equal(await sandbox.files.readFile("/data/note.txt"), "kept");
  await assert.rejects(sandbox.files.writeFiles([{ path: "/data/other", data: "no" }]), SandboxApiException);
  await sandbox.files.writeFiles([{ path: "/gone/x", data: "x" }, { path: "/mnt/shared/out.txt", data: "out" }]);
});
await assert.rejects(within([{ name: "etc", host: { path: "/etc" }, mountPath: "/e" }], () => assert.fail("/etc was mounted")), (e) =>
  e instanceof SandboxApiException && e.statusCode === 400 && e.error.code === "VOLUME::HOST_PATH_NOT_ALLOWED");
console.log("ok");
