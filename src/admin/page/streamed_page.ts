/** Pages that grow while something happens: the browser shows each part as it comes, without any script. */

import type { Context } from "hono";
import { raw } from "hono/html";
import { stream } from "hono/streaming";
import { documentText, type Markup, markupText } from "./layout.tsx";

const mark = "<!--growing-->";

/** Stands in the page where the parts go; no text can be taken for it, since texts are escaped. */
export const growingPlace = raw(mark);

/** Adds a part to the page; once the viewer has left, nothing happens. */
export type Grow = (part: Markup) => Promise<void>;

/** What a page that grows is made of. */
export interface StreamedPageOptions {
  /** The page, with `growingPlace` in it. */
  readonly page: Markup;
  /** Told with a part that says what went wrong. */
  readonly failure: (error: Error) => Promise<Markup>;
}

/** Answers with a page to which `work` adds. Its signal aborts when the viewer leaves. */
export function streamPage(
  c: Context,
  { page, failure }: StreamedPageOptions,
  work: (grow: Grow, signal: AbortSignal) => Promise<void>,
): Response {
  c.header("content-type", "text/html; charset=utf-8");
  return stream(c, async (writer) => {
    const left = new AbortController();
    writer.onAbort(() => left.abort());
    const grow: Grow = async (part) => void await writer.write(await markupText(part));
    const [head = "", tail = ""] = (await documentText(page)).split(mark);
    await writer.write(head);
    try {
      await work(grow, left.signal);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // Also when the viewer has left: it is where the unexpected comes into the log.
      await grow(await failure(error));
    }
    await writer.write(tail);
  });
}
