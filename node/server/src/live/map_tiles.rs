//! Where tiles with streets come from, if the operator has chosen a server of tiles.

use serde::Serialize;

use crate::settings::TileTemplate;

/// A server of tiles, for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MapTiles {
    /// The address of a tile, with `{z}`, `{x}` and `{y}`.
    template: String,
    /// Who made the tiles; plain text.
    attribution: String,
    /// The one source of images that pages are let to, besides this server.
    #[serde(skip)]
    source: String,
}

impl MapTiles {
    /// Of a template, and the text that says who made the tiles.
    #[must_use]
    pub fn new(template: &TileTemplate, attribution: &str) -> Self {
        MapTiles {
            template: template.as_str().to_owned(),
            attribution: attribution.to_owned(),
            source: template.source().to_owned(),
        }
    }

    /// As a source of a Content-Security-Policy.
    #[must_use]
    pub(super) fn source(&self) -> &str {
        &self.source
    }
}
