/** SMTP command lines (RFC 5321 §4.1.1). */

/** A command line taken apart: the verb in upper case, the rest as it stands. */
export interface Command {
  readonly verb: string;
  readonly argument: string;
}

/** Why a line is no command; `detail` is fit for a reply. */
export interface CommandFault {
  readonly fault: string;
}

/** Looked at before its case is folded, which would take "ı" for "I". */
const VERB = /^[A-Za-z0-9]{1,32}(?=[ \t]|$)/;

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Takes a command line apart.
 *
 * NUL and other controls are refused here, so that nothing behind this point can carry a second line upstream.
 *
 * @param line The line without its line end; UTF-8 (RFC 6531 §3.7.1) or ASCII.
 */
export function parseCommand(line: Uint8Array): Command | CommandFault {
  let all = 0;
  for (let i = 0; i < line.length; i++) {
    const octet = line[i]!;
    if ((octet < 0x20 && octet !== 0x09) || octet === 0x7f) return { fault: "Control character in command" };
    all |= octet;
  }
  let text: string;
  try {
    // Nearly all commands are short ASCII, and a decoder costs more than they do.
    const isShortAscii = all < 0x80 && line.length <= 128;
    text = isShortAscii ? String.fromCharCode.apply(null, line as unknown as number[]) : decoder.decode(line);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { fault: "Command is not UTF-8" };
  }
  const verb = VERB.exec(text)?.[0];
  if (verb === undefined) return { fault: "Command not recognized" };
  return { verb: verb.toUpperCase(), argument: withoutBlanks(text, verb.length) };
}

/** What stands in `text` from `start` on, without blanks around it: those of ASCII, since others are letters to other servers. */
function withoutBlanks(text: string, start: number): string {
  const isBlank = (at: number) => text[at] === " " || text[at] === "\t";
  let end = text.length;
  while (start < end && isBlank(start)) start++;
  while (start < end && isBlank(end - 1)) end--;
  return text.slice(start, end);
}
