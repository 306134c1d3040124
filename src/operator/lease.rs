//! One writer: the operator works only while it holds a Lease, and ends when it loses it.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::MANAGER;
use crate::daemon::api_error;
use crate::diag::{Error, Result};

/// Name of the Lease.
const NAME: &str = "kilter-operator";
/// How long a holder may say nothing before another takes over (client-go's defaults: 15 s, 10 s, 2 s).
const LASTS: Duration = Duration::from_secs(15);
/// How long a holder tries to renew before it gives up, counted from the moment when it asked for what it holds: another one
/// counts from when it sees that, which is later.
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
    /// When the Lease was asked for that is held.
    held: Instant,
}

impl Leader {
    /// Creates one that holds nothing yet; `identity` is unique to the process.
    pub(super) fn new(client: kube::Client, namespace: &str, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), identity, seen: None, held: Instant::now() }
    }

    /// Waits until the Lease is held.
    pub(super) async fn acquire(&mut self) {
        loop {
            let asked = Instant::now();
            match timeout(GIVE_UP, self.try_hold()).await {
                Ok(Ok(true)) => {
                    self.held = asked;
                    return;
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "cannot read the lease"),
                Err(_) => tracing::warn!("the API server did not answer in time"),
            }
            sleep(PERIOD).await;
        }
    }

    /// Keeps the Lease; returns when it is lost, and before another can have it.
    pub(super) async fn keep(&mut self) -> Error {
        loop {
            let until = self.held + GIVE_UP;
            sleep_until(until.min(Instant::now() + PERIOD)).await;
            let asked = Instant::now();
            match timeout_at(until, self.try_hold()).await {
                Ok(Ok(true)) => self.held = asked,
                Ok(Ok(false)) => return Error::missing("another operator took the lease"),
                Ok(Err(error)) if asked < until => tracing::warn!(%error, "cannot renew the lease"),
                Ok(Err(_)) | Err(_) => return Error::missing("the lease could not be renewed in time"),
            }
        }
    }

    /// Gives the Lease back, so that the next operator need not wait. The end of the process does not wait long for that.
    pub(super) async fn release(&self) {
        let _ = timeout(PERIOD, self.let_go()).await; // it runs out by itself
    }

    async fn let_go(&self) {
        if let Ok(Some(mut lease)) = self.api.get_opt(NAME).await
            && let Some(spec) = lease.spec.as_mut()
            && spec.holder_identity.as_ref() == Some(&self.identity)
        {
            spec.holder_identity = None;
            let _ = self.api.replace(NAME, &PostParams::default(), &lease).await; // as above
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::super::testing;
    use super::*;

    /// What becomes of a holder's requests.
    #[derive(Debug, Clone, Copy)]
    enum Mood {
        Answers,
        Refuses,
        /// It does what is asked for and says nothing.
        Hangs,
    }

    /// An API server with one Lease: the object and how often it was written.
    #[derive(Clone, Default)]
    struct Cluster {
        lease: Arc<Mutex<(Option<Value>, u64)>>,
    }

    /// From when on the requests of one leader fare how, the times ascending.
    type Moods = Vec<(Instant, Mood)>;

    /// Returns the moment so many seconds from now.
    fn after(seconds: f64) -> Instant {
        Instant::now() + Duration::from_secs_f64(seconds)
    }

    impl Cluster {
        fn leader(&self, identity: &str, moods: Moods) -> Leader {
            let cluster = self.clone();
            let client = testing::client(move |asked| {
                let (cluster, now) = (cluster.clone(), Instant::now());
                let mood = moods.iter().rev().find(|(from, _)| *from <= now).map_or(Mood::Answers, |(_, mood)| *mood);
                async move {
                    match mood {
                        Mood::Answers => cluster.answer(asked.method().as_str(), asked.body()),
                        Mood::Refuses => testing::refusal(503, "ServiceUnavailable"),
                        Mood::Hangs => {
                            cluster.answer(asked.method().as_str(), asked.body());
                            std::future::pending().await
                        }
                    }
                }
            });
            Leader::new(client, "kilter-system", identity.into())
        }

        fn answer(&self, method: &str, sent: &Value) -> (u16, Value) {
            let mut lease = self.lease.lock().unwrap();
            let known = lease.0.clone();
            if method == "GET" {
                return known.map_or_else(|| testing::refusal(404, "NotFound"), |lease| (200, lease));
            }
            let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
            if known.is_some_and(|known| version(&known) != version(sent)) {
                return testing::refusal(409, "Conflict");
            }
            lease.1 += 1;
            let mut object = sent.clone();
            object["metadata"]["resourceVersion"] = json!(lease.1.to_string());
            lease.0 = Some(object.clone());
            (200, object)
        }

        fn holder(&self) -> Option<String> {
            self.lease.lock().unwrap().0.as_ref()?["spec"]["holderIdentity"].as_str().map(str::to_owned)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_holds_and_the_next_one_has_it_at_once_when_it_is_given_back() {
        let cluster = Cluster::default();
        let (mut first, mut second) = (cluster.leader("first", Vec::new()), cluster.leader("second", Vec::new()));
        first.acquire().await;
        // Nobody renews it.
        second.acquire().await;
        first.held = Instant::now();
        assert_eq!(first.keep().await.problems()[0].what, "another operator took the lease");
        first.release().await;
        assert_eq!(cluster.holder().as_deref(), Some("second"), "it is not the first one's to give back");
        second.release().await;
        let asked = Instant::now();
        first.acquire().await;
        assert!(asked.elapsed() < PERIOD && cluster.holder().as_deref() == Some("first"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_renews_is_left_alone() {
        let cluster = Cluster::default();
        // Answers fail now and then, for less time than the Lease lasts.
        let times = (0..20).map(|round| 30.0 * f64::from(round));
        let moods = times.flat_map(|at| [(after(at + 10.0), Mood::Refuses), (after(at + 15.0), Mood::Answers)]);
        let mut first = cluster.leader("first", moods.collect());
        let mut second = cluster.leader("second", Vec::new());
        first.acquire().await;
        tokio::select! {
            lost = first.keep() => panic!("{lost}"),
            () = second.acquire() => panic!("there are two"),
            () = sleep(Duration::from_secs(600)) => {}
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_ends_before_another_begins_however_its_calls_fail() {
        use Mood::{Hangs, Refuses};
        let failures = [
            // Refusals until right before it gives up, then a call that hangs.
            vec![(3.0, Refuses), (11.8, Hangs)],
            vec![(3.0, Refuses), (9.0, Hangs)],
            vec![(3.0, Refuses)],
            vec![(3.0, Hangs)],
            vec![(0.1, Hangs)],
            // It has to try several times until it holds it.
            vec![(0.0, Refuses), (1.0, Hangs), (13.0, Mood::Answers), (15.0, Hangs)],
        ];
        for moods in failures {
            let cluster = Cluster::default();
            let said = format!("{moods:?}");
            let mut first = cluster.leader("first", moods.into_iter().map(|(at, mood)| (after(at), mood)).collect());
            first.acquire().await;
            let mut second = cluster.leader("second", Vec::new());
            let begins = tokio::spawn(async move { second.acquire().await });
            let lost = first.keep().await;
            assert!(lost.to_string().contains("could not be renewed in time"), "{said}: {lost}");
            first.release().await;
            assert!(!begins.is_finished(), "{said}: there are two");
            begins.await.unwrap();
            assert_eq!(cluster.holder().as_deref(), Some("second"));
        }
    }
}
