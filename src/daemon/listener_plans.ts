/** Listeners with their certificates, read and checked before anything is opened or changed. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { ConfigError, type Finding } from "../config/config_error.ts";
import type { ListenerSettings } from "../config/settings.ts";
import type { CertificatePair } from "../submission/listener.ts";
import type { ListenerPlan } from "../submission/submission_server.ts";

interface PairFiles {
  readonly certificateFile: string;
  readonly privateKeyFile: string;
}

/**
 * Reads the certificates of all listeners.
 *
 * @throws {ConfigError} For files that can't be read, are no PEM, or don't belong together.
 */
export async function planListeners(listeners: readonly ListenerSettings[]): Promise<ListenerPlan[]> {
  const plans = await Promise.all(listeners.map(async (settings) => {
    const files = pairFiles(settings);
    if (!files) return { settings };
    const pair = {
      certificate: await readPem(files.certificateFile, "certificate_file"),
      privateKey: await readPem(files.privateKeyFile, "private_key_file"),
    };
    return { settings, pair, misfit: misfit(pair, files) };
  }));
  const misfits = plans.map(({ misfit }) => misfit).filter((finding) => finding !== undefined);
  if (misfits.length > 0) throw new ConfigError(misfits);
  return plans.map(({ settings, pair }) => ({ settings, ...(pair && { pair }) }));
}

/** Finds certificates that don't fit their keys. Files that can't be read are left out: `checkFiles` finds those. */
export async function checkPairs(listeners: readonly ListenerSettings[]): Promise<Finding[]> {
  const findings = await Promise.all(listeners.map(async (listener) => {
    try {
      await planListeners([listener]);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.cause === undefined ? error.findings : [];
    }
  }));
  return findings.flat();
}

function pairFiles({ security, certificateFile, privateKeyFile }: ListenerSettings): PairFiles | undefined {
  if (security === "none" || certificateFile === undefined || privateKeyFile === undefined) return undefined;
  return { certificateFile, privateKeyFile };
}

function misfit(pair: CertificatePair, { certificateFile, privateKeyFile }: PairFiles): Finding | undefined {
  try {
    createSecureContext({ cert: pair.certificate, key: pair.privateKey });
    // The context takes pairs that don't belong together, and fails in handshakes (Deno 2.9.6).
    const key = createPrivateKey(pair.privateKey);
    if (new X509Certificate(pair.certificate).checkPrivateKey(key)) return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
  return {
    file: certificateFile,
    path: "",
    message: `is no certificate that fits the key in ${privateKeyFile}`,
    hint: "certificate_file holds the PEM chain, the leaf first; private_key_file its PKCS#8 key",
  };
}

async function readPem(file: string, key: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const finding = {
      file,
      path: "",
      message: `can't be read: ${error.name}`,
      hint: `${key} of a listener names it`,
    };
    throw new ConfigError([finding], { cause: error });
  }
}
