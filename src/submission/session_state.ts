/** Where a session stands (RFC 5321 §4.1.4, RFC 4954 §4). */

import type { Transaction } from "../relay/transaction.ts";

export type SessionState =
  /** Nothing but EHLO, HELO, NOOP, RSET, QUIT, VRFY, HELP. */
  | { readonly at: "connected" }
  /** AUTH has to come first, and STARTTLS before it where TLS is required. */
  | { readonly at: "greeted"; readonly hello: AnsweredHello }
  /** MAIL may come. */
  | { readonly at: "ready"; readonly hello: AnsweredHello; readonly account: string }
  | {
    readonly at: "transaction";
    readonly hello: AnsweredHello;
    readonly account: string;
    readonly transaction: Transaction;
    readonly smtputf8: boolean;
  };

/** How the client introduced itself. */
export interface Hello {
  readonly name: string;
  readonly isExtended: boolean;
}

/** With what it was answered. */
export interface AnsweredHello extends Hello {
  /** Service extensions. */
  readonly offered: ReadonlySet<string>;
}
