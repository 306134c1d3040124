//! `init` and `render` on the manifests of real applications. The data lies beside the repository and is no part of it;
//! without it the test says so and ends.

use std::fs;
use std::path::PathBuf;

use crate::detect_score;
use crate::support;
use crate::support::project::{Output, Project, copy_tree};

#[test]
fn slow_real_projects_render_or_say_why_not() {
    let Some(_) = support::helm() else { return };
    let open = detect_score::data().join("open");
    let Ok(entries) = fs::read_dir(&open) else {
        support::skip("real projects: their manifests are not beside this repository");
        return;
    };
    let mut projects: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    projects.sort();
    assert!(projects.len() > 20, "{projects:?}");
    let mut renders = 0;
    for from in projects {
        let full = from.file_name().unwrap().to_str().unwrap();
        let project = Project::new(full.rsplit("__").next().unwrap());
        copy_tree(&from, &project.root());
        let row = one(&project, &mut renders);
        support::tell(&format!("{full:50}  {row}"));
    }
    support::tell(&format!("{renders} of the real projects render"));
    assert!(renders > 20, "only {renders} projects render");
}

/// Runs both commands; returns what was selected and how it ended.
fn one(project: &Project, renders: &mut usize) -> String {
    let init = project.kilter(&["init", "--yes"]).run();
    let file = project.root().join("kilter.yaml");
    if init.code != 0 {
        assert!(!file.exists(), "init failed and left a kilter.yaml");
        return format!("init: {}", clear_message(project, &init));
    }
    let written = fs::read_to_string(&file).unwrap();
    let services: Vec<&str> = written.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    let render = project.kilter(&["render"]).run();
    if render.code != 0 {
        return format!("{}: {}", services.join(" "), clear_message(project, &render));
    }
    *renders += 1;
    let again = project.kilter(&["render", "--check", "--locked"]).run();
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, ""),
        "a second render would change something:\n{}",
        again.stderr
    );
    format!("{} → {} manifests", services.join(" "), render.stdout.lines().count())
}

/// A failure is the project's (exit code 1) and says what is wrong and what to do.
fn clear_message(project: &Project, output: &Output) -> String {
    let message = project.shown(&output.stderr);
    assert_eq!(output.code, 1, "{message}");
    assert!(message.contains("error: ") && message.contains("\n  = "), "{message}");
    message.lines().find(|line| line.starts_with("error: ")).unwrap().to_owned()
}

#[test]
fn an_init_that_fails_leaves_no_kilter_yaml() {
    let package = r#"{"scripts": {"dev": "node ."}, "dependencies": {"ioredis": "5"}}"#;
    let message = |name: &str| {
        let project = Project::new(name).file("package.json", package);
        let said = project.kilter(&["init", "--yes"]).run();
        assert_eq!(said.code, 1, "{}", said.stderr);
        assert!(!project.root().join("kilter.yaml").exists(), "{name}");
        said.stderr
    };
    insta::assert_snapshot!(message("redis"), @r#"
    looking at the project
    error: the service `redis` has the name that the app has in the cluster.
      --> kilter.yaml:3:5
       |
    3  |   - redis
       |     ^^^^^
      = Give the service another name, or the project: `kilter init --name NAME`.
      = Nothing was written: a line shown here is one of the proposed kilter.yaml.
    "#);
    insta::assert_snapshot!(message("___"), @r#"
    looking at the project
    error: the directory name `___` has nothing to make a project name of.
      = Name it: `kilter init --name my-project`.
    "#);
    insta::assert_snapshot!(message("tools"), @r#"
    looking at the project
    error: a project cannot be named `tools`: kilter keeps its tools under that name.
      = Give it another name: `kilter init --name NAME`.
    "#);
}
