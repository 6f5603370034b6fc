/**
 * Reverse-paths and forward-paths with their parameters (RFC 5321 §4.1.2):
 *
 *     MAIL FROM:<reverse-path> [SP mail-parameters]
 *     RCPT TO:<forward-path> [SP rcpt-parameters]
 *     path = "<" [ A-d-l ":" ] mailbox ">"      A-d-l (source route) is accepted and ignored (§4.1.1.3)
 */

/** `FROM:<…> KEY=value …` taken apart. */
export interface PathArgument {
  /** The mailbox without its angle brackets; empty for the null reverse-path. */
  readonly address: string;
  /** ESMTP parameters in order; the keyword in upper case, the value absent when there is no `=`. */
  readonly parameters: ReadonlyMap<string, string | undefined>;
}

/** Why an argument is no path; the text is fit for a reply. */
export interface PathFault {
  readonly fault: string;
}

const MAX_PATH_OCTETS = 256;
const MAX_LOCAL_PART_OCTETS = 64;

/**
 * Takes the argument of MAIL or RCPT apart.
 *
 * Spaces before the path and a path without angle brackets are accepted, since devices in use send both; what goes
 * upstream is written anew from the parts.
 */
export function parsePathArgument(argument: string, keyword: "FROM" | "TO"): PathArgument | PathFault {
  const prefix = `${keyword}:`;
  if (argument.slice(0, prefix.length).toUpperCase() !== prefix) {
    return { fault: `Expected ${prefix}<address>` };
  }
  const rest = skipBlanks(argument.slice(prefix.length));
  const end = rest.startsWith("<") ? closingBracket(rest) : bareEnd(rest);
  if (end < 0) return { fault: rest === "" ? "Expected an address" : "Unbalanced angle brackets" };
  const path = rest.startsWith("<") ? rest.slice(1, end - 1) : rest.slice(0, end);
  const tail = rest.slice(end);
  if (tail !== "" && !tail.startsWith(" ")) return { fault: "Expected a space after the path" };
  const address = path.startsWith("@") ? path.slice(path.indexOf(":") + 1) : path;
  if (path !== "" && address === "") return { fault: "The source route has no mailbox" };
  const fault = addressFault(address, keyword);
  if (fault !== undefined) return { fault };
  return parseParameters(address, skipBlanks(tail));
}

/** Whether an address needs SMTPUTF8 (RFC 6531 §3.3). */
export function isInternationalized(address: string): boolean {
  // deno-lint-ignore no-control-regex -- the ASCII range is what it is about
  return /[^\x00-\x7f]/.test(address);
}

/** Blanks of ASCII only: no others part the words of a command. */
function skipBlanks(text: string): string {
  return text.replace(/^[ \t]+/, "");
}

/** The index behind the `>` that ends the path; a quoted local part may hold one of its own. */
function closingBracket(text: string): number {
  let quoted = false;
  for (let i = 1; i < text.length; i++) {
    const char = text[i];
    if (quoted && char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && char === "<") return -1;
    else if (!quoted && char === ">") return i + 1;
  }
  return -1;
}

function bareEnd(text: string): number {
  const space = text.indexOf(" ");
  const end = space < 0 ? text.length : space;
  return end === 0 || /[<>"]/.test(text.slice(0, end)) ? -1 : end;
}

function addressFault(address: string, keyword: "FROM" | "TO"): string | undefined {
  if (address === "") return keyword === "FROM" ? undefined : "The recipient address is empty";
  if (octetLength(address) > MAX_PATH_OCTETS - 2) {
    return "The path is longer than 256 octets";
  }
  const at = address.lastIndexOf("@");
  // RFC 5321 §4.5.1: <Postmaster> is the one recipient without a domain.
  if (at < 0) {
    return keyword === "TO" && address.toLowerCase() === "postmaster"
      ? undefined
      : "The address has no domain";
  }
  const [localPart, domain] = [address.slice(0, at), address.slice(at + 1)];
  if (localPart === "" || domain === "") return "The address has an empty local part or domain";
  if (octetLength(localPart) > MAX_LOCAL_PART_OCTETS) {
    return "The local part is longer than 64 octets";
  }
  const isQuoted = /^"(?:[^"\\]|\\.)*"$/.test(localPart);
  if (!isQuoted && /[\s"(),:;<>[\]\\]/.test(localPart)) return "The local part must be quoted";
  if (/[\s"(),;<>\\@]/.test(domain)) return "The domain is malformed";
  return undefined;
}

/** Octets in UTF-8; nearly all addresses are ASCII and need no encoding for that. */
function octetLength(text: string): number {
  return isInternationalized(text) ? new TextEncoder().encode(text).length : text.length;
}

function parseParameters(address: string, tail: string): PathArgument | PathFault {
  const parameters = new Map<string, string | undefined>();
  for (const word of tail.split(" ")) {
    if (word === "") continue;
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]+))?$/.exec(word);
    if (!match) return { fault: "Malformed parameter" };
    const keyword = match[1]!.toUpperCase();
    if (parameters.has(keyword)) return { fault: `Parameter ${keyword} stands twice` };
    parameters.set(keyword, match[2]);
  }
  return { address, parameters };
}
