//! `kilter deploy`, from source to an answer through the Gateway.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use super::{Platform, Source};
use crate::support::tell;

/// How many clients ask at once during a rollout, and how many answers they have while the old pods leave.
const CLIENTS: usize = 4;
const ANSWERS: usize = 800;

#[test]
fn slow_an_app_goes_from_source_to_its_address_and_to_a_new_version_without_a_failed_request() {
    let Some(platform) = Platform::start("a deploy from source to the Gateway") else { return };
    let source = Source::new("shop");
    source.yaml("env: {GREETING: hello}\ndeploy: {replicas: 2}\n");
    let url = source.deploy(&platform, "shop", &[]);
    assert_eq!(url.trim(), format!("http://shop.{}:{}", platform.suffix, platform.gateway.split(':').nth(1).unwrap()));
    super::answers(&platform, "shop", "version 1 hello\n");

    // A new version, while clients ask all the time.
    source.version("2");
    let (stop, good, bad) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let count = if platform.answer("shop").is_some() { &good } else { &bad };
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        source.deploy(&platform, "shop", &[]);
        ascending(&platform.live("shop-prod"));
        let before = good.load(Ordering::SeqCst);
        super::until("the old pods leave", || (good.load(Ordering::SeqCst) > before + ANSWERS).then_some(()));
        stop.store(true, Ordering::SeqCst);
    });
    // A pod that is ending may answer once more, until the Gateway knows.
    super::answers(&platform, "shop", "version 2 hello\n");
    tell(&format!(
        "requests during a rollout: {} answered, {} failed",
        good.load(Ordering::SeqCst),
        bad.load(Ordering::SeqCst)
    ));
    assert_eq!(bad.load(Ordering::SeqCst), 0);

    // The same again: no new revision and no commit.
    let commits = platform.commits_of("shop");
    source.deploy(&platform, "shop", &[]);
    assert_eq!(platform.commits_of("shop"), commits);
    assert_eq!(platform.live("shop-prod")["spec"]["revision"], 2);

    // Back, and forth by number.
    source.kilter(&platform, &["rollback", "--wait"]).succeeds();
    super::answers(&platform, "shop", "version 1 hello\n");
    source.kilter(&platform, &["rollback", "--wait", "--to", "2"]).succeeds();
    super::answers(&platform, "shop", "version 2 hello\n");

    // Gone with all it had.
    source.kilter(&platform, &["apps", "delete", "acme/shop", "--yes"]).succeeds();
    super::until("it is gone", || {
        (platform.app("shop-prod").is_none() && !platform.has_namespace("shop-prod")).then_some(())
    });
    assert!(!platform.git(&["ls-tree", "-r", "--name-only", "main"]).contains("apps/shop-prod/"));
    assert!(!platform.said().contains("forbidden"), "the chart gives all the rights that are used");
}

/// The times of a deploy are its own, each hop's after the one before: texts of one form (RFC 3339 in UTC with milliseconds), whose
/// order is that of the times.
fn ascending(app: &Value) {
    let timeline = &app["status"]["timeline"];
    assert_eq!(timeline["deploy"], app["spec"]["deploy"], "{timeline}");
    let at = |hop: &str| timeline[hop].as_str().unwrap_or_else(|| panic!("no time of `{hop}`: {timeline}")).to_owned();
    let times = ["accepted", "rendered", "committed", "reconciled", "ready"].map(at);
    assert!(times.is_sorted(), "{timeline}");
}

#[test]
fn slow_a_failed_migration_halts_the_deploy_and_the_old_pods_serve_on() {
    let Some(platform) = Platform::start("migrations") else { return };
    let source = Source::new("ledger");
    let api = "{name: api, command: node server.js, port: 3000, route: /api, env: {GREETING: of the api}}";
    source.yaml(&format!("components: [{api}]\n"));
    source.deploy(&platform, "ledger", &["--migration", "node -e \"console.log('migrated')\"", "--seed", "true"]);
    super::answers(&platform, "ledger", "version 1 \n");
    super::answers_at(&platform, "ledger", "/api/entries", "version 1 of the api\n");

    source.version("2");
    let failed = source
        .kilter(
            &platform,
            &["deploy", "--wait", "--migration", "node -e \"console.log('no such table'); process.exit(3)\""],
        )
        .run();
    assert_eq!((failed.code, failed.stdout.as_str()), (4, ""), "{}", failed.stderr);
    assert!(failed.stderr.contains("the migration ended with code 3"), "{}", failed.stderr);
    assert!(failed.stderr.contains("no such table"), "what the Job said: {}", failed.stderr);
    super::answers(&platform, "ledger", "version 1 \n");
    super::answers_at(&platform, "ledger", "/api", "version 1 of the api\n");

    // The same once more is a new try, and one that succeeds rolls the pods.
    source.deploy(&platform, "ledger", &["--migration", "true"]);
    super::answers(&platform, "ledger", "version 2 \n");
    super::answers_at(&platform, "ledger", "/api", "version 2 of the api\n");
    // A plan shows the difference and changes nothing.
    let commits = platform.commits_of("ledger");
    source.yaml("env: {GREETING: planned}\n");
    let plan = source.kilter(&platform, &["deploy", "--plan"]).succeeds().stdout;
    assert!(plan.lines().any(|line| line.starts_with('+') && line.contains("planned")), "{plan}");
    assert_eq!(platform.commits_of("ledger"), commits);
    platform.delete("ledger-prod");
}
