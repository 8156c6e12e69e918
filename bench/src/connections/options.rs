//! What `hexalog-bench connections` can be told.

use crate::options::server::Server;
use crate::options::value::time;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Options of the driver of many connections.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Which server.
    #[command(flatten)]
    pub server: Server,
    /// Connections that ask all the time, each anew once it has its answer.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub active: usize,
    /// Connections that are there and ask nothing.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub idle: usize,
    /// Each idle connection prepares a statement and runs it once, before it is idle.
    #[arg(long)]
    pub idle_prepared: bool,
    /// What the active ones ask: select (pgbench -S), simple (pgbench -N).
    #[arg(long, value_enum, default_value_t = Load::Select)]
    pub load: Load,
    /// Scale that the tables were filled with: pgbench -i -s N.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub scale: u64,
    /// How long to measure; 0 only connects.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub runtime: Duration,
    /// How long the load runs before that.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub ramp: Duration,
    /// Connections that are being made at a time.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub starting: usize,
    /// Process whose memory is looked at: anonymous memory before the idle connections, and with them.
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Seed of the keys.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// normal or json.
    #[arg(long, value_enum, default_value_t = crate::report::Form::Normal)]
    pub output_format: crate::report::Form,
}

/// A transaction of pgbench.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Load {
    /// One row by its key.
    Select,
    /// BEGIN, an update, a select, an insert, END: a round trip each.
    Simple,
}

impl Options {
    /// What no run could be made of.
    pub fn check(&self) -> Result<(), String> {
        if self.active + self.idle == 0 {
            return Err("--active and --idle are both 0: there is nothing to do".to_owned());
        }
        if self.starting == 0 {
            return Err("--starting is 0: nothing would ever be connected".to_owned());
        }
        if self.scale == 0 {
            return Err("--scale is 0: there would be no rows; give what pgbench -i -s was given".to_owned());
        }
        Ok(())
    }
}
