//! Every option of a job: its name, what it means, how it is read. The command line and job files share it.

use super::value::{bytes, flag, number, pair, percentiles, time};
use super::{IoEngine, Job, ReadWrite, Target};
use hexalog_cluster::Location;
use std::ffi::OsStr;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

/// One option.
pub struct JobOption {
    /// Its name; `-` and `_` are the same in it.
    pub name: &'static str,
    /// What stands behind `=`; empty for what may stand alone.
    pub value: &'static str,
    /// For --help.
    pub help: &'static str,
    /// Reads the value.
    pub set: fn(&mut Job, &str) -> Result<(), String>,
}

/// Options under one heading.
pub type Section = (&'static str, &'static [JobOption]);

macro_rules! option {
    ($name:literal, $value:literal, $help:literal, $set:expr) => {
        JobOption { name: $name, value: $value, help: $help, set: $set }
    };
}

/// All of them, as --help shows them.
pub static SECTIONS: &[Section] = &[
    ("Job", LOAD),
    ("Target device", DEVICE),
    ("Target node", NODE),
    ("Target volume", VOLUME),
    ("Outliers, in daemons started for the run", OUTLIERS),
    ("Target sql", SQL),
    ("Taken for fio's sake", ALWAYS_SO),
];

static LOAD: &[JobOption] = &[
    option!(
        "target",
        "TARGET",
        "What is measured: device, node (one shard of one daemon), volume (the quorum), sql (any PostgreSQL server). [default: node]",
        |job, text| {
            job.target = one_of(
                text,
                &[
                    ("device", Target::Device),
                    ("node", Target::Node),
                    ("volume", Target::Volume),
                    ("sql", Target::Sql),
                ],
            )?;
            Ok(())
        }
    ),
    option!(
        "rw",
        "LOAD",
        "append (also write): durable writes; commit: durable transactions of a volume or server; read, randread; rw (also readwrite), randrw: both. [default: append, commit]",
        |job, text| {
            job.rw = Some(one_of(
                text,
                &[
                    ("append", ReadWrite::Append),
                    ("read", ReadWrite::Read),
                    ("randread", ReadWrite::Randread),
                    ("rw", ReadWrite::Rw),
                    ("randrw", ReadWrite::Randrw),
                    ("commit", ReadWrite::Commit),
                    ("write", ReadWrite::Append),
                    ("readwrite", ReadWrite::Rw),
                ],
            )?);
            Ok(())
        }
    ),
    option!(
        "bs",
        "BYTES",
        "device: bytes of an operation; node, volume: bytes that a record changes of its page; sql: bytes of a row. [default: 4k, 256, 100]",
        |job, text| {
            job.bs = Some(bytes(text)?);
            Ok(())
        }
    ),
    option!(
        "size",
        "BYTES",
        "What is written to and read from: of the file; of each volume, in pages; of the table. [default: the file, 8m, 1m]",
        |job, text| {
            job.size = Some(bytes(text)?);
            Ok(())
        }
    ),
    option!("iodepth", "N", "Operations that each clone has under way. [default: 1]", |job, text| {
        job.iodepth = number(text, 1, 65_536)? as u32;
        Ok(())
    }),
    option!(
        "numjobs",
        "N",
        "Clones: threads of a device, connections of a node (each with a volume of its own), committers or readers of a volume, sessions of a server. [default: 1]",
        |job, text| {
            job.numjobs = number(text, 1, 1000)? as u32;
            Ok(())
        }
    ),
    option!("runtime", "TIME", "How long is measured. [default: 10s]", |job, text| {
        job.runtime = time(text)?;
        Ok(())
    }),
    option!("ramp_time", "TIME", "Load before that, not measured. [default: 1s]", |job, text| {
        job.ramp_time = time(text)?;
        Ok(())
    }),
    option!(
        "rate",
        "BYTES",
        "Bytes a second of each clone. Operations have intended times then, and lat counts from these: what waits for its turn behind a slow one is not left out.",
        |job, text| {
            job.rate = Some(bytes(text)?);
            Ok(())
        }
    ),
    option!("rate_iops", "N", "The same in operations a second.", |job, text| {
        job.rate_iops = Some(number(text, 0, 100_000_000)?);
        Ok(())
    }),
    option!("rwmixread", "PERCENT", "Share of reads in rw and randrw. [default: 50]", |job, text| {
        job.rwmixread = number(text, 0, 100)? as u8;
        Ok(())
    }),
    option!("randseed", "N", "Same seed, same places. [default: 1]", |job, text| {
        job.randseed = number(text, 0, u64::MAX)?;
        Ok(())
    }),
    option!(
        "percentile_list",
        "LIST",
        "Percentiles shown, parted by colons. [default: fio's]",
        |job, text| {
            job.percentile_list = percentiles(text)?;
            Ok(())
        }
    ),
    option!("stonewall", "", "Begin when all jobs before have ended.", |job, text| {
        job.stonewall = flag(text)?;
        Ok(())
    }),
    option!(
        "server_pid",
        "PID,...",
        "Processes of the daemons or server, to report their CPU time; known for daemons started for the run.",
        |job, text| {
            job.server_pid = text
                .split(',')
                .map(|pid| Ok(number(pid, 1, 1 << 30)? as u32))
                .collect::<Result<_, String>>()?;
            Ok(())
        }
    ),
];

static DEVICE: &[JobOption] = &[
    option!(
        "filename",
        "PATH",
        "The file or block device. A file that is not there is made, size bytes of it, written in full. What a block device held is lost with rw=append.",
        |job, text| {
            job.filename = Some(PathBuf::from(text));
            Ok(())
        }
    ),
    option!(
        "ioengine",
        "ENGINE",
        "hexalog: the storage daemon's driver; sync: pread, pwrite and fdatasync; glommio, tokio-uring: those runtimes, if built with the features of that name. [default: hexalog]",
        |job, text| {
            job.ioengine = one_of(
                text,
                &[
                    ("hexalog", IoEngine::Hexalog),
                    ("sync", IoEngine::Sync),
                    ("glommio", IoEngine::Glommio),
                    ("tokio-uring", IoEngine::TokioUring),
                ],
            )?;
            Ok(())
        }
    ),
    option!("direct", "0|1", "O_DIRECT. [default: 1]", |job, text| {
        job.direct = flag(text)?;
        Ok(())
    }),
    option!(
        "fdatasync",
        "0|1",
        "Flush after each write, within its latency; 0 measures writes that a power cut may lose. [default: 1]",
        |job, text| {
            job.fdatasync = flag(text)?;
            Ok(())
        }
    ),
];

static NODE: &[JobOption] = &[
    option!("address", "ADDRESS:PORT", "The shard under test. [default: 127.0.0.1:7001]", |job, text| {
        job.address = address(text)?;
        Ok(())
    }),
    option!(
        "records_per_frame",
        "N",
        "Most records in one frame. What becomes sendable together goes out together, as from a writer's boxcar; 1 sends each in a frame of its own. [default: 128]",
        |job, text| {
            job.records_per_frame = number(text, 1, 1024)? as u32;
            Ok(())
        }
    ),
];

static VOLUME: &[JobOption] = &[
    option!(
        "data_dir",
        "DIR",
        "Directory of a running `hexalog local`, whose daemons are used. Without it and metadata six daemons are started for the run, in a scratch directory that is removed afterwards.",
        |job, text| {
            job.data_dir = Some(PathBuf::from(text));
            Ok(())
        }
    ),
    option!(
        "metadata",
        "FILE|URL",
        "The same by the metadata of any running cluster, as hexalog compute takes it.",
        |job, text| {
            job.metadata = Some(Location::parse(OsStr::new(text))?);
            Ok(())
        }
    ),
    option!(
        "volume",
        "NAME",
        "Name of the volume in a running cluster. Made if there is none, opened again if there is, which fences another benchmark that uses it; one that a compute has opened is refused. It stays afterwards. [default: bench]",
        |job, text| {
            job.volume = text.to_owned();
            Ok(())
        }
    ),
    option!(
        "groups",
        "N",
        "Protection groups of the volume; fixed when it is made. The pages are spread over them. [default: 1]",
        |job, text| {
            job.groups = Some(number(text, 1, 1024)? as u32);
            Ok(())
        }
    ),
    option!(
        "records_per_commit",
        "N",
        "Records of each commit, each to another page; together one mini-transaction. [default: 1]",
        |job, text| {
            job.records_per_commit = number(text, 1, 4096)? as u32;
            Ok(())
        }
    ),
    option!(
        "directory",
        "DIR",
        "Where the scratch directory is made; on the device that is to be measured. [default: .]",
        |job, text| {
            job.directory = PathBuf::from(text);
            Ok(())
        }
    ),
    option!("shards", "N", "Shards of each daemon that is started. [default: 1]", |job, text| {
        job.shards = number(text, 1, 64)? as u16;
        Ok(())
    }),
    option!(
        "log_bytes",
        "BYTES",
        "Log of each shard of a daemon that is started: written in full before the run. [default: 64m]",
        |job, text| {
            job.log_bytes = bytes(text)?;
            Ok(())
        }
    ),
    option!(
        "verify",
        "",
        "After the run read every page back and compare it with what was committed.",
        |job, text| {
            job.verify = flag(text)?;
            Ok(())
        }
    ),
];

static OUTLIERS: &[JobOption] = &[
    option!(
        "slow_node",
        "N=TIME",
        "Daemon N (1 to 6; 1 and 2 in zone a, and so on) answers this much later, all the time: 3=20ms.",
        |job, text| {
            let (node, delay) = pair(text, '=', "N=20ms")?;
            job.slow_node.push((number(node, 1, 6)? as u32, time(delay)?));
            Ok(())
        }
    ),
    option!(
        "kill_node",
        "N@TIME",
        "Daemon N is killed this long after measuring began: 3@10s.",
        |job, text| {
            let (node, at) = pair(text, '@', "N@10s")?;
            job.kill_node.push((number(node, 1, 6)? as u32, time(at)?));
            Ok(())
        }
    ),
    option!(
        "stop_az",
        "ZONE@TIME",
        "Both daemons of zone a, b or c fall silent then, their connections open: a@10s.",
        |job, text| {
            let (zone, at) = pair(text, '@', "a@10s")?;
            let zone = one_of(zone, &[("a", "a"), ("b", "b"), ("c", "c")])?;
            job.stop_az.push((zone.to_owned(), time(at)?));
            Ok(())
        }
    ),
];

static SQL: &[JobOption] = &[
    option!(
        "connect",
        "HOST:PORT",
        "The server; it must let the user in without a password. [default: 127.0.0.1:5433]",
        |job, text| {
            job.connect = address(text)?;
            Ok(())
        }
    ),
    option!("user", "NAME", "Who connects. [default: postgres]", |job, text| {
        job.user = text.to_owned();
        Ok(())
    }),
    option!(
        "dbname",
        "NAME",
        "Where to; the table hexalog_bench is made there anew, and removed. [default: postgres]",
        |job, text| {
            job.dbname = text.to_owned();
            Ok(())
        }
    ),
];

static ALWAYS_SO: &[JobOption] = &[
    option!("time_based", "", "A run always lasts runtime seconds.", always_so),
    option!("group_reporting", "", "Clones are always reported together.", always_so),
    option!("thread", "", "Clones are always threads, or connections of one.", always_so),
];

fn always_so(_: &mut Job, text: &str) -> Result<(), String> {
    if flag(text)? { Ok(()) } else { Err("this is always so here, and cannot be switched off".to_owned()) }
}

/// Every option, in the order of --help.
pub fn all() -> impl Iterator<Item = &'static JobOption> {
    SECTIONS.iter().flat_map(|(_, options)| *options)
}

/// Sets one option of a job.
pub fn set(job: &mut Job, name: &str, value: &str) -> Result<(), String> {
    let asked = name.replace('-', "_");
    let Some(option) = all().find(|option| option.name == asked) else {
        return Err(unknown(name));
    };
    if value.is_empty() && !option.value.is_empty() {
        return Err(format!("{}: a value is missing: {}={}", option.name, option.name, option.value));
    }
    (option.set)(job, value).map_err(|complaint| format!("{}: {complaint}", option.name))?;
    job.given.push((option.name, if value.is_empty() { "1".to_owned() } else { value.to_owned() }));
    Ok(())
}

/// The complaint about a name that no option has.
pub fn unknown(name: &str) -> String {
    match nearest(&name.replace('-', "_")) {
        Some(near) => format!("unknown option \"{name}\"; did you mean \"{near}\"?"),
        None => format!("unknown option \"{name}\"; hexalog-bench --help lists all"),
    }
}

/// The option whose name is at most two letters away.
fn nearest(name: &str) -> Option<&'static str> {
    let distances = all().map(|option| (distance(name, option.name), option.name));
    distances.min().filter(|(distance, _)| *distance <= 2).map(|(_, name)| name)
}

/// Letters to change, add or remove between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

fn one_of<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("\"{text}\" is not one of {}", names.join(", "))
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let found = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found.ok_or_else(|| format!("\"{text}\" is not an address with a port, such as 127.0.0.1:7001"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_either_dash_is_taken() {
        let mut names: Vec<&str> = all().map(|option| option.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let mut job = Job::default();
        set(&mut job, "ramp-time", "2").expect("known");
        set(&mut job, "ramp_time", "3").expect("known");
        assert_eq!(job.ramp_time.as_secs(), 3);
        assert_eq!(job.given, [("ramp_time", "2".to_owned()), ("ramp_time", "3".to_owned())]);
    }

    #[test]
    fn distances_count_letters() {
        for (a, b, expected) in
            [("bs", "bs", 0), ("iodpeth", "iodepth", 2), ("", "rw", 2), ("size", "side", 1)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
