import type { Finding } from "./config_error.ts";
import { readSmallFile, whyUnread } from "./read_small_file.ts";
import type { Settings } from "./settings.ts";

interface NamedFile {
  /** JSON path of the key that names it. */
  readonly key: string;
  readonly path: string;
  /** What it must hold, as it stands in PEM (RFC 7468 §2) after `BEGIN`. */
  readonly label: RegExp;
  readonly content: string;
}

/**
 * Finds certificates and keys that settings name and that can't be used, without using them.
 *
 * @param readFile Default: `readSmallFile`.
 */
export async function checkFiles(
  settings: Settings,
  readFile: (path: string) => Promise<string> = readSmallFile,
): Promise<Finding[]> {
  const file = settings.configFile ?? "config.json";
  const findings = await Promise.all(namedFiles(settings).map((named) => checkFile(named, file, readFile)));
  return findings.filter((finding) => finding !== undefined);
}

function namedFiles(settings: Settings): NamedFile[] {
  const files: NamedFile[] = [];
  const add = (key: string, path: string | undefined, kind: Pick<NamedFile, "label" | "content">) => {
    if (path !== undefined) files.push({ key, path, ...kind });
  };
  for (const [index, listener] of (settings.adminOnly ? [] : settings.listeners).entries()) {
    add(`listeners[${index}].certificate_file`, listener.certificateFile, certificate);
    add(`listeners[${index}].private_key_file`, listener.privateKeyFile, privateKey);
  }
  // Aliases lead to the same provider.
  for (const provider of new Set(settings.providers.values())) {
    add(`providers.${provider.name}.ca_file`, provider.caFile, certificate);
  }
  return files;
}

const certificate = { label: /-----BEGIN CERTIFICATE-----/, content: "a certificate" };
const privateKey = {
  label: /-----BEGIN (?:RSA |EC )?PRIVATE KEY-----/,
  content: "an unencrypted private key",
};

async function checkFile(
  { key, path, label, content }: NamedFile,
  file: string,
  readFile: (path: string) => Promise<string>,
): Promise<Finding | undefined> {
  try {
    const text = await readFile(path);
    if (label.test(text)) return undefined;
    return {
      file,
      path: key,
      message: `names "${path}", which doesn't hold ${content} in PEM`,
      hint: "convert it with openssl",
    };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return {
      file,
      path: key,
      message: `names "${path}", which can't be read: ${whyUnread(error)}`,
      hint: "mend the path, or let the user that the daemon runs as read the file",
    };
  }
}
