import assert from "node:assert/strict";
import { isSecureUrl } from "../../../src/config/config_values.ts";
import { formatEndpoint, parseEndpoint } from "../../../src/config/endpoint.ts";
import { isLoopbackHost } from "../../../src/config/loopback_host.ts";
import { nearestKey } from "../../../src/config/nearest_key.ts";

const endpoints: readonly [text: string, expected: string | undefined][] = [
  ["smtp.gmail.com:587", "smtp.gmail.com:587"],
  [" 10.0.0.1:25 ", "10.0.0.1:25"],
  ["[2001:db8::1]:465", "[2001:db8::1]:465"],
  ["2001:db8::1:465", undefined],
  ["smtp.gmail.com", undefined],
  ["smtp.gmail.com:0", undefined],
  ["smtp.gmail.com:65536", undefined],
  ["smtp://smtp.gmail.com:587", undefined],
  ["", undefined],
];

for (const [text, expected] of endpoints) {
  Deno.test(`parseEndpoint reads "${text}" as ${expected}`, () => {
    const endpoint = parseEndpoint(text);
    assert.equal(endpoint && formatEndpoint(endpoint), expected);
  });
}

Deno.test("isLoopbackHost knows every spelling of this machine", () => {
  for (
    const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]
  ) {
    assert.equal(isLoopbackHost(host), true, host);
  }
  for (
    const host of ["10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "::2", "", "1270.0.0.1"]
  ) {
    assert.equal(isLoopbackHost(host), false, host);
  }
});

Deno.test("isSecureUrl lets http through to this machine only", () => {
  assert.equal(isSecureUrl("https://login.example.com/{tenant}/token"), true);
  assert.equal(isSecureUrl("http://[::ffff:127.0.0.1]:8080/token"), true);
  assert.equal(isSecureUrl("http://login.example.com/token"), false);
  assert.equal(isSecureUrl("https://user:password@login.example.com/token"), false);
});

const keys = ["port", "host", "connection_max_age_seconds", "max_sessions", "security"];
const nearest: readonly [key: string, expected: string | undefined][] = [
  ["prot", "port"],
  ["PORT", "port"],
  ["connection-max-age-second", "connection_max_age_seconds"],
  ["max_session", "max_sessions"],
  ["sport", "port"],
  ["colour", undefined],
  ["x", undefined],
];

for (const [key, expected] of nearest) {
  Deno.test(`nearestKey takes "${key}" for ${expected}`, () => {
    assert.equal(nearestKey(key, keys), expected);
  });
}
