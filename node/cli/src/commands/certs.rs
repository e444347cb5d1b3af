//! `herd certs`: an authority, certificates for the servers of a topology, and their renewal.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::Output;
use super::report;
use crate::exit_code;
use herd_clock::clock::{SystemClock, WallClock as _};
use herd_tls::authority::{
    AUTHORITY_DAYS, Authority, CERTIFICATE_DAYS, DAYS_MAX, Issued, can_be_named,
};
use herd_tls::folder::CertificateFolder;
use herd_tls::name::LinkName;
use herd_tls::{TlsError, date};
use herd_topology::{
    Host, HostPort, InvalidAddress, PortBases, Server, Topology, TopologyFileError,
};

/// `herd certs ...`.
#[derive(Debug, Args)]
pub(super) struct CertsArgs {
    #[command(subcommand)]
    command: CertsCommand,
}

#[derive(Debug, Subcommand)]
enum CertsCommand {
    /// Make an authority, and a certificate for every server of the topology
    ///
    /// Existing files are not overwritten. Servers need the files of the folder, but not its folder signing: the
    /// authority's key can make certificates for every server.
    New(ServerCertificateArgs),
    /// Make certificates for the servers of the topology that have none
    Add(ServerCertificateArgs),
    /// Replace the certificates of all servers of the topology, by the authority of now
    ///
    /// The hosts of the earlier certificates stay in them.
    Renew(ServerCertificateArgs),
    /// Make another authority, and trust it beside those before
    ///
    /// The first of three steps. Then, with each step's files at all servers before the next: `renew`
    /// makes certificates by the new authority, and `retire` ends the trust in those before.
    Rotate(CertificateArgs),
    /// Trust the authority of now only, once all servers have its certificates
    Retire(CertificatePlace),
    /// Show the certificates and their ends
    Show(CertificatePlace),
    /// Make a certificate for a client of the client port
    Client {
        #[command(flatten)]
        made: CertificateArgs,
        /// Name of the client, and of the files
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Debug, Args)]
struct CertificatePlace {
    /// Topology file [default: the built-in five servers]
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
    /// Folder for the certificates [default: the folder certs beside the topology file, or in this one]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CertificateArgs {
    #[command(flatten)]
    place: CertificatePlace,
    /// How long certificates are valid; an authority is for ten years, or as long if that is more
    #[arg(
        long, value_name = "DAYS", default_value_t = CERTIFICATE_DAYS,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(DAYS_MAX))
    )]
    days: u32,
}

#[derive(Debug, Args)]
struct ServerCertificateArgs {
    #[command(flatten)]
    made: CertificateArgs,
    /// Host under which clients also reach the servers, such as a service or a load balancer; may be given several
    /// times
    #[arg(long = "host", value_name = "HOST", value_parser = host)]
    hosts: Vec<Host>,
}

/// A host name or an IP address, without a port.
fn host(text: &str) -> Result<Host, InvalidAddress> {
    if let Ok(ip) = text.parse() {
        return Ok(Host::Ip(ip));
    }
    // Any port makes an address of a host.
    format!("{text}:1")
        .parse()
        .map(|address: HostPort| address.host)
}

/// Why a command about certificates was not carried out.
#[derive(Debug, thiserror::Error)]
enum CertsError {
    #[error("topology {}: {error}", path.display())]
    Topology {
        path: PathBuf,
        error: TopologyFileError,
    },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("`{0}` is not a name: use letters, digits, `-` and `.`")]
    ClientName(String),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

pub(super) fn run(args: &CertsArgs) -> u8 {
    match carry_out(&args.command) {
        Ok(()) => exit_code::OK,
        Err(CertsError::Output(error)) => report::cannot_print(&error),
        Err(error) => {
            report::complain(&error);
            match error {
                CertsError::Tls(TlsError::Write { .. }) => exit_code::IO,
                _ => exit_code::USAGE,
            }
        }
    }
}

fn carry_out(command: &CertsCommand) -> Result<(), CertsError> {
    let (CertsCommand::New(ServerCertificateArgs {
        made: CertificateArgs { place, days },
        ..
    })
    | CertsCommand::Add(ServerCertificateArgs {
        made: CertificateArgs { place, days },
        ..
    })
    | CertsCommand::Renew(ServerCertificateArgs {
        made: CertificateArgs { place, days },
        ..
    })
    | CertsCommand::Rotate(CertificateArgs { place, days })
    | CertsCommand::Client {
        made: CertificateArgs { place, days },
        ..
    }) = command
    else {
        let (CertsCommand::Retire(place) | CertsCommand::Show(place)) = command else {
            return Ok(());
        };
        let herd = Herd::open(place)?;
        if matches!(command, CertsCommand::Retire(_)) {
            herd.retire()?;
        }
        return herd.show();
    };
    let herd = Herd::open(place)?;
    match command {
        CertsCommand::New(ServerCertificateArgs { hosts, .. }) => herd.make_all(*days, hosts)?,
        CertsCommand::Add(ServerCertificateArgs { hosts, .. }) => {
            let authority = herd.folder.read_authority()?;
            let lacking = |server: &&Server| herd.folder.lacks(&server.name);
            herd.issue(&authority, *days, hosts, lacking)?;
        }
        CertsCommand::Renew(ServerCertificateArgs { hosts, .. }) => {
            let authority = herd.folder.read_authority()?;
            herd.issue(&authority, *days, hosts, |_| true)?;
        }
        CertsCommand::Rotate(_) => {
            // Without one before there is nothing to rotate.
            herd.folder.read_authority()?;
            let authority = herd.make_authority(*days)?;
            // Trusted before it signs.
            herd.folder.trust(&authority, true)?;
            herd.folder.write_authority(&authority)?;
        }
        CertsCommand::Client { name, .. } => return herd.make_client(name, *days),
        CertsCommand::Retire(_) | CertsCommand::Show(_) => {}
    }
    herd.show()
}

/// A topology, and the folder with its certificates.
struct Herd {
    topology: Topology,
    folder: CertificateFolder,
    now_s: i64,
}

impl Herd {
    fn open(place: &CertificatePlace) -> Result<Self, CertsError> {
        let topology = match &place.topology {
            None => herd_topology::builtin(PortBases::default()),
            Some(path) => herd_topology::read(path).map_err(|error| CertsError::Topology {
                path: path.clone(),
                error,
            })?,
        };
        let beside = place.topology.as_deref().unwrap_or(Path::new(""));
        let path = place.out.clone();
        let path = path.unwrap_or_else(|| CertificateFolder::beside(beside));
        Ok(Herd {
            topology,
            folder: CertificateFolder::new(&path),
            now_s: SystemClock.now_ns().div_euclid(1_000_000_000),
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.topology.servers().iter().map(|server| &*server.name)
    }

    fn make_authority(&self, days: u32) -> Result<Authority, TlsError> {
        let days = days.max(AUTHORITY_DAYS);
        Authority::make(self.topology.cluster(), self.now_s, days)
    }

    fn make_all(&self, days: u32, hosts: &[Host]) -> Result<(), TlsError> {
        self.folder.check_empty(self.names())?;
        self.folder.make()?;
        let authority = self.make_authority(days)?;
        self.folder.write_authority(&authority)?;
        self.issue(&authority, days, hosts, |_| true)?;
        self.folder.trust(&authority, false)
    }

    fn issue(
        &self,
        authority: &Authority,
        days: u32,
        more_hosts: &[Host],
        wanted: impl Fn(&&Server) -> bool,
    ) -> Result<(), TlsError> {
        for server in self.topology.servers().iter().filter(wanted) {
            let name = LinkName::new(self.topology.cluster(), &server.name);
            let hosts = self.hosts(server, more_hosts);
            let issued = authority.issue(&name, &hosts, self.now_s, days)?;
            self.folder.write_server(&server.name, &issued)?;
        }
        Ok(())
    }

    /// The hosts of a server's certificate: that of the topology, those that were asked for, and those that its present
    /// certificate has.
    fn hosts(&self, server: &Server, more: &[Host]) -> Vec<Host> {
        let present = self.folder.facts(&server.name).ok().flatten();
        let present = present.map(|facts| facts.hosts).unwrap_or_default();
        let present = present.iter().filter_map(|text| host(text).ok());
        let own = std::iter::once(server.client.host.clone());
        let mut hosts: Vec<Host> = Vec::new();
        for host in own.chain(more.iter().cloned()).chain(present) {
            if can_be_named(&host) && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    fn retire(&self) -> Result<(), TlsError> {
        let authority = self.folder.read_authority()?;
        for name in self.names() {
            if !self.folder.is_signed_by(name, &authority, self.now_s)? {
                return Err(TlsError::NotRenewed(name.to_owned()));
            }
        }
        self.folder.trust(&authority, false)
    }

    fn make_client(&self, name: &str, days: u32) -> Result<(), CertsError> {
        let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        if name.is_empty() || name.len() > 63 || !name.bytes().all(valid) || name.starts_with('.') {
            return Err(CertsError::ClientName(name.to_owned()));
        }
        let file = format!("{name}.client");
        self.folder.check_free(&file)?;
        let authority = self.folder.read_authority()?;
        let issued: Issued = authority.issue_client(name, self.now_s, days)?;
        self.folder.write_server(&file, &issued)?;
        let certificate = self.folder.certificate(&file);
        writeln!(
            Output::stdout(),
            "{} until {}, with its key {}",
            certificate.display(),
            date(issued.expires_s),
            self.folder.key(&file).display()
        )?;
        Ok(())
    }

    /// A certificate: its owner and its end.
    fn show(&self) -> Result<(), CertsError> {
        let mut out = Output::stdout();
        let width = self.names().map(str::len).max().unwrap_or(0).max(9);
        writeln!(out, "{}", self.folder.path().display())?;
        for facts in self.folder.trusted_facts()? {
            writeln!(
                out,
                "  {:width$}  until {}",
                "authority",
                self.end(facts.expires_s)
            )?;
        }
        for name in self.names() {
            match self.folder.facts(name)? {
                Some(facts) => writeln!(
                    out,
                    "  {name:width$}  until {}  {}",
                    self.end(facts.expires_s),
                    facts.names_shown()
                )?,
                None => writeln!(out, "  {name:width$}  has no certificate")?,
            }
        }
        Ok(())
    }

    fn end(&self, expires_s: i64) -> String {
        let left_s = expires_s.saturating_sub(self.now_s);
        if left_s < 0 {
            return format!("{} (expired)", date(expires_s));
        }
        format!("{} ({} days)", date(expires_s), left_s / (24 * 3_600))
    }
}
