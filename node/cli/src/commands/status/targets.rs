//! Which servers to ask, and where.

use std::path::{Path, PathBuf};

use crate::commands::options::{SettingFlags, Status};
use crate::commands::send::tls_options::TlsOptions;
use crate::commands::send::token;
use herd_server::access::Token;
use herd_server::settings::{
    Command, ConfigError, DATA_DIR, Environment, Mistake, Origin, Resolver, Setting, Source as _,
};
use herd_topology::{HTTP_PORT_BASE, HostPort, InvalidAddress, PortBases, builtin};

/// Options that name servers.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::commands) struct TargetOptions {
    /// Ask this server; may be given several times [default: those of `herd local` in this folder, else
    /// the built-in five]
    #[arg(long, value_name = "HTTP_HOST[:PORT]", conflicts_with = "topology", value_parser = http_address)]
    to: Vec<HostPort>,
    #[command(flatten)]
    settings: SettingFlags<Status>,
    #[command(flatten)]
    pub(in crate::commands) tls: TlsOptions,
}

/// An address of a server's HTTP port; without a port it is the first of the built-in herd.
fn http_address(text: &str) -> Result<HostPort, InvalidAddress> {
    HostPort::parse_or_port(text, HTTP_PORT_BASE)
}

/// One server to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct StatusTarget {
    /// Its HTTP port.
    pub(in crate::commands) at: String,
    /// Its name, as the topology has it.
    pub(in crate::commands) name: Option<String>,
}

impl TargetOptions {
    /// Whether options name the servers.
    pub(in crate::commands) fn are_named(&self) -> bool {
        !self.to.is_empty() || self.settings.given().get(Setting::Topology).is_some()
    }

    /// The servers that options and variables name, and the token to show them, if there is one.
    ///
    /// # Errors
    /// The topology file is invalid, or the token cannot be used. No server was asked.
    pub(in crate::commands) fn chosen(
        &self,
        environment: &Environment,
    ) -> Result<(Vec<StatusTarget>, Option<Token>), ConfigError> {
        let mut resolver = Resolver::new(Command::Status, self.settings.given(), environment);
        let token = token::chosen(&mut resolver);
        let targets = self.targets(&mut resolver);
        resolver.finish(targets.map(|targets| (targets, token)))
    }

    /// The servers that an option names one by one, else those of a topology.
    fn targets(&self, resolver: &mut Resolver<'_>) -> Option<Vec<StatusTarget>> {
        if !self.to.is_empty() {
            let named = self.to.iter().map(|at| StatusTarget {
                at: at.to_string(),
                name: None,
            });
            return Some(named.collect());
        }
        let of_local = Path::new(DATA_DIR).join("topology");
        let of_local = of_local.is_file().then_some((of_local, Origin::Default));
        let named = resolver.given(Setting::Topology);
        let file = named
            .map(|given| (PathBuf::from(given.text), given.origin))
            .or(of_local);
        let topology = match file {
            None => builtin(PortBases::default()),
            Some((path, origin)) => match herd_topology::read(&path) {
                Ok(topology) => topology,
                Err(error) => {
                    resolver.mistake(Mistake::Topology {
                        origin,
                        path,
                        error,
                    });
                    return None;
                }
            },
        };
        let servers = topology.servers().iter().map(|server| StatusTarget {
            at: server.http.to_string(),
            name: Some(server.name.to_string()),
        });
        Some(servers.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use herd_server::settings::Flags;

    /// The targets of options, beside a variable that names a topology.
    fn targets(
        to: &[&str],
        topology: Option<&str>,
        variable: &str,
    ) -> Result<Vec<StatusTarget>, String> {
        let flags = Flags::new([(Setting::Topology, topology.map(str::to_owned))]);
        let options = TargetOptions {
            to: to.iter().map(|at| at.parse().unwrap()).collect(),
            settings: flags.into(),
            tls: TlsOptions::default(),
        };
        let environment = Environment::new([("HERD_TOPOLOGY".into(), variable.into())]);
        let chosen = options.chosen(&environment);
        chosen
            .map(|(targets, _)| targets)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_options_the_target_is_the_builtin_herd() {
        let targets = targets(&[], None, "").unwrap();
        assert_eq!(targets.len(), 5);
        assert_eq!(targets[4].at, "127.0.0.1:13004");
        assert_eq!(targets[4].name.as_deref(), Some("Singleton"));
    }

    #[test]
    fn servers_can_be_named_one_by_one() {
        let targets = targets(&["[::1]:3", "hill:4"], None, "/nonexistent/topology");
        let targets = targets.unwrap();
        let at: Vec<&str> = targets.iter().map(|target| target.at.as_str()).collect();
        assert_eq!(at, ["[::1]:3", "hill:4"]);
    }

    #[test]
    fn a_topology_that_is_none_is_a_mistake() {
        let (flag, variable) = ("/nonexistent/flag", "/nonexistent/variable");
        for (mistake, told) in [
            (
                targets(&[], Some(flag), variable),
                "--topology: cannot read topology /nonexistent/flag",
            ),
            (
                targets(&[], None, variable),
                "HERD_TOPOLOGY: cannot read topology /nonexistent/variable",
            ),
        ] {
            let mistake = mistake.unwrap_err();
            assert!(mistake.contains(told), "{mistake}");
        }
    }
}
