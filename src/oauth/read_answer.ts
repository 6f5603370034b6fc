/** Longest answer that is read. Real ones have a few kilobytes, with the largest tokens some ten. */
export const maxAnswerOctets = 256 * 1024;

/**
 * Reads an answer to its end.
 *
 * @returns `undefined` if it is longer than `maxAnswerOctets`, unpacked; the rest is not read then.
 */
export async function readAnswer({ body }: Response): Promise<string | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let octets = 0;
  // Leaving the loop cancels the stream.
  for await (const chunk of body ?? []) {
    octets += chunk.length;
    if (octets > maxAnswerOctets) return undefined;
    chunks.push(chunk);
  }
  return await new Blob(chunks).text();
}
