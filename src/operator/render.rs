//! From a KilterApp to its files: the chart's values, helm's bytes, the layout of the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::{ANNOTATION_RERENDER, AppId, KilterApp, Platform};
use crate::catalog;
use crate::config::model::Hooks;
use crate::diag::{Error, Kind, Result};
use crate::exec::Invocation;
use crate::gitops::{APPS, AppReceipt, Change, Files, Phase, Phased, RenderReceipt, Sealed, files};
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

/// One helm run, with its receipt.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    phased: Phased,
    receipt: RenderReceipt,
}

/// What of the head goes into the next render.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// The Jobs of this very deploy.
    pub jobs: Option<Ran>,
    /// Secrets that the spec does not name, and pods of before may be in need of.
    pub secrets: Sealed,
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

    /// Lets helm run as it is: the program of the tests confines nobody.
    #[cfg(test)]
    pub(super) fn unconfined(mut self) -> Self {
        self.renderer.helm.confined_by = None;
        self
    }

    /// Returns the settings of the platform.
    pub(super) fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Renders an app: one helm process, two when Jobs run before it that are not committed yet. Blocks.
    ///
    /// # Errors
    /// When helm fails; its words are in the error.
    pub(super) fn render(&self, id: &AppId, app: &KilterApp, kept: Kept) -> Result<RenderedApp> {
        let mut ran = Vec::new();
        if app.spec.template.has_jobs() {
            ran.push(kept.jobs.map_or_else(|| self.run(id, app, Phase::Jobs), Ok)?);
        }
        ran.push(self.run(id, app, Phase::App)?);
        let renders = ran.iter().map(|ran| (ran.phased.phase.name().to_owned(), ran.receipt.clone())).collect();
        let phases: Vec<Phased> = ran.into_iter().map(|ran| ran.phased).collect();
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
        let (files, receipt) = files(id, &app.spec, &self.platform, &phases, &kept.secrets, receipt)?;
        let chart = format!("{}-{}@{}", self.chart.name, self.chart.version, self.chart.digest);
        let trailers = Change::trailers_of(&app.spec, generation, &chart, &self.renderer.helm.version);
        Ok(RenderedApp { files, receipt, trailers })
    }

    fn run(&self, id: &AppId, app: &KilterApp, phase: Phase) -> Result<Ran> {
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
        let receipt = RenderReceipt::from(&receipt);
        Ok(Ran { phased: Phased { phase, values, manifest: rendered.manifest.as_ref().clone() }, receipt })
    }
}

/// Returns the Jobs of an app's deploy as the repository has them, if it has. They stay as they are for as long as the deploy is
/// the same: the pods of a Job cannot be changed after it was made, so what another chart or helm prints would be refused
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/job/>, `spec.template` is immutable).
pub(super) fn committed_jobs(id: &AppId, app: &KilterApp, receipt: &AppReceipt, files: &Files) -> Option<Ran> {
    let same = app.metadata.uid.as_ref() == Some(&receipt.uid) && app.spec.deploy == receipt.deploy;
    if !same || !receipt.describes(files) {
        return None;
    }
    let file = |name: &str| files.get(&format!("{APPS}/{}/jobs/{name}", id.namespace())).cloned();
    let phased = Phased { phase: Phase::Jobs, values: file("values.yaml")?, manifest: file("jobs.yaml")? };
    Some(Ran { phased, receipt: receipt.renders.get(Phase::Jobs.name())?.clone() })
}

/// Tells whether a render failed by what was asked for. Anything else passes: no memory, no time, no process to be had.
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), Kind::Project | Kind::Tool) && !error.is_passing()
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing;
    use super::*;
    use crate::api::Template;
    use crate::gitops::tests::{Bench, spec};

    #[tokio::test]
    async fn a_render_has_its_time_and_its_length() {
        let bench = Bench::new();
        let nobody = testing::client(|asked| async move { panic!("{} is asked for", asked.uri()) });
        let operator = testing::operator(&bench, nobody, "yes");
        let helm = &operator.renderer.renderer.helm;
        assert_eq!((helm.timeout, helm.max_output), (Duration::from_secs(30), 8 << 20));
        let (id, app) = testing::app(Template { image: "i@sha256:1".into(), ..Template::default() });
        let error = operator.renderer.render(&id, &app, Kept::default()).unwrap_err();
        assert!(error.to_string().contains("it printed more than 8 MiB and was stopped"), "{error}");
    }

    #[test]
    fn the_jobs_of_a_deploy_stay_as_they_are_committed() {
        let id = AppId::new("acme", "shop", "prod").unwrap();
        let template = Template { image: "i@sha256:1".into(), migration: vec!["up".into()], ..Template::default() };
        let spec = spec(template);
        let receipt = AppReceipt {
            org: "acme".into(),
            app: "shop".into(),
            env: "prod".into(),
            uid: "u".into(),
            generation: 1,
            revision: 1,
            deploy: "d1".into(),
            image: String::new(),
            rerender: String::new(),
            renders: BTreeMap::from([("jobs".into(), RenderReceipt::from(&json!({"helm": "old"})))]),
            files: BTreeMap::new(),
        };
        let jobs = Phased { phase: Phase::Jobs, values: b"v\n".to_vec(), manifest: b"kind: Job\n".to_vec() };
        let (all, receipt) = files(&id, &spec, &Platform::default(), &[jobs], &Sealed::new(), receipt).unwrap();
        let mut app = KilterApp::new("shop-prod", spec);
        app.metadata.uid = Some("u".into());
        let ran = committed_jobs(&id, &app, &receipt, &all).unwrap();
        assert_eq!((ran.phased.manifest.as_slice(), ran.phased.values.as_slice()), (&b"kind: Job\n"[..], &b"v\n"[..]));
        assert_eq!(ran.receipt, RenderReceipt::from(&json!({"helm": "old"})));

        let mut tampered = all.clone();
        tampered.insert("apps/shop-prod/jobs/jobs.yaml".into(), b"kind: Pod\n".to_vec());
        assert!(committed_jobs(&id, &app, &receipt, &tampered).is_none(), "what somebody changed is rendered again");
        app.spec.deploy = "d2".into();
        assert!(committed_jobs(&id, &app, &receipt, &all).is_none(), "another deploy has Jobs of its own");
        app.spec.deploy = "d1".into();
        app.metadata.uid = Some("another".into());
        assert!(committed_jobs(&id, &app, &receipt, &all).is_none());
    }
}
