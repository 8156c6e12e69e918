//! pgbench and sysbench against a cluster, and what must hold after them.

use super::Cluster;
use super::process::{Output, Running, run_limited, start_limited};
use std::process::Command;
use std::time::Duration;

/// On top of its own duration, pgbench may take this long: it waits for its clients.
const SLACK: Duration = Duration::from_secs(60);

/// A pgbench command on the cluster.
pub fn pgbench(cluster: &Cluster, arguments: &[&str]) -> Command {
    pgbench_on(cluster.port, arguments)
}

/// A pgbench command on a port.
pub fn pgbench_on(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new("pgbench");
    command
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"])
        .args(arguments)
        .arg("postgres");
    command
}

/// pgbench -i with its default steps.
pub fn initialize(cluster: &Cluster, scale: u32) {
    let output =
        run_limited(&mut pgbench(cluster, &["-i", "-s", &scale.to_string()]), Duration::from_secs(120));
    assert!(output.is_success, "{}\n{}", output.stderr, super::logs(&cluster.data_dir));
}

/// A run that must go through without a failed transaction. Returns the transactions that it counted.
pub fn run(cluster: &Cluster, arguments: &[&str], seconds: u64) -> u64 {
    start(cluster, arguments, seconds).finish()
}

/// Starts a run in the background.
pub fn start(cluster: &Cluster, arguments: &[&str], seconds: u64) -> Load {
    let time = seconds.to_string();
    let mut all = vec!["-n", "-T", &time];
    all.extend(arguments);
    Load { running: start_limited(&mut pgbench(cluster, &all)), limit: Duration::from_secs(seconds) + SLACK }
}

/// A pgbench that runs.
pub struct Load {
    running: Running,
    limit: Duration,
}

impl Load {
    /// Waits for its end, which must be a good one.
    pub fn finish(self) -> u64 {
        let output = self.running.wait(self.limit);
        assert!(output.is_success, "{output:?}");
        let failed = number_after(&output.stdout, "number of failed transactions: ");
        assert_eq!(failed, Some(0), "{}", output.stdout);
        let done = transactions(&output);
        assert!(done > 0, "{}", output.stdout);
        done
    }

    /// Waits for its end, good or not; returns the transactions that were acknowledged.
    pub fn finish_any(self) -> u64 {
        transactions(&self.running.wait(self.limit))
    }
}

fn transactions(output: &Output) -> u64 {
    let count = number_after(&output.stdout, "number of transactions actually processed: ");
    count.unwrap_or_else(|| panic!("no count of transactions: {output:?}"))
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let rest = &text[text.find(label)? + label.len()..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

/// Rows in pgbench's history table.
pub fn history_count(cluster: &Cluster) -> u64 {
    cluster.sql("select count(*) from pgbench_history").parse().expect("a number")
}

/// The four sums that every TPC-B transaction moves together are equal.
pub fn check_sums(cluster: &Cluster) {
    let sum =
        |column: &str, table: &str| cluster.sql(&format!("select coalesce(sum({column}), 0) from {table}"));
    let accounts = sum("abalance", "pgbench_accounts");
    assert_eq!(accounts, sum("tbalance", "pgbench_tellers"), "tellers");
    assert_eq!(accounts, sum("bbalance", "pgbench_branches"), "branches");
    assert_eq!(accounts, sum("delta", "pgbench_history"), "history");
}
