const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

/** Paints `text` for a terminal, and leaves it as it is for anything else or where `NO_COLOR` is set (no-color.org). */
export function styled(text: string, style: keyof typeof codes, isTerminal: boolean): string {
  return isTerminal && !Deno.noColor ? `\x1b[${codes[style]}m${text}\x1b[0m` : text;
}
