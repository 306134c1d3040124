//! Building and pushing the image.

use std::time::Instant;

use super::draft::{Build, Draft};
use crate::api::AppId;
use crate::cli::context::Context;
use crate::cli::dev::docker;
use crate::cli::project::Project;
use crate::deploy::Hop;
use crate::diag::{Error, Problem, Result};
use crate::fsx;
use crate::image::{Job, build, push};

/// Builds and pushes the image of a draft; returns it by digest.
///
/// # Errors
/// When docker is not there, the build fails or the registry does not take it.
pub(super) fn make(
    ctx: &Context,
    project: &Project,
    draft: &Draft,
    id: &AppId,
    registry: &str,
    platform: Option<String>,
    hops: &mut Vec<Hop>,
) -> Result<String> {
    let Some(from) = &draft.build else { return Ok(draft.template.image.clone()) };
    let docker = docker(ctx)?;
    let temporary = tempfile::tempdir().map_err(|error| Error::io("make a temporary directory", &error))?;
    let dockerfile = match from {
        Build::Own(path) => {
            warn_of_secrets(ctx, project);
            path.clone()
        }
        Build::Generated { dockerfile, ignore } => {
            let path = temporary.path().join("Dockerfile");
            fsx::write_cached(&path, dockerfile.as_bytes())?;
            fsx::write_cached(&temporary.path().join("Dockerfile.dockerignore"), ignore.as_bytes())?;
            path
        }
    };
    let mut labels = Vec::new();
    if let (Some(commit), false) = (&draft.checkout.commit, draft.checkout.dirty) {
        labels.push(("org.opencontainers.image.revision".to_owned(), commit.clone()));
    }
    labels.extend(draft.checkout.repo.clone().map(|repo| ("org.opencontainers.image.source".to_owned(), repo)));
    let whose = if matches!(from, Build::Own(_)) { "the project's Dockerfile" } else { "kilter's Dockerfile" };
    let for_platform = platform.as_ref().map(|platform| format!(" for {platform}")).unwrap_or_default();
    let job =
        Job { context: project.root.clone(), dockerfile, platform, labels, id_file: temporary.path().join("image-id") };
    let work = ctx.ui.work(&format!("building the image{for_platform} with {whose}"));
    let began = Instant::now();
    let built = build(&docker, &job)?;
    drop(work);
    hops.push(Hop { name: "build", took: began.elapsed() });

    let repository = format!("{registry}/{}", id.app());
    let tag = match (&draft.checkout.commit, draft.checkout.dirty) {
        (Some(commit), false) => commit[..commit.len().min(12)].to_owned(),
        // Not what the commit has: named by its own content.
        _ => format!("content-{}", &built.id.hex()[..12]),
    };
    let work = ctx.ui.work(&format!("pushing {repository}:{tag}"));
    let began = Instant::now();
    let digest = push(&docker, &built, &repository, &tag)?;
    drop(work);
    hops.push(Hop { name: "push", took: began.elapsed() });
    Ok(format!("{repository}@{digest}"))
}

/// A Dockerfile of the project's copies what its ignore file lets through.
fn warn_of_secrets(ctx: &Context, project: &Project) {
    let files = project.loaded.config.environments.values().flat_map(|environment| environment.secrets.values());
    let there: Vec<&String> = files.filter(|file| project.root.join(file).exists()).collect();
    if let (Some(file), false) = (there.first(), project.root.join(".dockerignore").exists()) {
        ctx.ui.warn(
            &Problem::new(format!("the project has no .dockerignore, so that `{file}` may get into the image"))
                .help(format!("Write `{file}` into a file `.dockerignore`.")),
        );
    }
}
