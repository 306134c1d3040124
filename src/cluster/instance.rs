//! Instances: several working copies of one project on one machine.

use std::path::Path;

use super::ports::{self, Entry, Machine};
use crate::diag::{Error, Result};
use crate::fsx;
use crate::ids::Name;

/// Largest `.git` file that is read: it holds a path.
const MAX_GIT: u64 = 64 * 1024;

/// A working copy of a project with what this machine gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Name of the project.
    pub project: Name,
    /// Name of the instance; `None` for the first.
    pub name: Option<Name>,
    /// First host ports of its blocks; slot N is port N of block N / 48.
    pub blocks: Vec<u16>,
    /// Port of Tilt's own page.
    pub tilt_port: u16,
}

impl Instance {
    /// Returns the key under which the machine's files keep it: `shop`, or `shop@review` for an instance.
    pub fn key(project: &Name, instance: Option<&Name>) -> String {
        match instance {
            Some(instance) => format!("{project}@{instance}"),
            None => project.to_string(),
        }
    }

    /// Claims the instance for a directory: the same directory always gets the same ports, no two get one port.
    /// `slots` is how many slots the project uses.
    ///
    /// # Errors
    /// When another directory that still exists has the name, or the table cannot be read or written.
    pub fn claim(state: &Path, project: &Name, instance: Option<&Name>, dir: &Path, slots: u16) -> Result<Self> {
        let key = Self::key(project, instance);
        Ok(Self::of(project, instance, Machine::claim(state, &key, dir, slots)?))
    }

    /// Returns the instance that [`Instance::claim`] would give, and claims nothing: for commands that only look.
    ///
    /// # Errors
    /// When another directory that still exists has the name, or the table cannot be read.
    pub fn look(state: &Path, project: &Name, instance: Option<&Name>, dir: &Path, slots: u16) -> Result<Self> {
        let key = Self::key(project, instance);
        Ok(Self::of(project, instance, Machine::look(state, &key, dir, slots)?))
    }

    fn of(project: &Name, instance: Option<&Name>, entry: Entry) -> Self {
        Self {
            project: project.clone(),
            name: instance.cloned(),
            tilt_port: ports::tilt_port(&entry.blocks),
            blocks: entry.blocks,
        }
    }

    /// Returns the host port of a slot.
    pub fn host_port(&self, slot: u16) -> u16 {
        let block = usize::from(slot / ports::BLOCK);
        self.blocks.get(block).map_or(0, |first| first + slot % ports::BLOCK)
    }
}

/// Tells a linked worktree by the directory that its `.git` file points to: `REPOSITORY/worktrees/NAME`. That of a
/// submodule is `.git/modules/PATH`, which may end like it; only a worktree's has `commondir` (gitrepository-layout).
fn is_worktree(git: &Path) -> bool {
    let inside = git.parent().is_some_and(|parent| parent.ends_with("worktrees"));
    let submodule = git.ancestors().any(|above| above.ends_with(".git/modules"));
    inside && (!submodule || git.join("commondir").is_file())
}

/// Returns the folder's name when `dir` is in a linked git worktree (its `.git` is a file that points into
/// `worktrees/`): such a working copy is an instance by itself.
///
/// # Errors
/// When the folder's name has nothing to make a name of.
pub fn linked_worktree(dir: &Path) -> Result<Option<Name>> {
    let Some((root, text)) = dir.ancestors().find_map(|above| {
        let git = above.join(".git");
        git.exists().then(|| (above, fsx::read_text(&git, MAX_GIT).ok().flatten().unwrap_or_default()))
    }) else {
        return Ok(None);
    };
    if !text.strip_prefix("gitdir:").is_some_and(|to| is_worktree(&root.join(to.trim()))) {
        return Ok(None);
    }
    let folder = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match Name::from_text(&folder) {
        Some(name) => Ok(Some(name)),
        None => Err(Error::project(format!("the worktree folder `{folder}` has nothing to make an instance name of"))
            .help("Name the instance yourself: `--instance NAME`.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_linked_worktree_is_an_instance_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let name = |to: &str| {
            let root = dir.path().join("worktrees/fix");
            fsx::write(&root.join(".git"), format!("gitdir: {to}\n").as_bytes()).unwrap();
            linked_worktree(&root).unwrap().map(|name| name.to_string())
        };
        let fix = Some("fix".to_owned());
        assert_eq!(name("/src/shop/.git/worktrees/fix"), fix);
        assert_eq!(name("/src/shop.git/worktrees/fix"), fix, "of a bare repository");
        assert_eq!(name("../../shop/.git/worktrees/fix"), fix, "relative");
        assert_eq!(name("/src/worktrees/shop/.git/modules/fix"), None, "a submodule below such a folder");
        assert_eq!(name("../.git/modules/worktrees/fix"), None, "a submodule in such a folder");
        let linked = dir.path().join("shop/.git/modules/lib/worktrees/fix");
        fsx::write(&linked.join("commondir"), b"../..\n").unwrap();
        assert_eq!(name(&linked.to_string_lossy()), fix, "a worktree of a submodule");
    }
}
