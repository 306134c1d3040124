//! `kilter login` and `kilter logout`.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::support::platform::{Answer, Platform, failure, token};

fn credentials(project: &Project) -> String {
    fs::read_to_string(project.home().join(".config/kilter/credentials.json")).unwrap_or_default()
}

#[test]
fn a_login_is_checked_and_kept_for_this_user_alone() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let secret = token().secret().to_owned();
    let output = project.kilter(&["login", "--server", platform.url(), "--token", &secret]).succeeds();
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("Logged in to") && !output.stderr.contains(&secret), "{}", output.stderr);
    let file = project.home().join(".config/kilter/credentials.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(credentials(&project).contains(&secret));
    assert_eq!(platform.asked()[0].headers["authorization"], format!("Bearer {secret}"));

    // From then on it is the server that is meant.
    platform.answers("GET /v1/apps", [Answer::Json(200, json!([]))]);
    assert_eq!(project.kilter(&["apps", "--json"]).succeeds().stdout, "[]\n");

    let out = project.kilter(&["logout", "--json"]).succeeds().stdout;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json!({"server": platform.url(), "loggedOut": true}));
    assert!(!credentials(&project).contains(&secret));
    let said = project.kilter(&["apps"]).fails(3);
    assert!(said.contains("`kilter login --server URL`"), "{said}");
    project.kilter(&["logout"]).succeeds();
}

#[test]
fn a_token_may_come_by_standard_input() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let config = project.outside("config");
    let run = project.kilter(&["login", "--server", platform.url(), "--token-stdin", "--json"]);
    let output = run.env("XDG_CONFIG_HOME", &config).stdin(format!("{}\n", token().secret()).as_bytes()).succeeds();
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&value["token"], &value["domain"]), (&json!(token().id()), &json!("apps.example.com")));
    assert!(config.join("kilter/credentials.json").is_file());
}

#[test]
fn a_mistyped_token_goes_nowhere() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let mut wrong = token().secret().to_owned();
    wrong.replace_range(20..21, if &wrong[20..21] == "x" { "y" } else { "x" });
    for (text, why) in [(wrong.as_str(), "checksum"), ("hunter2-canary", "begins with `kltr_`")] {
        let said = project.kilter(&["login", "--server", platform.url(), "--token", text]).fails(2);
        assert!(said.contains(why) && !said.contains(text), "{said}");
    }
    assert!(platform.asked().is_empty() && credentials(&project).is_empty());
}

#[test]
fn a_token_that_the_server_refuses_is_not_kept() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    platform.answers("GET /v1/info", [failure(401, "TokenExpired", "the token has expired")]);
    let said = project.kilter(&["login", "--server", platform.url(), "--token", token().secret()]).fails(3);
    assert!(said.contains("the token has expired (TokenExpired)") && said.contains("kilter login"), "{said}");
    assert!(credentials(&project).is_empty());
}

#[test]
fn a_token_does_not_leave_in_clear_or_by_a_redirect() {
    let (project, platform, other) = (Project::new("shop"), Platform::start(), Platform::start());
    let said =
        project.kilter(&["login", "--server", "http://kilter.example.com", "--token", token().secret()]).fails(2);
    assert!(said.contains("unencrypted") && said.contains("--insecure"), "{said}");
    platform.answers("GET /v1/info", [Answer::Redirect(format!("{}/v1/info", other.url()))]);
    let said = project.kilter(&["login", "--server", platform.url(), "--token", token().secret()]).fails(3);
    assert!(said.contains("follows no redirect"), "{said}");
    assert!(other.asked().is_empty());
}

#[test]
fn nobody_is_asked_where_nobody_is() {
    let (project, platform) = (Project::new("shop"), Platform::start());
    let said = project.kilter(&["login", "--server", platform.url()]).fails(2);
    assert!(said.contains("`--token-stdin`"), "{said}");
    let said = project.kilter(&["login", "--token", token().secret()]).fails(2);
    assert!(said.contains("`--server URL`"), "{said}");
    let said =
        project.kilter(&["login", "--offline", "--server", platform.url(), "--token", token().secret()]).fails(2);
    assert!(said.contains("`--offline` forbids"), "{said}");
    assert!(platform.asked().is_empty());
}
