import assert from "node:assert/strict";
import { Hono } from "hono";
import { guardHost, type HostGuardOptions } from "../../../src/admin/host_guard.ts";

async function isAllowed(host: string, options: Partial<HostGuardOptions> = {}): Promise<boolean> {
  const app = new Hono();
  app.use(guardHost({ hostname: "127.0.0.1", allowedHosts: [], ...options }));
  app.get("/", (c) => c.text("in"));
  app.onError((_error, c) => c.text("out", 403));
  return (await app.request("http://unused/", { headers: { host } })).status === 200;
}

const rows: readonly [host: string, options: Partial<HostGuardOptions>, allowed: boolean, why: string][] = [
  ["127.0.0.1:9090", {}, true, "loopback"],
  ["127.8.8.8", {}, true, "all of 127.0.0.0/8 is loopback"],
  ["localhost", {}, true, "loopback by name"],
  ["[::1]", {}, true, "loopback"],
  ["192.0.2.7", {}, false, "another address than the bound one"],
  ["192.0.2.7:9090", { hostname: "192.0.2.7" }, true, "the bound address"],
  ["[2001:db8::7]:9090", { hostname: "2001:db8::7" }, true, "the bound address"],
  ["192.0.2.7", { hostname: "0.0.0.0" }, true, "an address can't be rebound"],
  ["[2001:db8::7]", { hostname: "::" }, true, "an address can't be rebound"],
  ["proxy.example", { hostname: "0.0.0.0" }, false, "a name can be rebound"],
  ["proxy.example", { allowedHosts: ["Proxy.Example"] }, true, "allowed, whatever its case"],
  ["proxy.example.", { allowedHosts: ["proxy.example"] }, true, "the root's dot changes nothing"],
  ["sub.proxy.example", { allowedHosts: ["proxy.example"] }, false, "subdomains are other hosts"],
  ["localhost.evil.example", {}, false, "not loopback, whatever it begins with"],
  ["", {}, false, "no host"],
  ["a b", {}, false, "no host"],
];

for (const [host, options, allowed, why] of rows) {
  Deno.test(`guardHost ${allowed ? "lets" : "refuses"} "${host}" ${allowed ? "in" : ""}: ${why}`, async () => {
    assert.equal(await isAllowed(host, options), allowed);
  });
}
