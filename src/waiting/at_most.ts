/** Waits for work, but not for longer than `timeoutMs`; what it rejects with in that time is thrown. No timer outlives it. */
export async function atMost(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
