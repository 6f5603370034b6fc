import { ConfigError } from "./config_error.ts";

/**
 * Reads a text file of JSON, which is UTF-8 (RFC 8259 §8.1). What isn't would be read with replacement characters, and
 * written back with them.
 *
 * @throws {ConfigError} If it is in another encoding.
 * @throws {Error} Of the file system.
 */
export async function readUtf8(path: string): Promise<string> {
  const octets = await Deno.readFile(path);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    const finding = {
      file: path,
      path: "",
      message: "is not UTF-8 text",
      hint: "save it in that encoding; look at its letters beyond ASCII",
    };
    throw new ConfigError([finding], { cause });
  }
}
