/** What goes wrong at a provider's mail server, by phase, as often as the weather says. */

import type { ScriptedUpstream } from "../support/scripted_upstream.ts";
import type { Action, Phase } from "../support/upstream_script.ts";
import type { Random } from "./random.ts";

/** Stalls that end together; until then whoever waits, waits. */
export class Stall {
  #over = Promise.withResolvers<void>();

  /** Resolves at the next `end`. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Ends the stalls that have begun. */
  end(): void {
    this.#over.resolve();
    this.#over = Promise.withResolvers();
  }
}

/** How things stand at the provider. Whoever holds it changes `probability` as the weather turns. */
export interface Weather {
  /** Of a fault, at each passage of each phase. */
  probability: number;
  readonly stall: Stall;
  readonly random: Random;
}

type Fault = (context: { readonly stall: Stall; readonly random: Random; readonly label: string }) => Action;

const close: Fault = () => "close";
const reset: Fault = () => "reset";
const pause: Fault = ({ random }) => ({ delayMs: random.integer(1, 120) });
const stall: Fault = ({ stall }) => ({ until: stall.over });
const stallThenReset: Fault = ({ stall }) => ({ until: stall.over, then: "reset" });
const garbage: Fault = ({ random }) => ({
  octets: random.pick([
    "\x00\xff\xfe\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "999 what\r\n",
    "25",
    "250-endless\r\n",
    "\r\n",
  ]),
  then: "close",
});
const say = (text: string, then?: "close" | "reset"): Fault => () => ({ reply: text, ...(then && { then }) });
const drip = (text: string): Fault => () => ({ drip: text, octetIntervalMs: 3 });

const broken: readonly [Fault, ...Fault[]] = [close, reset, pause, stall, stallThenReset, garbage];
const busy: readonly [Fault, ...Fault[]] = [
  say("421 4.3.2 Service not available, closing", "close"),
  say("432 4.3.2 Concurrent connections limit exceeded"),
  say("451 4.3.0 Try again"),
  drip("450 4.2.0 Busy"),
];

const FAULTS: Partial<Record<Phase, readonly [Fault, ...Fault[]]>> = {
  connect: [close, reset, stall],
  tls: [close, reset, stallThenReset],
  greeting: [
    ...broken,
    say("421 4.3.2 Not now", "close"),
    say("554 5.3.2 No service"),
    drip("220 slow ESMTP"),
  ],
  EHLO: [...broken, say("421 4.3.2 Not now", "close")],
  STARTTLS: [...broken, say("454 4.7.0 TLS not available")],
  AUTH: [...broken, say("454 4.7.0 Temporary authentication failure"), say("432 4.7.12 Transition needed")],
  authResponse: [...broken, say("535 5.7.3 Authentication unsuccessful"), say("454 4.7.0 Temporary failure")],
  MAIL: [...broken, ...busy],
  RCPT: [...broken, ...busy, say("550 5.1.1 No such mailbox"), say("452 4.5.3 Too many recipients")],
  DATA: [...broken, ...busy, say("554 5.5.1 No")],
  body: [
    close,
    reset,
    pause,
    stall,
    stallThenReset,
    say("552 5.3.4 Too big", "close"),
    say("421 4.4.2 Bye", "close"),
  ],
  finalDot: [
    ...broken,
    ...busy,
    say("554 5.6.0 Message refused"),
    () => ({ accept: true, then: "reset" }),
    () => ({ accept: true, then: "close" }),
    ({ label }) => ({ reply: `250 2.0.0 OK ${label}`, then: "close" }),
    ({ label }) => ({ reply: `250 2.0.0 OK ${label}`, then: "reset" }),
    ({ label }) => ({ drip: `250 2.0.0 OK ${label}`, octetIntervalMs: 4 }),
    ({ label, stall }) => ({ until: stall.over, then: { reply: `250 2.0.0 OK ${label}` } }),
  ],
  RSET: [close, reset, stallThenReset, say("421 4.3.2 Bye", "close")],
  QUIT: [close, reset, stall],
};

/** Puts faults at every phase. A body has many passages, so it gets fewer for each. */
export function installFaults(upstream: ScriptedUpstream, weather: Weather): void {
  const { random, stall } = weather;
  let number = 0;
  for (const [phase, faults] of Object.entries(FAULTS) as [Phase, readonly [Fault, ...Fault[]]][]) {
    const share = phase === "body" ? 0.3 : phase === "finalDot" ? 2 : 1;
    upstream.always(phase, () => {
      if (!random.chance(weather.probability * share)) return undefined;
      return random.pick(faults)({ stall, random, label: `${upstream.endpoint.port}.${++number}` });
    });
  }
}
