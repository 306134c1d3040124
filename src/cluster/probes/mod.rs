//! What commonly breaks on a machine: each probe is a pure function from what was read (the text of a file below `/proc`,
//! the words of docker, variables) to findings. The readers beside them are thin, and give nothing where there is nothing
//! to read: no `/proc`, no `HOME`, no docker.

pub mod docker;
pub mod finding;
pub mod kubeconfig;
pub mod machine;
pub mod network;
pub mod socket;
pub mod time;

/// Largest file below `/proc` or `/etc` that is read.
const MAX_TEXT: u64 = 16 * 1024 * 1024;

/// Reads a file of the system; `None` when there is none, or it is not for this user.
pub fn text(path: &str) -> Option<String> {
    crate::fsx::read_text(std::path::Path::new(path), MAX_TEXT).ok().flatten()
}

/// Returns the names of this machine's bridges, as far as the system tells (sysfs: `/sys/class/net/<name>/bridge`).
pub fn bridges() -> Vec<String> {
    let interfaces = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let bridges = interfaces.filter(|interface| interface.path().join("bridge").is_dir());
    bridges.map(|interface| interface.file_name().to_string_lossy().into_owned()).collect()
}
