//! Which servers to ask, and where.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::commands::send::token;
use herd_server::access::Token;
use herd_server::config::{DATA_DIR, Setting};
use herd_topology::{HostPort, PortBases};

/// Options that name servers.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::commands) struct TargetOptions {
    /// Ask this server; may be given several times [default: those of `herd local` in this folder, else
    /// the built-in five]
    #[arg(long, value_name = "HTTP_HOST:PORT", conflicts_with = "topology")]
    to: Vec<HostPort>,
    /// Ask all servers of this topology file; or set HERD_TOPOLOGY
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// File with a token to show the servers; or set HERD_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// One server to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Target {
    /// Its HTTP port.
    pub(in crate::commands) at: String,
    /// Its name, as the topology has it.
    pub(in crate::commands) name: Option<String>,
}

impl TargetOptions {
    /// The servers that the options name, and the token to show them, if there is one.
    ///
    /// # Errors
    /// The topology file is none, or the token cannot be used. Nobody was asked.
    pub(in crate::commands) fn chosen(&self) -> Result<(Vec<Target>, Option<Token>), String> {
        let token = token::chosen(self.token_file.as_deref());
        let token = token.map_err(|error| error.to_string())?;
        Ok((self.targets()?, token))
    }

    fn targets(&self) -> Result<Vec<Target>, String> {
        let variable = std::env::var_os(Setting::Topology.variable());
        self.targets_beside(variable.filter(|path| !path.is_empty()))
    }

    /// [`TargetOptions::targets`] where the variable says this. Options win over it: it is there for servers.
    fn targets_beside(&self, variable: Option<OsString>) -> Result<Vec<Target>, String> {
        if !self.to.is_empty() {
            let named = self.to.iter().map(|at| Target {
                at: at.to_string(),
                name: None,
            });
            return Ok(named.collect());
        }
        let of_local = Path::new(DATA_DIR).join("topology");
        let named = self.topology.clone().or(variable.map(PathBuf::from));
        let file = named.or_else(|| of_local.is_file().then_some(of_local));
        let topology = match file {
            None => herd_topology::builtin(PortBases::default()),
            Some(path) => herd_topology::read(&path)
                .map_err(|error| format!("topology {}: {error}", path.display()))?,
        };
        let servers = topology.servers().iter().map(|server| Target {
            at: server.http.to_string(),
            name: Some(server.name.to_string()),
        });
        Ok(servers.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(to: &[&str], topology: Option<&str>) -> TargetOptions {
        TargetOptions {
            to: to.iter().map(|at| at.parse().unwrap()).collect(),
            topology: topology.map(PathBuf::from),
            token_file: None,
        }
    }

    #[test]
    fn without_options_it_is_the_builtin_herd() {
        let targets = options(&[], None).targets_beside(None).unwrap();
        assert_eq!(targets.len(), 5);
        assert_eq!(targets[4].at, "127.0.0.1:13004");
        assert_eq!(targets[4].name.as_deref(), Some("Singleton"));
    }

    #[test]
    fn servers_can_be_named_one_by_one() {
        let variable = Some("/nonexistent/topology".into());
        let targets = options(&["[::1]:3", "hill:4"], None).targets_beside(variable);
        let targets = targets.unwrap();
        let at: Vec<&str> = targets.iter().map(|target| target.at.as_str()).collect();
        assert_eq!(at, ["[::1]:3", "hill:4"]);
    }

    #[test]
    fn a_topology_that_is_none_is_a_mistake() {
        let path = "/nonexistent/topology";
        for mistake in [
            options(&[], Some(path)).targets_beside(None),
            options(&[], None).targets_beside(Some(path.into())),
        ] {
            let mistake = mistake.unwrap_err();
            assert!(
                mistake.starts_with("topology /nonexistent/topology: cannot read it"),
                "{mistake}"
            );
        }
    }
}
