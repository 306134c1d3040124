//! Putting it together: settings, the lease, the watches.

use std::fmt::Debug;
use std::future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, Predicate as _, WatchStreamExt as _, controller, predicates, reflector, watcher};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc};

use super::apps::{Operator, reconcile, retry, words};
use super::committer::Committer;
use super::lease::Leader;
use super::memory::Memory;
use super::metrics::{Metrics, serve};
use super::render::AppRenderer;
use super::{confine, flux, plans, workload};
use crate::api::{KilterApp, KilterPlan, LABEL_APP, LABEL_ENV, NAMESPACE, Platform};
use crate::daemon::{WatchPause, stopped};
use crate::diag::{Error, Result};
use crate::gitops::{Remote, Repository};

/// How often the repository is looked at for what others did to it.
const FETCH: Duration = Duration::from_secs(60);

/// How many seconds pass between the first looks at a repository that cannot be read, and between all later ones.
const UNREAD: [u64; 4] = [1, 2, 5, 10];
const LONGEST: u64 = 30;

/// How long the rounds wait for the first look: git itself waits much longer for a server that says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many apps have a round at once. Without a bound, a start with a thousand apps has so many calls on their way that the API
/// server answers the renewal of the lease too late; a commit is still for as many apps as this.
const ROUNDS: u16 = 100;

/// How many plans are answered at once. They wait for the same slots as the apps' renders do, each with what it compares in memory.
const PLANS: u16 = 10;

/// What the operator is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The settings of the platform.
    pub platform: Platform,
    /// The flux repository.
    pub remote: Remote,
    /// The helm to run.
    pub helm: PathBuf,
    /// A directory for what is safe to lose.
    pub dir: PathBuf,
    /// Where probes and metrics are answered.
    pub probes: String,
    /// How many renders go on at once.
    pub jobs: usize,
    /// Tells this process from others in the lease.
    pub identity: String,
    /// An effect after which the process ends at once, for tests.
    pub die_after: Option<String>,
}

/// Runs until it is told to stop, or the lease is lost.
///
/// # Errors
/// When something that it needs cannot be had, or the lease is lost.
pub async fn run(client: kube::Client, settings: Settings) -> Result<()> {
    let metrics = Arc::new(Metrics::new());
    let probes = tokio::spawn({
        let (address, metrics) = (settings.probes.clone(), metrics.clone());
        async move { serve(&address, metrics).await }
    });
    let mut leader = Leader::new(client.clone(), NAMESPACE, settings.identity.clone());
    let mut stop = Box::pin(stopped());
    tokio::select! {
        () = leader.acquire() => {}
        () = &mut stop => return Ok(()),
        ended = probes => return Err(Error::missing(format!("cannot answer probes on {}: {ended:?}", settings.probes))),
    }
    tracing::info!(identity = settings.identity, "leads");
    metrics.lead();
    // A task of its own: however much there is to do, the lease is renewed in time.
    let mut keeper = leader.clone();
    let mut kept = tokio::spawn(async move { keeper.keep().await });
    let ended = tokio::select! {
        lost = &mut kept => Err(lost.unwrap_or_else(|error| Error::bug(format!("the lease is not kept: {error}")))),
        ended = lead(client, settings, metrics) => ended,
        () = stop => Ok(()),
    };
    kept.abort();
    leader.release().await;
    ended
}

async fn lead(client: kube::Client, settings: Settings, metrics: Arc<Metrics>) -> Result<()> {
    let Settings { platform, remote, helm, dir, jobs, die_after, .. } = settings;
    let renderer = tokio::task::spawn_blocking(move || AppRenderer::new(&helm, &dir, platform));
    let renderer = Arc::new(renderer.await.map_err(|error| Error::bug(error.to_string()))??);
    let committer = Committer::start(Repository::unread(remote), metrics.clone());
    let apps: Api<DeserializeGuard<KilterApp>> = Api::namespaced(client.clone(), NAMESPACE);
    let at_once = controller::Config::default().concurrency(ROUNDS);
    let (store, writer) = reflector::store();
    let changes = alone(watcher(apps, pages())).modify(lighten).reflect(writer).applied_objects();
    // What the operator itself says in a status is no reason for a round: the pause after a failure would be none.
    let asked = predicates::generation.combine(predicates::annotations).combine(predicates::finalizers);
    let changes = changes.predicate_filter(asked, Default::default());
    let controller = Controller::for_stream(changes, store).with_config(at_once);
    let operator = Arc::new(Operator {
        client: client.clone(),
        renderer,
        committer,
        metrics,
        confined: confine::has_landlock(),
        render_slots: Arc::new(Semaphore::new(jobs.max(1))),
        apps: controller.store(),
        die_after,
        memory: Mutex::new(Memory::default()),
        telling: tokio::sync::Mutex::default(),
    });
    if !operator.confined {
        tracing::warn!("the kernel has no Landlock: helm's files are not bounded");
    }
    let (moved, moves) = mpsc::channel::<()>(1);
    // Rounds without it are for one that is away.
    let _ = tokio::time::timeout(PATIENCE, look(&operator)).await;
    let is_read = operator.committer.head().is_read;
    tokio::spawn(look_at_repository(operator.clone(), is_read, moved));
    let moves = futures::stream::unfold(moves, |mut moves| async move { moves.recv().await.map(|()| ((), moves)) });
    let plans: Api<KilterPlan> = Api::namespaced(client.clone(), NAMESPACE);
    let plans = Controller::new(plans, watcher::Config::default())
        .trigger_backoff(WatchPause::default())
        .with_config(controller::Config::default().concurrency(PLANS))
        .run(plans::reconcile, plans::retry, operator.clone());
    let (flux, routes) = (flux::kustomization(), workload::http_route());
    let apps = controller
        .watches_stream_with(ours(dynamic(&client, Some(NAMESPACE), &flux)), |object| owner(&object), flux)
        .watches_stream_with(ours(dynamic(&client, None, &routes)), |object| owner(&object), routes)
        .watches_stream(ours(Api::<PartialObjectMeta<Deployment>>::all(client.clone())), |object| owner(&object))
        .watches_stream(ours(Api::<PartialObjectMeta<Job>>::all(client.clone())), |object| owner(&object))
        .reconcile_all_on(moves)
        .run(reconcile, retry, operator);
    tokio::join!(apps.for_each(|_| async {}), plans.for_each(|_| async {}));
    Err(Error::missing("the watches ended"))
}

/// Watches what belongs to apps.
fn ours<K>(api: Api<K>) -> impl Stream<Item = watcher::Result<K>> + Send + 'static
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    alone(watcher(api, pages().labels(LABEL_APP))).touched_objects()
}

/// Makes a watch pause by itself when it failed (kube says why). A controller that is handed a failure pauses all of its watches, one
/// failure after the other and each time longer: after a restart of the API server, when all of them fail, for minutes.
fn alone<K>(
    events: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static
where
    K: Send + 'static,
{
    events.backoff(WatchPause::default()).filter(|event| future::ready(event.is_ok()))
}

/// How a watch lists what is there: what one page takes in memory is for a moment.
fn pages() -> watcher::Config {
    watcher::Config::default().page_size(100)
}

/// Leaves away what no round reads: who wrote which field is the greater part of an app in memory.
fn lighten(app: &mut DeserializeGuard<KilterApp>) {
    app.managed_fields_mut().clear();
}

fn dynamic(
    client: &kube::Client,
    namespace: Option<&str>,
    kind: &ApiResource,
) -> Api<PartialObjectMeta<DynamicObject>> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, kind),
        None => Api::all_with(client.clone(), kind),
    }
}

/// Finds the KilterApp of an object by its labels.
fn owner(object: &impl Resource) -> Option<ObjectRef<DeserializeGuard<KilterApp>>> {
    let labels = object.meta().labels.as_ref()?;
    let name = format!("{}-{}", labels.get(LABEL_APP)?, labels.get(LABEL_ENV)?);
    Some(ObjectRef::new(&name).within(NAMESPACE))
}

/// Fetches now and then: what somebody else did to the repository is seen, and mended where it is an app's. `is_read` says whether
/// the rounds began with a repository that was read.
async fn look_at_repository(operator: Arc<Operator>, mut is_read: bool, moved: mpsc::Sender<()>) {
    let mut pauses = UNREAD.into_iter().chain(std::iter::repeat(LONGEST));
    // Which apps there are still is known by then: what an earlier process had can be put back.
    let _ = operator.apps.wait_until_ready().await; // else the operator ends
    loop {
        if let Some(is_moved) = look(&operator).await {
            if is_moved || !is_read {
                let _ = moved.try_send(()); // where one waits already, it is for this as well
            }
            is_read = true;
        }
        let unread = pauses.next().filter(|_| !operator.committer.head().is_read);
        tokio::time::sleep(unread.map_or(FETCH, Duration::from_secs)).await;
    }
}

/// Fetches; tells whether the branch was moved by somebody else, or by what was put back; `None` when it cannot be told.
async fn look(operator: &Operator) -> Option<bool> {
    let looked = fetch_and_settle(operator).await;
    operator.memory(|memory| memory.note_fetch(looked.as_ref().err().map(words)));
    looked
        .inspect_err(|error| {
            operator.metrics.fetch_failed();
            let detail = error.problems().first().and_then(|problem| problem.detail.clone());
            tracing::warn!(%error, ?detail, "cannot fetch the repository");
        })
        .ok()
}

async fn fetch_and_settle(operator: &Operator) -> Result<bool> {
    let is_moved = operator.committer.refresh().await?;
    if !matches!(operator.apps.wait_until_ready().now_or_never(), Some(Ok(()))) {
        return Ok(is_moved);
    }
    let apps = operator.apps.state();
    let living = apps.iter().filter(|app| app.meta().deletion_timestamp.is_none()).filter_map(|app| app.uid());
    // What cannot be put back takes nothing from what was seen.
    let settled = operator.committer.settle(living.collect()).await.inspect_err(|error| {
        operator.metrics.fetch_failed();
        tracing::warn!(%error, "cannot put back what the branch has lost");
    });
    Ok(settled.unwrap_or(false) || is_moved)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::testing;
    use super::*;
    use crate::api::{ConditionType, KilterAppStatus, Template};
    use crate::gitops::tests::Bench;

    /// Watches that fail as often as an API server refuses them that has just started, each before its first object.
    fn refused(watches: usize) -> Vec<futures::stream::BoxStream<'static, watcher::Result<watcher::Event<KilterApp>>>> {
        let app = || testing::app(Template::default()).1;
        let failures = || (0..3).map(|_| Err(watcher::Error::NoResourceVersion));
        let events = || failures().chain([Ok(watcher::Event::Apply(app()))]).collect::<Vec<_>>();
        (0..watches).map(|_| futures::stream::iter(events()).boxed()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_holds_up_no_other() {
        // As the controller has it.
        let in_controller = |watches: Vec<_>| {
            let all = futures::stream::select_all(watches);
            kube::runtime::utils::StreamBackoff::new(all, watcher::DefaultBackoff::default())
        };
        let all_were_seen = async |watches: Vec<futures::stream::BoxStream<'static, watcher::Result<_>>>| {
            let began = tokio::time::Instant::now();
            let seen = in_controller(watches).filter(|event| future::ready(event.is_ok())).count().await;
            assert_eq!(seen, 6);
            began.elapsed() // no time passes here but that of the pauses
        };
        assert!(all_were_seen(refused(6)).await > Duration::from_secs(120), "what kube does");
        let ours = refused(6).into_iter().map(|watch| alone(watch).boxed()).collect();
        assert_eq!(all_were_seen(ours).await, Duration::from_millis(500 + 1000 + 2000));
    }

    #[tokio::test]
    async fn while_the_repository_is_away_that_is_said_and_nothing_is_done() {
        let bench = Bench::new();
        let written: Arc<Mutex<Vec<Value>>> = Arc::default();
        let to = written.clone();
        let client = testing::client(move |asked| {
            let path = asked.uri().path().to_owned();
            if path.ends_with("/status") {
                to.lock().unwrap().push(asked.body()[0]["value"].clone());
            }
            async move { testing::refusal(if path.ends_with("/status") { 404 } else { 500 }, "no") }
        });
        let mut operator = Arc::into_inner(testing::operator(&bench, client, "exit 1")).unwrap();
        let away = std::path::Path::new(&bench.url()).with_extension("away");
        std::fs::rename(bench.url(), &away).unwrap();
        operator.committer = Committer::start(Repository::unread(bench.remote("new")), operator.metrics.clone());
        let operator = Arc::new(operator);
        assert_eq!(look(&operator).await, None);
        assert!(operator.metrics.text().1.contains("failed_writes_total 1\n"), "{}", operator.metrics.text().1);

        let (_, mut app) =
            testing::app(Template { image: format!("i@sha256:{}", "0".repeat(64)), port: 1, ..Template::default() });
        let round = |app: &KilterApp| reconcile(Arc::new(DeserializeGuard(Ok(app.clone()))), operator.clone());
        round(&app).await.unwrap();
        let said: KilterAppStatus = serde_json::from_value(written.lock().unwrap().remove(0)).unwrap();
        let ready = said.condition(ConditionType::Ready).unwrap();
        assert_eq!(ready.reason, "RepositoryUnavailable");
        assert!(ready.message.contains("cannot fetch `main`"), "{}", ready.message);
        // What was committed before runs on, for all that is known.
        let mut committed = said.condition(ConditionType::Accepted).unwrap().clone();
        committed.type_ = ConditionType::Committed;
        app.status = Some(KilterAppStatus { conditions: vec![committed], ..KilterAppStatus::default() });
        round(&app).await.unwrap();
        assert_eq!(*written.lock().unwrap(), Vec::<Value>::new());

        // It is back: the next round is one as always.
        std::fs::rename(&away, bench.url()).unwrap();
        assert_eq!(look(&operator).await, Some(false));
        let failed = round(&app).await.unwrap_err().to_string();
        assert!(failed.contains("write the finalizer") || failed.contains("write the status"), "{failed}");
    }
}
