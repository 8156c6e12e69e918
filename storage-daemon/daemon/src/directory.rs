//! The daemon's directory: its lock, and the file that says what it was formatted as.
//!
//! | entry | holds |
//! |---|---|
//! | `lock` | locked with flock while a daemon runs; the daemon's process id as text |
//! | `hexalogd.json` | [`Geometry`]; written last when formatting, never changed |
//! | `shard-N/superblock`, `log`, `extents` | the three areas of a shard |
//! | `formatting` | there only while formatting is under way ([`crate::formatting`]) |

use crate::exit::{Code, Failure};
use crate::listeners::{RETRY_MAX, RETRY_PAUSE};
use crate::options::Options;
use hexalog_protocol::ShardIndex;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Name of the file with the geometry.
pub const GEOMETRY_FILE: &str = "hexalogd.json";
/// Name of the lock file.
pub const LOCK_FILE: &str = "lock";
/// Version of the directory's layout.
pub const FORMAT_VERSION: u32 = 1;

/// As many characters as a process id has at most.
const OWNER_WIDTH: usize = 10;

/// Default of `--shards`.
pub const SHARDS_DEFAULT: u16 = 1;
/// Default of `--device-bytes`.
pub const DEVICE_BYTES_DEFAULT: u64 = 16 << 30;
/// Default of `--log-bytes`.
pub const LOG_BYTES_DEFAULT: u64 = 256 << 20;
/// Unit of allocation in the extents area: a few dozen pages with their headers, one write of the background.
pub const EXTENT_BYTES: u64 = 1 << 20;
/// A log must hold several appends of useful size.
const LOG_BYTES_MIN: u64 = 1 << 20;
/// Fewer extents leave no room for checkpoints beside pages.
const EXTENTS_MIN: u64 = 8;

/// What a directory was formatted as. Sizes are for each shard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The daemon's number.
    pub node: u32,
    /// What `--device-bytes` was.
    pub device_bytes: u64,
    /// Size of a shard's log.
    pub log_bytes: u64,
    /// Size of a shard's extents area.
    pub extents_bytes: u64,
    /// Unit of allocation in it.
    pub extent_bytes: u64,
    /// Identity of each shard's device, in hexadecimal; their number is the number of shards.
    pub devices: Vec<String>,
}

/// Sizes of a new device that fit together.
pub struct Sizes {
    /// Shards.
    pub shards: u16,
    /// Most that the device may take.
    pub device_bytes: u64,
    /// Log of each shard.
    pub log_bytes: u64,
    /// Extents of each shard.
    pub extents: u64,
}

/// Checks what was asked for, and what was left to defaults, against each other. Whoever starts several daemons does so
/// before the first one makes its directory.
pub fn check_sizes(
    shards: Option<u16>,
    device_bytes: Option<u64>,
    log_bytes: Option<u64>,
) -> Result<Sizes, Failure> {
    let shards = shards.unwrap_or(SHARDS_DEFAULT);
    let device_bytes = device_bytes.unwrap_or(DEVICE_BYTES_DEFAULT);
    let log_bytes = log_bytes.unwrap_or(LOG_BYTES_DEFAULT);
    if log_bytes < LOG_BYTES_MIN || !log_bytes.is_multiple_of(4096) {
        let message = format!("--log-bytes {log_bytes} is not a multiple of 4096 of at least 1 MiB");
        return Err(Failure::new(Code::Usage, message));
    }
    let extents = (device_bytes / u64::from(shards)).saturating_sub(log_bytes) / EXTENT_BYTES;
    if extents < EXTENTS_MIN {
        let each = log_bytes + EXTENTS_MIN * EXTENT_BYTES;
        let message = format!(
            "--device-bytes {device_bytes} is too small for {shards} shards: each takes {log_bytes} bytes of log \
             and at least {} bytes for pages; give --device-bytes {} or more, or a smaller --log-bytes",
            EXTENTS_MIN * EXTENT_BYTES,
            each * u64::from(shards)
        );
        return Err(Failure::new(Code::Usage, message));
    }
    Ok(Sizes { shards, device_bytes, log_bytes, extents })
}

impl Geometry {
    /// For a new directory.
    pub fn new(options: &Options) -> Result<Geometry, Failure> {
        let Sizes { shards, device_bytes, log_bytes, extents } =
            check_sizes(options.shards, options.device_bytes, options.log_bytes)?;
        let draw = || getrandom::u64().map(|id| format!("{id:016x}"));
        let devices: Result<Vec<_>, _> = (0..shards).map(|_| draw()).collect();
        Ok(Geometry {
            format_version: FORMAT_VERSION,
            node: options.node,
            device_bytes,
            log_bytes,
            extents_bytes: extents * EXTENT_BYTES,
            extent_bytes: EXTENT_BYTES,
            devices: devices
                .map_err(|error| Failure::new(Code::Failed, format!("no random numbers: {error}")))?,
        })
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.devices.len() as u16
    }

    /// Piece in which a log is pre-written: 16 MiB, a quarter of a small log.
    pub fn log_piece_bytes(&self) -> u64 {
        (self.log_bytes / 4 / 4096 * 4096).min(16 << 20)
    }

    /// Refuses options that contradict what the directory was formatted as.
    fn check(&self, options: &Options, directory: &Path) -> Result<(), Failure> {
        let differs = |option: &str, asked: u64, found: u64| {
            let message = format!(
                "{} was formatted with {option} {found}, not {asked}; this is fixed for a directory's life",
                directory.display()
            );
            Err(Failure::new(Code::OtherDevice, message))
        };
        if self.format_version != FORMAT_VERSION {
            return differs("format version", FORMAT_VERSION.into(), self.format_version.into());
        }
        if self.node != options.node {
            return differs("--node", options.node.into(), self.node.into());
        }
        let sizes = [
            ("--shards", options.shards.map(u64::from), u64::from(self.shards())),
            ("--device-bytes", options.device_bytes, self.device_bytes),
            ("--log-bytes", options.log_bytes, self.log_bytes),
        ];
        for (option, asked, found) in sizes {
            if let Some(asked) = asked.filter(|asked| *asked != found) {
                return differs(option, asked, found);
            }
        }
        Ok(())
    }
}

/// The directory, locked for as long as this lives.
#[derive(Debug)]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing, and locks it.
    pub fn lock(path: &Path) -> Result<Directory, Failure> {
        std::fs::create_dir_all(path).map_err(|error| Failure::io("make directory", path, &error))?;
        let lock_path = path.join(LOCK_FILE);
        let opened = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&lock_path);
        let mut lock = opened.map_err(|error| Failure::io("open", &lock_path, &error))?;
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

    /// Reads what the directory was formatted as, and checks it against the options. `None`: not formatted.
    pub fn geometry(&self, options: &Options) -> Result<Option<Geometry>, Failure> {
        let path = self.path.join(GEOMETRY_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io("read", &path, &error)),
        };
        let geometry: Geometry = serde_json::from_str(&text).map_err(|error| {
            Failure::new(Code::OtherDevice, format!("{} cannot be understood: {error}", path.display()))
        })?;
        geometry.check(options, &self.path)?;
        Ok(Some(geometry))
    }

    /// A shard's own directory.
    pub fn shard(&self, shard: ShardIndex) -> PathBuf {
        self.path.join(format!("shard-{shard}"))
    }
}
