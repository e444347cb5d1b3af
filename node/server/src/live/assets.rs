//! The files of the page, which are a part of the program.

use std::io::Write as _;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::xxh3_64;

/// One file.
#[derive(Debug)]
pub(super) struct Asset {
    /// Where it is asked for.
    pub(super) path: &'static str,
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Its content.
    pub(super) bytes: &'static [u8],
    /// The same, compressed once it was asked for.
    gzip: OnceLock<Vec<u8>>,
}

impl Asset {
    /// Tells one content from another.
    #[must_use]
    pub(super) fn entity_tag(&self) -> String {
        format!("\"{:016x}\"", xxh3_64(self.bytes))
    }

    /// Its content as gzip, which is made once and takes some milliseconds; nothing if it cannot be made.
    #[must_use]
    pub(super) fn gzip(&self) -> Option<&[u8]> {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let written = encoder
                .write_all(self.bytes)
                .and_then(|()| encoder.finish());
            written.unwrap_or_default()
        };
        let bytes = self.gzip.get_or_init(compress);
        (!bytes.is_empty()).then_some(bytes)
    }
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Of this name in `page/`, and of its media type.
macro_rules! asset {
    ($path:literal, $file:literal, $media_type:expr) => {
        Asset {
            path: $path,
            media_type: $media_type,
            bytes: include_bytes!(concat!("page/", $file)),
            gzip: OnceLock::new(),
        }
    };
}

/// All files of the page. The map of the world is Natural Earth's; `tools/world` makes it. Leaflet is
/// as its makers release it; `tools/leaflet` takes it over.
pub(super) static ASSETS: [Asset; 31] = [
    asset!("/", "index.html", HTML),
    asset!("/page/style.css", "style.css", STYLE),
    asset!("/page/address.js", "address.js", SCRIPT),
    asset!("/page/ages.js", "ages.js", SCRIPT),
    asset!("/page/banner.js", "banner.js", SCRIPT),
    asset!("/page/basemap.js", "basemap.js", SCRIPT),
    asset!("/page/circle.js", "circle.js", SCRIPT),
    asset!("/page/colours.js", "colours.js", SCRIPT),
    asset!("/page/copying.js", "copying.js", SCRIPT),
    asset!("/page/dots.js", "dots.js", SCRIPT),
    asset!("/page/find.js", "find.js", SCRIPT),
    asset!("/page/forgetting.js", "forgetting.js", SCRIPT),
    asset!("/page/graphs.js", "graphs.js", SCRIPT),
    asset!("/page/herd.js", "herd.js", SCRIPT),
    asset!("/page/labels.js", "labels.js", SCRIPT),
    asset!("/page/legend.js", "legend.js", SCRIPT),
    asset!("/page/list.js", "list.js", SCRIPT),
    asset!("/page/main.js", "main.js", SCRIPT),
    asset!("/page/map.js", "map.js", SCRIPT),
    asset!("/page/mercator.js", "mercator.js", SCRIPT),
    asset!("/page/merging.js", "merging.js", SCRIPT),
    asset!("/page/record.js", "record.js", SCRIPT),
    asset!("/page/sse.js", "sse.js", SCRIPT),
    asset!("/page/stream.js", "stream.js", SCRIPT),
    asset!("/page/text.js", "text.js", SCRIPT),
    asset!("/page/trail.js", "trail.js", SCRIPT),
    asset!("/page/world.js", "world.js", SCRIPT),
    asset!("/page/icon.svg", "icon.svg", "image/svg+xml"),
    asset!(
        "/page/leaflet.js",
        "../../../data/leaflet/leaflet.js",
        SCRIPT
    ),
    asset!(
        "/page/leaflet.css",
        "../../../data/leaflet/leaflet.css",
        STYLE
    ),
    asset!(
        "/page/world.map",
        "../../../data/world.map",
        "application/octet-stream"
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// All but the map of the world, and the files that others wrote.
    fn own_texts() -> impl Iterator<Item = (&'static str, &'static str)> {
        let own = ASSETS.iter().filter(|asset| {
            asset.media_type != "application/octet-stream" && !asset.path.contains("leaflet.")
        });
        own.map(|asset| (asset.path, text(asset)))
    }

    fn text(asset: &Asset) -> &str {
        std::str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn every_file_that_a_file_asks_for_is_there() {
        let paths: BTreeSet<&str> = ASSETS.iter().map(|asset| asset.path).collect();
        assert_eq!(paths.len(), ASSETS.len());
        let mut asked = 0;
        for (path, text) in own_texts() {
            for quote in ["\"/page/", "\"./"] {
                for rest in text.split(quote).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    let name = name.strip_prefix("page/").unwrap_or(name);
                    // Answers that are no files.
                    if name == "status" || name.starts_with("live/") || name.starts_with("v1/") {
                        continue;
                    }
                    assert!(
                        paths.contains(&*format!("/page/{name}")),
                        "{path} asks for {name}"
                    );
                    asked += 1;
                }
            }
        }
        assert!(asked >= ASSETS.len() - 1, "only {asked}");
    }

    /// Labels and all else from clients are set as text.
    #[test]
    fn no_script_makes_html_of_text_or_runs_it() {
        for (path, text) in own_texts() {
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
            ] {
                assert!(!text.contains(way), "{path} uses {way}");
            }
        }
    }

    #[test]
    fn the_page_is_small_on_the_way() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.gzip().unwrap().len()).sum();
        assert!(bytes < 350_000, "{bytes} bytes");
    }

    #[test]
    fn leaflet_is_as_it_was_released() {
        let leaflet = |name: &str| {
            let asset = ASSETS.iter().find(|asset| asset.path == name).unwrap();
            ring::digest::digest(&ring::digest::SHA256, asset.bytes)
        };
        let begin = |name: &str| leaflet(name).as_ref()[..4].to_vec();
        // As tools/leaflet has them, whole.
        assert_eq!(begin("/page/leaflet.js"), [0xdb, 0x49, 0xd0, 0x09]);
        assert_eq!(begin("/page/leaflet.css"), [0xa7, 0x83, 0x71, 0x02]);
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for (path, text) in own_texts() {
            // A name, and a page that opens when a person asks for it.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            let text = text.replace("https://www.openstreetmap.org/?", "");
            for scheme in ["http://\"", "https://", "src=\"//", "url(h", "@import"] {
                assert!(!text.contains(scheme), "{path} has {scheme}");
            }
        }
    }
}
