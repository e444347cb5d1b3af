//! One connection to the client port of a server, for `herd send` and commands like it.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::net::TcpStream;

use super::options::{Send, SettingFlags};
use super::send::tls_options::TlsOptions;
use super::send::token::{self, TokenError};
use crate::exit_code;
use herd_gossip::link::network::LinkStream;
use herd_server::access::Token;
use herd_server::settings::{
    Command, ConfigError, DATA_DIR, Environment, Mistake, Resolver, Setting, Values, duration,
};
use herd_tls::TlsFault;
use herd_topology::{HostPort, PortBases, Topology, builtin};

/// The server refused the question or the token.
pub(super) const EXIT_REFUSED: u8 = 1;

/// Which server, and how to reach it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConnectArgs {
    #[command(flatten)]
    settings: SettingFlags<Send>,
    /// How long to try to connect
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub(super) connect_timeout: Duration,
    #[command(flatten)]
    tls: TlsOptions,
}

/// A connection on which nothing but a token was sent.
pub(super) struct Connected {
    /// The server, as it was named.
    pub(super) to: String,
    pub(super) stream: Box<dyn LinkStream>,
}

/// Why there is no connection, and the exit status for that.
#[derive(Debug)]
pub(super) struct NotConnected {
    pub(super) status: u8,
    pub(super) message: String,
}

/// Why the server could not be reached.
#[derive(Debug, thiserror::Error)]
enum Unreached {
    #[error(transparent)]
    Tcp(io::Error),
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

impl NotConnected {
    fn new(status: u8, message: impl ToString) -> Self {
        NotConnected {
            status,
            message: message.to_string(),
        }
    }

    fn unreachable(to: &str, reason: &dyn std::fmt::Display) -> Self {
        let message = format!("cannot connect to {to}: {reason}; is a server running there?");
        NotConnected::new(exit_code::UNAVAILABLE, message)
    }
}

impl ConnectArgs {
    /// Connects, with TLS if that is asked for, and shows the token if there is one.
    ///
    /// # Errors
    /// Says why there is no connection. No command was sent.
    pub(super) async fn connect(
        &self,
        environment: &Environment,
    ) -> Result<Connected, NotConnected> {
        let (to, token) = self
            .server_and_token(environment)
            .map_err(|error| NotConnected::new(exit_code::USAGE, error))?;
        self.connect_to(&to, token.as_ref()).await
    }

    /// The same with a server of [`ConnectArgs::servers_and_token`].
    ///
    /// # Errors
    /// As there.
    pub(super) async fn connect_to(
        &self,
        to: &str,
        token: Option<&Token>,
    ) -> Result<Connected, NotConnected> {
        let tls = self.tls.client(to);
        let tls = tls.map_err(|error| NotConnected::new(exit_code::USAGE, error))?;
        let connecting = async {
            let stream = TcpStream::connect(to).await.map_err(Unreached::Tcp)?;
            // Pipelined lines go out as they come; if this fails, writing will say why.
            let _ = stream.set_nodelay(true);
            Ok::<_, Unreached>(match tls {
                None => Box::new(stream) as Box<dyn LinkStream>,
                Some((tls, host)) => Box::new(tls.connect(stream, &host).await?),
            })
        };
        let connected = tokio::time::timeout(self.connect_timeout, connecting).await;
        let mut stream = match connected {
            Ok(Ok(stream)) => stream,
            Ok(Err(Unreached::Tcp(error))) => return Err(NotConnected::unreachable(to, &error)),
            Ok(Err(Unreached::Tls(fault))) => {
                let message = format!("cannot connect to {to} with TLS: {fault}");
                return Err(NotConnected::new(exit_code::UNAVAILABLE, message));
            }
            Err(_) => {
                let waited = humantime::format_duration(self.connect_timeout);
                let reason = format!("no answer within {waited}");
                return Err(NotConnected::unreachable(to, &reason));
            }
        };
        if let Some(token) = token {
            let shown = token::show(&mut stream, token).await;
            shown.map_err(|error| NotConnected::new(status_of(&error), error))?;
        }
        Ok(Connected {
            to: to.to_owned(),
            stream,
        })
    }

    /// The ports of all named servers, and the token to show there.
    ///
    /// # Errors
    /// Says which arguments are wrong.
    pub(super) fn servers_and_token(
        &self,
        environment: &Environment,
    ) -> Result<(Vec<String>, Option<Token>), NotConnected> {
        let mut resolver = Resolver::new(Command::Send, self.settings.given(), environment);
        let named = named(Values::resolve(&mut resolver).to);
        let token = token::chosen(&mut resolver);
        let servers = named.iter().map(ToString::to_string).collect();
        let chosen = resolver.finish(Some((servers, token)));
        chosen.map_err(|error| NotConnected::new(exit_code::USAGE, error))
    }

    /// The ports of the servers that are named, else of all servers of the `herd local` in this folder or of the built-in
    /// topology, and the token to show there.
    ///
    /// # Errors
    /// Says which arguments are wrong.
    pub(super) fn herd_and_token(
        &self,
        environment: &Environment,
    ) -> Result<(Vec<String>, Option<Token>), NotConnected> {
        let mut resolver = Resolver::new(Command::Send, self.settings.given(), environment);
        let named = Values::resolve(&mut resolver).to;
        let token = token::chosen(&mut resolver);
        let servers = named.unwrap_or_else(|| {
            let topology = topology_here();
            let servers = topology.servers().iter();
            servers.map(|server| server.client.clone()).collect()
        });
        let servers = servers.iter().map(ToString::to_string).collect();
        let chosen = resolver.finish(Some((servers, token)));
        chosen.map_err(|error| NotConnected::new(exit_code::USAGE, error))
    }

    /// The server's port, and the token to show there.
    fn server_and_token(
        &self,
        environment: &Environment,
    ) -> Result<(String, Option<Token>), ConfigError> {
        let mut resolver = Resolver::new(Command::Send, self.settings.given(), environment);
        let values = Values::resolve(&mut resolver);
        let token = token::chosen(&mut resolver);
        let named = named(values.to);
        let server = match &named[..] {
            [server] => Some(server.to_string()),
            _ => {
                resolver.mistake(Mistake::Untold {
                    origin: resolver.origin(Setting::To),
                    reason: "names several servers, and commands go to one".to_owned(),
                });
                None
            }
        };
        resolver.finish(server.map(|server| (server, token)))
    }
}

/// The topology of the `herd local` in this folder, else the built-in one.
pub(super) fn topology_here() -> Topology {
    let file = Path::new(DATA_DIR).join("topology");
    let found = file.is_file().then(|| herd_topology::read(&file).ok());
    found
        .flatten()
        .unwrap_or_else(|| builtin(PortBases::default()))
}

/// Those that were named, or the first server here.
fn named(to: Option<Vec<HostPort>>) -> Vec<HostPort> {
    to.unwrap_or_else(|| {
        let topology = topology_here();
        let first = topology.servers().first();
        first
            .map(|server| server.client.clone())
            .into_iter()
            .collect()
    })
}

fn status_of(error: &TokenError) -> u8 {
    match error {
        TokenError::Refused => EXIT_REFUSED,
        _ => exit_code::IO,
    }
}

#[cfg(test)]
impl ConnectArgs {
    /// The server that is meant.
    pub(super) fn server(&self, environment: &Environment) -> Result<String, String> {
        let chosen = self.server_and_token(environment);
        chosen
            .map(|(server, _)| server)
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Parsed {
        #[command(flatten)]
        connect: ConnectArgs,
    }

    #[test]
    fn commands_go_to_one_server() {
        let parsed = Parsed::try_parse_from(["send"]).unwrap();
        let server = |variable: &str| {
            let environment = Environment::new([("HERD_TO".into(), variable.into())]);
            parsed.connect.server(&environment)
        };
        assert_eq!(server(""), Ok("127.0.0.1:12000".to_owned()));
        assert_eq!(server("variable:1"), Ok("variable:1".to_owned()));
        let several = server("a:1,b:2").unwrap_err();
        assert!(several.contains("HERD_TO: names several"), "{several}");
    }
}
