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

    /// CommandComplete. `is_in_block`: an open transaction block goes on after it.
    pub fn command_complete(&mut self, tag: &CommandTag, is_in_block: bool) {
        let bytes = if is_in_block { self.plain() } else { self.gated() };
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
