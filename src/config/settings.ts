/**
 * The settings of a running daemon: config.json with every default filled in, units in the names.
 *
 * Everything below `src/` takes its settings in these shapes; only `src/config` knows how they are spelled in the file.
 */

/** How a connection is protected: not at all, upgraded by STARTTLS (RFC 3207), or TLS from the first octet (RFC 8314). */
export type TransportSecurity = "none" | "starttls" | "tls";

/** A TCP end point. Port 0 on a listener picks a free port. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
}

/** One place where SMTP clients connect. */
export interface ListenerSettings extends Endpoint {
  readonly security: TransportSecurity;
  /** PEM chain and PKCS#8 key; both present unless `security` is `none`. Read again at each reload. */
  readonly certificateFile?: string;
  readonly privateKeyFile?: string;
  /** AUTH is offered only inside TLS. */
  readonly requireTlsForAuth: boolean;
  /** CIDRs that may connect; empty: everybody. */
  readonly allowedClients: readonly string[];
  /** E-mail of the account that every message goes out as; sessions need no AUTH. Only with `allowedClients`. */
  readonly account?: string;
  readonly maxSessions: number;
  readonly maxSessionsPerClient: number;
}

/** What holds for every submission session, whatever the listener. */
export interface SubmissionSettings {
  /** Name in the greeting and in trace fields. */
  readonly hostname: string;
  /** A bare CR or LF in mail data: made canonical, or the message refused. */
  readonly bareNewline: "normalize" | "reject";
  /** Longest text line in octets with its CRLF (RFC 5321 §4.5.3.1.6: 1,000); 0: no limit. */
  readonly maxTextLineOctets: number;
  /** Prepends a Received field (RFC 5321 §4.4) to each message. */
  readonly addReceivedHeader: boolean;
  /** Silence allowed between commands (RFC 5321 §4.5.3.2.7: 5 minutes). */
  readonly commandTimeoutMs: number;
  /** Silence allowed inside mail data. */
  readonly dataTimeoutMs: number;
  /** Commands that were refused for their syntax or order before the session ends. */
  readonly maxBadCommands: number;
  /** Everything up to the provider's answer to RCPT, then RSET. */
  readonly dryRun: boolean;
}

/** What a mailbox may do, as its provider has it. An absent limit is no limit. */
export interface MailboxLimits {
  /** Open connections, all of them counted: the smaller of what the provider allows and what the operator wants. */
  readonly connections: number;
  /** What the provider allows, when the operator's own `connections` is smaller: no account can go above it. */
  readonly providerConnections?: number;
  readonly messagesPerMinute?: number;
  readonly recipientsPerDay?: number;
  readonly recipientsPerMessage?: number;
  /** Message size in octets, as SIZE counts (RFC 1870). */
  readonly messageOctets?: number;
}

/** How upstream connections of one mailbox are kept. */
export interface PoolSettings {
  /** A connection is retired after this many messages. */
  readonly maxMessagesPerConnection: number;
  readonly connectionMaxAgeMs: number;
  readonly connectionIdleTimeoutMs: number;
  /** Longest wait of a transaction for a connection. */
  readonly waitTimeoutMs: number;
  /** Transactions under way, waiters included (`max_concurrent_messages`). */
  readonly maxTransactions: number;
  /** Connections opened at start and reload; 0: none. */
  readonly prewarm: number;
}

/** Back-off after a transient failure. */
export interface RetrySettings {
  /** Tries in all, the first included. */
  readonly maxAttempts: number;
  readonly backoffFactor: number;
  readonly maxDelayMs: number;
  readonly jitter: boolean;
}

/** When an end point that keeps failing is left alone, and for how long. */
export interface CircuitBreakerSettings {
  readonly enabled: boolean;
  readonly failureThreshold: number;
  readonly recoveryTimeoutMs: number;
}

/**
 * One mail service, from a preset, config.json or both. With an account's overrides applied it is that account's own
 * view (`resolveMailbox`); accounts without overrides share one object.
 */
export interface ProviderSettings {
  readonly name: string;
  readonly smtpEndpoint: Endpoint;
  readonly smtpSecurity: TransportSecurity;
  /** PEM file with certification authorities to trust beside the built-in ones. */
  readonly caFile?: string;
  /** Service extensions that the provider is known to offer after sign-in (EHLO keywords), before it has been asked. */
  readonly knownExtensions: readonly string[];
  /** Token endpoint (RFC 6749 §3.2), with the tenant filled in. */
  readonly tokenUrl: string;
  readonly authorizationUrl?: string;
  readonly deviceAuthorizationUrl?: string;
  /** Scope of the interactive grants and of refreshes. */
  readonly scope?: string;
  /** Scope of the client credentials grant, where the provider has one of its own. */
  readonly clientCredentialsScope?: string;
  readonly limits: MailboxLimits;
  readonly pool: PoolSettings;
  readonly retry: RetrySettings;
  readonly circuitBreaker: CircuitBreakerSettings;
}

/** Admin API and page. */
export interface AdminSettings extends Endpoint {
  /** File with the bearer token; absent: made in the state folder at first start. */
  readonly tokenFile?: string;
  /** Host names beside the loopback ones under which the API may be addressed. */
  readonly allowedHosts: readonly string[];
}

/** Where the log goes and what it holds. */
export interface LogSettings {
  readonly level: "trace" | "debug" | "info" | "warning" | "error" | "fatal";
  readonly format: "text" | "json";
  /** Absent: standard error. */
  readonly file?: string;
  readonly maxFileOctets: number;
  readonly maxFiles: number;
  /** Addresses are logged as short keyed digests. */
  readonly hashAddresses: boolean;
}

/** Everything that a start or a reload takes from options, environment and config.json. */
export interface Settings {
  /** The file that was read; absent: built-in defaults. */
  readonly configFile?: string;
  readonly accountsFile: string;
  readonly stateDirectory: string;
  readonly listeners: readonly ListenerSettings[];
  readonly submission: SubmissionSettings;
  readonly admin: AdminSettings;
  /** Presets and custom providers by lower-case name. */
  readonly providers: ReadonlyMap<string, ProviderSettings>;
  /** Time budget of one token request, retries included. */
  readonly tokenTimeoutMs: number;
  readonly log: LogSettings;
  readonly shutdownTimeoutMs: number;
  readonly adminOnly: boolean;
  readonly sandbox: boolean;
  /** Replaces a daemon that runs with the same admin address. */
  readonly takeOver: boolean;
}
