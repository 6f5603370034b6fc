/** EHLO, STARTTLS and AUTH of a session: who the client is, and how it may speak (RFC 5321 §4.1.1.1, RFC 3207, RFC 4954). */

import { ClientGoneError } from "../relay/data_relay.ts";
import { Reply } from "../smtp/reply.ts";
import { helloReply, nameRefusal, permitsAuth } from "./hello.ts";
import { REPLIES } from "./replies.ts";
import type { Session } from "./session.ts";
import { MAX_RESPONSE_OCTETS, readCredentials } from "./sign_in_dialogue.ts";

/** Sign-ins that may fail in a session; RFC 4954 §9 allows no fewer than three. */
const MAX_SIGN_IN_FAILURES = 3;

const TLS_HANDSHAKE_TIMEOUT_MS = 30_000;

/** Belongs to one session. */
export class AccessCommands {
  readonly #session: Session;
  #signInFailures = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  async hello(verb: "EHLO" | "HELO", name: string): Promise<void> {
    const session = this.#session;
    const refusal = nameRefusal(name);
    if (refusal) return session.refuse(refusal);
    await session.flush();
    await session.abandonTransaction();
    const { listener, settings, relay } = session.context;
    const account = "account" in session.state ? session.state.account : listener.account;
    const offer = relay.offer(account);
    const hello = { name, isExtended: verb === "EHLO", offered: offer.extensions };
    session.state = account === undefined ? { at: "greeted", hello } : { at: "ready", hello, account };
    const { isSecure } = session.channel.stream;
    session.channel.push(
      helloReply(hello, { hostname: settings.hostname, listener, isSecure, offer }),
    );
  }

  async auth(argument: string): Promise<void> {
    const session = this.#session;
    const state = session.state;
    const { listener, settings } = session.context;
    const { isSecure } = session.channel.stream;
    if (state.at === "connected") return session.refuse(REPLIES.helloFirst);
    if (listener.account !== undefined) return session.refuse(REPLIES.noAuthHere);
    if (state.at === "transaction") return session.refuse(REPLIES.authInTransaction);
    if (state.at === "ready") return session.refuse(REPLIES.alreadySignedIn);
    if (!permitsAuth(listener, isSecure)) return session.refuse(REPLIES.tlsRequired);
    const credentials = await readCredentials(argument, async (challenge) => {
      session.channel.push(challenge);
      await session.channel.writePending();
      if (session.isEnding) return null;
      return await session.channel.readLine(MAX_RESPONSE_OCTETS, settings.commandTimeoutMs);
    });
    // Its farewell is the next word.
    if (credentials === null && session.isEnding) return;
    if (credentials === null) throw new ClientGoneError();
    if (credentials instanceof Reply) return session.refuse(credentials);
    const { authenticator, onSignIn } = session.context;
    const result = await authenticator.signIn(
      credentials,
      session.channel.stream.remoteAddress,
      session.signal,
    );
    // The session's farewell is the answer.
    if (result === "aborted") return;
    onSignIn?.(typeof result === "string" ? result : "accepted");
    if (typeof result !== "string") {
      session.state = { at: "ready", hello: state.hello, account: result.account };
      return session.channel.push(REPLIES.signedIn);
    }
    await this.#refuseSignIn(result, credentials.authenticationIdentity);
  }

  async #refuseSignIn(result: "refused" | "locked-out", username: string): Promise<void> {
    const session = this.#session;
    const locked = result === "locked-out";
    session.context.log.warn(
      locked
        ? "Sign-in refused: {client} failed too often; it may try again in some minutes"
        : "Sign-in refused for {username} from {client}: unknown user or wrong password; see `account list`, `account set-password`",
      { session: session.id, client: session.channel.stream.remoteAddress, username: username.slice(0, 320) },
    );
    session.channel.push(locked ? REPLIES.authLater : REPLIES.authRefused);
    if (++this.#signInFailures < MAX_SIGN_IN_FAILURES) return;
    await session.leave(REPLIES.authTooManyFailures);
  }

  async startTls(argument: string): Promise<void> {
    const session = this.#session;
    const { listener } = session.context;
    const { isSecure } = session.channel.stream;
    if (argument !== "") return session.refuse(REPLIES.noParameters);
    if (listener.security !== "starttls") {
      return session.refuse(isSecure ? REPLIES.alreadySecure : REPLIES.notImplemented);
    }
    if (isSecure) return session.refuse(REPLIES.alreadySecure);
    await session.flush();
    await session.abandonTransaction();
    session.channel.push(REPLIES.readyForTls);
    await session.channel.writePending();
    // There is no way to tell it anything before the handshake, and nothing to wait for.
    if (session.isEnding) return session.channel.close();
    const discarded = await session.channel.startTls(TLS_HANDSHAKE_TIMEOUT_MS);
    if (discarded > 0) {
      session.context.log.warn("Discarded {octets} octets sent in clear behind STARTTLS by {client}", {
        session: session.id,
        octets: discarded,
        client: session.channel.stream.remoteAddress,
      });
    }
    session.state = { at: "connected" };
  }
}
