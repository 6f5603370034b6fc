/** What the user's browser shows when it comes back from the provider. */

import { html } from "hono/html";

/** A page with one message; texts are escaped. */
export function callbackPage({ title, text }: { readonly title: string; readonly text: string }) {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${title}</title>
        <style>
          body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto; padding: 0 1rem }
          :root { color-scheme: light dark }
        </style>
      </head>
      <body>
        <h1>${title}</h1>
        <p>${text}</p>
      </body>
    </html>
  `;
}
