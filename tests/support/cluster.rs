//! A cluster of scripts: a kubectl that answers as a test says and writes down what it is asked. For what the cluster is told
//! and in which order; what a cluster makes of it is shown on the test bed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kilter::exec::{Invocation, Record};
use kilter::toolchain::{Pins, Tool};

use super::project::{Project, Run, write_script};

/// The lines of kilter.yaml that name the cluster.
pub(crate) const CLUSTER: &str = "cluster: {provider: context, context: team, registry: \"127.0.0.1:1\"}\n";

/// A project of this name on such a cluster; `yaml` are further lines of its kilter.yaml.
pub(crate) fn project(name: &str, yaml: &str) -> Project {
    Project::new(name).file("kilter.yaml", format!("name: {name}\n{CLUSTER}{yaml}"))
}

/// Gives the project this kubectl: it knows the context and is ready. What else it is asked is written down as
/// `NAMESPACE: ARGUMENTS`, then these shell lines run, in a directory of the test's own: `$*` are the arguments.
pub(crate) fn kubectl(project: &Project, lines: &str) {
    let place = project.outside("cluster");
    fs::create_dir_all(&place).unwrap();
    let version = version(Tool::Kubectl);
    let head = r#"cd 'PLACE'
case "$1 $2" in
"version "*) echo 'Client Version: vVERSION'; exit ;;
"config view") echo '{"contexts": [{"name": "team"}]}'; exit ;;
esac
namespace=$2; shift 2
case "$*" in "get --raw /readyz "*) test ! -e down || { echo 'connection refused' >&2; exit 1; }; exit ;; esac
echo "$namespace: $*" >>asked"#;
    let head = head.replace("PLACE", &place.to_string_lossy()).replace("VERSION", &version);
    write_script(&project.outside("bin/kubectl"), &format!("{head}\n{lines}"));
}

/// Gives the project this docker: it answers, and what else it is asked is written down as `docker: ARGUMENTS`, beside what
/// kubectl is asked; then these shell lines run.
pub(crate) fn docker(project: &Project, lines: &str) {
    let head = "cd 'PLACE'\ntest \"$1\" != version || { echo '{}'; exit; }\necho \"docker: $*\" >>asked";
    let place = project.outside("cluster");
    fs::create_dir_all(&place).unwrap();
    write_script(
        &project.outside("bin/docker"),
        &format!("{}\n{lines}", head.replace("PLACE", &place.to_string_lossy())),
    );
}

/// Gives the project a tool that does nothing but to say the version that kilter wants, and these shell lines.
pub(crate) fn tool(project: &Project, tool: Tool, lines: &str) {
    let place = project.outside("cluster");
    fs::create_dir_all(&place).unwrap();
    let says = format!("case \"$*\" in version*|--version) echo v{}; exit ;; esac", version(tool));
    let script = format!("{says}\ncd '{}'\n{lines}", place.display());
    write_script(&project.outside("bin").join(tool.name()), &script);
}

fn version(tool: Tool) -> String {
    Pins::builtin().default_version(tool).to_string()
}

/// Prepares a run of kilter with these tools, and none of this machine's: without [`docker`], there is none that works.
pub(crate) fn kilter<'a>(project: &'a Project, args: &[&str]) -> Run<'a> {
    let bin = project.outside("bin");
    if !bin.join("docker").exists() {
        write_script(&bin.join("docker"), "exit 1");
    }
    let run = project.kilter(args).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let tools = [Tool::Kubectl, Tool::Kind, Tool::Tilt].into_iter().filter(|tool| bin.join(tool.name()).exists());
    tools.fold(run, |run, tool| run.env(&tool.variable(), bin.join(tool.name())))
}

/// Stores a manifest, as a render does.
pub(crate) fn store(project: &Project, service: &str, manifest: &str) {
    let name = project.root().file_name().unwrap().to_string_lossy().into_owned();
    let path = project.cache().join(name).join(format!("manifests/{service}.yaml"));
    kilter::fsx::write(&path, manifest.as_bytes()).unwrap();
}

/// Writes a file that the kubectl of the test can read.
pub(crate) fn has(project: &Project, file: &str, text: &str) {
    kilter::fsx::write(&project.outside("cluster").join(file), text.as_bytes()).unwrap();
}

/// Takes what the cluster was asked since the last time.
pub(crate) fn asked(project: &Project) -> Vec<String> {
    let file = project.outside("cluster/asked");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let _ = fs::remove_file(file); // nothing was asked
    text.lines().map(str::to_owned).collect()
}

/// A process that is remembered as the project's Tilt; it ends with this.
#[derive(Debug)]
pub(crate) struct Tilt(PathBuf);

impl Tilt {
    pub(crate) fn start(project: &Project) -> Self {
        let name = project.root().file_name().unwrap().to_string_lossy().into_owned();
        let dir = project.state().join("kilter/instances").join(name);
        let record = dir.join("tilt.json");
        let call = Invocation::new("/bin/sleep").arg("600");
        call.detach(Path::new(env!("CARGO_BIN_EXE_kilter")), &record, "", &dir.join("tilt.log")).unwrap();
        while Record::read(&record).unwrap().is_none() {
            std::thread::yield_now();
        }
        Self(record)
    }
}

impl Drop for Tilt {
    fn drop(&mut self) {
        let record = Record::read(&self.0).unwrap().unwrap();
        record.process.end(Duration::ZERO).unwrap();
    }
}
