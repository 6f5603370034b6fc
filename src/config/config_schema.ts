/**
 * How config.json is spelled: every key, optional each, and what its value may be.
 *
 * Keys that a provider shares with the Python program ProxyPowermtaXOAUTH2 keep its names and units. Rules between
 * keys are `check_config.ts`'s.
 */

import { z } from "zod";
import {
  address,
  cidr,
  flag,
  greetingName,
  host,
  number,
  seconds,
  secureUrl,
  smtpEndpoint,
  text,
  wholeNumber,
  word,
} from "./config_values.ts";

const port = wholeNumber(0, 65_535);
const count = wholeNumber(1, 1_000_000);
const security = word(["none", "starttls", "tls"]);

const submission = z.strictObject({
  /** Name in the greeting and in trace fields; `server_hostname` is its name in files of the Python program. */
  hostname: greetingName.optional(),
  server_hostname: greetingName.optional(),
  bare_newline: word(["normalize", "reject"]).optional(),
  max_text_line_octets: wholeNumber(0, 10_000_000).optional(),
  add_received_header: flag.optional(),
  command_timeout_seconds: seconds(1).optional(),
  data_timeout_seconds: seconds(1).optional(),
  max_bad_commands: count.optional(),
});

const global = z.strictObject({
  /** Seconds for one token request, retries included; in files of the Python program also under `timeouts`. */
  oauth2_timeout: seconds(0.1).optional(),
  timeouts: z.strictObject({ oauth2_timeout: seconds(0.1).optional() }).optional(),
  shutdown_timeout: seconds(0).optional(),
  smtp: submission.optional(),
});

const listener = z.strictObject({
  host: host.optional(),
  port: port.optional(),
  security: security.optional(),
  certificate_file: text.optional(),
  private_key_file: text.optional(),
  require_tls_for_auth: flag.optional(),
  allowed_clients: z.array(cidr, { error: "must be a list of address blocks" }).optional(),
  account: address.optional(),
  max_sessions: count.optional(),
  max_sessions_per_client: count.optional(),
});

const admin = z.strictObject({
  host: host.optional(),
  port: port.optional(),
  token_file: text.optional(),
  allowed_hosts: z.array(host, { error: "must be a list of host names" }).optional(),
});

const pool = z.strictObject({
  max_connections_per_account: count.optional(),
  max_messages_per_connection: count.optional(),
  connection_max_age_seconds: seconds(1).optional(),
  connection_idle_timeout_seconds: seconds(1).optional(),
  wait_timeout_seconds: seconds(0.1).optional(),
  prewarm: wholeNumber(0, 1_000).optional(),
});

const limits = z.strictObject({
  connections: count.optional(),
  messages_per_minute: count.optional(),
  recipients_per_day: wholeNumber(1, 100_000_000).optional(),
  recipients_per_message: count.optional(),
  message_bytes: wholeNumber(1, 10_000_000_000).optional(),
});

const retry = z.strictObject({
  max_attempts: wholeNumber(1, 100).optional(),
  backoff_factor: number(1, 100).optional(),
  max_delay_seconds: seconds(0).optional(),
  jitter_enabled: flag.optional(),
});

const circuitBreaker = z.strictObject({
  enabled: flag.optional(),
  failure_threshold: count.optional(),
  recovery_timeout_seconds: seconds(0.1).optional(),
});

const provider = z.strictObject({
  smtp_endpoint: smtpEndpoint.optional(),
  smtp_security: security.optional(),
  ca_file: text.optional(),
  oauth_token_url: secureUrl.optional(),
  authorization_url: secureUrl.optional(),
  device_authorization_url: secureUrl.optional(),
  scope: text.optional(),
  client_credentials_scope: text.optional(),
  tenant: text.optional(),
  max_concurrent_messages: count.optional(),
  limits: limits.optional(),
  connection_pool: pool.optional(),
  retry: retry.optional(),
  circuit_breaker: circuitBreaker.optional(),
});

const log = z.strictObject({
  level: word(["trace", "debug", "info", "warning", "error", "fatal"]).optional(),
  format: word(["text", "json"]).optional(),
  file: text.optional(),
  max_file_bytes: wholeNumber(1_024, 1_000_000_000_000).optional(),
  max_files: wholeNumber(1, 1_000).optional(),
  hash_addresses: flag.optional(),
});

/** config.json as a whole. */
export const configSchema = z.strictObject({
  global: global.optional(),
  listeners: z.array(listener, { error: "must be a list of listeners" }).optional(),
  admin: admin.optional(),
  providers: z.record(z.string(), provider, { error: "must be an object of providers by name" }).optional(),
  log: log.optional(),
});

/** config.json after validation, spelled as in the file. */
export type Config = z.infer<typeof configSchema>;
/** One member of `listeners`. */
export type ListenerConfig = z.infer<typeof listener>;
/** One member of `providers`. */
export type ProviderConfig = z.infer<typeof provider>;
