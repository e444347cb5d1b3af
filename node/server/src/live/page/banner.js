// The state of the connection, and of the server's own connections, in words.

import { ago } from "./text.js";

const SHORT = { connecting: "Connecting", live: "Live", lost: "Lost", refused: "No room" };

export class Banner {
  constructor({ root, state, banner, title, text }) {
    Object.assign(this, { root, state, banner, title, text });
    this.connection = { name: "connecting" };
    this.server = "";
    this.cutOff = null;
    this.lastHeard = Date.now();
    setInterval(() => this.say(), 1000);
    this.say();
  }

  connectionIs(connection) {
    this.connection = connection;
    this.say();
  }

  /** `cutOff` is a sentence, or nothing. */
  cutOffIs(cutOff) {
    this.cutOff = cutOff;
    this.say();
  }

  /** In words, at once and then each second. */
  say() {
    const { name, why, retryAt } = this.connection;
    const isCutOff = name === "live" && this.cutOff !== null;
    this.root.dataset.connection = name;
    this.root.dataset.cutOff = String(isCutOff);
    set(this.state, isCutOff ? "Cut off" : SHORT[name]);
    const words = isCutOff ? this.cutOffWords() : this.lostWords(name, why, retryAt);
    this.banner.hidden = words === null;
    if (words === null) return;
    set(this.title, words[0]);
    set(this.text, words[1]);
  }

  cutOffWords() {
    const rest = `${this.server} goes on taking reports. What other servers hear meanwhile is not shown: grey clients may be `
      + "elsewhere by now.";
    return [this.cutOff, rest];
  }

  lostWords(name, why, retryAt) {
    if (name !== "lost" && name !== "refused") return null;
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const trying = seconds === 0 ? "Trying again now." : `Trying again in ${seconds} s.`;
    if (name === "refused") return ["This server does not show its page.", `${why} ${trying}`];
    const view = this.server ? `This view is from ${ago(Date.now() - this.lastHeard)}. ` : "";
    return [`Lost ${this.server || "the server"}: ${why}.`, view + trying];
  }
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
