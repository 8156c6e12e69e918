//! `hexalog sql`: a small client for machines without psql.
//!
//! Owns a minimal protocol client ([`connection`]), psql-like tables ([`table`]), the splitting of input into
//! statements ([`split`]) and the reading of commands, scripts and lines ([`shell`]). Simple protocol and text only.

mod connection;
mod shell;
mod split;
mod table;

pub use connection::{ClientError, Connection, Event, Row, ServerMessage};
pub use shell::run;
pub use split::{Splitter, StatementEnd};
