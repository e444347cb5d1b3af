// The page's stream of events, which comes back by itself when it was lost.

import { readEvents, Refused } from "./sse.js";

const RETRY_MS = [300, 700, 1500, 3000];
const REFUSED_RETRY_MS = 10_000;

export class Stream {
  /**
   * `handlers.event(name, data)` gets each event, `handlers.state(state)` each change:
   * `{ name: "connecting" | "live" | "lost" | "refused", why, retryAt }`. A server that says nothing for `silenceMs`
   * is lost.
   */
  constructor(handlers, silenceMs) {
    this.handlers = handlers;
    this.silenceMs = silenceMs;
    this.attempt = 0;
    this.current = null;
    this.timer = 0;
    this.wasLive = false;
  }

  /** Asks for this address from now on. */
  ask(address) {
    this.address = address;
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
        const wait = failure.name === "refused"
          ? REFUSED_RETRY_MS : RETRY_MS[Math.min(this.attempt, RETRY_MS.length - 1)];
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
      silence = setTimeout(() => abort.abort(), this.silenceMs);
    };
    const take = (name, data) => {
      if (this.current !== abort) return;
      if (!this.wasLive) {
        this.wasLive = true;
        this.handlers.state({ name: "live" });
      }
      this.attempt = 0;
      this.handlers.event(name, data);
    };
    heard();
    try {
      await readEvents(this.address, abort.signal, { take, heard });
    } finally {
      clearTimeout(silence);
    }
  }
}
