//! The node target against a real shard: real files, real sockets, real io_uring, in this process.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use clap::Parser;
use hexalog_bench::options::Options;
use hexalog_bench::{report, targets};
use hexalog_protocol::{DeviceId, NodeId, ShardIndex};
use hexalog_storage_core::options::ShardOptions;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::areas::{AREA_FILES, AreaFiles};
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_driver::shard_loop::ShardPlan;
use hexalog_storage_driver::thread::{Control, Notice, StopHandle, run_shards, wake_descriptor};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
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
        log_prepared_bytes: Arc::new(AtomicU64::new(LOG_BYTES)),
        start: Box::new(move |now, effects| Shard::start(options, now, effects)),
    };
    let handle = stop.clone();
    let thread = std::thread::spawn(move || run_shards(vec![plan], control, handle));
    let notice = notices.recv_timeout(Duration::from_secs(30)).expect("the shard starts");
    assert!(matches!(notice, Notice::Ready { .. }), "{notice:?}");
    (address, stop, thread)
}

#[test]
fn it_appends_to_a_real_shard_and_reports_what_the_shard_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (address, stop, thread) = start_shard(directory.path());
    for depth in ["--iodepth=8", "--iodepth=1"] {
        let arguments = ["--numjobs=3", "--runtime=1", "--ramp-time=0", "--pages=16", depth];
        let address = format!("--address={address}");
        let arguments =
            ["hexalog-bench", "--target=node", "--rw=append", &address].into_iter().chain(arguments);
        let options = Options::try_parse_from(arguments).unwrap();
        let run = targets::node::run(&options).expect("runs");
        let counted = |name| run.counters.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| *value);
        let measured = run.latencies_ns.len();
        assert!(measured > 0);
        // The shard's count is taken a moment before and after ours; what is in flight then makes the difference.
        let window = u64::from(options.iodepth) * 3 * 2;
        assert!(
            counted("records").abs_diff(measured) <= window,
            "{measured} measured, {} counted",
            counted("records")
        );
        assert!(counted("appends") > 0 && counted("append_bytes") >= measured * 256);
        let text = report::text(&run);
        assert!(text.contains("IOPS=") && text.contains("99.00th="), "{text}");
    }
    stop.stop();
    thread.join().unwrap();
}

#[test]
fn a_shard_that_is_not_there_is_an_error() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = Options::try_parse_from(["hexalog-bench", &format!("--address={nobody}")]).unwrap();
    assert!(targets::node::run(&options).unwrap_err().contains("cannot connect"));
}
