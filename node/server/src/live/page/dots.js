// The layer of dots, circles and names: one canvas over the map, painted when something has changed.

import { ageOf } from "./ages.js";
import { colours, serverColour } from "./colours.js";
import { LabelPlacer } from "./labels.js";
import { eastOf, southOf } from "./mercator.js";
import { grouped } from "./merging.js";

const TILE_PIXELS = 256;
const DOT_RADIUS = 5;
const HIT_PIXELS = 12;
/** A dot that moves glides for so long; of more than so many that move at once, none does. */
const GLIDE_MS = 250;
const GLIDING_MAX = 100;
/** Frames of glides are at least so far apart: 30 a second. */
const FRAME_MS = 33;
/** Ids are written beside up to so many dots. */
const LABELS_MAX = 60;
const NAMES_SHOWN_MAX = 45;
const SPRITES_MAX = 600;
const WIDTHS_MAX = 2000;

const CanvasLayer = L.Renderer.extend({
  options: { padding: 0.15, pane: "overlayPane" },

  _initContainer() {
    this._container = L.DomUtil.create("canvas", "dots");
    this.context = this._container.getContext("2d");
  },

  _destroyContainer() {
    this._container.remove();
  },

  _update() {
    if (this._map._animatingZoom && this._bounds) return;
    L.Renderer.prototype._update.call(this);
    const size = this._bounds.getSize();
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    L.DomUtil.setPosition(this._container, this._bounds.min);
    const [width, height] = [Math.round(size.x * this.ratio), Math.round(size.y * this.ratio)];
    if (this._container.width !== width) this._container.width = width;
    if (this._container.height !== height) this._container.height = height;
    this._container.style.width = `${size.x}px`;
    this._container.style.height = `${size.y}px`;
    this.size = size;
    this.fire("moved");
  },
});

export class Dots {
  /** `scene` says what is to be drawn besides: `{ nowS, isStale(server), mode, serverCount }`; `panels` lie over it. */
  constructor(map, scene, panels) {
    this.map = map;
    this.scene = scene;
    this.panels = panels;
    this.dots = new Map();
    this.groups = [];
    this.names = [];
    this.chosen = null;
    this.places = [];
    this.sprites = new Map();
    this.widths = new Map();
    this.frame = 0;
    this.lastPaint = 0;
    this.gliding = 0;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.layer = new CanvasLayer();
    this.layer.on("moved", () => this.paint());
    this.layer.addTo(map);
  }

  /** Takes in an event of the stream. */
  take({ whole, added, moved, gone }) {
    const now = performance.now();
    if (whole) {
      const known = new Set(added.map(([key]) => key));
      for (const key of this.dots.keys()) if (!known.has(key)) this.dots.delete(key);
    }
    for (const key of gone) this.dots.delete(key);
    const glides = moved.length <= GLIDING_MAX && !whole && !this.calm.matches;
    for (const [key, latitude, longitude, count, server, timeS, label] of [...added, ...moved]) {
      const known = this.dots.get(key);
      const dot = {
        key, latitude, longitude, count, server, timeS, label: label ?? known?.label ?? "",
        east: eastOf(longitude), south: southOf(latitude), since: 0, from: null,
      };
      if (glides && known && (known.east !== dot.east || known.south !== dot.south)) {
        dot.from = this.positionOf(known, now);
        dot.since = now;
      }
      this.dots.set(key, dot);
    }
    this.paintSoon();
  }

  /** Points around all that there is, at a zoom: a circle stands for a square of 64 pixels. */
  corners(zoom) {
    const half = (0.75 * 360) / 2 ** (zoom + 2);
    return [...this.dots.values()].flatMap((dot) => {
      if (dot.count === 1) return [dot];
      const { latitude, longitude } = dot;
      const corner = (sign) => ({ latitude: latitude + sign * half, longitude: longitude + sign * half });
      return [corner(-1), corner(1)];
    });
  }

  setChosen(chosen, places) {
    this.chosen = chosen && { ...chosen, east: eastOf(chosen.longitude), south: southOf(chosen.latitude) };
    this.places = places;
    this.paintSoon();
  }

  setNames(names) {
    this.names = names.map((name) => ({ ...name, east: eastOf(name.longitude), south: southOf(name.latitude) }));
    this.paintSoon();
  }

  coloursChanged() {
    this.sprites.clear();
    this.paintSoon();
  }

  paintSoon() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.frameCame());
  }

  frameCame() {
    this.frame = 0;
    // A glide does not need every frame.
    if (this.gliding > 0 && performance.now() - this.lastPaint < FRAME_MS - 4) this.paintSoon();
    else this.paint();
  }

  positionOf(dot, now) {
    const part = (now - dot.since) / GLIDE_MS;
    if (!dot.from || part >= 1) return dot;
    const eased = 1 - (1 - part) ** 3;
    const across = dot.east - dot.from.east;
    // The short way around the world.
    const shortest = across > 0.5 ? across - 1 : across < -0.5 ? across + 1 : across;
    return { east: dot.from.east + shortest * eased, south: dot.from.south + (dot.south - dot.from.south) * eased };
  }

  /** Gives the pixel of the canvas for a point of the world; of its copies the one nearest to the middle. */
  placer() {
    const { map, layer } = this;
    const scale = TILE_PIXELS * 2 ** map.getZoom();
    const origin = map.getPixelOrigin().add(layer._bounds.min);
    const middle = (origin.x + layer.size.x / 2) / scale;
    return (east, south) => [(east + Math.round(middle - east)) * scale - origin.x, south * scale - origin.y];
  }

  paint() {
    const { layer } = this;
    if (!layer._map || !layer.size || this.map._animatingZoom) return;
    const now = performance.now();
    this.lastPaint = now;
    const { context, size, ratio } = layer;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.x, size.y);
    const place = this.placer();
    this.gliding = 0;
    const placed = [];
    for (const dot of this.dots.values()) {
      const at = this.positionOf(dot, now);
      if (at === dot) dot.from = null;
      else this.gliding += 1;
      const [x, y] = place(at.east, at.south);
      if (x > -20 && y > -20 && x < size.x + 20 && y < size.y + 20) placed.push({ dot, x, y });
    }
    this.groups = grouped(placed);
    this.paintAll(place);
    this.map.fire("painted");
    if (this.gliding > 0) this.paintSoon();
  }

  paintAll(place) {
    const { context, size } = this.layer;
    const labels = new LabelPlacer(size.x, size.y, (text) => this.widthOf(text));
    this.keepOffPanels(labels);
    context.font = `12px ${colours().font}`;
    for (const group of this.groups) {
      const radius = this.radiusOf(group) + 1;
      labels.occupy(group.x, group.y, radius, radius);
    }
    context.textBaseline = "middle";
    context.lineJoin = "round";
    this.paintPlaces(place, labels);
    this.paintSingles();
    for (const group of this.groups) if (group.count > 1) this.paintCircle(group);
    this.paintChosen(place, labels);
    this.paintIds(labels);
    this.paintNames(place, labels);
  }

  /** Measured once: that takes longer than a look into a table. */
  widthOf(text) {
    if (!this.widths.has(text)) {
      if (this.widths.size >= WIDTHS_MAX) this.widths.clear();
      this.widths.set(text, this.layer.context.measureText(text).width);
    }
    return this.widths.get(text);
  }

  /** No text stands below what lies over the map. */
  keepOffPanels(labels) {
    const offset = this.map.containerPointToLayerPoint([0, 0]).subtract(this.layer._bounds.min);
    const own = this.map.getContainer().getBoundingClientRect();
    for (const panel of this.panels) {
      const { left, top, width, height } = panel.getBoundingClientRect();
      const [x, y] = [left - own.left + offset.x + width / 2, top - own.top + offset.y + height / 2];
      if (width > 0) labels.occupy(x, y, width / 2 + 4, height / 2 + 4);
    }
  }

  radiusOf({ count }) {
    return count === 1 ? DOT_RADIUS : Math.min(19, 9.5 + 2.2 * Math.log10(count) + (count > 99 ? 1.5 : 0));
  }

  /** The look of a group: a colour, and whether it is hollow, since it is old or may be. */
  lookOf({ timeS, server, count }) {
    const { nowS, isStale, mode, serverCount } = this.scene();
    if (isStale(server)) return { colour: colours().quiet, hollow: true };
    const age = ageOf(timeS, nowS).name;
    if (mode === "age") return { colour: colours()[age], hollow: age === "old" };
    const colour = server === null || (count > 1 && server === undefined)
      ? colours().quiet : serverColour(server, serverCount);
    return { colour, hollow: age === "old" };
  }

  /** All dots of a look in one step: that is much cheaper than one by one. */
  paintSingles() {
    const { context } = this.layer;
    const byLook = new Map();
    for (const group of this.groups) {
      if (group.count > 1) continue;
      const { colour, hollow } = this.lookOf(group);
      const key = `${colour}|${hollow}`;
      if (byLook.has(key)) byLook.get(key).groups.push(group);
      else byLook.set(key, { colour, hollow, groups: [group] });
    }
    for (const { colour, hollow, groups } of byLook.values()) {
      context.beginPath();
      for (const { x, y } of groups) {
        context.moveTo(x + DOT_RADIUS, y);
        context.arc(x, y, DOT_RADIUS, 0, 2 * Math.PI);
      }
      context.fillStyle = hollow ? colours().halo : colour;
      context.fill();
      context.lineWidth = hollow ? 2 : 1.25;
      context.strokeStyle = hollow ? colour : colours().halo;
      context.stroke();
    }
  }

  paintCircle(group) {
    const { colour, hollow } = this.lookOf(group);
    const radius = this.radiusOf(group);
    const sprite = this.spriteOf(shortCount(group.count), radius, colour, hollow);
    const half = radius + 2;
    this.layer.context.drawImage(sprite, group.x - half, group.y - half, 2 * half, 2 * half);
  }

  spriteOf(text, radius, colour, hollow) {
    const { ratio } = this.layer;
    const key = `${text}|${radius}|${colour}|${hollow}|${ratio}`;
    if (this.sprites.has(key)) return this.sprites.get(key);
    if (this.sprites.size >= SPRITES_MAX) this.sprites.clear();
    const sprite = document.createElement("canvas");
    const half = radius + 2;
    sprite.width = sprite.height = Math.ceil(2 * half * ratio);
    const context = sprite.getContext("2d");
    context.scale(ratio, ratio);
    context.beginPath();
    context.arc(half, half, radius, 0, 2 * Math.PI);
    context.fillStyle = hollow ? colours().halo : colour;
    context.fill();
    context.lineWidth = 1.75;
    context.strokeStyle = hollow ? colour : colours().halo;
    context.stroke();
    context.font = `600 ${text.length > 3 ? 10 : 11}px ${colours().font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillStyle = hollow ? colours().ink : colours().halo;
    context.fillText(text, half, half + 0.5);
    this.sprites.set(key, sprite);
    return sprite;
  }

  paintText(text, { x, y }, colour) {
    const { context } = this.layer;
    context.lineWidth = 3;
    context.strokeStyle = colours().halo;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  paintIds(labels) {
    const alone = this.groups.filter((group) => group.count === 1);
    if (alone.length > LABELS_MAX) return;
    for (const { x, y, dots: [dot] } of alone) {
      if (dot.key === this.chosen?.key) continue;
      const spot = labels.place(dot.label, x, y, 9);
      if (spot) this.paintText(dot.label, spot, colours().ink);
    }
  }

  paintNames(place, labels) {
    let shown = 0;
    for (const { name, east, south } of this.names) {
      if (shown >= NAMES_SHOWN_MAX) return;
      const [x, y] = place(east, south);
      const spot = labels.place(name, x, y, 5);
      if (!spot) continue;
      shown += 1;
      const { context } = this.layer;
      context.beginPath();
      context.arc(x, y, 1.6, 0, 2 * Math.PI);
      context.fillStyle = colours().quiet;
      context.fill();
      this.paintText(name, spot, colours().quiet);
    }
  }

  paintPlaces(place, labels) {
    const { context } = this.layer;
    for (const { latitude, longitude } of this.places) {
      const [x, y] = place(eastOf(longitude), southOf(latitude));
      context.beginPath();
      context.rect(x - 2.5, y - 2.5, 5, 5);
      context.lineWidth = 1.25;
      context.strokeStyle = colours().quiet;
      context.stroke();
      labels.occupy(x, y, 3, 3);
    }
  }

  /** The chosen client is a dot of its own, whatever it is counted with. */
  paintChosen(place, labels) {
    if (!this.chosen) return;
    const { context } = this.layer;
    const dot = this.dots.get(this.chosen.key);
    const at = dot ? this.positionOf(dot, this.lastPaint) : this.chosen;
    const [x, y] = place(at.east, at.south);
    const { colour, hollow } = this.lookOf({ ...this.chosen, count: 1 });
    context.beginPath();
    context.arc(x, y, DOT_RADIUS + 1, 0, 2 * Math.PI);
    context.fillStyle = hollow ? colours().halo : colour;
    context.fill();
    context.lineWidth = hollow ? 2 : 1.5;
    context.strokeStyle = hollow ? colour : colours().halo;
    context.stroke();
    context.beginPath();
    context.arc(x, y, DOT_RADIUS + 6, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = colours().accent;
    context.stroke();
    labels.occupy(x, y, DOT_RADIUS + 7, DOT_RADIUS + 7);
    const spot = labels.place(this.chosen.label, x, y, DOT_RADIUS + 16);
    if (spot) this.paintText(this.chosen.label, spot, colours().ink);
    // Tests and other tools see where it is drawn.
    const { x: left, y: top } = this.layer._bounds.min;
    const { x: chosenX, y: chosenY } = this.map.layerPointToContainerPoint([left + x, top + y]);
    Object.assign(this.map.getContainer().dataset, { chosenX: chosenX.toFixed(1), chosenY: chosenY.toFixed(1) });
  }

  /** The group at a point of the map's box, if there is one. */
  groupAt({ x, y }) {
    const at = this.map.containerPointToLayerPoint([x, y]).subtract(this.layer._bounds.min);
    let [nearest, best] = [null, HIT_PIXELS];
    for (const group of this.groups) {
      const away = Math.hypot(group.x - at.x, group.y - at.y) - this.radiusOf(group);
      if (away < best) [nearest, best] = [group, away];
    }
    return nearest;
  }

  /** The groups that the map shows, without those beyond its edges. */
  inView() {
    const { x: left, y: top } = this.map.containerPointToLayerPoint([0, 0]).subtract(this.layer._bounds.min);
    const { x: width, y: height } = this.map.getSize();
    const isSeen = ({ x, y }) => x >= left && y >= top && x <= left + width && y <= top + height;
    return this.groups.filter(isSeen);
  }
}

/** At most four characters. */
function shortCount(count) {
  if (count < 1000) return String(count);
  const [size, unit] = count < 1e6 ? [1e3, "k"] : [1e6, "M"];
  const number = count / size;
  return `${number < 9.95 ? number.toFixed(1) : Math.round(number)}${unit}`;
}
