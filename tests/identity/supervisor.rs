//! The lines of shell that start a command again on HUP, run by the shells of this machine.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use kilter::plan::supervised;

use crate::support::project::command as program;

/// A supervisor that runs as a process of this machine.
struct Running {
    child: Child,
    said: BufReader<ChildStdout>,
}

fn run(shell: &[&str], dir: &Path, command: &[&str]) -> Running {
    // In place of the `/bin/sh` of an image.
    let words = supervised(command);
    let words = shell.iter().copied().chain(words[1..].iter().map(String::as_str));
    // What the lines say themselves comes the same way, in order.
    let mut shell = program(Path::new("/bin/sh"));
    shell.args(["-c", "exec \"$@\" 2>&1", "sh"]).args(words).current_dir(dir);
    let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(child.stdout.take().unwrap());
    Running { child, said }
}

impl Running {
    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(program(Path::new("kill")).args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the next line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ends_with(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal("TERM");
        }
    }
}

fn put(dir: &Path, text: &str) {
    kilter::fsx::write(&dir.join("app.sh"), text.as_bytes()).unwrap();
}

/// The shells of the images, as far as this machine has them: what is `sh` (on Debian dash), bash, Alpine's busybox.
fn shells() -> Vec<&'static [&'static str]> {
    let all: [&[&str]; 3] = [&["/bin/sh"], &["/bin/bash"], &["/bin/busybox", "sh"]];
    all.into_iter().filter(|shell| Path::new(shell[0]).exists()).collect()
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_command_that_ends_by_itself_ends_everything_with_its_status() {
    for shell in shells() {
        let dir = scratch();
        for (command, status) in [(&["sh", "-c", "exit 7"][..], 7), (&["true"], 0)] {
            assert_eq!(run(shell, dir.path(), command).ends_with(), status, "{command:?}");
        }
    }
}

#[test]
fn hangup_starts_the_command_again_and_what_it_started_is_gone() {
    for shell in shells() {
        let dir = scratch();
        let write = |text: &str| put(dir.path(), text);
        // The command is a child of a shell, as under npm, and takes its time to end.
        write("exec 2>&-; trap 'sleep 1; echo first ends; exit' TERM; echo first; while :; do sleep 0.01; done");
        let mut running = run(shell, dir.path(), &["/bin/sh", "-c", "sh ./app.sh; true"]);
        assert_eq!(running.line(), "first");
        write("echo second; exec sleep 1000");
        running.signal("HUP");
        assert_eq!(running.line(), "first ends");
        assert_eq!(running.line(), "kilter: starting again");
        assert_eq!(running.line(), "second");
        running.signal("TERM");
        assert_eq!(running.ends_with(), 143);
    }
}

#[test]
fn the_end_is_handed_on_and_waited_for() {
    for shell in shells() {
        let dir = scratch();
        for signal in ["TERM", "INT"] {
            let mut running = run(
                shell,
                dir.path(),
                &["sh", "-c", "exec 2>&-; trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done"],
            );
            assert_eq!(running.line(), "up");
            running.signal(signal);
            assert_eq!(running.line(), "bye");
            assert_eq!(running.ends_with(), 5);
        }
    }
}

#[test]
fn after_an_edit_a_crash_waits_for_the_next_edit() {
    for shell in shells() {
        let dir = scratch();
        let write = |text: &str| put(dir.path(), text);
        write("echo good; exec sleep 1000");
        let mut running = run(shell, dir.path(), &["sh", "./app.sh"]);
        assert_eq!(running.line(), "good");
        write("echo bad; exit 3");
        running.signal("HUP");
        assert_eq!(running.line(), "kilter: starting again");
        assert_eq!(running.line(), "bad");
        assert_eq!(running.line(), "kilter: ended with status 3, starts again at the next change or in 30 s");
        write("echo good again; exec sleep 1000");
        running.signal("HUP");
        assert_eq!(running.line(), "kilter: starting again");
        assert_eq!(running.line(), "good again");
        running.signal("TERM");
        assert_eq!(running.ends_with(), 143);
    }
}

#[test]
fn the_end_comes_at_once_while_a_crash_is_waited_out() {
    for shell in shells() {
        // The end may come while the shell that waits is just being started.
        for _ in 0..20 {
            let dir = scratch();
            put(dir.path(), "if mkdir seen; then echo up; exec sleep 1000; fi 2>/dev/null; exit 3");
            let mut running = run(shell, dir.path(), &["sh", "./app.sh"]);
            assert_eq!(running.line(), "up");
            running.signal("HUP");
            assert_eq!(running.line(), "kilter: starting again");
            assert_eq!(running.line(), "kilter: ended with status 3, starts again at the next change or in 30 s");
            running.signal("TERM");
            assert_eq!(running.ends_with(), 143);
        }
    }
}

#[test]
fn slow_a_command_that_ignores_its_end_is_killed_with_what_it_started() {
    for shell in shells() {
        let dir = scratch();
        put(
            dir.path(),
            "mkdir seen 2>/dev/null || { echo again; exec sleep 1000; }; trap '' TERM; sleep 1000 & echo up; wait; sleep 1000",
        );
        let mut running = run(shell, dir.path(), &["sh", "./app.sh"]);
        assert_eq!(running.line(), "up");
        running.signal("HUP");
        assert_eq!(running.line(), "kilter: starting again");
        assert_eq!(running.line(), "again");
        running.signal("TERM");
        assert_eq!(running.ends_with(), 143);
    }
}
