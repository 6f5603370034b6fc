/**
 * Address blocks in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3), matched without sockets or look-ups.
 *
 * IPv4 is held as its IPv4-mapped IPv6 form (RFC 4291 §2.5.5.2), so `10.0.0.0/8` also matches `::ffff:10.1.2.3`,
 * which is what a dual-stack listener reports.
 */

/** An address block: 16 octets and the number of leading bits that count. */
export interface Cidr {
  readonly octets: Uint8Array;
  readonly prefixBits: number;
}

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32` or a single address.
 *
 * @throws {RangeError} If the text is no such block; the message says why.
 */
export function parseCidr(text: string): Cidr {
  const [address = "", prefix, ...rest] = text.trim().split("/");
  const octets = parseAddress(address);
  if (!octets || rest.length > 0) throw new RangeError(`Cannot read "${text}" as an address block`);
  const isIpv4 = !address.includes(":");
  const width = isIpv4 ? 32 : 128;
  if (prefix === undefined) return { octets, prefixBits: 128 };
  const bits = /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN;
  if (!(bits <= width)) {
    throw new RangeError(`Cannot read "${text}" as an address block: the prefix length ends at ${width}`);
  }
  return { octets, prefixBits: isIpv4 ? bits + 96 : bits };
}

/**
 * Makes a function that tells whether an address is inside one of `blocks`. An empty list matches nothing; text
 * that is no address, too.
 *
 * @throws {RangeError} If a block can't be read.
 */
export function cidrMatcher(blocks: readonly string[]): (address: string) => boolean {
  const parsed = blocks.map(parseCidr);
  return (address) => {
    const octets = parseAddress(address);
    return octets !== undefined && parsed.some((block) => contains(block, octets));
  };
}

function contains(block: Cidr, octets: Uint8Array): boolean {
  const whole = block.prefixBits >> 3;
  for (let i = 0; i < whole; i++) {
    if (block.octets[i] !== octets[i]) return false;
  }
  const rest = block.prefixBits & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((block.octets[whole] ?? 0) & mask) === ((octets[whole] ?? 0) & mask);
}

function parseAddress(text: string): Uint8Array | undefined {
  if (!text.includes(":")) {
    const ipv4 = parseIpv4(text);
    return ipv4 && Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...ipv4);
  }
  // A zone (fe80::1%eth0, RFC 4007 §11) names an interface, which no block can.
  return parseIpv6(text.replace(/%.*$/, ""));
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  // No leading zeros: some readers take 010 as octal 8.
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const octets = parts.map(Number);
  return octets.every((octet) => octet <= 255) ? octets : undefined;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = parseGroups(halves[1] ?? "", true);
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  // "::" stands for at least one group of zeros (RFC 5952 §4.2.2 advises, RFC 4291 §2.2 allows one or more).
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const octets: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (mayEndInIpv4 && index === groups.length - 1 && group.includes(".")) {
      const ipv4 = parseIpv4(group);
      if (!ipv4) return undefined;
      octets.push(...ipv4);
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) return undefined;
      const value = parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
    }
  }
  return octets;
}
