//! `herd serve`: one server, from its settings to its end.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::pipe;
use tokio::runtime;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error, info, warn};

use super::options::{Serve, SettingFlags};
use super::stop_signals::{StopSignal, StopSignals};
use super::{report, stdin_pipe};
use crate::exit_code;
use herd_locations::Room;
use herd_server::client_threads::{ClientHandles, ClientThreads};
use herd_server::config::ServeSettings;
use herd_server::control::ControlSocketError;
use herd_server::listeners::BoundSockets;
use herd_server::memory::MemoryLimit;
use herd_server::open_files::TooFew;
use herd_server::server::{ServerError, Stop};
use herd_server::service_manager::ServiceManager;
use herd_server::settings::{Command, Environment};
use herd_server::{logging, open_files, private_process, server};
use herd_storage::DataFolderError;

/// How long a server may take to stop, after its drain delay. `herd local` waits a little longer
/// before it kills, and so must a container platform.
pub const STOP_GRACE: Duration = Duration::from_secs(8);

/// The arguments of `herd serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    settings: SettingFlags<Serve>,
    /// Stop when the other end of standard input, a pipe, is closed
    ///
    /// For a process that starts servers and must not be outlived by them.
    #[arg(long, hide_short_help = true)]
    stop_on_stdin_eof: bool,
}

pub(super) fn run(args: &ServeArgs) -> u8 {
    let kept_private = private_process::keep_private();
    let environment = Environment::of_process();
    let settings = match ServeSettings::load(args.settings.given(), &environment) {
        Ok(settings) => settings,
        Err(mistakes) => {
            let flags = args.settings.given();
            let format = report::log_format(Command::Serve, flags, &environment);
            report::complain_in(format, mistakes);
            return exit_code::USAGE;
        }
    };
    let log = match logging::init(&settings.log, &settings.name) {
        Ok(log) => log,
        Err(error) => {
            report::complain_in(settings.log.format, error);
            return exit_code::INTERNAL;
        }
    };
    let status = run_logged(args, settings, &environment, kept_private);
    log.close();
    status
}

/// From here on nothing but the log's thread writes to standard error.
fn run_logged(
    args: &ServeArgs,
    mut settings: ServeSettings,
    environment: &Environment,
    kept_private: nix::Result<()>,
) -> u8 {
    if let Some(warning) = report::unknown_variables(environment, Command::Serve) {
        warn!("{warning}");
    }
    if let Err(error) = kept_private {
        warn!("cannot switch core dumps off: {error}");
    }
    if let Err(error) = share_open_files(&mut settings) {
        error!("nothing was started: {error}");
        return exit_code::SYSTEM;
    }
    fit_memory(&mut settings);
    let runtime = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("nothing was started: cannot create threads: {error}");
            return exit_code::INTERNAL;
        }
    };
    let client_threads = match ClientThreads::start(settings.values.client_threads) {
        Ok(threads) => threads,
        Err(error) => {
            error!("nothing was started: cannot create threads for clients: {error}");
            return exit_code::INTERNAL;
        }
    };
    let clients = client_threads.handles();
    let status = runtime.block_on(serve(settings, clients, args.stop_on_stdin_eof));
    // A task that still blocks after the grace period must not keep the process alive.
    client_threads.shutdown_background();
    runtime.shutdown_background();
    status
}

/// Raises the limit of open files, and gives the rest of it to clients.
fn share_open_files(settings: &mut ServeSettings) -> Result<(), TooFew> {
    let limit = open_files::raise_limit().or_else(|error| {
        warn!("cannot raise the limit of open files: {error}");
        open_files::limits().map(|(soft, _)| soft)
    });
    let Ok(limit) = limit else {
        return Ok(());
    };
    let shares = settings.share_open_files(limit)?;
    let wanted = settings.limits.connections_max;
    if shares.clients < wanted {
        warn!(
            connections_max = wanted,
            "connections of clients are fewer: {shares}"
        );
    } else {
        debug!("{shares}");
    }
    settings.limits.lower_connections(shares.clients);
    Ok(())
}

/// Lets the number of clients follow the memory, and says how many it will be.
fn fit_memory(settings: &mut ServeSettings) {
    let memory = MemoryLimit::of_process();
    let limits = &mut settings.limits;
    limits.fit_memory(memory);
    let Room {
        clients_max,
        bytes_max,
    } = limits.room.room;
    info!(
        max_clients = clients_max,
        max_client_bytes = bytes_max,
        memory_bytes = memory.map(|memory| memory.bytes),
        "{}",
        limits.room
    );
    if let Some(warning) = limits.room.warning() {
        warn!("{warning}");
    }
}

/// The start parameters of a server, and its signals to stop.
struct Prepared {
    signals: StopSignals,
    /// The pipe whose end stops the server too.
    parent: Option<pipe::Receiver>,
    bound: BoundSockets,
}

impl Prepared {
    /// Listens for signals, then binds the ports.
    ///
    /// # Errors
    /// The exit status, where that fails; the log says why.
    fn new(settings: &ServeSettings, stop_on_stdin_eof: bool) -> Result<Self, u8> {
        let signals = StopSignals::install_for_servers().map_err(|error| {
            error!("nothing was started: cannot listen for signals: {error}");
            exit_code::INTERNAL
        })?;
        let parent = stop_on_stdin_eof.then(stdin_pipe::open).transpose();
        let parent = parent.map_err(|error| {
            error!(
                "--stop-on-stdin-eof: standard input is not a pipe, and nothing was started: {error}"
            );
            exit_code::USAGE
        })?;
        let bound = BoundSockets::bind(
            settings.client_listen,
            settings.peer_listen,
            settings.http.listen,
            settings.resp_listen,
        );
        let bound = bound.map_err(|errors| {
            for error in errors {
                error!("{error}");
            }
            exit_code::UNAVAILABLE
        })?;
        Ok(Prepared {
            signals,
            parent,
            bound,
        })
    }
}

async fn serve(settings: ServeSettings, clients: ClientHandles, stop_on_stdin_eof: bool) -> u8 {
    let prepared = Prepared::new(&settings, stop_on_stdin_eof);
    let Prepared {
        mut signals,
        mut parent,
        bound,
    } = match prepared {
        Ok(prepared) => prepared,
        Err(status) => return status,
    };
    let mut stopping = Stopping {
        stop: Stop {
            reopen: signals.reopen(),
            manager: service_manager(),
            ..Stop::default()
        },
        drain_delay: settings.values.drain_delay,
        drained: None,
        deadline: None,
    };
    let mut serving = pin!(server::run(settings, bound, clients, stopping.stop.clone()));
    loop {
        let told_to_stop = tokio::select! {
            ended = &mut serving => return match ended {
                Ok(()) => {
                    info!("stopped");
                    exit_code::OK
                }
                Err(error) => {
                    error!("{error}");
                    exit_status(&error)
                }
            },
            signal = signals.next() => Told::Signal(signal),
            () = stdin_pipe::closed(parent.as_mut()), if !stopping.has_begun() => {
                Told::StdinClosed
            }
            () = until(stopping.drained) => {
                stopping.drained();
                continue;
            }
            () = until(stopping.deadline) => {
                error!(
                    "did not stop within {STOP_GRACE:?} and ends as it is: clients are cut off, and their last \
                     reports may not be on disk or at a neighbour"
                );
                return exit_code::INTERNAL;
            }
        };
        if stopping.has_begun() {
            warn!(
                "{told_to_stop} while stopping: ending at once; the last reports of clients \
                 may not be on disk or at a neighbour"
            );
            return exit_code::INTERRUPTED;
        }
        stopping.begin(&told_to_stop);
    }
}

/// The service manager that started this process, such as systemd.
fn service_manager() -> Option<Arc<ServiceManager>> {
    match ServiceManager::of(|name| std::env::var_os(name)) {
        Ok(manager) => manager.map(Arc::new),
        Err(error) => {
            warn!("NOTIFY_SOCKET: cannot tell the service manager anything: {error}");
            None
        }
    }
}

/// How far the stop of a server is.
struct Stopping {
    stop: Stop,
    /// How long it goes on accepting after SIGTERM.
    drain_delay: Duration,
    /// When that is over, once it was told to stop.
    drained: Option<Instant>,
    /// When it must have ended, once it was told to stop.
    deadline: Option<Instant>,
}

impl Stopping {
    fn has_begun(&self) -> bool {
        self.deadline.is_some()
    }

    fn begin(&mut self, told: &Told) {
        let now = Instant::now();
        // Only a platform that sends SIGTERM has endpoints that follow this server's readiness.
        let delay = match told {
            Told::Signal(StopSignal::Terminate) => self.drain_delay,
            Told::Signal(StopSignal::Interrupt | StopSignal::Hangup) | Told::StdinClosed => {
                Duration::ZERO
            }
        };
        self.stop.drain.cancel();
        if delay.is_zero() {
            info!("{told}: stopping");
            self.stop.stop.cancel();
        } else {
            info!("{told}: not ready; accepts connections for another {delay:?}");
            self.drained = Some(now + delay);
        }
        self.deadline = Some(now + delay + STOP_GRACE);
    }

    fn drained(&mut self) {
        info!("drained: stopping");
        self.drained = None;
        self.stop.stop.cancel();
    }
}

/// The cause of a stop.
enum Told {
    Signal(StopSignal),
    StdinClosed,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Signal(signal) => signal.fmt(f),
            Told::StdinClosed => f.write_str("end of standard input"),
        }
    }
}

fn exit_status(error: &ServerError) -> u8 {
    match error {
        ServerError::Superseded => exit_code::SUPERSEDED,
        ServerError::Certificates(_) => exit_code::USAGE,
        ServerError::WireLog(_) | ServerError::DiskHangs(_) => exit_code::IO,
        ServerError::DataFolder(DataFolderError::InUse { .. }) => exit_code::UNAVAILABLE,
        ServerError::DataFolder(DataFolderError::Io { .. }) => exit_code::IO,
        ServerError::DataFolder(_) => exit_code::DATA_FOLDER,
        ServerError::ControlSocket(ControlSocketError::Taken(_)) => exit_code::UNAVAILABLE,
        ServerError::ControlSocket(_) => exit_code::IO,
        ServerError::Panicked | ServerError::Ended(_) | ServerError::Places(_) => {
            exit_code::INTERNAL
        }
    }
}

/// Returns at `deadline`; never, without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
