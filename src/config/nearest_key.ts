/**
 * The known key that an unknown one was probably meant to be: at most two edits away (three for long keys), case
 * and `-` for `_` not counted.
 */
export function nearestKey(key: string, known: Iterable<string>): string | undefined {
  const wanted = normalized(key);
  const limit = wanted.length > 8 ? 3 : 2;
  let nearest: string | undefined;
  let smallest = limit + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, normalized(candidate));
    // A key that would have to change more than half of its letters is another word.
    if (distance < smallest && distance * 2 <= candidate.length) {
      nearest = candidate;
      smallest = distance;
    }
  }
  return nearest;
}

function normalized(key: string): string {
  return key.toLowerCase().replaceAll("-", "_");
}

/** Damerau's distance without overlapping edits: insert, delete, replace, swap two neighbours. */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] &&
        from[row - 2] === to[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length] ?? from.length;
}
