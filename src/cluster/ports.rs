//! The host-wide table of instances and their blocks of host ports.
//!
//! A block is 48 ports of 127.0.0.1, one per slot. The first choice of an instance is a function of its name alone, so
//! that a project has the same ports on most machines; a block that is taken moves it to the next free one, for good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::diag::{Error, Result};
use crate::fsx;
use crate::ids::Digest;

/// Host ports per block: as many as a kind cluster has mapped NodePorts.
pub const BLOCK: u16 = crate::plan::SLOTS;

/// First host port of the first block. All blocks lie below 30000, where NodePorts begin, and below 32768, where Linux
/// takes ports for outgoing connections from.
pub const FIRST_HOST_PORT: u16 = 20000;

/// Number of blocks.
const BLOCKS: u16 = (30000 - FIRST_HOST_PORT) / BLOCK;

/// Tilt's page of the instance with block N listens on this port + N.
const FIRST_TILT_PORT: u16 = 11000;

/// What the machine knows about its instances.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Machine {
    /// `shop` or `shop@review` → its entry.
    #[serde(default)]
    pub instances: BTreeMap<String, Entry>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The project's directory.
    pub dir: PathBuf,
    /// First host ports of its blocks.
    pub blocks: Vec<u16>,
}

impl Machine {
    /// Reads the table of a state directory; an absent one is empty.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(state: &Path) -> Result<Self> {
        let path = file(state);
        let Some(text) = fsx::read_text(&path, 16 * 1024 * 1024)? else { return Ok(Self::default()) };
        let damaged = |why: String| {
            Error::missing(format!("`{}` is damaged: {why}", path.display()))
                .help("Remove the file: kilter allocates ports anew, and they may move.")
        };
        let machine: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let mut blocks = machine.instances.iter().flat_map(|(key, entry)| entry.blocks.iter().map(move |b| (key, b)));
        match blocks.find(|(_, block)| !is_block(**block)) {
            Some((key, block)) => Err(damaged(format!("no block of `{key}` begins at port {block}"))),
            None => Ok(machine),
        }
    }

    /// Claims an entry for a directory (see [`super::Instance::claim`]).
    pub(super) fn claim(state: &Path, key: &str, dir: &Path, slots: u16) -> Result<Entry> {
        let blocks = usize::from(slots.max(1).div_ceil(BLOCK));
        let fits = |entry: &Entry| entry.dir == dir && entry.blocks.len() >= blocks;
        if let Some(entry) = Self::read(state)?.instances.remove(key).filter(fits) {
            return Ok(entry);
        }
        let _lock = fsx::Lock::acquire(&state.join("machine.lock"), || {})?;
        let mut machine = Self::read(state)?;
        let entry = machine.entry(key, dir, blocks)?;
        machine.instances.insert(key.to_owned(), entry.clone());
        machine.write(state)?;
        Ok(entry)
    }

    /// Gives up the entry of an instance, if it is this directory's: its ports are free for others.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub fn forget(state: &Path, key: &str, dir: &Path) -> Result<()> {
        let _lock = fsx::Lock::acquire(&state.join("machine.lock"), || {})?;
        let mut machine = Self::read(state)?;
        if machine.instances.get(key).is_none_or(|entry| entry.dir != dir) {
            return Ok(());
        }
        machine.instances.remove(key);
        machine.write(state)
    }

    fn write(&self, state: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::bug(error.to_string()))?;
        fsx::write_if_changed(&file(state), (text + "\n").as_bytes()).map(drop)
    }

    /// Returns the entry that [`Self::claim`] would give, and writes nothing.
    pub(super) fn look(state: &Path, key: &str, dir: &Path, slots: u16) -> Result<Entry> {
        Self::read(state)?.entry(key, dir, usize::from(slots.max(1).div_ceil(BLOCK)))
    }

    /// Works out the entry of an instance. Where no block is free, entries whose directory is gone lose theirs.
    fn entry(&mut self, key: &str, dir: &Path, blocks: usize) -> Result<Entry> {
        let old = self.instances.get(key);
        if let Some(old) = old
            && old.dir != dir
            && old.dir.is_dir()
        {
            let (name, _) = key.split_once('@').unwrap_or((key, ""));
            return Err(Error::project(format!(
                "`{}` already is the project `{key}` on this machine",
                old.dir.display()
            ))
            .help(format!(
                "Work on a second copy of `{name}` beside it: add `--instance NAME` or set `KILTER_INSTANCE`."
            ))
            .help("If it is another project, give it another `name:` in kilter.yaml."));
        }
        self.require_own_cluster(key, dir)?;
        let old = self.instances.get(key);
        let mut entry = Entry { dir: dir.to_path_buf(), blocks: old.map(|old| old.blocks.clone()).unwrap_or_default() };
        while entry.blocks.len() < blocks {
            let free = self.free(key, &entry).or_else(|| {
                self.instances.retain(|other, entry| other == key || entry.dir.is_dir());
                self.free(key, &entry)
            });
            entry.blocks.push(free.ok_or_else(|| {
                Error::missing(format!("all {BLOCKS} blocks of host ports on this machine are taken"))
                    .help("Delete the directories of projects you no longer need: their blocks become free.")
            })?);
        }
        Ok(entry)
    }

    /// Refuses an instance whose cluster and namespace another directory has: `shop@review` and `shop-review` both are
    /// `shop-review` there.
    fn require_own_cluster(&self, key: &str, dir: &Path) -> Result<()> {
        let flat = super::flat(key);
        let same = |(other, entry): &(&String, &Entry)| {
            *other != key && super::flat(other) == flat && entry.dir != dir && entry.dir.is_dir()
        };
        let Some((other, entry)) = self.instances.iter().find(same) else { return Ok(()) };
        let words = |key: &str| match key.split_once('@') {
            Some((project, instance)) => format!("the instance `{instance}` of `{project}`"),
            None => format!("the project `{key}`"),
        };
        Err(Error::project(format!(
            "{} and {} in `{}` would share the cluster and the namespaces `{flat}`",
            words(key),
            words(other),
            entry.dir.display()
        ))
        .help("Take another `--instance NAME`, or another `name:` in kilter.yaml."))
    }

    /// Finds the first port of the next block for an entry; `None` when all are taken.
    fn free(&self, key: &str, entry: &Entry) -> Option<u16> {
        let taken: BTreeSet<u16> = self.instances.values().flat_map(|entry| entry.blocks.iter().copied()).collect();
        let first = preferred(key, entry.blocks.len());
        (0..BLOCKS)
            .map(|step| FIRST_HOST_PORT + ((first + step) % BLOCKS) * BLOCK)
            .find(|port| !taken.contains(port) && !entry.blocks.contains(port))
    }
}

/// Tells whether a block begins at a port.
fn is_block(port: u16) -> bool {
    port.checked_sub(FIRST_HOST_PORT).is_some_and(|above| above % BLOCK == 0 && above / BLOCK < BLOCKS)
}

/// The block an instance would like to have, 0 to `BLOCKS` - 1.
fn preferred(key: &str, nth: usize) -> u16 {
    let digest = Digest::of(format!("{key}\0{nth}").as_bytes());
    let number = u16::from_str_radix(&digest.hex()[..4], 16).unwrap_or_default();
    number % BLOCKS
}

/// Port of Tilt's page for an instance with these blocks.
pub(super) fn tilt_port(blocks: &[u16]) -> u16 {
    let index = blocks.first().map_or(0, |first| (first - FIRST_HOST_PORT) / BLOCK);
    FIRST_TILT_PORT + index
}

fn file(state: &Path) -> PathBuf {
    state.join("machine.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stay_and_do_not_collide() {
        let state = tempfile::tempdir().unwrap();
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Machine::claim(state.path(), "a", a.path(), 3).unwrap();
        let mut seen = BTreeSet::from([first.blocks[0]]);
        for n in 0..40 {
            let entry = Machine::claim(state.path(), &format!("b{n}"), b.path(), 3).unwrap();
            assert!(seen.insert(entry.blocks[0]), "two instances have one block");
        }
        assert_eq!(Machine::claim(state.path(), "a", a.path(), 3).unwrap(), first);
        let grown = Machine::claim(state.path(), "a", a.path(), 60).unwrap();
        assert_eq!((grown.blocks[0], grown.blocks.len()), (first.blocks[0], 2));
    }

    #[test]
    fn blocks_of_directories_that_are_gone_are_given_anew() {
        let state = tempfile::tempdir().unwrap();
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let gone = a.path().join("gone");
        fsx::create_dir(&gone).unwrap();
        let kept = Machine::claim(state.path(), "kept", a.path(), 1).unwrap();
        for n in 1..BLOCKS {
            Machine::claim(state.path(), &format!("gone{n}"), &gone, 1).unwrap();
        }
        let error = Machine::claim(state.path(), "new", b.path(), 1).unwrap_err();
        assert!(error.to_string().contains("all 208 blocks"), "{error}");
        fsx::remove(&gone).unwrap();
        let seen = Machine::look(state.path(), "new", b.path(), 60).unwrap();
        let full = Machine::read(state.path()).unwrap();
        assert_eq!(full.instances.len(), usize::from(BLOCKS), "looking changes nothing");
        assert_eq!(Machine::claim(state.path(), "new", b.path(), 60).unwrap(), seen);
        assert!(!seen.blocks.contains(&kept.blocks[0]));
        let left: Vec<String> = Machine::read(state.path()).unwrap().instances.into_keys().collect();
        assert_eq!(left, ["kept", "new"]);
    }

    #[test]
    fn two_directories_do_not_share_a_cluster() {
        let state = tempfile::tempdir().unwrap();
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (first, second) in [("shop@review", "shop-review"), ("a-b@c", "a@b-c")] {
            Machine::claim(state.path(), first, a.path(), 1).unwrap();
            for act in [Machine::claim, Machine::look] {
                let error = act(state.path(), second, b.path(), 1).unwrap_err().to_string();
                assert!(error.contains(&a.path().display().to_string()), "{error}");
            }
        }
        Machine::claim(state.path(), "shop-review", a.path(), 1).unwrap(); // renamed: nobody else is there
        drop(a);
        Machine::claim(state.path(), "a@b-c", b.path(), 1).unwrap();
    }

    #[test]
    fn a_table_with_other_ports_is_damaged() {
        let state = tempfile::tempdir().unwrap();
        for block in [0_u16, 19_999, 20_001, 29_984, 65_535] {
            let text = format!(r#"{{"instances": {{"shop": {{"dir": "/", "blocks": [20000, {block}]}}}}}}"#);
            fsx::write(&file(state.path()), text.as_bytes()).unwrap();
            let error = Machine::claim(state.path(), "shop", Path::new("/"), 1).unwrap_err().to_string();
            assert!(error.contains(&format!("no block of `shop` begins at port {block}")), "{error}");
        }
    }

    #[test]
    fn a_second_directory_of_one_name_is_refused_until_the_first_is_gone() {
        let state = tempfile::tempdir().unwrap();
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Machine::claim(state.path(), "shop", a.path(), 1).unwrap();
        let error = Machine::claim(state.path(), "shop", b.path(), 1).unwrap_err();
        assert!(error.to_string().contains(&a.path().display().to_string()), "{error}");
        drop(a);
        assert_eq!(Machine::claim(state.path(), "shop", b.path(), 1).unwrap().blocks, first.blocks);
    }
}
