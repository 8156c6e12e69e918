//! The simple protocol: one Query message, any number of statements, one ReadyForQuery.

use super::{Connection, End, Failed};
use crate::output::RowSink;
use crate::wire::{backend, frontend};
use hexalog_sql::{Completion, QueryProgress};
use hexalog_sql_types::{SqlError, SqlState};
use std::ops::Range;

impl Connection {
    pub(super) async fn simple_query(&mut self, body: Range<usize>) -> Result<(), End> {
        let outcome = self.run_query(body).await;
        self.wire.settle(&mut self.session, outcome).await?;
        self.ready_for_query().await
    }

    async fn run_query(&mut self, body: Range<usize>) -> Result<(), Failed> {
        self.wire.control.start_timeout(self.session.statement_timeout_ms());
        self.isolated(|it| {
            let text = frontend::single_text(it.input.body(body))
                .map_err(|violation| SqlError::new(SqlState::PROTOCOL_VIOLATION, violation.0))?;
            it.session.query_start(text)
        })?;
        loop {
            let progress = self.wire.drive(&mut self.session, |session, output| {
                session.query_step(&mut RowSink { output, is_describing: true })
            });
            let completion = match progress.await? {
                QueryProgress::Finished => return Ok(()),
                QueryProgress::Statement(completion) => completion,
            };
            self.complete_statement(completion).await?;
        }
    }

    async fn complete_statement(&mut self, completion: Completion) -> Result<(), Failed> {
        let is_in_block = self.session.transaction_status() == b'T';
        match completion {
            Completion::Tag(tag) => {
                self.wire.output.command_complete(&tag, is_in_block);
                // Each statement of a Query has statement_timeout to itself, as in PostgreSQL.
                self.wire.control.end_timeout();
                self.wire.control.start_timeout(self.session.statement_timeout_ms());
                if self.wire.output.is_full() {
                    self.wire.send(self.session.answer_lsn()).await?;
                }
                Ok(())
            }
            Completion::Paused => Ok(self.wire.send(self.session.answer_lsn()).await?),
            Completion::CopyIn(format) => {
                let tag = Box::pin(self.copy_in(format)).await?;
                self.wire.output.command_complete(&tag, self.session.transaction_status() == b'T');
                Ok(())
            }
            Completion::EmptyQuery => {
                backend::empty_query(self.wire.output.plain());
                Ok(())
            }
            Completion::Suspended => unreachable!("a Query has no row limit"),
        }
    }
}
