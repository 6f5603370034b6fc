import project from "../deno.json" with { type: "json" };

/** Version of this program, such as `1.2.3`. */
export const versionNumber: string = project.version;
