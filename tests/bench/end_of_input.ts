/** Resolves when standard input ends: a child of the bench thereby outlives it by nothing, however it ended. */
export async function endOfInput(): Promise<void> {
  for await (const _chunk of Deno.stdin.readable);
}
