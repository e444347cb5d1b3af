// Miller's projection: close to Mercator's where people live, and yet it has poles.

const RADIANS = Math.PI / 180;

export const projectY = (latitude) =>
  1.25 * Math.log(Math.tan(Math.PI / 4 + 0.4 * latitude * RADIANS));

export const latitudeOf = (y) => (2.5 * Math.atan(Math.exp(0.8 * y)) - 0.625 * Math.PI) / RADIANS;

export const WORLD_WIDTH = 2 * Math.PI;
export const POLE_Y = projectY(90);

/** Pixels for each radian at most: about 2 m for each pixel. */
const SCALE_MAX = 3e6;

/** The part of the world that a canvas shows. */
export class View {
  constructor() {
    this.width = 1;
    this.height = 1;
    /** The middle: longitude in degrees, and projected latitude. */
    this.longitude = 10;
    this.y = projectY(22);
    /** Pixels for each radian. */
    this.scale = 1;
  }

  resize(width, height) {
    const showed = this.width / this.scale;
    const first = this.width === 1;
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.scale = first ? 0 : this.width / showed;
    this.keepInside();
  }

  get scaleMin() {
    return this.width / WORLD_WIDTH;
  }

  keepInside() {
    this.scale = Math.min(SCALE_MAX, Math.max(this.scaleMin, this.scale));
    const room = POLE_Y - this.height / 2 / this.scale;
    this.y = room > 0 ? Math.min(room, Math.max(-room, this.y)) : 0;
    this.longitude = wrapped(this.longitude);
  }

  /** Where a point is on the canvas; of its copies around the world, the one nearest to the middle. */
  place(latitude, longitude) {
    return [
      this.width / 2 + wrapped(longitude - this.longitude) * RADIANS * this.scale,
      this.height / 2 - (projectY(latitude) - this.y) * this.scale,
    ];
  }

  moveBy(dx, dy) {
    this.longitude -= dx / this.scale / RADIANS;
    this.y += dy / this.scale;
    this.keepInside();
  }

  /** Zooms, and keeps this point of the canvas in place. */
  zoomAt(factor, x, y) {
    const before = this.scale;
    this.scale *= factor;
    this.scale = Math.min(SCALE_MAX, Math.max(this.scaleMin, this.scale));
    const change = 1 / before - 1 / this.scale;
    this.longitude += ((x - this.width / 2) * change) / RADIANS;
    this.y -= (y - this.height / 2) * change;
    this.keepInside();
  }

  centre(latitude, longitude) {
    this.longitude = longitude;
    this.y = projectY(latitude);
    this.keepInside();
  }

  showWorld() {
    this.scale = 0;
    this.longitude = 10;
    this.y = projectY(22);
    this.keepInside();
  }

  /** Shows these points, with room around them, and no closer than a continent. */
  fit(points) {
    if (points.length === 0) return this.showWorld();
    // The widest gap between neighbours around the world need not be shown.
    const sorted = points.map((point) => point.longitude).sort((a, b) => a - b);
    let [gap, west] = [sorted[0] + 360 - sorted.at(-1), sorted[0]];
    for (let i = 1; i < sorted.length; i += 1) {
      const step = sorted[i] - sorted[i - 1];
      if (step > gap) [gap, west] = [step, sorted[i]];
    }
    const ys = points.map((point) => projectY(point.latitude));
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    const span = 360 - gap;
    const closest = 40 * RADIANS;
    this.scale = Math.min(
      this.width / Math.max(span * RADIANS * 1.25, closest),
      this.height / Math.max((high - low) * 1.3, closest * 0.6),
    );
    this.longitude = wrapped(west + span / 2);
    this.y = (low + high) / 2;
    this.keepInside();
  }

  /** South, west, north and east of the shown part, with a margin; west may be more than east. */
  bounds() {
    const margin = 1.1;
    const halfHeight = (this.height / 2 / this.scale) * margin;
    const halfWidth = (this.width / 2 / this.scale / RADIANS) * margin;
    const south = this.y - halfHeight <= -POLE_Y ? -90 : latitudeOf(this.y - halfHeight);
    const north = this.y + halfHeight >= POLE_Y ? 90 : latitudeOf(this.y + halfHeight);
    if (halfWidth >= 180) return [south, -180, north, 180];
    return [south, wrapped(this.longitude - halfWidth), north, wrapped(this.longitude + halfWidth)];
  }
}

/** Degrees from -180 to 180. */
export function wrapped(degrees) {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}
