//! A container of the generated image: what live update does to it, and how it ends. No cluster; docker alone.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use super::texts::{text, variable};
use crate::support;
use crate::support::project::{Project, command};

/// An image of a project, deleted at the end with its containers.
struct Image {
    name: String,
    host: std::ffi::OsString,
    /// The command that the Tiltfile runs after each sync.
    after_sync: String,
}

/// Renders and builds a project; `None` without helm or docker.
fn build(project: &Project, name: &str) -> Option<Image> {
    support::helm()?;
    let Some(host) = variable("KILTER_TEST_DOCKER_HOST") else {
        support::skip(&format!("a container of `{name}`: KILTER_TEST_DOCKER_HOST is not set"));
        return None;
    };
    project.kilter(&["render"]).succeeds();
    let artifacts = project.cache().join(name);
    let image = format!("kilter-live:{name}-{}", std::process::id());
    let mut check = command(&support::root().join("scripts/docker-build-check"));
    check.args(["--keep", &image]).arg(project.root()).arg(artifacts.join("Dockerfile.dev"));
    let said = check.env("KILTER_TEST_DOCKER_HOST", &host).output().unwrap();
    assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
    let tiltfile = text(&artifacts.join("Tiltfile"));
    let run = tiltfile.lines().find_map(|line| line.trim().strip_prefix("run(")?.strip_suffix("),"));
    let after_sync = serde_json::from_str(run.unwrap()).unwrap();
    Some(Image { name: image, host, after_sync })
}

impl Image {
    fn docker(&self, args: &[&str]) -> Command {
        let mut docker = command(Path::new("docker"));
        docker.env("DOCKER_HOST", &self.host).args(args);
        docker
    }

    fn output(&self, args: &[&str]) -> Output {
        self.docker(args).output().unwrap()
    }

    fn says(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts a container and follows what its app says on standard output.
    fn start(&self) -> Container<'_> {
        let id = self.says(&["run", "--detach", "--network", "none", &self.name]);
        let mut logs = self.docker(&["logs", "--follow", &id]);
        let mut logs = logs.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(logs.stdout.take().unwrap());
        Container { image: self, id, logs, said }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = self.docker(&["image", "rm", "--force", &self.name]).output();
    }
}

struct Container<'a> {
    image: &'a Image,
    id: String,
    logs: Child,
    said: BufReader<ChildStdout>,
}

impl Container<'_> {
    /// Reads until the app says this line. When the container ends first, that is a failure.
    fn wait_for(&mut self, wanted: &str) {
        let mut seen = String::new();
        while seen.lines().last() != Some(wanted) {
            assert!(self.said.read_line(&mut seen).unwrap() > 0, "no `{wanted}` in:\n{seen}");
        }
    }

    /// Does what Tilt does for an edit: the file as the container's user, then the command.
    fn edit(&self, file: &str, text: &str) {
        let mut cat = self.image.docker(&["exec", "--interactive", &self.id, "sh", "-c", &format!("cat >/app/{file}")]);
        let mut cat = cat.stdin(Stdio::piped()).spawn().unwrap();
        cat.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(cat.wait().unwrap().success());
        self.image.says(&["exec", &self.id, "sh", "-c", &self.image.after_sync]);
    }

    /// What is another one after the container was started again.
    fn identity(&self) -> String {
        self.image.says(&["inspect", "--format", "{{.State.Pid}} {{.State.StartedAt}}", &self.id])
    }

    /// Sends TERM and waits for the end; returns the exit code.
    fn end(&self) -> String {
        self.image.says(&["kill", "--signal", "TERM", &self.id]);
        self.image.says(&["wait", &self.id])
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        let _ = self.image.docker(&["rm", "--force", &self.id]).output();
        let _ = self.logs.kill();
        let _ = self.logs.wait();
    }
}

const SERVER: &str = "\
const version = require('fs').readFileSync('version.txt', 'utf8').trim();
if (version === process.env.REFUSED) process.exit(3);
process.on('SIGTERM', () => { console.log('bye'); process.exit(0); });
require('http').createServer((_, answer) => answer.end(version)).listen(process.env.PORT, () => console.log('up ' + version));
";

#[test]
fn slow_an_edit_reaches_a_running_node_app_in_the_same_container() {
    let project = Project::new("plain")
        .file("package.json", "{\"name\": \"plain\", \"scripts\": {\"dev\": \"node server.js\"}}")
        .file("server.js", SERVER)
        .file("version.txt", "one")
        .file("kilter.yaml", "env: {NOBODY: reads}\n");
    let Some(image) = build(&project, "plain") else { return };
    let mut container = image.start();
    container.wait_for("up one");
    let identity = container.identity();
    container.edit("version.txt", "two");
    container.wait_for("bye");
    container.wait_for("up two");
    let ask = "fetch('http://127.0.0.1:' + process.env.PORT).then(a => a.text()).then(console.log)";
    assert_eq!(image.says(&["exec", &container.id, "node", "-e", ask]), "two");
    // A bad edit does not end the container: the next one starts the app again.
    container.edit("server.js", "this is no JavaScript");
    container.edit("server.js", &SERVER.replace("'up '", "'well again '"));
    container.wait_for("well again two");
    assert_eq!(container.identity(), identity);
    container.end();
    container.wait_for("bye");
    // Before any edit, a command that fails ends the container with its own status.
    let failed = image.output(&["run", "--rm", "--network", "none", "--env", "REFUSED=one", &image.name]);
    assert_eq!(failed.status.code(), Some(3), "{}", String::from_utf8_lossy(&failed.stderr));
}

#[test]
fn slow_an_edit_reaches_a_running_go_app_and_its_port_is_free_again() {
    let server = "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n\t\"os\"\n)\n\nfunc main() {\n\tlistener, err := net.Listen(\"tcp\", \":\"+os.Getenv(\"PORT\"))\n\
                  \tif err != nil {\n\t\tpanic(err)\n\t}\n\tfmt.Println(\"up one\")\n\tlistener.Accept()\n}\n";
    let project = Project::new("gone")
        .file("go.mod", "module example.com/gone\n\ngo 1.26\n")
        .file("main.go", server)
        .file("kilter.yaml", "env: {NOBODY: reads}\n");
    let Some(image) = build(&project, "gone") else { return };
    let mut container = image.start();
    container.wait_for("up one");
    let identity = container.identity();
    container.edit("main.go", &server.replace("up one", "up two"));
    container.wait_for("up two");
    assert_eq!(container.identity(), identity);
    // `go run` and the program that it started both end by TERM.
    assert_eq!(container.end(), "143");
}
