//! Rows in temporary files.
//!
//! Owns [`TemporaryFile`] (a file and what it counts against `temp_file_limit`), [`RowWriter`] and [`RowReader`], which turn rows into a
//! stream of bytes and back. Bytes go out and come in by pieces, and others are let run between them. A stream lies in
//! a file as a list of stretches, so that several streams can be written to one file by turns.

use super::kept_bytes::row_bytes;
use super::{Context, Row};
use crate::spill::{SPILL_CALL_BYTES_MAX, SpillError, SpillFile};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{read_row, write_row};
use hexalog_sql_types::{SqlError, SqlState};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file that is gone when nobody holds it any more.
pub(super) struct TemporaryFile {
    file: Box<dyn SpillFile>,
    bytes: AtomicU64,
    /// Of all files of the session.
    session_bytes: Arc<AtomicU64>,
}

impl TemporaryFile {
    pub(super) fn create(context: &Context<'_>) -> Result<TemporaryFile> {
        let file = context.database.options().spill.create();
        let file = file.map_err(|error| spill_error("create", &error))?;
        let session_bytes = Arc::clone(&context.view.temporary_bytes);
        Ok(TemporaryFile { file, bytes: AtomicU64::new(0), session_bytes })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Writes at the end; answers where.
    fn append(&self, context: &mut Context<'_>, bytes: &[u8]) -> Result<Range<u64>> {
        let new = bytes.len() as u64;
        if let Some(limit_kb) = context.view.settings.temp_file_limit_kb()
            && self.session_bytes.load(Ordering::Relaxed) + new > limit_kb << 10
        {
            let message = format!("temporary file size exceeds temp_file_limit ({limit_kb}kB)");
            return Err(SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message));
        }
        let at = self.bytes();
        self.file.append(at, bytes).map_err(|error| spill_error("write to", &error))?;
        self.bytes.store(at + new, Ordering::Relaxed);
        self.session_bytes.fetch_add(new, Ordering::Relaxed);
        context.count_spilled(bytes.len());
        Ok(at..at + new)
    }

    fn read(&self, context: &mut Context<'_>, at: u64, out: &mut [u8]) -> Result<()> {
        assert!(at + out.len() as u64 <= self.bytes(), "only what was written is read");
        context.count_spilled(out.len());
        self.file.read(at, out).map_err(|error| spill_error("read from", &error))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        self.session_bytes.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

fn spill_error(doing: &str, error: &SpillError) -> SqlError {
    let (state, why) = match error {
        SpillError::Full => (SqlState::DISK_FULL, "No space left on device"),
        SpillError::Failed(why) => (SqlState::IO_ERROR, why.as_str()),
    };
    SqlError::new(state, format!("could not {doing} temporary file: {why}"))
}

/// Something that is put aside.
pub(super) trait Spilled: Sized {
    /// Bytes that it takes in memory.
    fn bytes(&self) -> usize;

    fn write(&self, out: &mut Vec<u8>);

    /// Takes one off the front; `None` for bytes that are none.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

/// A stream in a file.
#[derive(Clone, Default)]
pub(super) struct Stream {
    stretches: Vec<Range<u64>>,
}

impl Stream {
    pub(super) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }
}

impl Spilled for Row {
    fn bytes(&self) -> usize {
        row_bytes(self)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_row(self, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Row> {
        read_row(bytes)
    }
}

/// Appends rows of which some are missing.
pub(super) fn write_rows(rows: &[Option<Row>], out: &mut Vec<u8>) {
    let count = u16::try_from(rows.len()).expect("a query has no more calls than columns");
    out.extend_from_slice(&count.to_le_bytes());
    for row in rows {
        out.push(u8::from(row.is_some()));
        row.iter().for_each(|row| write_row(row, out));
    }
}

/// Takes them off the front; `None` for bytes that are none.
pub(super) fn read_rows(bytes: &mut &[u8]) -> Option<Vec<Option<Row>>> {
    let (count, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    let mut rows = Vec::new();
    for _ in 0..u16::from_le_bytes(*count) {
        let (&is_there, rest) = bytes.split_first()?;
        *bytes = rest;
        rows.push(if is_there == 1 { Some(read_row(bytes)?) } else { None });
    }
    Some(rows)
}

/// Writes a stream. Nothing is written before [`RowWriter::drain`] or [`RowWriter::finish`].
#[derive(Default)]
pub(super) struct RowWriter {
    buffer: Vec<u8>,
    /// Bytes of the buffer that are written.
    written: usize,
    stream: Stream,
}

impl RowWriter {
    pub(super) fn push(&mut self, row: &impl Spilled) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        row.write(&mut self.buffer);
        let length = u32::try_from(self.buffer.len() - start - 4).expect("rows are far below 4 GiB");
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Writes whole pieces; call again after a need.
    pub(super) fn drain(
        &mut self,
        context: &mut Context<'_>,
        file: &TemporaryFile,
        piece: usize,
    ) -> Step<()> {
        while self.buffer.len() - self.written >= piece {
            self.write_piece(context, file)?;
        }
        if self.written > 0 {
            self.buffer.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Writes all that is left and answers the stream; call again after a need.
    pub(super) fn finish(&mut self, context: &mut Context<'_>, file: &TemporaryFile) -> Step<Stream> {
        while self.written < self.buffer.len() {
            self.write_piece(context, file)?;
        }
        Ok(std::mem::take(self).stream)
    }

    fn write_piece(&mut self, context: &mut Context<'_>, file: &TemporaryFile) -> Step<()> {
        context.let_others_run()?;
        let length = (self.buffer.len() - self.written).min(SPILL_CALL_BYTES_MAX);
        let stretch = file.append(context, &self.buffer[self.written..][..length])?;
        self.written += length;
        match self.stream.stretches.last_mut() {
            Some(last) if last.end == stretch.start => last.end = stretch.end,
            _ => self.stream.stretches.push(stretch),
        }
        Ok(())
    }
}

/// Reads a stream.
pub(super) struct RowReader {
    file: Arc<TemporaryFile>,
    /// What has not been read, the next last.
    left: Vec<Range<u64>>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were taken.
    taken: usize,
    /// Bytes to be read at a time.
    piece: usize,
}

impl RowReader {
    pub(super) fn new(file: Arc<TemporaryFile>, stream: Stream, piece: usize) -> RowReader {
        let left = stream.stretches.into_iter().rev().collect();
        RowReader { file, left, buffer: Vec::new(), taken: 0, piece: piece.min(SPILL_CALL_BYTES_MAX) }
    }

    /// The length of the next row's bytes, if it is there.
    fn length(&self) -> Option<usize> {
        let length = self.buffer[self.taken..].first_chunk::<4>()?;
        Some(u32::from_le_bytes(*length) as usize)
    }

    /// Reads until the next row is there; false at the end. Call again after a need.
    pub(super) fn fill(&mut self, context: &mut Context<'_>) -> Step<bool> {
        loop {
            let there = self.buffer.len() - self.taken;
            if self.length().is_some_and(|length| there >= 4 + length) {
                return Ok(true);
            }
            context.let_others_run()?;
            let Some(stretch) = self.left.last_mut() else {
                assert_eq!(there, 0, "streams end with a row");
                return Ok(false);
            };
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let at = self.buffer.len();
            let length = self.piece.min(usize::try_from(stretch.end - stretch.start).unwrap_or(usize::MAX));
            self.buffer.resize(at + length, 0);
            self.file.read(context, stretch.start, &mut self.buffer[at..])?;
            stretch.start += length as u64;
            if stretch.start == stretch.end {
                self.left.pop();
            }
        }
    }

    /// The row that is there.
    pub(super) fn take<T: Spilled>(&mut self) -> Result<T> {
        let length = self.length().expect("filled before");
        let mut bytes = &self.buffer[self.taken + 4..][..length];
        let row = T::read(&mut bytes).filter(|_| bytes.is_empty());
        self.taken += 4 + length;
        row.ok_or_else(|| {
            SqlError::new(SqlState::IO_ERROR, "could not read from temporary file: not what was written")
        })
    }
}
