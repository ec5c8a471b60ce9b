// The published JavaScript client over the whole surface of a server.
// Arguments: the client's module, domain, API key, image, "proxy" or "direct". Any failure is an exception.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";

const [module, domain, apiKey, image, mode] = process.argv.slice(2);
const { ConnectionConfig, Sandbox, SandboxApiException, SandboxManager } = await import(module);
const connectionConfig = new ConnectionConfig({ domain, apiKey, useServerProxy: mode === "proxy", disableMetrics: true });

// until asks until the answer is true, at most a minute.
async function until(what) {
  for (const deadline = Date.now() + 60_000; ; await pause(50)) {
    const answer = await what();
    if (answer) return answer;
    assert(Date.now() < deadline, "it did not come about within a minute");
  }
}

const texts = (messages) => messages.map((m) => m.text);

async function commands(sandbox) {
  let run = await sandbox.commands.run("echo out; echo err >&2; exit 3");
  assert.deepEqual(texts(run.logs.stdout), ["out"]);
  assert.deepEqual(texts(run.logs.stderr), ["err"]);
  assert.equal(run.exitCode, 3);
  run = await sandbox.commands.run("pwd; echo $WHO", { workingDirectory: "/tmp", envs: { WHO: "you" } });
  assert.deepEqual(texts(run.logs.stdout), ["/tmp", "you"]);

  // Output arrives while the command runs: the second line waits for a file that is
  // written when the first has been seen.
  const seen = [];
  const waiting = "echo one; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo two";
  for await (const event of sandbox.commands.runStream(waiting)) {
    if (event.type !== "stdout") continue;
    seen.push(event.text.trim());
    if (seen.length === 1) await sandbox.files.writeFiles([{ path: "/tmp/go", data: "x" }]);
  }
  assert.deepEqual(seen, ["one", "two"]);

  const background = await sandbox.commands.run("echo first; echo last", { background: true });
  const ended = await until(async () => {
    const status = await sandbox.commands.getCommandStatus(background.id);
    return !status.running && status;
  });
  assert.equal(ended.exitCode, 0);
  assert.match((await sandbox.commands.getBackgroundCommandLogs(background.id)).content, /first[^]*last/);
  const sleeper = await sandbox.commands.run("sleep 600", { background: true });
  await sandbox.commands.interrupt(sleeper.id);
  await until(async () => !(await sandbox.commands.getCommandStatus(sleeper.id)).running);
}

async function files(sandbox) {
  const f = sandbox.files;
  const all = Uint8Array.from({ length: 256 * 1024 }, (_, i) => i % 256);
  await f.createDirectories([{ path: "/tmp/d/sub", mode: 755 }]);
  await f.writeFiles([
    { path: "/tmp/d/a.txt", data: "first\nsecond\nthird\n", mode: 640 },
    { path: "/tmp/d/sub/ä ö.bin", data: all, mode: 600 },
  ]);
  assert.equal(await f.readFile("/tmp/d/a.txt"), "first\nsecond\nthird\n");
  assert.equal(await f.readFile("/tmp/d/a.txt", { offset: 2, limit: 1 }), "second");
  assert.equal(Buffer.from(await f.readBytes("/tmp/d/a.txt", { range: "bytes=6-11" })).toString(), "second");
  const chunks = [];
  for await (const chunk of f.readBytesStream("/tmp/d/sub/ä ö.bin")) chunks.push(chunk);
  assert.deepEqual(Buffer.concat(chunks), Buffer.from(all));

  assert.deepEqual((await f.search({ path: "/tmp/d", pattern: "*.bin" })).map((e) => e.path), ["/tmp/d/sub/ä ö.bin"]);
  assert.deepEqual((await f.listDirectory({ path: "/tmp/d" })).map((e) => e.path).sort(), ["/tmp/d/a.txt", "/tmp/d/sub"]);
  await f.setPermissions([{ path: "/tmp/d/a.txt", mode: 604 }]);
  const info = (await f.getFileInfo(["/tmp/d/a.txt"]))["/tmp/d/a.txt"];
  assert.equal(info.mode, 604);
  assert.equal(info.size, 19);
  await f.moveFiles([{ src: "/tmp/d/a.txt", dest: "/tmp/d/sub/b.txt" }]);
  const replaced = await f.replaceContentsDetailed([{ path: "/tmp/d/sub/b.txt", oldContent: "second", newContent: "2nd" }]);
  assert.deepEqual(replaced.map((r) => r.replacedCount), [1]);
  assert.equal(await f.readFile("/tmp/d/sub/b.txt"), "first\n2nd\nthird\n");
  await f.deleteFiles(["/tmp/d/sub/b.txt"]);
  await f.deleteDirectories(["/tmp/d"]);
  await assert.rejects(f.readFile("/tmp/d/sub/b.txt"), SandboxApiException);
}

async function endpoints(sandbox) {
  await sandbox.commands.run("mkdir -p /tmp/www && echo 'hello from inside' > /tmp/www/index.html");
  await sandbox.commands.run("httpd -f -p 8080 -h /tmp/www", { background: true });
  const { endpoint, headers } = await sandbox.getEndpoint(8080);
  const text = await until(async () => {
    const answer = await fetch(`http://${endpoint}/index.html`, { headers });
    const body = await answer.text();
    return answer.status === 200 && body;
  });
  assert.equal(text, "hello from inside\n");
}

async function lifecycle(sandbox, manager) {
  const before = await sandbox.getInfo();
  assert.equal(before.status.state, "Running");
  assert.deepEqual(before.metadata, { client: "javascript", form: mode });
  await sandbox.renew(1800);
  assert((await sandbox.getInfo()).expiresAt - before.expiresAt > 20 * 60_000);
  assert.deepEqual((await sandbox.patchMetadata({ stage: "two", form: null })).metadata, { client: "javascript", stage: "two" });
  await sandbox.patchMetadata({ stage: null, form: mode });

  const listed = async (filter) => (await manager.listSandboxInfos(filter)).items.map((s) => s.id);
  assert.deepEqual(await listed(), [sandbox.id]);
  assert.deepEqual(await listed({ states: ["Running", "Paused"], metadata: { client: "javascript", form: mode } }), [sandbox.id]);
  assert.deepEqual(await listed({ states: ["Paused"] }), []);
  assert.deepEqual(await listed({ metadata: { client: "other" } }), []);
  assert.deepEqual(await listed({ page: 2, pageSize: 1 }), []);

  const metrics = await sandbox.getMetrics();
  assert(metrics.cpuCount > 0 && metrics.memoryUsedMiB >= 0 && metrics.memoryUsedMiB <= metrics.memoryTotalMiB, JSON.stringify(metrics));

  await sandbox.pause();
  assert.equal((await manager.getSandboxInfo(sandbox.id)).status.state, "Paused");
  const resumed = await Sandbox.resume({ sandboxId: sandbox.id, connectionConfig });
  assert.deepEqual(texts((await resumed.commands.run("echo back")).logs.stdout), ["back"]);
  await resumed.close();
  const connected = await Sandbox.connect({ sandboxId: sandbox.id, connectionConfig });
  assert(await connected.isHealthy());
  await connected.close();
}

async function refusals(manager) {
  await assert.rejects(manager.getSandboxInfo("no-such-sandbox"), (e) =>
    e instanceof SandboxApiException && e.statusCode === 404 && e.error.code === "DOCKER::SANDBOX_NOT_FOUND" && Boolean(e.requestId));
  await assert.rejects(Sandbox.create({ image, metadata: { "opensandbox.io/id": "x" }, connectionConfig }), (e) =>
    e instanceof SandboxApiException && e.statusCode === 400 && e.error.code === "SANDBOX::INVALID_METADATA_LABEL");
}

const manager = SandboxManager.create({ connectionConfig });
const sandbox = await Sandbox.create({
  image, entrypoint: ["sleep", "600"], timeoutSeconds: 300, metadata: { client: "javascript", form: mode }, connectionConfig,
});
try {
  await commands(sandbox);
  await files(sandbox);
  await endpoints(sandbox);
  await lifecycle(sandbox, manager);
  await refusals(manager);
} finally {
  await sandbox.kill();
  await sandbox.close();
  await manager.close();
}
console.log("ok");
