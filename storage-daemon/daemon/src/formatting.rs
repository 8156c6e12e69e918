//! Makes a new device: in a directory, or of a block device.
//!
//! In a directory the steps are, each durable before the next, so that a crash at any point leaves a directory that is either
//! formatted, or empty, or marked as half way (and is then begun again):
//! 1. the marker `formatting`;
//! 2. for each shard: the superblock area, the extents file with the least that it needs, the log with space for all of it
//!    and its first piece written;
//! 3. `hexalogd.json`, written aside and renamed;
//! 4. the marker is removed.
//!
//! What holds anything else, or a device of ours, is never written to unless that was asked for by name. A start never formats:
//! an empty directory may be one whose file system is not mounted.

use crate::block_device::BlockDevice;
use crate::checks::{DIRECT_IO_PROBE_FILE, bytes_available, check_file_system};
use crate::directory::{Directory, GEOMETRY_FILE, LOCK_FILE};
use crate::exit::{Code, Failure};
use crate::geometry::{Geometry, SHARDS_DEFAULT};
use crate::log;
use crate::options::{DeviceOptions, FormatOptions};
use hexalog_protocol::ShardIndex;
use hexalog_storage_core::effects::Area;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::areas::{AREA_FILES, open_area};
use hexalog_storage_driver::{log_preparation, space};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};

/// There while a directory is being formatted.
pub const MARKER: &str = "formatting";
/// What an empty directory may hold: what a start that was cut off before formatting leaves, and what file systems
/// put into the root of a new volume.
const NOT_FOREIGN: [&str; 4] = [LOCK_FILE, DIRECT_IO_PROBE_FILE, "formatting.new", "lost+found"];

/// Makes the device that the options describe.
pub fn format(options: &FormatOptions) -> Result<Geometry, Failure> {
    match &options.device.device {
        Some(path) => format_block_device(path, options),
        None => format_directory(options),
    }
}

fn format_block_device(path: &Path, options: &FormatOptions) -> Result<Geometry, Failure> {
    let device = BlockDevice::open(path)?;
    let shards = options.device.shards.unwrap_or(SHARDS_DEFAULT);
    let geometry = Geometry::new(&options.device, Some(device.capacity(shards))).map_err(|failure| {
        let code = if options.device.device_bytes.is_none() { Code::NoSpace } else { failure.code };
        Failure::new(code, format!("{}: {}", path.display(), failure.message))
    })?;
    if !options.force {
        if let Some(before) = device.geometry()? {
            return Err(formatted_already(path, &before));
        }
        if let Some(what) = device.foreign()? {
            let message =
                format!("{} holds {what}; --force formats it all the same, and that is lost", path.display());
            return Err(Failure::new(Code::DirectoryInUse, message));
        }
    }
    device.format(&geometry, |text| log::line(options.device.node, text))?;
    Ok(geometry)
}

fn format_directory(options: &FormatOptions) -> Result<Geometry, Failure> {
    let DeviceOptions { node, buffered, .. } = options.device;
    let path = options.device.place();
    let geometry = Geometry::new(&options.device, None)?;
    if !options.force {
        refuse_foreign(path)?;
    }
    std::fs::create_dir_all(path).map_err(|error| Failure::io("make directory", path, &error))?;
    let directory = Directory::lock(path)?;
    let before = if options.force { None } else { directory.geometry()? };
    if let Some(before) = before {
        return Err(formatted_already(path, &before));
    }
    check_file_system(path, buffered, node)?;
    refuse_links(&directory)?;
    let marker = path.join(MARKER);
    make_durable(&marker, b"a daemon's device is being made in this directory\n")?;
    forget(&directory)?;
    // Now that what was there before counts as free. Refused, nothing of a device is left, nor a sign of one.
    check_space(path, &geometry).or_else(|refused| remove_marker(path).and(Err(refused)))?;
    for shard in 0..geometry.shards() {
        format_shard(&directory, &geometry, ShardIndex(shard), !buffered)?;
    }
    make_durable(&path.join(GEOMETRY_FILE), geometry.to_text().as_bytes())?;
    remove_marker(path)?;
    Ok(geometry)
}

/// A directory whose geometry stands is formatted, whatever a crash has left of the marker: were the geometry lost one day,
/// the marker would say that the device was only half made.
pub fn remove_marker(path: &Path) -> Result<(), Failure> {
    let marker = path.join(MARKER);
    match std::fs::remove_file(&marker) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => {
            removed.and_then(|()| sync_directory(path)).map_err(|e| Failure::io("remove", &marker, &e))
        }
    }
}

/// What an operator has put elsewhere by a link is neither written to there nor replaced by a file here.
fn refuse_links(directory: &Directory) -> Result<(), Failure> {
    refuse_unless(Metadata::is_file, &directory.path.join(GEOMETRY_FILE), "a link or no file")?;
    for shard in shard_directories(directory)? {
        refuse_unless(Metadata::is_dir, &shard, "a link or a file")?;
        for (_, name) in AREA_FILES {
            refuse_unless(Metadata::is_file, &shard.join(name), "a link or no file")?;
        }
    }
    Ok(())
}

/// Refuses what is there and `is_ours` not.
fn refuse_unless(is_ours: fn(&Metadata) -> bool, path: &Path, what: &str) -> Result<(), Failure> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !is_ours(&found) => {
            let message = format!("{} is {what}: a device's files lie in its directory", path.display());
            Err(Failure::new(Code::Failed, message))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::io("examine", path, &error)),
        _ => Ok(()),
    }
}

/// A device that was there (with `--force`), or that a formatting which was cut off has begun, is none any more: its files are
/// removed, and its shards' directories unless they hold someone else's.
fn forget(directory: &Directory) -> Result<(), Failure> {
    let shards = shard_directories(directory)?;
    let remove = || {
        remove_if_there(&directory.path.join(GEOMETRY_FILE))?;
        sync_directory(&directory.path)?;
        for shard in &shards {
            for (_, name) in AREA_FILES {
                remove_if_there(&shard.join(name))?;
            }
            let _ = std::fs::remove_dir(shard);
        }
        Ok(())
    };
    remove().map_err(|error: io::Error| Failure::io("clear", &directory.path, &error))
}

/// Removes a file, or a link and not what it leads to.
pub fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn shard_directories(directory: &Directory) -> Result<Vec<PathBuf>, Failure> {
    let list = || {
        let entries = std::fs::read_dir(&directory.path)?.collect::<io::Result<Vec<_>>>()?;
        let shards = entries.iter().filter(|entry| is_shard(&entry.file_name()));
        Ok(shards.map(|entry| entry.path()).collect())
    };
    list().map_err(|error: io::Error| Failure::io("list", &directory.path, &error))
}

/// Whether it is what a shard's directory is called.
fn is_shard(name: &OsStr) -> bool {
    let number = name.to_str().and_then(|name| name.strip_prefix("shard-"));
    number.is_some_and(|number| number.parse::<u16>().is_ok_and(|it| it.to_string() == number))
}

fn formatted_already(path: &Path, before: &Geometry) -> Failure {
    let message = format!(
        "{} is the device of node {} already; --force makes a new one of it, and what it holds is lost",
        path.display(),
        before.node
    );
    Failure::new(Code::DirectoryInUse, message)
}

fn check_space(path: &Path, geometry: &Geometry) -> Result<(), Failure> {
    let each = geometry.log_bytes + geometry.extents_backed_bytes();
    let needed = u64::from(geometry.shards()) * each;
    let available = bytes_available(path)?;
    let most = u64::from(geometry.shards()) * (geometry.log_bytes + geometry.extents_bytes);
    if needed <= available {
        if most > available {
            let warning = format!(
                "warning: the device may take {most} bytes, and {} has {available} bytes free: when that is used up, rows \
                 are refused as on a full device; see --device-bytes",
                path.display()
            );
            log::line(geometry.node, &warning);
        }
        return Ok(());
    }
    let message = format!(
        "{} has {available} bytes free, and a new device takes {needed} at once; see --log-bytes and --shards",
        path.display()
    );
    Err(Failure::new(Code::NoSpace, message))
}

fn format_shard(
    directory: &Directory,
    geometry: &Geometry,
    shard: ShardIndex,
    direct: bool,
) -> Result<(), Failure> {
    let path = directory.shard(shard);
    let fail = |error: &io::Error| Failure::io("format", &path, error);
    std::fs::create_dir_all(&path).map_err(|error| fail(&error))?;
    for (area, name) in AREA_FILES {
        let file_path = path.join(name);
        let file = File::create_new(&file_path).map_err(|error| fail(&error))?;
        let made = match area {
            Area::Superblock => write_superblock(file, geometry, shard),
            Area::Extents => space::grow(&file, geometry.extents_backed_bytes()),
            Area::Log => space::reserve_log(&file, geometry.log_bytes)
                .and_then(|()| file.sync_all())
                .and_then(|()| prepare_first_piece(&file_path, geometry, direct)),
        };
        made.map_err(|error| fail(&error))?;
    }
    sync_directory(&path).and_then(|()| sync_directory(&directory.path)).map_err(|error| fail(&error))
}

fn write_superblock(mut file: File, geometry: &Geometry, shard: ShardIndex) -> io::Result<()> {
    let options = geometry.shard_options(shard, 1);
    file.write_all(Shard::format(geometry.device_id(shard), &options).bytes())?;
    file.sync_all()
}

fn prepare_first_piece(path: &Path, geometry: &Geometry, direct: bool) -> io::Result<()> {
    let file = open_area(path, direct)?;
    let piece = geometry.log_piece_bytes();
    log_preparation::prepare(&file, 0, piece, piece, &AtomicU64::new(0), &AtomicBool::new(false), false)?;
    file.sync_all()
}

/// Refuses a directory that holds anything but a device, an empty one's entries, or a formatting cut off half way.
pub fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            let message = format!("{} is not a directory", path.display());
            return Err(Failure::new(Code::DirectoryInUse, message));
        }
        Err(error) => return Err(Failure::io("list", path, &error)),
    };
    if path.join(GEOMETRY_FILE).exists() || path.join(MARKER).exists() {
        return Ok(());
    }
    for entry in entries {
        let name = entry.map_err(|error| Failure::io("list", path, &error))?.file_name();
        if NOT_FOREIGN.iter().all(|ours| name != *ours) {
            let message = format!(
                "{} holds {} and no {GEOMETRY_FILE}: it is not a daemon's directory, and only an empty one is \
                 formatted without --force",
                path.display(),
                name.display()
            );
            return Err(Failure::new(Code::DirectoryInUse, message));
        }
    }
    Ok(())
}

/// Writes a small file so that it is there whole or not at all.
fn make_durable(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let aside = path.with_extension("new");
    let write = || {
        // What was left there, or a link that someone has put there, is not written through.
        remove_if_there(&aside)?;
        let mut file = File::create_new(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)?;
        sync_directory(path.parent().expect("a file in the directory"))
    };
    write().map_err(|error| Failure::io("write", path, &error))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
