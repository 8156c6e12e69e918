//! The daemons of a run: those of a running cluster, or six that are started in a scratch directory.

use super::delay::Delay;
use crate::options::Job;
use crate::shard::Caller;
use hexalog_cluster::catalog::Catalog;
use hexalog_cluster::{NodeRecord, Opening, SqliteMetadata};
use hexalog_protocol::message::Role;
use hexalog_protocol::{NodeId, ShardIndex};
use hexalogd::formatting::format;
use hexalogd::options::{DeviceOptions, FormatOptions};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Two daemons in each of three zones, as `hexalog local` has them.
const ZONES: [&str; 3] = ["a", "b", "c"];
const NODES: u16 = 6;
/// Below the range from which the kernel deals out ports, where one that is free now may be taken in a moment.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// The probe of the durability path and the writing of the first log piece take a second on a slow disk.
const START_MAX: Duration = Duration::from_secs(30);

/// Nodes by their bit.
#[derive(Default)]
struct Silent(AtomicU64);

impl Silent {
    fn add(&self, NodeId(node): NodeId) {
        self.0.fetch_or(1 << (node % 64), Ordering::Relaxed);
    }

    fn has(&self, NodeId(node): NodeId) -> bool {
        self.0.load(Ordering::Relaxed) & (1 << (node % 64)) != 0
    }
}

/// Daemons with their metadata.
pub struct Cluster {
    /// Their metadata.
    pub catalog: Catalog,
    /// By id.
    pub nodes: Vec<NodeRecord>,
    /// Daemons that were started; they end before their directory is removed.
    children: Vec<Child>,
    /// Nodes that were killed or stopped: nobody asks them anything.
    silent: Silent,
    /// In front of slow nodes.
    delays: Vec<Delay>,
    scratch: Option<TempDir>,
}

impl Cluster {
    /// The cluster of `--data-dir` or `--metadata`, or a scratch one.
    pub fn find_or_start(job: &Job, program: &Path) -> Result<Cluster, String> {
        let Some(metadata) = job.metadata() else { return Cluster::start(job, program) };
        let store = metadata.open(Opening::Existing).map_err(|error| error.to_string())?;
        let catalog = Catalog::new(store);
        let nodes = catalog.nodes().map_err(|error| error.to_string())?;
        if nodes.is_empty() {
            return Err(format!("{metadata} names no daemons"));
        }
        Ok(Cluster {
            catalog,
            nodes,
            children: Vec::new(),
            silent: Silent::default(),
            delays: Vec::new(),
            scratch: None,
        })
    }

    /// Starts six daemons in a scratch directory and waits until they answer.
    pub fn start(job: &Job, program: &Path) -> Result<Cluster, String> {
        let scratch = tempfile::Builder::new().prefix("hexalog-bench-").tempdir_in(&job.directory);
        let scratch = scratch
            .map_err(|error| format!("cannot make a directory in {}: {error}", job.directory.display()))?;
        let store = SqliteMetadata::open_or_create(&scratch.path().join("metadata.sqlite"));
        let catalog = Catalog::new(Arc::new(store.map_err(|error| error.to_string())?));
        let nodes = lay_out_nodes(job.shards)?;
        let mut cluster = Cluster {
            catalog,
            nodes,
            children: Vec::new(),
            silent: Silent::default(),
            delays: Vec::new(),
            scratch: Some(scratch),
        };
        for node in cluster.nodes.clone() {
            cluster.catalog.put_node(&node).map_err(|error| error.to_string())?;
            let listen = cluster.listen_address(&node, job)?;
            let child = cluster.start_daemon(&node, listen, job, program)?;
            cluster.children.push(child);
        }
        for index in 0..cluster.nodes.len() {
            cluster.wait_for_daemon(index)?;
        }
        Ok(cluster)
    }

    /// Where a daemon itself listens: a slow one's place in metadata is taken by what delays its answers.
    fn listen_address(&mut self, node: &NodeRecord, job: &Job) -> Result<SocketAddr, String> {
        let slow = job.slow_node.iter().find(|(slow, _)| NodeId(*slow) == node.node);
        let Some((_, delay)) = slow else { return Ok(SocketAddr::new(node.host, node.port)) };
        let port = free_ports(node.shards)?;
        for shard in 0..node.shards {
            let public = node.address(ShardIndex(shard)).expect("within the node's shards");
            self.delays.push(Delay::start(public, SocketAddr::new(node.host, port + shard), *delay)?);
        }
        Ok(SocketAddr::new(node.host, port))
    }

    /// Kills a daemon.
    pub fn kill_node(&self, node: NodeId) {
        self.harm(node, Signal::KILL);
    }

    /// Stops the daemons of a zone where they are: their connections stay open, and nothing comes from them.
    pub fn stop_zone(&self, zone: &str) {
        for node in self.nodes.iter().filter(|node| node.az == zone) {
            self.harm(node.node, Signal::STOP);
        }
    }

    fn harm(&self, node: NodeId, signal: Signal) {
        let Some(index) = self.nodes.iter().position(|known| known.node == node) else { return };
        self.silent.add(node);
        if let Some(child) = self.children.get(index) {
            // It may have ended by itself; then it is as silent.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// Whether a node was killed or stopped.
    pub fn is_silent(&self, node: NodeId) -> bool {
        self.silent.has(node)
    }

    fn start_daemon(
        &self,
        node: &NodeRecord,
        listen: SocketAddr,
        job: &Job,
        program: &Path,
    ) -> Result<Child, String> {
        let directory = self.scratch.as_ref().expect("daemons are started in a scratch directory").path();
        let cannot = |error: std::io::Error| format!("cannot start daemon {}: {error}", node.node);
        let log = File::create(directory.join(format!("node-{}.log", node.node))).map_err(cannot)?;
        let device = DeviceOptions {
            data_dir: Some(directory.join(format!("node-{}", node.node))),
            device: None,
            node: node.node.0,
            shards: Some(node.shards),
            device_bytes: None,
            log_bytes: Some(job.log_bytes),
            buffered: false,
        };
        let data_dir = device.place().to_owned();
        format(&FormatOptions { device, force: false }).map_err(|failure| failure.message)?;
        Command::new(program)
            .arg0("hexalogd")
            .args(["--node", &node.node.to_string(), "--az", &node.az, "--die-with-parent"])
            .args(["--listen", &listen.to_string()])
            .arg("--data-dir")
            .arg(data_dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(cannot)?)
            .stderr(log)
            .spawn()
            .map_err(cannot)
    }

    fn wait_for_daemon(&mut self, index: usize) -> Result<(), String> {
        let node = &self.nodes[index];
        let deadline = Instant::now() + START_MAX;
        for shard in 0..node.shards {
            let address = node.address(ShardIndex(shard)).expect("within the node's shards");
            while Caller::connect(address, Role::Tool).is_err() {
                let ended = self.children[index].try_wait().ok().flatten();
                if ended.is_some() || Instant::now() > deadline {
                    let log =
                        self.scratch.as_ref().map(|dir| dir.path().join(format!("node-{}.log", node.node)));
                    let words = log.and_then(|log| std::fs::read_to_string(log).ok()).unwrap_or_default();
                    return Err(format!("daemon {} does not start:\n{}", node.node, words.trim_end()));
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Ok(())
    }

    /// Every shard of every daemon, with its node.
    pub fn shard_addresses(&self) -> impl Iterator<Item = (NodeId, SocketAddr)> + '_ {
        self.nodes.iter().flat_map(|node| {
            let address = |shard| node.address(ShardIndex(shard)).expect("its own shard");
            (0..node.shards).map(move |shard| (node.node, address(shard)))
        })
    }

    /// Processes that were started.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(Child::id).collect()
    }

    /// For the report's first line.
    pub fn description(&self) -> &'static str {
        if self.scratch.is_some() { "own daemons" } else { "running daemons" }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn lay_out_nodes(shards: u16) -> Result<Vec<NodeRecord>, String> {
    let first_port = free_ports(NODES * shards)?;
    let node = |index: u16| NodeRecord {
        node: NodeId(u32::from(index) + 1),
        az: ZONES[usize::from(index) / 2].to_owned(),
        host: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: first_port + index * shards,
        shards,
        capacity_bytes: 0,
    };
    Ok((0..NODES).map(node).collect())
}

/// The first of `count` consecutive ports that can be listened on now, from a random place on.
fn free_ports(count: u16) -> Result<u16, String> {
    let span = PORTS.end - PORTS.start - count;
    let start = u16::from_le_bytes(crate::shard::random()?) % span;
    let mut candidates =
        (0..span).step_by(usize::from(count)).map(|step| PORTS.start + (start + step) % span);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let found = candidates.find(|first| (*first..first + count).all(is_free));
    found.ok_or_else(|| format!("no {count} free ports in a row in {PORTS:?}"))
}
