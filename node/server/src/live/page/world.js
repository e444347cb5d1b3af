// Land, lakes and borders: the file that tools/world makes, and how it is drawn.

import { projectY, WORLD_WIDTH } from "./projection.js";

const MAGIC = 0x314d5748; // HWM1
const RADIANS_PER_UNIT = Math.PI / 180 / 100;
/** Points closer than this to the last one that was drawn are left out, in pixels. */
const STEP = 1.3;

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
    const box = { west: Infinity, east: -Infinity, south: Infinity, north: -Infinity };
    for (let i = 0; i < length; i += 1) {
      x += step();
      y += step();
      const [px, py] = [x * RADIANS_PER_UNIT, projectY(y / 100)];
      points[2 * i] = px;
      points[2 * i + 1] = py;
      box.west = Math.min(box.west, px);
      box.east = Math.max(box.east, px);
      box.south = Math.min(box.south, py);
      box.north = Math.max(box.north, py);
    }
    return { points, box };
  };
  const layer = () => Array.from({ length: number() }, line);
  return { land: layer(), lakes: layer(), borders: layer() };
}

/** Draws the world as `view` shows it. */
export function drawWorld(context, view, world, colours) {
  const { width, height } = view;
  context.fillStyle = colours.sea;
  context.fillRect(0, 0, width, height);
  drawGraticule(context, view, colours);
  const fill = (lines, colour, outline) => {
    context.beginPath();
    trace(context, view, lines, true);
    context.fillStyle = colour;
    context.fill("evenodd");
    if (outline) {
      context.beginPath();
      trace(context, view, lines, false);
      context.strokeStyle = colours.coast;
      context.lineWidth = 0.7;
      context.stroke();
    }
  };
  if (!world) return;
  fill(world.land, colours.land, true);
  fill(world.lakes, colours.sea, false);
  context.beginPath();
  trace(context, view, world.borders, false);
  context.strokeStyle = colours.border;
  context.lineWidth = 0.6;
  context.stroke();
}

function trace(context, view, lines, closed) {
  const { scale } = view;
  const [halfWidth, halfHeight] = [view.width / 2, view.height / 2];
  const middle = (view.longitude * Math.PI) / 180;
  for (const copy of [-WORLD_WIDTH, 0, WORLD_WIDTH]) {
    const shift = copy - middle;
    for (const { points, box } of lines) {
      const outside = (box.east + shift) * scale < -halfWidth || (box.west + shift) * scale > halfWidth
        || (box.north - view.y) * scale < -halfHeight || (box.south - view.y) * scale > halfHeight;
      const size = Math.max(box.east - box.west, box.north - box.south) * scale;
      if (outside || size < 1.5) continue;
      let [lastX, lastY] = [NaN, NaN];
      for (let i = 0; i < points.length; i += 2) {
        const x = halfWidth + (points[i] + shift) * scale;
        const y = halfHeight - (points[i + 1] - view.y) * scale;
        if (i === 0 || (!closed && isSeam(points, i))) context.moveTo(x, y);
        else if (Math.abs(x - lastX) + Math.abs(y - lastY) < STEP && i + 2 < points.length) continue;
        else context.lineTo(x, y);
        [lastX, lastY] = [x, y];
      }
      if (closed) context.closePath();
    }
  }
}

/** Whether the step to this point runs along the edge of the flat world, where there is no coast. */
function isSeam(points, i) {
  const atEdge = (x) => Math.abs(x) > Math.PI - 0.001;
  const atPole = (y) => y < -2.2;
  return (atEdge(points[i]) && atEdge(points[i - 2])) || (atPole(points[i + 1]) && atPole(points[i - 1]));
}

function drawGraticule(context, view, colours) {
  context.beginPath();
  for (let longitude = -180; longitude < 180; longitude += 30) {
    const [x] = view.place(0, longitude);
    context.moveTo(x, 0);
    context.lineTo(x, view.height);
  }
  for (let latitude = -60; latitude <= 60; latitude += 30) {
    const [, y] = view.place(latitude, 0);
    context.moveTo(0, y);
    context.lineTo(view.width, y);
  }
  context.strokeStyle = colours.grid;
  context.lineWidth = 0.6;
  context.stroke();
}
