//! Rendering: from the cache where the inputs are known, by helm where not, over all cores.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::charts::require_whole;
use super::{Helm, Receipt, Release, ValuesFrom, schema};
use crate::diag::{Error, Result};
use crate::exec::{Captured, Ending};
use crate::fsx;
use crate::ids::Digest;

/// How many lines of helm's words are shown when it fails.
const TAIL: usize = 20;

/// The code with which helm refuses what it is asked (helm, `cmd/helm/helm.go`). Go ends a program with 2 that it has no memory or
/// no thread for, and what confines helm has codes of its own.
const REFUSED: i32 = 1;

/// Where the bytes of a manifest came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The stored manifest already was what its inputs give.
    Unchanged,
    /// Another project, or an earlier state of this one, rendered the same inputs.
    Cache,
    /// helm ran.
    Helm,
}

/// A rendered release.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// helm's standard output, byte for byte.
    pub manifest: Arc<Vec<u8>>,
    /// What it was made from.
    pub receipt: Receipt,
    /// Where the bytes came from.
    pub source: Source,
}

/// Is told how a render goes; called from several threads.
pub trait Observer: Sync {
    /// helm starts for a service.
    fn started(&self, service: &str);
    /// A service is done.
    fn finished(&self, service: &str, source: Source);
}

/// Gives what is stored for a release now: its receipt and its manifest.
pub type Stored<'a> = dyn Fn(&Release) -> Option<(Receipt, Vec<u8>)> + Sync + 'a;

/// Renders releases with one helm and one cache.
#[derive(Debug)]
pub struct Renderer {
    /// The helm to run.
    pub helm: Helm,
    /// Directory of the content-addressed cache of manifests; `None` renders everything anew.
    pub cache: Option<PathBuf>,
    /// How many helm processes run at once, at least 1.
    pub jobs: usize,
}

impl Renderer {
    /// Renders all releases; the results are in the order of `releases`. `stored` gives what is stored for a service
    /// now. A failure of one does not stop the others.
    pub fn render(&self, releases: &[Release], stored: &Stored<'_>, observer: &dyn Observer) -> Vec<Result<Rendered>> {
        let slots: Vec<Mutex<Option<Result<Rendered>>>> = releases.iter().map(|_| Mutex::new(None)).collect();
        let mut to_render = Vec::new();
        for (index, release) in releases.iter().enumerate() {
            match self.known(release, stored) {
                Some(rendered) => {
                    observer.finished(&release.service, rendered.source);
                    put(&slots[index], Ok(rendered));
                }
                None => to_render.push(index),
            }
        }
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(&index) = to_render.get(next.fetch_add(1, Ordering::SeqCst)) {
                let release = &releases[index];
                observer.started(&release.service);
                let result = self.run(release);
                if result.is_ok() {
                    observer.finished(&release.service, Source::Helm);
                }
                put(&slots[index], result);
            }
        };
        match self.jobs.min(to_render.len()) {
            0 => {}
            1 => work(),
            jobs => thread::scope(|scope| {
                for _ in 0..jobs {
                    scope.spawn(work);
                }
            }),
        }
        let taken = slots.into_iter().map(|slot| slot.into_inner().ok().flatten());
        taken.map(|result| result.unwrap_or_else(|| Err(Error::bug("a release was not rendered")))).collect()
    }

    /// Looks the inputs up: in what is stored for the service, then in the cache.
    fn known(&self, release: &Release, stored: &Stored<'_>) -> Option<Rendered> {
        let cache = self.cache.as_ref()?;
        let key = super::key(release, &self.helm.digest);
        if let Some((receipt, manifest)) = stored(release)
            && receipt.key == key
            && Digest::of(&manifest) == receipt.manifest
        {
            return Some(Rendered { manifest: Arc::new(manifest), receipt, source: Source::Unchanged });
        }
        let entry = fsx::read(&cache.join(key.hex()), fsx::MAX_FILE).ok()??;
        let manifest = check_entry(entry)?;
        let receipt = Receipt::new(&self.helm, release, Digest::of(&manifest));
        Some(Rendered { manifest: Arc::new(manifest), receipt, source: Source::Cache })
    }

    /// Runs helm for one release.
    fn run(&self, release: &Release) -> Result<Rendered> {
        require_whole(&release.chart)?;
        let captured = self.helm.template(release, ValuesFrom::Stdin).capture()?;
        let manifest = self.check(release, captured)?;
        let receipt = Receipt::new(&self.helm, release, Digest::of(&manifest));
        if let Some(cache) = &self.cache {
            // The cache may be read-only or full: then the next run renders again, and whoever stores the manifest
            // reports it.
            let _ = fsx::write_cached(&cache.join(receipt.key.hex()), &cache_entry(&manifest));
        }
        Ok(Rendered { manifest: Arc::new(manifest), receipt, source: Source::Helm })
    }

    fn check(&self, release: &Release, captured: Captured) -> Result<Vec<u8>> {
        let what = format!("helm could not render `{}` from chart `{}`", release.service, release.chart.name);
        let fail = |why: String| {
            let command = self.helm.template(release, ValuesFrom::Stdin).shell_line();
            let mut words = vec![format!("$ {command}  < values of {}", release.service)];
            let lines: Vec<&str> = captured.stderr.lines().collect();
            words.extend(lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()));
            Error::tool(format!("{what}: {why}")).detail(words.join("\n"))
        };
        match captured.ending {
            Ending::Exited(0) => {}
            // helm's words, `action.CheckDependencies`.
            Ending::Exited(_) if captured.stderr.contains("missing in charts/ directory") => {
                return Err(fail("its dependencies are not in `charts/`".into())
                    .help("Get them once: `\"$(kilter tools path helm)\" dependency build DIR` for the chart's directory, and commit `charts/`.")
                    .help("A published chart without its dependencies is incomplete: use another version of it."));
            }
            Ending::Exited(_) if captured.stderr.contains(schema::WORDS) => {
                return Err(schema::refused(release, &captured.stderr));
            }
            Ending::Exited(code) => {
                let error = fail(format!("it ended with code {code}"))
                    .help("Correct the values or the chart that helm names, then run `kilter render` again.");
                return Err(if code == REFUSED { error } else { error.passing() });
            }
            Ending::Signalled(signal) => {
                return Err(fail(format!("signal {signal} ended it"))
                    .help(
                        "Check the machine's memory, then run `kilter render` again; `kilter doctor` checks the tools.",
                    )
                    .passing());
            }
            Ending::TimedOut => {
                let seconds = self.helm.call().timeout.as_secs();
                return Err(fail(format!("it did not end within {seconds} seconds and was stopped"))
                    .help("Look for a template of the chart that loops, or run `kilter doctor` to check helm.")
                    .passing());
            }
            Ending::Flooded => {
                let limit = fsx::size(self.helm.call().max_output as u64);
                return Err(fail(format!("it printed more than {limit} and was stopped"))
                    .help("Look for a template of the chart that loops."));
            }
        }
        if captured.stdout.iter().all(u8::is_ascii_whitespace) {
            return Err(fail("it printed nothing".into())
                .help("A chart that makes no objects is most likely not what you meant: check its values."));
        }
        if release.hooks.is_none() {
            refuse_hooks(release, &captured.stdout)?;
        }
        Ok(captured.stdout)
    }
}

fn put(slot: &Mutex<Option<Result<Rendered>>>, result: Result<Rendered>) {
    *slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(result);
}

/// An entry of the cache is the digest of the manifest, a newline and the manifest: what was damaged on disk is not taken.
fn cache_entry(manifest: &[u8]) -> Vec<u8> {
    let mut entry = Digest::of(manifest).hex().as_bytes().to_vec();
    entry.push(b'\n');
    entry.extend_from_slice(manifest);
    entry
}

fn check_entry(entry: Vec<u8>) -> Option<Vec<u8>> {
    let (digest, rest) = entry.split_at_checked(64)?;
    let manifest = rest.strip_prefix(b"\n")?;
    (Digest::of(manifest).hex().as_bytes() == digest).then(|| manifest.to_vec())
}

/// Stops when the chart has hooks and kilter.yaml does not say what to do with them: whoever applies a manifest knows
/// no hooks, so they would run at the wrong moment.
fn refuse_hooks(release: &Release, manifest: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(manifest);
    if !text.contains("helm.sh/hook") {
        return Ok(());
    }
    let mut hooks = Vec::new();
    for document in serde_yaml::Deserializer::from_str(&text) {
        let Ok(object) = <serde_yaml::Value as serde::Deserialize>::deserialize(document) else { continue };
        let text = |value: &serde_yaml::Value| value.as_str().unwrap_or("?").to_owned();
        let hook = &object["metadata"]["annotations"]["helm.sh/hook"];
        if !hook.is_null() {
            hooks.push(format!("{} {} ({})", text(&object["kind"]), text(&object["metadata"]["name"]), text(hook)));
        }
    }
    if hooks.is_empty() {
        return Ok(());
    }
    let name = &release.service;
    Err(Error::project(format!(
        "chart `{}` of `{name}` has hooks, which nothing runs outside `helm install`",
        release.chart.name
    ))
    .about(name, &[])
    .detail(hooks.join("\n"))
    .help(format!("Apply them as ordinary objects: add `hooks: apply` to `{name}` in kilter.yaml."))
    .help("Or leave them out: `hooks: drop`."))
}
