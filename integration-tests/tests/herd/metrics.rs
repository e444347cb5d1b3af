//! `/metrics`: exactly the metrics of dashboard, alert rules and documents are exported.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use herd_integration_tests::{Herd, Topology, eventually, without_cluster};
use serde::Deserialize;

use crate::{NAMES, TIME, UCLA};

const OPERATIONS: &str = include_str!("../../../docs/operations.md");
const METRICS: &str = include_str!("../../../docs/metrics.md");
const DASHBOARD: &str = include_str!("../../../docs/monitoring/dashboard.json");
const ALERTS: &str = include_str!("../../../docs/monitoring/alerts.yaml");

/// Rises when the reply has been written.
const IAMATS_ANSWERED: &str = "herd_request_duration_seconds_count{command=\"iamat\"}";

/// One scrape.
pub(crate) struct Scrape {
    /// The kind of each metric.
    kinds: BTreeMap<String, String>,
    /// The value of each series, by name and labels as they are written.
    series: BTreeMap<String, f64>,
}

impl Scrape {
    pub(crate) async fn of(at: SocketAddr) -> Self {
        // The client wants to be able to encrypt. Fails if another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let reply = reqwest::get(format!("http://{at}/metrics")).await.unwrap();
        assert_eq!(reply.status().as_u16(), 200);
        assert_eq!(
            reply.headers()["content-type"],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        Self::parse(&reply.text().await.unwrap())
    }

    /// Takes a scrape apart, and holds it to the format on the way.
    fn parse(text: &str) -> Self {
        let mut kinds = BTreeMap::new();
        let mut helped = BTreeSet::new();
        let mut series = BTreeMap::new();
        for line in text.lines() {
            assert!(
                line.starts_with('#') || line.contains("{cluster=\""),
                "which herd? {line}"
            );
            let line = without_cluster(line);
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(help.ends_with('.'), "{line}");
                assert!(helped.insert(name.to_owned()), "twice: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(helped.contains(name), "no help: {line}");
                kinds.insert(name.to_owned(), kind.to_owned());
            } else {
                let (name, value) = line.rsplit_once(' ').unwrap();
                let value: f64 = value.parse().unwrap();
                assert!(
                    series.insert(name.to_owned(), value).is_none(),
                    "twice: {line}"
                );
                let sample = name.split('{').next().unwrap();
                let of_kind = |ending| {
                    let family = sample.strip_suffix(ending);
                    family.is_some_and(|family| kinds.contains_key(family))
                };
                let known = kinds.contains_key(sample)
                    || ["_bucket", "_sum", "_count"].into_iter().any(of_kind);
                assert!(known, "no type: {line}");
            }
        }
        Scrape { kinds, series }
    }

    pub(crate) fn get(&self, series: &str) -> f64 {
        let known = self.series.keys();
        assert!(self.series.contains_key(series), "no {series} in {known:?}");
        self.series[series]
    }

    /// Names of the samples that a query can ask for.
    fn samples(&self) -> BTreeSet<&str> {
        let names = self.series.keys().map(|name| name.split('{').next());
        names.flatten().collect()
    }
}

/// The names of metrics in an expression.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("herd_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Every text under a key of this name, however deep.
fn texts<'a>(json: &'a serde_json::Value, key: &str, found: &mut Vec<&'a str>) {
    match json {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if let (true, Some(text)) = (name == key, value.as_str()) {
                    found.push(text);
                }
                texts(value, key, found);
            }
        }
        serde_json::Value::Array(values) => {
            for value in values {
                texts(value, key, found);
            }
        }
        _ => {}
    }
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<RuleGroup>,
}

#[derive(Deserialize)]
struct RuleGroup {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    annotations: BTreeMap<String, String>,
}

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_saphyr::from_str(ALERTS).unwrap();
    rules
        .groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

/// A herd on disk whose Hill has heard three reports, two of them the same, and was asked for a client that is known and
/// for one that is not.
async fn busy_herd() -> Herd {
    let herd = Herd::builder(Topology::five()).on_disk().start().await;
    // Reports from before a server listens to gossip wait for it, and are not timed.
    for name in NAMES {
        herd.log(name).wait_for(0, &["gossip started"]).await;
    }
    let mut client = herd.client("Hill").await;
    client.report("kiwi", UCLA, TIME).await;
    client.report("kiwi", UCLA, TIME).await;
    client.find("kiwi").await;
    client.find("nobody").await;
    client
        .report("a_client_that_no_label_names", UCLA, TIME)
        .await;
    herd.agree(&NAMES, &["a_client_that_no_label_names".to_owned()])
        .await;
    herd
}

/// The metrics of Hill once its figures have caught up: a figure may come a moment after its event.
async fn settled_scrape(herd: &Herd) -> Scrape {
    let at = herd.server("Hill").addresses().http;
    let mut scrape = Scrape::of(at).await;
    eventually(
        "Hill has told its neighbours, and they have told it",
        async || {
            scrape = Scrape::of(at).await;
            ["Jaquez", "Smith"].into_iter().all(|name| {
                let lag = format!("herd_link_lag_groups{{neighbour=\"{name}\"}}");
                let alive = format!("herd_server_alive{{origin=\"{name}\"}}");
                scrape.series.get(&lag) == Some(&0.0) && scrape.series.get(&alive) == Some(&1.0)
            }) && scrape.get("herd_storage_sync_duration_seconds_count") > 0.0
                && scrape.get(IAMATS_ANSWERED) >= 3.0
        },
    )
    .await;
    scrape
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_of_dashboard_and_documents_are_exported() {
    let herd = busy_herd().await;
    let scrape = settled_scrape(&herd).await;
    asked_for_is_exported_and_the_reverse(&scrape);
    the_table_has_what_is_exported(&scrape);
    figures_are_right(&scrape);

    // Hill alone heard something, so Campbell got it all from there.
    let campbell = herd.server("Campbell").addresses().http;
    let travelled = |scrape: &Scrape, origin: &str| {
        scrape.get(&format!(
            "herd_propagation_seconds_count{{origin=\"{origin}\"}}"
        ))
    };
    let mut scrape = Scrape::of(campbell).await;
    eventually("Campbell has timed what came from Hill", async || {
        scrape = Scrape::of(campbell).await;
        travelled(&scrape, "Hill") >= 1.0
    })
    .await;
    assert_eq!(travelled(&scrape, "Smith"), 0.0);
}

/// Every metric that a panel or an alert asks for is exported, and every exported one is asked for.
fn asked_for_is_exported_and_the_reverse(scrape: &Scrape) {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 50, "{}", expressions.len());
    let rules = rules();
    expressions.extend(rules.iter().map(|rule| rule.expr.as_str()));
    let asked_for: BTreeSet<String> = expressions.into_iter().flat_map(metrics_in).collect();
    let samples = scrape.samples();
    let missing: Vec<&String> = asked_for
        .iter()
        .filter(|name| !samples.contains(name.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "asked for and not exported: {missing:?}"
    );
    // A metric in no panel is not worth its series.
    let unseen: Vec<&String> = scrape
        .kinds
        .keys()
        .filter(|name| {
            !asked_for
                .iter()
                .any(|asked| asked.starts_with(name.as_str()))
        })
        .collect();
    assert!(unseen.is_empty(), "exported and in no panel: {unseen:?}");
}

/// The table of docs/operations.md has each metric that is exported, with its kind, and no other.
fn the_table_has_what_is_exported(scrape: &Scrape) {
    // Each row begins with its metric, and goes on with its kind.
    let metric = |line: &'static str| {
        let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        let kinds = ["counter", "gauge", "histogram"];
        kinds.contains(&rest.split(' ').next()?).then_some(name)
    };
    let documented: BTreeSet<&str> = METRICS.lines().filter_map(metric).collect();
    let exported: BTreeSet<&str> = scrape.kinds.keys().map(String::as_str).collect();
    assert_eq!(documented, exported, "the tables of docs/metrics.md");
    for (name, kind) in &scrape.kinds {
        let row = format!("| `{name}` | {kind} |");
        assert!(METRICS.contains(&row), "no {row}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
    }
}

/// The figures of a [`busy_herd`] at Hill.
fn figures_are_right(scrape: &Scrape) {
    let named = scrape
        .series
        .keys()
        .any(|series| series.contains("no_label_names"));
    assert!(!named, "a client is named in a label");
    assert_eq!(scrape.get("herd_clients"), 2.0);
    let requests = |command: &str, outcome: &str| {
        scrape.get(&format!(
            "herd_requests_total{{command=\"{command}\",outcome=\"{outcome}\"}}"
        ))
    };
    assert_eq!(requests("iamat", "taken"), 3.0);
    assert!(requests("whatsat", "unknown") >= 1.0);
    assert!(requests("whatsat", "known") >= 1.0);
    assert_eq!(scrape.get(IAMATS_ANSWERED), 3.0);
    assert_eq!(scrape.get("herd_merges_total{outcome=\"new\"}"), 2.0);
    // Said twice is heard twice, and the earlier receipt stays.
    assert_eq!(scrape.get("herd_merges_total{outcome=\"tie_lost\"}"), 1.0);
    assert_eq!(scrape.get("herd_storage_state{state=\"open\"}"), 1.0);
    assert!(scrape.get("process_resident_memory_bytes") > 1e6);
}

/// Two herds in one Prometheus are told apart: no aggregation of an alert goes over both, and no panel shows both.
#[test]
fn herds_do_not_mix() {
    for rule in rules() {
        let expression = &rule.expr;
        for aggregation in ["sum", "max", "min", "avg", "count"] {
            for by in [" (", "("] {
                let over_all = format!("{aggregation}{by}");
                let mut calls = expression.match_indices(&over_all);
                let is_bare = calls.any(|(at, _)| {
                    !expression[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                });
                assert!(!is_bare, "{}: {expression}", rule.alert);
            }
        }
        for (_, labels) in expression
            .match_indices(" by (")
            .map(|(at, _)| (at, &expression[at + 5..]))
        {
            assert!(
                labels.starts_with("cluster"),
                "{}: {expression}",
                rule.alert
            );
        }
    }
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    for expression in expressions {
        let selectors = expression.matches("{job=~").count();
        let of_one_herd = expression.matches("cluster=\"$cluster\"").count();
        assert_eq!(selectors, of_one_herd, "{expression}");
    }
}

#[test]
fn every_alert_is_explained() {
    let headings: BTreeSet<String> = OPERATIONS
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for rule in rules() {
        let runbook = &rule.annotations["runbook"];
        assert!(headings.contains(runbook), "{}: no {runbook}", rule.alert);
        let url = &rule.annotations["runbook_url"];
        let end = format!("/operations.md#{runbook}");
        assert!(url.ends_with(&end), "{}: {url}", rule.alert);
        let row = format!("| [`{}`](#{runbook}) | ", rule.alert);
        assert!(OPERATIONS.contains(&row), "no row {row}");
        // In the text of its part of the runbook too.
        let name = format!("`{}`", rule.alert);
        assert!(
            OPERATIONS.matches(&name).count() >= 2,
            "{name} is in no runbook"
        );
    }
}
