// What lies under the dots: coasts and borders from this server, or tiles of the operator's choice.

import { colours } from "./colours.js";
import { drawSquare, loadWorld } from "./world.js";

const OWN_ATTRIBUTION = "Natural Earth, GeoNames";
const TILE_ZOOM_MAX = 19;

/** Leaflet takes an attribution as HTML. */
const escaped = (text) => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

const OwnLayer = L.GridLayer.extend({
  options: { attribution: OWN_ATTRIBUTION, updateWhenZooming: false },

  createTile(coordinates) {
    const tile = document.createElement("canvas");
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { x: size } = this.getTileSize();
    tile.width = tile.height = size * ratio;
    const context = tile.getContext("2d", { alpha: false });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawSquare(context, size, coordinates, this.world, colours());
    return tile;
  },
});

export class Basemap {
  constructor(map) {
    this.map = map;
    this.own = new OwnLayer();
    this.streets = null;
    this.hasStreets = false;
  }

  /** Shows coasts and borders, once they are loaded. */
  async load() {
    this.own.world = await loadWorld();
    if (!this.hasStreets) this.own.addTo(this.map);
  }

  /** Lets tiles be shown: `{ template, attribution }`. */
  offer({ template, attribution }) {
    if (this.streets) return;
    this.streets = L.tileLayer(template, {
      attribution: escaped(attribution),
      maxNativeZoom: TILE_ZOOM_MAX,
      maxZoom: this.map.getMaxZoom(),
      // Makers of tiles want to know which site asks them; the page itself sends no other site its address.
      referrerPolicy: "origin",
    });
  }

  showStreets(shown) {
    this.hasStreets = shown && this.streets !== null;
    const [added, removed] = this.hasStreets ? [this.streets, this.own] : [this.own, this.streets];
    removed?.remove();
    if (added.world || this.hasStreets) added.addTo(this.map);
  }

  /** After a change of colours. */
  redraw() {
    if (this.map.hasLayer(this.own)) this.own.redraw();
  }
}
