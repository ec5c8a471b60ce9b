// The published JavaScript client and snapshots: taken, listed, restored, deleted.
// Arguments: the client's module, domain, API key, image. Any failure is an exception.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const [module, domain, apiKey, image] = process.argv.slice(2);
const { ConnectionConfig, Sandbox, SandboxApiException, SandboxManager } = await import(module);
const connectionConfig = new ConnectionConfig({ domain, apiKey, disableMetrics: true });
const manager = SandboxManager.create({ connectionConfig });

async function within(options, work) {
  const sandbox = await Sandbox.create({ entrypoint: ["sleep", "600"], timeoutSeconds: 300, connectionConfig, ...options });
  try {
    return await work(sandbox);
  } finally {
    await sandbox.kill();
    await sandbox.close();
  }
}

const refused = (promise, status, code) =>
  assert.rejects(promise, (e) => e instanceof SandboxApiException && e.statusCode === status && e.error.code === code);

const snapshot = await within({ image }, async (sandbox) => {
  await sandbox.files.writeFiles([{ path: "/root/kept.txt", data: "kept" }]);
  const taken = await manager.createSnapshot(sandbox.id, { name: "first" });
  assert.equal(taken.sandboxId, sandbox.id);
  assert.equal(taken.name, "first");
  for (const deadline = Date.now() + 60_000; ; await pause(50)) {
    const now = await manager.getSnapshot(taken.id);
    if (now.status.state !== "Creating") {
      assert.equal(now.status.state, "Ready");
      return now;
    }
    assert(Date.now() < deadline, "the snapshot is still being made");
  }
});

const listed = async (filter) => (await manager.listSnapshots(filter)).items.map((s) => s.id);
assert.deepEqual(await listed({ sandboxId: snapshot.sandboxId, states: ["Ready"] }), [snapshot.id]);
assert.deepEqual(await listed({ states: ["Failed"] }), []);
await within({ snapshotId: snapshot.id }, async (sandbox) => {
  assert.equal(await sandbox.files.readFile("/root/kept.txt"), "kept");
  await refused(manager.deleteSnapshot(snapshot.id), 409, "SNAPSHOT::DELETE_CONFLICT");
});
await manager.deleteSnapshot(snapshot.id);
await refused(manager.getSnapshot(snapshot.id), 404, "SNAPSHOT::NOT_FOUND");
await manager.close();
console.log("ok");
