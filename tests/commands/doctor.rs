//! `kilter doctor`.

use std::net::TcpListener;

use super::*;

fn check(report: &Value, name: &str) -> Value {
    report
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["check"] == name)
        .unwrap_or_else(|| panic!("no {name}: {report}"))
        .clone()
}

#[test]
fn each_finding_comes_with_its_fix() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    let bin = project.outside("nothing");
    fs::create_dir_all(&bin).unwrap();
    let doctor = || {
        let output = project.kilter(&["doctor", "--json"]).env("PATH", &bin).run();
        (output.code, serde_json::from_str::<Value>(&output.stdout).unwrap())
    };
    let (code, report) = doctor();
    assert_eq!(code, 0);
    assert_eq!(check(&report, "docker")["what"], "there is no `docker` on PATH");
    assert_eq!(check(&report, "artifacts")["fix"], "Run `kilter render`.");
    assert_eq!(check(&report, "tilt")["state"], "warning");
    assert!(check(&report, "tilt")["fix"].as_str().unwrap().contains("kilter tools install tilt"));
    for row in report.as_array().unwrap() {
        assert_eq!(keys(row), ["check", "state", "what", "fix"]);
        assert_eq!(row["fix"].is_null(), row["state"] == "ok", "{row}");
    }

    project.kilter(&["render"]).succeeds();
    assert_eq!(check(&doctor().1, "artifacts")["state"], "ok");
    kilter::fsx::write(&project.cache().join("shop/manifests/redis.yaml"), b"# stale\n").unwrap();
    let (code, report) = doctor();
    assert_eq!((code, check(&report, "artifacts")["what"].as_str().unwrap()), (0, "out of date: manifests/redis.yaml"));

    project.write("kilter.yaml", "services: [redsi]\n");
    let (code, report) = doctor();
    assert_eq!(code, 1);
    assert_eq!(check(&report, "kilter.yaml")["what"], "unknown service `redsi` (kilter.yaml:1:12)");
    assert!(check(&report, "kilter.yaml")["fix"].as_str().unwrap().starts_with("Did you mean `redis`?"));

    fs::remove_file(project.root().join("kilter.yaml")).unwrap();
    assert_eq!(check(&doctor().1, "kilter.yaml")["what"], "there is none here");
}

#[test]
fn tools_and_docker_that_are_not_right_are_named() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n").helm_script("echo v3.0.0");
    let docker = project.outside("bin/docker");
    write_script(&docker, "echo 'the daemon is out' >&2; exit 1");
    let output = project
        .kilter(&["doctor", "--json"])
        .env("PATH", docker.parent().unwrap())
        .env("KILTER_TILT", "/nonexistent/tilt")
        .run();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, 1);
    assert_eq!(check(&report, "docker")["what"], "docker does not work: the daemon is out");
    assert_eq!(check(&report, "tilt")["what"], "`/nonexistent/tilt` is no file, and `KILTER_TILT` names it");
}

#[test]
fn a_program_that_the_user_named_is_asked_for_its_version() {
    let project = Project::new("shop");
    let tilt = project.outside("bin/tilt");
    write_script(&tilt, "echo 'v0.37.7, built 2026-08-15'");
    let output = project.kilter(&["doctor", "--json"]).env("KILTER_TILT", &tilt).run();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let found = check(&report, "tilt");
    assert_eq!((found["state"].as_str(), found["what"].as_str()), (Some("ok"), Some("0.37.7 (explicit path)")));
}

#[test]
fn what_contradicts_itself_and_what_has_moved_is_found() {
    let Some(_) = helm() else { return };
    let project = Project::new("shop").file("kilter.yaml", "services: [postgres, {name: db, from: postgres}]\n");
    let report = parsed(&project, &["doctor", "--json"]);
    assert_eq!(
        check(&report, "kilter.yaml")["what"],
        "`DATABASE_URL` is provided by both `postgres` and `db` (kilter.yaml:1:22)"
    );
    project.write("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    let report = parsed(&project, &["doctor", "--json"]);
    assert!(!report.as_array().unwrap().iter().any(|row| row["check"] == "detected"), "{report}");
    project.write("package.json", PACKAGE);
    let found = check(&parsed(&project, &["doctor", "--json"]), "detected");
    assert_eq!(
        found["what"],
        "kilter.lock is older than the app: dev was nothing, is `npm run dev`; image was nothing, is `node:22-alpine`"
    );
    project.kilter(&["upgrade", "app", "--yes"]).succeeds();
    let report = parsed(&project, &["doctor", "--json"]);
    assert!(!report.as_array().unwrap().iter().any(|row| row["check"] == "detected"), "{report}");
}

#[test]
fn doctor_gets_nothing_and_writes_nothing_into_the_project() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    fs::create_dir_all(project.cache().join("shop")).unwrap();
    let output = project.kilter(&["doctor", "--json"]).without("KILTER_HELM").env("PATH", "/nonexistent").succeeds();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(check(&report, "artifacts")["what"], "not compared: helm is not here yet");
    assert_eq!(fs::read_dir(project.root()).unwrap().count(), 1);
    assert!(!project.cache().join("tools").exists());
}

/// A docker that is a shell script: runs these lines for `info`, and those for `ps`. Every call is noted.
fn docker(project: &Project, info: &str, ps: &str) -> std::path::PathBuf {
    let path = project.outside("bin/docker");
    let calls = project.outside("docker-calls");
    let script = format!("echo \"$1\" >>'{}'\ncase $1 in\ninfo) {info} ;;\nps) {ps} ;;\nesac", calls.display());
    write_script(&path, &script);
    path.parent().unwrap().to_path_buf()
}

/// A `docker info` that answers.
fn answers(more: &str) -> String {
    format!(
        "echo '{{\"ServerVersion\":\"29.2.1\",\"OperatingSystem\":\"Debian\",\"ClientInfo\":{{\"Context\":\"default\"}}{more}}}'"
    )
}

fn report(project: &Project, bin: &Path, env: &[(&str, &str)]) -> (i32, Value) {
    let run = project.kilter(&["doctor", "--json"]).env("PATH", bin);
    let output = env.iter().fold(run, |run, (name, value)| run.env(name, value)).run();
    (output.code, serde_json::from_str(&output.stdout).unwrap())
}

#[test]
fn a_docker_that_cannot_be_used_says_why() {
    let project = Project::new("shop");
    let asked = |info: &str, env: &[(&str, &str)]| {
        let (code, report) = report(&project, &docker(&project, info, "exit 9"), env);
        let row = check(&report, "docker");
        assert!(!report.as_array().unwrap().iter().any(|row| row["check"] == "clock"), "{report}");
        (code, row["state"].clone(), row["what"].as_str().unwrap().to_owned(), row["fix"].as_str().unwrap().to_owned())
    };
    let socket = project.outside("docker.sock");
    let _listens = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let denied = format!(
        "echo 'permission denied while trying to connect to the Docker daemon socket at unix://{}' >&2; exit 1",
        socket.display()
    );
    let (code, state, what, fix) = asked(&denied, &[]);
    assert_eq!((code, state), (1, json!("failed")));
    let start = format!("no permission to use docker's socket at `{}`, of group `", socket.display());
    assert!(what.starts_with(&start), "{what}");
    assert!(fix.contains("log out and in again"), "{fix}");

    let gone = "echo 'Cannot connect to the Docker daemon at unix:///nonexistent/docker.sock. Is the docker daemon running?' >&2; exit 1";
    let (code, state, what, fix) = asked(gone, &[]);
    assert_eq!((code, state), (0, json!("warning")), "kilter renders without docker");
    assert_eq!(what, "docker is installed, and nobody answers at `/nonexistent/docker.sock`");
    assert!(fix.starts_with("Start "), "{fix}");
    let (.., what, fix) = asked(gone, &[("DOCKER_HOST", "unix:///nonexistent/docker.sock")]);
    assert!(what.ends_with("`/nonexistent/docker.sock` (`DOCKER_HOST`)") && fix.contains("unset DOCKER_HOST"), "{fix}");

    let (code, state, what, _) = asked("/bin/sleep 600", &[]);
    assert_eq!((code, state, what.as_str()), (1, json!("failed"), "docker does not answer in time"));
    let (_, _, what, _) =
        asked("echo 'context \"work\": context not found' >&2; exit 1", &[("DOCKER_CONTEXT", "work")]);
    assert_eq!(what, "docker's context `work` does not exist");
}

#[test]
fn docker_that_answers_is_asked_no_more_than_needed() {
    let project = Project::new("quay").file("kilter.yaml", "services: [redis]\n");
    let bin = docker(
        &project,
        &answers(",\"MemTotal\":2147483648,\"SystemTime\":\"2001-02-03T04:05:06Z\",\"DockerRootDir\":\"/nonexistent\""),
        "exit 9",
    );
    let (code, report) = report(&project, &bin, &[]);
    assert_eq!(code, 0);
    assert_eq!(check(&report, "docker")["what"], "29.2.1, Debian");
    assert_eq!(check(&report, "docker memory")["what"], "docker has 2 GiB of memory");
    let clock = check(&report, "clock");
    assert!(clock["what"].as_str().unwrap().ends_with("days behind this machine's"), "{clock}");
    assert_eq!(check(&report, "ports")["state"], "ok");
    let calls = fs::read_to_string(project.outside("docker-calls")).unwrap();
    assert_eq!(calls, "info\n", "nobody has a port, so nothing is asked about containers");
}

/// A project with redis whose ports no other test has, and the first of them: its block is one of eight from
/// `first`, near the last, which the names of the other tests don't lead to, and nobody listens there.
fn with_ports(name: &str, first: u16) -> (Project, u16) {
    let project = Project::new(name).file("kilter.yaml", "services: [redis]\n");
    let turn = u16::try_from(std::process::id() % 8).unwrap();
    let blocks = (0..8).map(|n| 20_000 + 48 * (first + (turn + n) % 8));
    let free = |block: &u16| (*block..block + 2).all(|port| TcpListener::bind(("0.0.0.0", port)).is_ok());
    let block = blocks.into_iter().find(free).unwrap();
    let table = json!({"instances": {name: {"dir": project.root(), "blocks": [block]}}});
    kilter::fsx::write(&project.state().join("kilter/machine.json"), table.to_string().as_bytes()).unwrap();
    (project, block)
}

#[test]
fn whoever_has_a_port_of_the_project_is_named() {
    if !Path::new("/proc/net/tcp").is_file() {
        return skip("whoever_has_a_port_of_the_project_is_named: there is no /proc here");
    }
    let (project, port) = with_ports("harbour", 192);
    let nothing = project.outside("nothing");
    let ports = |env: &[(&str, &str)]| {
        let (code, report) = report(&project, &nothing, env);
        let row = check(&report, "ports");
        (code, row["what"].as_str().unwrap().to_owned(), row["fix"].as_str().unwrap_or_default().to_owned())
    };
    let free =
        (0, format!("nobody else has {port} to {}, {}", port + 47, 11_000 + (port - 20_000) / 48), String::new());
    assert_eq!(ports(&[]), free);
    let first = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let (code, what, fix) = ports(&[]);
    let me = std::process::id();
    assert!(
        what.starts_with(&format!("port {port} is taken by `")) && what.ends_with(&format!("(pid {me})")),
        "{what}"
    );
    assert!(code == 1 && fix.contains(&format!("`kill {me}`")), "{fix}");

    // What is not used yet is taken all the same when the cluster is made; with a context nobody needs it.
    let next = TcpListener::bind(("0.0.0.0", port + 1)).unwrap();
    assert!(ports(&[]).1.starts_with(&format!("ports {port}, {} are taken by `", port + 1)));
    drop(first);
    let (code, what, _) = ports(&[("KILTER_CONTEXT", "team")]);
    assert_eq!((code, what.starts_with(&format!("nobody else has {port}, "))), (1, true), "{what}"); // no such context
    drop(next);
    assert_eq!(ports(&[]), free);
}

#[test]
fn a_port_of_a_container_is_the_containers() {
    if !Path::new("/proc/net/tcp").is_file() {
        return skip("a_port_of_a_container_is_the_containers: there is no /proc here");
    }
    let (project, port) = with_ports("crane", 200);
    let _helper = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ps = |name: &str, cluster: &str| {
        let line = format!("{name}\\t{cluster}\\t127.0.0.1:{port}->30000/tcp\\n");
        docker(&project, &answers(""), &format!("printf '{line}'"))
    };
    let (code, found) = report(&project, &ps("web", ""), &[]);
    let row = check(&found, "ports");
    assert_eq!((code, &row["what"]), (1, &json!(format!("port {port} is taken by the container `web`"))));
    assert!(row["fix"].as_str().unwrap().ends_with("`docker stop web`."), "{row}");
    fs::remove_file(project.outside("docker-calls")).unwrap();
    let (code, found) = report(&project, &ps("kilter-crane-control-plane", "kilter-crane"), &[]);
    assert_eq!((code, &check(&found, "ports")["state"]), (0, &json!("ok")), "{found}");
    assert_eq!(fs::read_to_string(project.outside("docker-calls")).unwrap(), "info\nps\n");
}

const KUBECONFIG: &str = "current-context: NAME
contexts: [{name: NAME, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:PORT'}}]
users: [{name: u, user: {token: canary-token}}]
";

#[test]
fn a_kubeconfig_that_leads_nowhere_is_found() {
    let project = Project::new("shop")
        .file("kilter.yaml", "cluster: {provider: context, context: team, registry: 127.0.0.1:5000}\n");
    let nothing = project.outside("nothing");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = |name: &str| KUBECONFIG.replace("NAME", name).replace("PORT", &port.to_string());
    let of = |env: &[(&str, &str)]| {
        let (_, report) = report(&project, &nothing, env);
        assert!(!report.to_string().contains("canary-token"), "{report}");
        let row = check(&report, "kubeconfig");
        (row["state"].as_str().unwrap().to_owned(), row["what"].as_str().unwrap().to_owned())
    };
    let users = project.home().join(".kube/config");
    let (state, what) = of(&[]);
    assert_eq!(
        (state.as_str(), project.shown(&what).as_str()),
        ("failed", "there is no context `team` in `[HOME]/.kube/config`")
    );
    kilter::fsx::write(&users, config("team").as_bytes()).unwrap();
    let before = fs::metadata(&users).unwrap().modified().unwrap();
    let answers = ("ok".to_owned(), format!("the cluster of context `team` answers at https://127.0.0.1:{port}"));
    assert_eq!(of(&[]), answers);
    assert_eq!(of(&[("KILTER_CONTEXT", "other")]).0, "failed");
    let second = project.outside("second");
    kilter::fsx::write(&second, config("other").as_bytes()).unwrap();
    let list = format!("{}:{}", project.outside("absent").display(), second.display());
    assert_eq!(of(&[("KILTER_CONTEXT", "other"), ("KUBECONFIG", &list)]).0, "ok");
    let own = project.cache().join("shop/kubeconfig");
    kilter::fsx::write(&own, KUBECONFIG.replace("PORT", "1").as_bytes()).unwrap();
    assert_eq!(
        of(&[]).1,
        format!("kilter's copy leads to https://127.0.0.1:1, the context `team` to https://127.0.0.1:{port} by now")
    );

    // With kind, kilter's own file counts.
    project.write("kilter.yaml", "services: []\n");
    kilter::fsx::write(&own, config("kilter-shop").as_bytes()).unwrap();
    assert_eq!(of(&[]), ("ok".to_owned(), format!("the cluster `kilter-shop` answers at https://127.0.0.1:{port}")));
    let offline = project.kilter(&["doctor", "--json", "--offline"]).env("PATH", &nothing).run().stdout;
    assert!(!offline.contains("kubeconfig"), "nothing is connected to: {offline}");
    kilter::fsx::write(&own, config("kilter-shop").replace(&port.to_string(), "1").as_bytes()).unwrap();
    let gone = "the cluster `kilter-shop` does not answer at https://127.0.0.1:1";
    assert_eq!(of(&[]), ("warning".to_owned(), gone.to_owned()));
    kilter::fsx::write(&own, b"users: [canary-token\n").unwrap();
    let (state, what) = of(&[]);
    assert!(
        state == "failed" && project.shown(&what).starts_with("`[CACHE]/shop/kubeconfig` is no kubeconfig: line "),
        "{what}"
    );
    assert_eq!(fs::metadata(&users).unwrap().modified().unwrap(), before, "the user's file is never written");
}

#[test]
fn a_registry_that_does_not_answer_and_a_docker_that_nobody_needs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let yaml = |app: &str| format!("cluster: {{provider: context, context: team, registry: \"{address}\"}}\n{app}");
    let project = Project::new("shop").file("kilter.yaml", yaml("dev: npm run dev\n"));
    let bin = docker(&project, "echo 'the daemon is out' >&2; exit 1", "exit 9");
    let of = |name: &str| {
        let row = check(&report(&project, &bin, &[]).1, name);
        (row["state"].as_str().unwrap().to_owned(), row["what"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("registry"), ("ok".to_owned(), format!("`{address}` answers")));
    assert_eq!(of("docker"), ("failed".to_owned(), "docker does not work: the daemon is out".to_owned()));
    drop(listener);
    assert_eq!(
        of("registry"),
        ("warning".to_owned(), format!("`{address}` does not answer, and the app's image is to go there"))
    );
    project.write("kilter.yaml", yaml("services: [redis]\n"));
    let found = report(&project, &bin, &[]).1;
    assert!(!found.as_array().unwrap().iter().any(|row| row["check"] == "registry"), "nothing is built: {found}");
    let unused = "docker does not work: the daemon is out (this project does without)";
    assert_eq!(of("docker"), ("warning".to_owned(), unused.to_owned()));
}

#[test]
fn a_tilt_that_died_and_what_is_left_of_a_directory_that_is_gone() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    let nothing = project.outside("nothing");
    let state = project.state().join("kilter");
    let session = state.join("instances/shop");
    kilter::fsx::write(
        &session.join("tilt.json"),
        br#"{"process": {"pid": 1, "started": "another time"}, "note": ""}"#,
    )
    .unwrap();
    kilter::fsx::write(&session.join("tilt.log"), b"one\nfatal: out of memory\n\n").unwrap();
    let row = check(&report(&project, &nothing, &[]).1, "live update");
    assert_eq!(row["what"], "Tilt has ended, though nobody stopped it; its last words: fatal: out of memory");
    assert!(row["fix"].as_str().unwrap().contains("instances/shop/tilt.log`"), "{row}");

    let gone = project.outside("elsewhere/gone away");
    let table = json!({"instances": {
        "cellar@old": {"dir": gone, "blocks": [20_000]},
        "rendered": {"dir": project.outside("elsewhere/rendered"), "blocks": [20_048]},
    }});
    kilter::fsx::write(&state.join("machine.json"), table.to_string().as_bytes()).unwrap();
    let place = json!({"context": "team", "namespace": "cellar-old-dev"});
    kilter::fsx::write(&state.join("instances/cellar@old/place.json"), place.to_string().as_bytes()).unwrap();
    let found = report(&project, &nothing, &[]).1;
    let left: Vec<&Value> = found.as_array().unwrap().iter().filter(|row| row["check"] == "left over").collect();
    assert_eq!(left.len(), 1, "{found}");
    let what = project.shown(left[0]["what"].as_str().unwrap());
    assert_eq!(
        what,
        "`cellar@old` has left the namespace `cellar-old-dev` in the cluster of `team`: its directory `[TMP]/elsewhere/gone away` is gone"
    );

    // The fix is one: it leads to what was brought up, whatever is above.
    let fix = left[0]["fix"].as_str().unwrap();
    let made = fix.split('`').nth(1).unwrap().split(" && kilter ").next().unwrap();
    assert!(command(Path::new("/bin/sh")).args(["-c", made]).status().unwrap().success());
    let said = project.kilter(&["destroy"]).cwd(&gone).fails(5);
    assert!(said.contains("the namespace `cellar-old-dev` in the cluster of `team`"), "{said}");
}

#[test]
fn a_proxy_and_a_bare_machine() {
    let project = Project::new("shop").file("kilter.yaml", "services: [redis]\n");
    let nothing = project.outside("nothing");
    let proxy = [("HTTPS_PROXY", "http://127.0.0.1:1"), ("no_proxy", "localhost,127.0.0.1,10.0.0.0/8")];
    let (code, found) = report(&project, &nothing, &proxy);
    assert_eq!((code, &check(&found, "proxy")["what"]), (0, &json!("`HTTPS_PROXY` is set, and `no_proxy` lacks .svc")));
    kilter::fsx::write(&project.root().join("kilter/kind.yaml"), b"networking: {podSubnet: 192.168.0.0/18}\n").unwrap();
    let what = check(&report(&project, &nothing, &proxy).1, "proxy")["what"].clone();
    assert_eq!(what, "`HTTPS_PROXY` is set, and `no_proxy` lacks .svc, 192.168.0.0/18");

    // No HOME, no PATH: what can be looked at is looked at.
    let bare = project.kilter(&["doctor", "--json"]).without("HOME").without("PATH").without("KILTER_CACHE_DIR");
    let bare = bare.without("XDG_STATE_HOME").run();
    let report: Value = serde_json::from_str(&bare.stdout).unwrap();
    assert_eq!(bare.code, 1);
    for name in ["disk", "ports"] {
        assert!(check(&report, name)["fix"].as_str().unwrap().contains("Set `HOME`"), "{report}");
    }
    assert_eq!(check(&report, "kilter.yaml")["state"], "ok");
}
