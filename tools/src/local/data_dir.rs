//! The directory of a local cluster: what stands where, and who may use it.
//!
//! | path | what |
//! |---|---|
//! | `lock` | held by the running `hexalog local`; its process id |
//! | `metadata.sqlite` | the metadata store |
//! | `node-N/` | the device of daemon N |
//! | `logs/` | what the processes print |

use crate::exit::{Code, Failure};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The metadata service's file.
pub const METADATA: &str = "metadata.sqlite";

/// How long a start waits for a lock that a dying process may still hold: after `kill -9` the kernel takes a
/// moment to take io_uring's files away.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// A data directory that this process has to itself.
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is absent and takes its lock.
    pub fn lock(path: &Path) -> Result<DataDir, Failure> {
        std::fs::create_dir_all(path).map_err(|error| io_failure(path, "cannot make", &error))?;
        let path = path.canonicalize().map_err(|error| io_failure(path, "cannot use", &error))?;
        refuse_foreign_directory(&path)?;
        let lock_path = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|error| io_failure(&lock_path, "cannot open", &error))?;
        take_lock(&path, &mut lock)?;
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|error| io_failure(&lock_path, "cannot write", &error))?;
        let logs = path.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| io_failure(&logs, "cannot make", &error))?;
        Ok(DataDir { path, _lock: lock })
    }

    /// The directory itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata file.
    pub fn metadata(&self) -> PathBuf {
        self.path.join(METADATA)
    }

    /// Whether a cluster was made in this directory, as far as can be seen without touching it.
    pub fn has_metadata(path: &Path) -> bool {
        path.join(METADATA).exists()
    }

    /// The device of a daemon.
    pub fn node(&self, node: u32) -> PathBuf {
        self.path.join(format!("node-{node}"))
    }

    /// Where a process's output goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }
}

/// A directory that holds something else is left alone.
fn refuse_foreign_directory(path: &Path) -> Result<(), Failure> {
    if DataDir::has_metadata(path) || path.join("lock").exists() {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(path).map_err(|error| io_failure(path, "cannot read", &error))?;
    if entries.next().is_none() {
        return Ok(());
    }
    let message = format!(
        "{} holds other files and no Hexalog cluster; choose an empty directory with --data-dir",
        path.display()
    );
    Err(Failure::new(Code::DirectoryInUse, message))
}

fn take_lock(path: &Path, lock: &mut File) -> Result<(), Failure> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    while flock(&*lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        if Instant::now() >= deadline {
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            let message = format!(
                "{} is in use by another hexalog local (process {}); stop that one, or choose another directory with \
                 --data-dir",
                path.display(),
                if holder.trim().is_empty() { "unknown" } else { holder.trim() },
            );
            return Err(Failure::new(Code::DirectoryInUse, message));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A file system error in words.
pub fn io_failure(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Code::PermissionDenied,
        _ => Code::Failed,
    };
    Failure::new(code, format!("{what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_serves_one_process_and_no_strangers() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let held = DataDir::lock(&dir.path().join("new")).expect("empty");
        let refused = DataDir::lock(&dir.path().join("new")).err().expect("locked");
        assert_eq!(refused.code, Code::DirectoryInUse as u8);
        assert!(refused.message.contains(&std::process::id().to_string()), "{}", refused.message);
        drop(held);
        DataDir::lock(&dir.path().join("new")).expect("free again");
        let foreign = dir.path().join("foreign");
        std::fs::create_dir(&foreign).expect("directory");
        std::fs::write(foreign.join("letter.txt"), "x").expect("file");
        let refused = DataDir::lock(&foreign).err().expect("foreign");
        assert_eq!(refused.code, Code::DirectoryInUse as u8);
        assert!(!foreign.join("lock").exists());
    }
}
