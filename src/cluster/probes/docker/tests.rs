use super::*;
use crate::cluster::probes::finding::State;

const SOCKET: &str = "unix:///var/run/docker.sock";

#[test]
fn what_docker_says_is_understood() {
    let no_permission = Refusal::NoPermission(SOCKET.into());
    let no_answer = Refusal::NoAnswer(SOCKET.into());
    for (said, refusal) in [
        (
            "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \"http://%2Fvar%2Frun%2Fdocker.sock/v1.24/info\": dial unix /var/run/docker.sock: connect: permission denied",
            &no_permission,
        ),
        (
            "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock\n",
            &no_permission,
        ),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            &no_answer,
        ),
        (
            "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory",
            &no_answer,
        ),
        (
            "Cannot connect to the Docker daemon at tcp://10.0.0.9:2375. Is it running?",
            &Refusal::NoAnswer("tcp://10.0.0.9:2375".into()),
        ),
        (
            "error during connect: Get \"https://10.0.0.9:2376/info\": dial tcp: i/o timeout",
            &Refusal::NoAnswer(String::new()),
        ),
        (
            "Failed to initialize: unable to resolve docker endpoint: context \"colima\": context not found: open /x/meta.json: no such file or directory",
            &Refusal::NoContext("colima".into()),
        ),
        ("warning\n  x509: certificate has expired \n\n", &Refusal::Other("x509: certificate has expired".into())),
        ("", &Refusal::Other("it said nothing".into())),
    ] {
        assert_eq!(&Refusal::parse(said), refusal, "{said}");
    }
}

fn shown(refusal: &Refusal, around: &Around) -> String {
    let found = unusable(refusal, around);
    let fix = found.fix.unwrap();
    assert!(fix.ends_with('.') || fix.ends_with("uses it."), "{fix}");
    format!("{:?}: {}\n  {fix}", found.state, found.what)
}

#[test]
fn each_way_to_fail_has_its_own_fix() {
    let plain = Around::default();
    let group = |name: &str, listed| Some(Group { name: name.into(), listed });
    let denied = Refusal::NoPermission(SOCKET.into());
    let silent = Refusal::NoAnswer(SOCKET.into());
    let of_context = |context: &str| Around { context: context.into(), ..Around::default() };
    let cases = [
        shown(&Refusal::NotInstalled, &plain),
        shown(&Refusal::NotInstalled, &Around { macos: true, ..Around::default() }),
        shown(&Refusal::Podman, &plain),
        shown(&denied, &Around { group: group("docker", false), user: Some("eve".into()), ..Around::default() }),
        shown(&denied, &Around { group: group("docker", true), ..Around::default() }),
        shown(&denied, &Around { group: group("root", false), ..Around::default() }),
        shown(&denied, &Around { sockets: vec!["/run/user/1000/docker.sock".into()], ..Around::default() }),
        shown(&silent, &plain),
        shown(&silent, &of_context("colima")),
        shown(&silent, &of_context("work")),
        shown(
            &Refusal::NoAnswer(String::new()),
            &Around { host: Some("tcp://build:2375".into()), ..Around::default() },
        ),
        shown(&Refusal::NoContext("work".into()), &plain),
        shown(
            &Refusal::NoContext("work".into()),
            &Around { context_variable: Some("work".into()), ..Around::default() },
        ),
        shown(&Refusal::Hangs, &Around { host: Some("ssh://build".into()), ..Around::default() }),
        shown(&Refusal::Other("x509: certificate has expired".into()), &plain),
    ];
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn the_engine_says_what_it_is() {
    let json = r#"{"ServerVersion":"29.2.1","MemTotal":8318763008,"DockerRootDir":"/var/lib/docker","SystemTime":"2026-03-01T12:00:00Z","OperatingSystem":"Debian GNU/Linux 13 (trixie)","CgroupVersion":"2","SecurityOptions":["name=seccomp,profile=builtin","name=rootless","name=cgroupns"],"ClientInfo":{"Context":"rootless","Plugins":[]},"Warnings":null}"#;
    let engine = Engine::parse(json, "").unwrap();
    assert!(engine.rootless() && engine.is_here());
    assert_eq!(
        engine.findings(),
        [
            Finding::ok("docker", "29.2.1, Debian GNU/Linux 13 (trixie), rootless, context `rootless`"),
            Finding::ok("docker memory", "docker has 7.7 GiB of memory"),
        ]
    );
    let old = Engine { cgroup_version: "1".into(), ..engine };
    assert_eq!(old.findings()[0].state, State::Warning);
}

#[test]
fn a_daemon_that_is_silent_is_no_engine() {
    let said = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    let silent = (Refusal::NoAnswer(SOCKET.into()), "colima".to_owned());
    let client = r#""ClientInfo":{"Context":"colima"}"#;
    let docker_28 = format!(r#"{{"ServerVersion":"","SecurityOptions":null,{client}}}"#);
    assert_eq!(Engine::parse(&docker_28, said), Err(silent.clone()));
    let docker_20 = format!(r#"{{"ServerErrors":["{said}"],{client}}}"#);
    assert_eq!(Engine::parse(&docker_20, ""), Err(silent));
    let words = "Cannot connect to the Docker daemon at tcp://x:1.";
    assert_eq!(Engine::parse("", words), Err((Refusal::NoAnswer("tcp://x:1".into()), String::new())));
    let podman = r#"{"host":{"os":"linux"},"store":{},"version":{"Version":"5.4.0"}}"#;
    assert_eq!(Engine::parse(podman, ""), Err((Refusal::Podman, String::new())));
    let other = |stdout: &str| Engine::parse(stdout, "").unwrap_err().0;
    assert_eq!(other("hello"), Refusal::Other("it said nothing".into()));
    assert_eq!(other(r#"{"ServerVersion":5}"#), Refusal::Other("it said nothing".into()));
}

#[test]
fn little_memory_and_little_room_are_named() {
    let of = |system: &str, context: &str| {
        let client_info = Client { context: context.into() };
        let engine = Engine { mem_total: 2 << 30, operating_system: system.into(), client_info, ..Engine::default() };
        let found = engine.findings().remove(1);
        assert_eq!((found.state, found.what.as_str()), (State::Warning, "docker has 2 GiB of memory"));
        found.fix.unwrap()
    };
    assert!(of("Docker Desktop", "desktop-linux").contains("Settings"));
    assert!(of("Ubuntu", "colima").contains("colima start --memory"));
    assert!(of("Ubuntu", "default").contains("fewer services"));
    assert_eq!(Engine::default().findings().len(), 1, "nothing about memory that docker does not tell");
    assert_eq!(disk("/var/lib/docker", MIN_FREE).state, State::Ok);
    let full = disk("/var/lib/docker", 1 << 30);
    assert_eq!((full.state, full.what.as_str()), (State::Warning, "1 GiB free for docker in `/var/lib/docker`"));
}
