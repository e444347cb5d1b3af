//! Collects a [`Status`] at the moment of a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use herd_crdt::Outcome;
use tokio::time::Instant;

use super::document::{
    CertificateStatus, ClientStatus, LinkStatus, MapStatus, OtherServer, PlacesStatus,
    ProcessStatus, STATUS_VERSION, SearchStatus, Status, StorageStatus, ToldLink, TopologyStatus,
    WatchStatus,
};
use crate::config::ServeSettings;
use crate::frontend::{Statistics, Word};
use crate::http::Health;
use crate::location_service::LocationService;
use crate::metrics::process;
use herd_acknowledgement::AckLevel;
use herd_clock::clock::{self, SharedClock};
use herd_gossip::links::Links;
use herd_gossip::neighbour::Neighbour;
use herd_places::{PlacesSettings, ProviderName};
use herd_protocol::EndReason;
use herd_replica::status::MemberStatus;
use herd_replication::figures::Figures;
use herd_replication::store_handle::StoreHandle;
use herd_replication::storing::StorageState;
use herd_replication::view::ReplicationView;
use herd_tls::status::TlsStatus;
use herd_topology::Topology;

/// Where the facts are.
pub struct StatusSource {
    topology: Arc<Topology>,
    links: Arc<Links>,
    replication: Arc<Figures>,
    store: Arc<StoreHandle>,
    service: Arc<LocationService>,
    health: Arc<Health>,
    clock: SharedClock,
    ack: AckLevel,
    places: PlacesStatus,
    frontend: Arc<Statistics>,
    tls: TlsStatus,
    started: Instant,
}

/// Parts of a server that tell of themselves in its status.
pub struct StatusParts<'a> {
    /// Links, figures and store.
    pub replication: &'a ReplicationView,
    /// The map and the answers to commands.
    pub service: Arc<LocationService>,
    /// Whether it is ready.
    pub health: Arc<Health>,
    /// Connections and commands of clients.
    pub frontend: Arc<Statistics>,
    /// Certificates.
    pub tls: TlsStatus,
    /// The wall clock.
    pub clock: SharedClock,
}

impl StatusSource {
    /// The facts about a server that starts now.
    #[must_use]
    pub fn new(settings: &ServeSettings, parts: StatusParts<'_>) -> Self {
        let StatusParts {
            replication,
            service,
            health,
            frontend,
            tls,
            clock,
        } = parts;
        StatusSource {
            topology: settings.topology.clone(),
            links: replication.links.clone(),
            replication: replication.figures.clone(),
            store: replication.store.clone(),
            service,
            health,
            clock,
            ack: settings.durability.ack,
            places: places_status(&settings.places),
            frontend,
            tls,
            started: Instant::now(),
        }
    }

    /// The current status.
    #[must_use]
    pub fn look(&self) -> Status {
        let me = self.links.incarnation();
        let not_ready = self.health.ready().err();
        let names = || self.topology.servers().iter().map(|server| &*server.name);
        let members = self.replication.status().members;
        let locations = self.service.locations();
        Status {
            version: STATUS_VERSION,
            cluster: self.topology.cluster().to_string(),
            server: me.server.to_string(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: hex(me.generation),
            time: clock::rfc3339_millis(self.clock.now_ns()),
            uptime_s: self.started.elapsed().as_secs(),
            ready: not_ready.is_none(),
            not_ready_because: not_ready.map(|reason| reason.to_string()),
            map: MapStatus {
                clients: locations.len() as u64,
                tombstones: locations.tombstones() as u64,
                updates: [Outcome::New, Outcome::Newer, Outcome::TieWon]
                    .map(|outcome| locations.outcomes().get(outcome))
                    .iter()
                    .sum(),
                pending: locations.pending_len() as u64,
                slowed: locations.admission().is_overloaded(),
            },
            topology: TopologyStatus {
                servers: names().map(str::to_owned).collect(),
                links: self.links_of_topology(),
            },
            servers: names()
                .filter(|name| **name != *me.server)
                .map(|name| self.other_server(name, &members))
                .collect(),
            links: self
                .links
                .neighbours()
                .iter()
                .map(|neighbour| self.link(neighbour))
                .collect(),
            storage: self.storage(),
            places: self.places.clone(),
            clients: self.clients(),
            process: ProcessStatus {
                resident_bytes: process::look().resident_bytes,
            },
            certificates: CertificateStatus {
                links_end: self.tls.links_expire_s().map(rfc3339),
                clients_end: self.tls.clients_expire_s().map(rfc3339),
            },
            searches: self.searches(),
            watches: self.watches(),
        }
    }

    fn clients(&self) -> ClientStatus {
        let views = Word::ALL.map(|word| self.frontend.latency(word).view());
        ClientStatus {
            connections: self.frontend.connections_open.load(Ordering::Relaxed),
            commands: views.iter().map(|view| view.count).sum(),
            commands_s: views.iter().map(|view| view.sum_s).sum(),
        }
    }

    fn searches(&self) -> SearchStatus {
        let counted = &self.service.statistics().searches;
        SearchStatus {
            answered: counted.durations.view().count,
            candidates: counted.candidates.load(Ordering::Relaxed),
            hits: counted.hits.load(Ordering::Relaxed),
            in_flight: self.service.searches_in_flight() as u64,
        }
    }

    fn watches(&self) -> WatchStatus {
        let counted = &self.service.statistics().watches;
        WatchStatus {
            under_way: self.service.watch_figures().watchers as u64,
            begun: counted.begun.load(Ordering::Relaxed),
            too_slow: counted.ended[EndReason::Slow as usize].load(Ordering::Relaxed),
            lines: counted.told.load(Ordering::Relaxed),
        }
    }

    fn links_of_topology(&self) -> Vec<[String; 2]> {
        let servers = self.topology.servers();
        let ends =
            |link: &herd_topology::Link| [link.a, link.b].map(|end| servers[end].name.to_string());
        self.topology.links().iter().map(ends).collect()
    }

    fn other_server(&self, name: &str, members: &[MemberStatus]) -> OtherServer {
        let newest = members
            .iter()
            .filter(|member| *member.sighting.incarnation.server == *name)
            .max_by_key(|member| member.sighting.incarnation.generation);
        let Some(member) = newest else {
            return OtherServer {
                name: name.to_owned(),
                alive: false,
                incarnation: None,
                version_known: 0,
                version_merged: 0,
                lag_groups: None,
                last_heard_ms: None,
                records: 0,
                links: Vec::new(),
            };
        };
        let incarnation = &member.sighting.incarnation;
        let merged = self.links.merged(incarnation);
        let known = self.links.known_version(incarnation).max(merged);
        let of_name = members
            .iter()
            .filter(|member| *member.sighting.incarnation.server == *name);
        OtherServer {
            name: name.to_owned(),
            alive: !member.gone,
            incarnation: Some(hex(incarnation.generation)),
            version_known: known,
            version_merged: merged,
            lag_groups: Some(known - merged),
            last_heard_ms: Some(millis(
                Instant::now()
                    .into_std()
                    .saturating_duration_since(member.last_live),
            )),
            records: of_name.map(|member| member.relied_on_by as u64).sum(),
            links: self.told_links(member),
        }
    }

    fn told_links(&self, member: &MemberStatus) -> Vec<ToldLink> {
        let words = member.words();
        let name = &member.sighting.incarnation.server;
        let links = self.topology.neighbours(name).filter_map(|neighbour| {
            let word = words.get(&*neighbour.name)?;
            Some(ToldLink {
                neighbour: neighbour.name.to_string(),
                up: word.up,
                lag_groups: word.lag_groups,
            })
        });
        links.collect()
    }

    fn link(&self, neighbour: &Neighbour) -> LinkStatus {
        let status = neighbour.status().borrow().clone();
        let counts = &neighbour.counts;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let now_ns = self.clock.now_ns();
        LinkStatus {
            neighbour: neighbour.config.name.to_string(),
            address: neighbour.config.address.clone(),
            dials: neighbour.config.dials,
            up: status.up.is_some(),
            since_s: neighbour.changed_at().elapsed().as_secs(),
            last_reason: neighbour.trouble(),
            incarnation: status.up.map(|incarnation| hex(incarnation.generation)),
            protocol_version: status.protocol.map(|protocol| protocol.version),
            protocol_features: status
                .protocol
                .map(|protocol| protocol.features.to_string()),
            lag_groups: self.links.lag_of(neighbour),
            reported_ms: neighbour.report_age().map(millis),
            clock_offset_ms: neighbour
                .clock_offset_ns(now_ns)
                .map(|offset_ns| offset_ns / 1_000_000),
            reconnects: count(&counts.connects).saturating_sub(1),
            dropped: count(&counts.messages_dropped),
            pushes: count(&counts.pushes),
            rounds: count(&counts.rounds),
            rounds_timed_out: count(&counts.rounds_timed_out),
            frames_out: count(&counts.frames_sent),
            frames_in: count(&counts.frames_received),
            bytes_out: count(&counts.bytes_sent),
            bytes_in: count(&counts.bytes_received),
        }
    }

    fn storage(&self) -> StorageStatus {
        let storage = self.store.state();
        let (state, error) = match &*storage.borrow() {
            StorageState::Ephemeral => ("ephemeral", None),
            StorageState::Loading => ("loading", None),
            StorageState::Open => ("open", None),
            StorageState::Failed(error) => ("failed", Some(error.to_string())),
        };
        StorageStatus {
            state: state.to_owned(),
            error,
            ack: self.ack.to_string(),
        }
    }
}

fn places_status(places: &PlacesSettings) -> PlacesStatus {
    let Some(online) = &places.online else {
        return PlacesStatus {
            provider: ProviderName::Embedded.to_string(),
            fallback: None,
        };
    };
    let fallback = if online.fallback { "embedded" } else { "off" };
    PlacesStatus {
        provider: online.service.provider().to_string(),
        fallback: Some(fallback.to_owned()),
    }
}

/// A time in seconds since the POSIX epoch, as RFC 3339.
fn rfc3339(time_s: i64) -> String {
    clock::rfc3339_millis(time_s.saturating_mul(1_000_000_000))
}

fn hex(generation: u64) -> String {
    format!("{generation:016x}")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
