//! What came of a run with many connections.

use super::options::Options;
use crate::cpu::CpuTime;
use crate::report::latency::Latency;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Connections that were made one after the other, some at a time.
#[derive(Default, Debug)]
pub struct Connected {
    /// That began a session.
    pub count: u64,
    /// From the first connect to the last ReadyForQuery.
    pub elapsed: Duration,
    /// From connect to ReadyForQuery.
    pub latency: Latency,
}

impl Connected {
    /// A second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Transactions of the active connections.
#[derive(Default, Debug)]
pub struct Transactions {
    /// That ended well within the measured time.
    pub count: u64,
    /// Of those that were begun in it.
    pub latency: Latency,
    /// The fewest and the most that one connection had in the measured time.
    pub each: (u64, u64),
    /// Time on the cores while they ran, the ramp included: of this process, and of the server's if it is known.
    pub cpu: (CpuTime, Option<CpuTime>),
    /// Transactions of that time.
    pub count_with_ramp: u64,
}

impl Transactions {
    /// Microseconds on a core for each transaction: driver, server.
    pub fn cpu_us_each(&self) -> (f64, Option<f64>) {
        let each = |cpu: CpuTime| cpu.total_us() as f64 / self.count_with_ramp.max(1) as f64;
        (each(self.cpu.0), self.cpu.1.map(each))
    }
}

/// All of it.
#[derive(Default, Debug)]
pub struct Report {
    /// The active ones.
    pub active: Connected,
    /// The idle ones.
    pub idle: Connected,
    /// Anonymous memory of the server, by when it was looked at.
    pub memory: Vec<(&'static str, u64)>,
    /// None if nothing was measured.
    pub transactions: Option<Transactions>,
    /// By what the server said.
    pub errors: BTreeMap<String, u64>,
}

impl Report {
    /// Errors of any kind.
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Memory that each idle connection has taken by each look after the first.
    pub fn idle_bytes(&self) -> Vec<(&'static str, f64)> {
        let Some((_, before)) = self.memory.first() else { return Vec::new() };
        let each = |bytes: u64| (bytes as f64 - *before as f64) / (self.idle.count.max(1) as f64);
        self.memory[1..].iter().map(|(when, bytes)| (*when, each(*bytes))).collect()
    }

    /// For people.
    pub fn text(&self, options: &Options) -> String {
        let mut text = String::new();
        for (name, connected) in [("active", &self.active), ("idle", &self.idle)] {
            if connected.count > 0 {
                text += &format!(
                    "{name}: {} connections in {:.2} s, {:.0} a second; {}\n",
                    connected.count,
                    connected.elapsed.as_secs_f64(),
                    connected.rate(),
                    connected.latency.text()
                );
            }
        }
        for (when, bytes) in self.idle_bytes() {
            text += &format!("memory of an idle connection, {when}: {bytes:.0} bytes\n");
        }
        if let Some(transactions) = &self.transactions {
            text += &format!(
                "{:?}: {:.0} TPS; {}; {} to {} for each connection\n",
                options.load,
                self.tps(options),
                transactions.latency.text(),
                transactions.each.0,
                transactions.each.1
            );
        }
        if let Some(transactions) = &self.transactions {
            let (driver, server) = transactions.cpu_us_each();
            let server = server.map_or_else(String::new, |us| format!(", of the server's process {us:.1}"));
            text += &format!("us on a core for each: of this driver {driver:.1}{server}\n");
        }
        text += &format!("errors: {}\n", self.error_count());
        for (what, count) in &self.errors {
            text += &format!("  {count} x {what}\n");
        }
        text
    }

    fn tps(&self, options: &Options) -> f64 {
        let count = self.transactions.as_ref().map_or(0, |transactions| transactions.count);
        count as f64 / options.runtime.as_secs_f64().max(1e-9)
    }

    /// For programs.
    pub fn json(&self, options: &Options) -> Value {
        let connected = |connected: &Connected| json!({"count": connected.count, "per_second": connected.rate(), "latency": connected.latency.json()});
        let memory: BTreeMap<_, _> = self.idle_bytes().into_iter().collect();
        json!({
            "active": connected(&self.active),
            "idle": connected(&self.idle),
            "idle_bytes": memory,
            "tps": self.tps(options),
            "latency": self.transactions.as_ref().map(|transactions| transactions.latency.json()),
            "least_of_a_connection": self.transactions.as_ref().map(|transactions| transactions.each.0),
            "most_of_a_connection": self.transactions.as_ref().map(|transactions| transactions.each.1),
            "driver_cpu_us": self.transactions.as_ref().map(|transactions| transactions.cpu_us_each().0),
            "server_cpu_us": self.transactions.as_ref().and_then(|transactions| transactions.cpu_us_each().1),
            "errors": self.errors,
        })
    }
}
