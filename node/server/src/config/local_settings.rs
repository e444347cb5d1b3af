//! The settings of a herd on this machine.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Durability, MadeFrom, TopologyChoice, durability, places, topology_choice};
use herd_topology::CLIENT_PORT_BASE;

use crate::settings::{
    Command, ConfigError, DATA_DIR, Environment, Flags, Mistake, RESP_PORT_BASE, Resolver, Secret,
    Setting, Values,
};

/// The name of a server's own folder in [`DATA_DIR`]. Names of servers are safe in a path, and the ending keeps
/// them apart from other files there.
#[must_use]
pub fn data_folder_name(server: &str) -> String {
    format!("{server}.data")
}

/// The settings that `herd local` gives each server itself; it passes on all others that it was given.
const SAID_TO_EACH: [Setting; 10] = [
    Setting::Topology,
    Setting::ClientPortBase,
    Setting::HttpPortBase,
    Setting::PeerPortBase,
    Setting::RespPortBase,
    Setting::HttpLocations,
    Setting::DataDir,
    Setting::Ephemeral,
    Setting::Fresh,
    Setting::ShowLogs,
];

/// The settings of `herd local`, checked.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// The herd.
    pub topology: TopologyChoice,
    /// Where each server listens for Redis clients, in the order of the topology; nothing if none does.
    pub resp_listen: Vec<SocketAddr>,
    /// The folder for data, wire logs and logs, and the promise of a reply.
    pub durability: Durability,
    /// The given settings.
    pub values: Values,
    /// The settings for servers by flags, as they were written.
    pub passed_on: Vec<(Setting, String)>,
    /// The settings for servers by variables.
    pub secrets: Vec<(Setting, Secret)>,
}

impl LocalSettings {
    /// Reads and checks all settings, the topology file included. Binds and writes nothing.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let mut resolver = Resolver::new(Command::Local, flags, environment);
        let settings = resolve(&mut resolver);
        resolver.finish(settings)
    }
}

fn resolve(resolver: &mut Resolver<'_>) -> Option<LocalSettings> {
    let values = Values::resolve(resolver);
    let topology = topology_choice::resolve(resolver, &values);
    let durability = durability::resolve(resolver, &values, DATA_DIR.into());
    // The servers read it all again; checked here, a mistake is told once.
    places::resolve(resolver, &values)?;
    let given = Setting::of(Command::Local)
        .filter(|setting| !SAID_TO_EACH.contains(setting))
        .filter_map(|setting| Some((setting, resolver.given(setting)?.text)));
    let (passed_on, secrets): (Vec<_>, Vec<_>) = given.partition(|(setting, _)| setting.has_flag());
    let secrets = secrets.into_iter();
    let topology = topology?;
    Some(LocalSettings {
        resp_listen: resp_listen(resolver, &values, &topology)?,
        topology,
        durability,
        values,
        passed_on,
        secrets: secrets
            .map(|(setting, text)| (setting, Secret::new(text)))
            .collect(),
    })
}

/// The ports for Redis clients: from the base on, one for each server.
fn resp_listen(
    resolver: &mut Resolver<'_>,
    values: &Values,
    topology: &TopologyChoice,
) -> Option<Vec<SocketAddr>> {
    let default = match topology.made_from {
        MadeFrom::Builtin(bases) => {
            let above = RESP_PORT_BASE - CLIENT_PORT_BASE;
            Some(bases.client().saturating_add(above))
        }
        // It may run beside another herd.
        MadeFrom::File(_) => None,
    };
    let Some(base) = values.resp_port_base.unwrap_or(default) else {
        return Some(Vec::new());
    };
    let servers = topology.topology.servers().len();
    let ports: Option<Vec<u16>> = (0..servers)
        .map(|place| base.checked_add(u16::try_from(place).ok()?))
        .collect();
    let Some(ports) = ports else {
        let mistake = Mistake::Value {
            origin: resolver.origin(Setting::RespPortBase),
            text: base.to_string(),
            reason: format!("leaves no port for each of {servers} servers"),
        };
        resolver.mistake(mistake);
        return None;
    };
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    Some(ports.into_iter().map(local).collect())
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
        assert_eq!(settings.passed_on, []);
        assert_eq!(settings.resp_listen.len(), 5);
        assert_eq!(settings.resp_listen[4], "127.0.0.1:15004".parse().unwrap());
    }

    #[test]
    fn every_server_has_a_port_for_redis_clients_or_none_has() {
        let of = |base| load(&[(Setting::RespPortBase, base)], &[]);
        assert_eq!(of("off").unwrap().resp_listen, []);
        assert_eq!(of("7000").unwrap().resp_listen[1].port(), 7001);
        let error = of("65533").unwrap_err();
        assert!(
            error.contains("--resp-port-base: `65533` leaves no port for each of 5 servers"),
            "{error}"
        );
    }

    #[test]
    fn an_ephemeral_herd_has_no_folder() {
        let settings = load(&[(Setting::Ephemeral, "true")], &[]).unwrap();
        assert_eq!(settings.durability.data_dir, None);
        let settings = load(
            &[(Setting::Ephemeral, "true")],
            &[("HERD_EPHEMERAL", "false")],
        );
        assert_eq!(settings.unwrap().durability.data_dir, None);
        let settings = load(&[], &[("HERD_EPHEMERAL", "true")]);
        assert_eq!(settings.unwrap().durability.data_dir, None);
    }

    #[test]
    fn servers_get_everything_that_was_given() {
        let settings = load(
            &[(Setting::AckTimeout, "3s"), (Setting::DataDir, "d")],
            &[("HERD_LOG", "debug"), ("HERD_PLACES_KEY", "k")],
        );
        let settings = settings.unwrap();
        let passed_on = [(Setting::Log, "debug"), (Setting::AckTimeout, "3s")];
        assert_eq!(
            settings.passed_on,
            passed_on.map(|(setting, text)| (setting, text.to_owned()))
        );
        let [(Setting::PlacesKey, key)] = &settings.secrets[..] else {
            panic!("{settings:?}");
        };
        assert_eq!(key.reveal(), "k");
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
             ephemeral (--ephemeral) and data_dir (HERD_DATA_DIR) contradict each other: an ephemeral server writes nothing to disk"
        );
    }
}
