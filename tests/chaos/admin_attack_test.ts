/** Attacks on the admin API, with and without its token: mail flows meanwhile, memory is bounded, a stop isn't held up. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { type DaemonFixture, startDaemonFixture } from "../support/daemon_fixture.ts";
import { Attacker } from "./attacker.ts";
import { withstand } from "./bystanders.ts";

const POST = "POST /admin/accounts HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n";

Deno.test("slow requests to the admin API cost nobody anything, and a stop closes them", async () => {
  await using fixture = await startDaemonFixture();
  using slowHeads = await Attacker.connectAll(fixture.daemon.ready.admin, 200);
  using slowBodies = await Attacker.connectAll(fixture.daemon.ready.admin, 100);
  const authorization = await authorizationOf(fixture);
  await withstand(fixture, {
    name: "admin API, 300 slow requests",
    maxGrowthMebibytes: 60,
    async attack() {
      await slowHeads.each((attacker) => attacker.write("GET /admin/status HTTP/1.1\r\nhost: 127"));
      await slowBodies.each((attacker, index) =>
        attacker.write(`${POST}${index % 2 === 0 ? authorization : ""}content-length: 1000\r\n\r\n{"email"`)
      );
      await slowBodies.each((attacker, index) =>
        index % 2 === 0 ? Promise.resolve(true) : attacker.readUntil(/^HTTP\/1\.1 401 /)
      );
    },
  });
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
});

Deno.test("huge and endless bodies are refused unread, whoever sends them", async () => {
  await using fixture = await startDaemonFixture();
  const authorization = await authorizationOf(fixture);
  await withstand(fixture, {
    name: "admin API, huge bodies",
    maxGrowthMebibytes: 60,
    async attack() {
      for (const [head, status] of bigBodies(authorization)) {
        using attackers = await Attacker.connectAll(fixture.daemon.ready.admin, 8);
        const block = `10000\r\n${" ".repeat(0x10000)}\r\n`;
        await attackers.each(async (attacker) => {
          const answer = attacker.readUntil(/^HTTP\/1\.1 \d+ /);
          await attacker.write(head);
          for (let blocks = 0; blocks < 300 && await attacker.write(block); blocks++);
          await answer;
          // A connection that is reset in mid-write may lose its answer.
          if (attacker.received !== "") assert.equal(attacker.received.slice(9, 12), status);
        });
      }
    },
  });
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
});

Deno.test("a request head without end is cut off", async () => {
  await using fixture = await startDaemonFixture();
  await withstand(fixture, {
    name: "admin API, endless heads",
    maxGrowthMebibytes: 60,
    async attack() {
      using attackers = await Attacker.connectAll(fixture.daemon.ready.admin, 20);
      const taken = await attackers.each(async (attacker) => {
        const reading = attacker.readToEnd();
        await attacker.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        let octets = 0;
        for (const line = `x: ${"x".repeat(8000)}\r\n`; octets < 16_000_000 && await attacker.write(line);) {
          octets += line.length;
        }
        await reading;
        return octets;
      });
      assert.ok(taken.every((octets) => octets < 16_000_000));
    },
  });
});

function bigBodies(authorization: string): [head: string, status: string][] {
  const page = "POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1\r\nsec-fetch-site: same-origin\r\n" +
    "content-type: application/x-www-form-urlencoded\r\n";
  return [
    [`${POST}${authorization}content-length: 900000000\r\n\r\n`, "413"],
    [`${POST}${authorization}transfer-encoding: chunked\r\n\r\n`, "413"],
    [`${POST}transfer-encoding: chunked\r\n\r\n`, "401"],
    [`${POST}content-length: 900000000\r\n\r\n`, "401"],
    [`${page}transfer-encoding: chunked\r\n\r\n`, "413"],
    [`${page}content-length: 900000000\r\n\r\n`, "413"],
  ];
}

async function authorizationOf({ daemon }: DaemonFixture): Promise<string> {
  const token = (await Deno.readTextFile(join(daemon.directory, "state", "admin_token"))).trim();
  return `authorization: Bearer ${token}\r\n`;
}
