// The projection of web maps: the world is a square from 0 to 1, with 0, 0 in the northwest.

/** North and south of this the square ends. */
export const LATITUDE_MAX = 85.0511287798;

const RADIANS = Math.PI / 180;

export const eastOf = (longitude) => (longitude + 180) / 360;

export function southOf(latitude) {
  const sine = Math.sin(Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude)) * RADIANS);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

/** Degrees from -180 to 180. */
export function wrapped(degrees) {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}

/**
 * The smallest part of the world with all these points: `[[south, west], [north, east]]`, of which the east may be
 * beyond 180 degrees.
 */
export function boundsOf(points) {
  // The widest gap between neighbours around the world need not be shown.
  const sorted = points.map((point) => point.longitude).sort((a, b) => a - b);
  let [gap, west] = [sorted[0] + 360 - sorted.at(-1), sorted[0]];
  for (let i = 1; i < sorted.length; i += 1) {
    const step = sorted[i] - sorted[i - 1];
    if (step > gap) [gap, west] = [step, sorted[i]];
  }
  let [south, north] = [90, -90];
  for (const { latitude } of points) {
    south = Math.min(south, latitude);
    north = Math.max(north, latitude);
  }
  return [[south, west], [north, west + 360 - gap]];
}
