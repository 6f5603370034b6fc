/** How many accounts are verified at a time, as many as token requests go to one endpoint. */
export const parallelVerifications = 50;

/**
 * Maps items with at most `limit` calls under way. Results are in the order of the items.
 *
 * @throws What the first failing call threw; no further call begins then.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Promise<Result>,
  { limit = parallelVerifications }: { readonly limit?: number } = {},
): Promise<Result[]> {
  const results: Result[] = new Array(items.length);
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await map(items[index]!, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  return results;
}
