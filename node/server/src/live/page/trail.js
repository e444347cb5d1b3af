// Where the chosen client has been while the page was open.

import { colours } from "./colours.js";

/** So many points are kept; the oldest are forgotten. */
const POINTS_MAX = 2000;

export class Trail {
  constructor(map) {
    this.line = L.polyline([], { weight: 2.5, opacity: 0.8, interactive: false }).addTo(map);
    this.coloursChanged();
  }

  coloursChanged() {
    this.line.setStyle({ color: colours().accent });
  }

  begin() {
    this.points = [];
    this.line.setLatLngs([]);
  }

  add({ latitude, longitude }) {
    const last = this.points.at(-1);
    // The short way around the world, beyond 180 degrees if need be.
    const east = last ? longitude + 360 * Math.round((last[1] - longitude) / 360) : longitude;
    if (last && last[0] === latitude && last[1] === east) return;
    this.points.push([latitude, east]);
    if (this.points.length > POINTS_MAX) this.points.shift();
    this.line.setLatLngs(this.points);
  }
}
