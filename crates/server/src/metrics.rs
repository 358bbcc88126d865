//! Prometheus metrics of the HTTP side. There is one histogram per operation and class of status, made when the first
//! answer of that class is given; after that a request takes no lock on a table and allocates no label.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use grunddata_model::OwnerKey;
use grunddata_store::{BATCH_SIZES, PeerRow, PeerStatus, StoreMetrics};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::hooks::HookState;
use crate::runner::Silent;

const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    operation: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabel {
    code: String,
}

/// What others count themselves.
#[derive(Default)]
pub(crate) struct Gauges<'a> {
    /// Searches that wait for a thread.
    pub(crate) waiting: usize,
    /// Threads that search.
    pub(crate) busy: usize,
    /// Requests that wait for changes.
    pub(crate) followers: usize,
    /// Sources of which nothing has been heard for too long.
    pub(crate) silent: &'a [Silent],
    /// Deliveries to subscriptions.
    pub(crate) hooks: Option<&'a HookState>,
    /// Peers, as they stood when it was last looked.
    pub(crate) peers: &'a [PeerRow],
    /// The present instant, in microseconds.
    pub(crate) now: i64,
}

/// The metrics of one server.
pub(crate) struct Metrics {
    operations: Vec<(String, [OnceLock<Histogram>; 4])>,
    requests: Family<Labels, Histogram>,
    problems: Family<ProblemLabel, Counter<u64, AtomicU64>>,
    lockouts: Counter<u64, AtomicU64>,
    registry: Registry,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics")
            .field("operations", &self.operations.len())
            .finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics for these operations, in this order.
    pub(crate) fn new<'a>(operations: impl Iterator<Item = &'a str>) -> Self {
        let mut registry = Registry::with_prefix("grunddata");
        let family = Family::<Labels, Histogram>::new_with_constructor(|| {
            // 0.1 ms to 6.5 s
            Histogram::new((0..9).map(|step| 0.0001 * 4f64.powi(step)))
        });
        registry.register(
            "http_request_duration_seconds",
            "Time from the first byte of a request to its answer",
            family.clone(),
        );
        let problems = Family::default();
        registry.register(
            "http_problems",
            "Refused requests by problem type",
            problems.clone(),
        );
        let lockouts = Counter::default();
        registry.register(
            "lockouts",
            "How often an address was locked out for refused tokens",
            lockouts.clone(),
        );
        let operations = operations
            // `get{Record}` of the table is one operation whatever the domain: `getRecord`.
            .map(|operation| (operation.replace(['{', '}'], ""), Default::default()))
            .collect();
        Self {
            operations,
            requests: family,
            problems,
            lockouts,
            registry,
        }
    }

    /// Notes one answer.
    pub(crate) fn observe(&self, operation: usize, status: u16, took: Duration) {
        let class = match status {
            200..300 => 0,
            300..400 => 1,
            400..500 => 2,
            _ => 3,
        };
        let Some((operation, classes)) = self.operations.get(operation) else {
            return;
        };
        let (Some(histogram), Some(status)) = (classes.get(class), CLASSES.get(class)) else {
            return;
        };
        let made = || {
            let labels = Labels {
                operation: operation.clone(),
                status: (*status).to_owned(),
            };
            self.requests.get_or_create(&labels).clone()
        };
        histogram.get_or_init(made).observe(took.as_secs_f64());
    }

    /// Notes one refusal.
    pub(crate) fn problem(&self, code: &str) {
        self.problems
            .get_or_create(&ProblemLabel {
                code: code.to_owned(),
            })
            .inc();
    }

    /// Counts the times that an address was locked out.
    pub(crate) fn lockouts(&self) -> Counter<u64, AtomicU64> {
        self.lockouts.clone()
    }

    /// The text form (OpenMetrics), with what others count themselves. Only owners that `named` accepts are named.
    pub(crate) fn encode(
        &self,
        store: &StoreMetrics,
        gauges: &Gauges<'_>,
        named: impl Fn(&OwnerKey) -> bool,
    ) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        prometheus_client::encoding::text::encode_registry(&mut out, &self.registry)?;
        for (name, help, value) in [
            (
                "read_pool_waiting",
                "Searches and traversals that wait for a thread",
                gauges.waiting,
            ),
            (
                "read_pool_busy",
                "Threads that search or traverse",
                gauges.busy,
            ),
            (
                "followers",
                "Requests that wait for changes, in streams and long polls",
                gauges.followers,
            ),
            (
                "write_queue_length",
                "Writes that wait to be committed",
                store.queue_length,
            ),
            (
                "reader_connections",
                "Database connections held by readers",
                store.reader_connections,
            ),
        ] {
            gauge(&mut out, name, help)?;
            writeln!(out, "grunddata_{name} {value}")?;
        }
        for (name, help, value) in [
            (
                "write_retries",
                "Batches repeated because the database was busy or lost",
                store.retries,
            ),
            (
                "write_jobs",
                "Writes answered, refused ones included",
                store.jobs,
            ),
        ] {
            writeln!(
                out,
                "# HELP grunddata_{name} {help}.\n# TYPE grunddata_{name} counter\ngrunddata_{name}_total {value}"
            )?;
        }
        writeln!(
            out,
            "# HELP grunddata_write_batch_size Writes committed together.\n# TYPE grunddata_write_batch_size histogram"
        )?;
        let bounds = BATCH_SIZES
            .iter()
            .map(ToString::to_string)
            .chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&store.batch_sizes) {
            writeln!(
                out,
                "grunddata_write_batch_size_bucket{{le=\"{bound}\"}} {count}"
            )?;
        }
        writeln!(
            out,
            "grunddata_write_batch_size_sum {}\ngrunddata_write_batch_size_count {}",
            store.jobs, store.batches
        )?;
        writeln!(
            out,
            "# HELP grunddata_write_batch_seconds Time spent on batches, from taking the writes to the commit.\n# TYPE grunddata_write_batch_seconds counter\ngrunddata_write_batch_seconds_total {}",
            store.batch_seconds
        )?;
        writeln!(
            out,
            "# HELP grunddata_write_tree_seconds Time of that spent on the trees of the logs.\n# TYPE grunddata_write_tree_seconds counter\ngrunddata_write_tree_seconds_total {}",
            store.tree_seconds
        )?;
        gauge(
            &mut out,
            "log_positions",
            "Last positions that this process has written in the logs of all owners, added up",
        )?;
        writeln!(
            out,
            "grunddata_log_positions {}",
            store.positions.values().sum::<u64>()
        )?;
        gauge(
            &mut out,
            "log_position",
            "Last position of an owner's log that this process has written; for its administrators",
        )?;
        for (owner, position) in store.positions.iter().filter(|(owner, _)| named(owner)) {
            writeln!(
                out,
                "grunddata_log_position{{owner=\"{owner}\"}} {position}"
            )?;
        }
        gauge(
            &mut out,
            "sources_silent",
            "Sources of which nothing has been heard for longer than their schedule allows",
        )?;
        writeln!(out, "grunddata_sources_silent {}", gauges.silent.len())?;
        gauge(
            &mut out,
            "source_silent",
            "A source of which nothing has been heard for too long; for administrators of its owner",
        )?;
        for source in gauges.silent.iter().filter(|source| named(&source.owner)) {
            writeln!(
                out,
                "grunddata_source_silent{{owner=\"{}\",source=\"{}\"}} 1",
                source.owner, source.key
            )?;
        }
        if let Some(hooks) = gauges.hooks {
            encode_hooks(&mut out, hooks, &named)?;
        }
        let of = |status: PeerStatus| {
            gauges
                .peers
                .iter()
                .filter(move |peer| peer.status == status)
        };
        gauge(
            &mut out,
            "peers_following",
            "Peers that are followed by the processes on this database",
        )?;
        writeln!(
            out,
            "grunddata_peers_following {}",
            of(PeerStatus::Following).count()
        )?;
        gauge(
            &mut out,
            "peers_failing",
            "Peers that are followed and whose last attempt failed, or that need a model that is not here",
        )?;
        let failing = |peer: &&PeerRow| peer.failures > 0 || peer.needs_model.is_some();
        writeln!(
            out,
            "grunddata_peers_failing {}",
            of(PeerStatus::Following).filter(failing).count()
        )?;
        gauge(
            &mut out,
            "peer_lag_seconds",
            "Seconds since a peer last said that there was nothing more; for administrators of the copied owner",
        )?;
        for peer in of(PeerStatus::Following).filter(|peer| named(&peer.owner)) {
            let Some(heard) = peer.heard_at else { continue };
            let lag = gauges.now.saturating_sub(heard.micros()).max(0) / 1_000_000;
            writeln!(
                out,
                "grunddata_peer_lag_seconds{{peer=\"{}\"}} {lag}",
                peer.name
            )?;
        }
        writeln!(out, "# EOF")?;
        Ok(out)
    }
}

/// Deliveries to subscriptions. Those that are silent are named to who may know their owner.
fn encode_hooks(
    out: &mut String,
    hooks: &HookState,
    named: impl Fn(&OwnerKey) -> bool,
) -> std::fmt::Result {
    let counted = hooks.standing.read().clone();
    gauge(out, "subscriptions", "Subscriptions by where they stand")?;
    for (state, count) in &counted.states {
        writeln!(out, "grunddata_subscriptions{{state=\"{state}\"}} {count}")?;
    }
    gauge(
        out,
        "subscriptions_silent",
        "Subscriptions whose target has accepted nothing for longer than it may",
    )?;
    writeln!(
        out,
        "grunddata_subscriptions_silent {}",
        counted.silent.len()
    )?;
    gauge(
        out,
        "subscription_silent",
        "A subscription whose target has accepted nothing for too long; for administrators of its owner",
    )?;
    for silent in counted.silent.iter().filter(|silent| named(&silent.owner)) {
        writeln!(
            out,
            "grunddata_subscription_silent{{owner=\"{}\",subscription=\"{}\"}} 1",
            silent.owner, silent.id
        )?;
    }
    writeln!(
        out,
        "# HELP grunddata_webhook_requests Requests to targets of subscriptions.\n# TYPE grunddata_webhook_requests counter"
    )?;
    for (outcome, count) in [("accepted", &hooks.accepted), ("failed", &hooks.failed)] {
        writeln!(
            out,
            "grunddata_webhook_requests_total{{outcome=\"{outcome}\"}} {}",
            count.load(Ordering::Relaxed)
        )?;
    }
    writeln!(
        out,
        "# HELP grunddata_webhook_events Entries that targets of subscriptions have accepted.\n# TYPE grunddata_webhook_events counter\ngrunddata_webhook_events_total {}",
        hooks.events.load(Ordering::Relaxed)
    )
}

fn gauge(out: &mut String, name: &str, help: &str) -> std::fmt::Result {
    writeln!(
        out,
        "# HELP grunddata_{name} {help}.\n# TYPE grunddata_{name} gauge"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_named_to_those_who_may_know_them() {
        let key = OwnerKey::new("stangd").expect("key");
        let store = StoreMetrics {
            positions: [(key.clone(), 7)].into(),
            ..StoreMetrics::default()
        };
        let silent = [Silent {
            owner: key,
            key: "hr".to_owned(),
        }];
        let metrics = Metrics::new(std::iter::empty());
        let gauges = Gauges {
            silent: &silent,
            ..Gauges::default()
        };
        let hidden = metrics.encode(&store, &gauges, |_| false).expect("text");
        assert!(
            !hidden.contains("stangd") && hidden.contains("grunddata_log_positions 7\n"),
            "{hidden}"
        );
        assert!(hidden.contains("grunddata_sources_silent 1\n"), "{hidden}");
        assert!(
            metrics
                .encode(&store, &gauges, |_| true)
                .expect("text")
                .contains("grunddata_log_position{owner=\"stangd\"} 7")
        );
    }

    #[test]
    fn answers_are_counted_by_operation_and_status() {
        let metrics = Metrics::new(["get{Record}", "search{Records}"].into_iter());
        metrics.observe(0, 200, Duration::from_micros(50));
        metrics.observe(0, 404, Duration::from_micros(50));
        metrics.problem("not-found");
        let text = metrics
            .encode(&StoreMetrics::default(), &Gauges::default(), |_| false)
            .expect("text");
        assert!(text.ends_with("# EOF\n"));
        for line in [
            "grunddata_http_request_duration_seconds_count{operation=\"getRecord\",status=\"2xx\"} 1",
            "grunddata_http_request_duration_seconds_count{operation=\"getRecord\",status=\"4xx\"} 1",
            "grunddata_http_problems_total{code=\"not-found\"} 1",
        ] {
            assert!(text.contains(line), "{line} not in\n{text}");
        }
        assert!(
            !text.contains("searchRecords"),
            "what was never asked is not listed"
        );
    }
}
