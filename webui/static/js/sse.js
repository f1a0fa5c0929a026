// Server-sent events from a fetch body: any chunking gives the same events.

/** Splits text into the data of events; feed it whatever arrives. */
export class EventParser {
  #rest = "";
  /** @type {string[]} */
  #data = [];

  /** @param {string} text @returns {string[]} the data of each event that is now complete */
  push(text) {
    const source = this.#rest + text;
    // A CR at the very end may be half of a CRLF.
    const end = source.endsWith("\r") ? source.length - 1 : source.length;
    const lines = source.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + source.slice(end);
    const events = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
    return events;
  }
}

/** The events of `/api/chat` as objects. Stops early, without an error, where the body is cut: the caller misses `done`.
 * @param {ReadableStream<Uint8Array>} body @returns {AsyncGenerator<any>} */
export async function* chatEvents(body) {
  const parser = new EventParser();
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) return;
      for (const data of parser.push(value)) yield JSON.parse(data);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
