import { z } from "zod";
import { nearestKey } from "./nearest_key.ts";

/** A key of a JSON document that its schema doesn't have. */
export interface UnknownKey {
  /** JSON path with the key, such as `listeners[0].prot`. */
  readonly path: string;
  /** The known key that was probably meant. */
  readonly nearest: string | undefined;
}

/** A JSON document reduced to what its schema knows. */
export interface KnownKeys {
  readonly value: unknown;
  readonly unknown: readonly UnknownKey[];
}

/** Takes comments (keys that begin with `_`) and unknown keys out of a parsed JSON document, and lists the latter. */
export function keepKnownKeys(value: unknown, schema: z.ZodType): KnownKeys {
  const unknown: UnknownKey[] = [];
  return { value: prune(value, schema, { path: "", unknown }), unknown };
}

interface Place {
  readonly path: string;
  readonly unknown: UnknownKey[];
}

function prune(value: unknown, schema: z.ZodType, { path, unknown }: Place): unknown {
  if (schema instanceof z.ZodOptional) return prune(value, schema.unwrap() as z.ZodType, { path, unknown });
  if (schema instanceof z.ZodArray && Array.isArray(value)) {
    const element = schema.element as z.ZodType;
    return value.map((item, index) => prune(item, element, { path: `${path}[${index}]`, unknown }));
  }
  if (!isPlainObject(value)) return value;
  if (schema instanceof z.ZodRecord) {
    const member = schema.valueType as z.ZodType;
    return mapMembers(value, (key, item) => prune(item, member, { path: joinPath(path, key), unknown }));
  }
  if (!(schema instanceof z.ZodObject)) return value;
  const shape = schema.shape as Readonly<Record<string, z.ZodType>>;
  return mapMembers(value, (key, item) => {
    const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (known) return prune(item, known, { path: joinPath(path, key), unknown });
    unknown.push({ path: joinPath(path, key), nearest: nearestKey(key, Object.keys(shape)) });
    return undefined;
  });
}

/** A member for which `map` gives nothing is left out, like comments. */
function mapMembers(
  value: Record<string, unknown>,
  map: (key: string, item: unknown) => unknown,
): Record<string, unknown> {
  const kept: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (key.startsWith("_")) continue;
    const mapped = map(key, item);
    if (mapped !== undefined) kept.push([key, mapped]);
  }
  return Object.fromEntries(kept);
}

/** `key` appended to a JSON path, quoted where it is no plain word. */
export function joinPath(path: string, key: string | number): string {
  if (typeof key === "number") return `${path}[${key}]`;
  const plain = /^[\w-]+$/.test(key);
  if (!plain) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
