//! The daemon's life: checks, directory, listeners, threads, ready, stop.

use crate::checks::{check_io_uring, follow_parent, raise_descriptor_limit, ring_failure};
use crate::device::{Device, ShardAreas};
use crate::exit::{Code, Failure};
use crate::geometry::Geometry;
use crate::listeners;
use crate::log;
use crate::options::{Durability, Options, Pin};
use crate::threads::{GrowingExtents, LogPreparation, ShardThreads, SpaceKeeper, UnpreparedLog, cores};
use hexalog_protocol::ShardIndex;
use hexalog_storage_core::effects::Area;
use hexalog_storage_core::shard::Shard;
use hexalog_storage_driver::durability::DurabilityPath;
use hexalog_storage_driver::shard_loop::ShardPlan;
use hexalog_storage_driver::signals::{Termination, TerminationSignals};
use hexalog_storage_driver::space::Space;
use hexalog_storage_driver::thread::{Control, Notice, wake_descriptor};
use rustix::event::{PollFd, PollFlags, poll};
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel};

/// Runs the daemon until it is told to stop.
pub fn run(options: Options) -> Result<(), Failure> {
    let fail = |what: &str, error: std::io::Error| Failure::new(Code::Failed, format!("{what}: {error}"));
    // Before any thread is started: all inherit the mask.
    let signals = TerminationSignals::block().map_err(|error| fail("cannot block signals", error))?;
    if options.die_with_parent {
        follow_parent()?;
    }
    listeners::check_address(options.listen, options.insecure_no_auth)?;
    raise_descriptor_limit();
    check_io_uring()?;
    let node = options.device.node;
    log::line(node, &format!("az {} starts on {}", options.az, options.device.place().display()));
    let (device, geometry) = Device::open(&options.device)?;
    let listeners = listeners::bind(options.listen, geometry.shards())?;
    let path = durability_path(&options, &device)?;

    let (sender, notices) = channel();
    let wake = wake_descriptor().map_err(|error| fail("cannot make an eventfd", error))?;
    let control = Control::new(Arc::new(move |text: &str| log::line(node, text)), sender, wake.clone());
    let addresses = addresses(&listeners)?;
    let (wants, wishes) = SpaceKeeper::wishes();
    let planned = plan_shards(&options, &device, &geometry, path, listeners, &addresses, &wants)?;
    let Planned { plans, unprepared, growing } = planned;
    let threads = thread_count(&options, plans.len());
    let pin = options.pin == Pin::On || (options.pin == Pin::Auto && threads > 1);
    let threads = ShardThreads::start(plans, threads, pin, node, &control)?;
    let preparation = LogPreparation::start(unprepared, &control);
    let keeper = SpaceKeeper::start(wants, wishes, growing, &control)?;
    let supervision = Supervision { options, addresses, threads, signals, notices, wake };
    let ended = supervision.run();
    drop(preparation);
    drop(keeper);
    ended?;
    log::line(node, "stopped");
    Ok(())
}

fn thread_count(options: &Options, shards: usize) -> usize {
    let most = options.threads.map(usize::from).unwrap_or_else(|| cores().len());
    shards.min(most).max(1)
}

fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, Failure> {
    let addresses: std::io::Result<Vec<_>> = listeners.iter().map(TcpListener::local_addr).collect();
    addresses.map_err(|error| Failure::new(Code::Failed, format!("a bound socket has no address: {error}")))
}

fn durability_path(options: &Options, device: &Device) -> Result<DurabilityPath, Failure> {
    let (path, why) = match options.durability {
        Durability::Fsync => (DurabilityPath::LinkedFlush, "as asked".to_owned()),
        Durability::Dsync => (DurabilityPath::DsyncWrite, "as asked".to_owned()),
        Durability::DsyncThread => (DurabilityPath::DsyncThread, "as asked".to_owned()),
        Durability::Auto => {
            match device.probe(!options.device.buffered) {
                Ok(report) => (report.path, report.to_string()),
                // What is there must be served all the same, and space freed.
                Err(error) if Failure::io("write", device.place(), &error).code == Code::NoSpace => {
                    (DurabilityPath::LinkedFlush, format!("without a probe: {error}"))
                }
                Err(error) => return Err(Failure::io("write", device.place(), &error)),
            }
        }
    };
    let name = match path {
        DurabilityPath::LinkedFlush => "linked fsync",
        DurabilityPath::DsyncWrite => "RWF_DSYNC",
        DurabilityPath::DsyncThread => "writer thread with RWF_DSYNC",
    };
    log::line(options.device.node, &format!("appends become durable by {name} ({why})"));
    Ok(path)
}

/// How to run the shards, and what is to be done for their areas beside them.
#[derive(Default)]
struct Planned {
    plans: Vec<ShardPlan<Shard>>,
    unprepared: Vec<UnpreparedLog>,
    growing: Vec<GrowingExtents>,
}

/// Opens every shard's files and says how to run it.
fn plan_shards(
    options: &Options,
    device: &Device,
    geometry: &Geometry,
    durability: DurabilityPath,
    listeners: Vec<TcpListener>,
    addresses: &[SocketAddr],
    wants: &SyncSender<()>,
) -> Result<Planned, Failure> {
    let ports: Vec<u16> = addresses.iter().map(SocketAddr::port).collect();
    let mut planned = Planned::default();
    for (index, listener) in listeners.into_iter().enumerate() {
        let shard = ShardIndex(index as u16);
        let areas = device.areas(geometry, shard, !options.device.buffered)?;
        let ShardAreas { files, log_prepared_bytes: from, extents_backed_bytes: backed } = areas;
        let fail = |error: &std::io::Error| Failure::io("open", device.place(), error);
        let space = Arc::new(Space::new(from, backed, geometry.extents_bytes));
        if backed < geometry.extents_bytes {
            planned.growing.push(GrowingExtents {
                file: files.file(Area::Extents).try_clone().map_err(|error| fail(&error))?,
                space: space.clone(),
                extents_bytes: geometry.extents_bytes,
            });
        }
        if from < geometry.log_bytes {
            planned.unprepared.push(UnpreparedLog {
                file: files.file(Area::Log).try_clone().map_err(|error| fail(&error))?,
                space: space.clone(),
                from,
                log_bytes: geometry.log_bytes,
                piece_bytes: geometry.log_piece_bytes(),
            });
        }
        let incarnation = getrandom::u64()
            .map_err(|error| Failure::new(Code::Failed, format!("no random numbers: {error}")))?
            .max(1);
        let mut shard_options = geometry.shard_options(shard, incarnation);
        shard_options.log_prepared_bytes = from;
        shard_options.extents_backed_bytes = backed;
        shard_options.shard_ports = ports.clone();
        shard_options.scrub_period_us = u64::from(options.scrub_hours) * 3_600_000_000;
        let start = Box::new(move |now, effects: &mut _| Shard::start(shard_options, now, effects));
        let wants = wants.clone();
        let want_space = Box::new(move || {
            // Full: it has been told already.
            let _ = wants.try_send(());
        });
        planned.plans.push(ShardPlan { index: shard, files, durability, listener, space, want_space, start });
    }
    Ok(planned)
}

/// The control thread's view of the running shard threads.
struct Supervision {
    options: Options,
    addresses: Vec<SocketAddr>,
    threads: ShardThreads,
    signals: TerminationSignals,
    notices: Receiver<Notice>,
    wake: Arc<OwnedFd>,
}

impl Supervision {
    /// Waits for signals and notices until the end.
    fn run(self) -> Result<(), Failure> {
        let node = self.options.device.node;
        let shards = self.addresses.len();
        let (mut ready, mut halted) = (BTreeSet::new(), BTreeSet::new());
        let mut failure = None;
        let (mut running, mut is_clean, mut stopping) = (self.threads.count(), true, false);
        while running > 0 {
            let signal = self.wait();
            if let Some(signal) = signal {
                let name = if signal == Termination::Interrupt { "SIGINT" } else { "SIGTERM" };
                log::line(node, &format!("{name}: stops"));
                stopping = true;
                self.threads.stop();
            }
            while let Ok(notice) = self.notices.try_recv() {
                match notice {
                    Notice::Ready { shard } => {
                        ready.insert(shard);
                        if ready.len() + halted.len() == shards && !stopping {
                            self.log_ready(halted.len());
                        }
                    }
                    Notice::Halted { shard, reads_go_on: false, reason } => {
                        halted.insert(shard);
                        if halted.len() == shards {
                            failure = Some(Failure::new(Code::DeviceFailed, reason));
                            self.threads.stop();
                        }
                    }
                    Notice::Halted { .. } => {}
                    Notice::Stopped { clean } => {
                        running -= 1;
                        is_clean &= clean;
                    }
                    Notice::ThreadFailed(error) => {
                        running -= 1;
                        failure = Some(ring_failure(&error));
                        self.threads.stop();
                    }
                    // Its invariants are broken; what the others hold is durable without a clean stop.
                    Notice::ThreadPanicked => {
                        let code = Code::Bug;
                        log::line(node, "a shard thread panicked: this is a bug, please report it");
                        std::process::exit(code as i32);
                    }
                }
            }
        }
        self.threads.join();
        match failure {
            Some(failure) => Err(failure),
            None if !is_clean => Err(Failure::new(
                Code::Unclean,
                "stopped, but something was still in flight: the device or a client does not answer",
            )),
            None => Ok(()),
        }
    }

    /// Waits until a signal or a notice has come.
    fn wait(&self) -> Option<Termination> {
        let signals = self.signals.descriptor();
        let mut sources = [PollFd::new(&signals, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
        // Interrupted by a signal that is not blocked: looked at again by the caller's loop.
        let _ = poll(&mut sources, None);
        if sources[1].revents().contains(PollFlags::IN) {
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        }
        self.signals.next()
    }

    fn log_ready(&self, halted: usize) {
        let addresses: Vec<_> = self.addresses.iter().map(SocketAddr::to_string).collect();
        let but =
            if halted > 0 { format!(", but for shards that cannot go on: {halted}") } else { String::new() };
        log::line(
            self.options.device.node,
            &format!("az {} ready on {}{but}", self.options.az, addresses.join(" ")),
        );
    }
}
