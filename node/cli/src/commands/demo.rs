//! `herd demo`: something to look at. Vans drive through a city and report to the servers of a herd.

mod farewell;
mod fleet;

use std::io::{self, Write as _};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::runtime;
use tokio::time::{self, Instant, MissedTickBehavior, timeout};

use self::farewell::forget_command;
use self::fleet::Fleet;
use super::connect::{ConnectArgs, Connected, NotConnected};
use super::interval::interval;
use super::output::Output;
use super::report::{self, cannot_print};
use super::stop_signals::StopSignals;
use crate::exit_code;
use herd_clock::clock::{SystemClock, WallClock as _};
use herd_crdt::ReportTime;
use herd_gossip::link::network::LinkStream;
use herd_server::access::Token;
use herd_server::settings::Environment;

/// The most vans: more are a load, for which there is `herd bench`.
const VANS_MAX: u32 = 1_000;

/// What the ids of vans begin with: clients of a person's own are hardly called so.
const VAN: &str = "demo-van-";

/// How long a server may take to take the reports of one moment.
const WRITE_WAIT_MAX: Duration = Duration::from_secs(5);

/// The pause before a server that was lost is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Bytes of replies that are read, and dropped, at a time.
const READ_BYTES: usize = 16 * 1024;

/// Options of `herd demo`.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    connect: ConnectArgs,
    /// How many vans drive, up to 1000
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=i64::from(VANS_MAX)))]
    vans: u32,
    /// The time between two reports of a van, from 50ms to 1h
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
}

/// Runs `herd demo` until it is stopped, and returns its exit status.
pub(super) fn run(args: DemoArgs) -> u8 {
    let environment = Environment::of_process();
    let (servers, token) = match args.connect.herd_and_token(&environment) {
        Ok(named) => named,
        Err(NotConnected { status, message }) => return failed(status, &message),
    };
    let running = runtime::Builder::new_current_thread().enable_all().build();
    let status = running.and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = StopSignals::install()?;
            let mut demo = Demo::new(args, servers, token);
            let status = tokio::select! {
                status = demo.run() => status,
                _ = signals.next() => demo.farewell(),
            };
            Ok(status)
        })
    });
    status.unwrap_or_else(|error: io::Error| {
        failed(exit_code::INTERNAL, &format!("cannot start: {error}"))
    })
}

fn failed(code: u8, message: &str) -> u8 {
    report::complain_of("herd demo", message);
    code
}

/// Both directions of a connection.
type Halves = (
    ReadHalf<Box<dyn LinkStream>>,
    WriteHalf<Box<dyn LinkStream>>,
);

/// A server, and the connection to it if there is one.
struct Server {
    address: String,
    connection: Option<Halves>,
    next_attempt: Instant,
}

struct Demo {
    args: DemoArgs,
    token: Option<Token>,
    servers: Vec<Server>,
    fleet: Fleet,
    rng: StdRng,
}

impl Demo {
    fn new(args: DemoArgs, servers: Vec<String>, token: Option<Token>) -> Self {
        let mut rng = StdRng::seed_from_u64(rand::random());
        let now = Instant::now();
        let server = |address| Server {
            address,
            connection: None,
            next_attempt: now,
        };
        Demo {
            fleet: Fleet::new(args.vans as usize, &mut rng),
            servers: servers.into_iter().map(server).collect(),
            args,
            token,
            rng,
        }
    }

    /// Reports again and again. Returns only if no server can be reached at the start, or nothing can be printed.
    async fn run(&mut self) -> u8 {
        if let Some(NotConnected { status, message }) = self.connect().await
            && self.connected().count() == 0
        {
            return failed(status, &message);
        }
        let servers: Vec<&str> = self.connected().map(|server| &*server.address).collect();
        let (vans, servers) = (self.args.vans, servers.join(", "));
        let every = humantime::format_duration(self.args.interval);
        let line = format!(
            "{vans} vans, {VAN}1 to {VAN}{vans}, drive through Berlin and report every {every} to {servers}; Ctrl-C \
             stops them\n"
        );
        if let Err(error) = Output::stdout().write_all(line.as_bytes()) {
            return cannot_print(&error);
        }
        let mut ticks = time::interval(self.args.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Instant::now();
        loop {
            tokio::select! {
                now = ticks.tick() => {
                    let passed = now.saturating_duration_since(last);
                    last = now;
                    self.fleet.advance(passed, &mut self.rng);
                    if let Some(lost) = self.connect().await {
                        report::complain_of("herd demo", lost.message);
                    }
                    self.report().await;
                }
                place = hear(&mut self.servers) => self.lose(place, "it has closed the connection"),
            }
        }
    }

    fn connected(&self) -> impl Iterator<Item = &Server> {
        self.servers
            .iter()
            .filter(|server| server.connection.is_some())
    }

    /// Connects to every server that is due, and returns the last reason why one could not be reached.
    async fn connect(&mut self) -> Option<NotConnected> {
        let mut last = None;
        for server in &mut self.servers {
            if server.connection.is_some() || Instant::now() < server.next_attempt {
                continue;
            }
            let connecting = self
                .args
                .connect
                .connect_to(&server.address, self.token.as_ref());
            match connecting.await {
                Ok(Connected { stream, .. }) => server.connection = Some(tokio::io::split(stream)),
                Err(fault) => {
                    server.next_attempt = Instant::now() + AGAIN_AFTER;
                    last = Some(fault);
                }
            }
        }
        last
    }

    /// Sends the report of each van to one of the servers that are there.
    async fn report(&mut self) {
        let time = ReportTime::of_ns(SystemClock.now_ns()).to_text();
        let places: Vec<usize> = (0..self.servers.len())
            .filter(|&place| self.servers[place].connection.is_some())
            .collect();
        let mut texts = vec![String::new(); places.len()];
        for (van, location) in self.fleet.locations().enumerate() {
            if let Some(at) = van.checked_rem(places.len()) {
                texts[at].push_str(&format!("IAMAT {VAN}{} {location} {time}\n", van + 1));
            }
        }
        for (place, text) in places.into_iter().zip(texts) {
            let Some((_, write_half)) = &mut self.servers[place].connection else {
                continue;
            };
            let sending = async {
                write_half.write_all(text.as_bytes()).await?;
                write_half.flush().await
            };
            match timeout(WRITE_WAIT_MAX, sending).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.lose(place, &error.to_string()),
                Err(_) => self.lose(place, "it takes no reports"),
            }
        }
    }

    fn lose(&mut self, place: usize, reason: &str) {
        let server = &mut self.servers[place];
        server.connection = None;
        server.next_attempt = Instant::now() + AGAIN_AFTER;
        let address = server.address.clone();
        let message = match self.connected().count() {
            0 => format!("lost {address}: {reason}; trying again"),
            _ => format!("lost {address}: {reason}; its vans report to the other servers"),
        };
        report::complain_of("herd demo", message);
    }

    /// What a person may want to know after the vans have stopped.
    fn farewell(&self) -> u8 {
        let server = self.connected().chain(&self.servers).next();
        let server = server.map_or("", |server| &*server.address);
        let arguments = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let forget = forget_command(arguments, server);
        let vans = self.args.vans;
        let line = format!(
            "the vans stay where they are; to remove them: {forget} $(seq -f {VAN}%.0f {vans})\n"
        );
        match Output::stdout().write_all(line.as_bytes()) {
            Ok(()) => exit_code::OK,
            Err(error) => cannot_print(&error),
        }
    }
}

/// Reads replies and drops them. Resolves with the place of a server that has closed its connection.
async fn hear(servers: &mut [Server]) -> usize {
    let reading = servers
        .iter_mut()
        .enumerate()
        .filter_map(|(place, server)| {
            let (read_half, _) = server.connection.as_mut()?;
            Some(Box::pin(async move {
                let mut replies = vec![0; READ_BYTES];
                while matches!(read_half.read(&mut replies).await, Ok(1..)) {}
                place
            }))
        });
    let reading: Vec<_> = reading.collect();
    if reading.is_empty() {
        return std::future::pending().await;
    }
    futures_util::future::select_all(reading).await.0
}
