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
