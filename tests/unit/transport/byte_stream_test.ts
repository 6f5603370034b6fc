import assert from "node:assert/strict";
import { plainAddress } from "../../../src/transport/byte_stream.ts";

for (
  const [address, plain] of [
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:127.0.0.1", "127.0.0.1"],
    ["192.0.2.1", "192.0.2.1"],
    ["::1", "::1"],
    ["2001:db8::ffff:c000:201", "2001:db8::ffff:c000:201"],
  ] as const
) {
  Deno.test(`plainAddress writes ${address} as ${plain}`, () => assert.equal(plainAddress(address), plain));
}
