/** Exit statuses of the program; those above 1 are sysexits.h's. A second signal while draining adds 130 and 143. */
export const exitStatus = {
  /** Done, or stopped cleanly. */
  clean: 0,
  /** An unexpected failure. */
  failure: 1,
  /** Wrong usage (EX_USAGE). */
  usage: 64,
  /** The drain's deadline cut work off (EX_TEMPFAIL). */
  cutOff: 75,
  /** Unusable configuration (EX_CONFIG): a service manager must not start again on it. */
  config: 78,
} as const;
