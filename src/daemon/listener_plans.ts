/** Listeners with their certificates, read and checked before anything is opened or changed. */

import { createSecureContext } from "node:tls";
import { ConfigError } from "../config/config_error.ts";
import type { ListenerSettings } from "../config/settings.ts";
import type { CertificatePair } from "../submission/listener.ts";
import type { ListenerPlan } from "../submission/submission_server.ts";

/**
 * Reads the certificates of all listeners.
 *
 * @throws {ConfigError} For files that can't be read, are no PEM, or don't belong together.
 */
export function planListeners(listeners: readonly ListenerSettings[]): Promise<ListenerPlan[]> {
  return Promise.all(listeners.map(async (settings) => {
    const { certificateFile, privateKeyFile } = settings;
    if (settings.security === "none" || certificateFile === undefined || privateKeyFile === undefined) {
      return { settings };
    }
    const pair = {
      certificate: await readPem(certificateFile, "certificate_file"),
      privateKey: await readPem(privateKeyFile, "private_key_file"),
    };
    checkPair(pair, certificateFile, privateKeyFile);
    return { settings, pair };
  }));
}

function checkPair(pair: CertificatePair, certificateFile: string, privateKeyFile: string): void {
  try {
    createSecureContext({ cert: pair.certificate, key: pair.privateKey });
  } catch (error) {
    const finding = {
      file: certificateFile,
      path: "",
      message: `is no certificate that fits the key in ${privateKeyFile}`,
      hint: "certificate_file holds the PEM chain, the leaf first; private_key_file its PKCS#8 key",
    };
    throw new ConfigError([finding], { cause: error });
  }
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
