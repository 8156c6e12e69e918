//! Makes a new device in an empty directory.
//!
//! The steps, each durable before the next, so that a crash at any point leaves a directory that is either
//! formatted, or empty, or marked as half way (and is then begun again):
//! 1. the marker `formatting`;
//! 2. for each shard: the superblock area, the extents file with the least that it needs, the log with space for all of it
//!    and its first piece written;
//! 3. `hexalogd.json`, written aside and renamed;
//! 4. the marker is removed.
//!
//! A directory with anything else in it, and without the marker, is never written to.

use crate::checks::{DIRECT_IO_PROBE_FILE, bytes_available};
use crate::directory::{Directory, GEOMETRY_FILE, Geometry, LOCK_FILE};
use crate::exit::{Code, Failure};
use crate::log;
use hexalog_protocol::{DeviceId, NodeId, ShardIndex};
use hexalog_storage_core::effects::Area;
use hexalog_storage_core::options::{ShardOptions, extents_backed_bytes_min};
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::areas::{AREA_FILES, open_area};
use hexalog_storage_driver::{log_preparation, space};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};

const MARKER: &str = "formatting";
/// What an empty directory may hold: what a start that was cut off before formatting leaves, and what file systems
/// put into the root of a new volume.
const NOT_FOREIGN: [&str; 4] = [LOCK_FILE, DIRECT_IO_PROBE_FILE, "formatting.new", "lost+found"];

/// Formats the directory, after checking that nothing of anyone else is in it.
pub fn format(directory: &Directory, geometry: &Geometry, direct: bool) -> Result<(), Failure> {
    let path = &directory.path;
    let marker = path.join(MARKER);
    refuse_foreign(path)?;
    check_space(path, geometry)?;
    make_durable(&marker, b"a daemon is formatting this directory\n")?;
    for shard in 0..geometry.shards() {
        format_shard(directory, geometry, ShardIndex(shard), direct)?;
    }
    let mut text = serde_json::to_string_pretty(geometry).expect("plain numbers and text");
    text.push('\n');
    make_durable(&path.join(GEOMETRY_FILE), text.as_bytes())?;
    std::fs::remove_file(&marker)
        .and_then(|()| sync_directory(path))
        .map_err(|e| Failure::io("remove", &marker, &e))
}

fn check_space(path: &Path, geometry: &Geometry) -> Result<(), Failure> {
    let each = geometry.log_bytes + extents_backed_bytes(geometry);
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
        // Truncates what a formatting that was cut off has left.
        let file = File::create(&file_path).map_err(|error| fail(&error))?;
        let made = match area {
            Area::Superblock => write_superblock(file, geometry, shard),
            Area::Extents => space::grow(&file, extents_backed_bytes(geometry)),
            Area::Log => space::reserve_log(&file, geometry.log_bytes)
                .and_then(|()| file.sync_all())
                .and_then(|()| prepare_first_piece(&file_path, geometry, direct)),
        };
        made.map_err(|error| fail(&error))?;
    }
    sync_directory(&path).and_then(|()| sync_directory(&directory.path)).map_err(|error| fail(&error))
}

/// What a shard's extents get at once: what is kept for freeing space must not depend on what others leave.
fn extents_backed_bytes(geometry: &Geometry) -> u64 {
    extents_backed_bytes_min(geometry.extents_bytes, geometry.extent_bytes)
}

fn write_superblock(mut file: File, geometry: &Geometry, shard: ShardIndex) -> io::Result<()> {
    let device =
        u64::from_str_radix(&geometry.devices[usize::from(shard.0)], 16).expect("made by Geometry::new");
    let options = shard_options(geometry, shard, 1);
    file.write_all(Shard::format(DeviceId(device), &options).bytes())?;
    file.sync_all()
}

fn prepare_first_piece(path: &Path, geometry: &Geometry, direct: bool) -> io::Result<()> {
    let file = open_area(path, direct)?;
    let piece = geometry.log_piece_bytes();
    log_preparation::prepare(&file, 0, piece, piece, &AtomicU64::new(0), &AtomicBool::new(false), false)?;
    file.sync_all()
}

/// The machine's options that follow from the geometry.
pub fn shard_options(geometry: &Geometry, shard: ShardIndex, incarnation: u64) -> ShardOptions {
    let mut options = ShardOptions::new(
        NodeId(geometry.node),
        shard,
        geometry.log_bytes,
        geometry.extents_bytes,
        incarnation,
    );
    options.extent_bytes = geometry.extent_bytes;
    options
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
                 formatted",
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
        let mut file = File::create(&aside)?;
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
