//! The three areas of a shard as files in a directory.
//!
//! Log and extents are separate files: an extent that is written for the first time changes its file's
//! metadata, and in a shared file every log flush would then wait for the file system's journal.

use hexalog_storage_core::effects::Area;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// File name of each area, in a shard's directory.
pub const AREA_FILES: [(Area, &str); 3] =
    [(Area::Superblock, "superblock"), (Area::Log, "log"), (Area::Extents, "extents")];

/// The open files of one shard.
#[derive(Debug)]
pub struct AreaFiles {
    superblock: File,
    log: File,
    extents: File,
}

impl AreaFiles {
    /// Opens the files of a shard's directory; with `direct`, past the page cache. They must exist.
    pub fn open(directory: &Path, direct: bool) -> io::Result<AreaFiles> {
        let open = |name| open_area(&directory.join(name), direct);
        let [superblock, log, extents] = AREA_FILES.map(|(_, name)| open(name));
        Ok(AreaFiles { superblock: superblock?, log: log?, extents: extents? })
    }

    /// One file for all areas: for a [`crate::device_queue::DeviceQueue`], which has no shard.
    pub(crate) fn of_one(file: &File) -> io::Result<AreaFiles> {
        Ok(AreaFiles { superblock: file.try_clone()?, log: file.try_clone()?, extents: file.try_clone()? })
    }

    /// The file of an area.
    pub fn file(&self, area: Area) -> &File {
        match area {
            Area::Superblock => &self.superblock,
            Area::Log => &self.log,
            Area::Extents => &self.extents,
        }
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
