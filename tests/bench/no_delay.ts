/**
 * TCP_NODELAY for connections that `Deno.listenTls` accepts: Deno 2.9.6 leaves Nagle's algorithm on and offers no way
 * to turn it off. A TLS 1.3 server sends session tickets and then the greeting, and Nagle holds the greeting back until
 * the client's delayed acknowledgement: 40 ms for every connection, which no real mail server costs its clients.
 */

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;

/** Sets TCP_NODELAY on every socket that this process has; what a listener accepts inherits it. Linux only. */
export function setNoDelayOnListeners(): void {
  if (Deno.build.os !== "linux") return;
  const library = Deno.dlopen("libc.so.6", {
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  });
  const on = new Int32Array([1]);
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    // Fails on whatever is no TCP socket, to no effect.
    library.symbols.setsockopt(Number(name), IPPROTO_TCP, TCP_NODELAY, on, on.byteLength);
  }
  library.close();
}
