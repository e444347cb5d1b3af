//! Settings about HTTP: whether and where it is served, and whether it shows locations.

use crate::listeners::Listen;
use crate::settings::{Mistake, Origin, Resolver, Setting, Values};
use herd_topology::HostPort;

/// The settings of HTTP, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where to listen; nothing if there is to be no HTTP at all.
    pub listen: Option<Listen>,
    /// Whether HTTP shows the locations of clients and the inside of the herd.
    pub shows_locations: bool,
    /// Whether HTTP speaks TLS, with the certificate of the client port.
    pub tls: bool,
}

/// Where the user says, else where the topology says.
pub(super) fn resolve(
    resolver: &mut Resolver<'_>,
    values: &Values,
    in_topology: Option<&HostPort>,
) -> Option<HttpSettings> {
    let shows_locations = values.http_locations.unwrap_or(false);
    if values.http_locations.is_none() {
        let shown = shows_locations.to_string();
        resolver.show(Setting::HttpLocations, shown, &Origin::Default);
    }
    let listen = match values.http_listen {
        Some(set) => set.map(Listen::Address),
        None => {
            let listen = Listen::from(in_topology?);
            resolver.show(Setting::HttpListen, listen.to_string(), &Origin::Topology);
            Some(listen)
        }
    };
    if listen.is_none() && shows_locations {
        resolver.mistake(Mistake::Contradiction {
            first: Setting::HttpListen,
            first_origin: resolver.origin(Setting::HttpListen),
            second: Setting::HttpLocations,
            second_origin: resolver.origin(Setting::HttpLocations),
            reason: "without HTTP nothing can show locations",
        });
    }
    note_without_use(resolver, values, shows_locations);
    if values.http_tls && values.client_tls_cert.is_none() {
        resolver.mistake(Mistake::Meaningless {
            setting: Setting::HttpTls,
            origin: resolver.origin(Setting::HttpTls),
            reason: "the client port has no certificate; set client_tls_cert".to_owned(),
        });
    }
    Some(HttpSettings {
        listen,
        shows_locations,
        tls: values.http_tls,
    })
}

/// Settings that were given, and change nothing.
fn note_without_use(resolver: &mut Resolver<'_>, values: &Values, shows_locations: bool) {
    let without_locations = "HTTP shows no locations; set http_locations";
    let without_tiles = "there are no tiles; set map_tiles";
    let have_tiles = values.map_tiles.is_some();
    for (setting, has_use, reason) in [
        (Setting::HttpCorsOrigin, shows_locations, without_locations),
        (Setting::MapTiles, shows_locations, without_locations),
        (Setting::MapAttribution, have_tiles, without_tiles),
    ] {
        if let Some(given) = resolver.given(setting).filter(|_| !has_use) {
            resolver.mistake(Mistake::Meaningless {
                setting,
                origin: given.origin,
                reason: reason.to_owned(),
            });
        }
    }
}
