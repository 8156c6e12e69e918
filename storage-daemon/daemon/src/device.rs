//! The device of a daemon: a directory, or a block device without a file system.
//!
//! Both hold the same three areas for each shard; only here and in [`crate::formatting`] they differ.

use crate::block_device::BlockDevice;
use crate::checks::check_file_system;
use crate::directory::{Directory, GEOMETRY_FILE};
use crate::exit::{Code, Failure};
use crate::formatting::{MARKER, refuse_foreign, remove_marker};
use crate::geometry::Geometry;
use crate::options::DeviceOptions;
use hexalog_protocol::ShardIndex;
use hexalog_storage_core::effects::Area;
use hexalog_storage_driver::areas::AreaFiles;
use hexalog_storage_driver::durability::{self, ProbeReport};
use hexalog_storage_driver::log_preparation::prepared_bytes;
use std::io;
use std::path::Path;

/// A device, and nobody else's as long as this lives.
#[derive(Debug)]
pub enum Device {
    /// Files.
    Directory(Directory),
    /// Stretches of a block device.
    Block(BlockDevice),
}

/// The areas of one shard, and what they have of their device.
#[derive(Debug)]
pub struct ShardAreas {
    /// Open.
    pub files: AreaFiles,
    /// The log below is written with zeros.
    pub log_prepared_bytes: u64,
    /// The extents below have space of their own.
    pub extents_backed_bytes: u64,
}

impl Device {
    /// Takes hold of a device that was formatted. Nothing is made here: what is missing may only not be mounted.
    pub fn open(options: &DeviceOptions) -> Result<(Device, Geometry), Failure> {
        let place = options.place();
        let found = match &options.device {
            Some(path) => {
                let device = BlockDevice::open(path)?;
                let geometry = device.geometry()?;
                if geometry.is_none()
                    && let Some(what) = device.foreign()?
                {
                    let message =
                        format!("{} holds {what}, and no label of a daemon's device", path.display());
                    return Err(Failure::new(Code::DirectoryInUse, message));
                }
                geometry.map(|geometry| (Device::Block(device), geometry))
            }
            None if place.join(GEOMETRY_FILE).exists() => {
                let directory = Directory::lock(place)?;
                remove_marker(place)?;
                check_file_system(&directory.path, options.buffered, options.node)?;
                directory.geometry()?.map(|geometry| (Device::Directory(directory), geometry))
            }
            None => {
                refuse_foreign(place)?;
                None
            }
        };
        let (device, geometry) = found.ok_or_else(|| not_formatted(options))?;
        geometry.check(options, place)?;
        Ok((device, geometry))
    }

    /// Opens a shard's areas; with `direct`, past the page cache.
    pub fn areas(&self, geometry: &Geometry, shard: ShardIndex, direct: bool) -> Result<ShardAreas, Failure> {
        let open = || match self {
            Device::Block(device) => Ok(ShardAreas {
                files: device.areas(geometry, shard)?,
                log_prepared_bytes: geometry.log_bytes,
                extents_backed_bytes: geometry.extents_bytes,
            }),
            Device::Directory(directory) => {
                let files = AreaFiles::open(&directory.shard(shard), direct)?;
                let log = files.file(Area::Log).metadata()?.len();
                // The length of its file says how far an area has space of its own; a device formatted before it did has all of it.
                let extents = files.file(Area::Extents).metadata()?.len();
                Ok(ShardAreas {
                    files,
                    log_prepared_bytes: prepared_bytes(log, geometry.log_bytes, geometry.log_piece_bytes()),
                    extents_backed_bytes: extents.min(geometry.extents_bytes),
                })
            }
        };
        open().map_err(|error: io::Error| match self {
            Device::Directory(directory) => Failure::io("open", &directory.shard(shard), &error),
            Device::Block(device) => Failure::io("open", &device.path, &error),
        })
    }

    /// Finds the faster way to a durable write.
    pub fn probe(&self, direct: bool) -> io::Result<ProbeReport> {
        match self {
            Device::Directory(directory) => durability::probe(&directory.path, direct),
            Device::Block(device) => device.probe(),
        }
    }

    /// What `--data-dir` or `--device` named.
    pub fn place(&self) -> &Path {
        match self {
            Device::Directory(directory) => &directory.path,
            Device::Block(device) => &device.path,
        }
    }
}

fn not_formatted(options: &DeviceOptions) -> Failure {
    let place = options.place().display();
    let option = if options.device.is_some() { "--device" } else { "--data-dir" };
    let what = if options.device.is_some() {
        "has no label of a daemon's device."
    } else if options.place().join(MARKER).exists() {
        "was not formatted to its end."
    } else {
        "holds no daemon's device. Is it mounted?"
    };
    let mut command = format!("hexalogd format {option} {place} --node {}", options.node);
    let sizes = [
        ("--shards", options.shards.map(u64::from)),
        ("--device-bytes", options.device_bytes),
        ("--log-bytes", options.log_bytes),
    ];
    for (option, value) in sizes {
        if let Some(value) = value {
            command.push_str(&format!(" {option} {value}"));
        }
    }
    if options.buffered {
        command.push_str(" --buffered");
    }
    let message =
        format!("{place} {what} A new one, with the sizes that its peers have, is made with: {command}");
    Failure::new(Code::NotFormatted, message)
}
