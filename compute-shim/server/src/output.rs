//! What a session has to say and has not sent yet.
//!
//! Owns the buffer and the knowledge whether anything in it must wait for durability. Rows, errors and the end
//! of a transaction must; the tags of statements inside an open block need not, or a hot row would run at
//! one transaction per flush.

use crate::buffers;
use crate::wire::backend;
use hexalog_sql::{ColumnDescription, CommandTag, Flow, Severity, Sink};
use hexalog_sql_types::{Datum, EvalEnv, SqlError};
use std::sync::Arc;

/// Rows are sent when this much has gathered: PostgreSQL's 8 KiB would mean a system call per few dozen rows,
/// much more would delay the first rows of a long scan.
pub const FLUSH_BYTES: usize = 32 << 10;

/// The send buffer of one connection.
#[derive(Default)]
pub struct Output {
    bytes: Vec<u8>,
    is_gated: bool,
}

impl Output {
    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether something in it must wait until VDL covers the session's answer LSN.
    pub fn is_gated(&self) -> bool {
        self.is_gated
    }

    /// Whether it is time to send although more is coming.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= FLUSH_BYTES
    }

    /// What waits.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Everything was sent: the buffer goes back to the pool.
    pub fn clear(&mut self) {
        self.is_gated = false;
        buffers::give_back(std::mem::take(&mut self.bytes));
    }

    /// Appends what tells nothing of the data: descriptions, acknowledgements.
    pub fn plain(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = buffers::take();
        }
        &mut self.bytes
    }

    /// Appends what rests on the data or ends a transaction.
    pub fn gated(&mut self) -> &mut Vec<u8> {
        self.is_gated = true;
        self.plain()
    }

    /// CommandComplete. `is_in_block`: an open transaction block goes on after it, whose end will wait for what a tag counts of its
    /// own changes.
    pub fn command_complete(&mut self, tag: &CommandTag, is_in_block: bool) {
        let bytes = if is_in_block && !tag.tells_of_data() { self.plain() } else { self.gated() };
        backend::command_complete(bytes, tag);
    }

    /// ReadyForQuery; outside an open block it says that a transaction has ended.
    pub fn ready_for_query(&mut self, transaction_status: u8) {
        let bytes = if transaction_status == b'T' { self.plain() } else { self.gated() };
        backend::ready_for_query(bytes, transaction_status);
    }
}

/// Takes rows from the SQL layer.
pub struct RowSink<'a> {
    /// Where they go.
    pub output: &'a mut Output,
    /// Whether a result begins with RowDescription: in the simple protocol. The extended one answers Describe.
    pub is_describing: bool,
}

impl Sink for RowSink<'_> {
    fn row_description(&mut self, columns: &Arc<[ColumnDescription]>, formats: &[i16]) {
        if self.is_describing {
            backend::row_description(self.output.plain(), columns, formats);
        }
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        values: &[Datum],
        columns: &[ColumnDescription],
        formats: &[i16],
    ) -> Result<Flow, SqlError> {
        backend::data_row(self.output.gated(), env, values, columns, formats)?;
        Ok(self.flow())
    }

    fn notice(&mut self, severity: Severity, notice: &SqlError) {
        backend::notice_response(self.output.gated(), severity.as_str(), notice);
    }

    fn copy_out_start(&mut self, columns: u16, is_binary: bool) {
        backend::copy_out_response(self.output.plain(), columns, is_binary);
    }

    fn copy_out_data(&mut self, data: &[u8]) -> Flow {
        backend::copy_data(self.output.gated(), data);
        self.flow()
    }

    fn copy_out_end(&mut self) {
        backend::copy_done(self.output.gated());
    }
}

impl RowSink<'_> {
    fn flow(&self) -> Flow {
        if self.output.is_full() { Flow::Pause } else { Flow::Continue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulator seed 260000740: in a block a process that had been replaced told that a row was not there, by a tag alone.
    #[test]
    fn a_tag_that_tells_of_data_waits_as_a_row_does() {
        let is_gated = |tag, is_in_block| {
            let mut output = Output::default();
            output.command_complete(&tag, is_in_block);
            output.is_gated()
        };
        for verb in ["SELECT", "FETCH", "MOVE", "UPDATE", "DELETE", "INSERT 0"] {
            assert!(is_gated(CommandTag::counted(verb, 0), true), "{verb}: nothing was there");
            assert!(is_gated(CommandTag::counted(verb, 1), false), "{verb} outside a block");
        }
        for verb in ["SELECT", "FETCH", "MOVE"] {
            assert!(is_gated(CommandTag::counted(verb, 5), true), "{verb} says what was there");
        }
        // Else a row that many change in turn would be changed once in each flush.
        for verb in ["UPDATE", "DELETE", "INSERT 0"] {
            assert!(!is_gated(CommandTag::counted(verb, 1), true), "{verb} says what it did");
        }
        assert!(is_gated(CommandTag::plain("LOCK TABLE"), true), "it says that nobody else holds it");
        assert!(!is_gated(CommandTag::plain("SAVEPOINT"), true));
    }
}
