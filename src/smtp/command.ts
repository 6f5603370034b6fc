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
  text = text.trimEnd();
  const space = text.indexOf(" ");
  const verb = (space < 0 ? text : text.slice(0, space)).toUpperCase();
  if (!/^[A-Z0-9]{1,32}$/.test(verb)) return { fault: "Command not recognized" };
  return { verb, argument: space < 0 ? "" : text.slice(space + 1).trim() };
}
