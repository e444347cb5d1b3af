// Server-sent events, read with fetch so that a refusal can be shown.

/** A line longer than this comes from no herd. */
const LINE_LENGTH_MAX = 4_000_000;

/** A refusal of the server, with its words. */
export class Refused extends Error {}

/** Calls `take(name, data)` for each event, and `heard()` for each sign of life, until the server ends the answer. */
export async function readEvents(address, signal, { take, heard }) {
  const response = await fetch(address, { signal, cache: "no-store" });
  // A proxy answers 502 and 504 for a server that is gone: it may be back in a moment.
  if (response.status >= 400 && ![502, 504].includes(response.status)) throw new Refused(await wordsOf(response));
  if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new Parser();
  for (;;) {
    const { value, done } = await reader.read();
    if (done || signal.aborted) return;
    heard();
    for (const { name, data } of parser.take(value)) take(name, JSON.parse(data));
  }
}

/** The words of a refusal: plain text, or the `detail` of a problem in JSON. */
export async function wordsOf(response) {
  const text = (await response.text()).trim();
  if (!response.headers.get("content-type")?.includes("json")) return text;
  try {
    return JSON.parse(text).detail ?? text;
  } catch {
    return text;
  }
}

/** Makes events of text that comes in any pieces. */
class Parser {
  constructor() {
    this.rest = "";
    this.name = "";
    this.data = "";
  }

  take(text) {
    const events = [];
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    if (this.rest.length > LINE_LENGTH_MAX) throw new Error("an event without an end");
    for (const line of lines) {
      if (line.startsWith("event: ")) this.name = line.slice(7);
      else if (line.startsWith("data: ")) this.data += line.slice(6);
      else if (line === "" && this.data) {
        events.push({ name: this.name, data: this.data });
        this.name = "";
        this.data = "";
      }
    }
    return events;
  }
}
