//! A block device without a file system, used whole.
//!
//! | offset | holds |
//! |---|---|
//! | 0 | the label: [`Geometry`] as text ([`hexalog_storage_format::label`]) |
//! | 64 KiB | its copy |
//! | 1 MiB | a MiB that the durability probe writes over |
//! | 2 MiB | shard 0: superblock, log, extents, each on a multiple of a MiB; then the other shards |
//! | the last MiB | nothing: other formats keep a copy of theirs there |
//!
//! The kernel is the lock: a device that is opened exclusively can be neither mounted nor opened so again.
//!
//! Formatting clears both labels first and writes them last, so that a crash at any point leaves a device that is formatted, or
//! one that is not and, where `--force` was given or a copy of the label is torn, needs `--force` once more. The log is written in full before use, as in a directory, but all of it at
//! once: here no file's length could tell how far that has come.

use crate::exit::{Code, Failure};
use crate::geometry::Geometry;
use crate::listeners::{RETRY_MAX, RETRY_PAUSE};
use hexalog_protocol::ShardIndex;
use hexalog_storage_core::effects::Area;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::areas::AreaFiles;
use hexalog_storage_driver::durability::{PROBE_BYTES, ProbeReport, probe_file};
use hexalog_storage_driver::log_preparation;
use hexalog_storage_format::aligned::{AlignedBuffer, BLOCK_BYTES};
use hexalog_storage_format::label::{self, LABEL_BYTES, LABEL_COPY_AT};
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

const MIB: u64 = 1 << 20;
const PROBE_AT: u64 = MIB;
const SHARDS_AT: u64 = 2 * MIB;
const _: () = assert!(PROBE_AT + PROBE_BYTES <= SHARDS_AT);
const _: () = assert!(LABEL_COPY_AT + LABEL_BYTES as u64 <= PROBE_AT);
/// Room for a shard's superblock.
const SUPERBLOCK_BYTES: u64 = MIB;
const TAIL_BYTES: u64 = MIB;

/// What others write at a device's beginning: offset, bytes, whose they are.
const SIGNATURES: [(usize, &[u8], &str); 11] = [
    (0, b"HXLABEL1", "a daemon's device whose label is damaged"),
    (LABEL_COPY_AT as usize, b"HXLABEL1", "a daemon's device whose label is damaged"),
    (512, b"EFI PART", "a partition table"),
    (510, b"\x55\xaa", "a partition table or boot sector"),
    (0, b"XFSB", "an XFS file system"),
    (1080, b"\x53\xef", "an ext2, ext3 or ext4 file system"),
    (0x1_0040, b"_BHRfS_M", "a btrfs file system"),
    (512, b"LABELONE", "an LVM physical volume"),
    (0, b"LUKS\xba\xbe", "an encrypted volume"),
    (4086, b"SWAPSPACE2", "swap space"),
    (4096, b"\xfc\x4e\x2b\xa9", "a member of a RAID array"),
];

/// The device, opened exclusively for as long as this lives.
#[derive(Debug)]
pub struct BlockDevice {
    /// Its name.
    pub path: PathBuf,
    file: File,
    bytes: u64,
}

impl BlockDevice {
    /// Opens it past the page cache, and keeps others from it.
    pub fn open(path: &Path) -> Result<BlockDevice, Failure> {
        let fail = |error: &io::Error| Failure::io("open", path, error);
        let kind = std::fs::metadata(path).map_err(|error| fail(&error))?.file_type();
        if !kind.is_block_device() {
            let message = format!("{} is not a block device; --data-dir takes a directory", path.display());
            return Err(Failure::new(Code::Usage, message));
        }
        refuse_partitions(path)?;
        let mut file = open_exclusively(path)?;
        let block_bytes = rustix::fs::ioctl_blksszget(&file).map_err(|errno| fail(&errno.into()))?;
        if block_bytes as usize > BLOCK_BYTES {
            let message = format!(
                "{} has blocks of {block_bytes} bytes, and only up to {BLOCK_BYTES} can be written at once here: put a file \
                 system on it and use --data-dir",
                path.display()
            );
            return Err(Failure::new(Code::NoDirectIo, message));
        }
        let bytes = file.seek(SeekFrom::End(0)).map_err(|error| fail(&error))?;
        Ok(BlockDevice { path: path.to_owned(), file, bytes })
    }

    /// Bytes that `--device-bytes` may be at most for so many shards.
    pub fn capacity(&self, shards: u16) -> u64 {
        // A log is rounded up to whole MiB.
        let beside_areas = SHARDS_AT + TAIL_BYTES + u64::from(shards) * (SUPERBLOCK_BYTES + MIB);
        self.bytes.saturating_sub(beside_areas)
    }

    /// What it was formatted as; `None`: it was not.
    pub fn geometry(&self) -> Result<Option<Geometry>, Failure> {
        // A sector of one that cannot be read says nothing of the other.
        let [first, second] = [0, LABEL_COPY_AT].map(|at| {
            let mut copy = AlignedBuffer::zeroed(LABEL_BYTES);
            self.read(&mut copy, at).map(|()| copy)
        });
        let text_of = |copy: &Result<AlignedBuffer, Failure>| {
            let text = copy.as_ref().ok().and_then(|copy| label::decode(copy.bytes()).ok());
            text.map(str::to_owned)
        };
        let Some(text) = text_of(&first).or_else(|| text_of(&second)) else {
            return first.and(second).map(|_| None);
        };
        let geometry = Geometry::parse(&text, &self.path)?;
        let needed = end(&geometry) + TAIL_BYTES;
        if self.bytes < needed {
            let message = format!(
                "{} has {} bytes, and was formatted with {needed} or more: it is not all there",
                self.path.display(),
                self.bytes
            );
            return Err(Failure::new(Code::OtherDevice, message));
        }
        Ok(Some(geometry))
    }

    /// What stands on it that someone may want to keep, in words.
    pub fn foreign(&self) -> Result<Option<String>, Failure> {
        if self.bytes < SHARDS_AT + TAIL_BYTES {
            return Ok(None);
        }
        let mut head = AlignedBuffer::zeroed(SHARDS_AT as usize);
        self.read(&mut head, 0)?;
        // Its end may be no multiple of a block, and the last sector counts.
        let mut tail = vec![0; TAIL_BYTES as usize];
        let read = self.buffered().and_then(|file| file.read_exact_at(&mut tail, self.bytes - TAIL_BYTES));
        read.map_err(|error| Failure::io("read", &self.path, &error))?;
        Ok(describe(head.bytes(), &tail))
    }

    /// Through the page cache: where it ends, direct I/O may not reach.
    fn buffered(&self) -> io::Result<File> {
        File::options().read(true).write(true).open(&self.path)
    }

    /// Makes a new device of it. `tell` hears of what takes long.
    pub fn format(&self, geometry: &Geometry, tell: impl Fn(&str)) -> Result<(), Failure> {
        let needed = end(geometry) + TAIL_BYTES;
        if self.bytes < needed {
            let most = self.capacity(geometry.shards());
            let message = format!(
                "{} has {} bytes, and this needs {needed}: give --device-bytes {most} or less",
                self.path.display(),
                self.bytes
            );
            return Err(Failure::new(Code::NoSpace, message));
        }
        let text = geometry.to_text();
        let label = label::encode(&text).expect("256 shards at most, 32 bytes for each");
        let write = || {
            self.zero(0, SHARDS_AT)?;
            let file = self.buffered()?;
            file.write_all_at(&vec![0; TAIL_BYTES as usize], self.bytes - TAIL_BYTES)?;
            file.sync_all()?;
            for shard in (0..geometry.shards()).map(ShardIndex) {
                tell(&format!("writes the log of shard {shard}, {} bytes, in full", geometry.log_bytes));
                self.format_shard(geometry, shard)?;
            }
            for at in [LABEL_COPY_AT, 0] {
                let mut aligned = AlignedBuffer::zeroed(label.len());
                aligned.bytes_mut().copy_from_slice(&label);
                self.file.write_all_at(aligned.bytes(), at)?;
                self.file.sync_all()?;
            }
            Ok(())
        };
        write().map_err(|error| Failure::io("format", &self.path, &error))
    }

    fn format_shard(&self, geometry: &Geometry, shard: ShardIndex) -> io::Result<()> {
        let of = |area| range_of(geometry, shard, area);
        let superblock = Shard::format(geometry.device_id(shard), &geometry.shard_options(shard, 1));
        self.file.write_all_at(superblock.bytes(), of(Area::Superblock).start)?;
        let log = of(Area::Log);
        self.zero(log.start, log.end - log.start)
    }

    /// Writes zeros, durably.
    fn zero(&self, from: u64, bytes: u64) -> io::Result<()> {
        let (prepared, stop) = (AtomicU64::new(0), AtomicBool::new(false));
        log_preparation::prepare(&self.file, from, from + bytes, MIB * 64, &prepared, &stop, false)
    }

    /// The areas of a shard.
    pub fn areas(&self, geometry: &Geometry, shard: ShardIndex) -> io::Result<AreaFiles> {
        AreaFiles::of_device(&self.file, |area| range_of(geometry, shard, area))
    }

    /// Finds the faster way to a durable write.
    pub fn probe(&self) -> io::Result<ProbeReport> {
        probe_file(&self.file, PROBE_AT)
    }

    fn read(&self, buffer: &mut AlignedBuffer, at: u64) -> Result<(), Failure> {
        match self.file.read_exact_at(buffer.bytes_mut(), at) {
            Ok(()) => Ok(()),
            // A device that is shorter holds none of it.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(Failure::io("read", &self.path, &error)),
        }
    }
}

/// The kernel goes on knowing a disk's partitions when what says so is written over: someone could mount one under us.
fn refuse_partitions(path: &Path) -> Result<(), Failure> {
    let device = std::fs::metadata(path).map_err(|error| Failure::io("open", path, &error))?.rdev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let Ok(entries) = std::fs::read_dir(format!("/sys/dev/block/{major}:{minor}")) else { return Ok(()) };
    let partition = entries.flatten().find(|entry| entry.path().join("partition").exists());
    let Some(partition) = partition else { return Ok(()) };
    let message = format!(
        "{} has partitions ({}): name one of them, or remove them (wipefs --all, then partprobe)",
        path.display(),
        partition.file_name().display()
    );
    Err(Failure::new(Code::DirectoryInUse, message))
}

fn open_exclusively(path: &Path) -> Result<File, Failure> {
    let flags = (OFlags::DIRECT | OFlags::EXCL | OFlags::CLOEXEC).bits() as i32;
    // A daemon that was killed holds it until the kernel has taken it down.
    let deadline = Instant::now() + RETRY_MAX;
    loop {
        match OpenOptions::new().read(true).write(true).custom_flags(flags).open(path) {
            Ok(file) => return Ok(file),
            Err(error) if error.kind() == ErrorKind::ResourceBusy && Instant::now() < deadline => {
                std::thread::sleep(RETRY_PAUSE);
            }
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {
                let message = format!(
                    "{} is in use: it is mounted, part of another device, or another daemon's",
                    path.display()
                );
                return Err(Failure::new(Code::DirectoryInUse, message));
            }
            Err(error) => return Err(Failure::io("open", path, &error)),
        }
    }
}

/// Where an area of a shard lies.
fn range_of(geometry: &Geometry, shard: ShardIndex, area: Area) -> Range<u64> {
    let begin = SHARDS_AT + u64::from(shard.0) * shard_bytes(geometry);
    let log = begin + SUPERBLOCK_BYTES;
    let extents = log + geometry.log_bytes.next_multiple_of(MIB);
    match area {
        Area::Superblock => begin..log,
        Area::Log => log..log + geometry.log_bytes,
        Area::Extents => extents..extents + geometry.extents_bytes,
    }
}

fn shard_bytes(geometry: &Geometry) -> u64 {
    SUPERBLOCK_BYTES + geometry.log_bytes.next_multiple_of(MIB) + geometry.extents_bytes.next_multiple_of(MIB)
}

/// Where the last shard ends.
fn end(geometry: &Geometry) -> u64 {
    SHARDS_AT + u64::from(geometry.shards()) * shard_bytes(geometry)
}

/// What stands at a device's two ends; `None`: zeros.
fn describe(head: &[u8], tail: &[u8]) -> Option<String> {
    let is_there = |(at, bytes, _): &&(usize, &[u8], &str)| head[*at..].starts_with(bytes);
    if let Some((_, _, whose)) = SIGNATURES.iter().find(is_there) {
        return Some((*whose).to_owned());
    }
    if let Some(at) = head.iter().position(|byte| *byte != 0) {
        return Some(format!("data (byte {at} is not zero)"));
    }
    let at = tail.iter().position(|byte| *byte != 0)?;
    Some(format!("data (byte {at} of its last MiB is not zero)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(shards: u16, log_bytes: u64) -> Geometry {
        Geometry {
            format_version: crate::geometry::FORMAT_VERSION,
            node: 1,
            device_bytes: 1 << 30,
            log_bytes,
            extents_bytes: 64 * MIB,
            extent_bytes: MIB,
            devices: (0..shards).map(|shard| format!("{shard:016x}")).collect(),
        }
    }

    #[test]
    fn areas_follow_one_another_and_overlap_nowhere() {
        for log_bytes in [4 * MIB, 4 * MIB + 4096] {
            let geometry = geometry(3, log_bytes);
            let mut before = SHARDS_AT;
            for shard in (0..3).map(ShardIndex) {
                for area in [Area::Superblock, Area::Log, Area::Extents] {
                    let range = range_of(&geometry, shard, area);
                    assert!(range.start >= before && range.start.is_multiple_of(MIB), "{shard:?} {area:?}");
                    before = range.end;
                }
                assert_eq!(range_of(&geometry, shard, Area::Log).count() as u64, log_bytes);
            }
            assert!(before <= end(&geometry));
        }
    }

    #[test]
    fn a_label_has_room_for_the_most_shards() {
        assert!(label::encode(&geometry(256, 4 * MIB).to_text()).is_some());
    }

    #[test]
    fn what_others_wrote_is_named() {
        let (mut head, mut tail) = (vec![0; SHARDS_AT as usize], vec![0; MIB as usize]);
        assert_eq!(describe(&head, &tail), None);
        tail[77] = 1;
        assert_eq!(describe(&head, &tail), Some("data (byte 77 of its last MiB is not zero)".to_owned()));
        head[900_000] = 1;
        assert_eq!(describe(&head, &tail), Some("data (byte 900000 is not zero)".to_owned()));
        for (at, bytes, whose) in SIGNATURES {
            let mut head = vec![0; SHARDS_AT as usize];
            head[at..at + bytes.len()].copy_from_slice(bytes);
            assert_eq!(describe(&head, &tail), Some(whose.to_owned()));
        }
    }
}
