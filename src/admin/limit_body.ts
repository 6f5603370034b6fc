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
    const length = raw.headers.get("content-length");
    const mebibytes = mebibytesFor(c.req.path);
    const tooLarge = new RequestProblem(413, `The body is larger than ${mebibytes} MiB`);
    // In HTTP/2 a body needs no field that tells of it (RFC 9113 §8.1.1); Deno gives every POST a stream.
    if (length === null && raw.body !== null) {
      const body = await readUpTo(mebibytes * mebibyte, raw);
      if (body === undefined) throw tooLarge;
      const { method, url } = c.req;
      c.req.raw = new Request(url, { method, headers: raw.headers, ...(body.size > 0 && { body }) });
    } else if (Number(length) > mebibytes * mebibyte) {
      throw tooLarge;
    }
    await next();
  };
}

/** Whether a request has a body; behind `limitBody`. */
export function hasBody({ body, headers }: Request): boolean {
  return body !== null && Number(headers.get("content-length") ?? 1) > 0;
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
