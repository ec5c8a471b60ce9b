// What fetch does with a sandbox that redirects its caller: custom headers go along, to
// any origin. Arguments: URL, API key, route token for the header form (may be empty).
// Prints where the caller ended.
const [url, key, route] = process.argv.slice(2);
const headers = { "OPEN-SANDBOX-API-KEY": key };
if (route) headers["OpenSandbox-Ingress-To"] = route;
try {
  const answer = await fetch(url, { method: "POST", headers, body: "{}" });
  console.log(answer.url, answer.status, await answer.text());
} catch (e) {
  console.log(String(e.cause));
}
