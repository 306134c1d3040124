//! The image of a deploy: with a docker of the test's own for what it is told, with a real one for what it makes of it.

use super::*;
use crate::support::platform::{APP, Platform, kilter, phase};
use crate::support::variable;

const HEX: &str = "4c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2";

/// A docker that answers as if all went well, and writes down its arguments, the Dockerfile and the ignore file.
fn docker(project: &Project, push: &str) {
    let place = project.outside("docker");
    fs::create_dir_all(&place).unwrap();
    let script = format!(
        r#"cd '{place}'
case "$1 $2" in "version "*) echo '{{}}'; exit ;; esac
echo "$*" >>calls
case "$1 $2" in
"build "*)
  while [ $# -gt 0 ]; do case "$1" in
    --file) cp "$2" Dockerfile; cp "$2.dockerignore" ignore 2>/dev/null ;;
    --iidfile) printf sha256:{HEX} >"$2" ;;
  esac; shift; done
  test ! -e broken || {{ echo 'step 3: npm ci failed' >&2; exit 1; }} ;;
"image push") {push} ;;
esac"#,
        place = place.display()
    );
    write_script(&project.outside("bin/docker"), &script);
}

fn run<'a>(project: &'a Project, platform: &Platform, args: &[&str]) -> crate::support::project::Run<'a> {
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", project.outside("bin").display());
    kilter(project, platform, args).env("PATH", path)
}

const DEPLOY: [&str; 3] = ["deploy", "--registry", "registry.example.com:5000/acme"];

fn calls(project: &Project) -> Vec<String> {
    fs::read_to_string(project.outside("docker/calls")).unwrap().lines().map(str::to_owned).collect()
}

const PUSHED: &str =
    "echo 'x: digest: sha256:aaaae1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e24c5ee1e2 size: 9'";

#[test]
fn the_digest_that_was_pushed_is_deployed() {
    let (project, platform) = (shop(), Platform::start());
    docker(&project, PUSHED);
    platform.deploys([phase("ready", "")]);
    run(&project, &platform, &[&DEPLOY[..], &["--wait"]].concat()).succeeds();
    let calls = calls(&project);
    assert!(calls[0].starts_with("build --file ") && calls[0].contains("--platform linux/amd64"), "{calls:?}");
    // Not committed: named by its content.
    let name = "registry.example.com:5000/acme/shop:content-4c5ee1e24c5e";
    assert_eq!(calls[1..], [format!("image tag sha256:{HEX} {name}"), format!("image push {name}")]);
    let asked = &platform.asked_of(&format!("POST {APP}/deploys"))[0];
    let image = asked.body["template"]["image"].as_str().unwrap();
    assert!(image.starts_with("registry.example.com:5000/acme/shop@sha256:aaaae1e2"), "{image}");
    let dockerfile = fs::read_to_string(project.outside("docker/Dockerfile")).unwrap();
    assert!(dockerfile.contains("CMD [\"node\", \"server.js\"]"), "{dockerfile}");
    assert!(!project.root().join("Dockerfile").exists());
}

#[test]
fn a_dockerfile_of_the_project_is_taken() {
    let (project, platform) = (shop(), Platform::start());
    docker(&project, PUSHED);
    platform.deploys([phase("ready", "")]);
    project.write("Dockerfile", "FROM scratch\n");
    run(&project, &platform, &DEPLOY).succeeds();
    assert_eq!(fs::read_to_string(project.outside("docker/Dockerfile")).unwrap(), "FROM scratch\n");
    project.write("kilter.yaml", "deploy: {dockerfile: docker/prod}\n");
    let said = run(&project, &platform, &DEPLOY).fails(1);
    assert!(said.contains("`docker/prod`, which `deploy.dockerfile` names, is not there"), "{said}");
    project.write("docker/prod", "FROM other\n");
    run(&project, &platform, &DEPLOY).succeeds();
    assert_eq!(fs::read_to_string(project.outside("docker/Dockerfile")).unwrap(), "FROM other\n");
}

#[test]
fn a_commit_names_the_image_and_secrets_in_git_are_noticed() {
    let (project, platform) = (shop(), Platform::start());
    docker(&project, PUSHED);
    platform.deploys([phase("ready", "")]);
    project.write("kilter.yaml", "environments: {staging: {secrets: {x: secrets/staging.env}}}\n");
    project.write("secrets/staging.env", "A=b\n");
    let git = |args: &[&str]| {
        let mut git = command(Path::new("git"));
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]);
        let done = git.args(args).current_dir(project.root()).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "x"]);
    git(&["remote", "add", "origin", "https://me:hunter2-canary@github.com/acme/shop.git"]);
    let commit = git(&["rev-parse", "HEAD"]);
    let output = run(&project, &platform, &[&DEPLOY[..], &["--require-clean"]].concat()).succeeds();
    assert!(output.stderr.contains("git has `secrets/staging.env`, which holds secrets"), "{}", output.stderr);
    let all = calls(&project).join("\n");
    assert!(all.contains(&format!("acme/shop:{}", &commit[..12])), "{all}");
    assert!(all.contains(&format!("org.opencontainers.image.revision={commit}")), "{all}");
    let asked = &platform.asked_of(&format!("POST {APP}/deploys"))[0];
    assert_eq!(asked.body["template"]["about"]["links"]["repo"], "https://github.com/acme/shop");
    assert!(!format!("{all}{}{}", asked.body, output.stderr).contains("canary"));
    project.write("server.js", "changed");
    let said = run(&project, &platform, &[&DEPLOY[..], &["--require-clean"]].concat()).fails(5);
    assert!(said.contains("differs from its git commit"), "{said}");
}

#[test]
fn a_build_or_a_push_that_fails_shows_dockers_words() {
    let (project, platform) = (shop(), Platform::start());
    docker(&project, "echo 'denied: no basic auth credentials' >&2; exit 1");
    let said = run(&project, &platform, &DEPLOY).fails(4);
    assert!(
        said.contains("denied: no basic auth") && said.contains("`docker login registry.example.com:5000`"),
        "{said}"
    );
    kilter::fsx::write(&project.outside("docker/broken"), b"").unwrap();
    let said = run(&project, &platform, &DEPLOY).fails(4);
    assert!(said.contains("the image cannot be built") && said.contains("step 3: npm ci failed"), "{said}");
    assert!(platform.asked_of(&format!("POST {APP}/deploys")).is_empty());
    write_script(
        &project.outside("bin/docker"),
        "echo 'Cannot connect to the Docker daemon. Is the docker daemon running?' >&2; exit 1",
    );
    let said = run(&project, &platform, &DEPLOY).fails(3);
    assert!(said.contains("docker is not running"), "{said}");
}

#[test]
fn an_app_that_nothing_starts_is_refused_before_anything_is_asked() {
    let platform = Platform::start();
    let vite = r#"{"name": "shop", "scripts": {"dev": "vite"}, "devDependencies": {"vite": "^7"}}"#;
    let said = run(&Project::new("shop").file("package.json", vite), &platform, &DEPLOY).fails(1);
    assert!(said.contains("nothing says how the app is started in production") && said.contains("`start`"), "{said}");
    let said = run(&Project::new("shop").file("kilter.yaml", "port: 1\n"), &platform, &DEPLOY).fails(1);
    assert!(said.contains("kilter cannot make one for it"), "{said}");
    assert!(platform.asked().is_empty());
}

/// Has kilter make the production Dockerfile of a project, a real docker build it, and `script` run in the image; returns
/// what that prints. Nothing when there is no docker.
fn in_production(project: &Project, script: &str) -> Option<String> {
    let Some(host) = variable("KILTER_TEST_DOCKER_HOST") else {
        skip("the production image built by a real docker: KILTER_TEST_DOCKER_HOST is not set");
        return None;
    };
    let platform = Platform::start();
    docker(project, PUSHED);
    platform.deploys([phase("ready", "")]);
    run(project, &platform, &[&DEPLOY[..], &["--allow-missing"]].concat()).succeeds();
    let mut build = command(&crate::support::root().join("scripts/docker-build-check"));
    let build = build.arg(project.root()).arg(project.outside("docker/Dockerfile")).args(["/bin/sh", "-c", script]);
    let done = build.env("KILTER_TEST_DOCKER_HOST", host).output().unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{out}{}", String::from_utf8_lossy(&done.stderr));
    Some(out)
}

#[test]
fn slow_the_production_image_of_the_node_fixture_has_what_it_needs_and_no_secret() {
    let project = Project::new("shop").fixture("shop");
    // The secrets of other environments must not get into the image either.
    let yaml = "environments: {prod: {env: {A: b}}, b: {secrets: {x: secrets/prod env, y: b.txt}}}\n";
    project.write("kilter.yaml", yaml);
    let package = r#"{"name": "shop", "private": true, "scripts": {"build": "is-ci; cp server.js built.js", "start": "node built.js"},
        "dependencies": {"ioredis": "^5.8.0", "pg": "^8.16.0"}, "devDependencies": {"is-ci": "^4.1.0"}}"#;
    project.write("package.json", package);
    let server = "const has = name => { try { return !!require.resolve(name) } catch { return false } };
        console.log(process.getuid(), process.env.NODE_ENV, process.env.PORT, has('ioredis') && has('pg'), has('is-ci'), require('fs').readdirSync('.').sort().join(' '))";
    project.write("server.js", server);
    for secret in
        ["secrets/prod env", "b.txt", ".env", "sub/.env.production", "node_modules/evil/index.js", ".git/config"]
    {
        project.write(secret, "A=hunter2-canary\n");
    }
    let Some(out) = in_production(&project, "node built.js; grep -rl hunter2 /app || echo clean") else { return };
    let files = "README.md built.js kilter.yaml node_modules package-lock.json package.json secrets server.js sub";
    assert_eq!(out, format!("1000 production 3000 true false {files}\nclean\n"));
}

#[test]
fn slow_the_production_image_of_the_python_fixture_imports_its_app() {
    let project = Project::new("notes").fixture("notes");
    let script = "python -c 'import os, fastapi, uvicorn, app; print(os.getuid(), os.environ[\"PORT\"])'; touch /opt/venv/x 2>/dev/null || echo fixed";
    let Some(out) = in_production(&project, script) else { return };
    assert_eq!(out, "1000 8000\nfixed\n");
    let dockerfile = fs::read_to_string(project.outside("docker/Dockerfile")).unwrap();
    assert!(dockerfile.contains("--no-dev") && !dockerfile.contains("--reload"), "{dockerfile}");
}

#[test]
fn slow_the_production_image_of_a_go_module_is_its_program() {
    let main = "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() { fmt.Println(os.Getuid(), os.Getenv(\"PORT\")) }\n";
    let project =
        Project::new("links").file("go.mod", "module example.com/links\n\ngo 1.26\n").file("cmd/links/main.go", main);
    let Some(out) = in_production(&project, "app; ls /app | wc -l; command -v go || echo none") else { return };
    assert_eq!(out, "1000 8080\n0\nnone\n");
}
