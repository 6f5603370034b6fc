/** What the sandbox's mail server has accepted, in order. */

/** One accepted message. */
export interface ReceivedMessage {
  /** Mailbox that was signed in. */
  readonly account: string;
  /** Reverse-path, empty for `<>` (RFC 5321 §4.1.1.2). */
  readonly reversePath: string;
  readonly forwardPaths: readonly string[];
  /** Mail data after the transparency procedure (RFC 5321 §4.5.2), without the line that ends it. */
  readonly mailData: Uint8Array<ArrayBuffer>;
  /** Text of the final reply, behind its codes: unlike that of any other message. */
  readonly replyText: string;
}

/** Keeps messages and hands them to whoever waits. */
export class MessageLedger {
  readonly #messages: ReceivedMessage[] = [];
  readonly #arrivals = new EventTarget();
  #taken = 0;

  /** Everything accepted so far, oldest first. */
  get messages(): readonly ReceivedMessage[] {
    return this.#messages;
  }

  /** Enters a message and wakes those who wait. */
  add(message: ReceivedMessage): void {
    this.#messages.push(message);
    this.#arrivals.dispatchEvent(new Event("message"));
  }

  /**
   * Resolves with the oldest message that no earlier call has taken.
   *
   * @throws The signal's reason when it aborts first.
   */
  waitForMessage(signal: AbortSignal): Promise<ReceivedMessage> {
    signal.throwIfAborted();
    const next = this.#take();
    if (next) return Promise.resolve(next);
    return new Promise((resolve, reject) => {
      const onMessage = () => {
        const message = this.#take();
        if (!message) return; // another waiter was first
        detach();
        resolve(message);
      };
      const onAbort = () => {
        detach();
        reject(signal.reason);
      };
      const detach = () => {
        this.#arrivals.removeEventListener("message", onMessage);
        signal.removeEventListener("abort", onAbort);
      };
      this.#arrivals.addEventListener("message", onMessage);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  #take(): ReceivedMessage | undefined {
    const message = this.#messages[this.#taken];
    if (message) this.#taken++;
    return message;
  }
}
