//! Whose a host name is: an object for each, a KilterHost, made before the KilterApp that has the host name (SPEC 7). Of two servers, or
//! of one whose watch is behind, only one can make it.
//!
//! A claim is good while its app has the host name, as the API server has the app; and while it is younger than [`GRACE`], as a deploy may
//! be about to write the app. Any other is another app's to take. So a deploy relies on a claim
//!
//! * of a host name that its app has already: the app is written with the resourceVersion that was read, and whoever took the host name
//!   out of it meanwhile makes the deploy start over;
//! * that was made, or made young again, for this deploy or for another one of its app at this moment.
//!
//! What an app no longer wants is deleted after the app was written without it, unless it became young again since it was read. A claim that
//! is left over by whoever died in between is in nobody's way for longer than [`GRACE`].

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, PostParams, Preconditions};
use kube::{Resource as _, ResourceExt as _};

use super::MANAGER;
use super::failure::Refusal;
use super::plans::labels;
use super::state::Server;
use crate::api::{ANNOTATION_RENEWED, AppId, KilterApp, KilterHost, KilterHostSpec, LABEL_APP, LABEL_ENV, Template};

/// How long nobody else takes a claim whose app does not have the host name.
const GRACE: SignedDuration = SignedDuration::from_secs(60);
/// The age up to which a deploy relies on what another one of its app claimed. A request ends after 30 s at most (`routes::TIME`), which leaves
/// 20 s of [`GRACE`] for clocks that differ.
const YOUNG: SignedDuration = SignedDuration::from_secs(10);
/// How often a claim is looked at again because somebody came between.
const TRIES: usize = 10;
/// How long the answer to a deploy waits for what is done after it.
const TIDY: Duration = Duration::from_secs(5);

/// The claims of an app whose KilterApp is about to be written.
#[derive(Debug, Default)]
pub(super) struct Claims {
    wanted: Vec<KilterHost>,
    /// Those that it does not want any more.
    surplus: Vec<KilterHost>,
}

/// Returns the host names of an app as claims are named: an object's name is in lower case.
pub(super) fn names(server: &Server, id: &AppId, template: &Template) -> Vec<String> {
    id.hostnames(&server.platform, template).iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// Claims the host names `wanted` for an app; `deployed` are those that it has, as it was read before.
///
/// # Errors
/// When another app has one of them, or the API server does not answer.
pub(super) async fn claim(
    server: &Server,
    id: &AppId,
    wanted: &[String],
    deployed: &[String],
) -> Result<Claims, Refusal> {
    let labels = format!("{LABEL_APP}={},{LABEL_ENV}={}", id.app(), id.env());
    let listed = api(server).list(&ListParams::default().labels(&labels)).await;
    let listed = listed.map_err(|error| Refusal::cluster("read the app's host names", &error))?.items;
    let ours = listed.into_iter().filter(|claim| is_of(claim, id));
    let (mut known, mut surplus): (Vec<_>, Vec<_>) = ours.partition(|claim| wanted.contains(&claim.name_any()));
    // A young one may be what a deploy of this app that began just now relies on.
    surplus.retain(|claim| !claim.owner_references().is_empty() || age(claim) > GRACE);
    let mut claims = Claims { wanted: Vec::new(), surplus };
    for name in wanted {
        let at = known.iter().position(|claim| claim.name_any() == *name);
        let known = at.map(|at| known.swap_remove(at));
        claims.wanted.push(hold(server, id, name, deployed.contains(name), known).await?);
    }
    Ok(claims)
}

/// Returns the claim of an app on one host name, `known` when it was read already.
async fn hold(
    server: &Server,
    id: &AppId,
    name: &str,
    is_deployed: bool,
    mut known: Option<KilterHost>,
) -> Result<KilterHost, Refusal> {
    for _ in 0..TRIES {
        let claim = match known.take() {
            Some(claim) => claim,
            None => match make(server, id, name).await? {
                Made::New(claim) => return Ok(claim),
                Made::Found(Some(claim)) => claim,
                Made::Found(None) => continue,
            },
        };
        if !is_of(&claim, id) {
            if age(&claim) <= GRACE || is_in_use(server, &claim).await? {
                return Err(taken(name));
            }
            let of = &claim.spec;
            tracing::info!(host = name, org = of.org, app = of.app, env = of.env, by = %id, "takes a claim that is left over");
            unless_changed(delete(server, &claim).await).map_err(|error| Refusal::cluster(CLAIM, &error))?;
        } else if is_deployed || (claim.owner_references().is_empty() && age(&claim) < YOUNG) {
            return Ok(claim);
        } else if let Some(claim) = renew(server, claim).await? {
            return Ok(claim);
        }
    }
    let busy = format!("too many deploys ask for the host name {name} at once");
    Err(Refusal::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "Busy", busy).retry_after(1))
}

/// What the API server could not do when it refused.
const CLAIM: &str = "claim the host name";

/// What became of an attempt to make a claim: somebody's is there, or was a moment ago.
enum Made {
    New(KilterHost),
    Found(Option<KilterHost>),
}

async fn make(server: &Server, id: &AppId, name: &str) -> Result<Made, Refusal> {
    let mut claim =
        KilterHost::new(name, KilterHostSpec { org: id.org().into(), app: id.app().into(), env: id.env().into() });
    let labels = labels(id).map(|(key, value)| (key.to_owned(), value.to_owned()));
    claim.metadata = ObjectMeta { labels: Some(labels.into()), ..claim.metadata };
    match api(server).create(&params(), &claim).await {
        Ok(claim) => return Ok(Made::New(claim)),
        Err(kube::Error::Api(error)) if error.code == 409 => {}
        Err(error) => return Err(Refusal::cluster(CLAIM, &error)),
    }
    // With the right to list that is needed anyway.
    let this = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = api(server).list(&this).await.map_err(|error| Refusal::cluster(CLAIM, &error))?;
    Ok(Made::Found(found.items.into_iter().next()))
}

/// Makes an app's own claim young again; `None` when somebody came between. An owner that is gone must not take it along.
async fn renew(server: &Server, mut claim: KilterHost) -> Result<Option<KilterHost>, Refusal> {
    let name = claim.name_any();
    claim.metadata.owner_references = None;
    claim.metadata.managed_fields = None;
    claim.annotations_mut().insert(ANNOTATION_RENEWED.to_owned(), format!("{:.0}", Timestamp::now()));
    let renewed = api(server).replace(&name, &params(), &claim).await;
    unless_changed(renewed).map_err(|error| Refusal::cluster(CLAIM, &error))
}

/// Tells whether the app of a claim has the host name, by the API server and not by the watch, which may be behind.
async fn is_in_use(server: &Server, claim: &KilterHost) -> Result<bool, Refusal> {
    let spec = &claim.spec;
    let Ok(id) = AppId::new(&spec.org, &spec.app, &spec.env) else { return Ok(false) };
    match server.api().get_opt(&id.namespace()).await {
        Ok(app) => Ok(app.is_some_and(|app| {
            let is_same = id.is_of(&app.spec.org, &app.spec.app, &app.spec.env);
            is_same && names(server, &id, &app.spec.template).contains(&claim.name_any())
        })),
        // One that cannot be read may have any.
        Err(kube::Error::SerdeError(_)) => Ok(true),
        Err(error) => Err(Refusal::cluster(CLAIM, &error)),
    }
}

/// Refuses a host name of another app, and does not say whose.
pub(super) fn taken(name: &str) -> Refusal {
    Refusal::conflict("HostnameTaken", format!("the host name {name} belongs to another app"))
        .help("Give the app another name, or take the name out of `deploy.domains`.")
}

impl Claims {
    /// Has the claims go with an app that was written, and deletes those that it no longer wants. The deploy is accepted already: what
    /// cannot be done is for the next one.
    pub(super) async fn settle(self, server: &Server, app: &KilterApp) {
        let name = app.name_any();
        if tokio::time::timeout(TIDY, self.tidy(server, app)).await.is_err() {
            tracing::warn!(app = name, "the claims of the app's host names are not tidied in time");
        }
    }

    async fn tidy(self, server: &Server, app: &KilterApp) {
        let complain = |host: &str, error: &kube::Error| {
            tracing::warn!(app = app.name_any(), host, %error, "cannot tidy the claim of a host name");
        };
        let Some(owner) = app.owner_ref(&()) else { return };
        let is_owned = |claim: &KilterHost| claim.owner_references().iter().any(|known| known.uid == owner.uid);
        for mut claim in self.wanted.into_iter().filter(|claim| !is_owned(claim)) {
            let name = claim.name_any();
            claim.metadata.owner_references = Some(vec![owner.clone()]);
            claim.metadata.managed_fields = None;
            let done = unless_changed(api(server).replace(&name, &params(), &claim).await);
            done.map_or_else(|error| complain(&name, &error), drop);
        }
        for claim in self.surplus {
            let done = unless_changed(delete(server, &claim).await);
            done.map_or_else(|error| complain(&claim.name_any(), &error), drop);
        }
    }
}

/// Deletes a claim as it was read, and none that somebody needs since.
async fn delete(server: &Server, claim: &KilterHost) -> kube::Result<()> {
    let preconditions = Preconditions { uid: claim.uid(), resource_version: claim.resource_version() };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    api(server).delete(&claim.name_any(), &params).await.map(drop)
}

/// Returns nothing where the object is gone or has changed since it was read.
fn unless_changed<T>(done: kube::Result<T>) -> kube::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(kube::Error::Api(error)) if matches!(error.code, 404 | 409) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_of(claim: &KilterHost, id: &AppId) -> bool {
    id.is_of(&claim.spec.org, &claim.spec.app, &claim.spec.env)
}

/// Returns how long ago a claim was made, or made young again.
fn age(claim: &KilterHost) -> SignedDuration {
    let renewed = claim.annotations().get(ANNOTATION_RENEWED).and_then(|text| text.parse::<Timestamp>().ok());
    let made = claim.creation_timestamp().map(|time| time.0);
    made.max(renewed).map_or(SignedDuration::MAX, |since| Timestamp::now().duration_since(since))
}

fn params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }
}

fn api(server: &Server) -> Api<KilterHost> {
    Api::namespaced(server.client.clone(), &server.namespace)
}
