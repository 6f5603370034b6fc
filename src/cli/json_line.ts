/** C0 controls are escaped already; these are what a terminal could obey beside them, and what ends a line elsewhere. */
const unescaped = /[\x7f-\x9f\u2028\u2029\p{Bidi_Control}]/gu;

/** A value as one line of JSON that any terminal can show and that reads back the same. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    unescaped,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
