//! What a device is formatted as: its number, its shards and their sizes. Fixed for its life.
//!
//! The same text in a directory's `hexalogd.json` and in the label of a block device.

use crate::exit::{Code, Failure};
use crate::options::DeviceOptions;
use hexalog_protocol::{DeviceId, NodeId, ShardIndex};
use hexalog_storage_core::options::{ShardOptions, extents_backed_bytes_min};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Version of the layout of directories and of block devices.
pub const FORMAT_VERSION: u32 = 1;

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
/// An address on the device has 56 bits.
const DEVICE_BYTES_MAX: u64 = 1 << 55;
/// Fewer extents leave no room for checkpoints beside pages.
const EXTENTS_MIN: u64 = 8;

/// What a device was formatted as. Sizes are for each shard.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The daemon's number.
    pub node: u32,
    /// What `--device-bytes` was, or a block device has for areas.
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
    if device_bytes > DEVICE_BYTES_MAX {
        let message = format!("--device-bytes {device_bytes} is more than {DEVICE_BYTES_MAX}");
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
    /// For a new device. `capacity`: of one that has a size of its own.
    pub fn new(options: &DeviceOptions, capacity: Option<u64>) -> Result<Geometry, Failure> {
        let device_bytes = options.device_bytes.or(capacity);
        let Sizes { shards, device_bytes, log_bytes, extents } =
            check_sizes(options.shards, device_bytes, options.log_bytes)?;
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

    /// From its text at `place`.
    pub fn parse(text: &str, place: &Path) -> Result<Geometry, Failure> {
        serde_json::from_str(text).map_err(|error| {
            Failure::new(Code::OtherDevice, format!("{} cannot be understood: {error}", place.display()))
        })
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain numbers and text");
        text.push('\n');
        text
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.devices.len() as u16
    }

    /// Identity of a shard's device.
    pub fn device_id(&self, shard: ShardIndex) -> DeviceId {
        let id = u64::from_str_radix(&self.devices[usize::from(shard.0)], 16);
        DeviceId(id.expect("made by Geometry::new"))
    }

    /// Piece in which a log is pre-written: 16 MiB, a quarter of a small log.
    pub fn log_piece_bytes(&self) -> u64 {
        (self.log_bytes / 4 / 4096 * 4096).min(16 << 20)
    }

    /// What a shard's extents get at once: what is kept for freeing space must not depend on what others leave.
    pub fn extents_backed_bytes(&self) -> u64 {
        extents_backed_bytes_min(self.extents_bytes, self.extent_bytes)
    }

    /// The machine's options that follow from it.
    pub fn shard_options(&self, shard: ShardIndex, incarnation: u64) -> ShardOptions {
        let node = NodeId(self.node);
        let mut options = ShardOptions::new(node, shard, self.log_bytes, self.extents_bytes, incarnation);
        options.extent_bytes = self.extent_bytes;
        options
    }

    /// Refuses options that contradict what the device at `place` was formatted as.
    pub fn check(&self, options: &DeviceOptions, place: &Path) -> Result<(), Failure> {
        let differs = |option: &str, asked: u64, found: u64| {
            let message = format!(
                "{} was formatted with {option} {found}, not {asked}; this is fixed for a device's life",
                place.display()
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
