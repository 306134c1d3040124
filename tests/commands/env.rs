//! `kilter env`, and who reads what it prints.

use super::*;

/// Values that readers of such files stumble over.
const AWKWARD: &str = "services: [redis]\nenv:\n  PLAIN: text\n  EMPTY: ''\n  SPACES: ' two  words '\n  DOLLAR: 'a$HOME ${HOME} $(id) `id`'\n  QUOTES: \"it's \\\"said\\\"\"\n  BACKSLASH: 'C:\\new'\n  TRAILING: 'end\\'\n  AMP: 'a=1&b=2;c#d'\n  LINES: \"one\\ntwo\"\n  BOTH: \"it's $HOME\\nand `id`\"\n  GLOB: '* ?'\n";

fn variables(project: &Project) -> serde_json::Map<String, Value> {
    parsed(project, &["env", "--format", "json"]).as_object().unwrap().clone()
}

/// What a program prints for each variable, NUL after each.
fn read_by(program: &str, script: &str, project: &Project, names: &[String]) -> Vec<String> {
    let mut reader = command(Path::new("/usr/bin/env"));
    reader
        .arg("-i")
        .args(["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", program, "-c", script, "reader"])
        .args(names);
    let output = reader.current_dir(project.root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.split('\0').map(str::to_owned).take(names.len()).collect()
}

#[test]
fn a_shell_reads_back_both_formats() {
    let project = Project::new("shop").file("kilter.yaml", AWKWARD);
    let expected = variables(&project);
    assert_eq!(expected["SPACES"], " two  words ");
    let names: Vec<String> = expected.keys().cloned().collect();
    let values: Vec<String> = expected.values().map(|v| v.as_str().unwrap().to_owned()).collect();
    for format in ["shell", "dotenv"] {
        project.write(".env", project.kilter(&["env", "--format", format]).succeeds().stdout);
        let script = "set -a; . ./.env; for name; do eval \"printf '%s\\\\0' \\\"\\$$name\\\"\"; done";
        assert_eq!(read_by("sh", script, &project, &names), values, "{format}:\n{}", project.read(".env"));
    }
}

#[test]
fn python_reads_back_json_and_shell_words() {
    let project = Project::new("shop").file("kilter.yaml", AWKWARD);
    let names: Vec<String> = variables(&project).keys().cloned().collect();
    let values: Vec<String> = variables(&project).values().map(|v| v.as_str().unwrap().to_owned()).collect();
    project.write("env.json", project.kilter(&["env", "--format", "json"]).succeeds().stdout);
    project.write("env.sh", project.kilter(&["env", "--format", "shell"]).succeeds().stdout);
    let json =
        "import json,sys; d=json.load(open('env.json')); sys.stdout.write(''.join(d[n]+'\\0' for n in sys.argv[2:]))";
    let shell = "import shlex,sys; w=shlex.split(open('env.sh').read()); d=dict(x.split('=',1) for x in w if x!='export'); sys.stdout.write(''.join(d[n]+'\\0' for n in sys.argv[2:]))";
    for script in [json, shell] {
        assert_eq!(read_by("python3", script, &project, &names), values);
    }
}

#[test]
fn both_addresses_of_everything() {
    let project = shop().file("kilter.yaml", "services: [postgres]\n");
    let env = parsed(&project, &["env", "--json"]);
    assert_eq!(keys(&env), ["project", "namespace", "app", "inCluster", "localhost", "services"]);
    assert_eq!(keys(&env["services"][0]), ["name", "ports", "uis", "credentials"]);
    let (inside, local) =
        (env["inCluster"]["DATABASE_URL"].as_str().unwrap(), env["localhost"]["DATABASE_URL"].as_str().unwrap());
    assert!(inside.contains("@postgres.shop-dev.svc:5432/shop") && local.contains("@127.0.0.1:"), "{inside} {local}");
    assert_eq!(env["app"]["inCluster"], "http://shop.shop-dev.svc:3000");
    let in_cluster = project.kilter(&["env", "--format", "json", "--in-cluster"]).succeeds().stdout;
    assert_eq!(serde_json::from_str::<Value>(&in_cluster).unwrap(), env["inCluster"]);
    let text = project.kilter(&["env"]).succeeds();
    assert_eq!(text.stderr, "");
    for address in
        [inside, local, env["app"]["localhost"].as_str().unwrap(), env["services"][0]["uis"]["ui"].as_str().unwrap()]
    {
        assert!(text.stdout.contains(address), "{address}\n{}", text.stdout);
    }
}

#[test]
fn a_port_that_the_values_decide_is_the_port_of_every_address() {
    let project = shop().file(
        "kilter.yaml",
        "services:\n  - {name: postgres, values: {ports: {postgres: 6543}}}\n  - {name: redis, port: 6380}\n  \
         - {name: mailpit, port: 1026, values: {ports: {ui: 8026}}}\n  \
         - {name: web, image: 'nginx:1.29', port: 80, values: {ports: {main: 8080}}, provides: {WEB_URL: 'http://{{ .Host }}:{{ .Port.main }}'}}\n",
    );
    let env = parsed(&project, &["env", "--json"]);
    for (variable, address) in [
        ("DATABASE_URL", "@postgres.shop-dev.svc:6543/"),
        ("REDIS_URL", "redis.shop-dev.svc:6380"),
        ("SMTP_PORT", "1026"),
        ("WEB_URL", "http://web.shop-dev.svc:8080"),
    ] {
        let inside = env["inCluster"][variable].as_str().unwrap();
        assert!(inside.contains(address), "{variable}: {inside}");
    }
    let ports = |service: usize| {
        let ports = env["services"][service]["ports"].as_array().unwrap();
        ports.iter().map(|port| port["inCluster"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ports(0), ["postgres.shop-dev.svc:6543", "postgres.shop-dev.svc:8081"]);
    assert_eq!(ports(2), ["mailpit.shop-dev.svc:1026", "mailpit.shop-dev.svc:8026"]);
    // The port of this machine is the slot's, whatever the number in the cluster.
    let local = env["localhost"]["DATABASE_URL"].as_str().unwrap();
    assert!(local.contains("@127.0.0.1:") && !local.contains("6543"), "{local}");
}

#[test]
fn a_port_that_an_ejected_values_file_decides_counts_too() {
    let Some(_) = crate::support::helm() else { return };
    let project = shop().file("kilter.yaml", "services: [redis]\n");
    project.kilter(&["render"]).succeeds();
    project.kilter(&["eject", "values/redis"]).succeeds();
    let own = project.read("kilter/values/redis.yaml");
    project.write("kilter/values/redis.yaml", format!("{own}ports: {{redis: 6399}}\n"));
    project.kilter(&["render"]).succeeds();
    let env = parsed(&project, &["env", "--json"]);
    assert_eq!(env["services"][0]["ports"][0]["inCluster"], "redis.shop-dev.svc:6399");
    let manifest = std::fs::read_to_string(project.cache().join("shop/manifests/redis.yaml")).unwrap();
    assert!(manifest.contains("port: 6399"), "{manifest}");
}
