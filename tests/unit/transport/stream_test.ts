import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { createSecureContext } from "node:tls";
import { StreamBrokenError, StreamClosedError } from "../../../src/transport/byte_stream.ts";
import { DenoStream } from "../../../src/transport/deno_stream.ts";
import { StarttlsStream } from "../../../src/transport/tls_server_stream.ts";
import { denoPair, starttlsPair } from "./stream_test_pair.ts";

const encode = (text: string) => new TextEncoder().encode(text);

async function readText(read: (into: Uint8Array) => Promise<number | null>, octets: number): Promise<string> {
  const buffer = new Uint8Array(octets);
  let end = 0;
  while (end < octets) {
    const taken = await read(buffer.subarray(end));
    if (taken === null) break;
    end += taken;
  }
  return new TextDecoder().decode(buffer.subarray(0, end));
}

/** Whether octets arrived as they were sent: a counter, since comparing megabytes octet by octet takes long. */
function pattern(octets: number): Uint8Array {
  const words = new Uint32Array(octets / 4);
  for (let i = 0; i < words.length; i++) words[i] = i;
  return new Uint8Array(words.buffer);
}

for (const [name, pair] of [["DenoStream", denoPair], ["StarttlsStream", starttlsPair]] as const) {
  Deno.test(`${name} reads and writes, and knows both addresses`, async () => {
    await using ends = await pair();
    const { stream, peer } = ends;
    await peer.write(encode("hello"));
    assert.equal(await readText((into) => stream.read(into), 5), "hello");
    await stream.write(encode("world"));
    assert.equal(await readText((into) => peer.read(into), 5), "world");
    assert.deepEqual([stream.remoteAddress, stream.localAddress, stream.isSecure], [
      "127.0.0.1",
      "127.0.0.1",
      false,
    ]);
  });

  Deno.test(`${name} reads into the room that there is, and the rest later`, async () => {
    await using ends = await pair();
    const { stream, peer } = ends;
    await peer.write(encode("0123456789"));
    const buffer = new Uint8Array(3);
    let text = "";
    while (text.length < 10) {
      const octets = await stream.read(buffer);
      assert.ok(octets! > 0 && octets! <= 3);
      text += new TextDecoder().decode(buffer.subarray(0, octets!));
    }
    assert.equal(text, "0123456789");
  });

  Deno.test(`${name} writes all of a large piece while the peer takes it bit by bit`, async () => {
    await using ends = await pair();
    const { stream, peer } = ends;
    const sent = pattern(16 << 20);
    const writing = stream.write(sent);
    const received = new Uint8Array(sent.length);
    for (let end = 0; end < received.length;) {
      end += (await peer.read(received.subarray(end, end + 100_000)))!;
    }
    await writing;
    assert.ok(received.every((octet, i) => octet === sent[i]));
  });

  Deno.test(`${name} resolves to null at the peer's FIN, again and again, and can still write`, async () => {
    await using ends = await pair();
    const { stream, peer } = ends;
    await peer.write(encode("x"));
    await peer.closeWrite();
    const buffer = new Uint8Array(10);
    assert.equal(await stream.read(buffer), 1);
    assert.equal(await stream.read(buffer), null);
    assert.equal(await stream.read(buffer), null);
    await stream.write(encode("bye"));
    assert.equal(await readText((into) => peer.read(into), 3), "bye");
  });

  Deno.test(`${name} rejects a read under way when it is closed, and everything after that`, async () => {
    await using ends = await pair();
    const { stream } = ends;
    const reading = assert.rejects(stream.read(new Uint8Array(1)), StreamClosedError);
    stream.close();
    await reading;
    await assert.rejects(stream.read(new Uint8Array(1)), StreamClosedError);
    await assert.rejects(stream.write(encode("x")), StreamClosedError);
    stream.close();
    stream[Symbol.dispose]();
  });

  Deno.test(`${name} rejects a write under way when it is closed`, async () => {
    await using ends = await pair();
    const { stream } = ends;
    const writing = assert.rejects(stream.write(new Uint8Array(64 << 20)), StreamClosedError);
    stream.close();
    await writing;
  });

  Deno.test(`${name} tells a peer that is gone from its own end`, async () => {
    await using ends = await pair();
    const { stream, peer } = ends;
    peer.close();
    const writing = async () => {
      for (;;) await stream.write(new Uint8Array(1 << 16));
    };
    await assert.rejects(writing(), StreamBrokenError);
  });
}

Deno.test("StarttlsStream upgrades, and carries octets both ways inside TLS", async () => {
  await using ends = await starttlsPair();
  const { stream, peer, caCertificate } = ends;
  const [secured, tls] = await Promise.all([
    stream.startTls(),
    Deno.startTls(peer, { hostname: "localhost", caCerts: [caCertificate] }).then(async (conn) => {
      await conn.handshake();
      return conn;
    }),
  ]);
  using _secured = secured;
  using _tls = tls;
  assert.deepEqual([secured.isSecure, secured.remoteAddress], [true, "127.0.0.1"]);
  const sent = pattern(4 << 20);
  const received = new Uint8Array(sent.length);
  const writing = (async () => {
    for (let end = 0; end < sent.length;) end += await tls.write(sent.subarray(end));
  })();
  for (let end = 0; end < sent.length;) end += (await secured.read(received.subarray(end)))!;
  await writing;
  assert.ok(received.every((octet, i) => octet === sent[i]));
  await secured.write(encode("back"));
  assert.equal(await readText((into) => tls.read(into), 4), "back");
  await tls.closeWrite();
  assert.equal(await secured.read(new Uint8Array(1)), null);
});

Deno.test("StarttlsStream reads to the end what a peer sent that is gone, in whatever pieces", async () => {
  for (let round = 0; round < 40; round++) {
    await using ends = await starttlsPair();
    const { stream, peer, caCertificate } = ends;
    const [secured, tls] = await Promise.all([
      stream.startTls(),
      Deno.startTls(peer, { hostname: "localhost", caCerts: [caCertificate] }),
    ]);
    using _secured = secured;
    const sent = pattern(100_000);
    const writing = (async () => {
      for (let end = 0; end < sent.length;) {
        end += await tls.write(sent.subarray(end, end + 1 + Math.floor(Math.random() * 30_000)));
      }
      tls.close();
    })();
    let octets = 0;
    for (let read: number | null = 0; read !== null; octets += read) {
      read = await secured.read(new Uint8Array(1 + Math.floor(Math.random() * 4000)));
      if (read === null) break;
    }
    assert.equal(octets, sent.length);
    await writing;
  }
});

Deno.test("StarttlsStream rejects an upgrade that turns out to be no TLS", async () => {
  await using ends = await starttlsPair();
  const upgrading = assert.rejects(ends.stream.startTls(), StreamBrokenError);
  await ends.peer.write(encode("EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n"));
  await upgrading;
});

Deno.test("StarttlsStream rejects an upgrade of a connection that was reset before", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const peer = connect(listener.addr.port, "127.0.0.1");
  const stream = new StarttlsStream(await listener.accept(), () => createSecureContext());
  await once(peer, "connect");
  peer.resetAndDestroy();
  await assert.rejects(stream.read(new Uint8Array(1)), StreamBrokenError);
  await assert.rejects(stream.startTls(), StreamBrokenError);
});

Deno.test("StarttlsStream rejects an upgrade whose peer leaves, and one that it is closed in", async () => {
  {
    await using ends = await starttlsPair();
    const upgrading = assert.rejects(ends.stream.startTls(), StreamBrokenError);
    ends.peer.close();
    await upgrading;
  }
  await using ends = await starttlsPair();
  const upgrading = assert.rejects(ends.stream.startTls());
  ends.stream.close();
  await upgrading;
  assert.equal(await ends.peer.read(new Uint8Array(1)), null);
});

Deno.test("DenoStream may be closed when the socket beneath has been closed by another hand", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using _peer = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const socket = await listener.accept();
  const stream = new DenoStream(socket);
  socket.close();
  stream.close();
  await assert.rejects(stream.read(new Uint8Array(1)), StreamClosedError);
});
