//! The checks of docker. It is asked once, while the other checks go on, and once more when somebody has a port.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::machine::free_space;
use crate::cli::context::Context;
use crate::cluster::probes::docker::{self, Around, Engine, Group, Refusal};
use crate::cluster::probes::finding::{Finding, State};
use crate::cluster::probes::machine::{group, user_name};
use crate::cluster::probes::socket::{self, Published};
use crate::cluster::probes::{text, time};
use crate::exec::{self, Captured, Ending, Invocation};

/// How long docker may take for its own state; an idle one takes a quarter of a second.
const INFO_TIMEOUT: Duration = Duration::from_secs(3);

/// How long docker may take for its containers.
const PS_TIMEOUT: Duration = Duration::from_secs(2);

/// Where docker listens when nobody says otherwise.
const SOCKET: &str = "/var/run/docker.sock";

/// Docker while it is asked.
pub(super) struct Asked {
    program: Option<PathBuf>,
    call: Option<JoinHandle<crate::diag::Result<(Captured, SystemTime)>>>,
}

/// What docker answered.
pub(super) struct Docker {
    /// The findings about it.
    pub(super) findings: Vec<Finding>,
    /// Its program, when the daemon answers.
    program: Option<PathBuf>,
}

/// Asks docker, and does not wait for the answer.
pub(super) fn ask(ctx: &Context) -> Asked {
    let program = exec::find_program("docker", ctx.var("PATH").map(std::ffi::OsStr::new));
    let call = program.as_ref().map(|program| {
        let call = Invocation::new(program).inherit_env().args(["info", "--format", "{{json .}}"]);
        std::thread::spawn(move || Ok((call.timeout(INFO_TIMEOUT).capture()?, SystemTime::now())))
    });
    Asked { program, call }
}

impl Asked {
    /// Waits for the answer.
    pub(super) fn answer(self, ctx: &Context) -> Docker {
        let unusable = |refusal: &Refusal, context: &str| {
            let findings = vec![docker::unusable(refusal, &around(ctx, refusal, context))];
            Docker { findings, program: None }
        };
        let Some(call) = self.call else { return unusable(&Refusal::NotInstalled, "") };
        let (said, at) = match call.join() {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Docker { findings: vec![Finding::error("docker", &error)], program: None },
            Err(_) => return unusable(&Refusal::Other("the call ended by itself".into()), ""),
        };
        if said.ending == Ending::TimedOut {
            return unusable(&Refusal::Hangs, "");
        }
        match Engine::parse(&said.text(), &said.stderr) {
            Ok(engine) => Docker { findings: findings(ctx, &engine, at), program: self.program },
            Err((refusal, context)) => unusable(&refusal, &context),
        }
    }
}

impl Docker {
    /// Takes back that its absence breaks something.
    pub(super) fn is_of_no_use(&mut self) {
        for finding in self.findings.iter_mut().filter(|finding| finding.state == State::Failed) {
            finding.state = State::Warning;
            finding.what.push_str(" (this project does without)");
        }
    }

    /// Returns the containers that have ports of this machine; none when docker does not say.
    pub(super) fn containers(&self) -> Vec<Published> {
        let Some(program) = &self.program else { return Vec::new() };
        let call = Invocation::new(program).inherit_env().args(["ps", "--no-trunc", "--format", socket::PS_FORMAT]);
        let said = call.timeout(PS_TIMEOUT).capture().ok().filter(Captured::ok);
        said.map(|said| socket::published(&said.text())).unwrap_or_default()
    }
}

fn findings(ctx: &Context, engine: &Engine, at: SystemTime) -> Vec<Finding> {
    let mut found = engine.findings();
    let host = ctx.var("DOCKER_HOST");
    let ours = matches!(engine.client_info.context.as_str(), "" | "default" | "rootless");
    let local = ours && engine.is_here() && host.is_none_or(|host| host.starts_with("unix://"));
    let dir = Path::new(&engine.docker_root_dir);
    if local && dir.is_dir() {
        found.extend(free_space(dir).ok().map(|free| docker::disk(&engine.docker_root_dir, free)));
    }
    let now = at.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    found.extend(now.and_then(|now| time::clock(&engine.system_time, now)));
    found
}

/// Looks at what decides what is to be done about a docker that cannot be used.
fn around(ctx: &Context, refusal: &Refusal, context: &str) -> Around {
    let owned = |name: &str| ctx.var(name).map(str::to_owned);
    let used = match refusal {
        Refusal::NoPermission(address) | Refusal::NoAnswer(address) if address.starts_with("unix://") => {
            address.clone()
        }
        _ => owned("DOCKER_HOST").unwrap_or_default(),
    };
    let used = used.strip_prefix("unix://").unwrap_or(SOCKET).to_owned();
    let user = text("/etc/passwd").and_then(|passwd| user_name(&passwd, rustix::process::geteuid().as_raw()));
    let user = user.or_else(|| owned("USER"));
    Around {
        host: owned("DOCKER_HOST"),
        context_variable: owned("DOCKER_CONTEXT"),
        context: context.to_owned(),
        macos: cfg!(target_os = "macos"),
        sockets: sockets(ctx).into_iter().filter(|path| *path != Path::new(&used)).filter(|p| answers(p)).collect(),
        group: group_of(Path::new(&used), user.as_deref()),
        user,
    }
}

/// Returns where the dockers that people have listen: Docker Engine with and without root, Docker Desktop, Colima,
/// OrbStack, Rancher Desktop.
fn sockets(ctx: &Context) -> Vec<PathBuf> {
    let below = |variable: &str, paths: &[&str]| {
        let dir = ctx.var(variable).map(PathBuf::from);
        paths.iter().filter_map(|path| Some(dir.as_ref()?.join(path))).collect::<Vec<_>>()
    };
    let of_home = [
        ".docker/run/docker.sock",
        ".docker/desktop/docker.sock",
        ".colima/default/docker.sock",
        ".orbstack/run/docker.sock",
        ".rd/docker.sock",
    ];
    let mut all = vec![PathBuf::from(SOCKET)];
    all.extend(below("XDG_RUNTIME_DIR", &["docker.sock"]));
    all.extend(below("HOME", &of_home));
    all
}

/// Tells whether somebody listens on a socket that this user may use.
fn answers(socket: &Path) -> bool {
    UnixStream::connect(socket).is_ok()
}

/// Returns the group of a socket, and whether the user is in it though this process is not: it began before that.
fn group_of(socket: &Path, user: Option<&str>) -> Option<Group> {
    let gid = std::fs::metadata(socket).ok()?.gid();
    let (name, members) = group(&text("/etc/group")?, gid)?;
    let held = rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid));
    let listed = !held && members.iter().any(|member| Some(member.as_str()) == user);
    Some(Group { name, listed })
}
