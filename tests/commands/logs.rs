//! `kilter logs` on a cluster that kilter did not make.

use rustix::process::Signal;

use crate::support::cluster::{asked, has, kilter, kubectl, project, store};

const TWO: &str = "kind: Deployment\nmetadata: {name: x}\n---\nkind: Deployment\nmetadata: {name: gone}\n";

#[test]
fn every_container_is_heard_and_one_that_is_gone_does_not_keep_the_others() {
    let project = project("shop", "services: [{name: x, image: 'acme/x:1', port: 80}]\n");
    store(&project, "x", TWO);
    // It says something, ends, and goes on with the next pod; the second time it stays.
    kubectl(
        &project,
        r#"case "$*" in
        "logs deployment/gone "*) echo 'Error from server (NotFound): deployments.apps "gone" not found' >&2; exit 1 ;;
        esac
        echo '[pod/x-1/app] 2026-01-02T00:00:09Z late'
        echo '[pod/x-1/proxy] 2026-01-02T00:00:01Z early'
        test -e begun || { touch begun; exit 0; }
        echo '[pod/x-2/app] 2026-01-02T00:00:08Z again'
        test "${*#*--follow}" = "$*" || { echo here >&2; sleep 600; }"#,
    );
    let mut follows = kilter(&project, &["logs", "--follow", "x"]).start();
    follows.said("warning: the logs of `x` in `shop-dev` cannot be had");
    follows.says("again\n");
    follows.signal(Signal::INT);
    let output = follows.end();
    assert_eq!((output.code, output.stdout.as_str()), (130, "late\nearly\nagain\n"));
    let calls = asked(&project);
    let flags = "--all-containers --timestamps --prefix --follow --max-log-requests=50";
    assert_eq!(calls.iter().filter(|call| call.contains("deployment/gone")).count(), 1, "{calls:?}");
    let x: Vec<&String> = calls.iter().filter(|call| call.contains("deployment/x")).collect();
    assert_eq!(*x[0], format!("shop-dev: logs deployment/x {flags} --tail=200"));
    assert!(x[1].starts_with(&format!("shop-dev: logs deployment/x {flags} --since=12")), "{calls:?}");

    let output = kilter(&project, &["logs", "x", "--tail", "5", "--timestamps"]).run();
    assert_eq!(output.code, 4);
    assert!(output.stdout.ends_with("2026-01-02T00:00:08Z again\n"), "{}", output.stdout);
    assert!(output.stderr.contains("deployments.apps \"gone\" not found"), "{}", output.stderr);
}

#[test]
fn the_run_before_and_what_jobs_said() {
    let project = project("shop", "services: [{name: x, image: 'acme/x:1', port: 80}]\n");
    store(&project, "x", "kind: Deployment\nmetadata: {name: x}\n---\nkind: Job\nmetadata: {name: seed}\n");
    kubectl(
        &project,
        r#"case "$*" in
        *job/seed*) test -e seeded && echo '[pod/seed-1/seed] 2026-01-02T00:00:01Z sown' && exit
            echo 'Error from server (NotFound): jobs.batch "seed" not found' >&2; exit 1 ;;
        *--previous*) test ! -e crashed || echo '[pod/x-1/app] 2026-01-02T00:00:02Z last words'
            echo 'error: previous terminated container "proxy" in pod "x-1" not found' ;;
        *) echo '[pod/x-1/app] 2026-01-02T00:00:03Z well' ;;
        esac"#,
    );
    assert_eq!(kilter(&project, &["logs"]).succeeds().stdout, "well\n", "a Job that is gone is none of the failures");
    has(&project, "seeded", "");
    let said = kilter(&project, &["logs"]).succeeds().stdout;
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["sown", "well"]);
    std::fs::remove_file(project.outside("cluster/seeded")).unwrap();
    let said = kilter(&project, &["logs", "x", "--previous"]).fails(3);
    assert!(said.starts_with("error: no container of `x` was started again"), "{said}");
    has(&project, "crashed", "");
    assert_eq!(kilter(&project, &["logs", "x", "--previous"]).succeeds().stdout, "last words\n");
    assert!(asked(&project).last().unwrap().ends_with(" --previous --ignore-errors --tail=200"));
}
