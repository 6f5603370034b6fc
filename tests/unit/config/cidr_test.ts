import assert from "node:assert/strict";
import { cidrMatcher, parseCidr } from "../../../src/config/cidr.ts";

const rows: readonly [block: string, address: string, matches: boolean, reason: string][] = [
  ["10.0.0.0/8", "10.255.1.2", true, "inside"],
  ["10.0.0.0/8", "11.0.0.1", false, "outside"],
  ["10.0.0.0/8", "::ffff:10.1.2.3", true, "IPv4-mapped, as a dual-stack listener reports it"],
  ["10.0.0.0/8", "::ffff:a01:203", true, "IPv4-mapped in hexadecimal"],
  ["::ffff:10.0.0.0/104", "10.1.2.3", true, "a mapped block matches plain IPv4"],
  ["192.0.2.128/25", "192.0.2.127", false, "one bit below"],
  ["192.0.2.128/25", "192.0.2.128", true, "first address"],
  ["192.0.2.128/25", "192.0.2.192", true, "the bits after the prefix don't count"],
  ["192.0.2.7", "192.0.2.7", true, "no prefix: one address"],
  ["192.0.2.7", "192.0.2.6", false, "no prefix: one address"],
  ["0.0.0.0/0", "203.0.113.9", true, "every IPv4 address"],
  ["0.0.0.0/0", "2001:db8::1", false, "but no IPv6 address"],
  ["::/0", "203.0.113.9", true, "everything"],
  ["2001:db8::/32", "2001:db8:ffff::1", true, "inside"],
  ["2001:db8::/32", "2001:db9::1", false, "outside"],
  ["2001:db8::/33", "2001:db8:8000::", false, "prefix inside an octet"],
  ["fe80::/10", "fe80::1%eth0", true, "a zone is read past"],
  ["::1", "::1", true, "loopback"],
  ["10.0.0.0/8", "mail.example.com", false, "no address"],
  ["10.0.0.0/8", "", false, "no address"],
];

for (const [block, address, matches, reason] of rows) {
  Deno.test(`cidrMatcher: ${block} ${matches ? "has" : "has not"} "${address}" (${reason})`, () => {
    assert.equal(cidrMatcher([block])(address), matches);
  });
}

Deno.test("cidrMatcher with no block matches nothing", () => {
  assert.equal(cidrMatcher([])("127.0.0.1"), false);
});

const malformed = [
  "",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "10.0.0/8",
  "010.0.0.0/8",
  "256.0.0.1",
  "2001:db8::/129",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8:9",
  "12345::",
  "::1.2.3",
  "1.2.3.4::",
  "example.com",
  "10.0.0.0/-1",
];

for (const text of malformed) {
  Deno.test(`parseCidr refuses "${text}"`, () => {
    assert.throws(() => parseCidr(text), RangeError);
  });
}
