//! The command line: every option with its default and the reason for it.

use clap::{Args, Parser, ValueEnum};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Storage daemon of Hexalog: keeps the redo log of its segments and builds pages from it.
///
/// Runs until SIGTERM or SIGINT, on a device that `hexalogd format` has made: a directory, or a whole block device.
#[derive(Parser, Clone, Debug)]
#[command(name = "hexalogd", version)]
pub struct Options {
    /// Its device.
    #[command(flatten)]
    pub device: DeviceOptions,

    /// Availability zone, for the log lines; placement goes by what metadata says.
    #[arg(long, value_name = "NAME", default_value = "a")]
    pub az: String,

    /// Address of shard 0; shard I listens on PORT + I. Port 0 lets the system choose one for each shard.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7001")]
    pub listen: SocketAddr,

    /// How an append is made durable. All ways keep the same promise; a short probe at start finds the
    /// faster one of this device.
    #[arg(long, value_enum, default_value_t = Durability::Auto)]
    pub durability: Durability,

    /// Hours within which everything on the device is read again, so that what has rotted is found while peers still have it,
    /// and mended. A week reads a full terabyte at 1.7 MB/s; the foreground comes first.
    #[arg(long, value_name = "HOURS", default_value_t = 168, value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub scrub_hours: u32,

    /// Threads that run the shards; each has a ring of its own.
    /// [default: one for each shard, at most as many as the daemon may use cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Whether each shard thread keeps to one core. `auto` pins when there is more than one thread: a daemon with
    /// a single one most often shares its machine with others, and those would all sit on the same core.
    #[arg(long, value_enum, default_value_t = Pin::Auto)]
    pub pin: Pin,

    /// Listen beyond the loopback interface although there is no authentication between processes yet: whoever
    /// reaches the port can read and fence every volume.
    #[arg(long)]
    pub insecure_no_auth: bool,

    /// End when the process that started this one ends, however it ends.
    #[arg(long)]
    pub die_with_parent: bool,
}

/// Makes a new device, in an empty directory or on a block device, and ends.
///
/// Nothing is ever written over: what holds anything, be it a device of ours, is refused without --force.
#[derive(Parser, Clone, Debug)]
#[command(name = "hexalogd format", version)]
pub struct FormatOptions {
    /// The device.
    #[command(flatten)]
    pub device: DeviceOptions,

    /// Format it whatever it holds. In a directory an old device of ours is replaced and other files are left alone; of a
    /// block device everything is lost.
    #[arg(long)]
    pub force: bool,
}

/// Where a device is, and what it was formatted as or is to be. What is fixed by then need not be given to a start; what is
/// given must be the same.
#[derive(Args, Clone, Debug)]
pub struct DeviceOptions {
    /// Directory of the device.
    #[arg(long, value_name = "DIR", required_unless_present = "device", conflicts_with = "device")]
    pub data_dir: Option<PathBuf>,

    /// Block device, used whole, without a file system.
    #[arg(long, value_name = "PATH", conflicts_with = "buffered")]
    pub device: Option<PathBuf>,

    /// Number of this daemon in the metadata service.
    #[arg(long, value_name = "N")]
    pub node: u32,

    /// Number of shards, fixed when the device is formatted. One shard saturates about one core, so: as
    /// many as the cores that the daemon is to have. [default: 1, which suits several daemons on one machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,

    /// Most that the device may take of its file system or block device, logs included, fixed when it is formatted.
    /// In a directory only the logs and a few MiB take their space at once, the rest ahead of the pages that are written: a
    /// file system that has no more is a device that is full.
    /// [default: 16GiB in a directory, room for a first database on any machine; all of a block device]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub device_bytes: Option<u64>,

    /// Size of each shard's log, fixed when the device is formatted. It bounds how long a member may be away
    /// and still catch up from its peers' logs. [default: 256MiB, minutes of a busy pgbench]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub log_bytes: Option<u64>,

    /// Go through the page cache instead of past it (O_DIRECT). For file systems that cannot do O_DIRECT;
    /// appends are flushed all the same, but memory is used twice and write errors may be seen late.
    #[arg(long)]
    pub buffered: bool,
}

impl DeviceOptions {
    /// What `--data-dir` or `--device` names.
    pub fn place(&self) -> &Path {
        self.device.as_deref().or(self.data_dir.as_deref()).expect("one of them is required")
    }
}

/// How an append is made durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Durability {
    /// The faster one, by a probe at start.
    Auto,
    /// A write with a linked flush, both by io_uring.
    Fsync,
    /// A write with RWF_DSYNC, by io_uring.
    Dsync,
    /// A thread that writes with RWF_DSYNC.
    DsyncThread,
}

/// Whether shard threads keep to one core each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Pin {
    /// If there is more than one.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Parses a size: a number of bytes, or one with a binary unit (`KiB`, `MiB`, `GiB`, `TiB`).
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is not a size such as 64MiB"))?;
    let shift = match &text[digits.len()..] {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        unit => return Err(format!("unit {unit:?} is not one of KiB, MiB, GiB, TiB")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text:?} is more than 2^64 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_parse_with_binary_units_only() {
        for (text, expected) in [
            ("4096", Some(4096)),
            ("64MiB", Some(64 << 20)),
            ("16GiB", Some(16 << 30)),
            ("64MB", None),
            ("MiB", None),
            ("-1", None),
            ("99999999TiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
    }
}
