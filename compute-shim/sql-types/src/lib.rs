//! PostgreSQL's types: values, text and binary formats, operators, casts, functions, aggregates, resolution.
//!
//! A pure library: no catalog, no sockets, no files, no clock and no randomness (both come in through
//! [`env::EvalEnv`]). Its reference is PostgreSQL 15, to the letter where a client can see it.
//!
//! Where to read on, in the order in which a statement meets the modules:
//! [`types`] (ids and facts) → [`datum`] (values) → [`text`], [`binary`] (in and out) → [`resolve`] (which operator,
//! function or cast is meant) → [`operator`], [`function`], [`cast`], [`aggregate`] (the tables and their code) →
//! [`row`], [`key`] (bytes in the volume: both are format decisions). [`numeric`], [`datetime`] and [`json`] hold the
//! arithmetic that needs room of its own; [`error`] the one error type.

#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aggregate;
pub mod binary;
pub mod cast;
pub mod datetime;
pub mod datum;
pub mod env;
pub mod error;
pub mod function;
pub mod json;
pub mod key;
pub mod numeric;
pub mod operator;
pub mod resolve;
pub mod row;
pub mod text;
pub mod types;

pub use datum::{Array, Datum, Dimension, EnumValue, Record};
pub use env::{EvalEnv, Host};
pub use error::{Result, SqlError, SqlState};
pub use numeric::Numeric;
pub use types::{TypeId, Typmod};
