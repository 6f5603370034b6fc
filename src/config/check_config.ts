import type { Finding } from "./config_error.ts";
import type { Config, ListenerConfig, ProviderConfig } from "./config_schema.ts";
import { parseEndpoint } from "./endpoint.ts";
import { joinPath } from "./known_keys.ts";
import { isLoopbackHost } from "./loopback_host.ts";

/** A finding without its file. */
type Fault = Omit<Finding, "file">;

/** Finds what is wrong between keys of config.json that are right each by itself. */
export function checkConfig(config: Config, file: string): Finding[] {
  const listeners = config.listeners ?? [];
  const faults = [
    ...(config.listeners?.length === 0 ? [emptyListeners] : []),
    ...listeners.flatMap((listener, index) => checkListener(listener, `listeners[${index}]`)),
    ...checkPorts(listeners),
    ...Object.entries(config.providers ?? {}).flatMap(([name, provider]) =>
      checkProvider(provider, joinPath("providers", name))
    ),
  ];
  return faults.map((fault) => ({ file, ...fault }));
}

const emptyListeners: Fault = {
  path: "listeners",
  message: "must have at least one listener",
  hint: "leave the key out for one on 127.0.0.1:2525, or start with --admin-only",
};

function checkListener(listener: ListenerConfig, path: string): Fault[] {
  return [...checkCertificate(listener, path), ...checkAccount(listener, path)];
}

function checkCertificate(listener: ListenerConfig, path: string): Fault[] {
  const faults: Fault[] = [];
  const security = listener.security ?? "none";
  for (const key of ["certificate_file", "private_key_file"] as const) {
    if (security === "none" || listener[key] !== undefined) continue;
    faults.push({
      path: `${path}.${key}`,
      message: `is missing, and security is "${security}"`,
      hint: 'give a PEM file, or set security to "none"',
    });
  }
  if (security === "none" && listener.require_tls_for_auth) {
    faults.push({
      path: `${path}.require_tls_for_auth`,
      message: 'is true, but security is "none": nobody could sign in',
      hint: 'set security to "starttls" or "tls", or require_tls_for_auth to false',
    });
  }
  return faults;
}

function checkAccount(listener: ListenerConfig, path: string): Fault[] {
  if (listener.account === undefined || listener.allowed_clients?.length) return [];
  return [{
    path: `${path}.account`,
    message: "lets clients send without signing in, so allowed_clients must say which",
    hint: 'add allowed_clients, such as ["192.0.2.7"], or remove account',
  }];
}

function checkPorts(listeners: readonly ListenerConfig[]): Fault[] {
  const seen = new Map<string, number>();
  const faults: Fault[] = [];
  for (const [index, { host = "127.0.0.1", port = 2525 }] of listeners.entries()) {
    const first = seen.get(`${host} ${port}`);
    if (first === undefined || port === 0) {
      seen.set(`${host} ${port}`, index);
    } else {
      faults.push({
        path: `listeners[${index}].port`,
        message: `is taken by listeners[${first}]: both are ${host} port ${port}`,
        hint: "give each listener a port of its own",
      });
    }
  }
  return faults;
}

function checkProvider(provider: ProviderConfig, path: string): Fault[] {
  const endpoint = parseEndpoint(provider.smtp_endpoint ?? "");
  if (provider.smtp_security !== "none" || (endpoint && isLoopbackHost(endpoint.hostname))) return [];
  return [{
    path: `${path}.smtp_security`,
    message: 'is "none", which would send tokens in clear; only a smtp_endpoint on this machine may have it',
    hint: 'set it to "starttls" or "tls", or smtp_endpoint to an address such as "127.0.0.1:2526"',
  }];
}
