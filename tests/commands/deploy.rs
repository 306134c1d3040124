//! `kilter deploy` and `kilter rollback` against a server that answers as told.

use super::*;
use crate::support::platform::{APP, Answer, DEPLOY, IMAGE, Platform, URL, failure, kilter, phase, token};

const WITH_IMAGE: [&str; 3] = ["deploy", "--image", IMAGE];

fn app() -> Project {
    let yaml = "port: 3000\nhealth: /healthz\nenv: {LOG_LEVEL: info}\npublic: true\n";
    Project::new("shop").file("kilter.yaml", yaml)
}

fn posts() -> String {
    format!("POST {APP}/deploys")
}

#[test]
fn standard_output_is_the_address_alone() {
    let (project, platform) = (app(), Platform::start());
    let mut ready = phase("ready", "");
    let at = |second: u8| format!("2026-11-24T10:00:{second:02}.000Z");
    ready["timeline"] = json!({"deploy": DEPLOY, "accepted": at(0), "rendered": at(1), "committed": at(3),
        "reconciled": at(6), "ready": at(10)});
    platform.deploys([phase("accepted", ""), phase("committed", ""), ready]);
    let output =
        kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait", "--migration", "npm run migrate"]].concat())
            .succeeds();
    assert_eq!(output.stdout, format!("{URL}\n"));
    for words in [
        "app by `KILTER_PROJECT`",
        "accepted as revision 7",
        "committed, waiting for Flux",
        "reconcile     3.0 s",
        "live",
    ] {
        assert!(output.stderr.contains(words), "{words}: {}", output.stderr);
    }
    let posted = platform.asked_of(&posts());
    assert_eq!(posted[0].headers["idempotency-key"].len(), 32);
    assert_eq!(
        posted[0].body,
        json!({"template": {"image": IMAGE, "port": 3000, "health": "/healthz", "replicas": 1,
            "variables": {"LOG_LEVEL": "info"}, "public": true, "migration": ["npm", "run", "migrate"]}})
    );
}

#[test]
fn json_says_everything() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("ready", "")]);
    let output = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait", "--json"]].concat()).succeeds();
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(keys(&value), ["deploy", "revision", "unchanged", "phase", "url", "image", "commit", "hops"]);
    assert_eq!((&value["phase"], &value["revision"]), (&json!("ready"), &json!(7)));
}

#[test]
fn without_a_terminal_nobody_waits() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("failed", "never asked")]);
    let output = kilter(&project, &platform, &WITH_IMAGE).succeeds();
    assert_eq!(output.stdout, format!("{URL}\n"));
    assert!(output.stderr.contains("`kilter apps show acme/shop`"), "{}", output.stderr);
    assert!(platform.asked_of(&format!("GET {APP}/deploys/{DEPLOY}")).is_empty());
}

#[test]
fn what_was_said_once_is_remembered() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("ready", "")]);
    let run = |args: &[&str]| project.kilter(args).env("KILTER_TOKEN", token().secret());
    let said = run(&WITH_IMAGE).env("KILTER_SERVER", platform.url()).fails(2);
    assert!(said.contains("`--project ORG/APP`"), "{said}");
    let first = [&WITH_IMAGE[..], &["--project", "acme/shop", "--server", platform.url()]].concat();
    run(&first).succeeds();
    let again = run(&WITH_IMAGE).succeeds();
    assert!(again.stderr.contains("app by the last deploy, server http://127.0.0.1"), "{}", again.stderr);
    let other = run(&[&WITH_IMAGE[..], &["--project", "acme/Other"]].concat()).fails(2);
    assert!(other.contains("app:") && platform.asked_of(&posts()).len() == 2, "{other}");
}

#[test]
fn a_request_is_made_again_with_the_same_key() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("ready", "")]);
    let accepted = json!({"deploy": DEPLOY, "revision": 7, "url": URL});
    platform.answers(&posts(), [Answer::Nothing, Answer::Page(503), Answer::Page(502), Answer::Json(202, accepted)]);
    kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait"]].concat()).succeeds();
    let posted = platform.asked_of(&posts());
    assert_eq!(posted.len(), 4);
    assert!(posted.iter().all(|one| one.headers["idempotency-key"] == posted[0].headers["idempotency-key"]));
    assert!(posted.iter().all(|one| one.body == posted[0].body));
    // Another run is another request.
    kilter(&project, &platform, &WITH_IMAGE).succeeds();
    let posted = platform.asked_of(&posts());
    assert_ne!(posted[4].headers["idempotency-key"], posted[0].headers["idempotency-key"]);
}

#[test]
fn a_deploy_that_fails_says_why_and_what_its_job_said() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("accepted", ""), phase("failed", "the migration failed")]);
    let log = "one\ntwo\nrelation \"users\" \u{1b}[2Jdoes not exist\n";
    let logs = json!({"pods": [{"pod": "shop-migrate-x", "container": "migrate", "log": log}]});
    platform.answers(&format!("GET {APP}/deploys/{DEPLOY}/logs"), [Answer::Json(200, logs)]);
    let said = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait"]].concat()).fails(4);
    assert!(said.contains("the deploy of acme/shop prod failed: the migration failed"), "{said}");
    assert!(said.contains("  | shop-migrate-x: relation \"users\"  [2Jdoes not exist\n"), "{said}");
    assert!(said.contains("`kilter rollback`"), "{said}");
}

#[test]
fn a_newer_deploy_and_a_slow_one_are_no_success() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("superseded", "revision 8 is now current")]);
    let said = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait"]].concat()).fails(1);
    assert!(said.contains("took the place of revision 7: revision 8 is now current"), "{said}");
    // Also when this one was committed before.
    platform.deploys([
        phase("committed", ""),
        phase("superseded", "it was not known to be live when revision 8 took its place"),
    ]);
    let said = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait"]].concat()).fails(1);
    assert!(said.contains("revision 7: it was not known to be live when revision 8 took its place"), "{said}");
    platform.deploys([phase("reconciled", "0 of 2 pods are ready")]);
    let said = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait", "--timeout", "1s"]].concat()).fails(1);
    assert!(
        said.contains("not live after 1 s: applied by Flux, waiting for its pods: 0 of 2 pods are ready"),
        "{said}"
    );
}

#[test]
fn ctrl_c_leaves_the_deploy_alone_and_says_so() {
    let (project, platform) = (app(), Platform::start());
    platform.deploys([phase("accepted", "")]);
    let mut run = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait"]].concat()).start();
    run.said("waiting for the operator");
    run.signal(rustix::process::Signal::INT);
    let output = run.end();
    assert_eq!((output.code, output.stdout.as_str()), (130, ""));
    assert!(
        output.stderr.contains("The deploy goes on without you: `kilter apps show acme/shop`"),
        "{}",
        output.stderr
    );
}

#[test]
fn an_interrupt_before_the_answer_leaves_no_false_hope() {
    let (project, platform) = (app(), Platform::start());
    // Asked again and again, with growing pauses.
    platform.answers(&posts(), [Answer::Page(503)]);
    let run = kilter(&project, &platform, &WITH_IMAGE).start();
    platform.awaits(&posts());
    run.signal(rustix::process::Signal::INT);
    let output = run.end();
    assert_eq!((output.code, output.stdout.as_str()), (130, ""));
    assert!(output.stderr.contains("may have taken it all the same"), "{}", output.stderr);
}

#[test]
fn every_problem_that_the_server_names_is_shown() {
    let (project, platform) = (app(), Platform::start());
    let body = json!({"error": {"code": "MissingSecrets", "message": "missing secrets in shop-prod: shop-env",
        "problems": ["shop-env"], "help": ["Send it."]}});
    platform.answers(&posts(), [Answer::Json(400, body)]);
    let said = kilter(&project, &platform, &WITH_IMAGE).fails(1);
    assert!(
        said.contains("missing secrets in shop-prod: shop-env (MissingSecrets).\n  | shop-env\n  = Send it."),
        "{said}"
    );
    platform.answers(&posts(), [failure(403, "Forbidden", "the token may not deploy acme/shop")]);
    kilter(&project, &platform, &WITH_IMAGE).fails(3);
    platform.answers(&posts(), [failure(409, "HostnameTaken", "shop.apps.example.com is another app's")]);
    kilter(&project, &platform, &WITH_IMAGE).fails(1);
}

#[test]
fn what_is_wrong_here_is_said_before_anything_is_asked() {
    let platform = Platform::start();
    let dev = Project::new("shop")
        .file("kilter.yaml", "port: 1\nservices: [postgres, redis]\nenv: {REDIS_URL: \"redis://r\"}\n");
    let said = kilter(&dev, &platform, &WITH_IMAGE).fails(1);
    assert!(said.contains("DATABASE_URL  in dev from postgres") && !said.contains("REDIS_URL"), "{said}");
    assert!(said.contains("`environments.prod.env`") && said.contains("--allow-missing"), "{said}");
    let image = "registry.example.com/acme/shop:latest";
    let said = kilter(&app(), &platform, &["deploy", "--image", image]).fails(2);
    assert!(said.contains("is not an image by digest"), "{said}");
    let said = kilter(&app(), &platform, &["deploy"]).fails(2);
    assert!(said.contains("`--registry HOST/SCOPE`"), "{said}");
    let said = kilter(&app(), &platform, &["deploy", "--registry", "acme"]).fails(2);
    assert!(said.contains("not a place in a registry"), "{said}");
    let said = kilter(&app(), &platform, &[&WITH_IMAGE[..], &["--require-clean"]].concat()).fails(5);
    assert!(said.contains("in no git commit"), "{said}");
    assert!(platform.asked().is_empty());
    platform.deploys([]);
    kilter(&dev, &platform, &[&WITH_IMAGE[..], &["--allow-missing"]].concat()).succeeds();
}

#[test]
fn another_apps_name_is_refused_before_anything_is_built() {
    let platform = Platform::start();
    let project = app();
    project.write("kilter.yaml", "port: 1\ndeploy: {domains: [other.apps.example.com]}\n");
    let said = kilter(&project, &platform, &WITH_IMAGE).fails(1);
    assert!(said.contains("`other.apps.example.com` is under the cluster's domain"), "{said}");
    assert!(platform.asked_of(&posts()).is_empty());
}

#[test]
fn nothing_to_do_is_said_and_is_no_failure() {
    let (project, platform) = (app(), Platform::start());
    let mut ready = phase("ready", "");
    ready["timeline"] = json!({"deploy": DEPLOY, "accepted": "2026-11-24T10:00:00Z", "ready": "2026-11-24T11:00:00Z"});
    platform.deploys([ready]);
    let accepted = json!({"deploy": DEPLOY, "revision": 7, "url": URL, "unchanged": true});
    platform.answers(&posts(), [Answer::Json(200, accepted)]);
    let output = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--wait"]].concat()).succeeds();
    assert!(
        output.stderr.contains("nothing to do: it is revision 7") && !output.stderr.contains("3600"),
        "{}",
        output.stderr
    );
}

#[test]
fn a_mistyped_environment_is_noticed() {
    let platform = Platform::start();
    let project = app();
    project.write("kilter.yaml", "port: 1\nenvironments: {staging: {env: {A: b}}}\n");
    let said = kilter(&project, &platform, &[&WITH_IMAGE[..], &["--env", "stagin"]].concat()).fails(1);
    assert!(said.contains("Did you mean `--env staging`?"), "{said}");
}

#[test]
fn a_plan_shows_what_would_change_and_changes_nothing() {
    let (project, platform) = (app(), Platform::start());
    platform.answers(&format!("POST {APP}/plans"), [Answer::Json(202, json!({"plan": "p1"}))]);
    let running = json!({"org": "acme", "app": "shop", "env": "prod", "url": URL, "deploy": phase("ready", "")});
    platform.answers(&format!("GET {APP}"), [Answer::Json(200, running)]);
    let diff = "--- a/apps/shop-prod/app.yaml\n+++ b/apps/shop-prod/app.yaml\n-replicas: 1\n+replicas: 2\n";
    let answers = [json!({"done": false}), json!({"done": true, "diff": diff})];
    platform.answers(&format!("GET {APP}/plans/p1"), answers.map(|answer| Answer::Json(200, answer)));
    let output = kilter(&project, &platform, &["deploy", "--plan"]).succeeds();
    assert_eq!(output.stdout, diff);
    assert!(platform.asked_of(&posts()).is_empty());
    let asked = &platform.asked_of(&format!("POST {APP}/plans"))[0];
    assert_eq!(asked.body["template"]["image"], IMAGE);
    let failed = json!({"done": true, "error": "values do not fit the schema"});
    platform.answers(&format!("GET {APP}/plans/p1"), [Answer::Json(200, failed)]);
    let said = kilter(&project, &platform, &["deploy", "--plan"]).fails(1);
    assert!(said.contains("values do not fit the schema"), "{said}");
    // That there are too many does not pass within seconds: nobody is kept waiting.
    let plans = format!("POST {APP}/plans");
    let before = platform.asked_of(&plans).len();
    platform.answers(&plans, [failure(429, "TooManyPlans", "there are 10 plans of acme/shop prod already")]);
    let said = kilter(&project, &platform, &["deploy", "--plan"]).fails(1);
    assert!(said.contains("there are 10 plans of acme/shop prod already (TooManyPlans)"), "{said}");
    assert_eq!(platform.asked_of(&plans).len(), before + 1);
}

#[test]
fn a_rollback_is_followed_as_a_deploy_is() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    platform.deploys([phase("committed", ""), phase("ready", "")]);
    let output = kilter(&project, &platform, &["rollback", "--to", "5", "--wait"]).succeeds();
    assert_eq!(output.stdout, format!("{URL}\n"));
    let asked = &platform.asked_of(&format!("POST {APP}/rollback"))[0];
    assert_eq!(asked.body, json!({"to": 5}));
    assert!(asked.headers.contains_key("idempotency-key"));
    platform.answers(&format!("POST {APP}/rollback"), [failure(404, "NoSuchRevision", "revision 5 is not kept")]);
    let said = kilter(&project, &platform, &["rollback", "--to", "5"]).fails(1);
    assert!(said.contains("revision 5 is not kept"), "{said}");
}
