/** The ground that every route file stands on: the same answer to a body that doesn't fit its schema. */

import { OpenAPIHono, z } from "@hono/zod-openapi";
import { schemaFaults } from "./account_faults.ts";
import { problemBody, type ProblemDetail } from "./request_problem.ts";

/** Who may call a route; `[]` is everybody. */
export const withToken: Record<string, string[]>[] = [{ bearer: [] }];

/** What an app can add to the faults of a schema. */
export interface ApiAppOptions {
  /** Finds what the schema can't see. */
  readonly moreFaults?: (body: unknown) => readonly ProblemDetail[];
}

/** An app for the routes of one resource. */
export function createApiApp({ moreFaults = () => [] }: ApiAppOptions = {}): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: async (result, context) => {
      if (result.success) return;
      const body: unknown = result.target === "json" ? await context.req.json() : undefined;
      const faults = [...schemaFaults(result.error.issues, body), ...moreFaults(body)];
      const unique = faults.filter(({ path }, index) =>
        faults.findIndex((other) => other.path === path) === index
      );
      return context.json(problemBody("The request has faults", unique), 400);
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
