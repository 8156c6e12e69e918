//! Starting the processes of a local cluster in order, watching them, stopping them in reverse.

use super::VOLUME;
use super::child::{Child, ChildSpec, Kind, describe, quote};
use super::creation;
use super::data_dir::DataDir;
use crate::cli::LocalArgs;
use crate::compute::cores;
use crate::exit::{Code, Failure};
use crate::sql::{ClientError, Connection};
use crate::storage_client::ShardConnection;
use hexalog_cluster::NodeRecord;
use hexalog_protocol::ShardIndex;
use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a daemon may take to be ready: a full log is scanned at a few hundred MiB/s.
const DAEMON_START_MAX: Duration = Duration::from_secs(30);
/// How long compute may take to answer; it waits for storage itself and says so in its log.
const COMPUTE_START_MAX: Duration = Duration::from_secs(60);
/// How long a child may take to stop before it is killed. Both kinds lose nothing by that.
const STOP_MAX: Duration = Duration::from_secs(10);
/// How often children are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How long a child that died is left alone before `--restart` starts it again; doubled while it dies at once.
const RESTART_PAUSE_MIN: Duration = Duration::from_millis(500);
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(30);
/// A child that ran this long died for a new reason.
const RESTART_FORGIVEN: Duration = Duration::from_secs(60);

/// Runs the cluster until SIGINT or SIGTERM.
pub async fn run(arguments: &LocalArgs, data_dir: &DataDir) -> Result<Code, Failure> {
    let mut stop = StopSignals::new()?;
    let mut cluster = Cluster { arguments, data_dir, slots: Vec::new() };
    let outcome = tokio::select! {
        outcome = cluster.start_and_watch() => outcome,
        () = stop.received() => Ok(()),
    };
    if outcome.is_ok() {
        say("stopping; once more to kill what has not stopped");
    }
    let is_impatient = tokio::select! {
        () = cluster.stop() => false,
        () = stop.received() => true,
    };
    if is_impatient {
        say("killing");
        cluster.kill();
    }
    if outcome.is_ok() {
        say("stopped; the data is kept");
    }
    outcome.map(|()| Code::Ok)
}

struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> Result<StopSignals, Failure> {
        let cannot = |error| Failure::new(Code::Failed, format!("cannot handle signals: {error}"));
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate()).map_err(cannot)?,
            interrupt: signal(SignalKind::interrupt()).map_err(cannot)?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

struct Cluster<'a> {
    arguments: &'a LocalArgs,
    data_dir: &'a DataDir,
    /// In the order of their start.
    slots: Vec<Slot>,
}

/// A place that a child runs in, or ran in.
struct Slot {
    spec: ChildSpec,
    child: Option<Child>,
    restart_at: Option<Instant>,
    restart_pause: Duration,
}

impl Cluster<'_> {
    async fn start_and_watch(&mut self) -> Result<(), Failure> {
        let started = Instant::now();
        let catalog = creation::open_metadata(&self.data_dir.metadata())?;
        say(&format!("data in {}", self.data_dir.path().display()));
        let nodes = creation::ensure_nodes(&catalog, self.arguments)?;
        creation::ensure_devices(&catalog, &nodes, self.arguments, self.data_dir)?;
        for node in &nodes {
            self.start_child(self.daemon_spec(node))?;
        }
        let is_made = creation::has_volume(&catalog)?;
        for (index, node) in nodes.iter().enumerate() {
            match self.wait_for_daemon(index, node).await {
                // Without its device a daemon is as one that is dead, and the others do without it.
                Err(failure) if failure.code == hexalogd::exit::Code::NotFormatted as u8 && is_made => {
                    say(&format!("goes on without it: {}", failure.message));
                }
                waited => waited?,
            }
        }
        say(&format!("storage: {}", describe_nodes(&nodes)));
        let record = creation::ensure_volume(&catalog, &nodes, self.arguments)?;
        let before = match record.epoch.0 {
            0 => "new".to_owned(),
            1 => "opened once before".to_owned(),
            times => format!("opened {times} times before"),
        };
        say(&format!("volume \"{VOLUME}\": {} groups, {before}", record.groups));
        self.start_child(self.compute_spec())?;
        self.wait_for_compute().await?;
        let listen = self.arguments.listen;
        say(&format!(
            "ready after {:.1} s; Ctrl-C stops the cluster. Connect with:",
            started.elapsed().as_secs_f64()
        ));
        let psql = format!("psql -h {} -p {} -U postgres postgres", listen.ip(), listen.port());
        let _ = writeln!(std::io::stdout(), "{psql}");
        let data_dir = quote(&self.data_dir.path().to_string_lossy());
        say(&format!("how it stands: hexalog status --data-dir {data_dir}"));
        self.watch().await
    }

    fn start_child(&mut self, spec: ChildSpec) -> Result<(), Failure> {
        let child = spec.start()?;
        self.slots.push(Slot {
            spec,
            child: Some(child),
            restart_at: None,
            restart_pause: RESTART_PAUSE_MIN,
        });
        Ok(())
    }

    fn daemon_spec(&self, node: &NodeRecord) -> ChildSpec {
        let name = format!("node-{}", node.node);
        let directory = self.data_dir.node(node.node.0);
        let mut arguments = words([
            ("--data-dir", directory.as_os_str().to_owned()),
            ("--node", node.node.to_string().into()),
            ("--az", node.az.clone().into()),
            ("--listen", SocketAddr::new(node.host, node.port).to_string().into()),
            ("--shards", node.shards.to_string().into()),
        ]);
        // Sizes that were asked for go to the daemon, which refuses others than it has.
        let sizes =
            [("--device-bytes", self.arguments.device_bytes), ("--log-bytes", self.arguments.log_bytes)];
        for (option, bytes) in sizes {
            let bytes = bytes.map(|bytes| (option, OsString::from(bytes.to_string())));
            arguments.extend(words(bytes));
        }
        if self.arguments.buffered {
            arguments.push("--buffered".into());
        }
        ChildSpec { log: self.data_dir.log(&name), name, kind: Kind::Daemon, arguments }
    }

    fn compute_spec(&self) -> ChildSpec {
        let workers = self.arguments.workers.map_or_else(|| (cores() / 2).max(1), NonZeroUsize::get);
        let mut arguments = vec![OsString::from("compute")];
        arguments.extend(words([
            ("--metadata", self.data_dir.metadata().into_os_string()),
            ("--volume", VOLUME.into()),
            ("--listen", self.arguments.listen.to_string().into()),
            ("--cache-bytes", self.arguments.cache_bytes.to_string().into()),
            ("--workers", workers.to_string().into()),
            ("--max-connections", self.arguments.max_connections.to_string().into()),
            ("--max-prepared-transactions", self.arguments.max_prepared_transactions.to_string().into()),
        ]));
        let temporary = self.arguments.temporary_bytes;
        arguments.extend(words(temporary.map(|bytes| ("--temporary-bytes", bytes.to_string().into()))));
        let threshold = self.arguments.old_snapshot_threshold;
        arguments.extend(words(
            threshold.map(|seconds| ("--old-snapshot-threshold", seconds.get().to_string().into())),
        ));
        if self.arguments.insecure_no_auth {
            arguments.push("--insecure-no-auth".into());
        }
        ChildSpec {
            name: "compute".to_owned(),
            kind: Kind::Compute,
            arguments,
            log: self.data_dir.log("compute"),
        }
    }

    /// Ready means that every shard answers a greeting.
    async fn wait_for_daemon(&mut self, slot: usize, node: &NodeRecord) -> Result<(), Failure> {
        for shard in 0..node.shards {
            let address = node.address(ShardIndex(shard)).expect("within the node's shards");
            self.wait_ready(slot, DAEMON_START_MAX, || {
                ShardConnection::connect(address, Duration::from_secs(1))
                    .is_ok_and(|connection| connection.welcome.node == node.node)
            })
            .await?;
        }
        Ok(())
    }

    /// Ready means that a session can be had, or would be if the first database were still there and took some.
    async fn wait_for_compute(&mut self) -> Result<(), Failure> {
        let slot = self.slots.len() - 1;
        let listen = self.arguments.listen;
        self.wait_ready(slot, COMPUTE_START_MAX, || {
            let patience = Some(Duration::from_millis(200));
            match Connection::connect(listen, "postgres", "postgres", "hexalog local", patience) {
                Ok(_) => true,
                Err(ClientError::Fatal(refusal)) => matches!(refusal.code.as_str(), "3D000" | "55000"),
                Err(_) => false,
            }
        })
        .await
    }

    async fn wait_ready(
        &mut self,
        slot: usize,
        patience: Duration,
        mut is_ready: impl FnMut() -> bool,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(child) = self.slots[slot].child.as_mut()
                && let Some(status) = child.ended()
            {
                return Err(start_failure(child, status));
            }
            if is_ready() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let spec = &self.slots[slot].spec;
                let message =
                    format!("{} was not ready within {patience:?}; see {}", spec.name, spec.log.display());
                return Err(Failure::new(Code::Failed, message));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Looks at the children until told to stop.
    async fn watch(&mut self) -> Result<(), Failure> {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            for slot in &mut self.slots {
                slot.look(self.arguments.restart);
            }
        }
    }

    /// Compute first: its last commits need the daemons.
    async fn stop(&mut self) {
        for kind in [Kind::Compute, Kind::Daemon] {
            let of_kind = || self.slots.iter().filter(move |slot| slot.spec.kind == kind);
            of_kind().filter_map(|slot| slot.child.as_ref()).for_each(Child::terminate);
            for slot in self.slots.iter_mut().filter(|slot| slot.spec.kind == kind) {
                if let Some(child) = slot.child.as_mut() {
                    child.wait_or_kill(STOP_MAX).await;
                }
                slot.child = None;
            }
        }
    }
}

impl Cluster<'_> {
    /// Nothing is lost by it: what was acknowledged is on the devices, and the rest is recovered.
    fn kill(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.child = None);
    }
}

impl Slot {
    fn look(&mut self, restart: bool) {
        if let Some(child) = self.child.as_mut()
            && let Some(status) = child.ended()
        {
            self.report(status, restart);
        }
        if self.restart_at.is_some_and(|at| Instant::now() >= at) {
            self.restart_at = None;
            match self.spec.start() {
                Ok(child) => {
                    say(&format!("{} started again as process {}", self.spec.name, child.id()));
                    self.child = Some(child);
                }
                Err(failure) => {
                    say(&failure.message);
                    self.restart_later();
                }
            }
        }
    }

    /// Says that the child has died and what to do about it.
    fn report(&mut self, status: ExitStatus, restart: bool) {
        let Some(child) = self.child.take() else { return };
        let name = &self.spec.name;
        say(&format!("{name} (process {}) has ended with {}", child.id(), describe(status)));
        let words = child.last_words();
        if let Some(last) = words.lines().last().filter(|_| !status.success()) {
            say(&format!("its last words: {last}"));
        }
        if status.code() == Some(i32::from(Code::Fenced as u8)) {
            say("another compute has opened the volume; this one is not started again by itself");
        } else if restart {
            if child.started.elapsed() >= RESTART_FORGIVEN {
                self.restart_pause = RESTART_PAUSE_MIN;
            }
            self.restart_later();
            return;
        }
        say(&format!("to start it again: {}", self.spec.command_line()));
    }

    fn restart_later(&mut self) {
        self.restart_at = Some(Instant::now() + self.restart_pause);
        self.restart_pause = (self.restart_pause * 2).min(RESTART_PAUSE_MAX);
    }
}

/// A daemon keeps its sizes in a file of its own once its device is formatted.
/// A child that died before it was ready: its own words and its own code are the best explanation.
fn start_failure(child: &Child, status: ExitStatus) -> Failure {
    let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
    let words = child.last_words();
    let message = format!("{} did not start ({}):\n{words}", child.spec.name, describe(status));
    Failure { code: code.unwrap_or(Code::Failed as u8), message }
}

fn describe_nodes(nodes: &[NodeRecord]) -> String {
    let each = nodes.iter().map(|node| format!("{}@{}:{}", node.node, node.az, node.port));
    each.collect::<Vec<_>>().join(" ")
}

fn words<'a>(pairs: impl IntoIterator<Item = (&'a str, OsString)>) -> Vec<OsString> {
    pairs.into_iter().flat_map(|(option, value)| [OsString::from(option), value]).collect()
}

/// Nobody may be listening any more (`hexalog local | head`): that must not end the cluster.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "hexalog local: {text}");
}
