//! kilter told to stop while helm works: nothing half-written, nothing left running, the lock free.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use kilter::exec::{Invocation, Record};
use rustix::process::{Pid, Signal, test_kill_process};

use super::{crash, quick, quick_helm, same, tree};
use crate::support::http::{Reply, Server};
use crate::support::project::{Project, Running, command, fake_helm, write_script};

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

/// The processes of a project's helm that run now.
#[cfg(target_os = "linux")]
fn helms(project: &Project) -> Vec<i32> {
    let path = project.helm().to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let ours = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&path)
    };
    all.filter(ours).filter(|pid| runs(*pid)).collect()
}

/// The moment at which a helm starts is the one at which a signal could miss it.
#[test]
#[cfg(target_os = "linux")] // where the system shows what runs
fn slow_terminated_while_helm_starts() {
    let project = quick("shop");
    let pids = project.outside("pids");
    write_script(project.helm(), &fake_helm(&hanging(&pids)));
    let mut random = crash::Random(13);
    for _ in 0..3 {
        let began = Instant::now();
        let running = project.kilter(&["render"]).start();
        wait_for(&pids);
        let span = began.elapsed();
        running.signal(Signal::TERM);
        assert_eq!(running.end().code, 130);
        for _ in 0..15 {
            let running = project.kilter(&["render"]).start();
            // The moment is what is tried.
            thread::sleep(span.mul_f64(0.4 + 0.7 * random.next()));
            running.signal(Signal::TERM);
            let code = running.end().code;
            // Before kilter listens, the signal itself ends it.
            assert!([130, 128 + Signal::TERM.as_raw()].contains(&code), "{code}");
            let deadline = Instant::now() + Duration::from_secs(60);
            while !helms(&project).is_empty() {
                assert!(Instant::now() < deadline, "a helm outlives kilter");
                thread::sleep(Duration::from_millis(5));
            }
        }
        fs::remove_file(&pids).unwrap();
    }
}

/// As in `flock FILE kilter up`: what kilter was started with is not what the process that outlives it holds on to.
#[test]
#[cfg(target_os = "linux")]
fn a_process_that_outlives_kilter_inherits_nothing_but_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for name in ["held", "other"] {
        kilter::fsx::write(&path(name), b"").unwrap();
    }
    assert!(command(Path::new("/usr/bin/mkfifo")).arg(path("runs")).status().unwrap().success());
    let (kilter, at) = (env!("CARGO_BIN_EXE_kilter"), dir.path().display());
    // The shell opens them, not this process, whose other tests start processes meanwhile.
    write_script(
        &path("launcher"),
        &format!("exec 7<{at}/other\nexec /usr/bin/flock --no-fork --nonblock {at}/held {kilter} \"$@\""),
    );
    let call = Invocation::new("/bin/sh")
        .args(["-c", "echo it runs >\"$0\"; exec /bin/sleep 600"])
        .arg(path("runs").to_string_lossy());
    call.detach(&path("launcher"), &path("record"), "", &path("log")).unwrap();
    assert_eq!(fs::read_to_string(path("runs")).unwrap(), "it runs\n");
    let process = Record::read(&path("record")).unwrap().unwrap().process;
    let open: Vec<_> = fs::read_dir(format!("/proc/{}/fd", process.pid))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()) // the shell may close one meanwhile
        .collect();
    let free = fs::File::open(path("held")).unwrap().try_lock();
    let log = fs::read_to_string(path("log")).unwrap();
    assert!(process.end(Duration::ZERO).unwrap(), "{log}");
    assert!(open.contains(&path("log")), "{open:?}");
    assert!(!open.contains(&path("held")) && !open.contains(&path("other")), "{open:?}");
    free.unwrap();
}
