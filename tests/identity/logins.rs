//! The login of a mirror or proxy is in nothing that kilter says or stores.

use std::fs;

use kilter::ids::Digest;
use kilter::toolchain::Platform;

use crate::support::http::{Reply, Server};
use crate::support::project::{Output, Project, write_script};

/// What must not be seen.
const CANARY: &str = "canary-8861";

/// The address with a login in it.
fn with_login(address: &str) -> String {
    address.replace("://", &format!("://me:{CANARY}@"))
}

/// Fails when the login is in what was said, or in a file that kilter has written.
#[track_caller]
fn assert_hidden(project: &Project, output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        assert!(!text.contains(CANARY), "{text}");
    }
    let mut left = vec![project.cache(), project.state(), project.home(), project.root()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(bytes) = fs::read(&path) {
            assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{}", path.display());
        }
    }
}

#[test]
fn a_mirror_with_a_login_is_used_and_shown_without_it() {
    let platform = Platform::host().to_string();
    let (os, arch) = platform.split_once('-').unwrap();
    let program = b"#!/bin/sh\necho kind v9.9.9\n";
    let yaml =
        format!("tools:\n  kind:\n    version: 9.9.9\n    sha256: {{{platform}: \"{}\"}}\n", Digest::of(program).hex());
    let mirror = Server::start();
    let path = format!("/github.com/kubernetes-sigs/kind/releases/download/v9.9.9/kind-{os}-{arch}");
    let project = Project::new("shop").file("kilter.yaml", &yaml);
    let run = |args: &[&str]| {
        let output = project
            .kilter(args)
            .env("KILTER_MIRROR", with_login(mirror.url()))
            .env("HTTPS_PROXY", with_login("http://127.0.0.1:1"))
            .run();
        assert_hidden(&project, &output);
        output
    };
    // A download that breaks, then a page in its place, leave their traces, too.
    mirror.file(&path, program, &[Reply::Cut(5)]);
    let broken = run(&["tools", "install", "kind", "-v"]);
    assert_eq!(broken.code, 3, "{}", broken.stderr);
    let shown = with_login(mirror.url()).replace(&format!("me:{CANARY}"), "…");
    assert!(broken.stderr.contains(&format!("getting kind 9.9.9 from {shown}{path}\n")), "{}", broken.stderr);
    mirror.file(&path, b"", &[Reply::Page(200, "<p>Sign in</p>")]);
    assert_eq!(run(&["tools", "install", "kind"]).code, 3);

    mirror.file(&path, program, &[Reply::File]);
    assert_eq!(run(&["tools", "install", "kind", "-v"]).code, 0);
    let list = run(&["tools", "list", "--json"]).stdout;
    assert!(list.contains(&format!("\"{shown}{path}\"")), "{list}");
    assert!(run(&["tools", "list"]).stdout.contains(&format!("(mirror, {shown}{path})")));

    // What an older kilter stored is not shown either.
    let receipt = project.cache().join(format!("tools/kind/9.9.9/{platform}/receipt.json"));
    let text = fs::read_to_string(&receipt).unwrap();
    assert!(text.contains('…'), "{text}");
    kilter::fsx::write(&receipt, text.replace('…', &format!("me:{CANARY}")).as_bytes()).unwrap();
    let list = project.kilter(&["tools", "list", "--json"]).succeeds().stdout;
    assert!(list.contains('…') && !list.contains(CANARY), "{list}");
}

#[test]
fn a_go_that_is_given_a_proxy_with_a_login_is_shown_without_it() {
    let project = Project::new("shop");
    let go = project.outside("bin/go");
    write_script(
        &go,
        "case $1 in\nenv) printf 'go1.99.0\\nlocal\\nsh\\nsh\\n' ;;\n*) echo \"Get $GOPROXY/x: $HTTPS_PROXY does not answer\" >&2; exit 1 ;;\nesac",
    );
    let proxy = with_login("http://127.0.0.1:1");
    let output = project
        .kilter(&["tools", "install", "helm", "-v"])
        .without("KILTER_HELM")
        .env("PATH", format!("{}:/usr/bin:/bin", go.parent().unwrap().display()))
        .env("HTTPS_PROXY", &proxy)
        .env("GOPROXY", format!("{},direct", with_login("https://go.example")))
        .run();
    assert_hidden(&project, &output);
    assert_eq!(output.code, 3, "{}", output.stderr);
    assert!(output.stderr.contains("HTTPS_PROXY=http://…@127.0.0.1:1 "), "{}", output.stderr);
    assert!(output.stderr.contains("http://…@127.0.0.1:1 does not answer"), "{}", output.stderr);
}
