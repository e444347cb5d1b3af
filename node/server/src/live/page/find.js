// Finding a client by the beginning of its id: a field with a list, as ARIA's pattern for comboboxes has it.

import { base64url, element } from "./text.js";

const PAUSE_MS = 120;
// Others search: the server says so, and the question is asked again.
const AGAIN_MS = 1_000;

export class Find {
  /** `onFound(id, label)` gets the id in base64url. */
  constructor({ form, field, list }, onFound) {
    Object.assign(this, { form, field, list, onFound });
    this.found = [];
    this.active = -1;
    this.timer = 0;
    this.abort = null;
    field.addEventListener("input", () => this.askSoon());
    field.addEventListener("keydown", (event) => this.press(event));
    field.addEventListener("blur", () => this.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.take();
    });
  }

  askSoon(pauseMs = PAUSE_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pauseMs);
  }

  async ask() {
    this.abort?.abort();
    const text = this.field.value.trim();
    if (!text) return this.close();
    this.abort = new AbortController();
    try {
      const address = `./live/find?begins=${encodeURIComponent(text)}`;
      const response = await fetch(address, { signal: this.abort.signal });
      if (response.status === 503) this.askSoon(AGAIN_MS);
      if (!response.ok) return;
      this.show(await response.json());
    } catch {
      // Another letter was typed, or the server is lost, which the page says elsewhere.
    }
  }

  show(found) {
    if (document.activeElement !== this.field) return;
    this.found = found;
    this.active = -1;
    const rows = found.map(({ id, label }, place) => {
      const row = element("li", { role: "option", id: `found-${place}`, "aria-selected": "false" }, label);
      // Before the field loses the focus, which closes the list.
      row.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.choose(id, label);
      });
      return row;
    });
    if (rows.length === 0) rows.push(element("li", { class: "quiet" }, "No id begins so."));
    this.list.replaceChildren(...rows);
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
  }

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.found = [];
    this.active = -1;
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  press(event) {
    if (event.key === "Escape") return this.close();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || this.found.length === 0) return;
    event.preventDefault();
    const length = this.found.length;
    this.active = this.active < 0 && step < 0 ? length - 1 : (this.active + step + length) % length;
    [...this.list.children].forEach((row, place) => {
      row.setAttribute("aria-selected", String(place === this.active));
    });
    this.field.setAttribute("aria-activedescendant", `found-${this.active}`);
  }

  /** The one that is marked, or else the one whose id was typed whole, or the only one. */
  take() {
    const text = this.field.value.trim();
    if (!text) return;
    const marked = this.found[this.active] ?? (this.found.length === 1 ? this.found[0] : null);
    const whole = this.found.find(({ label }) => label === text);
    const { id, label } = whole ?? marked ?? { id: base64url(text), label: text };
    this.choose(id, label);
  }

  choose(id, label) {
    this.field.value = "";
    this.close();
    this.onFound(id, label);
  }
}
