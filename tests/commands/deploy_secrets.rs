//! Secrets on their way to the cluster: in clear they are in no argument, no file and no output.

use super::*;
use crate::support::platform::{APP, IMAGE, Platform, RECIPIENT, fake_sops, info, kilter, phase};

const CANARY: &str = "hunter2-canary";

fn shop() -> Project {
    let yaml = "port: 3000\nenvironments: {prod: {secrets: {shop-env: secrets/prod.env}}}\nappSecrets: [shared]\nservices: [postgres]\n";
    Project::new("shop").file("kilter.yaml", yaml).file("secrets/prod.env", format!("DATABASE_URL={CANARY}\nEMPTY=\n"))
}

fn sealed(platform: &Platform, index: usize) -> String {
    let asked = &platform.asked_of(&format!("POST {APP}/deploys"))[index];
    let secrets = asked.body["template"]["secrets"].as_array().unwrap();
    assert_eq!(secrets[0], json!({"name": "shared"}));
    assert_eq!(secrets[1]["name"], "shop-env");
    secrets[1]["sealed"].as_str().unwrap().to_owned()
}

/// Every file below a directory that holds a text.
fn holding(dir: &Path, text: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text)) {
            found.push(path);
        }
    }
}

#[test]
fn the_values_are_nowhere_in_clear() {
    let (project, platform) = (shop(), Platform::start());
    let sops = fake_sops(&project);
    platform.deploys([phase("ready", "")]);
    let run = |args: &[&str]| kilter(&project, &platform, args).env("KILTER_SOPS", &sops).succeeds();
    let output = run(&["deploy", "--image", IMAGE, "--wait", "--verbose"]);
    assert!(output.stderr.contains(&format!("encrypted for {RECIPIENT}, which the server names")), "{}", output.stderr);
    assert!(output.stderr.contains("--encrypted-regex"), "the calls are shown: {}", output.stderr);
    assert!(!format!("{}{}", output.stdout, output.stderr).contains(CANARY), "{}", output.stderr);
    let calls = fs::read_to_string(project.outside("sops-calls")).unwrap();
    assert!(calls.contains(RECIPIENT) && !calls.contains(CANARY), "{calls}");
    assert!(!platform.asked().iter().any(|asked| asked.body.to_string().contains(CANARY)));
    let mut found = Vec::new();
    holding(&project.outside(""), CANARY, &mut found);
    assert_eq!(found, [project.root().join("secrets/prod.env")]);
    kilter::api::check_sealed(&sealed(&platform, 0), "shop-env", "shop-prod").unwrap();

    // The same again: no sops, the same ciphertext.
    run(&["deploy", "--image", IMAGE]);
    assert_eq!(sealed(&platform, 1), sealed(&platform, 0));
    let calls = || fs::read_to_string(project.outside("sops-calls")).unwrap().lines().count();
    assert_eq!(calls(), 1);
    project.write("secrets/prod.env", "DATABASE_URL=another\n");
    run(&["deploy", "--image", IMAGE]);
    assert_eq!(calls(), 2);
}

#[test]
fn a_damaged_file_is_refused_without_its_contents() {
    let (project, platform) = (shop(), Platform::start());
    project.write("secrets/prod.env", format!("A=1\n{CANARY}\n"));
    let said = kilter(&project, &platform, &["deploy", "--image", IMAGE]).fails(1);
    assert!(said.contains("`secrets/prod.env`: line 2 is no `KEY=VALUE` line") && !said.contains(CANARY), "{said}");
    fs::remove_file(project.root().join("secrets/prod.env")).unwrap();
    let said = kilter(&project, &platform, &["deploy", "--image", IMAGE]).fails(1);
    assert!(said.contains("`secrets/prod.env`") && said.contains("is not there"), "{said}");
    assert!(platform.asked().is_empty());
}

#[test]
fn nothing_is_sent_when_sops_does_not_encrypt() {
    let (project, platform) = (shop(), Platform::start());
    let sops = project.outside("bin/sops");
    let version = kilter::toolchain::Pins::builtin().default_version(kilter::toolchain::Tool::Sops).to_string();
    let run = |lines: &str| {
        let head = format!("case \"$*\" in --version*) echo 'sops {version}'; exit ;; esac\n");
        crate::support::project::write_script(&sops, &format!("{head}{lines}"));
        kilter(&project, &platform, &["deploy", "--image", IMAGE]).env("KILTER_SOPS", &sops).fails(4)
    };
    let said = run("cat");
    assert!(said.contains("did not encrypt the Secret `shop-env` as asked") && !said.contains(CANARY), "{said}");
    let said = run("cat >&2; exit 1");
    assert!(said.contains("cannot encrypt the Secret `shop-env`") && !said.contains(CANARY), "{said}");
    assert!(platform.asked_of(&format!("POST {APP}/deploys")).is_empty());
}

#[test]
fn without_a_recipient_nothing_is_encrypted() {
    use crate::support::platform::Answer;
    let (project, platform) = (shop(), Platform::start());
    let mut about = info();
    about["sopsRecipient"] = Value::Null;
    platform.answers("GET /v1/info", [Answer::Json(200, about)]);
    let said = kilter(&project, &platform, &["deploy", "--image", IMAGE]).fails(3);
    assert!(said.contains("`sopsRecipient: age1…`"), "{said}");
}

/// The pinned sops of the tests' cache, when it is there.
fn real_sops() -> Option<std::path::PathBuf> {
    let named = crate::support::variable("KILTER_SOPS").map(std::path::PathBuf::from);
    if named.is_none() {
        skip("Secrets encrypted by the real sops: KILTER_SOPS is not set");
    }
    named
}

#[test]
fn the_real_sops_encrypts_what_the_server_takes() {
    let Some(sops) = real_sops() else { return };
    let (project, platform) = (shop(), Platform::start());
    project.write("secrets/prod.env", format!("DATABASE_URL='{CANARY}'\nEMPTY=\nLINES=\"a\nb\"\n"));
    platform.deploys([phase("ready", "")]);
    kilter(&project, &platform, &["deploy", "--image", IMAGE]).env("KILTER_SOPS", &sops).succeeds();
    let text = sealed(&platform, 0);
    kilter::api::check_sealed(&text, "shop-env", "shop-prod").unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["sops"]["age"][0]["recipient"], RECIPIENT);
    assert_eq!(keys(&value["stringData"]), ["DATABASE_URL", "EMPTY", "LINES"]);
    let mut sorted = keys(&value);
    sorted.sort_unstable();
    assert_eq!(keys(&value), sorted);
}
