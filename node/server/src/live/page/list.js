// The clients in view as a table: for the keyboard, for people who do not see the map, and for sorting.

import { ageOf } from "./ages.js";
import { age, count, distance, element, metresBetween, plural } from "./text.js";

const ROWS_MAX = 100;

const ORDERS = {
  label: (a, b) => a.label.localeCompare(b.label, "en", { numeric: true }),
  age: (a, b) => b.timeS - a.timeS,
  away: (a, b) => a.away - b.away,
};

export class ClientList {
  /** `parts` are elements; `headers` are buttons with `data-order`. */
  constructor({ body, headers, note, summary }, { onChoose, onZoom }) {
    Object.assign(this, { body, headers, note, summary, onChoose, onZoom });
    this.order = "away";
    this.isDescending = false;
    this.rows = new Map();
    for (const header of headers) {
      header.addEventListener("click", () => {
        this.isDescending = this.order === header.dataset.order && !this.isDescending;
        this.order = header.dataset.order;
        this.draw();
      });
    }
  }

  /** Groups of the map, the point that distances are from, the server's time, and the chosen dot's key. */
  show(groups, from, nowS, chosenKey) {
    Object.assign(this, { groups, from, nowS, chosenKey });
    this.draw();
  }

  draw() {
    if (!this.groups) return;
    const alone = [];
    let [inCircles, all] = [0, 0];
    for (const { dots } of this.groups) {
      for (const dot of dots) {
        all += dot.count;
        if (dot.count > 1) inCircles += dot.count;
        else alone.push({ ...dot, away: metresBetween(this.from, dot) });
      }
    }
    const compare = ORDERS[this.order];
    alone.sort((a, b) => (this.isDescending ? compare(b, a) : compare(a, b)) || (a.key < b.key ? -1 : 1));
    const shown = alone.slice(0, ROWS_MAX);
    this.summary.textContent = `Clients in view: ${count(all)}`;
    const left = [];
    if (alone.length > shown.length) left.push(`The first ${ROWS_MAX} of ${count(alone.length)}.`);
    if (inCircles > 0) left.push(`${plural(inCircles, "client is", "clients are")} in circles: zoom in to list them.`);
    if (all === 0) left.push("No client is in this part of the world.");
    this.note.textContent = left.join(" ");
    for (const header of this.headers) {
      const isOrder = header.dataset.order === this.order;
      const sort = isOrder ? (this.isDescending ? "descending" : "ascending") : "none";
      header.closest("th").setAttribute("aria-sort", sort);
    }
    this.place(shown);
  }

  /** Rows are kept by their client, so that one with the focus, or under a click, stays. */
  place(shown) {
    const keys = new Set(shown.map((dot) => dot.key));
    for (const [key, row] of this.rows) {
      if (keys.has(key)) continue;
      row.remove();
      this.rows.delete(key);
    }
    shown.forEach((dot, at) => {
      const row = this.rowOf(dot);
      if (this.body.children[at] !== row) this.body.insertBefore(row, this.body.children[at] ?? null);
    });
  }

  rowOf(dot) {
    let row = this.rows.get(dot.key);
    if (!row) {
      const button = element("button", { type: "button", class: "name", "data-key": dot.key }, dot.label);
      button.addEventListener("click", () => this.onChoose(row.dot));
      const cells = [element("td", { class: "number" }), element("td", { class: "number" })];
      row = element("tr", {}, element("th", { scope: "row" }, button), ...cells);
      this.rows.set(dot.key, row);
    }
    row.dot = dot;
    const seconds = this.nowS - dot.timeS;
    const [ageCell, awayCell] = [row.children[1], row.children[2]];
    setText(ageCell, age(Math.max(0, seconds)));
    ageCell.dataset.age = ageOf(dot.timeS, this.nowS).name;
    setText(awayCell, distance(dot.away));
    row.setAttribute("aria-current", String(dot.key === this.chosenKey));
    return row;
  }
}

function setText(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}
