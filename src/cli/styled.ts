const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

/** Paints `text` for a terminal, and leaves it as it is for anything else or where `NO_COLOR` is set (no-color.org). */
export function styled(text: string, style: keyof typeof codes, isTerminal: boolean): string {
  return isTerminal && !Deno.noColor ? `\x1b[${codes[style]}m${text}\x1b[0m` : text;
}

const escape = "\x1b";
/** What `styled` writes; then controls, and what turns the direction of text or ends a line. */
const controls = new RegExp(
  `${escape}\\[(?:0|${Object.values(codes).join("|")})m|[\\p{Cc}\\p{Bidi_Control}\\u2028\\u2029]`,
  "gu",
);

/**
 * A text that a terminal shows and doesn't obey: providers' replies and names of files are in it. Line ends, tabs and, on a
 * terminal, the sequences of `styled` stay.
 */
export function printable(text: string, isTerminal: boolean): string {
  return text.replace(controls, (found) => {
    if (found === "\n" || found === "\t") return found;
    if (found.length === 1) return "\ufffd";
    return isTerminal ? found : `\ufffd${found.slice(1)}`;
  });
}
