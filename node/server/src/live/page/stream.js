// The connection to the server: server-sent events, read with fetch so that a refusal can be shown.

/** A server that has said nothing for so long is lost; it says something each second. */
const SILENCE_MS = 5000;
const RETRY_MS = [300, 700, 1500, 3000];
/** A line longer than this comes from no herd. */
const LINE_LENGTH_MAX = 4_000_000;

export class Stream {
  /**
   * `handlers.event(name, data, isFirst)` gets each event, `handlers.state(state)` each change:
   * `{ name: "connecting" | "live" | "lost" | "refused", why, retryAt }`.
   */
  constructor(handlers) {
    this.handlers = handlers;
    this.attempt = 0;
    this.current = null;
    this.timer = 0;
    this.wasLive = false;
  }

  /** Asks for this from now on. */
  ask(query) {
    this.query = query;
    this.connect();
  }

  close() {
    clearTimeout(this.timer);
    this.current?.abort();
    this.current = null;
  }

  connect() {
    this.close();
    if (!this.wasLive) this.handlers.state({ name: "connecting" });
    const abort = new AbortController();
    this.current = abort;
    let failure = { name: "lost", why: "it does not answer" };
    this.read(abort)
      .catch((error) => {
        if (error instanceof Refused) failure = { name: "refused", why: error.message };
      })
      .then(() => {
        // Aborted for another question: that one goes on.
        if (this.current !== abort) return;
        this.current = null;
        this.wasLive = false;
        const wait = failure.name === "refused" ? 10_000 : RETRY_MS[Math.min(this.attempt, RETRY_MS.length - 1)];
        this.attempt += 1;
        // Many pages that lost one server do not come back at once.
        const pause = wait * (0.75 + Math.random() / 2);
        this.handlers.state({ ...failure, retryAt: Date.now() + pause });
        this.timer = setTimeout(() => this.connect(), pause);
      });
  }

  async read(abort) {
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    heard();
    try {
      const response = await fetch(`./live/events?${this.query}`, { signal: abort.signal, cache: "no-store" });
      if (response.status === 503 || response.status === 403) throw new Refused((await response.text()).trim());
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new Parser();
      for (;;) {
        const { value, done } = await reader.read();
        if (done || this.current !== abort) return;
        heard();
        for (const { name, data } of parser.take(value)) {
          if (!this.wasLive) {
            this.wasLive = true;
            this.handlers.state({ name: "live" });
          }
          this.attempt = 0;
          this.handlers.event(name, JSON.parse(data));
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }
}

class Refused extends Error {}

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
