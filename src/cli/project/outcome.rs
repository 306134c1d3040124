//! What a render gives: artifacts, the new kilter.lock, and what of both is new.

use std::collections::BTreeMap;

use super::{Prepared, file, guide};
use crate::artifacts::{self, Change, ChangeKind, Directory, Files, Thing};
use crate::catalog;
use crate::cli::context::Context;
use crate::cluster::kind_yaml;
use crate::config::lock::{Lock, LockedProject, LockedService, LockedTool, Origin};
use crate::diag::Result;
use crate::fsx;
use crate::helm::{Chart, Rendered};
use crate::ids::{Digest, Name};
use crate::image::dockerfile_dev;
use crate::plan::{APP, ChartSource, app_image};
use crate::tilt::{TiltInput, TiltService, objects, tiltfile};
use crate::toolchain::Pins;
use crate::values::Release;

/// The outcome of a render, nothing of it written yet.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Where artifacts go.
    pub(crate) directory: Directory,
    /// The artifacts that would change.
    pub(crate) changes: Vec<Change>,
    /// The new kilter.lock.
    pub(crate) lock_text: String,
    /// Manifests by service, the user's own among them, in the plan's order.
    pub(crate) manifests: Vec<(String, Vec<u8>)>,
}

impl Outcome {
    /// Works out everything that a finished render changes. `rendered` belongs to the releases of `prepared`.
    ///
    /// # Errors
    /// When stored artifacts cannot be read.
    pub(crate) fn new(ctx: &Context, prepared: &Prepared, rendered: &[Rendered]) -> Result<Self> {
        let directory = prepared.project.artifacts(ctx)?;
        let mut files = Files::new();
        for (release, rendered) in prepared.releases.iter().zip(rendered) {
            files.extend(artifacts::of_release(&release.service, &release.values, rendered));
        }
        for (service, manifest) in &prepared.own_manifests {
            files.insert(format!("manifests/{service}.yaml"), manifest.clone());
        }
        keep_others(&directory, prepared, &mut files)?;
        let manifests = prepared.services().into_iter().filter_map(|service| {
            files.get(&format!("manifests/{service}.yaml")).map(|manifest| (service, manifest.clone()))
        });
        let manifests: Vec<_> = manifests.collect();
        texts(prepared, &manifests, &mut files)?;
        let changes = directory.changes(&files)?;
        Ok(Self { directory, changes, lock_text: new_lock(prepared, rendered).to_text(), manifests })
    }

    /// Returns the bytes of one artifact as they would be stored.
    ///
    /// # Errors
    /// When it is stored already and cannot be read.
    pub(crate) fn file(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match self.changes.iter().find(|change| change.path == path) {
            Some(change) if change.kind == ChangeKind::Removed => Ok(None),
            Some(change) => Ok(Some(change.new.clone())),
            None => fsx::read(&self.directory.path(path), fsx::MAX_FILE),
        }
    }

    /// Tells whether kilter.lock changes.
    pub(crate) fn lock_changes(&self, prepared: &Prepared) -> bool {
        prepared.project.lock_text.as_deref() != Some(&self.lock_text)
    }

    /// Writes what changed: artifacts first, then kilter.lock, then the guide.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, prepared: &Prepared) -> Result<()> {
        self.directory.apply(&self.changes)?;
        if self.lock_changes(prepared) {
            fsx::write(&prepared.project.root.join(file::KILTER_LOCK), self.lock_text.as_bytes())?;
        }
        guide::refresh(&prepared.project, &prepared.plan)
    }
}

/// Keeps the stored files of services that are not rendered this time (`kilter render SERVICE`).
fn keep_others(directory: &Directory, prepared: &Prepared, files: &mut Files) -> Result<()> {
    for service in prepared.services() {
        if prepared.own_manifests.contains_key(&service) || prepared.releases.iter().any(|r| r.service == service) {
            continue;
        }
        for path in
            [format!("values/{service}.yaml"), format!("manifests/{service}.yaml"), format!("receipts/{service}.json")]
        {
            if let Some(bytes) = fsx::read(&directory.path(&path), fsx::MAX_FILE)? {
                files.insert(path, bytes);
            }
        }
    }
    Ok(())
}

/// Adds the artifacts that are not helm's: Dockerfile.dev and kind.yaml, kilter's or the user's, and kilter's Tiltfile.
fn texts(prepared: &Prepared, manifests: &[(String, Vec<u8>)], files: &mut Files) -> Result<()> {
    let (plan, ejected) = (&prepared.plan, &prepared.ejected);
    let config = &prepared.project.loaded.config;
    if let Some(app) = &plan.app {
        let text = match ejected.read(&Thing::Dockerfile)? {
            Some(own) => own,
            None => {
                dockerfile_dev(prepared.stack.as_ref(), &app.image, app.dev.as_deref(), Some(app.port)).into_bytes()
            }
        };
        files.insert("Dockerfile.dev".into(), text);
    }
    let services =
        manifests.iter().map(|(name, manifest)| TiltService { name: name.clone(), objects: objects(manifest) });
    let input = TiltInput {
        plan,
        app_image: &app_image(plan),
        stack: prepared.stack.as_ref(),
        components: config.components.iter().any(|component| component.image.is_none() && component.command.is_some()),
        services: services.collect(),
        own_dockerfile: ejected.has(&Thing::Dockerfile),
    };
    // The user's is loaded from where it is, see `Ejected::tiltfile`; this one is there for it to include. What no tool can
    // read to its end is an error here, as it is with every other copy.
    ejected.read(&Thing::Tiltfile)?;
    files.insert("Tiltfile".into(), tiltfile(&input).into_bytes());
    if prepared.project.with_kind() {
        let own = ejected.read(&Thing::Kind)?;
        let text = kind_yaml(&prepared.instance, &Pins::builtin().kind_node, own.as_deref())?;
        files.insert("kind.yaml".into(), text.into_bytes());
    }
    Ok(())
}

/// Makes the new lock: what is locked stays, what is new is added, what is gone goes.
fn new_lock(prepared: &Prepared, rendered: &[Rendered]) -> Lock {
    let (project, plan) = (&prepared.project, &prepared.plan);
    let old = project.lock.as_ref();
    let digests: BTreeMap<&str, (&Release, &Rendered)> = prepared
        .releases
        .iter()
        .zip(rendered)
        .map(|(release, done)| (release.service.as_str(), (release, done)))
        .collect();
    let common = plan.namespace_is_common();
    let kept = |new: Digest, old: Option<&Digest>| if common { Some(new) } else { old.cloned() };
    let app = plan.app.iter().map(|app| (APP, Origin::Catalog, &app.chart, None));
    let services = plan.services.iter().map(|s| (s.name.as_str(), s.origin, &s.chart, s.default_image.clone()));
    let services = app.chain(services).filter_map(|(service, origin, source, image)| {
        let locked = old.and_then(|old| old.services.get(service));
        let entry = match digests.get(service) {
            Some((release, rendered)) => {
                let chart = prepared.hidden.get(service).unwrap_or(&release.chart);
                LockedService {
                    origin,
                    image,
                    values: kept(Digest::of(&release.values), locked.and_then(|l| l.values.as_ref())),
                    manifest: kept(rendered.receipt.manifest.clone(), locked.and_then(|l| l.manifest.as_ref())),
                    ..locked_chart(source, chart, locked)
                }
            }
            None => locked.cloned()?,
        };
        Some((Name::new(service).ok()?, entry))
    });
    Lock {
        project: LockedProject {
            name: project.name.clone(),
            port: prepared.facts.port,
            dev: prepared.facts.dev.clone(),
            image: prepared.facts.image.clone(),
            health: prepared.facts.health.clone(),
            stack: prepared.stack.as_ref().and_then(|stack| serde_json::to_value(stack).ok()),
        },
        helm: LockedTool {
            version: prepared.helm.version.clone(),
            // A helm that does not say its commit leaves the locked one alone.
            commit: prepared.helm.commit.clone().or_else(|| {
                old.filter(|old| old.helm.version == prepared.helm.version).and_then(|old| old.helm.commit.clone())
            }),
        },
        kubernetes: old.map_or_else(|| Pins::builtin().kubernetes().to_owned(), |old| old.kubernetes.clone()),
        services: services.collect(),
        slots: plan.slots().into_iter().collect(),
    }
}

/// Says which chart a service is rendered from. An ejected chart is the user's: the lock keeps the one that deleting it
/// goes back to.
fn locked_chart(source: &ChartSource, chart: &Chart, locked: Option<&LockedService>) -> LockedService {
    let (name, version, digest) = match source {
        ChartSource::Embedded { name, digest } => {
            let kept =
                locked.filter(|locked| locked.chart_digest == *digest).map(|locked| locked.chart_version.clone());
            let carried = catalog::chart(name).filter(|c| c.digest() == *digest).map(|c| c.version.to_owned());
            (name.clone(), carried.or(kept).unwrap_or_else(|| chart.version.clone()), digest.clone())
        }
        _ => (chart.name.clone(), chart.version.clone(), chart.digest.clone()),
    };
    LockedService {
        origin: Origin::Catalog,
        chart: name,
        chart_version: version,
        chart_digest: digest,
        source: match source {
            ChartSource::Embedded { .. } => None,
            ChartSource::Local(dir) => Some(dir.clone()),
            ChartSource::Remote { reference, .. } => Some(reference.clone()),
        },
        image: None,
        values: None,
        manifest: None,
    }
}
