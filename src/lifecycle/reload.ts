/** Reload as a transaction: everything is read and validated first, then the difference is applied, or nothing is. */

import type { Logger } from "@logtape/logtape";

/** One thing that is wrong with what was read. */
export interface ReloadFinding {
  readonly message: string;
  readonly file?: string;
  /** Place inside the file, as a JSON path. */
  readonly path?: string;
  readonly hint?: string;
}

/** A validated change, ready to take effect. */
export interface PreparedReload {
  /** What will change, for log and API; no secrets. Absent or undefined: nothing. */
  readonly difference?: unknown;
  /** Puts the change into effect. It should not be able to fail: what can, belongs into `prepare`. */
  apply(): void | Promise<void>;
  /** Takes the change back, when one that follows could not be applied. */
  revert?(): void | Promise<void>;
  /** Frees what `prepare` has opened, when nothing is to be applied. */
  discard?(): void | Promise<void>;
}

/** A part of the daemon that can be reloaded. */
export interface ReloadPart {
  readonly name: string;
  /**
   * Reads and validates, and changes nothing.
   *
   * @throws What is wrong; an error with a `findings` array ({@linkcode ReloadFinding}) can name more than one thing.
   */
  prepare(signal: AbortSignal): Promise<PreparedReload>;
}

/** How a reload ended. `difference` is by part; parts without a difference are left out. */
export type ReloadOutcome =
  | { readonly applied: true; readonly difference: Readonly<Record<string, unknown>>; readonly ms: number }
  | { readonly applied: false; readonly findings: readonly ReloadFinding[]; readonly ms: number };

/** Collaborators of a {@linkcode Reloader}. */
export interface ReloaderOptions {
  /** Prepared and applied in this order. A part that builds upon another's new state belongs into the same part. */
  readonly parts: readonly ReloadPart[];
  /** Told of the begin and the end; a `ServiceManager`, for one. */
  readonly observer: ReloadObserver;
  /** Aborts when the daemon stops: nothing is reloaded any more. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Milliseconds on any steady clock. */
  readonly now: () => number;
}

/** Whoever shows the state of a reload. */
export interface ReloadObserver {
  reloading(): void;
  ready(status: string): void;
}

interface Candidate {
  readonly part: string;
  readonly prepared: PreparedReload;
}

/** Carries out reloads, one at a time, in the order of the requests. */
export class Reloader {
  readonly #options: ReloaderOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /**
   * Reloads when the reloads before this one have ended. Never rejects: a fault is in the outcome, and in the log.
   *
   * @param reason Who asked, for the log: `SIGHUP`, `POST /admin/reload`.
   */
  reload(reason: string): Promise<ReloadOutcome> {
    const outcome = this.#last.then(() => this.#transact(reason));
    this.#last = outcome;
    return outcome;
  }

  /** Resolves when no reload is under way or waiting. */
  async idle(): Promise<void> {
    let seen;
    do await (seen = this.#last); while (seen !== this.#last);
  }

  async #transact(reason: string): Promise<ReloadOutcome> {
    const { log, now } = this.#options;
    const startedAtMs = now();
    const elapsedMs = () => Math.round(now() - startedAtMs);
    try {
      return await this.#attempt(reason, elapsedMs);
    } catch (error) {
      // A defect, such as an observer that throws; the reloads after this one are not to suffer from it.
      log.error("Reload failed: {error}", { error });
      return { applied: false, findings: findingsOf(error), ms: elapsedMs() };
    }
  }

  async #attempt(reason: string, elapsedMs: () => number): Promise<ReloadOutcome> {
    const { log, observer, signal } = this.#options;
    if (signal.aborted) return { applied: false, findings: [stoppingFinding], ms: 0 };
    log.info("Reloading because of {reason}", { reason });
    observer.reloading();
    const { candidates, findings } = await this.#prepareAll();
    // Whatever else is to be said: it may be the stop that has ended the reading.
    if (signal.aborted) findings.splice(0, Infinity, stoppingFinding);
    if (findings.length === 0) findings.push(...await this.#applyAll(candidates));
    else await this.#discardAll(candidates);
    const ms = elapsedMs();
    if (findings.length > 0) {
      this.#reportFault(findings, ms);
      return { applied: false, findings, ms };
    }
    const difference = Object.fromEntries(
      candidates.filter(({ prepared }) => prepared.difference !== undefined)
        .map(({ part, prepared }) => [part, prepared.difference]),
    );
    log.info("Reloaded in {ms} ms", { ms, difference });
    this.#showReady("Running");
    return { applied: true, difference, ms };
  }

  /** Goes on after a fault, so that one reload shows everything there is to mend. */
  async #prepareAll(): Promise<{ candidates: Candidate[]; findings: ReloadFinding[] }> {
    const candidates: Candidate[] = [];
    const findings: ReloadFinding[] = [];
    for (const part of this.#options.parts) {
      try {
        candidates.push({ part: part.name, prepared: await part.prepare(this.#options.signal) });
      } catch (error) {
        findings.push(...findingsOf(error));
      }
    }
    return { candidates, findings };
  }

  async #applyAll(candidates: readonly Candidate[]): Promise<readonly ReloadFinding[]> {
    const applied: Candidate[] = [];
    for (const candidate of candidates) {
      try {
        await candidate.prepared.apply();
        applied.unshift(candidate);
      } catch (error) {
        await this.#eachOf(applied, "revert");
        await this.#eachOf(candidates.slice(applied.length), "discard");
        return findingsOf(error);
      }
    }
    return [];
  }

  #discardAll(candidates: readonly Candidate[]): Promise<void> {
    return this.#eachOf(candidates, "discard");
  }

  async #eachOf(candidates: readonly Candidate[], action: "revert" | "discard"): Promise<void> {
    for (const { part, prepared } of candidates) {
      try {
        await prepared[action]?.();
      } catch (error) {
        this.#options.log.error("Cannot {action} the reload of {part}: {error}", { action, part, error });
      }
    }
  }

  #reportFault(findings: readonly ReloadFinding[], ms: number): void {
    const { log } = this.#options;
    if (findings.every((finding) => finding === stoppingFinding)) {
      return log.info("Reload dropped after {ms} ms: the daemon is stopping", { ms });
    }
    log.error("Reload refused after {ms} ms, running on unchanged; findings: {count}", {
      ms,
      count: findings.length,
    });
    for (const finding of findings) {
      log.error("Cannot reload: {finding}", { finding: describeFinding(finding) });
    }
    const more = findings.length > 1 ? ` (and ${findings.length - 1} more, see the log)` : "";
    this.#showReady(`Running unchanged; reload refused: ${describeFinding(findings[0]!)}${more}`);
  }

  #showReady(status: string): void {
    const { observer, signal } = this.#options;
    // While stopping, READY would call the service running again.
    if (!signal.aborted) observer.ready(status);
  }
}

const stoppingFinding: ReloadFinding = { message: "The daemon is stopping" };

/** One line with the place first: `config.json $.listeners[0].port: Must be a number (write 2525)`. */
export function describeFinding(finding: ReloadFinding): string {
  const place = [finding.file, finding.path].filter((part) => part !== undefined && part !== "").join(" ");
  const hint = finding.hint === undefined || finding.hint === "" ? "" : ` (${finding.hint})`;
  return `${place === "" ? "" : `${place}: `}${finding.message}${hint}`;
}

function findingsOf(error: unknown): readonly ReloadFinding[] {
  if (
    error instanceof Error && "findings" in error && Array.isArray(error.findings) &&
    error.findings.length > 0
  ) {
    return error.findings;
  }
  return [{ message: error instanceof Error ? error.message : String(error) }];
}
