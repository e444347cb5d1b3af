// The map: a canvas with the world below and a dot for each client, or for the clients of a cell.

import { View } from "./projection.js";
import { drawWorld, loadWorld } from "./world.js";

const GLIDE_MS = 280;
const PULSE_MS = 900;
/** Labels are drawn up to this many dots in view. */
const LABELS_MAX = 24;
const HIT_PIXELS = 14;

export class WorldMap {
  /** `onView` is called when another part of the world is shown. */
  constructor(canvas, { onView }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.base = document.createElement("canvas");
    this.baseContext = this.base.getContext("2d");
    this.view = new View();
    this.dots = new Map();
    this.places = [];
    this.chosen = null;
    this.onView = onView;
    this.world = null;
    this.baseIsStale = true;
    this.frame = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.readColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.readColours();
      this.redraw();
    });
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  async load() {
    this.world = await loadWorld();
    this.redraw();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.colours = Object.fromEntries(
      ["sea", "land", "coast", "border", "grid", "ink", "halo", "quiet", "accent"].map((name) => [name, colour(name)]),
    );
    this.serverColours = Array.from({ length: 8 }, (_, place) => colour(`server-${place}`));
    this.font = `12px ${style.getPropertyValue("--font")}`;
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    for (const canvas of [this.canvas, this.base]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    this.view.resize(width, height);
    this.viewChanged();
  }

  /** To be called after each change of `view`. */
  viewChanged() {
    this.redraw();
    this.onView(this.view);
  }

  redraw() {
    this.baseIsStale = true;
    this.paintSoon();
  }

  paintSoon() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
  }

  /** Takes in an event; the first of a stream says all that there is. */
  take({ added, moved, gone }, isFirst) {
    const now = performance.now();
    if (isFirst) {
      const known = new Set(added.map(([key]) => key));
      for (const key of this.dots.keys()) if (!known.has(key)) this.dots.delete(key);
    }
    for (const key of gone) this.dots.delete(key);
    for (const dot of [...added, ...moved]) {
      const [key, latitude, longitude, count, server, label] = dot;
      const known = this.dots.get(key);
      const next = { key, latitude, longitude, count, server, label: label ?? known?.label ?? "", since: -Infinity };
      if (known && (known.latitude !== latitude || known.longitude !== longitude)) {
        const at = this.positionOf(known, now);
        next.from = at;
        next.since = now;
      } else if (known) {
        [next.from, next.since] = [known.from, known.since];
      }
      this.dots.set(key, next);
    }
    this.paintSoon();
  }

  clear() {
    this.dots.clear();
    this.paintSoon();
  }

  /** Where a dot is drawn, which may be on its way to where it is. */
  positionOf(dot, now) {
    const part = (now - dot.since) / GLIDE_MS;
    if (part >= 1 || this.calm.matches || !dot.from) return dot;
    const eased = 1 - (1 - part) ** 3;
    const across = dot.longitude - dot.from.longitude;
    // The short way around the world.
    const shortest = across > 180 ? across - 360 : across < -180 ? across + 360 : across;
    return {
      latitude: dot.from.latitude + (dot.latitude - dot.from.latitude) * eased,
      longitude: dot.from.longitude + shortest * eased,
    };
  }

  paint() {
    this.frame = 0;
    const { context, view, ratio } = this;
    if (this.baseIsStale) {
      this.baseIsStale = false;
      this.baseContext.setTransform(ratio, 0, 0, ratio, 0, 0);
      drawWorld(this.baseContext, view, this.world, this.colours);
    }
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.base, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.paintPlaces();
    const now = performance.now();
    let moving = false;
    const inView = [];
    for (const dot of this.dots.values()) {
      const { latitude, longitude } = this.positionOf(dot, now);
      const [x, y] = view.place(latitude, longitude);
      moving ||= now - dot.since < PULSE_MS;
      if (x < -20 || y < -20 || x > view.width + 20 || y > view.height + 20) continue;
      inView.push({ dot, x, y });
    }
    for (const { dot, x, y } of inView) this.paintDot(dot, x, y, now);
    const chosen = this.chosen && inView.find((one) => this.isChosen(one));
    if (inView.length <= LABELS_MAX) this.paintLabels(inView, chosen);
    if (this.chosen) this.paintChosen(chosen);
    if (moving && !this.calm.matches) this.paintSoon();
  }

  radiusOf(dot) {
    return dot.count === 1 ? 4 : Math.min(13, 4 + 1.25 * Math.log2(dot.count));
  }

  paintDot(dot, x, y, now) {
    const { context } = this;
    const colour = this.serverColours[(dot.server ?? 0) % 8];
    const age = (now - dot.since) / PULSE_MS;
    if (age < 1 && !this.calm.matches) {
      context.globalAlpha = 0.35 * (1 - age);
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, this.radiusOf(dot) + 12 * age, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = dot.count === 1 ? 1 : 0.82;
    context.beginPath();
    context.arc(x, y, this.radiusOf(dot), 0, 2 * Math.PI);
    context.fillStyle = dot.server === null ? this.colours.quiet : colour;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.25;
    context.strokeStyle = this.colours.halo;
    context.stroke();
  }

  /** By its key, or, for one that was asked for by its id, by where it is. */
  isChosen({ dot }) {
    const { key, latitude, longitude } = this.chosen;
    if (key) return dot.key === key;
    return dot.count === 1 && Math.abs(dot.latitude - latitude) < 1e-6 && Math.abs(dot.longitude - longitude) < 1e-6;
  }

  paintLabels(inView, chosen) {
    for (const one of inView) {
      const gap = one === chosen ? 15 : 9;
      if (one.dot.count === 1) this.paintText(one.dot.label, one.x + gap, one.y, this.colours.ink);
    }
  }

  paintText(text, x, y, colour) {
    const { context } = this;
    context.font = this.font;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = this.colours.halo;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  paintChosen(inView) {
    const { context } = this;
    let at = inView;
    if (!at) {
      // Its dot stands for others, or is not sent: its record says where it is.
      const [x, y] = this.view.place(this.chosen.latitude, this.chosen.longitude);
      at = { x, y, dot: { count: 1 } };
    }
    context.beginPath();
    context.arc(at.x, at.y, this.radiusOf(at.dot) + 5, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = this.colours.accent;
    context.stroke();
    // Tests and other tools see where it is drawn.
    this.canvas.dataset.chosenX = at.x.toFixed(1);
    this.canvas.dataset.chosenY = at.y.toFixed(1);
  }

  paintPlaces() {
    const { context } = this;
    for (const { name, latitude, longitude } of this.places) {
      const [x, y] = this.view.place(latitude, longitude);
      context.beginPath();
      context.rect(x - 2.5, y - 2.5, 5, 5);
      context.lineWidth = 1.25;
      context.strokeStyle = this.colours.quiet;
      context.stroke();
      // Names only where they have room.
      if (this.view.scale > 12_000) this.paintText(name, x + 7, y, this.colours.quiet);
    }
  }

  /** `{ key, latitude, longitude }` or nothing, with the places near it. */
  setChosen(chosen, places) {
    this.chosen = chosen;
    this.places = places;
    if (!chosen) {
      delete this.canvas.dataset.chosenX;
      delete this.canvas.dataset.chosenY;
    }
    this.paintSoon();
  }

  /** The dot at a point of the canvas, if there is one. */
  dotAt(x, y) {
    let [nearest, best] = [null, Infinity];
    for (const dot of this.dots.values()) {
      const [dotX, dotY] = this.view.place(dot.latitude, dot.longitude);
      const away = Math.hypot(dotX - x, dotY - y) - this.radiusOf(dot);
      if (away < best) [nearest, best] = [dot, away];
    }
    return best <= HIT_PIXELS ? nearest : null;
  }

  /** The dots nearest to the middle. */
  nearestToMiddle(most) {
    const { width, height } = this.view;
    const placed = [];
    for (const dot of this.dots.values()) {
      const [x, y] = this.view.place(dot.latitude, dot.longitude);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      placed.push({ dot, away: Math.hypot(x - width / 2, y - height / 2) });
    }
    placed.sort((a, b) => a.away - b.away);
    return placed.slice(0, most).map(({ dot }) => dot);
  }
}
