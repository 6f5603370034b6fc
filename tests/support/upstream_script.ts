/** What a scripted upstream does instead of the sensible thing: at which phase, to whom, how often. */

import type { ConnectionRecord, TransactionRecord } from "./upstream_record.ts";

/**
 * Points of a connection at which an action can be put. `connect`: accepted, nothing said. `tls`: before the
 * handshake. `authResponse`: the line after a 334. `body`: while mail data arrives. `finalDot`: before the final
 * reply. `BDAT`: after a chunk has arrived. `unknown`: any other verb. The others: a command was read.
 */
export type Phase =
  | "connect"
  | "tls"
  | "greeting"
  | "EHLO"
  | "STARTTLS"
  | "AUTH"
  | "authResponse"
  | "MAIL"
  | "RCPT"
  | "DATA"
  | "body"
  | "finalDot"
  | "BDAT"
  | "RSET"
  | "NOOP"
  | "QUIT"
  | "unknown";

/** How a connection can end: FIN, RST, or not at all, with nothing said any more. */
export type Ending = "close" | "reset" | "hang";

/**
 * What to do at a phase.
 *
 * - an ending;
 * - `reply`: the lines, without CRLF, instead of the default reply;
 * - `octets`: anything, as it is;
 * - `drip`: a reply, one octet at a time;
 * - `until`, `delayMs`: first wait, then go on with `then` (absent: the default);
 * - `accept`: at `finalDot` only: the message counts as accepted, but the reply is never sent.
 */
export type Action =
  | Ending
  | { readonly reply: string | readonly string[]; readonly then?: Ending }
  | { readonly octets: Uint8Array | string; readonly then?: Ending }
  | { readonly drip: string; readonly octetIntervalMs: number; readonly then?: Ending }
  | { readonly until: Promise<unknown>; readonly then?: Action }
  | { readonly delayMs: number; readonly then?: Action }
  | { readonly accept: true; readonly then: Ending };

/** What an action that is a function may look at. */
export interface PhaseEvent {
  readonly phase: Phase;
  readonly connection: ConnectionRecord;
  /** The transaction under way, if any. */
  readonly transaction?: TransactionRecord | undefined;
  /** The command, without its line end. */
  readonly line?: string | undefined;
}

/** An action, or a function that picks one; undefined: the default. */
export type ActionSource = Action | ((event: PhaseEvent) => Action | undefined);

/** Narrows an action to some connections. */
export interface ActionFilter {
  /** Number of the connection, from 1. */
  readonly connection?: number;
  /** Mailbox that is signed in. */
  readonly mailbox?: string;
  /** `body` only: wait until so many octets of mail data have come. Default: 1. */
  readonly afterOctets?: number;
}

interface Rule extends ActionFilter {
  readonly phase: Phase;
  readonly source: ActionSource;
}

/** The rules of one upstream. Those for one time come first, in order; then the newest of the lasting ones. */
export class UpstreamScript {
  #once: Rule[] = [];
  #always: Rule[] = [];

  /** Puts an action at every passage of `phase`. */
  always(phase: Phase, source: ActionSource, filter: ActionFilter = {}): void {
    this.#always.unshift({ ...filter, phase, source });
  }

  /** Puts an action at the next passage of `phase` that has no other one-time action before it. */
  once(phase: Phase, source: ActionSource, filter: ActionFilter = {}): void {
    this.#once.push({ ...filter, phase, source });
  }

  /** Forgets all actions. */
  clear(): void {
    this.#once = [];
    this.#always = [];
  }

  /** The action for an event; a one-time action is used up. */
  take(event: PhaseEvent, bodyOctets = 0): Action | undefined {
    const fits = (rule: Rule) => ruleFits(rule, event, bodyOctets);
    const index = this.#once.findIndex(fits);
    const rule = index < 0 ? this.#always.find(fits) : this.#once.splice(index, 1)[0];
    return typeof rule?.source === "function" ? rule.source(event) : rule?.source;
  }
}

function ruleFits(rule: Rule, event: PhaseEvent, bodyOctets: number): boolean {
  return rule.phase === event.phase &&
    (rule.connection === undefined || rule.connection === event.connection.number) &&
    (rule.mailbox === undefined || rule.mailbox === event.connection.mailbox) &&
    (rule.phase !== "body" || bodyOctets >= (rule.afterOctets ?? 1));
}
