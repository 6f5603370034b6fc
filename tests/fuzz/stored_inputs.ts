/** Inputs that once broke a parser, or that break others' parsers, kept so that they are tried for ever. */

import { Buffer } from "node:buffer";
import fc from "fast-check";

/** One stored input. */
interface StoredInput {
  /** What is special about it. */
  readonly why: string;
  /** The octets, one character each; or, in their place, `base64`. */
  readonly latin1?: string;
  readonly base64?: string;
}

/** The stored inputs of a parser, from `inputs/<name>.json`. */
export function storedInputs(name: string): Uint8Array<ArrayBuffer>[] {
  const file = new URL(`./inputs/${name}.json`, import.meta.url);
  const inputs = JSON.parse(Deno.readTextFileSync(file)) as readonly StoredInput[];
  return inputs.map(({ latin1, base64 }) =>
    Uint8Array.from(latin1 === undefined ? Buffer.from(base64!, "base64") : Buffer.from(latin1, "latin1"))
  );
}

/** How much is tried of each property; `FUZZ_RUNS` in the environment does more by hand. */
export const fuzzRuns = Number(Deno.env.get("FUZZ_RUNS") ?? 1_000);

/** Checks a property with random inputs, and with the stored ones first. A failure names the seed. */
export function fuzz<T>(
  arbitrary: fc.Arbitrary<T>,
  holds: (input: T) => void,
  stored: readonly T[] = [],
): void {
  fc.assert(fc.property(arbitrary, holds), {
    numRuns: fuzzRuns,
    examples: stored.map((input): [T] => [input]),
  });
}

/** Octets of which many have a meaning: those of `alphabet` often, any other at times. */
export function octetsOf(alphabet: string, maxLength = 200): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const pieces = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...alphabet) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }).map((octet) => String.fromCharCode(octet)) },
  );
  return fc.array(pieces, { maxLength }).map((all) => Uint8Array.from(Buffer.from(all.join(""), "latin1")));
}

/** Cuts octets at random places. */
export function chunksOf(
  octets: fc.Arbitrary<Uint8Array<ArrayBuffer>>,
): fc.Arbitrary<Uint8Array<ArrayBuffer>[]> {
  return octets.chain((all) =>
    fc.array(fc.nat({ max: all.length }), { maxLength: 8 }).map((cuts) => {
      const ends = [...cuts.toSorted((a, b) => a - b), all.length];
      return ends.map((end, index) => all.slice(ends[index - 1] ?? 0, end));
    })
  );
}
