/** What a scripted upstream has seen: octets as they came, by connection and transaction. */

import { Buffer } from "node:buffer";
import { decodeMailData } from "./end_of_data.ts";

/** One transaction, from MAIL on. */
export class TransactionRecord {
  /** MAIL, RCPT and DATA (or BDAT) as they came, line ends included. */
  readonly commands: Uint8Array[] = [];
  /** Addresses as they stood between the angle brackets. */
  readonly forwardPaths: string[] = [];
  readonly #chunks: Uint8Array[] = [];
  #bodyOctets = 0;
  /** `open` until the final reply, RSET or the connection's end. */
  outcome: "open" | "accepted" | "refused" | "abandoned" = "open";
  /** Text of the final reply. */
  finalReply: string | undefined;

  constructor(
    /** The connection that it ran on. */
    readonly connection: ConnectionRecord,
    /** Address as it stood between the angle brackets. */
    readonly reversePath: string,
  ) {}

  /** Octets after DATA as they came: dots stuffed, with the line that ends them. Empty where bodies aren't kept. */
  get body(): Uint8Array {
    return Uint8Array.from(Buffer.concat(this.#chunks));
  }

  /** Mail data: `body` with the transparency procedure undone. */
  get mailData(): Uint8Array {
    return decodeMailData(this.body);
  }

  /** Octets of the body so far, kept or not. */
  get bodyOctets(): number {
    return this.#bodyOctets;
  }

  /** Adds a piece of the body; `keep` false only counts it. */
  addBody(chunk: Uint8Array, keep: boolean): void {
    this.#bodyOctets += chunk.length;
    if (keep) this.#chunks.push(chunk);
  }
}

/** One connection. */
export class ConnectionRecord {
  /** Command lines as they came, line ends included; of AUTH the response line too. */
  readonly commands: Uint8Array[] = [];
  readonly transactions: TransactionRecord[] = [];
  /** Who is signed in. */
  mailbox: string | undefined;
  /** Access token that was shown last. */
  accessToken: string | undefined;
  secure = false;
  open = true;
  /** QUIT was read. */
  quit = false;
  /** Octets that came in clear behind STARTTLS, in the same segment; they were thrown away. */
  clearTextBehindStartTls: Uint8Array = new Uint8Array(0);

  constructor(
    /** From 1, in order of arrival. */
    readonly number: number,
    /** The peer's port. */
    readonly remotePort: number,
  ) {}

  /** The commands as text, without line ends. */
  get commandLines(): string[] {
    return this.commands.map((command) => Buffer.from(command).toString("latin1").replace(/\r?\n$/, ""));
  }
}
