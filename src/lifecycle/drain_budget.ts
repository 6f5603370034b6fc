/** How the time of a drain is shared out between its steps. */

/** Limits of a drain. */
export interface BudgetOptions {
  /** The longest drain, all steps together, in milliseconds. */
  readonly deadlineMs: number;
  /** Ends the drain early. */
  readonly kill: AbortSignal;
  /** Milliseconds on any steady clock. */
  readonly now: () => number;
  /** What the steps before a step leave for it, in the order of the steps, in milliseconds. */
  readonly reservesMs: readonly number[];
}

/** The limits of one step. Dispose it when the step has ended. */
export interface StepLimit extends Disposable {
  /** Aborts when the step must cut what is left. */
  readonly deadline: AbortSignal;
  /** Resolves when the step is no longer waited for. */
  readonly over: Promise<void>;
  /** The step isn't worth starting. */
  readonly isOver: boolean;
}

/** After its deadline a step has this long to say 451 or 421, and to return. */
const settleMs = 400;
/** After a kill all the steps together have this long. */
const killSettleMs = 100;

/**
 * Deadlines counted backwards from the end: a step is cut so early that the later steps have the time that is reserved for
 * them. Reserves take at most half of the whole, so that a short drain still drains.
 */
export class DrainBudget implements Disposable {
  readonly #options: BudgetOptions;
  readonly #startedAtMs: number;
  readonly #reserveScale: number;
  #killedAtMs?: number;

  constructor(options: BudgetOptions) {
    const { deadlineMs, kill, now, reservesMs } = options;
    this.#options = options;
    this.#startedAtMs = now();
    const reservedMs = sum(reservesMs);
    this.#reserveScale = reservedMs === 0 ? 0 : Math.min(1, deadlineMs / 2 / reservedMs);
    if (kill.aborted) this.#onKill();
    kill.addEventListener("abort", this.#onKill, { once: true });
  }

  /** Starts the clock of a step, by its place in the order. */
  limitStep(index: number): StepLimit {
    const { kill } = this.#options;
    const deadline = new AbortController();
    const over = Promise.withResolvers<void>();
    const timers: ReturnType<typeof setTimeout>[] = [];
    const disarm = () => timers.splice(0).forEach((timer) => clearTimeout(timer));
    const arm = () => {
      disarm();
      const cutInMs = this.#cutInMs(index);
      const cut = () => deadline.abort(kill.aborted ? kill.reason : timeOver());
      if (cutInMs <= 0) cut();
      else timers.push(setTimeout(cut, cutInMs));
      timers.push(setTimeout(over.resolve, this.#overInMs(index)));
    };
    arm();
    kill.addEventListener("abort", arm, { once: true });
    return {
      deadline: deadline.signal,
      over: over.promise,
      // Timers cut fractions of a millisecond off.
      isOver: this.#killedAtMs !== undefined && this.#overInMs(index) < 1,
      [Symbol.dispose]: () => {
        disarm();
        kill.removeEventListener("abort", arm);
      },
    };
  }

  [Symbol.dispose](): void {
    this.#options.kill.removeEventListener("abort", this.#onKill);
  }

  readonly #onKill = (): void => {
    this.#killedAtMs = this.#options.now();
  };

  #cutInMs(index: number): number {
    if (this.#killedAtMs !== undefined) return 0;
    const { deadlineMs, reservesMs, now } = this.#options;
    const laterMs = sum(reservesMs.slice(index + 1)) * this.#reserveScale;
    return this.#startedAtMs + Math.max(0, deadlineMs - settleMs - laterMs) - now();
  }

  #overInMs(index: number): number {
    if (this.#killedAtMs !== undefined) {
      return Math.max(0, this.#killedAtMs + killSettleMs - this.#options.now());
    }
    // A step that begins late, because one before it was left behind, still gets the time to cut cleanly.
    return Math.max(0, this.#cutInMs(index)) + settleMs;
  }
}

function timeOver(): DOMException {
  return new DOMException("The drain's deadline has passed", "TimeoutError");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
