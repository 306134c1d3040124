//! Real clients on this machine.

use std::path::Path;

use crate::support::project::command;

/// Asks PostgreSQL one thing with psql.
pub(super) fn postgres(url: &str, query: &str) -> String {
    run("psql", &[url, "--no-psqlrc", "--tuples-only", "--no-align", "--command", query])
}

/// Asks Redis one thing with redis-cli.
pub(super) fn redis(url: &str, words: &[&str]) -> String {
    run("redis-cli", &[&["-u", url, "--no-auth-warning"], words].concat())
}

fn run(program: &str, args: &[&str]) -> String {
    let output = command(Path::new(program)).args(args).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
