/** Attacks on the listeners: bounded memory, others are served meanwhile, and the attacker reads a reply or finds the door closed. */

import assert from "node:assert/strict";
import { MAILBOX, startDaemonFixture } from "../support/daemon_fixture.ts";
import { Attacker } from "./attacker.ts";
import { withstand } from "./bystanders.ts";

const CONFIG = { global: { smtp: { command_timeout_seconds: 3 } } };
const LOGIN = `EHLO x\r\nAUTH PLAIN ${btoa(`\0${MAILBOX.email}\0${MAILBOX.password}`)}\r\n`;
const ENVELOPE = `MAIL FROM:<${MAILBOX.email}>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n`;

Deno.test("slow clients read 421 at the command timeout while others are served", async () => {
  await using fixture = await startDaemonFixture({ config: CONFIG });
  using attackers = await Attacker.connectAll(fixture.listener(), 400);
  await withstand(fixture, {
    name: "slowloris, 400 sessions",
    maxGrowthMebibytes: 60,
    async attack() {
      const transcripts = await attackers.each(async (attacker) => {
        for (const octet of "EHLO") await attacker.write(octet);
        return await attacker.readToEnd();
      });
      for (const transcript of transcripts) assert.match(transcript, /^220 .*\r\n421 4\.4\.2 .*\r\n$/);
    },
  });
});

Deno.test("oversized lines read 500, endless ones 421 and a closed door", async () => {
  await using fixture = await startDaemonFixture();
  await withstand(fixture, {
    name: "oversized and endless lines",
    maxGrowthMebibytes: 60,
    async attack() {
      using endless = await Attacker.connectAll(fixture.listener(), 20);
      const block = new Uint8Array(65_536).fill(0x41);
      await endless.each(async (attacker) => {
        const reading = attacker.readToEnd();
        for (let blocks = 0; blocks < 64 && await attacker.write(block); blocks++);
        assert.match(await reading, /^220 .*\r\n(421 4\.5\.2 .*\r\n)?$/);
      });
      using oversized = await Attacker.connectAll(fixture.listener(), 20);
      await oversized.each(async (attacker) => {
        await attacker.write(`${"A".repeat(100_000)}\r\nNOOP\r\nQUIT\r\n`);
        assert.match(
          await attacker.readToEnd(),
          /^220 .*\r\n500 5\.5\.\d .*\r\n250 2\.0\.0 OK\r\n221 2\.0\.0 Bye\r\n$/,
        );
      });
    },
  });
});

Deno.test("a message without end is refused, read past in bounded memory and never delivered", async () => {
  await using fixture = await startDaemonFixture({
    provider: { limits: { connections: 10, message_bytes: 1_000_000 } },
  });
  await withstand(fixture, {
    name: "endless message, 64 MiB by each of 4",
    maxGrowthMebibytes: 80,
    async attack() {
      using attackers = await Attacker.connectAll(fixture.listener(), 4);
      const block = new TextEncoder().encode(`${"x".repeat(78)}\r\n`.repeat(800));
      await attackers.each(async (attacker) => {
        await attacker.write(`${LOGIN}${ENVELOPE}`);
        assert.ok(await attacker.readUntil(/\r\n354 /));
        for (let octets = 0; octets < 64 * 1024 * 1024; octets += block.length) {
          if (!await attacker.write(block)) return; // a closed door
        }
        await attacker.write(".\r\n");
        assert.ok(await attacker.readUntil(/\r\n552 5\.3\.4 /), attacker.received.slice(-200));
      });
      assert.ok(fixture.upstream.messages.every(({ bodyOctets }) => bodyOctets < 1000));
    },
  });
});

Deno.test("a flood of commands is answered one by one, a flood of nonsense ends at the hundredth", async () => {
  await using fixture = await startDaemonFixture();
  await withstand(fixture, {
    name: "200,000 commands in one session, nonsense in 50",
    maxGrowthMebibytes: 80,
    async attack() {
      using flood = await Attacker.connect(fixture.listener());
      const reading = flood.readToEnd();
      for (let sent = 0; sent < 200; sent++) assert.ok(await flood.write("NOOP\r\n".repeat(1000)));
      await flood.write("QUIT\r\n");
      const replies = (await reading).split("\r\n");
      assert.equal(replies.filter((reply) => reply === "250 2.0.0 OK").length, 200_000);
      using nonsense = await Attacker.connectAll(fixture.listener(), 50);
      await nonsense.each(async (attacker) => {
        const transcript = attacker.readToEnd();
        for (let sent = 0; sent < 1000 && await attacker.write("WIZ \x00\r\n"); sent++);
        const refusals = (await transcript).match(/^500 /gm) ?? [];
        assert.ok(refusals.length <= 101, `${refusals.length} refusals`);
      });
    },
  });
});

Deno.test("clients that never read stop being read, and don't hold up a stop", async () => {
  await using fixture = await startDaemonFixture();
  using attackers = await Attacker.connectAll(fixture.listener(), 40);
  let writing: Promise<unknown> | undefined;
  await withstand(fixture, {
    name: "40 clients that never read",
    maxGrowthMebibytes: 80,
    async attack() {
      const commands = new TextEncoder().encode("HELP\r\n".repeat(100_000));
      writing = attackers.each((attacker) => attacker.write(commands));
      // Full buffers on both sides: the writes can't end.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    },
  });
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
  await writing;
});

Deno.test("2,000 connections at once: as many as allowed are served, the others read 421 and are closed", async () => {
  await using fixture = await startDaemonFixture({ listeners: [{ max_sessions_per_client: 1000 }] });
  await withstand(fixture, {
    name: "2,000 connections at once",
    maxGrowthMebibytes: 120,
    async attack() {
      using attackers = await Attacker.connectAll(fixture.listener(), 2000);
      const greetings = await attackers.each(async (attacker) => {
        await attacker.readUntil(/\r\n/);
        return attacker.received.slice(0, 3);
      });
      const served = greetings.filter((code) => code === "220").length;
      const refused = greetings.filter((code) => code === "421" || code === "").length;
      assert.equal(served + refused, 2000);
      assert.ok(served >= 900 && served <= 1000, `${served} served`);
    },
  });
});

Deno.test("connections that never shake hands count as sessions, and beyond the limit the door closes", async () => {
  await using fixture = await startDaemonFixture({ listeners: [{}, { security: "tls", max_sessions: 100 }] });
  using attackers = await Attacker.connectAll(fixture.listener(1), 500);
  const shut = Promise.withResolvers<void>();
  let doors = 0;
  const closed = attackers.each(async (attacker) => {
    await attacker.readToEnd();
    if (++doors === 350) shut.resolve();
  });
  await withstand(fixture, {
    name: "500 connections without a TLS handshake",
    maxGrowthMebibytes: 100,
    async attack() {
      const timer = setTimeout(() => shut.reject(new Error(`${doors} of 500 doors are closed`)), 30_000);
      await shut.promise.finally(() => clearTimeout(timer));
    },
  });
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
  await closed;
});

Deno.test("guessing passwords reads 535, then 421, and costs others nothing", async () => {
  await using fixture = await startDaemonFixture();
  await withstand(fixture, {
    name: "AUTH guessing, 100 sessions",
    maxGrowthMebibytes: 150,
    async attack() {
      using attackers = await Attacker.connectAll(fixture.listener(), 100);
      const outcomes = await attackers.each(async (attacker, index) => {
        await attacker.write("EHLO x\r\n");
        for (let guess = 0; guess < 3; guess++) {
          await attacker.write(`AUTH PLAIN ${btoa(`\0${index % 10}@example.com\0guess-${guess}`)}\r\n`);
        }
        return await attacker.readToEnd();
      });
      for (const outcome of outcomes) {
        assert.match(outcome, /\r\n(535 5\.7\.8|454 4\.7\.0) .*\r\n421 4\.7\.0 .*\r\n$/s);
      }
    },
  });
});

Deno.test("a stop doesn't wait for the guesses of others", async () => {
  await using fixture = await startDaemonFixture({ config: { global: { shutdown_timeout: 30 } } });
  using attackers = await Attacker.connectAll(fixture.listener(), 300);
  await attackers.each(async (attacker) => {
    await attacker.write("EHLO x\r\n");
    assert.ok(await attacker.readUntil(/\r\n250 /));
  });
  const guessing = attackers.each(async (attacker, index) => {
    await attacker.write(`AUTH PLAIN ${btoa(`\0${index}@example.com\0guess-${index}`)}\r\n`);
    return await attacker.readToEnd();
  });
  await fixture.daemon.waitForLog(({ message }) => message.startsWith("Sign-in refused"), "a refusal");
  assert.deepEqual(await fixture.daemon.stop(), { code: 0, signal: null });
  const transcripts = await guessing;
  const last = transcripts.map((transcript) => transcript.trimEnd().split("\r\n").at(-1));
  assert.ok(
    last.every((line) => line?.startsWith("421 4.3.2 ")),
    `${last.filter((line) => !line?.startsWith("421"))}`,
  );
});
