//! The three areas of a shard: files in a directory, or stretches of a block device.
//!
//! Log and extents are separate files: an extent that is written for the first time changes its file's
//! metadata, and in a shared file every log flush would then wait for the file system's journal. A block device has no
//! metadata to change: there all areas of all shards lie one behind the other.

use hexalog_storage_core::effects::Area;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// File name of each area, in a shard's directory.
pub const AREA_FILES: [(Area, &str); 3] =
    [(Area::Superblock, "superblock"), (Area::Log, "log"), (Area::Extents, "extents")];

/// Where an area lies.
#[derive(Debug)]
struct Place {
    file: File,
    /// Bytes of the file that are its own.
    range: Range<u64>,
}

/// The open areas of one shard.
#[derive(Debug)]
pub struct AreaFiles {
    superblock: Place,
    log: Place,
    extents: Place,
}

impl AreaFiles {
    /// Opens the files of a shard's directory; with `direct`, past the page cache. They must exist.
    pub fn open(directory: &Path, direct: bool) -> io::Result<AreaFiles> {
        let open = |name| open_area(&directory.join(name), direct).map(Place::whole);
        let [superblock, log, extents] = AREA_FILES.map(|(_, name)| open(name));
        Ok(AreaFiles { superblock: superblock?, log: log?, extents: extents? })
    }

    /// Stretches of one open device, which do not overlap.
    pub fn of_device(device: &File, range_of: impl Fn(Area) -> Range<u64>) -> io::Result<AreaFiles> {
        let place = |area| device.try_clone().map(|file| Place { file, range: range_of(area) });
        let [superblock, log, extents] = AREA_FILES.map(|(area, _)| place(area));
        Ok(AreaFiles { superblock: superblock?, log: log?, extents: extents? })
    }

    /// One file for all areas: for a [`crate::device_queue::DeviceQueue`], which has no shard.
    pub(crate) fn of_one(file: &File) -> io::Result<AreaFiles> {
        AreaFiles::of_device(file, |_| 0..u64::MAX)
    }

    /// The file of an area.
    pub fn file(&self, area: Area) -> &File {
        &self.place(area).file
    }

    /// Where in its file so many bytes at an area's `offset` lie.
    ///
    /// # Panics
    /// If they are not all in the area: what lies behind it is another's.
    pub(crate) fn offset_in_file(&self, area: Area, offset: u64, bytes: usize) -> u64 {
        let range = &self.place(area).range;
        let in_file = range.start + offset;
        assert!(in_file + bytes as u64 <= range.end, "{area:?} ends before {offset} + {bytes}");
        in_file
    }

    fn place(&self, area: Area) -> &Place {
        match area {
            Area::Superblock => &self.superblock,
            Area::Log => &self.log,
            Area::Extents => &self.extents,
        }
    }
}

impl Place {
    /// A file of its own, which may grow.
    fn whole(file: File) -> Place {
        Place { file, range: 0..u64::MAX }
    }
}

/// Opens one existing file for reading and writing; with `direct`, past the page cache.
pub fn open_area(path: &Path, direct: bool) -> io::Result<File> {
    let flags = if direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags | libc::O_CLOEXEC).open(path)?;
    if !direct {
        // After a flush that failed, the page cache has what the device has not, marked clean: a start that read it there and
        // flushed again would take for durable what is not.
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(file)
}
