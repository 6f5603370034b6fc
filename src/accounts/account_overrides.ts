import type {
  CircuitBreakerSettings,
  Endpoint,
  MailboxLimits,
  PoolSettings,
  RetrySettings,
} from "../config/settings.ts";

/** What one account sets for itself, over the settings of its provider. Absent: as the provider has it. */
export interface AccountOverrides {
  /** SMTP end point (`oauth_endpoint`, its historical name). */
  readonly smtpEndpoint?: Endpoint;
  /** Token endpoint (`oauth_token_url`); https, or http to loopback. */
  readonly tokenUrl?: string;
  readonly scope?: string;
  /** Entra tenant that takes the tenant's place in the provider's URLs. */
  readonly tenant?: string;
  /** `max_connections_per_account`: lowers the provider's `limits.connections`, never raises it. */
  readonly maxConnections?: number;
  readonly limits?: Partial<MailboxLimits>;
  readonly pool?: Partial<PoolSettings>;
  readonly retry?: Partial<RetrySettings>;
  readonly circuitBreaker?: Partial<CircuitBreakerSettings>;
  /** `max_concurrent_messages`: transactions under way, waiters included. */
  readonly maxTransactions?: number;
}
