//! The command line. Names and meanings follow fio where it has the same thing.

use clap::{Parser, ValueEnum};
use std::net::SocketAddr;

/// fio-style storage benchmark of Hexalog.
#[derive(Parser, Clone, Debug)]
#[command(name = "hexalog-bench", version)]
pub struct Options {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Target::Node)]
    pub target: Target,

    /// The load.
    #[arg(long, value_enum, default_value_t = ReadWrite::Append)]
    pub rw: ReadWrite,

    /// Address of the shard under test.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7001")]
    pub address: SocketAddr,

    /// Bytes that each record changes of its page.
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=8000))]
    pub bs: u16,

    /// Connections; each writes a volume of its own with one group, in records with dense LSNs.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub numjobs: u16,

    /// Records of each connection that are unacknowledged at any time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub iodepth: u32,

    /// Most records in one frame. What becomes sendable together goes out together, as from a writer's boxcar;
    /// 1 sends each record in a frame of its own.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub records_per_frame: u32,

    /// Pages of each volume that the records go to, in turn.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1048576))]
    pub pages: u32,

    /// Seconds that are measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub runtime: u32,

    /// Seconds of load before, not measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub ramp_time: u32,

    /// Process of the daemon, to report its CPU time for each record.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// One shard of one storage daemon, over its wire protocol.
    Node,
}

/// The load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ReadWrite {
    /// Redo records, acknowledged when durable.
    Append,
}
