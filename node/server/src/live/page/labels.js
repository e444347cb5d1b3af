// Texts on the map that do not cover each other.

const LINE_HEIGHT = 14;
const BUCKET = 64;

export class LabelPlacer {
  /** `measure(text)` gives the width of a text. */
  constructor(width, height, measure) {
    this.measure = measure;
    this.width = width;
    this.height = height;
    this.buckets = new Map();
  }

  /** Takes a box, so that no text comes there. */
  occupy(x, y, halfWidth, halfHeight) {
    this.keep({ left: x - halfWidth, right: x + halfWidth, top: y - halfHeight, bottom: y + halfHeight });
  }

  /** Where a text beside a point may stand: `{ x, y }` of its left middle, or nothing if it has no room. */
  place(text, x, y, gap) {
    const width = this.measure(text);
    const spots = [
      [x + gap, y],
      [x - gap - width, y],
      [x - width / 2, y - gap - LINE_HEIGHT / 2],
      [x - width / 2, y + gap + LINE_HEIGHT / 2],
    ];
    for (const [left, middle] of spots) {
      const box = { left, right: left + width, top: middle - LINE_HEIGHT / 2, bottom: middle + LINE_HEIGHT / 2 };
      if (box.left < 2 || box.right > this.width - 2 || box.top < 2 || box.bottom > this.height - 2) continue;
      if (this.isFree(box)) {
        this.keep(box);
        return { x: left, y: middle };
      }
    }
    return null;
  }

  isFree(box) {
    return !this.bucketsOf(box).some((key) => (this.buckets.get(key) ?? []).some((other) => overlap(box, other)));
  }

  keep(box) {
    for (const key of this.bucketsOf(box)) {
      if (this.buckets.has(key)) this.buckets.get(key).push(box);
      else this.buckets.set(key, [box]);
    }
  }

  bucketsOf({ left, right, top, bottom }) {
    const keys = [];
    for (let x = Math.floor(left / BUCKET); x <= Math.floor(right / BUCKET); x += 1) {
      for (let y = Math.floor(top / BUCKET); y <= Math.floor(bottom / BUCKET); y += 1) keys.push(`${x},${y}`);
    }
    return keys;
  }
}

function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
