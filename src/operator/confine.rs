//! helm's cage. helm runs charts that kilter wrote with values that strangers wrote, so it gets what a render needs and nothing
//! else: it reads the chart and itself, writes nothing, has no network, and little memory and time.
//!
//! The operator starts itself as `kilter-operator confined CHART HELM ARGUMENT…`; that process takes its own rights away and
//! becomes helm, which inherits the rest. Landlock (kernel 5.13) bounds the files; a seccomp filter refuses sockets on every
//! kernel; limits of the process bound memory, processor time and the size of files.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use crate::diag::{Error, Result};
use crate::exec::Invocation;

/// The first argument that asks for the cage.
const ARGUMENT: &str = "confined";

/// Most memory that helm may write to, in bytes. A render takes about 60 MiB; Go reserves more than it uses.
const MEMORY: u64 = 1 << 30;
/// Most processor time, in seconds; the time on the clock is the caller's to bound.
const CPU_SECONDS: u64 = 60;
/// Most files and pipes that are open at once.
const FILES: u64 = 256;

/// What can be refused by the number of the system call alone (`asm/unistd.h` of each architecture): `socket`, and `io_uring_setup`,
/// which opens sockets by another way.
#[cfg(target_arch = "x86_64")]
const REFUSED: [i64; 2] = [41, 425];
#[cfg(target_arch = "aarch64")]
const REFUSED: [i64; 2] = [198, 425];

/// `EACCES`, which programs know.
const NOT_PERMITTED: u32 = 13;

/// Turns this process into a confined helm when its arguments say so; returns the error when that fails, and `None` when they
/// say nothing of the kind.
pub fn become_confined(mut args: impl Iterator<Item = String>) -> Option<Error> {
    if args.nth(1)? != ARGUMENT {
        return None;
    }
    let (chart, helm) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    Some(match confine(Path::new(&chart), Path::new(&helm)) {
        Ok(_) => Invocation::new(helm).inherit_env().args(args).become_it(),
        Err(error) => error,
    })
}

/// Tells whether the kernel bounds the files that helm may open, by trying in a thread, which alone is bound then.
pub(super) fn has_landlock() -> bool {
    std::thread::spawn(|| files(Path::new("/"), Path::new("/")).unwrap_or(false)).join().unwrap_or(false)
}

/// Takes the rights of this thread away; tells whether the kernel bounds files.
fn confine(chart: &Path, helm: &Path) -> Result<bool> {
    let limit = |resource: Resource, most: u64| {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| Error::io("limit helm", &error.into()))
    };
    limit(Resource::Data, MEMORY)?;
    limit(Resource::Cpu, CPU_SECONDS)?;
    limit(Resource::Nofile, FILES)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Core, 0)?;
    let bounded = files(chart, helm)?;
    network()?;
    Ok(bounded)
}

fn files(chart: &Path, helm: &Path) -> Result<bool> {
    let fail = |error: &dyn std::fmt::Display| Error::tool(format!("cannot confine helm: {error}"));
    let abi = ABI::V5;
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let open = |path: &Path| PathFd::new(path).map_err(|error| fail(&error));
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(Ruleset::create)
        .map_err(|error| fail(&error))?
        .add_rule(PathBeneath::new(open(chart)?, read))
        .map_err(|error| fail(&error))?
        .add_rule(PathBeneath::new(open(helm)?, AccessFs::ReadFile | AccessFs::Execute))
        .map_err(|error| fail(&error))?;
    let status = rules.restrict_self().map_err(|error| fail(&error))?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

fn network() -> Result<()> {
    let fail = |error: &dyn std::fmt::Display| Error::tool(format!("cannot confine helm: {error}"));
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| fail(&error))?;
    let rules = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(NOT_PERMITTED), arch)
        .map_err(|error| fail(&error))?;
    let program: BpfProgram = filter.try_into().map_err(|error: seccompiler::BackendError| fail(&error))?;
    seccompiler::apply_filter(&program).map_err(|error| fail(&error))
}
