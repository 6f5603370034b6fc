import assert from "node:assert/strict";
import { clientKey } from "../../../src/submission/client_key.ts";

const KEYS: readonly (readonly [address: string, key: string, why: string])[] = [
  ["192.0.2.7", "192.0.2.7", "IPv4 counts whole"],
  ["127.0.0.1", "loopback", "this machine"],
  ["127.9.8.7", "loopback", "this machine, by another of its addresses"],
  ["::1", "loopback", "this machine, by IPv6"],
  ["2001:db8:0:1:a:b:c:d", "2001:db8:0:1::/64", "a network of 64 bits"],
  ["2001:db8:0:1::5", "2001:db8:0:1::/64", "the same, compressed behind it"],
  ["2001:0DB8:0:01::5", "2001:db8:0:1::/64", "the same, written otherwise"],
  ["2001:db8::1:a:b:c:d", "2001:db8:0:1::/64", "the same, compressed inside of it"],
  ["2001:db8::5", "2001:db8:0:0::/64", "zeros across the border"],
  ["fe80::1%eth0", "fe80:0:0:0::/64", "a link-local address with its zone"],
];

for (const [address, key, why] of KEYS) {
  Deno.test(`clientKey of ${address} is ${key}: ${why}`, () => assert.equal(clientKey(address), key));
}
