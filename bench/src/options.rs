//! The command line. Names and meanings follow fio where it has the same thing.

use clap::{CommandFactory, Parser, ValueEnum};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  One shard of a running daemon, 8 connections with 16 records in flight each:
    hexalog-bench --target=node --address=127.0.0.1:7001 --server-pid=$(pgrep -of 'hexalogd --data-dir DIR')
  Commits of 9 records over six daemons that are started for the run, 64 committers:
    hexalog-bench --target=volume --rw=commit --numjobs=64 --iodepth=1 --records-per-commit=9 --bs=40
  The same over the daemons of a running `hexalog local`, in a volume \"bench\" of its own:
    hexalog-bench --target=volume --data-dir=./hexalog-data
  Page reads:
    hexalog-bench --target=volume --rw=randread --pages=10000";

/// fio-style storage benchmark of Hexalog: how fast records and commits become durable, how fast pages come back.
#[derive(Parser, Clone, Debug)]
#[command(name = "hexalog-bench", version, after_help = EXAMPLES)]
pub struct Options {
    /// What is measured.
    #[arg(long, value_enum, default_value_t = Target::Node)]
    pub target: Target,

    /// The load. [default: append for node, commit for volume]
    #[arg(long, value_enum)]
    pub rw: Option<ReadWrite>,

    /// Bytes that each record changes of its page.
    #[arg(long, value_name = "BYTES", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=8000))]
    pub bs: u16,

    /// node: connections, each with a volume of its own that has one group. volume: see --iodepth.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub numjobs: u16,

    /// node: records of each connection that are unacknowledged at any time. volume: there are numjobs x iodepth
    /// committers or readers, and each waits for its commit or page before it begins the next.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub iodepth: u32,

    /// Pages that records go to in turn, or that are read at random; of each volume.
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=1048576))]
    pub pages: u32,

    /// Seconds that are measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub runtime: u32,

    /// Seconds of load before, not measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub ramp_time: u32,

    /// Processes of the daemons, to report their CPU time; known by itself for daemons started for the run.
    #[arg(long, value_name = "PID,...", value_delimiter = ',')]
    pub server_pid: Vec<u32>,

    /// Address of the shard under test.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7001", help_heading = "Target node")]
    pub address: SocketAddr,

    /// Most records in one frame. What becomes sendable together goes out together, as from a writer's boxcar;
    /// 1 sends each record in a frame of its own.
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1024),
        help_heading = "Target node")]
    pub records_per_frame: u32,

    /// Directory of a running `hexalog local`, whose daemons are used. Without it and --metadata six daemons are
    /// started for the run, in a scratch directory that is removed afterwards.
    #[arg(long, value_name = "DIR", conflicts_with = "metadata", help_heading = "Target volume")]
    pub data_dir: Option<PathBuf>,

    /// The same by the metadata of any running cluster.
    #[arg(long, value_name = "FILE", help_heading = "Target volume")]
    pub metadata: Option<PathBuf>,

    /// Name of the volume in a running cluster. Made if there is none, opened again if there is, which fences
    /// another benchmark that uses it; a volume that a compute has opened is refused. It stays afterwards.
    #[arg(long, value_name = "NAME", default_value = "bench", help_heading = "Target volume")]
    pub volume: String,

    /// Protection groups of the volume; fixed when it is made. The pages are spread over them. [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), help_heading = "Target volume")]
    pub groups: Option<u32>,

    /// Records of each commit, each to another page; together they are one mini-transaction.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096),
        help_heading = "Target volume")]
    pub records_per_commit: u32,

    /// Where the scratch directory is made; on the device that is to be measured.
    #[arg(long, value_name = "DIR", default_value = ".", help_heading = "Target volume")]
    pub directory: PathBuf,

    /// Shards of each daemon that is started.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64),
        help_heading = "Target volume")]
    pub shards: u16,

    /// Log of each shard of a daemon that is started: written in full before the run.
    #[arg(long, value_name = "BYTES", default_value = "64MiB", help_heading = "Target volume")]
    pub log_bytes: String,

    /// After the run read every page back and compare it with what was committed.
    #[arg(long, help_heading = "Target volume")]
    pub verify: bool,
}

impl Options {
    /// Metadata of the running cluster that was named, if one was.
    pub fn metadata_file(&self) -> Option<PathBuf> {
        let of_local = self.data_dir.as_ref().map(|data_dir| data_dir.join("metadata.sqlite"));
        self.metadata.clone().or(of_local)
    }

    /// Parses a command line and checks what belongs together.
    pub fn parse_and_check<I, T>(arguments: I) -> Result<Options, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let options = Options::try_parse_from(arguments)?;
        let wrong = match (options.target, options.load()) {
            (Target::Node, ReadWrite::Commit | ReadWrite::Randread) => {
                Some("--target=node knows --rw=append only")
            }
            (Target::Volume, ReadWrite::Append) => {
                Some("--target=volume knows --rw=commit and --rw=randread")
            }
            (Target::Volume, _) if options.records_per_commit > options.pages => Some(
                "--records-per-commit is more than --pages: each record of a commit goes to another page",
            ),
            (Target::Volume, ReadWrite::Randread) if options.concurrency() > options.pages as usize => {
                Some("--numjobs times --iodepth is more than --pages: each reader has pages of its own")
            }
            _ => None,
        };
        match wrong {
            Some(wrong) => Err(Options::command().error(clap::error::ErrorKind::ArgumentConflict, wrong)),
            None => Ok(options),
        }
    }

    /// The load, as given or the target's own.
    pub fn load(&self) -> ReadWrite {
        self.rw.unwrap_or(match self.target {
            Target::Node => ReadWrite::Append,
            Target::Volume => ReadWrite::Commit,
        })
    }

    /// Committers or readers of a volume.
    pub fn concurrency(&self) -> usize {
        usize::from(self.numjobs) * self.iodepth as usize
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Target {
    /// One shard of one storage daemon, over its wire protocol.
    Node,
    /// A volume over six daemons, through the client that compute uses: four of six must have it on disk.
    Volume,
}

/// The load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ReadWrite {
    /// Redo records, acknowledged when durable at the node.
    Append,
    /// Mini-transactions, acknowledged when the volume's durable LSN covers them.
    Commit,
    /// Pages at the volume's durable LSN, from one complete segment each.
    Randread,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_target_refuses_what_is_not_its_own() {
        for (arguments, is_taken) in [
            (&["--target=node"][..], true),
            (&["--target=volume"], true),
            (&["--target=volume", "--rw=randread"], true),
            (&["--target=node", "--rw=commit"], false),
            (&["--target=volume", "--rw=append"], false),
            (&["--target=volume", "--records-per-commit=9", "--pages=8"], false),
            (&["--target=volume", "--rw=randread", "--numjobs=2", "--iodepth=8", "--pages=15"], false),
        ] {
            let parsed = Options::parse_and_check([&["hexalog-bench"], arguments].concat());
            assert_eq!(parsed.is_ok(), is_taken, "{arguments:?}");
        }
    }
}
