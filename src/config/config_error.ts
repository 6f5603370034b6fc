/** A fault or an oddity in what the daemon was told: config.json, accounts.json, an option or a variable. */
export interface Finding {
  /** File that holds it; `command line` or `environment` for options. */
  readonly file: string;
  /** JSON path (`listeners[0].port`), option (`--port`) or variable (`XOAUTH2_PORT`); empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, without a secret. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

/** What a `ConfigError` can have beside its faults. */
export interface ConfigErrorOptions extends ErrorOptions {
  readonly warnings?: readonly Finding[];
}

/**
 * Settings that can't be used: exit status 78 at start, a refused reload later.
 *
 * `findings` has every fault found, so that an operator mends them in one go.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "CONFIG";
  /** What was odd beside the faults, such as unknown keys. */
  readonly warnings: readonly Finding[];

  constructor(readonly findings: readonly Finding[], options: ConfigErrorOptions = {}) {
    const { warnings = [], ...errorOptions } = options;
    super(`Cannot use the configuration: ${findings.map(formatFinding).join("; ")}`, errorOptions);
    this.warnings = warnings;
  }
}

/** One finding on one line: file, path, message and hint. */
export function formatFinding(finding: Finding): string {
  const where = finding.path === "" ? finding.file : `${finding.file}: ${finding.path}`;
  return finding.hint === ""
    ? `${where}: ${finding.message}`
    : `${where}: ${finding.message} (${finding.hint})`;
}
