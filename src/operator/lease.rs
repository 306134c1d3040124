//! One writer: the operator works only while it holds a Lease, and ends when it loses it.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};

use super::MANAGER;
use crate::daemon::api_error;
use crate::diag::{Error, Result};

/// Name of the Lease.
const NAME: &str = "kilter-operator";
/// How long a holder may say nothing before another takes over (client-go's defaults: 15 s, 10 s, 2 s).
const LASTS: Duration = Duration::from_secs(15);
/// How long a holder tries to renew before it gives up.
const GIVE_UP: Duration = Duration::from_secs(10);
/// How often it is looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Holds, or waits for, the Lease.
#[derive(Clone)]
pub(super) struct Leader {
    api: Api<Lease>,
    identity: String,
    /// What was last seen of another holder, and when it changed.
    seen: Option<(LeaseSpec, Instant)>,
}

impl Leader {
    /// Creates one that holds nothing yet; `identity` is unique to the process.
    pub(super) fn new(client: kube::Client, namespace: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, seen: None }
    }

    /// Waits until the Lease is held.
    pub(super) async fn acquire(&mut self) {
        loop {
            match self.try_hold().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "cannot read the lease"),
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Keeps the Lease; returns when it is lost.
    pub(super) async fn keep(&mut self) -> Error {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(PERIOD).await;
            match tokio::time::timeout(GIVE_UP, self.try_hold()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return Error::missing("another operator took the lease"),
                Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease"),
                Err(_) => tracing::warn!("the API server did not answer in time"),
            }
            if renewed.elapsed() > GIVE_UP {
                return Error::missing("the lease could not be renewed in time");
            }
        }
    }

    /// Gives the Lease back, so that the next operator need not wait.
    pub(super) async fn release(&self) {
        if let Ok(Some(mut lease)) = self.api.get_opt(NAME).await
            && let Some(spec) = lease.spec.as_mut()
            && spec.holder_identity.as_ref() == Some(&self.identity)
        {
            spec.holder_identity = None;
            let _ = self.api.replace(NAME, &PostParams::default(), &lease).await; // it runs out by itself
        }
    }

    /// Takes or renews the Lease when it is free, its own or run out.
    async fn try_hold(&mut self) -> Result<bool> {
        let now = MicroTime(Timestamp::now());
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        let found = self.api.get_opt(NAME).await.map_err(|error| api_error("read the lease", &error))?;
        let identity = self.identity.clone();
        let mine = |transitions: i32, acquired: Option<MicroTime>| LeaseSpec {
            holder_identity: Some(identity.clone()),
            lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
            acquire_time: acquired,
            renew_time: Some(now.clone()),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        };
        let Some(mut lease) = found else {
            let metadata = ObjectMeta { name: Some(NAME.into()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(mine(0, Some(now.clone()))) };
            return taken(self.api.create(&params, &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let transitions = spec.lease_transitions.unwrap_or(0);
        match spec.holder_identity.as_ref() {
            Some(holder) if *holder == self.identity => {
                lease.spec = Some(mine(transitions, spec.acquire_time.clone()));
            }
            Some(holder) if !holder.is_empty() && !self.has_run_out(&spec) => return Ok(false),
            _ => lease.spec = Some(mine(transitions + 1, Some(now.clone()))),
        }
        // With the resourceVersion that was read: of two, one gets it.
        taken(self.api.replace(NAME, &params, &lease).await)
    }

    /// Another holder's Lease has run out when nothing of it changed for its whole time by this machine's clock.
    fn has_run_out(&mut self, spec: &LeaseSpec) -> bool {
        match &self.seen {
            Some((seen, since)) if seen == spec => since.elapsed() > LASTS,
            _ => {
                self.seen = Some((spec.clone(), Instant::now()));
                false
            }
        }
    }
}

fn taken(result: kube::Result<Lease>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(error)) if error.code == 409 => Ok(false),
        Err(error) => Err(api_error("write the lease", &error)),
    }
}
