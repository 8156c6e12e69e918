//! `hexalog sql`: a small client for machines without psql.
//!
//! Owns psql-like tables ([`table`]), the splitting of input into
//! statements ([`split`]) and the reading of commands, scripts and lines ([`shell`]). The protocol is `hexalog-sql-client`'s.

mod shell;
mod split;
mod table;

pub use hexalog_sql_client::{ClientError, Connection, Event, Row, ServerMessage};
pub use shell::run;
pub use split::{Splitter, StatementEnd};
