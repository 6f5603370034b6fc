import { Buffer } from "node:buffer";
import type { AccountRecord } from "../account_schema.ts";
import type { RawRecord } from "../accounts_file.ts";
import { hashPassword } from "../password_hash.ts";
import { deriveFernetKey, openFernetToken } from "./fernet.ts";
import {
  type ImportedAccounts,
  providerOfHost,
  tokenEndpointFields,
  type Unmapped,
} from "./imported_accounts.ts";
import { type IniSections, parseIniFile } from "./ini_file.ts";

/** What goes with the file. */
export interface EmailOauth2ProxyOptions {
  /** Name for messages. */
  readonly file: string;
  /** Passwords by e-mail that mail clients use with the old proxy: they decrypt its tokens, and go on working here. */
  readonly passwords?: ReadonlyMap<string, string>;
}

type Section = ReadonlyMap<string, string>;
interface MappedAccount {
  readonly record: RawRecord | undefined;
  readonly messages: readonly string[];
}

/** Iterations of the versions that did not write `token_iterations`. */
const defaultIterations = 100_000;

/** Keys that are mapped, are made anew, or only matter to the old proxy's own window. */
const knownKeys = new Set([
  "permission_url",
  "token_url",
  "oauth2_scope",
  "oauth2_flow",
  "redirect_uri",
  "client_id",
  "client_secret",
  "client_secret_encrypted",
  "token_salt",
  "token_iterations",
  "access_token",
  "access_token_expiry",
  "refresh_token",
  "last_activity",
  "jwt_certificate_path",
  "jwt_key_path",
  "documentation",
]);

/**
 * Reads the accounts of email-oauth2-proxy's `emailproxy.config`. Its servers are only named: SMTP servers follow from
 * the provider.
 */
export async function importEmailOauth2Proxy(
  text: string,
  { file, passwords = new Map() }: EmailOauth2ProxyOptions,
): Promise<ImportedAccounts> {
  const sections = parseIniFile(text);
  const accounts: (AccountRecord & RawRecord)[] = [];
  const unmapped: Unmapped[] = listenersOf(sections, file);
  for (const [name, section] of sections) {
    if (!section.has("token_url")) continue;
    const source = `${file} [${name}]`;
    const { record, messages } = await mapAccount({ email: name, section, password: passwords.get(name) });
    unmapped.push(...messages.map((message) => ({ source, message })));
    if (record !== undefined) accounts.push(record as AccountRecord & RawRecord);
  }
  return { accounts, unmapped };
}

function listenersOf(sections: IniSections, file: string): Unmapped[] {
  return [...sections.keys()].flatMap((name) => {
    const [, kind, port] = /^(IMAP|POP|SMTP)-(\d+)$/.exec(name) ?? [];
    if (kind === undefined) return [];
    const message = kind === "SMTP"
      ? `clients used port ${port}: give a listener that port, or change the clients`
      : `${kind} is not offered here`;
    return [{ source: `${file} [${name}]`, message }];
  });
}

interface AccountSection {
  readonly email: string;
  readonly section: Section;
  readonly password: string | undefined;
}

async function mapAccount({ email, section, password }: AccountSection): Promise<MappedAccount> {
  const tokenUrl = section.get("token_url") ?? "";
  const provider = providerOfHost(URL.parse(tokenUrl)?.hostname ?? "");
  const flow = section.get("oauth2_flow") ??
    (section.has("permission_url") ? "authorization_code" : "client_credentials");
  const messages = [...section.keys()].filter((key) => !knownKeys.has(key)).map((key) =>
    `"${key}" is left out`
  );
  if (!email.includes("@")) return { record: undefined, messages: ["is no e-mail address: left out"] };
  if (flow === "password") {
    return { record: undefined, messages: ["the password grant is not offered here: left out"] };
  }
  if (provider === undefined) {
    messages.push("its provider is not known: describe it in config.json and set provider");
  }
  const secrets = await openSecrets({ section, password });
  messages.push(...secrets.messages);
  const record = {
    email,
    provider: provider ?? "unknown",
    ...grantOf(flow),
    client_id: section.get("client_id"),
    client_secret: secrets.clientSecret,
    refresh_token: secrets.refreshToken,
    ...tokenEndpointFields(tokenUrl),
    scope: section.get("oauth2_scope"),
    certificate_file: section.get("jwt_certificate_path"),
    private_key_file: section.get("jwt_key_path"),
    password_hash: password === undefined ? undefined : await hashPassword(password),
  };
  return {
    record: Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)),
    messages,
  };
}

function grantOf(flow: string): { grant?: AccountRecord["grant"] } {
  return flow === "client_credentials" || flow === "service_account" ? { grant: flow } : {};
}

interface OpenedSecrets {
  readonly clientSecret: string | undefined;
  readonly refreshToken: string | undefined;
  readonly messages: readonly string[];
}

async function openSecrets({ section, password }: Omit<AccountSection, "email">): Promise<OpenedSecrets> {
  const salt = section.get("token_salt");
  const sealedToken = section.get("refresh_token");
  const sealedSecret = section.get("client_secret_encrypted");
  const clientSecret = section.get("client_secret") || undefined;
  if (sealedToken === undefined && sealedSecret === undefined) {
    return {
      clientSecret,
      refreshToken: undefined,
      messages: ["has no refresh token yet: authorize it here"],
    };
  }
  if (password === undefined || salt === undefined) {
    const message =
      "its tokens are encrypted with the password that mail clients use: give that, or authorize it here";
    return { clientSecret, refreshToken: undefined, messages: [message] };
  }
  const iterations = Number(section.get("token_iterations") ?? defaultIterations);
  const key = await deriveFernetKey(password, { salt: Buffer.from(salt, "base64"), iterations });
  const open = (token: string | undefined) => token === undefined ? undefined : openFernetToken(token, key);
  const refreshToken = open(sealedToken);
  const isWrong = sealedToken !== undefined && refreshToken === undefined;
  return {
    clientSecret: clientSecret ?? open(sealedSecret),
    refreshToken,
    messages: isWrong
      ? ["the password does not decrypt its tokens: give the right one, or authorize it here"]
      : [],
  };
}
