//! A local cluster of real processes for tests, and real clients to drive it.
//!
//! Every wait has a limit, every process is killed by its id when its owner is dropped, every port is chosen at run
//! time. Limits are generous: they are there to end a hang, not to measure.
#![allow(dead_code, clippy::disallowed_methods)] // Each test binary uses a part of it.

pub mod bench;
pub mod process;

use process::{Process, wait_until};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The binary under test.
pub const HEXALOG: &str = env!("CARGO_BIN_EXE_hexalog");
/// A cluster that is not ready by then hangs.
pub const START_MAX: Duration = Duration::from_secs(60);
/// A single statement or command that takes longer hangs.
pub const COMMAND_MAX: Duration = Duration::from_secs(60);

/// A running `hexalog local` in a directory of its own.
pub struct Cluster {
    supervisor: Process,
    /// Processes that were started beside the supervisor.
    by_hand: Vec<Process>,
    pub port: u16,
    pub data_dir: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

impl Cluster {
    /// Makes and starts a cluster.
    pub fn start(options: &[&str]) -> Cluster {
        let directory = test_directory();
        let data_dir = directory.path().join("data");
        let mut cluster = Cluster::start_in(&data_dir, options);
        cluster._directory = Some(directory);
        cluster
    }

    /// Starts the cluster in a directory that outlives it.
    pub fn start_in(data_dir: &Path, options: &[&str]) -> Cluster {
        Cluster::start_with_temporary(data_dir, options, &std::env::temp_dir())
    }

    /// With this directory for temporary files.
    pub fn start_with_temporary(data_dir: &Path, options: &[&str], temporary: &Path) -> Cluster {
        let port = free_port();
        let mut command = Command::new(HEXALOG);
        command.args(["local", "--data-dir"]).arg(data_dir).args(["--listen", &format!("127.0.0.1:{port}")]);
        // Small, so that a test's disk and memory hold several clusters.
        command.args(["--cache-bytes", "64MiB"]).args(options).env("TMPDIR", temporary);
        if !options.contains(&"--log-bytes") {
            command.args(["--log-bytes", "32MiB"]);
        }
        let mut supervisor = Process::start("hexalog local", command);
        if let Err(why) = supervisor.wait_for_line(START_MAX, |line| line.starts_with("psql ")) {
            panic!("the cluster did not start: {why}\n{}", logs(data_dir));
        }
        Cluster { supervisor, by_hand: Vec::new(), port, data_dir: data_dir.to_owned(), _directory: None }
    }

    /// What the supervisor has printed.
    pub fn output(&self) -> String {
        self.supervisor.output()
    }

    /// Waits until the supervisor prints a line like this.
    pub fn wait_for_line(&mut self, is_it: impl Fn(&str) -> bool) {
        if let Err(why) = self.supervisor.wait_for_line(COMMAND_MAX, is_it) {
            panic!("{why}");
        }
    }

    /// Process id of a supervised child: `compute`, or `node-3`.
    pub fn pid_of(&self, child: &str) -> i32 {
        self.find_child(child).unwrap_or_else(|| panic!("no child {child} is running"))
    }

    /// Arguments of a supervised child, its name first.
    pub fn arguments_of(&self, child: &str) -> Vec<String> {
        process::arguments(self.pid_of(child))
    }

    fn find_child(&self, child: &str) -> Option<i32> {
        let mark = match child.strip_prefix("node-") {
            Some(node) => ["--node".to_owned(), node.to_owned()],
            None => [child.to_owned(), "--metadata".to_owned()],
        };
        process::children_of(self.supervisor.pid())
            .into_iter()
            .find(|pid| process::arguments(*pid).windows(2).any(|pair| pair == mark))
    }

    /// kill -9.
    pub fn kill(&self, child: &str) {
        process::send(self.pid_of(child), rustix::process::Signal::KILL);
        wait_until(COMMAND_MAX, "the killed child to be gone", || self.find_child(child).is_none());
    }

    /// Sends a signal to a child.
    pub fn signal(&self, child: &str, signal: rustix::process::Signal) {
        process::send(self.pid_of(child), signal);
    }

    /// Starts what the supervisor's child was started with, beside the supervisor.
    pub fn start_by_hand(&mut self, name: &str, arguments: &[String]) -> &mut Process {
        let mut command = Command::new(HEXALOG);
        if Path::new(&arguments[0]).file_name().is_some_and(|name| name == "hexalogd") {
            command.arg("daemon");
        }
        command.args(&arguments[1..]);
        self.by_hand.push(Process::start(name, command));
        self.by_hand.last_mut().expect("just pushed")
    }

    /// Runs a command line by a shell, beside the supervisor.
    pub fn run_by_hand(&mut self, name: &str, command_line: &str) {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("exec {command_line}"));
        self.by_hand.push(Process::start(name, command));
    }

    /// Ends a process that was started by hand.
    pub fn kill_by_hand(&mut self, name: &str) {
        self.by_hand.retain(|process| process.name() != name);
    }

    /// Runs SQL with psql; rows as psql -At prints them, or what it said on standard error.
    pub fn psql(&self, sql: &str) -> Result<String, String> {
        psql(self.port, sql)
    }

    /// As [`Self::psql`], where no error is expected.
    pub fn sql(&self, sql: &str) -> String {
        self.psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}\n{}", logs(&self.data_dir)))
    }

    /// `hexalog status --json`.
    pub fn status(&self) -> Value {
        let output = process::run_limited(
            Command::new(HEXALOG)
                .args(["status", "--json", "--metadata"])
                .arg(self.data_dir.join("metadata.sqlite")),
            COMMAND_MAX,
        );
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// Problems that `hexalog status` names.
    pub fn problems(&self) -> Vec<String> {
        let status = self.status();
        let problems = status["problems"].as_array().expect("a list");
        problems.iter().map(|problem| problem.as_str().expect("text").to_owned()).collect()
    }

    /// Waits until `status` names no problem: on a busy machine a process may miss the second that it has to answer.
    pub fn wait_until_well(&self) {
        wait_until(COMMAND_MAX, "status to name no problem", || self.problems().is_empty());
    }

    /// Waits until no daemon is missing and no segment lags.
    pub fn wait_until_caught_up(&self) {
        let is_caught_up = || {
            let status = self.status();
            let groups = status["groups"].as_array().expect("a list");
            groups.iter().all(|group| {
                let members = group["members"].as_array().expect("a list");
                group["members_up"] == 6 && members.iter().all(|member| member["lag"] == 0)
            })
        };
        wait_until(COMMAND_MAX, "all segments to catch up", is_caught_up);
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        process::send(self.supervisor.pid(), rustix::process::Signal::INT);
    }

    /// Waits for the supervisor's end.
    pub fn wait_end(&mut self) -> std::process::ExitStatus {
        self.supervisor.wait_end(COMMAND_MAX)
    }

    /// Stops the cluster as Ctrl-C does and checks that it went well.
    pub fn stop(mut self) {
        self.interrupt();
        let status = self.supervisor.wait_end(COMMAND_MAX);
        assert!(status.success(), "{status}\n{}\n{}", self.supervisor.output(), logs(&self.data_dir));
    }
}

/// Runs SQL with psql on a port.
pub fn psql(port: u16, sql: &str) -> Result<String, String> {
    let mut command = Command::new("psql");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres", "-d", "postgres"]);
    command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-c", sql]);
    let output = process::run_limited(&mut command, COMMAND_MAX);
    if output.is_success { Ok(output.stdout.trim_end().to_owned()) } else { Err(output.stderr) }
}

/// A directory on the file system that the build uses: /tmp may be a tmpfs, which keeps nothing.
pub fn test_directory() -> tempfile::TempDir {
    tempfile::Builder::new()
        .prefix("cluster-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("test directory")
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("some port is free");
    listener.local_addr().expect("bound").port()
}

/// What the cluster's processes have printed: for messages of failed tests.
pub fn logs(data_dir: &Path) -> String {
    let mut text = String::new();
    let Ok(entries) = std::fs::read_dir(data_dir.join("logs")) else { return text };
    for path in entries.flatten().map(|entry| entry.path()) {
        let content = std::fs::read_to_string(&path).unwrap_or_default();
        let lines: Vec<&str> = content.lines().collect();
        let last = lines[lines.len().saturating_sub(15)..].join("\n");
        text += &format!("--- {}\n{last}\n", path.display());
    }
    text
}

/// How long something took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let done = work();
    (done, started.elapsed())
}
