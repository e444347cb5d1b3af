//! The settings of a herd on this machine.

use super::resolver::Resolver;
use super::{
    ConfigError, Durability, Environment, Flags, Setting, TopologyChoice, durability, places,
    topology_choice, values,
};
use crate::logging::{LogFilter, LogFormat};
use herd_places::online::ApiKey;

/// The folder for data unless something else is said, in the current folder. Each server has a
/// folder of its own in it.
pub const DATA_DIR: &str = "herd-data";

/// The name of a server's own folder in it. Names of servers are safe in a path, and the ending keeps
/// them apart from other files there.
#[must_use]
pub fn data_folder_name(server: &str) -> String {
    format!("{server}.data")
}

/// What `herd local` needs to know, checked. Texts that only the servers use are passed on to them
/// as they were written.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// The herd.
    pub topology: TopologyChoice,
    /// The folder for data, wire logs and logs, and what a reply promises.
    pub durability: Durability,
    /// How far a report's time may lie ahead of a server's clock, if it was set.
    pub max_clock_skew: Option<String>,
    /// After how long records expire, if it was set.
    pub expire_after: Option<String>,
    /// Whether HTTP shows locations, if it was set.
    pub http_locations: Option<bool>,
    /// What was set about places, but for the key.
    pub places: Vec<(Setting, String)>,
    /// The key of the provider of places, if the environment has it.
    pub places_key: Option<ApiKey>,
    /// Which log lines are shown.
    pub log: LogFilter,
    /// The form of log lines.
    pub log_format: LogFormat,
}

impl LocalSettings {
    /// Reads and checks all settings, the topology file included. Binds and writes nothing.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut resolver = Resolver::new(flags, environment);
        let settings = resolve(&mut resolver);
        resolver.finish(settings)
    }
}

fn resolve(resolver: &mut Resolver<'_>) -> Option<LocalSettings> {
    let topology = topology_choice::resolve(resolver);
    let (durability, _) = durability::resolve(resolver, DATA_DIR.into());
    resolver.checked(Setting::MaxClockSkew, values::limit);
    resolver.checked(Setting::ExpireAfter, values::expiry);
    let http_locations = resolver.checked(Setting::HttpLocations, values::switch);
    // The servers read it all again; checked here, a mistake is told once.
    let places = places::resolve(resolver);
    let log = resolver.checked_or(Setting::Log, LogFilter::default(), str::parse);
    let log_format = resolver.checked_or(Setting::LogFormat, LogFormat::default(), str::parse);
    places?;
    Some(LocalSettings {
        topology: topology?,
        places: Setting::PLACES
            .into_iter()
            .filter_map(|setting| Some((setting, resolver.given(setting)?.text)))
            .collect(),
        places_key: places::key_of_environment(resolver),
        durability,
        http_locations: http_locations.map(|shown| shown.value),
        max_clock_skew: resolver
            .given(Setting::MaxClockSkew)
            .map(|given| given.text),
        expire_after: resolver.given(Setting::ExpireAfter).map(|given| given.text),
        log: log.value,
        log_format: log_format.value,
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config::MadeFrom;
    use herd_topology::PortBases;

    fn load(
        flags: &[(Setting, &str)],
        variables: &[(&str, &str)],
    ) -> Result<LocalSettings, String> {
        let flags = Flags::new(flags.iter().map(|&(s, text)| (s, Some(text.to_owned()))));
        let variables = variables
            .iter()
            .map(|&(n, v)| (OsString::from(n), OsString::from(v)));
        LocalSettings::load(&flags, &Environment::new(variables)).map_err(|e| e.to_string())
    }

    #[test]
    fn defaults() {
        let settings = load(&[], &[]).unwrap();
        assert_eq!(settings.durability.data_dir, Some(DATA_DIR.into()));
        let bases = PortBases::default();
        assert!(matches!(settings.topology.made_from, MadeFrom::Builtin(b) if b == bases));
        assert_eq!(settings.topology.topology.servers().len(), 5);
        assert_eq!(settings.max_clock_skew, None);
    }

    #[test]
    fn an_ephemeral_herd_has_no_folder() {
        let settings = load(&[(Setting::Ephemeral, "true")], &[]).unwrap();
        assert_eq!(settings.durability.data_dir, None);
        let settings = load(
            &[(Setting::Ephemeral, "true")],
            &[("HERD_EPHEMERAL", "false")],
        );
        assert!(settings.unwrap().durability.data_dir.is_some());
    }

    #[test]
    fn contradictions_are_mistakes() {
        let error = load(
            &[
                (Setting::Ephemeral, "true"),
                (Setting::ClientPortBase, "12100"),
                (Setting::Topology, "/nonexistent/topology"),
            ],
            &[("HERD_DATA_DIR", "/tmp/x")],
        )
        .unwrap_err();
        assert_eq!(
            error,
            "3 mistakes in the settings\n  \
             client_port_base (--client-port-base) and topology (--topology) contradict each \
             other: a topology file says the ports itself\n  \
             --topology: cannot read topology /nonexistent/topology: No such file or directory \
             (os error 2)\n  \
             ephemeral (--ephemeral) and data_dir (HERD_DATA_DIR) contradict each other: what \
             is ephemeral writes nothing to disk"
        );
    }
}
