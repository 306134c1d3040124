//! What the server counts.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    refused: Family<Reason, Counter>,
    seconds: Histogram,
    running: Gauge,
}

/// A request that runs; it ends when this is dropped, also when its client went away.
#[derive(Debug)]
pub(super) struct Running(Gauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("kilter_server");
        let (answered, refused, running) = (Family::default(), Family::default(), Gauge::default());
        let seconds = Histogram::new(exponential_buckets(0.002, 2.0, 14));
        registry.register("requests", "Requests by route and status", answered.clone());
        registry.register("refused", "Requests that were refused before their route, by reason", refused.clone());
        registry.register("request_seconds", "How long requests took", seconds.clone());
        registry.register("running", "Requests that run", running.clone());
        Self { registry, answered, refused, seconds, running }
    }

    /// Counts a request that begins.
    pub(super) fn running(&self) -> Running {
        self.running.inc();
        Running(self.running.clone())
    }

    /// Counts an answer; `route` is the pattern, never the path that was asked for.
    pub(super) fn answered(&self, route: &str, status: u16, took: Duration) {
        self.answered.get_or_create(&Answered { route: route.to_owned(), status }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts a refusal; `reason` is one of the server's own words.
    pub(super) fn refused(&self, reason: &str) {
        self.refused.get_or_create(&Reason { reason: reason.to_owned() }).inc();
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
