/** The ground that every route file stands on: the same answer to a body that has faults. */

import { OpenAPIHono, z } from "@hono/zod-openapi";
import { onePerField, schemaFaults } from "./account_faults.ts";
import { problemBody, type ProblemDetail } from "./request_problem.ts";

/** Who may call a route; `[]` is everybody. */
export const withToken: Record<string, string[]>[] = [{ bearer: [] }];

/** What an app can add to the faults of a schema. */
export interface ApiAppOptions {
  /** Finds what the schema can't see in a body that doesn't fit it; what fits is the route's to check. */
  readonly moreFaults?: (body: unknown) => readonly ProblemDetail[];
  /** Finds keys that the schema lets pass, and that are faults in any body. */
  readonly keyFaults?: (body: unknown) => readonly ProblemDetail[];
}

/** An app for the routes of one resource. */
export function createApiApp(
  { moreFaults = () => [], keyFaults = () => [] }: ApiAppOptions = {},
): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: async (result, context) => {
      const body: unknown = result.target === "json" ? await context.req.json() : undefined;
      const misfits = result.success ? [] : [...schemaFaults(result.error.issues, body), ...moreFaults(body)];
      const faults = onePerField([...misfits, ...keyFaults(body)]);
      return faults.length === 0
        ? undefined
        : context.json(problemBody("The request has faults", faults), 400);
    },
  });
}

/** The path parameter of one account. */
export const emailParameter = z.object({
  email: z.string().min(1).openapi({ param: { name: "email", in: "path" }, example: "sales@example.com" }),
});

/** An answer in JSON, as `createRoute` wants it. */
export function jsonAnswer<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { "application/json": { schema } } };
}

/** A body in JSON that has to be there. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } };
}
