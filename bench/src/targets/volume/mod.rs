//! A volume over six storage daemons, through the client that compute uses: commits, and page reads.
//!
//! Owns the order of a run. The daemons come from a running cluster's metadata or are started in a scratch directory
//! ([`cluster`]); the volume is the benchmark's own ([`opening`]); what its pages hold stands in [`pages`], and the two
//! loads in [`commit`] and [`read`]. Load and driver share one thread, as worker 0 of compute does.

pub mod cluster;
pub mod commit;
pub mod opening;
pub mod pages;
pub mod read;

mod listener;

use crate::cpu::CpuTime;
use crate::options::{Options, ReadWrite};
use crate::report::Run;
use crate::shard::{Probe, difference};
use cluster::Cluster;
use hdrhistogram::Histogram;
use hexalog_volume::SharedClient;
use hexalog_volume::client::Counters;
use hexalog_volume_driver::{State, Traffic};
use opening::OpenVolume;
use std::path::Path;
use std::time::{Duration, Instant};

/// Without any completion for this long the run has failed.
const STALL_MAX: Duration = Duration::from_secs(10);

/// Runs the load. Daemons that must be started are `program` under the name hexalogd. Errors are for people.
pub fn run(options: &Options, program: &Path) -> Result<Run, String> {
    let cluster = Cluster::find_or_start(options, program)?;
    run_on(options, &cluster)
}

/// Runs the load on a cluster that is there.
pub fn run_on(options: &Options, cluster: &Cluster) -> Result<Run, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(measure(options, cluster))
}

async fn measure(options: &Options, cluster: &Cluster) -> Result<Run, String> {
    let volume = opening::open(options, cluster).await?;
    let mut probes = cluster.shard_addresses().map(Probe::connect).collect::<Result<Vec<_>, _>>()?;
    let mut load = Load::new(options, volume).await?;
    load.run_for(Duration::from_secs(options.ramp_time.into())).await?;
    load.latencies_ns.reset();
    let before = Snapshot::take(options, cluster, &mut probes, &load)?;
    let begin = Instant::now();
    load.run_for(Duration::from_secs(options.runtime.into())).await?;
    let elapsed = begin.elapsed();
    let after = Snapshot::take(options, cluster, &mut probes, &load)?;
    let latencies_ns = std::mem::replace(&mut load.latencies_ns, histogram());
    load.drain().await?;
    let verified = if options.verify { Some(load.verify().await?) } else { None };
    load.volume.handle.close();
    if latencies_ns.is_empty() {
        return Err("nothing was completed".to_owned());
    }
    let mut lines = vec![sent_line(&before, &after, latencies_ns.len(), load.volume.members)];
    lines.extend(verified.map(|pages| format!("verified: {pages} pages hold what was committed")));
    Ok(Run {
        title: title(options, &load.volume, cluster),
        load: name(options),
        unit: if options.load() == ReadWrite::Commit { "commit" } else { "read" },
        bytes_each: bytes_each(options),
        elapsed,
        latencies_ns,
        server_cpu: after.server_cpu.zip(before.server_cpu).map(|(after, before)| after.since(before)),
        own_cpu: after.own_cpu.since(before.own_cpu),
        lines,
        counters: difference(&before.counters, &after.counters),
    })
}

fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are possible")
}

fn name(options: &Options) -> &'static str {
    if options.load() == ReadWrite::Commit { "commit" } else { "randread" }
}

fn bytes_each(options: &Options) -> u64 {
    match options.load() {
        ReadWrite::Commit => u64::from(options.bs) * u64::from(options.records_per_commit),
        _ => hexalog_protocol::PAGE_SIZE as u64,
    }
}

fn title(options: &Options, volume: &OpenVolume, cluster: &Cluster) -> String {
    let Options { bs, numjobs, iodepth, records_per_commit, .. } = options;
    let (groups, members) = (volume.groups, volume.members);
    let place = cluster.description();
    let load = match options.load() {
        ReadWrite::Commit => format!("records-per-commit={records_per_commit}, bs={bs}B, "),
        _ => format!("pages={}, ", options.pages),
    };
    format!(
        "{}: target=volume ({place}), {groups} groups x {members} members, {load}numjobs={numjobs}, iodepth={iodepth}",
        name(options)
    )
}

/// What the volume client sent. Frames go to each member; records travel once in a frame of each.
fn sent_line(before: &Snapshot, after: &Snapshot, count: u64, members: usize) -> String {
    let frames = after.client.frames_sent - before.client.frames_sent;
    let records = after.client.records - before.client.records;
    let traffic = |of: fn(&Traffic) -> u64| of(&after.traffic) - of(&before.traffic);
    let (sends, bytes) = (traffic(|t| t.sends), traffic(|t| t.bytes_sent));
    let (receives, received) = (traffic(|t| t.receives), traffic(|t| t.bytes_received));
    let each = |total: u64| total as f64 / count.max(1) as f64;
    let per_frame = (records * members as u64) as f64 / frames.max(1) as f64;
    format!(
        "sent: frames={frames} ({per_frame:.1} records each), sends={sends} ({:.2} each), bytes={bytes} ({:.0} each); \
         received: receives={receives} ({:.2} each), bytes={received} ({:.0} each)",
        each(sends),
        each(bytes),
        each(receives),
        each(received),
    )
}

/// What counts up in the background of a run.
struct Snapshot {
    counters: Vec<(String, u64)>,
    server_cpu: Option<CpuTime>,
    own_cpu: CpuTime,
    client: Counters,
    traffic: Traffic,
}

impl Snapshot {
    fn take(
        options: &Options,
        cluster: &Cluster,
        probes: &mut [Probe],
        load: &Load,
    ) -> Result<Snapshot, String> {
        let mut counters: Vec<(String, u64)> = Vec::new();
        for probe in probes {
            for (name, value) in probe.counters()? {
                match counters.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += value,
                    None => counters.push((name, value)),
                }
            }
        }
        let pids = if options.server_pid.is_empty() { cluster.pids() } else { options.server_pid.clone() };
        Ok(Snapshot {
            counters,
            server_cpu: CpuTime::of_all(&pids),
            own_cpu: CpuTime::of(std::process::id()).unwrap_or_default(),
            client: load.volume.handle.client().counters(),
            traffic: load.volume.handle.traffic(),
        })
    }
}

enum Work {
    Commit(commit::Committers),
    Read(read::Readers),
}

/// The open volume under load.
struct Load {
    volume: OpenVolume,
    work: Work,
    clock: Instant,
    latencies_ns: Histogram<u64>,
}

impl Load {
    async fn new(options: &Options, mut volume: OpenVolume) -> Result<Load, String> {
        let pages = pages::load(options, &mut volume).await?;
        let mut committers = commit::Committers::new(options, pages);
        let work = match options.load() {
            ReadWrite::Randread => {
                committers.lay_out(&mut volume).await?;
                Work::Read(read::Readers::new(options, committers.into_pages()))
            }
            _ => Work::Commit(committers),
        };
        Ok(Load { volume, work, clock: Instant::now(), latencies_ns: histogram() })
    }

    /// Keeps everyone busy for a time.
    async fn run_for(&mut self, duration: Duration) -> Result<(), String> {
        let end = Instant::now() + duration;
        let mut last = Instant::now();
        while Instant::now() < end {
            let completed = self.turn(true)?;
            if completed > 0 {
                last = Instant::now();
            } else if last.elapsed() > STALL_MAX {
                return Err(self.stalled());
            }
            self.volume.wait_until(end.min(Instant::now() + STALL_MAX / 10)).await;
        }
        Ok(())
    }

    /// Waits for what is under way.
    async fn drain(&mut self) -> Result<(), String> {
        let end = Instant::now() + STALL_MAX;
        while self.outstanding() > 0 {
            self.turn(false)?;
            if Instant::now() > end {
                return Err(self.stalled());
            }
            self.volume.wait_until(Instant::now() + Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Takes what is done and, if asked, begins as much anew. Returns how many were done.
    fn turn(&mut self, is_going_on: bool) -> Result<u64, String> {
        if self.volume.handle.state() != State::Open {
            return Err("another process has opened the volume".to_owned());
        }
        let now_ns = self.clock.elapsed().as_nanos() as u64;
        let latencies = &mut self.latencies_ns;
        let mut on_done = |began_ns: u64| {
            latencies.record(now_ns.saturating_sub(began_ns)).expect("the histogram grows by itself");
        };
        match &mut self.work {
            Work::Commit(committers) => {
                let done = committers.take_durable(self.volume.handle.vdl(), &mut on_done);
                if is_going_on {
                    committers.fill(&self.volume.handle, now_ns);
                }
                Ok(done)
            }
            Work::Read(readers) => {
                let done = readers.take_answers(self.volume.listener.take_pages(), &mut on_done)?;
                if is_going_on {
                    readers.fill(&self.volume.handle, now_ns);
                }
                Ok(done)
            }
        }
    }

    fn outstanding(&self) -> usize {
        match &self.work {
            Work::Commit(committers) => committers.outstanding(),
            Work::Read(readers) => readers.outstanding(),
        }
    }

    fn stalled(&self) -> String {
        let why = self.volume.handle.client().quorum_lost();
        let why = why.unwrap_or_else(|| "storage does not answer".to_owned());
        format!("nothing was completed for {} s: {why}", STALL_MAX.as_secs())
    }

    async fn verify(&mut self) -> Result<u64, String> {
        let pages = match &self.work {
            Work::Commit(committers) => committers.pages(),
            Work::Read(readers) => readers.pages(),
        };
        pages::verify(pages, &mut self.volume).await
    }
}
