//! SQL with PostgreSQL's meaning: catalog, binding, planning, execution, sessions.
//!
//! Synchronous and without I/O, clocks or randomness: storage is the engine, whose `Need`s are handed on to the
//! caller, and the world comes in through [`Environment`] and [`spill`]. Never frames messages (the server does) and never touches a
//! page (the engine does).
//!
//! Where to read on, in the order in which a statement meets the modules: [`session`] (protocol state,
//! transactions, portals) → `parse` (text to a tree of our own; the only place that knows the parser crate) → `bind`
//! (names and types resolved) → `plan` (routes chosen) → `execute` (pull machines over the engine). `catalog` holds
//! the objects and their virtual tables; [`database`] what all sessions share.

#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod activity;
pub mod answer;
mod bind;
mod catalog;
mod connections;
pub mod database;
mod definition;
pub mod environment;
mod execute;
mod expression;
mod function;
mod nesting;
mod parse;
mod plan;
mod progress;
mod relation_statistics;
pub mod session;
mod sessions;
pub mod spill;
mod statement_statistics;
pub mod stop;
mod stores;

pub use answer::{
    ColumnDescription, CommandTag, Completion, CopyInFormat, Flow, PortalColumns, QueryProgress, Severity,
    Sink, StatementDescription,
};
pub use database::{Database, DatabaseOptions, DueAnalysis, PREPARED_MAX, Storage};
pub use environment::{CancelReason, Environment};
pub use session::{Session, Startup};
pub use sessions::{SessionActivity, SessionEnd, SessionWait};
pub use stop::{Step, Stop};
