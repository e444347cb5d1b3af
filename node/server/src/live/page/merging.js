// Dots that would cover each other on the screen become one circle with their number.

/** Dots closer than this are one, in pixels. */
const CLOSE = 21;

/**
 * The groups of placed dots, `{ dot, x, y }`. A group has the place of one of them as `x` and `y`, `count`, `dots`, and
 * the middle one of the dots' times as `timeS`. The same dots at the same places make the same groups, in whatever order they come.
 */
export function grouped(placed) {
  const sorted = [...placed].sort((a, b) => b.dot.count - a.dot.count || (a.dot.key < b.dot.key ? -1 : 1));
  const cells = new Map();
  const cell = (x, y) => `${Math.floor(x / CLOSE)},${Math.floor(y / CLOSE)}`;
  const groups = [];
  for (const { dot, x, y } of sorted) {
    const near = nearest(cells, x, y);
    if (near) {
      near.dots.push(dot);
      continue;
    }
    const group = { headX: x, headY: y, dots: [dot] };
    groups.push(group);
    const key = cell(x, y);
    if (cells.has(key)) cells.get(key).push(group);
    else cells.set(key, [group]);
  }
  return groups.map(summary);
}

function nearest(cells, x, y) {
  const [column, row] = [Math.floor(x / CLOSE), Math.floor(y / CLOSE)];
  let [best, bestAway] = [null, CLOSE];
  for (let dx = -1; dx <= 1; dx += 1) {
    for (let dy = -1; dy <= 1; dy += 1) {
      for (const group of cells.get(`${column + dx},${row + dy}`) ?? []) {
        const away = Math.hypot(group.headX - x, group.headY - y);
        if (away < bestAway) [best, bestAway] = [group, away];
      }
    }
  }
  return best;
}

function summary({ headX: x, headY: y, dots }) {
  if (dots.length === 1) {
    const [{ count, timeS, server }] = dots;
    return { x, y, count, timeS, server, dots };
  }
  const count = dots.reduce((sum, dot) => sum + dot.count, 0);
  const times = dots.map((dot) => dot.timeS ?? 0).sort((a, b) => a - b);
  const servers = new Set(dots.map((dot) => dot.server));
  const server = servers.size === 1 ? dots[0].server : null;
  return { x, y, count, timeS: times[times.length >> 1], server, dots };
}
