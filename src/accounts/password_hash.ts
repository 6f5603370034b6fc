/**
 * Hashes of the passwords that SMTP clients sign in with: scrypt (RFC 7914) in PHC string format,
 * `$scrypt$ln=14,r=8,p=5$salt$hash`, base64 without padding. The parameters are of the strength that OWASP names, with
 * 16 MiB of memory so that several sign-ins at a time stay small.
 */

import { Buffer } from "node:buffer";
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { bulkhead } from "cockatiel";

interface ScryptParameters {
  /** Binary logarithm of the cost N. */
  readonly costLog2: number;
  readonly blockSize: number;
  readonly parallelization: number;
}

interface ParsedHash extends ScryptParameters {
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const ownParameters: ScryptParameters = { costLog2: 14, blockSize: 8, parallelization: 5 };
const saltOctets = 16;
const hashOctets = 32;
const pattern =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;
/** What a hash in a file may cost to check. */
const mostOctets = 256 * 1024 * 1024;

/** One for the process, whose memory and processor it spares: a batch asks for fifty hashes at once, 16 MiB each. */
const fewAtOnce = bulkhead(2, Infinity);

/** Hashes a password with a new random salt. Two hashes are made at a time; more wait for their turn. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltOctets);
  const parsed = { ...ownParameters, salt, hash: new Uint8Array(hashOctets) };
  return format({ ...parsed, hash: await fewAtOnce.execute(() => derive(password, parsed)) });
}

/** A hash that no known password has, at no cost; checking against it costs as much as against any other. */
export function unmatchableHash(): string {
  return format({ ...ownParameters, salt: randomBytes(saltOctets), hash: randomBytes(hashOctets) });
}

/**
 * Checks a password; the time does not depend on how much of it is right.
 *
 * @throws {TypeError} If `hash` is none of this format.
 */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const parsed = parse(hash);
  if (parsed === undefined) throw new TypeError("Cannot check the password: password_hash is malformed");
  return timingSafeEqual(await derive(password, parsed), parsed.hash);
}

/** Tells whether a value is a hash that `verifyPassword` takes. */
export function isPasswordHash(value: string): boolean {
  return parse(value) !== undefined;
}

function parse(text: string): ParsedHash | undefined {
  const [, costLog2, blockSize, parallelization, salt, hash] = pattern.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const parsed = {
    costLog2: Number(costLog2),
    blockSize: Number(blockSize),
    parallelization: Number(parallelization),
    salt: Buffer.from(salt, "base64"),
    hash: Buffer.from(hash, "base64"),
  };
  const isUsable = parsed.costLog2 > 0 && parsed.blockSize > 0 && parsed.parallelization > 0 &&
    memoryOctets(parsed) <= mostOctets;
  return isUsable ? parsed : undefined;
}

function memoryOctets({ costLog2, blockSize, parallelization }: ScryptParameters): number {
  return 128 * blockSize * (2 ** costLog2 + parallelization);
}

function derive(password: string, parsed: ParsedHash): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const options = {
    N: 2 ** parsed.costLog2,
    r: parsed.blockSize,
    p: parsed.parallelization,
    maxmem: 2 * memoryOctets(parsed),
  };
  scrypt(password, parsed.salt, parsed.hash.length, options, (error, hash) => {
    if (error) reject(error);
    else resolve(hash);
  });
  return promise;
}

function format({ costLog2, blockSize, parallelization, salt, hash }: ParsedHash): string {
  return `$scrypt$ln=${costLog2},r=${blockSize},p=${parallelization}$${encode(salt)}$${encode(hash)}`;
}

function encode(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64").replace(/=+$/, "");
}
