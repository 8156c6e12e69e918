//! What the machine must offer before a daemon can run on it, each with a plain message when it does not.

use crate::exit::{Code, Failure};
use crate::formatting::remove_if_there;
use crate::log;
use hexalog_storage_driver::ring::{Ring, RingError};
use rustix::process::{
    Pid, Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};
use std::fs::File;
use std::path::Path;

/// File systems that keep their files in memory (statfs magic numbers of the kernel's `magic.h`).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;

/// A file made to try O_DIRECT out with, and removed again.
pub const DIRECT_IO_PROBE_FILE: &str = "direct-io-probe";

/// Makes and drops a ring, so that a kernel without io_uring is told before a directory is touched.
pub fn check_io_uring() -> Result<(), Failure> {
    Ring::new().map(drop).map_err(|error| ring_failure(&error))
}

/// The exit code of a ring that cannot be made.
pub fn ring_failure(error: &RingError) -> Failure {
    let code = match error {
        RingError::MemoryLock => Code::MemoryLock,
        RingError::Other(_) => Code::Failed,
        RingError::Missing | RingError::DisabledBySysctl(_) | RingError::Forbidden | RingError::TooOld(_) => {
            Code::NoIoUring
        }
    };
    Failure::new(code, error.to_string())
}

/// Whether files in `directory` can be opened with O_DIRECT; warns of file systems that keep nothing.
pub fn check_file_system(directory: &Path, buffered: bool, node: u32) -> Result<(), Failure> {
    let path = directory.join(DIRECT_IO_PROBE_FILE);
    // What a start that was cut off has left goes; a link that someone has put there is not written through.
    let probe = remove_if_there(&path).and_then(|()| File::create_new(&path));
    let probe = probe.map_err(|error| Failure::io("write", &path, &error))?;
    let kind = rustix::fs::fstatfs(&probe).map(|statfs| statfs.f_type as u64).unwrap_or(0);
    let opened = hexalog_storage_driver::areas::open_area(&path, true);
    let _ = std::fs::remove_file(&path);
    if let Some(name) = memory_file_system(kind) {
        let warning = format!(
            "warning: {} lies on {name}, which keeps its files in memory: everything is lost when the machine stops",
            directory.display()
        );
        log::line(node, &warning);
    }
    match opened {
        _ if buffered => Ok(()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            let name = memory_file_system(kind).unwrap_or("its file system");
            let message = format!(
                "{} lies on {name}, which does not support O_DIRECT; choose another directory, or pass --buffered \
                 to go through the page cache",
                directory.display()
            );
            Err(Failure::new(Code::NoDirectIo, message))
        }
        Err(error) => Err(Failure::io("open", &path, &error)),
    }
}

fn memory_file_system(kind: u64) -> Option<&'static str> {
    match kind {
        TMPFS => Some("tmpfs"),
        RAMFS => Some("ramfs"),
        _ => None,
    }
}

/// Bytes that may still be written to the file system of `directory`.
pub fn bytes_available(directory: &Path) -> Result<u64, Failure> {
    match rustix::fs::statvfs(directory) {
        // A file system that counts nothing (ramfs) says zero blocks of all.
        Ok(statvfs) if statvfs.f_blocks == 0 => Ok(u64::MAX),
        Ok(statvfs) => Ok(statvfs.f_bavail.saturating_mul(statvfs.f_frsize)),
        Err(errno) => Err(Failure::io("examine", directory, &errno.into())),
    }
}

/// Raises the soft limit of descriptors to the hard one: connections count against it.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Without it, accepting fails later with a line that says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Asks the kernel for SIGTERM when the thread that started this process ends: a supervisor must start
/// daemons from a thread that lives as long as itself.
pub fn follow_parent() -> Result<(), Failure> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::TERM))
        .map_err(|errno| Failure::new(Code::Failed, format!("cannot follow the parent process: {errno}")))?;
    // It may have ended before the line above; then this process was handed to another parent.
    if parent.is_none() || getppid() != parent || parent == Some(Pid::INIT) {
        return Err(Failure::new(
            Code::Failed,
            "--die-with-parent, but the parent process has ended already",
        ));
    }
    Ok(())
}
