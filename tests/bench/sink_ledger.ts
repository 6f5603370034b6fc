/** What the sink counts, and what it waits for before a final reply. */

/** How the sink treats its clients. */
export interface SinkBehaviour {
  /** Wait before each reply to the end of data: evenly distributed from the first to the second. Default: none. */
  readonly finalReplyDelayMs?: readonly [least: number, most: number];
  /** No final reply before this many messages wait for one; then all of them, and later ones, at once. Default: 0. */
  readonly holdFinalRepliesUntil?: number;
  /** Connections that one mailbox may have open; a further one is refused at AUTH. Default: no limit. */
  readonly connectionsPerMailbox?: number;
  /** QUIT is read and nothing happens. Default: false. */
  readonly ignoresQuit?: boolean;
  /** How long an access token of the sink is good for, in seconds; a connection that signs in later reads 535. Default: for ever. */
  readonly tokenLifetimeSeconds?: number;
  /** Keeps the number of every message that was accepted. Default: false. */
  readonly keepsNumbers?: boolean;
}

/** Counters since the sink's start. */
export interface SinkCounts {
  readonly messages: number;
  readonly octets: number;
  readonly connections: number;
  readonly openConnections: number;
  readonly signIns: number;
  readonly quits: number;
  readonly tokenRequests: number;
  /** Sign-ins with a token whose time was over. */
  readonly lateSignIns: number;
}

/** The sink's books, shared by its sessions. */
export class SinkLedger {
  readonly behaviour: SinkBehaviour;
  readonly #mailboxes = new Map<string, number>();
  readonly #numbers: number[] = [];
  #held: (() => void)[] = [];
  #holding: boolean;
  #awaited: { readonly messages: number; readonly resolve: () => void } | undefined;
  messages = 0;
  octets = 0;
  connections = 0;
  openConnections = 0;
  signIns = 0;
  quits = 0;
  tokenRequests = 0;
  lateSignIns = 0;

  constructor(behaviour: SinkBehaviour) {
    this.behaviour = behaviour;
    this.#holding = (behaviour.holdFinalRepliesUntil ?? 0) > 0;
  }

  counts(): SinkCounts {
    const { messages, octets, connections, openConnections, signIns, quits, tokenRequests, lateSignIns } =
      this;
    return { messages, octets, connections, openConnections, signIns, quits, tokenRequests, lateSignIns };
  }

  /** Numbers of the accepted messages; empty unless the sink keeps them. */
  get numbers(): readonly number[] {
    return this.#numbers;
  }

  /** Answer of the token endpoint. The token is as long as Microsoft's are, so that AUTH can't be one command. */
  issueToken(): { access_token: string; token_type: "Bearer"; expires_in: number } {
    this.tokenRequests++;
    const expiresIn = this.behaviour.tokenLifetimeSeconds ?? 3600;
    const endMs = Date.now() + expiresIn * 1000;
    return { access_token: `${endMs}.`.padEnd(2000, "t"), token_type: "Bearer", expires_in: expiresIn };
  }

  /** @returns Whether the token's time is not over. */
  acceptsToken(token: string): boolean {
    if (this.behaviour.tokenLifetimeSeconds === undefined || Date.now() <= parseInt(token)) return true;
    this.lateSignIns++;
    return false;
  }

  /** Counts a connection in for `mailbox`. @returns False when the mailbox has as many as it may. */
  signIn(mailbox: string): boolean {
    const open = this.#mailboxes.get(mailbox) ?? 0;
    if (open >= (this.behaviour.connectionsPerMailbox ?? Infinity)) return false;
    this.#mailboxes.set(mailbox, open + 1);
    this.signIns++;
    return true;
  }

  signOut(mailbox: string): void {
    this.#mailboxes.set(mailbox, (this.#mailboxes.get(mailbox) ?? 1) - 1);
  }

  /** Enters an accepted message, at the moment when its 250 is about to be written. */
  accept(number: number, octets: number): void {
    this.messages++;
    this.octets += octets;
    if (this.behaviour.keepsNumbers) this.#numbers.push(number);
    if (this.messages === this.#awaited?.messages) this.#awaited.resolve();
  }

  /** Resolves when `messages` have been accepted since the start; one caller at a time. */
  async accepted(messages: number): Promise<void> {
    if (this.messages >= messages) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#awaited = { messages, resolve };
    await promise;
  }

  /** Resolves when a final reply may be written. @returns Undefined when that is now. */
  mayReply(): Promise<void> | undefined {
    const delay = this.behaviour.finalReplyDelayMs;
    if (delay) {
      const [least, most] = delay;
      return new Promise((resolve) => setTimeout(resolve, least + Math.random() * (most - least)));
    }
    if (!this.#holding) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.push(resolve);
    if (this.#held.length >= (this.behaviour.holdFinalRepliesUntil ?? 0)) this.#releaseHeld();
    return promise;
  }

  #releaseHeld(): void {
    this.#holding = false;
    for (const release of this.#held) release();
    this.#held = [];
  }
}
