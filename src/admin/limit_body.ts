import type { MiddlewareHandler } from "hono";
import { RequestProblem } from "./request_problem.ts";

const mebibyte = 1024 * 1024;

/**
 * Answers 413 to a body that is too large: by its length, or as soon as it turns out while it is read.
 *
 * Hono's own body-limit leaves the reader of a chunked body open, and touches `request.signal`, about which Deno warns.
 *
 * @param mebibytesFor The limit for a path.
 */
export function limitBody(mebibytesFor: (path: string) => number): MiddlewareHandler {
  return async (c, next) => {
    const { raw } = c.req;
    if (!hasBody(raw)) return await next();
    const mebibytes = mebibytesFor(c.req.path);
    const tooLarge = new RequestProblem(413, `The body is larger than ${mebibytes} MiB`);
    if (raw.headers.has("transfer-encoding")) {
      const body = await readUpTo(mebibytes * mebibyte, raw);
      if (body === undefined) throw tooLarge;
      c.req.raw = new Request(c.req.url, { method: c.req.method, headers: raw.headers, body });
    } else if (Number(raw.headers.get("content-length")) > mebibytes * mebibyte) {
      throw tooLarge;
    }
    await next();
  };
}

/** Deno gives every POST a stream; the header fields tell whether there is a body (RFC 9112 §6). */
export function hasBody({ headers }: Request): boolean {
  return headers.has("transfer-encoding") || Number(headers.get("content-length") ?? 0) > 0;
}

async function readUpTo(maxOctets: number, { body }: Request): Promise<Blob | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let octets = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of body ?? []) {
    octets += chunk.length;
    if (octets > maxOctets) return undefined;
    chunks.push(chunk);
  }
  return new Blob(chunks);
}
