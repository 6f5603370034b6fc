/** SMTP dialogs as they are written in RFCs: lines that begin with `C:` or `S:`. */

/** One line of a dialog. */
export interface DialogStep {
  readonly from: "client" | "server";
  readonly text: string;
}

/** Reads a dialog; indentation and blank lines don't count. @throws {SyntaxError} On a line without `C:` or `S:`. */
export function parseDialog(text: string): DialogStep[] {
  return text.split("\n").map((line) => line.trimStart()).filter((line) => line.trim() !== "").map((line) => {
    const match = /^([CS]):(?: (.*))?$/.exec(line);
    if (!match) throw new SyntaxError(`A dialog line begins with "C: " or "S: ": ${JSON.stringify(line)}`);
    return { from: match[1] === "C" ? "client" : "server", text: match[2] ?? "" };
  });
}
