//! helm's cage. helm runs charts that kilter wrote with values that strangers wrote, so it gets what a render needs and nothing
//! else: it reads the chart and itself, writes nothing, has no network, and little memory and time.
//!
//! The operator starts itself as `kilter-operator confined CHART HELM ARGUMENT…`; that process takes its own rights away and
//! becomes helm, which inherits the rest. Landlock bounds the files: all of it from kernel 6.2 on (its third ABI), as the two before
//! let a program empty a file that it may not write. A seccomp filter refuses sockets on every kernel; limits of the process bound
//! memory, processor time and the size of files.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _,
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
    Ok(is_bounded(&status.landlock))
}

/// Tells whether a kernel refuses all that the cage is for: to read, to write and to empty files.
fn is_bounded(landlock: &LandlockStatus) -> bool {
    matches!(landlock, LandlockStatus::Available { effective_abi, .. } if *effective_abi >= ABI::V3)
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

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};
    use std::io::ErrorKind;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::os::unix::net::UnixDatagram;

    use rustix::fs::OFlags;
    use rustix::process::getrlimit;

    use super::*;

    #[test]
    fn files_are_bounded_where_none_can_be_emptied() {
        let of = |effective_abi| is_bounded(&LandlockStatus::Available { effective_abi, kernel_abi: None });
        assert_eq!([ABI::V1, ABI::V2, ABI::V3, ABI::V6].map(of), [false, false, true, true]);
        assert!(!is_bounded(&LandlockStatus::NotEnabled) && !is_bounded(&LandlockStatus::NotImplemented));
    }

    /// Where the probe has its chart, below its working directory.
    const CHART: &str = "chart";

    #[test]
    fn a_confined_process_can_do_what_a_render_needs_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (file, outside) = (dir.path().join("chart/Chart.yaml"), dir.path().join("outside"));
        crate::fsx::write(&file, b"name: x\n").unwrap();
        crate::fsx::write(&outside, b"outside\n").unwrap();
        let this = std::env::current_exe().unwrap();
        let probe = ["--exact", "operator::confine::tests::probe", "--ignored", "--nocapture", "--test-threads=1"];
        let probe = Invocation::new(this).args(probe).cwd(dir.path()).capture().unwrap();
        assert!(probe.ok() && probe.text().contains("1 passed"), "{}{}", probe.text(), probe.stderr);
        assert_eq!(fs::read(file).unwrap(), b"name: x\n");
        assert_eq!(fs::read(outside).unwrap(), b"outside\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    /// Confines itself, and tries what it must not be able to do. A process of its own, as limits are the process'.
    #[test]
    #[ignore = "the test above runs it, in a directory made for it"]
    fn probe() {
        let (chart, inside) = (Path::new(CHART), Path::new(CHART).join("Chart.yaml"));
        if !inside.is_file() {
            return;
        }
        let is_bounded = confine(chart, &std::env::current_exe().unwrap()).unwrap();
        assert_eq!(fs::read(&inside).unwrap(), b"name: x\n");
        limits(&inside);
        network();
        if is_bounded {
            files(&inside);
        } else {
            println!("skipped: the kernel has no Landlock (6.2 or later): which files a confined process can reach");
        }
    }

    fn denied<T>(what: &str, done: std::io::Result<T>) {
        let error = done.err().unwrap_or_else(|| panic!("{what} goes through"));
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
    }

    fn limits(inside: &Path) {
        assert!(Vec::<u8>::new().try_reserve_exact(64 << 20).is_ok(), "helm needs that much");
        assert!(Vec::<u8>::new().try_reserve_exact(2 << 30).is_err(), "2 GiB of data can be had");
        let most = |resource| getrlimit(resource).maximum;
        assert_eq!((most(Resource::Cpu), most(Resource::Fsize), most(Resource::Core)), (Some(60), Some(0), Some(0)));
        let open: Vec<std::io::Result<File>> = (0..=FILES).map(|_| File::open(inside)).collect();
        let last = open.last().unwrap().as_ref().unwrap_err();
        assert_eq!(last.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()), "{last}");
    }

    fn network() {
        denied("TCP", TcpListener::bind("127.0.0.1:0"));
        denied("UDP", UdpSocket::bind("127.0.0.1:0"));
        denied("a socket of the machine", UnixDatagram::unbound());
    }

    fn files(inside: &Path) {
        let outside = Path::new("outside");
        for path in [outside, Path::new("/etc/passwd"), Path::new("/proc/self/environ")] {
            denied("to read outside", fs::read(path));
        }
        denied("to list what is outside", fs::read_dir("/"));
        for path in [inside, outside] {
            denied("to write", OpenOptions::new().write(true).open(path));
            denied("to append", OpenOptions::new().append(true).open(path));
            let emptying = i32::try_from(OFlags::TRUNC.bits()).unwrap();
            denied("to empty", OpenOptions::new().read(true).custom_flags(emptying).open(path));
            denied("to remove", fs::remove_file(path));
            denied("to make a file", OpenOptions::new().write(true).create_new(true).open(path.with_file_name("new")));
            denied("to make a directory", fs::create_dir(path.with_file_name("new")));
            denied("to make a link", std::os::unix::fs::symlink("x", path.with_file_name("new")));
        }
        denied("to move a file into the chart", fs::rename(outside, inside));
    }
}
