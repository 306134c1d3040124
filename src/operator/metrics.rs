//! What the operator counts, and its answers to probes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The counters.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    rounds: Counter,
    failed_rounds: Counter,
    renders: Counter,
    failed_renders: Counter,
    render_seconds: Histogram,
    commits: Counter,
    committed_apps: Counter,
    failed_writes: Counter,
    leads: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("kilter_operator");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let rounds = counter("rounds", "Rounds of KilterApps");
        let failed_rounds = counter("failed_rounds", "Rounds that ended with an error");
        let renders = counter("renders", "Renders of apps");
        let failed_renders = counter("failed_renders", "Renders that failed");
        let commits = counter("commits", "Commits that were pushed");
        let committed_apps = counter("committed_apps", "Apps that were handed to the repository");
        let failed_writes = counter("failed_writes", "Writes to the repository and fetches that failed");
        let render_seconds = Histogram::new(exponential_buckets(0.02, 2.0, 11));
        registry.register("render_seconds", "How long a render took", render_seconds.clone());
        let leads = Gauge::default();
        registry.register("leads", "Whether this process has the lease and does the work", leads.clone());
        Self {
            registry,
            rounds,
            failed_rounds,
            renders,
            failed_renders,
            render_seconds,
            commits,
            committed_apps,
            failed_writes,
            leads,
        }
    }

    pub(super) fn lead(&self) {
        self.leads.set(1);
    }

    pub(super) fn round(&self, fine: bool) {
        self.rounds.inc();
        if !fine {
            self.failed_rounds.inc();
        }
    }

    pub(super) fn rendered(&self, fine: bool, took: Duration) {
        self.renders.inc();
        self.render_seconds.observe(took.as_secs_f64());
        if !fine {
            self.failed_renders.inc();
        }
    }

    pub(super) fn committed(&self, apps: usize, commits: usize, failed: bool) {
        self.committed_apps.inc_by(apps as u64);
        self.commits.inc_by(commits as u64);
        if failed {
            self.failed_writes.inc();
        }
    }

    pub(super) fn fetch_failed(&self) {
        self.failed_writes.inc();
    }

    pub(super) fn text(&self) -> (StatusCode, String) {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => (StatusCode::OK, text),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, String::new()),
        }
    }
}

/// Answers `/healthz`, `/readyz` (a stand-by is ready, too) and `/metrics`; returns when the address cannot be had.
pub(super) async fn serve(address: &str, metrics: Arc<Metrics>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .route("/metrics", get(move || async move { metrics.text() }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    // Of port 0 nobody would know otherwise what it became.
    tracing::info!(address = %listener.local_addr()?, "answers probes");
    axum::serve(listener, router).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_after_the_end_and_the_leader_says_so() {
        let metrics = Metrics::new();
        let value =
            |text: &str| text.lines().find_map(|line| line.strip_prefix("kilter_operator_leads ")).map(str::to_owned);
        assert_eq!(value(&metrics.text().1).as_deref(), Some("0"));
        metrics.lead();
        let (status, text) = metrics.text();
        assert_eq!((status, value(&text).as_deref()), (StatusCode::OK, Some("1")));
        assert!(text.ends_with("# EOF\n"), "OpenMetrics ends with this line: {text}");
    }
}
