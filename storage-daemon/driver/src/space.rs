//! Space of a shard's areas on their file system, got ahead of need: what shard threads and the daemon's other threads tell
//! each other, and how an extents file grows.
//!
//! A machine never writes where no space was got. So a file system that fills up never fails a write that matters: it is
//! seen here first, and told to the machine as a device that ends earlier ([`Space::extents_possible_bytes`]).

use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Of each file system this share is left to others, within these bounds: metadata and logs of processes lie on it too.
const LEFT_SHARE: u64 = 100;
const LEFT_BYTES_MIN: u64 = 8 << 20;
const LEFT_BYTES_MAX: u64 = 1 << 30;
/// One step of growth, so that a stop need not wait for many GiB.
const STEP_BYTES: u64 = 256 << 20;

/// What one shard's areas have of their file system. Written by other threads, but for what is wanted.
#[derive(Debug)]
pub struct Space {
    /// The log below is written with zeros.
    pub log_prepared_bytes: AtomicU64,
    /// There is no room for the rest of the log now.
    pub log_is_cut_short: AtomicBool,
    /// The extents below have space of their own.
    pub extents_backed_bytes: AtomicU64,
    /// The extents can have, by what the file system has left.
    pub extents_possible_bytes: AtomicU64,
    /// The extents should have, by what the machine is about to write.
    pub extents_wanted_bytes: AtomicU64,
}

impl Space {
    /// Of areas that have so much of a log and of extents, and may have the whole of the latter.
    pub fn new(log_prepared_bytes: u64, extents_backed_bytes: u64, extents_bytes: u64) -> Space {
        Space {
            log_prepared_bytes: AtomicU64::new(log_prepared_bytes),
            log_is_cut_short: AtomicBool::new(false),
            extents_backed_bytes: AtomicU64::new(extents_backed_bytes),
            extents_possible_bytes: AtomicU64::new(extents_bytes),
            extents_wanted_bytes: AtomicU64::new(0),
        }
    }
}

/// Bytes of the file system that a file lies on which its areas may still take.
pub fn bytes_left(file: &impl AsFd) -> io::Result<u64> {
    let statvfs = rustix::fs::fstatvfs(file)?;
    if statvfs.f_blocks == 0 {
        // A file system that counts nothing (ramfs).
        return Ok(u64::MAX);
    }
    let all = statvfs.f_blocks.saturating_mul(statvfs.f_frsize);
    let others = (all / LEFT_SHARE).clamp(LEFT_BYTES_MIN, LEFT_BYTES_MAX);
    Ok(statvfs.f_bavail.saturating_mul(statvfs.f_frsize).saturating_sub(others))
}

/// Gives a file space of its own up to `to`, and so much length. A file system that cannot reserve space (ramfs, some
/// network ones) gives length alone: there a write may find none, which the machine bears.
pub fn grow(file: &File, to: u64) -> io::Result<()> {
    let mut at = file.metadata()?.len();
    while at < to {
        let bytes = STEP_BYTES.min(to - at);
        match fallocate(file, FallocateFlags::empty(), at, bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::OPNOTSUPP) => file.set_len(at + bytes)?,
            Err(errno) => return Err(errno.into()),
        }
        at += bytes;
    }
    file.sync_all()
}

/// Reserves space for all of a log that will be pre-written, without a change of its length, which says how far that has
/// come.
pub fn reserve_log(file: &File, log_bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, log_bytes) {
        Ok(()) => file.sync_all(),
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Does for one shard what is due: more space for its extents if they want some, and a look at what could be had.
/// Returns why nothing could be got, if so.
pub fn keep_up(file: &File, extents_bytes: u64, space: &Space) -> io::Result<()> {
    let backed = space.extents_backed_bytes.load(Ordering::Acquire);
    let wanted = space.extents_wanted_bytes.load(Ordering::Acquire).min(extents_bytes);
    let left = if backed < extents_bytes { bytes_left(file)? } else { 0 };
    let possible = backed.saturating_add(left).min(extents_bytes);
    // As much of it as there is; whole extents are counted by the machine.
    let to = wanted.min(possible);
    let mut grown = Ok(());
    if to > backed {
        grown = grow(file, to);
        let length = file.metadata()?.len().min(extents_bytes);
        space.extents_backed_bytes.fetch_max(length, Ordering::AcqRel);
    }
    let possible = if grown.is_ok() { possible } else { space.extents_backed_bytes.load(Ordering::Acquire) };
    space.extents_possible_bytes.store(possible, Ordering::Release);
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_grows_as_far_as_is_wanted_and_never_shrinks() {
        let file = tempfile::tempfile().expect("a temporary file");
        let space = Space::new(0, 0, 8 << 20);
        for (wanted, expected) in [(0, 0), (3 << 20, 3 << 20), (1 << 20, 3 << 20), (99 << 20, 8 << 20)] {
            space.extents_wanted_bytes.store(wanted, Ordering::Release);
            keep_up(&file, 8 << 20, &space).expect("there is space");
            assert_eq!(space.extents_backed_bytes.load(Ordering::Acquire), expected, "{wanted} wanted");
            assert_eq!(file.metadata().expect("stats").len(), expected);
            assert_eq!(space.extents_possible_bytes.load(Ordering::Acquire), 8 << 20);
        }
    }

    #[test]
    fn a_reserved_log_keeps_its_length() {
        let file = tempfile::tempfile().expect("a temporary file");
        reserve_log(&file, 1 << 20).expect("there is space");
        assert_eq!(file.metadata().expect("stats").len(), 0);
    }
}
