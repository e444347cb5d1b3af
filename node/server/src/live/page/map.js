// The map: Leaflet's, with its gestures and keys, over the basemap of `basemap.js`.

import { boundsOf, LATITUDE_MAX, wrapped } from "./mercator.js";

const ZOOM_MAX = 20;
/** "Fit" goes no closer than this: some streets. */
const FIT_ZOOM_MAX = 16;
/** What is asked for reaches beyond what is shown, by this part of it, so that a small move asks for nothing. */
const ASKED_PADDING = 0.25;

export class HerdMap {
  /** `onMoved` is called when the map has come to rest; `onUserMoved` when a person begins to move it. */
  constructor(element, { onMoved, onUserMoved }) {
    this.element = element;
    this.map = L.map(element, {
      center: [22, 10],
      zoom: 2,
      maxZoom: ZOOM_MAX,
      zoomControl: false,
      attributionControl: false,
      worldCopyJump: true,
      maxBounds: [[-LATITUDE_MAX, -Infinity], [LATITUDE_MAX, Infinity]],
      maxBoundsViscosity: 1,
      inertia: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      wheelPxPerZoomLevel: 100,
    });
    L.control.attribution({ position: "bottomright", prefix: "Leaflet" }).addTo(this.map);
    L.control.scale({ position: "bottomright" }).addTo(this.map);
    this.asked = null;
    this.map.on("moveend", onMoved);
    this.map.on("dragstart", onUserMoved);
    // Leaflet moves the map by arrow keys, and says nothing of who did it.
    element.addEventListener("keydown", (event) => { if (event.key.startsWith("Arrow")) onUserMoved(); });
    new ResizeObserver(() => this.resized()).observe(element);
    this.resized();
  }

  /** The world is never smaller than the map is wide. */
  resized() {
    this.map.invalidateSize({ pan: false });
    const least = Math.max(0, Math.ceil(Math.log2(this.map.getSize().x / 256)));
    this.map.setMinZoom(Math.min(least, 4));
  }

  get zoom() {
    return this.map.getZoom();
  }

  showWorld() {
    this.map.setView([22, 10], this.map.getMinZoom(), { animate: false });
  }

  fit(points) {
    if (points.length === 0) return this.showWorld();
    this.map.fitBounds(boundsOf(points), { padding: [48, 48], maxZoom: FIT_ZOOM_MAX, animate: false });
  }

  show({ latitude, longitude }, zoom = this.zoom) {
    this.map.setView([latitude, this.near(longitude)], zoom, { animate: false });
  }

  /** Keeps a point in the middle half of the map. */
  follow({ latitude, longitude }) {
    const { x, y } = this.map.latLngToContainerPoint([latitude, this.near(longitude)]);
    const { x: width, y: height } = this.map.getSize();
    const isInside = x > width / 4 && x < (3 * width) / 4 && y > height / 4 && y < (3 * height) / 4;
    if (!isInside) this.map.panTo([latitude, this.near(longitude)], { animate: false });
  }

  /** The copy of a meridian that is nearest to the middle of the map. */
  near(longitude) {
    const middle = this.map.getCenter().lng;
    return longitude + 360 * Math.round((middle - longitude) / 360);
  }

  zoomBy(steps) {
    this.map.setZoom(this.zoom + steps);
  }

  get centre() {
    const { lat: latitude, lng } = this.map.getCenter();
    return { latitude, longitude: wrapped(lng) };
  }

  /** The part of the world to ask for, if what is shown is not a part of what was asked for: the text of a query. */
  question() {
    const shown = this.map.getBounds();
    if (this.asked?.zoom === this.zoom && this.asked.bounds.contains(shown)) return this.asked.text;
    const bounds = shown.pad(ASKED_PADDING);
    const degrees = edges(bounds).map((degree) => degree.toFixed(4));
    this.asked = { zoom: this.zoom, bounds, text: `view=${degrees.join(",")}&zoom=${this.zoom}` };
    return this.asked.text;
  }

  /** What is shown, for a look-up of names. */
  shown() {
    return `view=${edges(this.map.getBounds()).map((degree) => degree.toFixed(3)).join(",")}`;
  }
}

/** South, west, north and east, of which west may be more than east. */
function edges(bounds) {
  const [south, north] = [Math.max(-90, bounds.getSouth()), Math.min(90, bounds.getNorth())];
  // Beyond the edge of the map's square are the poles.
  const poles = [south < -85 ? -90 : south, north > 85 ? 90 : north];
  if (bounds.getEast() - bounds.getWest() >= 360) return [poles[0], -180, poles[1], 180];
  return [poles[0], wrapped(bounds.getWest()), poles[1], wrapped(bounds.getEast())];
}
