import type { Finding } from "./config_error.ts";

/** A JSON document, or why there is none. */
export type ParsedJson = { readonly value: unknown } | { readonly finding: Finding };

/**
 * Reads JSON text, with a byte order mark or without.
 *
 * The finding names line and column but quotes nothing: what stands next to the fault may be a secret.
 */
export function parseJson(text: string, file: string): ParsedJson {
  try {
    return { value: JSON.parse(text.replace(/^\uFEFF/, "")) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const finding = {
      file,
      path: "",
      message: `is not valid JSON${placeOf(error)}`,
      hint: "look for a missing or trailing comma, or an unclosed quote or bracket, just before that place",
    };
    return { finding };
  }
}

function placeOf(error: SyntaxError): string {
  const place = /line (\d+) column (\d+)/.exec(error.message);
  if (place) return `, at line ${place[1]}, column ${place[2]}`;
  return error.message.includes("end of JSON input") ? ": it ends too early" : "";
}
