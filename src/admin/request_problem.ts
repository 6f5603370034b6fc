/** What the API answers when it can't do what it was asked, in one shape for every cause. */

import { z } from "@hono/zod-openapi";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Finding } from "../config/config_error.ts";

/** One thing that is wrong with a request. */
export const problemDetailSchema = z.object({
  path: z.string().openapi({ description: "Field of the body, or place in a file; empty for the whole" }),
  message: z.string(),
  hint: z.string().openapi({ description: "What to do about it" }),
}).openapi("ProblemDetail");

/** The body of every answer that is no success. */
export const problemSchema = z.object({
  success: z.literal(false),
  error: z.string().openapi({ description: "What is wrong, and the remedy where there is one" }),
  details: z.array(problemDetailSchema),
}).openapi("Problem");

/** See `problemDetailSchema`. */
export type ProblemDetail = z.infer<typeof problemDetailSchema>;

/** A request that is refused or failed for a reason that the client may know. */
export class RequestProblem extends Error {
  override readonly name = "RequestProblem";

  /** @param message For the client: no secret in it. */
  constructor(
    readonly status: ContentfulStatusCode,
    message: string,
    readonly details: readonly ProblemDetail[] = [],
  ) {
    super(message);
  }
}

/** The body for a problem. */
export function problemBody(
  error: string,
  details: readonly ProblemDetail[] = [],
): z.infer<typeof problemSchema> {
  return { success: false, error, details: [...details] };
}

/** Findings of a file or a record as details; the file's name stands before the path when it is worth telling. */
export function detailsOf(
  findings: readonly Partial<Finding>[],
  { withFile = false }: { readonly withFile?: boolean } = {},
): ProblemDetail[] {
  return findings.map(({ file, path = "", message = "", hint = "" }) => ({
    path: withFile && file ? [file, path].filter((part) => part !== "").join(": ") : path,
    message,
    hint,
  }));
}

/** The `responses` of a route for its problems. */
export function problemResponses(
  descriptions: Readonly<Record<number, string>>,
): Record<
  number,
  { description: string; content: { "application/json": { schema: typeof problemSchema } } }
> {
  const content = { "application/json": { schema: problemSchema } };
  return Object.fromEntries(
    Object.entries(descriptions).map(([status, description]) => [status, { description, content }]),
  );
}

/** What every call with a token can answer beside its own. */
export const commonProblems = problemResponses({
  401: "No token, or a wrong one",
  403: "The Host or Origin header is not one of this server's",
  503: "The daemon is stopping",
});
