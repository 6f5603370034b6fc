/** Cuts text into lines. */

/** A transform from pieces of text to lines without their LF or CRLF; a last line without one counts too. */
export class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(piece, controller) {
        const lines = (rest + piece).split(/\r?\n/);
        rest = lines.pop() ?? "";
        lines.forEach((line) => controller.enqueue(line));
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
