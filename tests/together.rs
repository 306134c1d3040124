//! Several hands on one project: two kilters at once, and a person who edits while kilter works.

use crate::support::project::{Project, fake_helm};

/// A helm that prints the least that counts as a manifest, after these shell lines.
fn helm(lines: &str) -> String {
    let manifest =
        "printf -- '---\\n# Source: x/templates/x.yaml\\nkind: ConfigMap\\napiVersion: v1\\nmetadata:\\n  name: x\\n'";
    fake_helm(&format!("{lines}\ncat >/dev/null\n{manifest}"))
}

#[test]
fn two_that_add_at_once_both_add() {
    for round in 0..4 {
        let project = Project::new("shop").helm_script(&helm("")).file("kilter.yaml", "# ours\nservices: [mailpit]\n");
        project.kilter(&["render"]).succeeds();
        let both = ["postgres", "redis"].map(|service| project.kilter(&["add", service]).start());
        for running in both {
            let output = running.end();
            assert_eq!(output.code, 0, "round {round}: {}", output.stderr);
        }
        let mut text = project.read("kilter.yaml");
        assert!(text.starts_with("# ours\n"), "round {round}: {text}");
        for service in ["mailpit", "postgres", "redis"] {
            assert!(text.contains(service), "round {round}: `{service}` is lost:\n{text}");
            text = text.replace(service, "");
            assert!(
                project.cache().join(format!("shop/manifests/{service}.yaml")).is_file(),
                "round {round}: {service}"
            );
        }
        project.kilter(&["render", "--locked", "--check"]).succeeds();
    }
}

#[test]
fn what_a_person_saves_while_kilter_renders_is_left_alone() {
    let project = Project::new("shop").file("kilter.yaml", "services: [mailpit]\n");
    let file = project.root().join("kilter.yaml");
    let project = project.helm_script(&helm(&format!("echo '# saved meanwhile' >> '{}'", file.display())));
    let words = project.kilter(&["add", "redis", "-q"]).fails(5);
    insta::assert_snapshot!(words, @r"
    error: kilter.yaml was changed in the meantime, so it was left alone.
      = Run the same command again.
    ");
    let text = project.read("kilter.yaml");
    assert!(text.starts_with("services: [mailpit]\n# saved meanwhile\n") && !text.contains("redis"), "{text}");
}

#[test]
fn a_merge_that_is_not_settled_is_shown() {
    let project = Project::new("shop")
        .file("kilter.yaml", "services:\n<<<<<<< ours\n  - redis\n=======\n  - nats\n>>>>>>> theirs\n");
    insta::assert_snapshot!(project.kilter(&["render"]).fails(1), @r"
    error: kilter.yaml has the conflict markers of a merge.
      --> kilter.yaml:2:1
       |
    2  | <<<<<<< ours
       | ^^^^^^^
      = Settle the merge in your editor, then run the same command again.
    ");
}

#[test]
fn a_helm_of_another_commit_is_not_the_locked_one() {
    let said = "version.BuildInfo{Version:\"v4.3.0\", GitCommit:\"1111111111111111111111111111111111111111\", GoVersion:\"go1.26.8\"}";
    let script = format!("if [ \"$1\" = version ]; then echo '{said}'; exit 0; fi\n{}", helm(""));
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n").helm_script(&script);
    project.kilter(&["render"]).succeeds();
    let lock = project.read("kilter.lock");
    assert!(lock.contains(&"1".repeat(40)), "{lock}");
    project.write("kilter.lock", lock.replace(&"1".repeat(40), &"2".repeat(40)));
    let words = project.kilter(&["render"]).fails(3);
    insta::assert_snapshot!(words, @r"
    error: `[HELM]` is not the helm 4.3.0 of kilter.lock.
      | kilter.lock  commit 2222222222222222222222222222222222222222
      | this one     commit 1111111111111111111111111111111111111111
      = Take kilter's own: unset `KILTER_HELM` and run `kilter tools install helm`.
    ");
}

#[test]
fn files_that_helm_did_not_make_are_not_replaced() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n").helm_script(&helm(""));
    project.write("out/redis.yaml", "mine\n");
    let words = project.kilter(&["render", "--out", "out", "-q"]).fails(5);
    assert!(words.contains("is there already and was not rendered by helm"), "{words}");
    assert_eq!(project.read("out/redis.yaml"), "mine\n");
    let paths = project.kilter(&["render", "--out", "./fresh"]).succeeds().stdout;
    let below = format!("{}/", project.root().join("fresh").display());
    assert!(paths.lines().count() > 0 && paths.lines().all(|path| path.starts_with(&below)), "{paths}");
    project.kilter(&["render", "--out", "fresh"]).succeeds();
}

#[test]
fn verbose_prints_what_is_run() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n").helm_script(&helm(""));
    assert!(!project.kilter(&["render"]).succeeds().stderr.contains("$ env -i"));
    project.write("kilter.yaml", "services: [nats]\n");
    let said = project.kilter(&["render", "-v"]).succeeds().stderr;
    assert_eq!(
        said.lines().filter(|line| line.starts_with("$ env -i ") && line.contains(" template nats ")).count(),
        1,
        "{said}"
    );
}
