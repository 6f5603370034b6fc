import type { Bench } from "./bench.ts";
import type { Figure } from "./figure.ts";

/** Something that the bench can measure by itself. */
export interface Row {
  readonly name: string;
  /** One line for the help. */
  readonly summary: string;
  /** Starts what it needs, measures `bench.rounds` times, leaves nothing running. */
  readonly measure: (bench: Bench) => Promise<Figure[]>;
}
