//! From a KilterApp to its files: the chart's values, helm's bytes, the layout of the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::{ANNOTATION_RERENDER, AppId, KilterApp, Platform};
use crate::catalog;
use crate::config::model::Hooks;
use crate::diag::{Error, Result};
use crate::exec::Invocation;
use crate::gitops::{AppReceipt, Change, Files, Phase, Phased, files};
use crate::helm::charts::ChartStore;
use crate::helm::{Chart, Helm, Observer, Release, Renderer, Source};
use crate::ids::Digest;
use crate::values::production_values;

/// The chart of every app.
const CHART: &str = "kilter-app";
/// SPEC 7: how long one render may take, and how much it may print.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_OUTPUT: usize = 8 * 1024 * 1024;

/// Renders apps.
#[derive(Debug)]
pub(super) struct AppRenderer {
    renderer: Renderer,
    chart: Chart,
    platform: Platform,
}

/// The files of an app, and the change that writes them.
#[derive(Debug, Clone)]
pub(super) struct RenderedApp {
    pub files: Files,
    pub receipt: AppReceipt,
    pub trailers: Vec<String>,
}

/// Nobody listens.
struct Silent;

impl Observer for Silent {
    fn started(&self, _service: &str) {}
    fn finished(&self, _service: &str, _source: Source) {}
}

impl AppRenderer {
    /// Prepares helm and the chart in a directory of its own. helm runs confined.
    ///
    /// # Errors
    /// When helm does not say its version, or the chart cannot be unpacked.
    pub(super) fn new(helm: &Path, dir: &Path, platform: Platform) -> Result<Self> {
        let (version, commit) = version_of(helm)?;
        let bytes = std::fs::File::open(helm).and_then(Digest::of_reader);
        let digest = bytes.map_err(|error| Error::io(format!("read `{}`", helm.display()), &error))?;
        let this = std::env::current_exe().map_err(|error| Error::io("find this program", &error))?;
        let helm = Helm {
            path: helm.to_owned(),
            version,
            commit,
            digest,
            home: dir.join("helm"),
            timeout: TIMEOUT,
            max_output: MAX_OUTPUT,
            confined_by: cfg!(target_os = "linux").then_some(this),
        };
        let chart = catalog::chart(CHART).ok_or_else(|| Error::bug("the chart `kilter-app` is not compiled in"))?;
        let chart = ChartStore { root: dir.join("charts") }.embedded(chart)?;
        // A render is never asked for twice: what is in the repository is not rendered again.
        Ok(Self { renderer: Renderer { helm, cache: None, jobs: 1 }, chart, platform })
    }

    /// Returns the settings of the platform.
    pub(super) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Renders an app: one helm process, two when Jobs run before it. Blocks.
    ///
    /// # Errors
    /// When helm fails; its words are in the error.
    pub(super) fn render(&self, id: &AppId, app: &KilterApp) -> Result<RenderedApp> {
        let mut phases = Vec::new();
        let mut renders = BTreeMap::new();
        let wanted = [Phase::Jobs, Phase::App];
        for phase in wanted.into_iter().filter(|phase| *phase == Phase::App || app.spec.template.has_jobs()) {
            let values = production_values(id, &app.spec, &self.platform, phase == Phase::Jobs)?;
            let release = Release {
                service: format!("{} {}", id.namespace(), phase.name()),
                name: id.namespace(),
                namespace: id.namespace(),
                kubernetes: self.platform.kubernetes.clone(),
                chart: self.chart.clone(),
                values: values.clone(),
                hooks: Some(Hooks::Drop),
            };
            let mut rendered = self.renderer.render(std::slice::from_ref(&release), &|_| None, &Silent);
            let rendered = rendered.pop().ok_or_else(|| Error::bug("nothing was rendered"))??;
            let receipt = serde_json::to_value(&rendered.receipt).map_err(|error| Error::bug(error.to_string()))?;
            renders.insert(phase.name().to_owned(), receipt);
            phases.push(Phased { phase, values, manifest: rendered.manifest.as_ref().clone() });
        }
        let metadata = &app.metadata;
        let generation = metadata.generation.unwrap_or(0);
        let receipt = AppReceipt {
            org: id.org().into(),
            app: id.app().into(),
            env: id.env().into(),
            uid: metadata.uid.clone().unwrap_or_default(),
            generation,
            revision: app.spec.revision,
            deploy: app.spec.deploy.clone(),
            image: app.spec.template.image.clone(),
            rerender: rerender_of(app),
            renders,
            files: BTreeMap::new(),
        };
        let (files, receipt) = files(id, &app.spec, &self.platform, &phases, receipt)?;
        let chart = format!("{}-{}@{}", self.chart.name, self.chart.version, self.chart.digest);
        let trailers = Change::trailers_of(&app.spec, generation, &chart, &self.renderer.helm.version);
        Ok(RenderedApp { files, receipt, trailers })
    }
}

/// Returns the annotation that asks for another render.
pub(super) fn rerender_of(app: &KilterApp) -> String {
    app.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_RERENDER)).cloned().unwrap_or_default()
}

/// Asks helm for its version and commit.
fn version_of(helm: &Path) -> Result<(String, Option<String>)> {
    let call = Invocation::new(PathBuf::from(helm))
        .args(["version", "--template", "{{.Version}} {{.GitCommit}}"])
        .env("HOME", "/nonexistent")
        .timeout(TIMEOUT);
    let said = call.capture()?;
    let text = said.text();
    let mut words = text.split_whitespace();
    match words.next().and_then(|word| word.strip_prefix('v')) {
        Some(version) if said.ok() => Ok((version.to_owned(), words.next().map(str::to_owned))),
        _ => Err(Error::missing(format!("`{}` does not say its version: {}", helm.display(), said.ending))
            .detail(said.stderr)
            .help("Give `--helm` the helm of kilter's pins.")),
    }
}
