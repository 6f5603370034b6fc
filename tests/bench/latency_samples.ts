/** Durations in milliseconds, kept whole: a bench run has few enough of them for exact percentiles. */
export class LatencySamples {
  #samples = new Float64Array(4096);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(durationMs: number): void {
    if (this.#count === this.#samples.length) {
      const wider = new Float64Array(this.#samples.length * 2);
      wider.set(this.#samples);
      this.#samples = wider;
    }
    this.#samples[this.#count++] = durationMs;
  }

  /** @returns The smallest duration that at least `fraction` of all don't exceed (nearest rank); 0 without any. */
  percentile(fraction: number): number {
    const sorted = this.#samples.slice(0, this.#count).sort();
    return sorted[Math.max(0, Math.ceil(fraction * sorted.length) - 1)] ?? 0;
  }
}
