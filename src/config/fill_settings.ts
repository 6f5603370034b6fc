import type { Config, ListenerConfig } from "./config_schema.ts";
import type { Platform } from "./platform_places.ts";
import type {
  AdminSettings,
  ListenerSettings,
  LogSettings,
  ProviderSettings,
  Settings,
  SubmissionSettings,
} from "./settings.ts";
import type { StartSettings } from "./start_setting.ts";

/** What `fillSettings` joins; all of it validated. */
export interface SettingsParts {
  readonly config: Config;
  /** Options and environment. */
  readonly start: StartSettings;
  readonly platform: Platform;
  readonly providers: ReadonlyMap<string, ProviderSettings>;
  readonly accountsFile: string;
  readonly stateDirectory: string;
  /** Resolves a path that config.json names. */
  readonly resolvePath: (path: string) => string;
  /** Resolves a path from an option or a variable. */
  readonly resolveFromCwd: (path: string) => string;
}

/** Puts start settings over config.json, defaults under both, and units into the names. */
export function fillSettings(parts: SettingsParts): Omit<Settings, "configFile"> {
  const { config, start, providers, accountsFile, stateDirectory } = parts;
  const tokenTimeout = config.global?.oauth2_timeout ?? config.global?.timeouts?.oauth2_timeout ?? 10;
  const shutdownTimeout = start.shutdownTimeout ?? config.global?.shutdown_timeout ?? 10;
  return {
    accountsFile,
    stateDirectory,
    listeners: fillListeners(parts),
    submission: fillSubmission(parts),
    admin: fillAdmin(parts),
    providers,
    tokenTimeoutMs: tokenTimeout * 1000,
    log: fillLog(parts),
    shutdownTimeoutMs: shutdownTimeout * 1000,
    adminOnly: start.adminOnly ?? false,
    sandbox: start.sandbox ?? false,
    takeOver: start.takeOver ?? false,
  };
}

function fillListeners({ config, start, resolvePath }: SettingsParts): ListenerSettings[] {
  const listeners: readonly ListenerConfig[] = config.listeners ?? [{}];
  return listeners.map((listener, index) => {
    const { host, port } = index === 0 ? start : {};
    const security = listener.security ?? "none";
    return {
      hostname: host ?? listener.host ?? "127.0.0.1",
      port: port ?? listener.port ?? 2525,
      security,
      ...(listener.certificate_file && { certificateFile: resolvePath(listener.certificate_file) }),
      ...(listener.private_key_file && { privateKeyFile: resolvePath(listener.private_key_file) }),
      requireTlsForAuth: listener.require_tls_for_auth ?? security !== "none",
      allowedClients: listener.allowed_clients ?? [],
      ...(listener.account && { account: listener.account }),
      maxSessions: listener.max_sessions ?? 4_000,
      maxSessionsPerClient: listener.max_sessions_per_client ?? 2_000,
    };
  });
}

function fillSubmission({ config, start, platform }: SettingsParts): SubmissionSettings {
  const smtp = config.global?.smtp ?? {};
  return {
    hostname: smtp.hostname ?? smtp.server_hostname ?? domainOf(platform.hostname),
    bareNewline: smtp.bare_newline ?? "normalize",
    maxTextLineOctets: smtp.max_text_line_octets ?? 1_000,
    addReceivedHeader: smtp.add_received_header ?? false,
    commandTimeoutMs: (smtp.command_timeout_seconds ?? 300) * 1000,
    dataTimeoutMs: (smtp.data_timeout_seconds ?? 600) * 1000,
    maxBadCommands: smtp.max_bad_commands ?? 100,
    dryRun: start.dryRun ?? false,
  };
}

/** A machine's name may hold what a greeting can't (RFC 5321 §4.1.2, `Domain`). */
function domainOf(hostname: string): string {
  return /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(hostname) ? hostname : "localhost";
}

function fillAdmin({ config, start, resolvePath }: SettingsParts): AdminSettings {
  const admin = config.admin ?? {};
  return {
    hostname: start.adminHost ?? admin.host ?? "127.0.0.1",
    port: start.adminPort ?? admin.port ?? 9090,
    ...(admin.token_file && { tokenFile: resolvePath(admin.token_file) }),
    allowedHosts: admin.allowed_hosts ?? [],
  };
}

function fillLog({ config, start, platform, resolvePath, resolveFromCwd }: SettingsParts): LogSettings {
  const log = config.log ?? {};
  const own = log.file === undefined ? undefined : resolvePath(log.file);
  const file = start.logFile === undefined ? own : resolveFromCwd(start.logFile);
  const isOnTerminal = file === undefined && platform.stderrIsTerminal;
  return {
    level: start.logLevel ?? log.level ?? "info",
    format: start.logFormat ?? log.format ?? (isOnTerminal ? "text" : "json"),
    ...(file !== undefined && { file }),
    maxFileOctets: log.max_file_bytes ?? 10_485_760,
    maxFiles: log.max_files ?? 5,
    hashAddresses: log.hash_addresses ?? false,
  };
}
