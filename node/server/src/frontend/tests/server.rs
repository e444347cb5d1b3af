//! A frontend on a port of its own, and clients of it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::frontend::{Frontend, FrontendSettings, Protocol, Statistics};
use crate::location_service::{LocationService, ServiceSettings, ServiceStatistics};
use crate::settings::Values;
use crate::wire_log::WireLog;
use herd_acknowledgement::{AckLevel, Acknowledgements};
use herd_clock::clock::WallClock;
use herd_locations::Locations;
use herd_places::{NearbyQuery, Places};

/// Longer than any of these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a report may take to become safe.
pub(super) const ACK_TIMEOUT: Duration = Duration::from_millis(300);

/// The receipt time of the specification's example.
pub(super) const NOW_NS: i64 = 1_520_023_935_182_837_383;

/// The answer of the provider, with its newlines.
pub(super) const PLACES: &str = "{\n\n \"results\" : [],\n\n\n \"status\" : \"OK\"\n}\n\n";

/// The same as a client gets it.
pub(super) const PLACES_SENT: &str = "{\n \"results\" : [],\n \"status\" : \"OK\"\n}\n\n";

/// Threads for connections that send much at a time, of all tests.
static BULK: LazyLock<Runtime> = LazyLock::new(|| {
    let threads = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    threads.unwrap()
});

pub(super) struct TestClock(AtomicI64);

impl TestClock {
    pub(super) fn set(&self, ns: i64) {
        self.0.store(ns, Ordering::SeqCst);
    }
}

impl WallClock for TestClock {
    fn now_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A provider that answers at once, or one that answers when it is allowed to.
pub(super) struct TestPlaces {
    at_once: bool,
    pub(super) allowed: Semaphore,
    pub(super) asked: parking_lot::Mutex<Vec<NearbyQuery>>,
    pub(super) waiting: AtomicUsize,
    pub(super) waiting_max: AtomicUsize,
}

impl TestPlaces {
    pub(super) fn new(at_once: bool) -> Arc<Self> {
        Arc::new(TestPlaces {
            at_once,
            allowed: Semaphore::new(0),
            asked: parking_lot::Mutex::default(),
            waiting: AtomicUsize::new(0),
            waiting_max: AtomicUsize::new(0),
        })
    }

    /// Waits until one question waits for its answer.
    pub(super) async fn is_asked(&self) {
        eventually("the provider is asked", || {
            self.waiting.load(Ordering::SeqCst) == 1
        })
        .await;
    }
}

#[async_trait::async_trait]
impl Places for TestPlaces {
    fn nearby_at_once(&self, query: &NearbyQuery) -> Option<Bytes> {
        self.asked.lock().push(*query);
        self.at_once.then(|| Bytes::from_static(PLACES.as_bytes()))
    }

    async fn nearby(&self, query: NearbyQuery) -> Bytes {
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
        self.waiting_max.fetch_max(waiting, Ordering::SeqCst);
        self.allowed.acquire().await.unwrap().forget();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        assert!(query.results_max != 13, "this provider fears 13");
        Bytes::from(format!("{{\"radius\":{}}}", query.radius_m))
    }
}

pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    pub(super) locations: Arc<Locations>,
    pub(super) acknowledgements: Arc<Acknowledgements>,
    pub(super) clock: Arc<TestClock>,
    pub(super) statistics: Arc<Statistics>,
    pub(super) operations: Arc<LocationService>,
    pub(super) of_operations: Arc<ServiceStatistics>,
    pub(super) shutdown: CancellationToken,
    pub(super) serving: JoinHandle<()>,
}

impl TestServer {
    /// Hill, with a provider that answers at once.
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}, TestPlaces::new(true), None).await
    }

    pub(super) async fn start_slow() -> (Self, Arc<TestPlaces>) {
        let places = TestPlaces::new(false);
        (
            Self::start_with(|_| {}, Arc::clone(&places), None).await,
            places,
        )
    }

    pub(super) async fn start_with(
        set: impl FnOnce(&mut FrontendSettings),
        places: Arc<TestPlaces>,
        wire_log: Option<WireLog>,
    ) -> Self {
        Self::start_with_ack(set, places, wire_log, AckLevel::Memory).await
    }

    /// The same with replies that promise something.
    pub(super) async fn start_with_ack(
        set: impl FnOnce(&mut FrontendSettings),
        places: Arc<TestPlaces>,
        wire_log: Option<WireLog>,
        ack: AckLevel,
    ) -> Self {
        let mut settings = FrontendSettings::new(&Values::default());
        // So that connections move in all tests that send much.
        settings.bulk = Some(BULK.handle().clone());
        set(&mut settings);
        let of_service = ServiceSettings::new("Hill".into(), &Values::default());
        Self::start_all(settings, of_service, places, (wire_log, ack)).await
    }

    /// The same with other settings of the operations.
    pub(super) async fn start_with_service(
        set: impl FnOnce(&mut ServiceSettings),
        places: Arc<TestPlaces>,
    ) -> Self {
        let settings = FrontendSettings::new(&Values::default());
        let mut of_service = ServiceSettings::new("Hill".into(), &Values::default());
        set(&mut of_service);
        Self::start_all(settings, of_service, places, (None, AckLevel::Memory)).await
    }

    /// The same for Redis clients.
    pub(super) async fn start_resp(
        set: impl FnOnce(&mut FrontendSettings),
        (wire_log, ack): (Option<WireLog>, AckLevel),
    ) -> Self {
        let mut settings = FrontendSettings::new(&Values::default());
        settings.bulk = Some(BULK.handle().clone());
        set(&mut settings);
        let of_service = ServiceSettings::new("Hill".into(), &Values::default());
        let places = TestPlaces::new(true);
        let spoken = (Protocol::Resp, wire_log, ack);
        Self::start_speaking(settings, of_service, places, spoken).await
    }

    /// The same with other settings of the operations.
    pub(super) async fn start_resp_with_service(
        set: impl FnOnce(&mut ServiceSettings),
        ack: AckLevel,
    ) -> Self {
        let settings = FrontendSettings::new(&Values::default());
        let mut of_service = ServiceSettings::new("Hill".into(), &Values::default());
        set(&mut of_service);
        let spoken = (Protocol::Resp, None, ack);
        Self::start_speaking(settings, of_service, TestPlaces::new(true), spoken).await
    }

    async fn start_all(
        settings: FrontendSettings,
        of_service: ServiceSettings,
        places: Arc<TestPlaces>,
        (wire_log, ack): (Option<WireLog>, AckLevel),
    ) -> Self {
        let spoken = (Protocol::Text, wire_log, ack);
        Self::start_speaking(settings, of_service, places, spoken).await
    }

    async fn start_speaking(
        settings: FrontendSettings,
        of_service: ServiceSettings,
        places: Arc<TestPlaces>,
        (protocol, wire_log, ack): (Protocol, Option<WireLog>, AckLevel),
    ) -> Self {
        let acknowledgements = Arc::new(Acknowledgements::new(ack, ACK_TIMEOUT));
        let locations = Arc::new(Locations::default());
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_NS)));
        let service = Arc::new(LocationService::new(
            of_service,
            Arc::clone(&locations),
            Arc::clone(&acknowledgements),
            places,
        ));
        let of_operations = Arc::clone(service.statistics());
        let operations = Arc::clone(&service);
        let frontend = Frontend::new(settings, service, Arc::clone(&clock) as _, wire_log);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let statistics = frontend.statistics();
        let token = shutdown.clone();
        let serving = tokio::spawn(frontend.serve(listener, protocol, token));
        TestServer {
            address,
            locations,
            acknowledgements,
            clock,
            statistics,
            operations,
            of_operations,
            shutdown,
            serving,
        }
    }

    pub(super) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream }
    }

    /// All that the server answers to `input` before it closes.
    pub(super) async fn answers(&self, input: impl AsRef<[u8]>) -> Vec<u8> {
        let mut client = self.connect().await;
        client.send(input).await;
        client.end().await
    }

    /// The same as text.
    pub(super) async fn says(&self, input: impl AsRef<[u8]>) -> String {
        String::from_utf8(self.answers(input).await).unwrap()
    }
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
}

impl Client {
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Half-closes and reads the rest of the server's replies.
    pub(super) async fn end(mut self) -> Vec<u8> {
        self.stream.shutdown().await.unwrap();
        self.rest().await
    }

    pub(super) async fn rest(mut self) -> Vec<u8> {
        let mut all = Vec::new();
        soon(self.stream.read_to_end(&mut all)).await.unwrap();
        all
    }

    /// Reads exactly the expected bytes.
    pub(super) async fn expect(&mut self, text: &str) {
        let mut bytes = vec![0; text.len()];
        soon(self.stream.read_exact(&mut bytes)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }
}

/// Waits for something that must happen.
pub(super) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it did not happen")
}

/// Waits for a condition.
pub(super) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
