//! What is asked for: jobs, in fio's words.
//!
//! One table ([`table`]) holds every option of a job with its parser, and serves the command line ([`command_line`]) and
//! job files ([`job_file`]) alike. What belongs together is checked here, once, after both.

pub mod command_line;
pub mod job_file;
pub mod server;
pub mod table;
pub mod value;

use hexalog_cluster::Location;
use hexalog_protocol::PAGE_SIZE;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Unit of a device: writes and reads are whole blocks, as the daemon's are.
pub const BLOCK_BYTES: u64 = 4096;
/// Most bytes that one record changes of its page.
pub const RECORD_BYTES_MAX: u64 = 8000;
const PAGE_BYTES: u64 = PAGE_SIZE as u64;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A file or block device.
    Device,
    /// One shard of one storage daemon, over its wire protocol.
    Node,
    /// A volume over six daemons, through the client that compute uses: four of six must have it on disk.
    Volume,
    /// Any PostgreSQL server.
    Sql,
}

/// The load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadWrite {
    /// Durable writes, one behind the other: blocks of a device, redo records of a node.
    Append,
    /// Mini-transactions or transactions, done when durable at the quorum.
    Commit,
    /// Reads in order.
    Read,
    /// Reads at random.
    Randread,
    /// Both, reads in order.
    Rw,
    /// Both, reads at random.
    Randrw,
}

/// Who carries a device's I/O out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IoEngine {
    /// The storage daemon's own driver: io_uring.
    Hexalog,
    /// pread, pwrite, fdatasync.
    Sync,
    /// The runtime of that name.
    Glommio,
    /// The runtime of that name.
    TokioUring,
}

/// One job. Fields are named after their options; [`table`] says what each means.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Job {
    pub name: String,
    pub target: Target,
    pub rw: Option<ReadWrite>,
    pub bs: Option<u64>,
    pub size: Option<u64>,
    pub iodepth: u32,
    pub numjobs: u32,
    pub runtime: Duration,
    pub ramp_time: Duration,
    pub rate: Option<u64>,
    pub rate_iops: Option<u64>,
    pub rwmixread: u8,
    pub randseed: u64,
    pub percentile_list: Vec<f64>,
    pub stonewall: bool,
    pub server_pid: Vec<u32>,
    pub ioengine: IoEngine,
    pub filename: Option<PathBuf>,
    pub direct: bool,
    pub fdatasync: bool,
    pub address: SocketAddr,
    pub records_per_frame: u32,
    pub data_dir: Option<PathBuf>,
    pub metadata: Option<Location>,
    pub volume: String,
    pub groups: Option<u32>,
    pub records_per_commit: u32,
    pub directory: PathBuf,
    pub shards: u16,
    pub log_bytes: u64,
    pub verify: bool,
    pub slow_node: Vec<(u32, Duration)>,
    pub kill_node: Vec<(u32, Duration)>,
    pub stop_az: Vec<(String, Duration)>,
    pub connect: SocketAddr,
    pub user: String,
    pub dbname: String,
    /// What was set, in order, for the report.
    pub given: Vec<(&'static str, String)>,
}

impl Default for Job {
    fn default() -> Job {
        Job {
            name: "bench".to_owned(),
            target: Target::Node,
            rw: None,
            bs: None,
            size: None,
            iodepth: 1,
            numjobs: 1,
            runtime: Duration::from_secs(10),
            ramp_time: Duration::from_secs(1),
            rate: None,
            rate_iops: None,
            rwmixread: 50,
            randseed: 1,
            // fio's own list.
            percentile_list: vec![
                1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 95.0, 99.0, 99.5, 99.9,
                99.95, 99.99,
            ],
            stonewall: false,
            server_pid: Vec::new(),
            ioengine: IoEngine::Hexalog,
            filename: None,
            direct: true,
            fdatasync: true,
            address: SocketAddr::from(([127, 0, 0, 1], 7001)),
            records_per_frame: 128,
            data_dir: None,
            metadata: None,
            volume: "bench".to_owned(),
            groups: None,
            records_per_commit: 1,
            directory: PathBuf::from("."),
            shards: 1,
            log_bytes: 64 << 20,
            verify: false,
            slow_node: Vec::new(),
            kill_node: Vec::new(),
            stop_az: Vec::new(),
            connect: SocketAddr::from(([127, 0, 0, 1], 5433)),
            user: "postgres".to_owned(),
            dbname: "postgres".to_owned(),
            given: Vec::new(),
        }
    }
}

impl ReadWrite {
    /// fio's name, or ours.
    pub fn name(self) -> &'static str {
        match self {
            ReadWrite::Append => "append",
            ReadWrite::Commit => "commit",
            ReadWrite::Read => "read",
            ReadWrite::Randread => "randread",
            ReadWrite::Rw => "rw",
            ReadWrite::Randrw => "randrw",
        }
    }

    /// Whether anything is written.
    pub fn writes(self) -> bool {
        !matches!(self, ReadWrite::Read | ReadWrite::Randread)
    }

    /// Whether anything is read.
    pub fn reads(self) -> bool {
        !matches!(self, ReadWrite::Append | ReadWrite::Commit)
    }

    /// Whether reads go anywhere.
    pub fn is_random(self) -> bool {
        matches!(self, ReadWrite::Randread | ReadWrite::Randrw)
    }
}

impl Target {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Target::Device => "device",
            Target::Node => "node",
            Target::Volume => "volume",
            Target::Sql => "sql",
        }
    }
}

impl IoEngine {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            IoEngine::Hexalog => "hexalog",
            IoEngine::Sync => "sync",
            IoEngine::Glommio => "glommio",
            IoEngine::TokioUring => "tokio-uring",
        }
    }
}

impl Job {
    /// The load, as given or the target's own.
    pub fn load(&self) -> ReadWrite {
        self.rw.unwrap_or(match self.target {
            Target::Device | Target::Node => ReadWrite::Append,
            Target::Volume | Target::Sql => ReadWrite::Commit,
        })
    }

    /// Bytes of a write: a block, what a record changes of its page, what a row holds.
    pub fn bs(&self) -> u64 {
        self.bs.unwrap_or(match self.target {
            Target::Device => 4096,
            Target::Node | Target::Volume => 256,
            Target::Sql => 100,
        })
    }

    /// Bytes of one read.
    pub fn read_bytes(&self) -> u64 {
        match self.target {
            Target::Device | Target::Sql => self.bs(),
            Target::Node | Target::Volume => PAGE_BYTES,
        }
    }

    /// Bytes of one write or commit.
    pub fn write_bytes(&self) -> u64 {
        self.bs() * if self.target == Target::Volume { u64::from(self.records_per_commit) } else { 1 }
    }

    /// Pages of a node's or volume's working set, rows of a server's.
    pub fn units(&self) -> u64 {
        match self.target {
            Target::Device => self.size.unwrap_or(0) / self.bs(),
            Target::Node | Target::Volume => self.size.unwrap_or(8 << 20) / PAGE_BYTES,
            Target::Sql => self.size.unwrap_or(1 << 20) / self.bs(),
        }
    }

    /// Operations that are under way at any time.
    pub fn concurrency(&self) -> usize {
        self.numjobs as usize * self.iodepth as usize
    }

    /// Nanoseconds from one operation of a clone to the next, under a rate.
    pub fn interval_ns(&self) -> Option<u64> {
        let bytes = if self.load().writes() { self.write_bytes() } else { self.read_bytes() };
        let per_second = self.rate_iops.map(|iops| iops as f64);
        let per_second = per_second.or(self.rate.map(|rate| rate as f64 / bytes as f64));
        per_second.map(|per_second| ((1e9 / per_second) as u64).max(1))
    }

    /// Metadata of the running cluster that was named, if one was.
    pub fn metadata(&self) -> Option<Location> {
        let of_local = self.data_dir.as_ref().map(|data_dir| data_dir.join("metadata.sqlite"));
        self.metadata.clone().or(of_local.map(Location::Sqlite))
    }

    /// Whether daemons come to harm in this run.
    pub fn has_outliers(&self) -> bool {
        !(self.slow_node.is_empty() && self.kill_node.is_empty() && self.stop_az.is_empty())
    }

    /// Checks what belongs together.
    pub fn check(&self) -> Result<(), String> {
        self.check_load()?;
        match self.target {
            Target::Device => self.check_device()?,
            Target::Node | Target::Volume => self.check_pages()?,
            Target::Sql => {
                if !(1..=1_000_000).contains(&self.bs()) {
                    return Err("bs of --target=sql is the size of a row: 1 to 1000000".to_owned());
                }
                if self.iodepth > 1 {
                    return Err("a session has one statement under way: iodepth is 1 with --target=sql; \
                                more sessions come by numjobs"
                        .to_owned());
                }
                if self.units() == 0 {
                    return Err("size holds no row of bs bytes".to_owned());
                }
            }
        }
        if self.has_outliers() && (self.target != Target::Volume || self.metadata().is_some()) {
            return Err(
                "slow_node, kill_node and stop_az need --target=volume with daemons started for the \
                        run: no other cluster comes to harm"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn check_load(&self) -> Result<(), String> {
        let load = self.load();
        let is_known = match self.target {
            Target::Device | Target::Node => load != ReadWrite::Commit,
            Target::Volume | Target::Sql => load != ReadWrite::Append,
        };
        if !is_known {
            let (target, other) = match self.target {
                Target::Device | Target::Node => (self.target.name(), "append"),
                Target::Volume | Target::Sql => (self.target.name(), "commit"),
            };
            let load = load.name();
            return Err(format!("--target={target} has no rw={load}; writes there are rw={other}"));
        }
        if self.runtime.is_zero() {
            return Err("runtime is 0: nothing would be measured".to_owned());
        }
        if self.rate.is_some() && self.rate_iops.is_some() {
            return Err("rate and rate_iops are two words for one thing: give one".to_owned());
        }
        if self.rate == Some(0) || self.rate_iops == Some(0) {
            return Err("a rate of 0 does nothing".to_owned());
        }
        Ok(())
    }

    fn check_device(&self) -> Result<(), String> {
        let bs = self.bs();
        if bs == 0 || !bs.is_multiple_of(BLOCK_BYTES) {
            return Err(format!("bs={bs} is not a multiple of the block, {BLOCK_BYTES} bytes"));
        }
        if self.filename.is_none() {
            return Err("--target=device needs filename".to_owned());
        }
        if self.size.is_some_and(|size| size < bs) {
            return Err("size is less than bs".to_owned());
        }
        if self.ioengine == IoEngine::Sync && self.iodepth > 1 {
            return Err(
                "ioengine=sync has one operation under way: iodepth is 1; more come by numjobs".to_owned()
            );
        }
        Ok(())
    }

    fn check_pages(&self) -> Result<(), String> {
        let bs = self.bs();
        if !(1..=RECORD_BYTES_MAX).contains(&bs) {
            return Err(format!(
                "bs={bs} does not fit into a page: a record changes 1 to {RECORD_BYTES_MAX} bytes of one"
            ));
        }
        if self.size.is_some_and(|size| size == 0 || !size.is_multiple_of(PAGE_BYTES)) {
            return Err(format!("size is not a multiple of the page, {PAGE_BYTES} bytes"));
        }
        if self.units() > 1 << 20 {
            return Err("size is more than 8 GiB".to_owned());
        }
        if self.target == Target::Volume && u64::from(self.records_per_commit) > self.units() {
            return Err(
                "records_per_commit is more than size has pages: each goes to another page".to_owned()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::command_line::parse;

    /// Every row: arguments, and a part of the complaint if there must be one.
    #[test]
    fn what_does_not_belong_together_is_refused_with_a_reason() {
        for (arguments, complaint) in [
            (&["--target=node"][..], None),
            (&["--target=volume"], None),
            (&["--target=volume", "--rw=randread"], None),
            (&["--target=device", "--filename=x", "--bs=64k"], None),
            (&["--target=device", "--filename=x", "--rw=write"], None),
            (&["--target=sql", "--numjobs=4"], None),
            (&["--iodepth=0"], Some("1 to 65536")),
            (&["--target=device", "--filename=x", "--bs=1000"], Some("multiple of the block")),
            (&["--target=device"], Some("needs filename")),
            (&["--target=device", "--filename=x", "--ioengine=sync", "--iodepth=4"], Some("numjobs")),
            (&["--target=device", "--filename=x", "--ioengine=libaio"], Some("libaio")),
            (&["--target=node", "--rw=commit"], Some("rw=append")),
            (&["--target=volume", "--rw=append"], Some("rw=commit")),
            (&["--target=volume", "--bs=64k"], Some("page")),
            (&["--target=volume", "--size=10000"], Some("multiple of the page")),
            (&["--target=volume", "--records_per_commit=9", "--size=64k"], Some("another page")),
            (&["--target=volume", "--data-dir=x", "--kill-node=1@5s"], Some("started for the")),
            (&["--target=sql", "--iodepth=4"], Some("numjobs")),
            (&["--runtime=0"], Some("nothing would be measured")),
            (&["--rate=1m", "--rate_iops=10"], Some("give one")),
            (&["--rate_iops=0"], Some("does nothing")),
            (&["--rw=trim"], Some("append, read, randread")),
            (&["--iodpeth=4"], Some("iodepth")),
            (&["--slow-node=2"], Some("N=20ms")),
        ] {
            let parsed = parse([&["hexalog-bench"], arguments].concat());
            match (complaint, parsed) {
                (None, Ok(_)) => {}
                (Some(part), Err(error)) => {
                    let text = error.to_string();
                    assert!(text.contains(part), "{arguments:?} should name {part}: {text}");
                }
                (_, parsed) => panic!("{arguments:?} gave {parsed:?}"),
            }
        }
    }
}
