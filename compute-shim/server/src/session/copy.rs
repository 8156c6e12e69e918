//! COPY FROM STDIN: the client streams data until it says that it is done or gives up.

use super::{Connection, End, Failed};
use crate::control::SessionControl;
use crate::input::{Interrupt, ReadEnd};
use crate::wire::{backend, frontend};
use hexalog_sql::{CommandTag, Completion, CopyInFormat};
use hexalog_sql_types::{SqlError, SqlState};
use std::ops::Range;

impl Connection {
    /// Takes the data of one COPY; returns the statement's tag.
    pub(super) async fn copy_in(&mut self, format: CopyInFormat) -> Result<CommandTag, Failed> {
        backend::copy_in_response(self.wire.output.plain(), format.columns, format.is_binary);
        self.wire.send(self.session.answer_lsn()).await?;
        loop {
            let message =
                self.input.message(&mut self.wire.stream, &self.wire.control, Interrupt::Statement).await;
            let (kind, body) = message.map_err(|end| copy_read_end(end, &self.wire.control))?;
            match kind {
                b'd' => self.copy_data(body).await?,
                b'c' => return self.copy_done().await,
                b'f' => {
                    let reason = frontend::single_text(self.input.body(body)).unwrap_or("no reason given");
                    return Err(Failed::Sql(self.session.copy_fail(reason)));
                }
                // Drivers send these before they know that a COPY has begun.
                b'H' | b'S' => {}
                b'X' => return Err(Failed::End(End::Closed)),
                _ => {
                    let message = format!("unexpected message type 0x{kind:02X} during COPY from stdin");
                    return Err(Failed::Sql(SqlError::new(SqlState::PROTOCOL_VIOLATION, message)));
                }
            }
        }
    }

    async fn copy_data(&mut self, body: Range<usize>) -> Result<(), Failed> {
        let mut data = self.input.body(body);
        while !data.is_empty() {
            let taken = self.wire.drive(&mut self.session, |session, _| session.copy_data(data)).await?;
            assert!(taken > 0, "a step without a need makes progress");
            data = &data[taken..];
        }
        Ok(())
    }

    async fn copy_done(&mut self) -> Result<CommandTag, Failed> {
        match self.wire.drive(&mut self.session, |session, _| session.copy_done()).await? {
            Completion::Tag(tag) => Ok(tag),
            other => unreachable!("COPY ends with its tag, not {other:?}"),
        }
    }
}

fn copy_read_end(end: ReadEnd, control: &SessionControl) -> Failed {
    match end {
        ReadEnd::Interrupted(reason) => Failed::Sql(reason.error()),
        other => Failed::End(super::read_end(other, control)),
    }
}
