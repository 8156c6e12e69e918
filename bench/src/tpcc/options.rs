//! What `hexalog-bench tpcc` can be told.

use crate::options::server::Server;
use crate::options::value::time;
use crate::report::Form;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// Options of the TPC-C driver.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// load: make the tables anew, fill them, check them; run: terminals, then a check; check: the consistency conditions alone.
    #[arg(value_enum)]
    pub action: Action,
    /// Which server. Load replaces the tables of TPC-C's names.
    #[command(flatten)]
    pub server: Server,
    /// Warehouses; a run takes what was loaded.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub warehouses: u32,
    /// Seed of the rows and of the terminals' choices; a run takes that of the load, since its constants hang on theirs (2.1.6.1).
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Connections that load at a time.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub loaders: usize,
    /// Foreign keys as in the specification. Their checks are work that the transactions do not need.
    #[arg(long)]
    pub foreign_keys: bool,
    /// Terminals, each a connection; the specification has ten for each warehouse. [default: ten for each warehouse]
    #[arg(long, value_name = "N")]
    pub clients: Option<u32>,
    /// How long to measure.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    pub runtime: Duration,
    /// How long the terminals run before that.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    pub ramp: Duration,
    /// Keying and think times as in the specification (5.2.5.7): then tpmC is bound to 12.86 for each warehouse.
    #[arg(long)]
    pub think: bool,
    /// Send each statement by itself. Otherwise statements whose parameters are known go together, as JDBC's batches and
    /// libpq's pipeline mode have it.
    #[arg(long)]
    pub no_pipeline: bool,
    /// Of New-Order, Payment and Delivery.
    #[arg(long, value_enum, default_value_t = Isolation::ReadCommitted)]
    pub isolation: Isolation,
    /// No check of the consistency conditions after load or run.
    #[arg(long)]
    pub no_check: bool,
    /// normal or json.
    #[arg(long, value_enum, default_value_t = Form::Normal)]
    pub output_format: Form,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Action {
    /// Tables and rows.
    Load,
    /// Terminals.
    Run,
    /// Conditions.
    Check,
}

/// An isolation level of SQL.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Isolation {
    /// PostgreSQL's default.
    ReadCommitted,
    /// One snapshot for each transaction.
    RepeatableRead,
    /// As if one after the other.
    Serializable,
}

impl Isolation {
    /// As SQL has it.
    pub fn words(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        }
    }
}

/// More warehouses would not fit the columns of their keys in the reports; far beyond one machine.
const WAREHOUSES_MAX: u32 = 10_000;
/// A descriptor each.
const CLIENTS_MAX: u32 = 10_000;

impl Options {
    /// Terminals of a run.
    pub fn clients(&self) -> u32 {
        self.clients.unwrap_or(10 * self.warehouses)
    }

    /// What no run could be made of.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: u32, most: u32| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("--{name} is {value}; it may be 1 to {most}")),
        };
        within("warehouses", self.warehouses, WAREHOUSES_MAX)?;
        within("clients", self.clients(), CLIENTS_MAX)?;
        match self.loaders {
            0 => Err("--loaders is 0: nothing would be loaded".to_owned()),
            _ => Ok(()),
        }
    }
}
