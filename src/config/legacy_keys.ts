/**
 * Keys of the Python program ProxyPowermtaXOAUTH2 that have no meaning here.
 *
 * Its files load as they are, so these keys are read past together, with one notice, where any other unknown key is
 * a warning of its own.
 */

const legacyPaths: readonly RegExp[] = [
  /^(features|monitoring|description|powermta?_relay)$/,
  /^global\.(description|concurrency|oauth2|http_pool|logging)$/,
  /^global\.(max_concurrent_connections|global_concurrency_limit|backpressure_queue_size|connection_backlog)$/,
  /^global\.timeouts\.(?!oauth2_timeout$)\w+$/,
  /^global\.smtp\.(max_message_size|max_recipients|max_line_length|use_source_ip_binding|validate_source_ip|use_ipv6)$/,
  /^providers\.description$/,
  /^providers\.[^.]+\.(description|rate_limiting)$/,
  /^providers\.[^.]+\.connection_pool\.(adaptive_prewarm_\w+|prewarm_\w+|periodic_rewarm_\w+|rewarm_\w+)$/,
  /^providers\.[^.]+\.connection_pool\.(idle_connection_reuse_timeout|connection_acquire_timeout\w*)$/,
  /^providers\.[^.]+\.circuit_breaker\.half_open_max_calls$/,
];

/** Whether the key at this JSON path (`providers.gmail.rate_limiting`) is one that only the Python program reads. */
export function isLegacyKey(path: string): boolean {
  return legacyPaths.some((pattern) => pattern.test(path));
}
