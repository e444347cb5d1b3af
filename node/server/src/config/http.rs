//! Settings about HTTP: whether and where it is served, and whether it shows locations.

use std::sync::Arc;

use super::report::Row;
use super::resolver::Resolver;
use super::{Mistake, Origin, Setting, values};
use crate::listeners::Listen;
use herd_topology::HostPort;

/// What a user can set about HTTP, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where to listen; nothing if there is to be no HTTP at all.
    pub listen: Option<Listen>,
    /// Whether whoever reaches HTTP may see where clients are, and the inside of the herd.
    pub shows_locations: bool,
    /// Names that it answers to, besides IP addresses, those of loopback and those of the topology; in lower case.
    pub hosts: Vec<Arc<str>>,
}

/// Where the user says, else where the topology says.
pub(super) fn resolve(
    resolver: &mut Resolver<'_>,
    in_topology: Option<&HostPort>,
) -> Option<(HttpSettings, [Row; 3])> {
    let set = resolver.checked(Setting::HttpListen, values::listen_address_or_off);
    let locations = resolver.checked_or(Setting::HttpLocations, false, values::switch);
    let (listen, origin) = match set {
        Some(set) => (set.value.map(Listen::Address), Some(set.origin)),
        None => (Some(Listen::from(in_topology?)), None),
    };
    if let (None, true, Some(listen_origin)) = (listen, locations.value, &origin) {
        resolver.mistake(Mistake::Contradiction {
            first: Setting::HttpListen,
            first_origin: listen_origin.clone(),
            second: Setting::HttpLocations,
            second_origin: locations.origin.clone(),
            reason: "without HTTP nothing can show locations",
        });
    }
    let hosts = resolver.checked_or(Setting::HttpHosts, Vec::new(), values::host_names);
    let rows = [
        Row {
            setting: Setting::HttpListen,
            value: listen.map_or("off".to_owned(), |listen| listen.to_string()),
            origin: origin.map_or("topology".to_owned(), |origin: Origin| origin.to_string()),
        },
        Row::new(
            Setting::HttpLocations,
            locations.value.to_string(),
            &locations.origin,
        ),
        Row::new(
            Setting::HttpHosts,
            match &hosts.value[..] {
                [] => "none".to_owned(),
                names => names.join(", "),
            },
            &hosts.origin,
        ),
    ];
    let settings = HttpSettings {
        listen,
        shows_locations: locations.value,
        hosts: hosts.value,
    };
    Some((settings, rows))
}
