//! The node target against a real shard: real files, real sockets, real io_uring, in this process.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use hexalog_bench::load::Direction;
use hexalog_bench::options::{Job, table};
use hexalog_bench::run::{JobRun, run_prepared};
use hexalog_bench::shard::difference;
use hexalog_bench::{report, targets};
use hexalog_protocol::{DeviceId, NodeId, ShardIndex};
use hexalog_storage_core::options::ShardOptions;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::areas::{AREA_FILES, AreaFiles};
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_driver::shard_loop::ShardPlan;
use hexalog_storage_driver::space::Space;
use hexalog_storage_driver::thread::{Control, Notice, StopHandle, run_shards, wake_descriptor};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

const LOG_BYTES: u64 = 16 << 20;
const EXTENTS_BYTES: u64 = 64 << 20;

/// Starts a shard in `directory`; its address, and what stops it.
fn start_shard(directory: &Path) -> (SocketAddr, StopHandle, JoinHandle<()>) {
    let options = ShardOptions::new(NodeId(1), ShardIndex(0), LOG_BYTES, EXTENTS_BYTES, 1);
    for (_, name) in AREA_FILES {
        let bytes = match name {
            "superblock" => Shard::format(DeviceId(7), &options).bytes().to_vec(),
            "log" => vec![0; LOG_BYTES as usize],
            _ => vec![0; EXTENTS_BYTES as usize],
        };
        std::fs::write(directory.join(name), bytes).unwrap();
    }
    let files = AreaFiles::open(directory, true).or_else(|_| AreaFiles::open(directory, false)).unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let listener = TcpListener::from(socket);
    let address = listener.local_addr().unwrap();
    let (sender, notices) = channel();
    let log = Arc::new(|line: &str| eprintln!("shard: {line}"));
    let control = Control::new(log, sender, wake_descriptor().unwrap());
    let stop = StopHandle::new().unwrap();
    let plan = ShardPlan {
        index: ShardIndex(0),
        files,
        durability: DurabilityPath::LinkedFlush,
        listener,
        space: Arc::new(Space::new(LOG_BYTES, EXTENTS_BYTES, EXTENTS_BYTES)),
        want_space: Box::new(|| {}),
        start: Box::new(move |now, effects| Shard::start(options, now, effects)),
    };
    let handle = stop.clone();
    let thread = std::thread::spawn(move || run_shards(vec![plan], control, handle));
    let notice = notices.recv_timeout(Duration::from_secs(30)).expect("the shard starts");
    assert!(matches!(notice, Notice::Ready { .. }), "{notice:?}");
    (address, stop, thread)
}

fn job(options: &[(&str, &str)]) -> Job {
    let mut job = Job::default();
    options.iter().for_each(|(name, value)| table::set(&mut job, name, value).unwrap());
    job.check().unwrap();
    job
}

fn measured(run: &JobRun, direction: Direction) -> u64 {
    run.sides[direction as usize].ios
}

#[test]
fn it_appends_to_a_real_shard_and_reports_what_the_shard_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (address, stop, thread) = start_shard(directory.path());
    for depth in ["8", "1"] {
        let address = address.to_string();
        let options = [("numjobs", "3"), ("runtime", "1"), ("ramp_time", "0"), ("size", "128k")];
        let job = job(&[&[("address", address.as_str()), ("iodepth", depth)], &options[..]].concat());
        let run = run_prepared(&job, &targets::node::prepare(&job)).expect("runs");
        let counted = |name| {
            let risen = difference(&run.before.counters, &run.after.counters);
            risen.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| *value)
        };
        let measured = measured(&run, Direction::Write);
        assert!(measured > 0);
        // The shard's count is taken a moment before and after ours; what is in flight then makes the difference.
        let window = u64::from(job.iodepth) * 3 * 2;
        assert!(
            counted("records").abs_diff(measured) <= window,
            "{measured} measured, {} counted",
            counted("records")
        );
        assert!(counted("appends") > 0 && counted("append_bytes") >= measured * 256);
        let of_seconds: u64 = run.seconds.iter().map(|second| second[Direction::Write as usize].len()).sum();
        assert_eq!(of_seconds, measured, "every operation is in one second");
        let text = report::normal::text(&[run]);
        assert!(text.contains("IOPS=") && text.contains("99.00th="), "{text}");
    }
    stop.stop();
    thread.join().unwrap();
}

#[test]
fn pages_are_laid_out_and_read_while_others_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let (address, stop, thread) = start_shard(directory.path());
    let address = address.to_string();
    for load in ["randread", "read", "rw"] {
        let options =
            [("numjobs", "2"), ("iodepth", "4"), ("runtime", "1"), ("ramp_time", "0"), ("size", "1m")];
        let job = job(&[&[("address", address.as_str()), ("rw", load)], &options[..]].concat());
        let run = run_prepared(&job, &targets::node::prepare(&job)).expect("runs");
        assert!(measured(&run, Direction::Read) > 0, "{load}");
        assert_eq!(measured(&run, Direction::Write) > 0, load == "rw");
    }
    stop.stop();
    thread.join().unwrap();
}

#[test]
fn a_shard_that_is_not_there_is_an_error() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let job = job(&[("address", nobody.to_string().as_str())]);
    assert!(run_prepared(&job, &targets::node::prepare(&job)).unwrap_err().contains("cannot connect"));
}
