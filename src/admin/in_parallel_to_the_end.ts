import { inParallel } from "../verification/in_parallel.ts";

/**
 * As `inParallel`, but after a failure the calls under way end first: what they still put on disk can then be made live.
 *
 * @throws What the first failing call threw.
 */
export async function inParallelToTheEnd<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const calls: Promise<Result>[] = [];
  try {
    return await inParallel(items, (item, index) => {
      const call = map(item, index);
      calls.push(call);
      return call;
    });
  } finally {
    await Promise.allSettled(calls);
  }
}
