/** Aligns rows in columns; numbers to the right. Widths count characters, which is near enough for addresses. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const lines = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const isNumeric = header.map((_, column) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === "number" || row[column] === "")
  );
  return lines.map((line) =>
    line.map((cell, column) =>
      isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  );
}
