//! The boundaries, one a module.

mod certificates;
mod commands;
mod config;
mod control;
mod frames;
mod gossip;
mod groups;
mod handshake;
mod hello;
mod http;
mod http_json;
mod imports;
mod lines;
mod link_words;
mod providers;
mod questions;
mod reports;
mod resp;
mod searches;
mod slot_values;
mod store;
mod table;
mod tokens;
mod topology;

/// One boundary.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "lines",
        run: lines::run,
    },
    Target {
        name: "commands",
        run: commands::run,
    },
    Target {
        name: "groups",
        run: groups::run,
    },
    Target {
        name: "frames",
        run: frames::run,
    },
    Target {
        name: "hello",
        run: hello::run,
    },
    Target {
        name: "reports",
        run: reports::run,
    },
    Target {
        name: "gossip",
        run: gossip::run,
    },
    Target {
        name: "handshake",
        run: handshake::run,
    },
    Target {
        name: "slot_values",
        run: slot_values::run,
    },
    Target {
        name: "link_words",
        run: link_words::run,
    },
    Target {
        name: "certificates",
        run: certificates::run,
    },
    Target {
        name: "topology",
        run: topology::run,
    },
    Target {
        name: "config",
        run: config::run,
    },
    Target {
        name: "tokens",
        run: tokens::run,
    },
    Target {
        name: "control",
        run: control::run,
    },
    Target {
        name: "import_csv",
        run: imports::run_csv,
    },
    Target {
        name: "import_geojson",
        run: imports::run_geojson,
    },
    Target {
        name: "import_osm_pbf",
        run: imports::run_osm_pbf,
    },
    Target {
        name: "table",
        run: table::run,
    },
    Target {
        name: "providers",
        run: providers::run,
    },
    Target {
        name: "http",
        run: http::run,
    },
    Target {
        name: "http_json",
        run: http_json::run,
    },
    Target {
        name: "http_reports",
        run: http_json::run_reports,
    },
    Target {
        name: "put_body",
        run: http_json::run_put,
    },
    Target {
        name: "reports_body",
        run: http_json::run_batch,
    },
    Target {
        name: "owntracks_body",
        run: http_json::run_owntracks,
    },
    Target {
        name: "osmand_body",
        run: http_json::run_osmand,
    },
    Target {
        name: "overland_body",
        run: http_json::run_overland,
    },
    Target {
        name: "questions",
        run: questions::run,
    },
    Target {
        name: "searches",
        run: searches::run,
    },
    Target {
        name: "resp",
        run: resp::run,
    },
    Target {
        name: "store",
        run: store::run,
    },
];
