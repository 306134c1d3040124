//! Putting it together: settings, the lease, the watches.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, controller, watcher};
use kube::{Resource, ResourceExt};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};

use super::apps::{Operator, reconcile, retry};
use super::committer::Committer;
use super::lease::Leader;
use super::memory::Memory;
use super::metrics::{Metrics, serve};
use super::render::AppRenderer;
use super::{MANAGER, confine, flux, plans, workload};
use crate::api::{ANNOTATION_RERENDER, KilterApp, KilterPlan, LABEL_APP, LABEL_ENV, NAMESPACE, Platform};
use crate::daemon::{api_error, stopped};
use crate::diag::{Error, Result};
use crate::gitops::{Remote, Repository};

/// How often the repository is looked at for what others did to it.
const FETCH: Duration = Duration::from_secs(60);

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
    let repository = open(remote).await;
    let committer = Committer::start(repository, metrics.clone());
    let apps: Api<DeserializeGuard<KilterApp>> = Api::namespaced(client.clone(), NAMESPACE);
    let at_once = controller::Config::default().concurrency(ROUNDS);
    let controller = Controller::new(apps, watcher::Config::default()).with_config(at_once);
    let operator = Arc::new(Operator {
        client: client.clone(),
        renderer,
        committer: committer.clone(),
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
    tokio::spawn(look_at_repository(committer, operator.apps.clone(), moved));
    let moves = futures::stream::unfold(moves, |mut moves| async move { moves.recv().await.map(|()| ((), moves)) });
    let ours = || watcher::Config::default().labels(LABEL_APP);
    let plans: Api<KilterPlan> = Api::namespaced(client.clone(), NAMESPACE);
    let plans = Controller::new(plans, watcher::Config::default())
        .with_config(controller::Config::default().concurrency(PLANS))
        .run(plans::reconcile, plans::retry, operator.clone());
    let (flux, routes) = (flux::kustomization(), workload::http_route());
    let apps = controller
        .watches_with(dynamic(&client, Some(NAMESPACE), &flux), flux, ours(), |object| owner(&object))
        .watches_with(dynamic(&client, None, &routes), routes, ours(), |object| owner(&object))
        .watches(Api::<PartialObjectMeta<Deployment>>::all(client.clone()), ours(), |object| owner(&object))
        .watches(Api::<PartialObjectMeta<Job>>::all(client.clone()), ours(), |object| owner(&object))
        .reconcile_all_on(moves)
        .run(reconcile, retry, operator);
    tokio::join!(apps.for_each(|_| async {}), plans.for_each(|_| async {}));
    Err(Error::missing("the watches ended"))
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

/// Opens the repository; tries until it can be reached, as apps that are there already are not in need of it.
async fn open(remote: Remote) -> Repository {
    for pause in [1, 2, 5, 10].into_iter().chain(std::iter::repeat(30)) {
        let remote = remote.clone();
        match tokio::task::spawn_blocking(move || Repository::open(remote)).await {
            Ok(Ok(repository)) => return repository,
            Ok(Err(error)) => {
                tracing::error!(%error, detail = ?error.problems().first().and_then(|p| p.detail.clone()), "cannot open the repository")
            }
            Err(error) => tracing::error!(%error, "cannot open the repository"),
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
    unreachable!("the pauses have no end")
}

/// Fetches now and then: what somebody else did to the repository is seen, and mended where it is an app's.
async fn look_at_repository(committer: Committer, apps: Store<DeserializeGuard<KilterApp>>, moved: mpsc::Sender<()>) {
    // Which apps there are still is known by then.
    let _ = apps.wait_until_ready().await; // else the operator ends
    loop {
        let living = || apps.state().iter().filter_map(|app| app.uid()).collect();
        let seen = async {
            let is_moved = committer.refresh().await?;
            Ok::<_, Error>(committer.settle(living()).await? || is_moved)
        };
        match seen.await {
            Ok(true) => drop(moved.try_send(())),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot fetch the repository"),
        }
        tokio::time::sleep(FETCH).await;
    }
}

/// Asks for another render of every app, in batches: the next one when the one before is committed. An app
/// that cannot be committed holds up the rest, so that a bad chart stops at the first batch.
///
/// # Errors
/// When the API server does not answer or refuses.
pub async fn rerender(client: kube::Client, batch: usize, stamp: &str, tell: impl Fn(&str)) -> Result<()> {
    let api: Api<DeserializeGuard<KilterApp>> = Api::namespaced(client, NAMESPACE);
    let listed = api.list(&ListParams::default()).await.map_err(|error| api_error("list the KilterApps", &error))?;
    let names: Vec<String> = listed.items.iter().filter(|app| app.0.is_ok()).map(ResourceExt::name_any).collect();
    let committed = |app: Option<&DeserializeGuard<KilterApp>>| match app.map(|app| &app.0) {
        Some(Ok(app)) => app.status.as_ref().is_some_and(|status| status.rerender.as_deref() == Some(stamp)),
        _ => true, // deleted meanwhile
    };
    for some in names.chunks(batch.max(1)) {
        for name in some {
            let patch = json!({"metadata": {"annotations": {ANNOTATION_RERENDER: stamp}}});
            let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
            let asked = api.patch_metadata(name, &params, &Patch::Merge(&patch)).await;
            asked.map_err(|error| api_error("ask for a render", &error))?;
        }
        for name in some {
            let waited = kube::runtime::wait::await_condition(api.clone(), name, committed).await;
            waited.map_err(|error| Error::missing(format!("cannot wait for `{name}`: {error}")))?;
            tell(name);
        }
    }
    Ok(())
}
