//! A volume over six storage daemons, through the client that compute uses: commits, and page reads.
//!
//! The daemons come from a running cluster's metadata or are started in a scratch directory ([`cluster`]), where they
//! can come to harm ([`delay`]); the volume is the benchmark's own ([`opening`]); what its pages hold stands in
//! [`pages`], commits in [`commit`]. Load and driver share one thread, as worker 0 of compute does.

pub mod cluster;
pub mod commit;
pub mod delay;
pub mod opening;
pub mod pages;

mod listener;

use super::Prepared;
use crate::cpu::{CpuTime, Usage};
use crate::load::{Direction, Engine, Observer, Operation, Snapshot};
use crate::options::Job;
use crate::shard::Probe;
use cluster::Cluster;
use commit::Committers;
use hexalog_protocol::{NodeId, PageId};
use hexalog_volume::SharedClient;
use hexalog_volume_driver::{Handle, State};
use opening::OpenVolume;
use pages::Pages;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A cluster that is there.
pub struct Volume<'a> {
    job: &'a Job,
    cluster: Cluster,
    /// Of the open volume, for the observer.
    handle: OnceLock<Handle>,
}

/// Finds the cluster, or starts one. Daemons are `program` under the name hexalogd.
pub fn prepare<'a>(job: &'a Job, program: &Path) -> Result<Volume<'a>, String> {
    Ok(over(job, Cluster::find_or_start(job, program)?))
}

/// Over a cluster that is there.
pub fn over(job: &Job, cluster: Cluster) -> Volume<'_> {
    Volume { job, cluster, handle: OnceLock::new() }
}

impl Volume<'_> {
    /// Gives the cluster back.
    pub fn into_cluster(self) -> Cluster {
        self.cluster
    }
}

impl Prepared for Volume<'_> {
    fn workers(&self) -> usize {
        1
    }

    fn units(&self) -> u64 {
        self.job.units()
    }

    fn description(&self) -> String {
        let Job { records_per_commit, groups, .. } = self.job;
        let (place, groups) = (self.cluster.description(), groups.unwrap_or(1));
        let pages = self.job.units();
        format!("{place}, groups={groups}, pages={pages}, records_per_commit={records_per_commit}")
    }

    fn unit_name(&self) -> &'static str {
        "commit"
    }

    fn engine(&self, _clones: Range<usize>) -> Result<Box<dyn Engine + '_>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        let (volume, pages, committers) = runtime.block_on(async {
            let mut volume = opening::open(self.job, &self.cluster).await?;
            let mut pages = pages::load(self.job, &mut volume).await?;
            let mut committers = Committers::new(self.job);
            if self.job.load().reads() {
                committers.lay_out(&mut pages, &mut volume).await?;
            }
            Ok::<_, String>((volume, pages, committers))
        })?;
        if self.handle.set(volume.handle.clone()).is_err() {
            return Err("a volume has one engine".to_owned());
        }
        let verify = self.job.verify;
        Ok(Box::new(Open { runtime, volume, pages, committers, reading: HashMap::new(), verify }))
    }

    fn observer(&self) -> Result<Box<dyn Observer + '_>, String> {
        let addresses = self.cluster.shard_addresses();
        let connect = |(node, address)| Ok((node, Probe::connect(address)?));
        let probes = addresses.map(connect).collect::<Result<Vec<(NodeId, Probe)>, String>>()?;
        let handle = self.handle.get().ok_or("the volume is not open")?;
        Ok(Box::new(VolumeObserver { job: self.job, cluster: &self.cluster, probes, handle }))
    }

    /// What the volume client sent. Frames go to each member; records travel once in a frame of each.
    fn lines(&self, ios: u64, before: &Snapshot, after: &Snapshot) -> Vec<String> {
        let of = |snapshot: &Snapshot, name: &str| {
            snapshot.traffic.iter().find(|(known, _)| *known == name).map_or(0, |(_, value)| *value)
        };
        let risen = |name: &str| of(after, name).saturating_sub(of(before, name));
        let each = |total: u64| total as f64 / ios.max(1) as f64;
        let members = self.cluster.nodes.len().min(6) as u64;
        let (frames, sends, bytes) = (risen("frames"), risen("sends"), risen("bytes_sent"));
        let (receives, received) = (risen("receives"), risen("bytes_received"));
        let mut lines = vec![format!(
            "sent: frames={frames} ({:.1} records each), sends={sends} ({:.2} each), bytes={bytes} ({:.0} each); \
             received: receives={receives} ({:.2} each), bytes={received} ({:.0} each)",
            (risen("records") * members) as f64 / frames.max(1) as f64,
            each(sends),
            each(bytes),
            each(receives),
            each(received),
        )];
        let (reads, requests) = (risen("reads"), risen("read_requests"));
        if reads > 0 {
            let hedges = risen("hedges");
            let percent = 100.0 * hedges as f64 / reads as f64;
            lines.push(format!("reads: {reads} in {requests} requests, {hedges} hedges ({percent:.2}%)"));
        }
        lines
    }

    fn cluster(&self) -> Option<&Cluster> {
        Some(&self.cluster)
    }
}

struct VolumeObserver<'a> {
    job: &'a Job,
    cluster: &'a Cluster,
    probes: Vec<(NodeId, Probe)>,
    handle: &'a Handle,
}

impl Observer for VolumeObserver<'_> {
    fn snapshot(&mut self) -> Result<Snapshot, String> {
        let mut counters: Vec<(String, u64)> = Vec::new();
        for (node, probe) in &mut self.probes {
            let own = if self.cluster.is_silent(*node) { probe.last().to_vec() } else { probe.counters()? };
            for (name, value) in own {
                match counters.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += value,
                    None => counters.push((name, value)),
                }
            }
        }
        let pids = &self.job.server_pid;
        let pids = if pids.is_empty() { self.cluster.pids() } else { pids.clone() };
        let (client, traffic) = (self.handle.client().counters(), self.handle.traffic());
        Ok(Snapshot {
            counters,
            server_cpu: CpuTime::of_all(&pids),
            own: Usage::own(),
            traffic: vec![
                ("records", client.records),
                ("frames", client.frames_sent),
                ("reads", client.reads),
                ("read_requests", client.read_requests),
                ("hedges", client.hedges),
                ("sends", traffic.sends),
                ("bytes_sent", traffic.bytes_sent),
                ("receives", traffic.receives),
                ("bytes_received", traffic.bytes_received),
            ],
        })
    }
}

/// The open volume.
struct Open {
    runtime: Runtime,
    volume: OpenVolume,
    pages: Pages,
    committers: Committers,
    /// By page: its index, and the slots that want it.
    reading: HashMap<PageId, (usize, VecDeque<usize>)>,
    verify: bool,
}

impl Open {
    fn take_done(&mut self, done: &mut Vec<usize>) -> Result<(), String> {
        if self.volume.handle.state() != State::Open {
            return Err("another process has opened the volume".to_owned());
        }
        self.committers.take_durable(self.volume.handle.vdl(), done);
        for (page, read_point, image) in self.volume.listener.take_pages() {
            let waiting = self.reading.get_mut(&page);
            let (index, slot) = waiting
                .and_then(|(index, slots)| Some((*index, slots.pop_front()?)))
                .ok_or_else(|| format!("page {page} was not asked for"))?;
            self.pages.check(index, read_point, &image)?;
            done.push(slot);
        }
        Ok(())
    }
}

impl Engine for Open {
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String> {
        match operation.direction {
            Direction::Write => self.committers.start(slot),
            Direction::Read => {
                let index = operation.unit as usize;
                let (page, vdl) = (self.pages.id(index), self.volume.handle.vdl());
                self.volume.handle.read(page, vdl);
                self.reading.entry(page).or_insert((index, VecDeque::new())).1.push_back(slot);
            }
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<(), String> {
        self.committers.append(&mut self.pages, &self.volume.handle);
        Ok(())
    }

    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
        self.take_done(done)?;
        if done.is_empty() {
            // The driver's task runs in here.
            self.runtime.block_on(self.volume.wait_until(Instant::now() + timeout));
            self.take_done(done)?;
        }
        Ok(())
    }

    /// What is appended goes out in the driver's turn: that is the wait, not the submission.
    fn has_submission(&self) -> bool {
        false
    }

    fn stalled(&self) -> Option<String> {
        self.volume.handle.client().quorum_lost()
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        if self.verify {
            let verified = self.runtime.block_on(pages::verify(&self.pages, &mut self.volume))?;
            lines.push(format!("verified: {verified} pages hold what was committed"));
        }
        self.volume.handle.close();
        Ok(lines)
    }
}
