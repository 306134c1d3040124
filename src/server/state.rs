//! What all requests share.

use std::sync::Arc;

use futures::FutureExt as _;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use tokio::sync::watch;

use super::audit::Log;
use super::auth::Records;
use super::limits::Limits;
use super::metrics::Metrics;
use crate::api::{KilterApp, Platform};

/// The server.
pub(super) struct Server {
    pub client: kube::Client,
    pub namespace: String,
    pub platform: Platform,
    /// What the watch of the KilterApps has seen: for lists and for host names.
    pub apps: Store<DeserializeGuard<KilterApp>>,
    /// The tokens; `None` until they were read once.
    pub tokens: watch::Receiver<Option<Arc<Records>>>,
    pub audit: Log,
    pub limits: Limits,
    pub metrics: Metrics,
}

impl Server {
    /// Returns the KilterApps of the API server.
    pub(super) fn api(&self) -> Api<KilterApp> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Tells whether the server has seen what it needs to answer.
    pub(super) fn is_ready(&self) -> bool {
        self.tokens.borrow().is_some() && self.apps.wait_until_ready().now_or_never().is_some()
    }
}
