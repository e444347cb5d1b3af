//! `herd check-config`: everything that `herd serve` does before it starts anything, and what the topology withstands.

use std::fmt;
use std::io::Write as _;

use clap::Args;

use super::options::{Serve, SettingFlags};
use super::output::Output;
use super::report;
use crate::exit_code;
use herd_server::config::ServeSettings;
use herd_server::memory::MemoryLimit;
use herd_server::open_files;
use herd_server::settings::{Command, Environment};
use herd_text::printable::Printable;
use herd_topology::{Loss, Topology};

/// Losses that are printed; more are only counted as that.
const LOSSES_MAX: usize = 20;

#[derive(Clone, Debug, Args)]
pub(super) struct CheckConfigArgs {
    #[command(flatten)]
    settings: SettingFlags<Serve>,
    /// Servers that are lost together, as those of a zone: says whom that cuts off. May be repeated
    #[arg(long = "zone", value_name = "SERVER,SERVER")]
    zones: Vec<String>,
}

pub(super) fn run(args: &CheckConfigArgs) -> u8 {
    let flags = &args.settings;
    let environment = Environment::of_process();
    if let Some(warning) = report::unknown_variables(&environment, Command::Serve) {
        report::complain(format_args!("warning: {warning}"));
    }
    match ServeSettings::load(flags.given(), &environment) {
        Ok(settings) => {
            for warning in &settings.warnings {
                report::complain(format_args!("warning: {warning}"));
            }
            let losses = match losses(&settings.topology, &args.zones) {
                Ok(losses) => losses,
                Err(unknown) => {
                    report::complain(unknown);
                    return exit_code::USAGE;
                }
            };
            match write!(Output::stdout(), "{settings}{losses}") {
                Ok(()) => this_machine_suffices(&settings),
                Err(error) => report::cannot_print(&error),
            }
        }
        Err(mistakes) => {
            report::complain(mistakes);
            exit_code::USAGE
        }
    }
}

/// What the loss of one server, of two and of each zone does to the herd, a line each.
fn losses(topology: &Topology, zones: &[String]) -> Result<String, UnknownServer> {
    let mut lines = String::new();
    let critical = topology.critical_losses(LOSSES_MAX + 1);
    for loss in critical.iter().take(LOSSES_MAX) {
        lines.push_str(&line("", loss, topology));
    }
    if critical.len() > LOSSES_MAX {
        lines.push_str("  and more such losses\n");
    }
    if critical.is_empty() {
        lines.push_str("no loss of one or two servers cuts others off\n");
    }
    for zone in zones {
        let names = zone.split(',').map(str::trim);
        let lost = names.map(|name| {
            let unknown = || UnknownServer(name.to_owned());
            topology.index_of(name).ok_or_else(unknown)
        });
        let loss = topology.loss_of(&lost.collect::<Result<Vec<_>, _>>()?);
        lines.push_str(&line("zone: ", &loss, topology));
    }
    Ok(lines)
}

fn line(what: &str, loss: &Loss, topology: &Topology) -> String {
    let names = |servers: &[usize]| {
        let named = servers
            .iter()
            .filter_map(|&server| topology.servers().get(server));
        let names: Vec<&str> = named.map(|server| &*server.name).collect();
        names.join(", ")
    };
    let cut_off = match loss.cut_off.is_empty() {
        true => "nobody".to_owned(),
        false => names(&loss.cut_off),
    };
    format!(
        "{what}the loss of {} cuts off {cut_off}\n",
        names(&loss.lost)
    )
}

/// A zone has a server that the topology has not.
#[derive(Debug)]
struct UnknownServer(String);

impl fmt::Display for UnknownServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "--zone: the topology has no server {}",
            Printable(self.0.as_bytes())
        )
    }
}

/// Prints the effect of this machine's memory and of its limit of open files on a server.
fn this_machine_suffices(settings: &ServeSettings) -> u8 {
    let mut limits = settings.limits.clone();
    limits.fit_memory(MemoryLimit::of_process());
    if let Err(error) = writeln!(Output::stdout(), "here it {}", limits.room) {
        return report::cannot_print(&error);
    }
    if let Some(warning) = limits.room.warning() {
        report::complain(format_args!("warning: {warning}"));
    }
    let Ok((_, limit)) = open_files::limits() else {
        return exit_code::OK;
    };
    match settings.share_open_files(limit) {
        Ok(shares) => {
            if shares.clients < settings.limits.connections_max {
                report::complain(format_args!(
                    "warning: connections of clients are fewer than connections_max: {shares}"
                ));
            }
            exit_code::OK
        }
        Err(error) => {
            report::complain(error);
            exit_code::SYSTEM
        }
    }
}
