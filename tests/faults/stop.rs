//! kilter told to stop while helm works: nothing half-written, nothing left running, the lock free.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::{Pid, Signal, test_kill_process};

use super::{crash, quick, quick_helm, same, tree};
use crate::support::http::{Reply, Server};
use crate::support::project::{Project, Running, fake_helm, write_script};

/// A helm that says its process id and that of a child, then both hang.
fn hanging(pids: &Path) -> String {
    format!("sleep 1000 & echo \"$$ $!\" > {0}.new; mv {0}.new {0}; wait", pids.display())
}

/// Waits for a file and reads it.
fn wait_for(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("`{}` does not come: {error}", path.display()),
        }
    }
}

/// Tells whether a process runs; one that is dead and not yet collected does not.
fn runs(pid: i32) -> bool {
    let there = test_kill_process(Pid::from_raw(pid).unwrap()).is_ok();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    there && !stat.contains(") Z ")
}

fn wait_until_gone(pids: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    for pid in pids.split_whitespace().map(|pid| pid.parse().unwrap()) {
        while runs(pid) {
            assert!(Instant::now() < deadline, "process {pid} outlives kilter");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Starts kilter with a helm that hangs, sends it the signal when helm works, and checks what is left.
fn stopped(project: &Project, args: &[&str], script: &dyn Fn(&Path) -> String, signal: Signal) {
    let pids = project.outside("pids");
    write_script(project.helm(), &script(&pids));
    let temp = project.outside("tmp");
    fs::create_dir_all(&temp).unwrap();
    let before = tree(&project.root());
    let running: Running = project.kilter(args).env("TMPDIR", &temp).start();
    let pids_text = wait_for(&pids);
    running.signal(signal);
    let output = running.end();
    assert_eq!(output.code, 130, "{args:?}: {}", output.stderr);
    assert!(!output.stderr.contains("error"), "{args:?}: {}", output.stderr);
    wait_until_gone(&pids_text);
    same(&tree(&project.root()), &before, format_args!("{args:?}"));
    let left: Vec<String> = tree(&project.outside(""))
        .into_keys()
        .filter(|name| name.contains("kilter-tmp") || name.starts_with("tmp/"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "{args:?}");
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0, "{args:?}: a temporary directory was left");
    // The lock is free and the next run converges.
    fs::remove_file(&pids).unwrap();
    write_script(project.helm(), &quick_helm());
    project.kilter(args).succeeds();
}

fn in_every_command(signal: Signal) {
    let helm = |pids: &Path| fake_helm(&hanging(pids));
    let commands: [&[&str]; 4] = [&["render"], &["add", "redis"], &["eject", "manifest/postgres"], &["verify"]];
    for args in commands {
        let project = quick("shop");
        if args == ["verify"] {
            project.kilter(&["render"]).succeeds();
        }
        stopped(&project, args, &helm, signal);
    }
}

#[test]
fn ctrl_c_while_helm_hangs() {
    in_every_command(Signal::INT);
}

#[test]
fn terminated_while_helm_hangs() {
    in_every_command(Signal::TERM);
}

#[test]
fn ctrl_c_while_helm_is_asked_for_its_version() {
    stopped(&quick("shop"), &["render"], &|pids| hanging(pids), Signal::INT);
}

#[test]
fn ctrl_c_with_several_helms_at_work() {
    let project = quick("shop").file("kilter.yaml", "services: [postgres, redis, mailpit]\n");
    let helm = |pids: &Path| {
        // The second helm to start says so for both.
        let pids = pids.display();
        fake_helm(&format!(
            "echo $$ >> {pids}.all; [ $(wc -l < {pids}.all) -lt 2 ] || cp {pids}.all {pids}; sleep 1000"
        ))
    };
    if thread::available_parallelism().is_ok_and(|cores| cores.get() < 2) {
        crate::support::skip("Ctrl-C with several helms at work: this machine has one core");
        return;
    }
    stopped(&project, &["render"], &helm, Signal::INT);
}

#[test]
fn the_terminal_is_closed_while_helm_hangs() {
    stopped(&quick("shop"), &["render"], &|pids| fake_helm(&hanging(pids)), Signal::HUP);
}

#[test]
#[cfg(target_os = "linux")] // where the system shows who waits for a lock
fn ctrl_c_while_another_kilter_holds_the_lock() {
    let project = quick("shop");
    let pids: PathBuf = project.outside("pids");
    write_script(project.helm(), &fake_helm(&hanging(&pids)));
    let first = project.kilter(&["render"]).start();
    let text = wait_for(&pids);
    let second = project.kilter(&["render"]).start();
    // It says that it waits; a kernel that shows its locks shows it waiting.
    let deadline = Instant::now() + Duration::from_secs(60);
    let waits = format!(" {} ", second.child.id());
    while !fs::read_to_string("/proc/locks")
        .is_ok_and(|locks| locks.lines().any(|l| l.contains("->") && l.contains(&waits)))
    {
        assert!(Instant::now() < deadline, "the second kilter does not wait");
        thread::sleep(Duration::from_millis(5));
    }
    second.signal(Signal::INT);
    let output = second.end();
    assert_eq!(output.code, 130);
    assert_eq!(output.stderr, "waiting for another kilter that works on this project\n");
    first.signal(Signal::INT);
    assert_eq!(first.end().code, 130);
    wait_until_gone(&text);
}

#[test]
fn ctrl_c_in_a_download() {
    let (archive, program, project) = crash::pinned();
    let server = Server::start();
    let path = format!("/{}", crash::release_path());
    // The first answer stops in the middle, the connection stays.
    server.file(&path, &archive, &[Reply::Slow, Reply::File]);
    let install = || {
        let run = project.kilter(&["tools", "install", "helm"]).env("KILTER_MIRROR", server.url());
        run.env("KILTER_HELM", "").env("HTTPS_PROXY", "http://127.0.0.1:1")
    };
    let running = install().start();
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.sent() < 100 {
        assert!(Instant::now() < deadline, "the download does not begin");
        thread::sleep(Duration::from_millis(5));
    }
    running.signal(Signal::INT);
    let output = running.end();
    assert_eq!(output.code, 130, "{}", output.stderr);
    let installed = |path: &String| path.ends_with("/helm") || path.ends_with("receipt.json");
    assert!(!tree(&project.cache()).keys().any(installed));
    install().succeeds();
    let files = tree(&project.cache());
    let (_, helm) = files.iter().find(|(path, _)| path.ends_with("/helm")).unwrap();
    assert!(*helm == program);
    assert!(!files.keys().any(|path| path.ends_with(".part") || path.contains("kilter-tmp")));
}
