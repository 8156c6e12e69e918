//! The daemon's directory: its lock, and the file that says what it was formatted as.
//!
//! | entry | holds |
//! |---|---|
//! | `lock` | locked with flock while a daemon runs; the daemon's process id as text |
//! | `hexalogd.json` | [`Geometry`]; written last when formatting, never changed |
//! | `shard-N/superblock`, `log`, `extents` | the three areas of a shard |
//! | `formatting` | there only while formatting is under way ([`crate::formatting`]) |

use crate::exit::{Code, Failure};
use crate::geometry::Geometry;
use crate::listeners::{RETRY_MAX, RETRY_PAUSE};
use hexalog_protocol::ShardIndex;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Name of the file with the geometry.
pub const GEOMETRY_FILE: &str = "hexalogd.json";
/// Name of the lock file.
pub const LOCK_FILE: &str = "lock";
/// As many characters as a process id has at most.
const OWNER_WIDTH: usize = 10;

/// The directory, locked for as long as this lives.
#[derive(Debug)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Locks the directory, which is there.
    pub fn lock(path: &Path) -> Result<Directory, Failure> {
        let lock_path = path.join(LOCK_FILE);
        // A process id is not written to where a link leads.
        let mut options = OpenOptions::new();
        options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let mut lock = options.open(&lock_path).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => Failure::new(Code::Failed, format!("{} is a link", lock_path.display())),
            _ => Failure::io("open", &lock_path, &error),
        })?;
        // A daemon that was killed keeps its lock until the kernel has taken it down.
        let deadline = Instant::now() + RETRY_MAX;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(RETRY_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    let _ = lock.read_to_string(&mut owner);
                    let message =
                        format!("{} is used by another daemon (process {})", path.display(), owner.trim());
                    return Err(Failure::new(Code::DirectoryInUse, message));
                }
                Err(TryLockError::Error(error)) => return Err(Failure::io("lock", &lock_path, &error)),
            }
        }
        // Over what stands there: a full file system would have no block for it once it has been cut off.
        let written = lock.rewind().and_then(|()| writeln!(lock, "{:<OWNER_WIDTH$}", std::process::id()));
        written.map_err(|error| Failure::io("write", &lock_path, &error))?;
        Ok(Directory { path: path.to_owned(), _lock: lock })
    }

    /// What the directory was formatted as; `None`: it is not.
    pub fn geometry(&self) -> Result<Option<Geometry>, Failure> {
        let path = self.path.join(GEOMETRY_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Geometry::parse(&text, &path).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::io("read", &path, &error)),
        }
    }

    /// A shard's own directory.
    pub fn shard(&self, shard: ShardIndex) -> PathBuf {
        self.path.join(format!("shard-{shard}"))
    }
}
