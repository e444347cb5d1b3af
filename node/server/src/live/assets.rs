//! The files of the page, which are a part of the program.

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
}

impl Asset {
    /// Tells one content from another.
    #[must_use]
    pub(super) fn entity_tag(&self) -> String {
        format!("\"{:016x}\"", xxh3_64(self.bytes))
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
        }
    };
}

/// All files of the page. The map of the world is Natural Earth's; `tools/world` makes it.
pub(super) static ASSETS: &[Asset] = &[
    asset!("/", "index.html", HTML),
    asset!("/page/style.css", "style.css", STYLE),
    asset!("/page/main.js", "main.js", SCRIPT),
    asset!("/page/stream.js", "stream.js", SCRIPT),
    asset!("/page/projection.js", "projection.js", SCRIPT),
    asset!("/page/world.js", "world.js", SCRIPT),
    asset!("/page/map.js", "map.js", SCRIPT),
    asset!("/page/gestures.js", "gestures.js", SCRIPT),
    asset!("/page/herd.js", "herd.js", SCRIPT),
    asset!("/page/graphs.js", "graphs.js", SCRIPT),
    asset!("/page/record.js", "record.js", SCRIPT),
    asset!("/page/text.js", "text.js", SCRIPT),
    asset!("/page/icon.svg", "icon.svg", "image/svg+xml"),
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

    fn text(asset: &Asset) -> &str {
        std::str::from_utf8(asset.bytes).unwrap()
    }

    #[test]
    fn every_file_that_a_file_asks_for_is_there() {
        let paths: BTreeSet<&str> = ASSETS.iter().map(|asset| asset.path).collect();
        assert_eq!(paths.len(), ASSETS.len());
        let mut asked = 0;
        for asset in ASSETS
            .iter()
            .filter(|asset| asset.media_type != "application/octet-stream")
        {
            for quote in ["\"/page/", "\"./"] {
                for rest in text(asset).split(quote).skip(1) {
                    let name = rest.split('"').next().unwrap();
                    let name = name.strip_prefix("page/").unwrap_or(name);
                    if name == "status" {
                        continue;
                    }
                    assert!(
                        paths.contains(&*format!("/page/{name}")),
                        "{} asks for {name}",
                        asset.path
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
        for asset in ASSETS.iter().filter(|asset| asset.media_type == SCRIPT) {
            for way in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "Function(",
            ] {
                assert!(!text(asset).contains(way), "{} uses {way}", asset.path);
            }
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for asset in ASSETS
            .iter()
            .filter(|asset| asset.media_type != "application/octet-stream")
        {
            let text = text(asset).replace("http://www.w3.org/2000/svg", "");
            for scheme in ["http://\"", "https://", "src=\"//", "url(h", "@import"] {
                assert!(!text.contains(scheme), "{} has {scheme}", asset.path);
            }
        }
    }
}
