// Figures over the last five minutes, one for each second.

import { duration, rate, svg } from "./text.js";

const KEPT = 300;
const [WIDTH, HEIGHT] = [320, 72];

export class Graphs {
  /** `parts` has, for `rate` and `way`, the elements `drawing`, `now` and `most`. */
  constructor(parts) {
    this.parts = parts;
    this.seconds = [];
  }

  take(seconds, isFirst) {
    if (isFirst) this.seconds = [];
    this.seconds.push(...seconds);
    this.seconds.splice(0, Math.max(0, this.seconds.length - KEPT));
    this.draw();
  }

  draw() {
    const last = this.seconds.at(-1);
    const rates = this.seconds.map((second) => second.rate);
    this.drawOne(this.parts.rate, [rates], last ? `${rate(last.rate)}` : "–", (most) => `most ${rate(most)} in a second`);
    const middle = this.seconds.map((second) => second.p50_ms);
    const slow = this.seconds.map((second) => second.p99_ms);
    const latest = [...middle].reverse().find((value) => value !== null);
    this.drawOne(
      this.parts.way,
      [slow, middle],
      latest === undefined ? "–" : duration(latest),
      (most) => `slowest hundredth at most ${duration(most)}`,
    );
  }

  drawOne({ drawing, now, most }, series, nowText, mostText) {
    now.textContent = nowText;
    const values = series.flat().filter((value) => value !== null);
    const highest = Math.max(0, ...values);
    most.textContent = highest > 0 ? mostText(highest) : "nothing in the last five minutes";
    const top = highest > 0 ? highest * 1.08 : 1;
    const x = (place, length) => WIDTH - ((length - 1 - place) * WIDTH) / (KEPT - 1);
    const y = (value) => HEIGHT - 1 - (value / top) * (HEIGHT - 4);
    const shapes = [];
    series.forEach((values, layer) => {
      let [line, start] = ["", null];
      const flush = (end) => {
        if (line === "") return;
        shapes.push(svg("path", { class: `area layer${layer}`, d: `M${start} ${HEIGHT}L${line.slice(1)}L${end} ${HEIGHT}Z` }));
        shapes.push(svg("path", { class: `line layer${layer}`, d: `M${line.slice(1)}` }));
        line = "";
      };
      let lastX = 0;
      values.forEach((value, place) => {
        const at = x(place, values.length).toFixed(1);
        if (value === null) return flush(lastX);
        if (line === "") start = at;
        line += `L${at} ${y(value).toFixed(1)}`;
        lastX = at;
      });
      flush(lastX);
    });
    drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    drawing.setAttribute("preserveAspectRatio", "none");
    drawing.replaceChildren(svg("line", { class: "floor", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }), ...shapes);
  }
}
