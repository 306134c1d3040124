//! Files that are whole or not there, and locks that die with their process.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::diag::{Error, Result};

/// Held while a file is being put in its place; the interrupt handler takes it before it ends the process.
pub static COMMIT: Mutex<()> = Mutex::new(());

/// Ends the name of every file that is still being written; leftovers of a killed process are swept away.
pub const TEMP_SUFFIX: &str = ".kilter-tmp";

/// Largest file of a project, or artifact, that is read. What is larger is no file that kilter has to do with: a link to
/// a device, say.
pub const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Reads a file of at most `limit` bytes; `None` when there is none.
///
/// # Errors
/// When the file cannot be read or is larger than `limit`.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(format!("read `{}`", path.display()), &error)),
    };
    // With room for one byte more, which tells that there is none, it is read at once.
    let length = file.metadata().map_or(0, |meta| meta.len()).min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default().saturating_add(1));
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(format!("read `{}`", path.display()), &error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::project(format!("`{}` is larger than {}", path.display(), size(limit)))
            .help("Check that this is the file you meant."));
    }
    Ok(Some(bytes))
}

/// Reads a UTF-8 text file of at most `limit` bytes; `None` when there is none.
///
/// # Errors
/// When the file cannot be read, is larger than `limit` or is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> Result<Option<String>> {
    let Some(bytes) = read(path, limit)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::project(format!("`{}` is not a text file: byte {at} is not UTF-8", path.display()))
            .help("Save the file as UTF-8 text.")
    })
}

/// Writes a file only when its bytes differ; returns whether it wrote. See [`write`].
///
/// # Errors
/// When the file cannot be written.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    let same = match fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() == bytes.len() as u64 => fs::read(path).is_ok_and(|old| old == bytes),
        _ => false,
    };
    if same {
        return Ok(false);
    }
    write(path, bytes)?;
    Ok(true)
}

/// Writes a file whole: into a temporary neighbour, synced, then renamed over `path`. Parent directories are made;
/// permissions of an existing file are kept. A symbolic link is written through.
///
/// # Errors
/// When the file cannot be written; the old content is then untouched.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, true, None)
}

/// Writes a file whole like [`write`]; nobody but the user can read it.
///
/// # Errors
/// When the file cannot be written; the old content is then untouched.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, true, Some(0o600))
}

/// Writes a file whole like [`write`], but leaves it to the system when it reaches the disk: for what is checked by its
/// digest before it is used and can be made again. A process that is killed leaves it whole; a machine that loses power
/// may not.
///
/// # Errors
/// When the file cannot be written; the old content is then untouched.
pub fn write_cached(path: &Path, bytes: &[u8]) -> Result<()> {
    put(path, bytes, false, None)
}

/// Writes several files whole, each like [`write`], and in this order: one is in its place before the next. Those of one name
/// have to be one. They reach the disk together, in a fraction of the time that they need one after another.
///
/// # Errors
/// When one cannot be written: none of those after it is in its place then.
pub fn write_together(files: &[(PathBuf, &[u8])]) -> Result<()> {
    // From the first: who interrupts waits for a moment, and nothing half-written is left.
    let held = held();
    let staged = at_once(files, |(path, bytes)| stage(path, bytes, true, None));
    let mut places: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for staged in staged {
        let target = staged?.commit(&held)?;
        places.entry(parent_of(&target)).or_default().push(name_of(&target));
    }
    drop(held);
    let places: Vec<(PathBuf, Vec<String>)> = places.into_iter().collect();
    at_once(&places, |(parent, names)| {
        sync_dir(parent);
        sweep_all(parent, names);
    });
    Ok(())
}

/// How many files are written at once: enough for a disk to take them together.
const AT_ONCE: usize = 8;

/// Does something for each item, several at once; the results are in the order of the items.
fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() < 2 {
        return items.iter().map(work).collect();
    }
    let share = items.len().div_ceil(AT_ONCE);
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            items.chunks(share).map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<_>>())).collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        results.flatten().collect()
    })
}

/// `mode` is that of the file in the end; without one, an existing file keeps its own.
fn put(path: &Path, bytes: &[u8], durable: bool, mode: Option<u32>) -> Result<()> {
    // From the first, as below.
    let held = held();
    let target = stage(path, bytes, durable, mode)?.commit(&held)?;
    drop(held);
    let parent = parent_of(&target);
    if durable {
        sync_dir(&parent);
    }
    sweep(&parent, &name_of(&target));
    Ok(())
}

/// Keeps the interrupt handler waiting.
fn held() -> MutexGuard<'static, ()> {
    COMMIT.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A file that is whole, beside its place.
struct Staged {
    temp: tempfile::TempPath,
    target: PathBuf,
    /// Its path as it was asked for.
    path: PathBuf,
}

fn stage(path: &Path, bytes: &[u8], durable: bool, mode: Option<u32>) -> Result<Staged> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let fail = |error: &std::io::Error| Error::io(format!("write `{}`", path.display()), error);
    let parent = parent_of(&target);
    fs::create_dir_all(&parent).map_err(|e| fail(&e))?;
    let mut temp = tempfile::Builder::new()
        .prefix(&temp_prefix(&target))
        .suffix(TEMP_SUFFIX)
        .permissions(fs::Permissions::from_mode(mode.unwrap_or(0o644)))
        .tempfile_in(&parent)
        .map_err(|e| fail(&e))?;
    temp.write_all(bytes)
        .and_then(|()| if durable { temp.as_file().sync_all() } else { Ok(()) })
        .map_err(|e| fail(&e))?;
    if mode.is_none()
        && let Ok(there) = fs::metadata(&target)
    {
        temp.as_file().set_permissions(there.permissions()).map_err(|e| fail(&e))?;
    }
    Ok(Staged { temp: temp.into_temp_path(), target, path: path.to_path_buf() })
}

impl Staged {
    /// Moves it into its place, which is returned.
    fn commit(self, _held: &MutexGuard<'_, ()>) -> Result<PathBuf> {
        let moved = self.temp.persist(&self.target);
        moved.map_err(|e| Error::io(format!("write `{}`", self.path.display()), &e.error))?;
        Ok(self.target)
    }
}

fn parent_of(target: &Path) -> PathBuf {
    target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_path_buf()
}

fn name_of(target: &Path) -> String {
    target.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

fn temp_prefix(target: &Path) -> String {
    format!(".{}.{}-", name_of(target), std::process::id())
}

/// Makes a rename durable; a file system that cannot sync a directory is left alone.
fn sync_dir(dir: &Path) {
    if let Ok(handle) = File::open(dir) {
        let _ = handle.sync_all();
    }
}

/// Nothing is written for this long.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Removes what killed processes left in `parent` while they wrote `name`: entries `.<name>.<pid>-….kilter-tmp` whose
/// process is gone and that are older than an hour. The process of a container is not seen from outside, so that it
/// seems to be gone does not mean it is.
pub fn sweep(parent: &Path, name: &str) {
    sweep_all(parent, &[name.to_owned()]);
}

/// Does it for several names.
fn sweep_all(parent: &Path, names: &[String]) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let parts = file
            .strip_suffix(TEMP_SUFFIX)
            .and_then(|file| file.strip_prefix('.')?.rsplit_once('-')?.0.rsplit_once('.'));
        let Some((_, pid)) = parts.filter(|(name, _)| names.iter().any(|known| known == name)) else { continue };
        if pid.parse().is_ok_and(|pid| !process_lives(pid)) && is_abandoned(&entry) {
            let _ = remove(&entry.path()); // another process may have been faster
        }
    }
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ABANDONED))
}

/// Tells whether a process with this id runs now.
pub fn process_lives(pid: i32) -> bool {
    rustix::process::Pid::from_raw(pid).is_some_and(
        |pid| !matches!(rustix::process::test_kill_process(pid), Err(error) if error == rustix::io::Errno::SRCH),
    )
}

/// Moves a file over another of the same directory's file system; nothing happens when it is not there.
///
/// # Errors
/// When it cannot be moved.
pub fn rename_over(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("rename `{}`", from.display()), &error))
        }
        _ => Ok(()),
    }
}

/// Removes a file or a whole directory; that it is not there is fine.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<()> {
    let result = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove `{}`", path.display()), &error))
        }
        _ => Ok(()),
    }
}

/// Makes a directory and its parents.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io(format!("make the directory `{}`", path.display()), &error))
}

/// An exclusive lock on a file, released when dropped or when the process dies, however it dies.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock; when another process holds it, calls `waiting` once and waits.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn acquire(path: &Path, waiting: impl FnOnce()) -> Result<Self> {
        let fail = |error: &std::io::Error| Error::io(format!("lock `{}`", path.display()), error);
        if let Some(parent) = path.parent() {
            create_dir(parent)?;
        }
        let mut waiting = Some(waiting);
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
            // A lock needs no right to write: where nothing may be written, an older lock file serves whoever only reads.
            let file = file.or_else(|error| File::open(path).map_err(|_| error)).map_err(|error| fail(&error))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    file.lock().map_err(|error| fail(&error))?;
                }
                Err(fs::TryLockError::Error(error)) => return Err(fail(&error)),
            }
            let lock = Self { file, path: path.to_path_buf() };
            // Whoever had it may have deleted the file: the next one would lock another.
            if lock.is_in_place() {
                return Ok(lock);
            }
        }
    }

    fn is_in_place(&self) -> bool {
        let here = fs::metadata(&self.path).map(|meta| (meta.dev(), meta.ino()));
        let own = self.file.metadata().map(|meta| (meta.dev(), meta.ino()));
        matches!((here, own), (Ok(here), Ok(own)) if here == own)
    }

    /// Gives the lock up and deletes its file: what it was for is gone.
    ///
    /// # Errors
    /// When the file cannot be deleted.
    pub fn delete(self) -> Result<()> {
        remove(&self.path)
    }
}

/// Returns random bytes of the system's generator.
///
/// # Errors
/// When the system gives none.
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Error::io("read random bytes from `/dev/urandom`", &error))?;
    Ok(bytes)
}

/// Writes a number of bytes as people read it: `512 B`, `4 MiB`, `13.2 MiB`, `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((unit, name)) = UNITS.into_iter().find(|(unit, _)| bytes >= *unit) else { return format!("{bytes} B") };
    match (bytes / unit, bytes % unit * 10 / unit) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_by_people() {
        let shown: Vec<String> = [512, 1024, 1536, 20 << 20, (3 << 30) + (1 << 29)].into_iter().map(size).collect();
        assert_eq!(shown, ["512 B", "1 KiB", "1.5 KiB", "20 MiB", "3.5 GiB"]);
    }

    #[test]
    fn whoever_waits_for_a_lock_that_is_deleted_gets_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::acquire(&path, || {}).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let waiter = {
            let path = path.clone();
            std::thread::spawn(move || Lock::acquire(&path, || tell.send(()).unwrap()).unwrap())
        };
        told.recv().unwrap();
        first.delete().unwrap();
        let second = waiter.join().unwrap();
        assert!(path.exists(), "it has a file that others find");
        assert!(File::open(&path).unwrap().try_lock().is_err(), "and holds it");
        drop(second);
    }

    #[test]
    fn of_files_that_are_written_together_none_is_there_after_one_that_fails() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..40).map(|n| format!("{}/{n}", n % 3)).collect();
        let write = |text: &str| {
            let files: Vec<_> = names.iter().map(|name| (dir.path().join(name), text.as_bytes())).collect();
            write_together(&files)
        };
        let read = || names.iter().map(|name| fs::read_to_string(dir.path().join(name)).ok()).collect::<Vec<_>>();
        let all = |text: &str| vec![Some(text.to_owned()); 40];
        write("one").unwrap();
        assert_eq!(read(), all("one"));
        fs::set_permissions(dir.path().join(&names[4]), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(dir.path().join(&names[30])).unwrap();
        fs::create_dir_all(dir.path().join(&names[30]).join("in the way")).unwrap();
        let error = write("two").unwrap_err().to_string();
        assert!(error.contains(&format!("write `{}`", dir.path().join(&names[30]).display())), "{error}");
        assert_eq!(read(), [vec![Some("two".to_owned()); 30], vec![None], vec![Some("one".to_owned()); 9]].concat());
        let mode = fs::metadata(dir.path().join(&names[4])).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "a file keeps its permissions");
        let left = (0..3).flat_map(|n| fs::read_dir(dir.path().join(n.to_string())).unwrap()).count();
        assert_eq!(left, 40, "nothing half-written is left");
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kilter.yaml");
        let left = dir.path().join(".kilter.yaml.2147483646-abc.kilter-tmp"); // above the largest pid of Linux
        write(&left, b"half").unwrap();
        write(&file, b"part").unwrap();
        assert!(left.exists(), "its writer may live where its process is not seen");
        let old = std::time::SystemTime::now() - Duration::from_secs(3601);
        File::open(&left).unwrap().set_modified(old).unwrap();
        write(&file, b"whole").unwrap();
        assert!(!left.exists());
        assert_eq!(fs::read(&file).unwrap(), b"whole");
        assert!(!write_if_changed(&file, b"whole").unwrap());
    }
}
