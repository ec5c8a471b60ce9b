// What the published JavaScript client sends into a sandbox, whatever answers there.
// Arguments: the client's module, domain, API key, a sandbox's id, "proxy" or "direct". Answers do not matter.
const [module, domain, apiKey, sandboxId, mode] = process.argv.slice(2);
const { ConnectionConfig, Sandbox } = await import(module);
const connectionConfig = new ConnectionConfig({ domain, apiKey, useServerProxy: mode === "proxy", disableMetrics: true });
const sandbox = await Sandbox.connect({ sandboxId, connectionConfig, skipHealthCheck: true });
for (const call of [
  () => sandbox.commands.run("true"),
  () => sandbox.files.writeFiles([{ path: "/tmp/x", data: "x" }]),
  () => sandbox.files.readFile("/tmp/x"),
  () => sandbox.files.search({ path: "/tmp", pattern: "*" }),
  () => sandbox.getMetrics(),
  () => sandbox.isHealthy(),
]) {
  await call().catch(() => {});
}
await sandbox.close();
