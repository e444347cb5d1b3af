// Land, lakes and borders: the file that tools/world makes, and how a square of the map is drawn from it.

import { eastOf, southOf } from "./mercator.js";

const MAGIC = 0x314d5748; // HWM1
const UNITS_PER_DEGREE = 100;
/** Points closer than this to the last one that was drawn are left out, in pixels. */
const STEP = 1.2;
/** How far beyond the edges of a square is drawn, as a part of the square. */
const MARGIN = 0.05;

export async function loadWorld() {
  const response = await fetch("./page/world.map");
  if (!response.ok) throw new Error(`the map of the world: ${response.status}`);
  return decode(await response.arrayBuffer());
}

function decode(buffer) {
  const bytes = new Uint8Array(buffer);
  if (new DataView(buffer).getUint32(0, true) !== MAGIC) throw new Error("not a map of the world");
  let at = 4;
  const number = () => {
    let [value, factor] = [0, 1];
    for (;;) {
      const byte = bytes[at];
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
  };
  const step = () => {
    const value = number();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  const line = () => {
    const length = number();
    const points = new Float32Array(2 * length);
    let [x, y] = [0, 0];
    const box = { west: Infinity, east: -Infinity, north: Infinity, south: -Infinity };
    for (let i = 0; i < length; i += 1) {
      x += step();
      y += step();
      const [east, south] = [eastOf(x / UNITS_PER_DEGREE), southOf(y / UNITS_PER_DEGREE)];
      points[2 * i] = east;
      points[2 * i + 1] = south;
      box.west = Math.min(box.west, east);
      box.east = Math.max(box.east, east);
      box.north = Math.min(box.north, south);
      box.south = Math.max(box.south, south);
    }
    return { points, box };
  };
  const layer = () => Array.from({ length: number() }, line);
  return { land: layer(), lakes: layer(), borders: layer() };
}

/** Draws the square of the world that is `x` squares east and `y` south at a zoom, `size` pixels wide. */
export function drawSquare(context, size, { x, y, z }, world, colours) {
  const parts = 2 ** z;
  const square = { west: x / parts, north: y / parts, scale: parts * size };
  const margin = MARGIN / parts;
  square.box = {
    west: square.west - margin,
    east: square.west + 1 / parts + margin,
    north: square.north - margin,
    south: square.north + 1 / parts + margin,
  };
  context.fillStyle = colours.sea;
  context.fillRect(0, 0, size, size);
  const fill = (lines, colour) => {
    context.beginPath();
    traceRings(context, square, lines);
    context.fillStyle = colour;
    context.fill("evenodd");
  };
  fill(world.land, colours.land);
  stroke(context, square, world.land, colours.coast, 0.8);
  fill(world.lakes, colours.sea);
  stroke(context, square, world.borders, colours.border, 1);
}

function stroke(context, square, lines, colour, width) {
  context.beginPath();
  for (const line of lines) if (isSeen(line.box, square)) traceLine(context, square, line.points);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}

function isSeen(box, { box: own, scale }) {
  const outside = box.east < own.west || box.west > own.east || box.south < own.north || box.north > own.south;
  return !outside && Math.max(box.east - box.west, box.south - box.north) * scale > 1.2;
}

function traceRings(context, square, lines) {
  for (const { points, box } of lines) {
    if (!isSeen(box, square)) continue;
    const { west, east, north, south } = square.box;
    const isInside = box.west >= west && box.east <= east && box.north >= north && box.south <= south;
    traceRing(context, square, isInside ? points : clipped(points, square.box));
  }
}

function traceRing(context, { west, north, scale }, points) {
  let [lastX, lastY] = [NaN, NaN];
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [(points[i] - west) * scale, (points[i + 1] - north) * scale];
    if (i === 0) context.moveTo(x, y);
    else if (Math.abs(x - lastX) + Math.abs(y - lastY) < STEP && i + 2 < points.length) continue;
    else context.lineTo(x, y);
    [lastX, lastY] = [x, y];
  }
  context.closePath();
}

/** The steps of a line that reach into the square; not those along the edge of the flat world, where there is no coast. */
function traceLine(context, { west, north, scale, box }, points) {
  let [lastX, lastY, isDown] = [NaN, NaN, false];
  for (let i = 2; i < points.length; i += 2) {
    const [fromEast, fromSouth, east, south] = [points[i - 2], points[i - 1], points[i], points[i + 1]];
    const outside = Math.max(fromEast, east) < box.west || Math.min(fromEast, east) > box.east
      || Math.max(fromSouth, south) < box.north || Math.min(fromSouth, south) > box.south;
    if (outside || isSeam(fromEast, fromSouth, east, south)) {
      isDown = false;
      continue;
    }
    if (!isDown) {
      [lastX, lastY] = [(fromEast - west) * scale, (fromSouth - north) * scale];
      context.moveTo(lastX, lastY);
      isDown = true;
    }
    const [x, y] = [(east - west) * scale, (south - north) * scale];
    if (Math.abs(x - lastX) + Math.abs(y - lastY) < STEP && i + 2 < points.length) continue;
    context.lineTo(x, y);
    [lastX, lastY] = [x, y];
  }
}

function isSeam(fromEast, fromSouth, east, south) {
  const atEdge = (at) => at < 0.0003 || at > 0.9997;
  return (atEdge(fromEast) && atEdge(east)) || (fromSouth > 0.9999 && south > 0.9999);
}

/** What lies of a ring in a box, after Sutherland and Hodgman (1974). */
function clipped(points, { west, east, north, south }) {
  const sides = [
    [0, (value) => value >= west, west],
    [0, (value) => value <= east, east],
    [1, (value) => value >= north, north],
    [1, (value) => value <= south, south],
  ];
  let ring = points;
  for (const [axis, isInside, edge] of sides) {
    const kept = [];
    const length = ring.length;
    if (length === 0) return ring;
    let [fromX, fromY] = [ring[length - 2], ring[length - 1]];
    let wasInside = isInside(axis === 0 ? fromX : fromY);
    for (let i = 0; i < length; i += 2) {
      const [x, y] = [ring[i], ring[i + 1]];
      const inside = isInside(axis === 0 ? x : y);
      if (inside !== wasInside) {
        const part = axis === 0 ? (edge - fromX) / (x - fromX) : (edge - fromY) / (y - fromY);
        kept.push(axis === 0 ? edge : fromX + part * (x - fromX), axis === 1 ? edge : fromY + part * (y - fromY));
      }
      if (inside) kept.push(x, y);
      [fromX, fromY, wasInside] = [x, y, inside];
    }
    ring = kept;
  }
  return ring;
}
