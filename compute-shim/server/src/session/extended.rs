//! The extended protocol: Parse, Bind, Describe, Execute, Close, Sync.

use super::{Connection, End, Failed};
use crate::output::RowSink;
use crate::wire::frontend::{self, Bind, Parse, Target};
use crate::wire::{ProtocolViolation, backend};
use hexalog_sql::Completion;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::ops::Range;

/// Parameters and formats of one Bind that stand on the stack; more go to the heap.
const INLINE: usize = 16;

fn violation(violation: ProtocolViolation) -> SqlError {
    SqlError::new(SqlState::PROTOCOL_VIOLATION, violation.0)
}

impl Connection {
    pub(super) async fn extended(&mut self, kind: u8, body: Range<usize>) -> Result<(), End> {
        self.wire.control.start_timeout(self.session.statement_timeout_ms());
        let outcome = match kind {
            b'P' => self.isolated(|it| it.parse(body)).map_err(Failed::Sql),
            b'B' => self.isolated(|it| it.bind(body)).map_err(Failed::Sql),
            b'D' => self.isolated(|it| it.describe(body)).map_err(Failed::Sql),
            b'C' => self.isolated(|it| it.close(body)).map_err(Failed::Sql),
            _ => self.execute(body).await,
        };
        if !self.wire.settle(&mut self.session, outcome).await? {
            self.is_skipping = true;
        }
        if self.wire.output.is_full() {
            self.wire.send(self.session.answer_lsn()).await?;
        }
        Ok(())
    }

    fn parse(&mut self, body: Range<usize>) -> Result<(), SqlError> {
        let parse = Parse::decode(self.input.body(body)).map_err(violation)?;
        let types: Vec<TypeId> = parse.type_oids().map(TypeId).collect();
        self.session.parse(parse.name, parse.text, &types)?;
        backend::parse_complete(self.wire.output.plain());
        Ok(())
    }

    fn bind(&mut self, body: Range<usize>) -> Result<(), SqlError> {
        let bind = Bind::decode(self.input.body(body)).map_err(violation)?;
        let (mut inline_values, mut heap_values) = ([None; INLINE], Vec::new());
        let values = fill(&mut inline_values, &mut heap_values, bind.parameter_count, bind.parameters());
        let formats = bind.parameter_formats();
        let (mut inline_formats, mut heap_formats) = ([0; INLINE], Vec::new());
        let formats = fill(&mut inline_formats, &mut heap_formats, formats.len(), formats);
        let wanted = bind.result_formats();
        let (mut inline_wanted, mut heap_wanted) = ([0; INLINE], Vec::new());
        let wanted = fill(&mut inline_wanted, &mut heap_wanted, wanted.len(), wanted);
        check_formats(formats.iter().chain(wanted.iter()))?;
        if formats.len() > 1 && formats.len() != values.len() {
            let message = format!(
                "bind message has {} parameter formats but {} parameters",
                formats.len(),
                values.len()
            );
            return Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, message));
        }
        self.session.bind(bind.portal, bind.statement, formats, values, wanted)?;
        backend::bind_complete(self.wire.output.plain());
        Ok(())
    }

    fn describe(&mut self, body: Range<usize>) -> Result<(), SqlError> {
        match Target::decode(self.input.body(body)).map_err(violation)? {
            Target::Statement(name) => {
                let description = self.session.describe_statement(name)?;
                let out = self.wire.output.plain();
                backend::parameter_description(out, &description.parameters);
                match &description.columns {
                    Some(columns) => backend::row_description(out, columns, &[]),
                    None => backend::no_data(out),
                }
            }
            Target::Portal(name) => {
                let portal = self.session.describe_portal(name)?;
                let out = self.wire.output.plain();
                match &portal {
                    Some(portal) => backend::row_description(out, &portal.columns, &portal.formats),
                    None => backend::no_data(out),
                }
            }
        }
        Ok(())
    }

    fn close(&mut self, body: Range<usize>) -> Result<(), SqlError> {
        match Target::decode(self.input.body(body)).map_err(violation)? {
            Target::Statement(name) => self.session.close_statement(name),
            Target::Portal(name) => self.session.close_portal(name),
        }
        backend::close_complete(self.wire.output.plain());
        Ok(())
    }

    async fn execute(&mut self, body: Range<usize>) -> Result<(), Failed> {
        if self.input.next_kind() == Some(b'S') {
            self.session.sync_follows();
        }
        let completion = loop {
            let (portal, row_limit) = frontend::execute(self.input.body(body.clone())).map_err(violation)?;
            let completion = self.wire.drive(&mut self.session, |session, output| {
                session.execute(portal, row_limit, &mut RowSink { output, is_describing: false })
            });
            match completion.await? {
                Completion::Paused => self.wire.send(self.session.answer_lsn()).await?,
                completion => break completion,
            }
        };
        let tag = match completion {
            Completion::Tag(tag) => tag,
            Completion::CopyIn(format) => Box::pin(self.copy_in(format)).await?,
            Completion::Suspended => {
                backend::portal_suspended(self.wire.output.plain());
                return Ok(());
            }
            Completion::EmptyQuery => {
                backend::empty_query(self.wire.output.plain());
                return Ok(());
            }
            Completion::Paused => unreachable!("handled by the loop above"),
        };
        self.wire.output.command_complete(&tag, self.session.transaction_status() == b'T');
        self.wire.control.end_timeout();
        Ok(())
    }

    /// Ends the implicit transaction and the skipping after an error.
    pub(super) async fn sync(&mut self) -> Result<(), End> {
        self.is_skipping = false;
        let outcome = self.wire.drive(&mut self.session, |session, _| session.sync()).await;
        self.wire.settle(&mut self.session, outcome.map_err(Failed::Sql)).await?;
        self.ready_for_query().await
    }
}

/// Puts `count` items on the stack if they fit there.
fn fill<'a, T: Copy>(
    inline: &'a mut [T; INLINE],
    heap: &'a mut Vec<T>,
    count: usize,
    items: impl Iterator<Item = T>,
) -> &'a [T] {
    if count > INLINE {
        heap.extend(items);
        return heap;
    }
    for (slot, item) in inline.iter_mut().zip(items) {
        *slot = item;
    }
    &inline[..count]
}

fn check_formats<'a>(mut formats: impl Iterator<Item = &'a i16>) -> Result<(), SqlError> {
    match formats.find(|format| !matches!(format, 0 | 1)) {
        None => Ok(()),
        Some(format) => Err(SqlError::invalid_parameter(format!("unsupported format code: {format}"))),
    }
}
