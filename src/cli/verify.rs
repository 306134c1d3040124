//! `kilter verify`.

use serde_json::json;

use super::context::Context;
use super::project::{Prepared, Project};
use crate::diag::{Error, Kind, Problem, Result};
use crate::helm::{Verdict, verify};
use crate::ids::{Digest, Name};
use crate::values::Release;

/// Proves that the stored manifests are exactly what helm prints, anywhere.
///
/// Each service is rendered anew twice, with another time zone, home and working directory the second time, and
/// compared with what is stored and with kilter.lock. A chart that is not deterministic is named with its template and
/// function.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  kilter verify\n  kilter verify reports-db")]
pub(crate) struct Args {
    /// Verify only these services.
    #[arg(value_name = "SERVICE", add = clap_complete::ArgValueCandidates::new(super::candidates::running))]
    services: Vec<String>,
}

pub(crate) fn run(args: &Args, ctx: &Context) -> Result<()> {
    let mut prepared = Prepared::new(ctx, Project::open(ctx)?)?;
    prepared.only(&args.services)?;
    let mut problems = Vec::new();
    let mut kind = Kind::Project;
    let mut rows = Vec::new();
    let width = prepared.releases.iter().map(|release| release.service.len()).max().unwrap_or_default();
    for service in prepared.own_manifests.keys().filter(|s| args.services.is_empty() || args.services.contains(s)) {
        ctx.ui.talk(&format!("`{service}` is not verified: its manifest is ejected, so it is yours."));
    }
    for release in &prepared.releases {
        let work = ctx.ui.work(&format!("verifying {}", release.service));
        let verdict = verify(&prepared.helm, release);
        drop(work);
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => {
                kind = error.kind();
                let what: Vec<_> = error.problems().iter().map(|p| &p.what).collect();
                rows.push(json!({
                    "name": release.service, "verified": false, "problems": what,
                    "unstable": [], "readsBuild": [], "digest": null,
                }));
                problems.extend(error.problems().to_vec());
                continue;
            }
        };
        let found = judge(ctx, &prepared, release, &verdict)?;
        if !verdict.reads_build.is_empty() {
            ctx.ui.warn(&reads_build(release, &verdict));
        }
        if !ctx.ui.json && found.is_empty() {
            ctx.ui.result(&format!(
                "{}  verified  {}",
                ctx.ui.strong(&format!("{:width$}", release.service)),
                Digest::of(&verdict.manifest)
            ));
        }
        rows.push(json!({
            "name": release.service,
            "verified": found.is_empty(),
            "problems": found.iter().map(|p| &p.what).collect::<Vec<_>>(),
            "unstable": verdict.unstable,
            "readsBuild": verdict.reads_build,
            "digest": Digest::of(&verdict.manifest),
        }));
        problems.extend(found);
    }
    if ctx.ui.json {
        ctx.ui.json(&json!(rows));
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Error::from_problems(kind, problems)),
    }
}

/// Returns everything that is wrong with one release.
fn judge(ctx: &Context, prepared: &Prepared, release: &Release, verdict: &Verdict) -> Result<Vec<Problem>> {
    let (service, chart) = (&release.service, &release.chart.name);
    if !verdict.unstable.is_empty() {
        return Ok(vec![
            Problem::new(format!(
                "`{service}` does not render to the same bytes each time: chart `{chart}` is not deterministic"
            ))
            .detail(verdict.unstable.join("\n"))
            .help(format!(
                "Give the chart values with which it does not call the function, or make the manifest yours: `kilter eject manifest/{service}`."
            )),
        ]);
    }
    let mut problems = Vec::new();
    match prepared.project.artifacts(ctx)?.stored(service) {
        None => problems.push(Problem::new(format!("`{service}` is not rendered yet")).help("Run `kilter render`.")),
        Some((_, stored)) if stored != verdict.manifest => problems.push(
            Problem::new(format!("the stored manifest of `{service}` is not what helm prints"))
                .detail(crate::artifacts::unified_diff(
                    &format!("manifests/{service}.yaml"),
                    &stored,
                    &verdict.manifest,
                ))
                .help("Run `kilter render` to store helm's own bytes again."),
        ),
        Some(_) => {}
    }
    let lock = prepared.project.lock.as_ref();
    let locked = Name::new(service).ok().and_then(|name| lock?.services.get(&name)?.manifest.clone());
    let digest = Digest::of(&verdict.manifest);
    let locked = locked.filter(|locked| *locked != digest && prepared.plan.namespace_is_common());
    if let Some(locked) = locked {
        problems.push(
            Problem::new(format!("kilter.lock holds another manifest of `{service}` than this machine renders"))
                .help("Did kilter.yaml change? Then run `kilter render` and commit kilter.lock.")
                .help("If it did not, this is a bug in kilter: report it with both digests.")
                .detail(format!("locked    {locked}\nrendered  {digest}")),
        );
    }
    Ok(problems)
}

fn reads_build(release: &Release, verdict: &Verdict) -> Problem {
    Problem::new(format!(
        "chart `{}` reads how helm was built: a helm built from source may print something else there",
        release.chart.name
    ))
    .detail(verdict.reads_build.join("\n"))
    .help("Use the released helm everywhere (`kilter tools install helm`, with a network), or change the chart.")
}
