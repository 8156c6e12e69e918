//! The command line of `hexalog`.

use crate::address::parse_address;
use crate::exit::{self, Code, Failure};
use crate::sizes::{display_bytes, parse_bytes};
use crate::{compute, local, sql, status};
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use hexalog_cluster::Location;
use hexalog_server::ServerOptions;
use hexalog_server::compute::CACHE_BYTES_MIN;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::process::ExitCode;

/// Where the data of a local cluster stands unless told otherwise.
pub const DATA_DIR: &str = "./hexalog-data";
/// Where compute listens unless told otherwise: next to PostgreSQL's port, so that both can run.
pub const LISTEN: &str = "127.0.0.1:5433";

/// Hexalog: a PostgreSQL-compatible database whose log is the database.
#[derive(Parser, Debug)]
#[command(name = "hexalog", version, propagate_version = true, after_help = exit::help_local())]
// `hexalog --data-dir DIR status` would ask about another directory than the one that was named.
#[command(args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Options of `hexalog local`, which runs when no command is named.
    #[command(flatten)]
    local: LocalArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a whole cluster on this machine: metadata, six storage daemons in three zones, one compute.
    #[command(after_help = exit::help_local())]
    Local(LocalArgs),
    /// Run a compute process: opens a volume and serves PostgreSQL clients.
    #[command(after_help = exit::help(exit::OF_COMPUTE))]
    Compute(ComputeArgs),
    /// Run a storage daemon; the same as calling this binary under the name hexalogd.
    Daemon {
        /// See `hexalog daemon --help`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// A small SQL client for machines without psql.
    #[command(after_help = exit::help(exit::OF_SQL))]
    Sql(SqlArgs),
    /// Show daemons, groups, log positions and counters of a cluster.
    #[command(after_help = exit::help(exit::OF_STATUS))]
    Status(StatusArgs),
}

/// Options of `hexalog local`.
#[derive(Args, Clone, Debug)]
pub struct LocalArgs {
    /// Directory for everything that the cluster keeps.
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,
    /// Address that compute listens on.
    #[arg(long, value_name = "ADDR", default_value = LISTEN, value_parser = parse_address)]
    pub listen: SocketAddr,
    /// Shards per daemon; fixed when the cluster is made. One suffices on a laptop: a shard is one log region,
    /// and one core fills most disks. [default: 1]
    #[arg(long, value_name = "N")]
    pub shards: Option<u16>,
    /// Memory for compute's page cache.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = parse_cache_bytes)]
    pub cache_bytes: u64,
    /// What temporary files of all sessions may come to, in the directory that TMPDIR names. [default: half of what is free
    /// there at the start]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub temporary_bytes: Option<u64>,
    /// Sessions at once. One more is refused.
    #[arg(long, value_name = "N", default_value = "1000")]
    pub max_connections: NonZeroUsize,
    /// Most that each daemon may use on disk; the files are sparse but for the log. Fixed when the cluster is made.
    /// [default: 16GiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub device_bytes: Option<u64>,
    /// Size of each shard's log; fixed when the cluster is made. It bounds how long a daemon may be away and still
    /// catch up from its peers' logs. [default: the daemon's, 256MiB]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub log_bytes: Option<u64>,
    /// How far the writer may run ahead of the durable log, in records: more than ten seconds of small
    /// transactions, and what recovery may have to annul. Fixed when the cluster is made. [default: 65536]
    #[arg(long, value_name = "N")]
    pub lal_records: Option<u64>,
    /// The same in bytes: what compute may hold in memory for daemons that lag; at most 32MiB, half of what a shard
    /// holds in memory, and a quarter of --log-bytes, since it cannot be freed from a log. Fixed when the cluster is made.
    /// [default: 32MiB, or that quarter]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub lal_bytes: Option<u64>,
    /// Protection groups of the volume; fixed when the cluster is made. Together they hold half of --device-bytes,
    /// so that the volume is full before a device is. [default: 8]
    #[arg(long, value_name = "N")]
    pub groups: Option<u32>,
    /// Compute's worker threads. [default: half of the cores, since six daemons share the machine]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// End sessions that hold purge back by a snapshot of this age, in seconds. [default: none is ended]
    #[arg(long, value_name = "SECONDS")]
    pub old_snapshot_threshold: Option<NonZeroU32>,
    /// Transactions that may be prepared (PREPARE TRANSACTION) at once; 0: none.
    #[arg(long, value_name = "N", default_value_t = ServerOptions::default().prepared_transactions_max)]
    pub max_prepared_transactions: u32,
    /// Start a child again when it has died (never a fenced compute). Without this, its death is reported with
    /// the command that starts it.
    #[arg(long)]
    pub restart: bool,
    /// Let daemons use buffered I/O, for file systems without O_DIRECT.
    #[arg(long)]
    pub buffered: bool,
    /// Allow compute to listen beyond the loopback interface although there is no authentication yet.
    #[arg(long)]
    pub insecure_no_auth: bool,
}

/// Which cluster, and which volume of it.
#[derive(Args, Clone, Debug)]
pub struct ClusterArgs {
    /// Directory of a cluster that `hexalog local` runs or ran.
    #[arg(long, value_name = "DIR", default_value = DATA_DIR, conflicts_with = "metadata")]
    pub data_dir: PathBuf,
    /// Where the cluster's metadata is, if not in metadata.sqlite in --data-dir: another such file,
    /// etcd://HOST:PORT,HOST:PORT/PREFIX, or dynamodb://TABLE?region=REGION.
    #[arg(long, value_name = "FILE|URL", value_parser = parse_location())]
    pub metadata: Option<Location>,
    /// Name of the volume.
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub volume: String,
}

/// Options of `hexalog compute`.
#[derive(Args, Clone, Debug)]
pub struct ComputeArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", default_value = LISTEN, value_parser = parse_address)]
    pub listen: SocketAddr,
    /// Memory for the page cache.
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = parse_cache_bytes)]
    pub cache_bytes: u64,
    /// What temporary files of all sessions may come to, in the directory that TMPDIR names. [default: half of what is free
    /// there at the start]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub temporary_bytes: Option<u64>,
    /// Worker threads; a session stays on one for life. [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub workers: Option<NonZeroUsize>,
    /// Sessions at once.
    #[arg(long, value_name = "N", default_value = "1000")]
    pub max_connections: NonZeroUsize,
    /// End sessions that hold purge back by a snapshot of this age, in seconds. [default: none is ended]
    #[arg(long, value_name = "SECONDS")]
    pub old_snapshot_threshold: Option<NonZeroU32>,
    /// Transactions that may be prepared (PREPARE TRANSACTION) at once; 0: none.
    #[arg(long, value_name = "N", default_value_t = ServerOptions::default().prepared_transactions_max)]
    pub max_prepared_transactions: u32,
    /// Allow listening beyond the loopback interface although there is no authentication yet.
    #[arg(long)]
    pub insecure_no_auth: bool,
}

/// Options of `hexalog sql`.
#[derive(Args, Clone, Debug)]
pub struct SqlArgs {
    /// Run this and exit; may be given more than once.
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub commands: Vec<String>,
    /// Address of compute.
    #[arg(long, value_name = "ADDR", default_value = LISTEN, value_parser = parse_address)]
    pub connect: SocketAddr,
    /// Instead of an address: directory of a cluster, whose compute is connected to wherever it listens.
    #[arg(long, value_name = "DIR", conflicts_with = "connect")]
    pub data_dir: Option<PathBuf>,
    /// User.
    #[arg(short = 'U', long, default_value = "postgres")]
    pub user: String,
    /// Database.
    #[arg(short = 'd', long, default_value = "postgres")]
    pub database: String,
    /// Rows only, columns separated by |, as psql -At prints them.
    #[arg(short = 'A', long)]
    pub plain: bool,
}

/// Options of `hexalog status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Which cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// One JSON document instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Not every path is UTF-8.
fn parse_location() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(|text| Location::parse(&text))
}

fn parse_cache_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    if bytes < CACHE_BYTES_MIN {
        return Err(format!("less than {}, with which compute cannot work", display_bytes(CACHE_BYTES_MIN)));
    }
    Ok(bytes)
}

/// Runs the command that `arguments` (the program's name first) ask for.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let cli = Cli::parse_from(arguments);
    let outcome = match cli.command {
        None => local::run(&cli.local),
        Some(Command::Local(arguments)) => local::run(&arguments),
        Some(Command::Compute(arguments)) => compute::run(&arguments),
        Some(Command::Daemon { arguments }) => {
            let name = std::iter::once(OsString::from("hexalogd"));
            return hexalogd::main_with_args(name.chain(arguments));
        }
        Some(Command::Sql(arguments)) => sql::run(&arguments),
        Some(Command::Status(arguments)) => status::run(&arguments),
    };
    match outcome {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("hexalog: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

/// Refuses an address beyond the loopback interface unless the operator insists: there is no authentication.
pub fn check_loopback(address: SocketAddr, is_allowed: bool) -> Result<(), Failure> {
    if address.ip().is_loopback() || is_allowed {
        return Ok(());
    }
    let message = format!(
        "{address} can be reached from other machines and clients are not authenticated; \
         use a loopback address, or --insecure-no-auth if the network is trusted"
    );
    Err(Failure::new(Code::Insecure, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_local() {
        let cli = Cli::parse_from(["hexalog", "--listen", "127.0.0.1:7"]);
        assert!(cli.command.is_none());
        assert_eq!(cli.local.listen.port(), 7);
    }

    #[test]
    fn a_cluster_is_named_by_its_directory_or_its_metadata() {
        let metadata = |arguments: &[&str]| {
            let all = ["hexalog", "status"].iter().chain(arguments);
            match Cli::try_parse_from(all).map(|cli| cli.command) {
                Ok(Some(Command::Status(status))) => Some(status.cluster.metadata()),
                _ => None,
            }
        };
        for (arguments, expected) in [
            (&[][..], Some("./hexalog-data/metadata.sqlite")),
            (&["--data-dir", "/x"], Some("/x/metadata.sqlite")),
            (&["--metadata", "/y.sqlite"], Some("/y.sqlite")),
            (&["--metadata", "sqlite:///y.sqlite"], Some("/y.sqlite")),
            (&["--metadata", "/y.sqlite", "--data-dir", "/x"], None),
            (&["--metadata", "etcd://nowhere"], None),
        ] {
            let expected = expected.map(|path| Location::Sqlite(PathBuf::from(path)));
            assert_eq!(metadata(arguments), expected, "{arguments:?}");
        }
    }

    /// They were taken for those of `hexalog local`, which did not run, and so ignored.
    #[test]
    fn options_before_a_command_are_refused() {
        for arguments in [["--data-dir", "/x", "status"], ["--listen", "127.0.0.1:1", "sql"]] {
            let all = ["hexalog"].iter().chain(&arguments);
            assert!(Cli::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn only_loopback_is_open_without_insisting() {
        for (address, is_allowed, expected) in [
            ("127.0.0.1:1", false, true),
            ("[::1]:1", false, true),
            ("0.0.0.0:1", false, false),
            ("192.168.0.1:1", false, false),
            ("192.168.0.1:1", true, true),
        ] {
            let address = address.parse().expect("address");
            assert_eq!(check_loopback(address, is_allowed).is_ok(), expected, "{address}");
        }
    }
}
