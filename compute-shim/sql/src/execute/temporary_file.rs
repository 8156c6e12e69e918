//! Rows in temporary files.
//!
//! Owns [`TemporaryFile`] (a file and what it counts against `temp_file_limit`), [`RowWriter`] and [`RowReader`], which turn rows into a
//! stream of bytes and back. Bytes go out and come in by pieces: one piece of a file is written while the next comes together, and one
//! of a stream is read while the rows of the one before are taken; whoever is ahead of the disk waits with `Need::Spill`. A
//! stream lies in a file as a list of stretches, so that several streams can be written to one file by turns. Buffers
//! that have grown for a large row are given back when it has gone.

use super::kept_bytes::{WORKED_ON_BYTES_MAX, row_bytes};
use super::{Context, Row};
use crate::spill::{SPILL_CALL_BYTES_MAX, SpillBusy, SpillCall, SpillFile};
use crate::stop::{Step, Stop, file_error};
use hexalog_engine::Need;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{read_row, write_row};
use hexalog_sql_types::{SqlError, SqlState};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A file that is gone when nobody holds it any more.
pub(super) struct TemporaryFile {
    file: Box<dyn SpillFile>,
    writing: Mutex<Writing>,
    /// What was handed over to be written.
    bytes: AtomicU64,
    usage: Arc<TemporaryUsage>,
}

/// The temporary files of a session.
#[derive(Default, Debug)]
pub(crate) struct TemporaryUsage {
    files: AtomicUsize,
    /// What was handed over to be written.
    bytes: AtomicU64,
    /// Files, and bytes written and read, in all.
    files_made: AtomicU64,
    bytes_written: AtomicU64,
    bytes_read: AtomicU64,
}

impl TemporaryUsage {
    /// Bytes that the session has read from and written to temporary files in all.
    pub(crate) fn moved(&self) -> (u64, u64) {
        (self.bytes_read.load(Ordering::Relaxed), self.bytes_written.load(Ordering::Relaxed))
    }

    /// Files that the session has made in all.
    pub(crate) fn files_made(&self) -> u64 {
        self.files_made.load(Ordering::Relaxed)
    }
}

/// Files of a session at once, so that one session cannot take those of all. An operator has one or two, and a hash table one more for
/// each time that it is parted; a guess at what statements and open cursors need.
const SESSION_FILES_MAX: usize = 64;

/// The piece that is being written.
#[derive(Default)]
struct Writing {
    call: Option<SpillCall>,
    /// The memory of the one before.
    spare: Vec<u8>,
}

impl Writing {
    /// Waits until nothing is being written.
    fn settle(&mut self) -> Step<()> {
        let Some(call) = &mut self.call else { return Ok(()) };
        let outcome = call.take()?;
        self.call = None;
        self.spare = outcome.map_err(|error| file_error("write to", &error))?;
        Ok(())
    }
}

impl TemporaryFile {
    /// 53400 if the session has too many.
    pub(super) fn create(context: &Context<'_>) -> Result<Arc<TemporaryFile>> {
        let usage = Arc::clone(&context.view.temporary);
        if usage.files.load(Ordering::Relaxed) >= SESSION_FILES_MAX {
            let message = format!("more than {SESSION_FILES_MAX} temporary files of one session");
            return Err(SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message)
                .with_hint("Close cursors that have not come to their end, or raise work_mem."));
        }
        usage.files.fetch_add(1, Ordering::Relaxed);
        usage.files_made.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(TemporaryFile {
            file: context.database.options().spill.create(),
            writing: Mutex::default(),
            bytes: AtomicU64::new(0),
            usage,
        }))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Begins to write at the end; answers where. Call again after a need.
    fn append(&self, context: &mut Context<'_>, bytes: &[u8]) -> Step<Range<u64>> {
        let new = bytes.len() as u64;
        if let Some(limit_kb) = context.view.settings.temp_file_limit_kb()
            && self.usage.bytes.load(Ordering::Relaxed) + new > limit_kb << 10
        {
            let message = format!("temporary file size exceeds temp_file_limit ({limit_kb}kB)");
            return Err(SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message).into());
        }
        let at = self.bytes();
        let mut writing = self.writing.lock();
        writing.settle()?;
        let mut piece = std::mem::take(&mut writing.spare);
        piece.clear();
        piece.extend_from_slice(bytes);
        match self.file.write(at, piece) {
            Ok(call) => writing.call = Some(call),
            Err(SpillBusy { buffer, wait }) => {
                writing.spare = buffer;
                return Err(Need::Spill(wait).into());
            }
        }
        self.bytes.store(at + new, Ordering::Relaxed);
        self.usage.bytes.fetch_add(new, Ordering::Relaxed);
        self.usage.bytes_written.fetch_add(new, Ordering::Relaxed);
        context.count_spilled(bytes.len());
        Ok(at..at + new)
    }

    /// Begins to read, into the memory of `spare`, which stays there if there is a need first.
    fn read(&self, stretch: Range<u64>, spare: &mut Vec<u8>) -> Step<SpillCall> {
        assert!(stretch.end <= self.bytes(), "only what was written is read");
        let mut writing = self.writing.lock();
        writing.settle()?;
        writing.spare = Vec::new();
        let length = usize::try_from(stretch.end - stretch.start).expect("a piece");
        let mut buffer = std::mem::take(spare);
        buffer.resize(length, 0);
        let read = self.file.read(stretch.start, buffer).map_err(|SpillBusy { buffer, wait }| {
            *spare = buffer;
            Stop::from(Need::Spill(wait))
        })?;
        self.usage.bytes_read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        self.usage.bytes.fetch_sub(self.bytes(), Ordering::Relaxed);
        self.usage.files.fetch_sub(1, Ordering::Relaxed);
    }
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
    pub stretches: Vec<Range<u64>>,
    /// What its largest row takes in memory.
    pub row_bytes_max: usize,
    /// What its largest row takes in the file: reading it takes as much besides.
    pub written_row_bytes_max: usize,
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
    let count = u32::try_from(rows.len()).expect("a query has fewer calls than bytes");
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
    for _ in 0..u32::from_le_bytes(*count) {
        let (&is_there, rest) = bytes.split_first()?;
        *bytes = rest;
        rows.push(if is_there == 1 { Some(read_row(bytes)?) } else { None });
    }
    Some(rows)
}

/// Pieces for which a buffer keeps memory between rows: one, and one of which the last row's beginning is left.
const BUFFER_PIECES: usize = 2;

/// Pieces for which a [`RowReader`] has memory between rows: its buffer's, and the one that is being read.
pub(super) const READER_PIECES: usize = BUFFER_PIECES + 1;

/// Lets go of the bytes at the front, and of the memory that a large row took.
fn let_go(buffer: &mut Vec<u8>, bytes: usize, piece: usize) {
    buffer.drain(..bytes);
    buffer.shrink_to(BUFFER_PIECES * piece);
}

/// Writes a stream. Nothing is written before [`RowWriter::drain`] or [`RowWriter::finish`].
#[derive(Default)]
pub(super) struct RowWriter {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were handed over to be written.
    written: usize,
    stream: Stream,
}

impl RowWriter {
    /// Takes a row; 54000 if it is too large to be put aside.
    pub(super) fn push(&mut self, row: &impl Spilled) -> Result<()> {
        let bytes = row.bytes();
        if bytes > WORKED_ON_BYTES_MAX {
            return Err(row_too_large(bytes));
        }
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; 4]);
        row.write(&mut self.buffer);
        let written = self.buffer.len() - start - 4;
        if written > WORKED_ON_BYTES_MAX {
            self.buffer.truncate(start);
            return Err(row_too_large(written));
        }
        let length = u32::try_from(written).expect("far below 4 GiB, as looked at above");
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.stream.row_bytes_max = self.stream.row_bytes_max.max(bytes);
        self.stream.written_row_bytes_max = self.stream.written_row_bytes_max.max(4 + written);
        Ok(())
    }

    /// Hands whole pieces over; call again after a need.
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
            let_go(&mut self.buffer, self.written, piece);
            self.written = 0;
        }
        Ok(())
    }

    /// Hands all that is left over and answers the stream; call again after a need.
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

fn row_too_large(bytes: usize) -> SqlError {
    let message = format!(
        "row of {} MB is too large to be sorted or grouped: at most {} MB",
        bytes.div_ceil(1 << 20),
        WORKED_ON_BYTES_MAX >> 20
    );
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
        .with_hint("Sort or group without its large values, and fetch those by its key afterwards.")
}

/// Reads a stream.
pub(super) struct RowReader {
    file: Arc<TemporaryFile>,
    /// What has not been asked for, the next last.
    left: Vec<Range<u64>>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were taken.
    taken: usize,
    /// The next piece, if it is being read.
    ahead: Option<SpillCall>,
    /// The memory of the piece before.
    spare: Vec<u8>,
    /// Bytes to be read at a time.
    piece: usize,
}

impl RowReader {
    pub(super) fn new(file: Arc<TemporaryFile>, stream: Stream, piece: usize) -> RowReader {
        RowReader {
            file,
            left: stream.stretches.into_iter().rev().collect(),
            buffer: Vec::new(),
            taken: 0,
            ahead: None,
            spare: Vec::new(),
            piece: piece.min(SPILL_CALL_BYTES_MAX),
        }
    }

    /// The length of the next row's bytes, if it is there.
    fn length(&self) -> Option<usize> {
        let length = self.buffer[self.taken..].first_chunk::<4>()?;
        Some(u32::from_le_bytes(*length) as usize)
    }

    /// Bytes that are missing of the next row; `None` if it is there.
    fn missing(&self) -> Option<usize> {
        let there = self.buffer.len() - self.taken;
        let whole = 4 + self.length().unwrap_or(0);
        (whole > there || there < 4).then(|| whole - there)
    }

    /// Reads until the next row is there; false at the end. Call again after a need.
    pub(super) fn fill(&mut self, context: &mut Context<'_>) -> Step<bool> {
        while let Some(missing) = self.missing() {
            context.let_others_run()?;
            if missing > 4 + WORKED_ON_BYTES_MAX {
                return Err(not_what_was_written().into());
            }
            if self.ahead.is_none() {
                self.begin_read(context)?;
            }
            let Some(call) = &mut self.ahead else {
                let is_between_rows = self.taken == self.buffer.len();
                return if is_between_rows { Ok(false) } else { Err(not_what_was_written().into()) };
            };
            let outcome = call.take()?;
            self.ahead = None;
            let found = outcome.map_err(|error| file_error("read from", &error))?;
            let_go(&mut self.buffer, self.taken, self.piece);
            self.taken = 0;
            self.buffer.reserve_exact(missing.max(found.len()));
            self.buffer.extend_from_slice(&found);
            if found.capacity() <= self.piece {
                self.spare = found;
            }
            match self.begin_read(context) {
                // It is begun when it is wanted, then.
                Ok(()) | Err(Stop::Need(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Begins to read what comes next, if anything does.
    fn begin_read(&mut self, context: &mut Context<'_>) -> Step<()> {
        // What is missing of a large row is read by large pieces.
        let piece = self.missing().unwrap_or(0).clamp(self.piece, SPILL_CALL_BYTES_MAX);
        let Some(stretch) = self.left.last_mut() else { return Ok(()) };
        let end = stretch.end.min(stretch.start + piece as u64);
        self.ahead = Some(self.file.read(stretch.start..end, &mut self.spare)?);
        context.count_spilled(piece);
        stretch.start = end;
        if stretch.is_empty() {
            self.left.pop();
        }
        Ok(())
    }

    /// The row that is there.
    pub(super) fn take<T: Spilled>(&mut self) -> Result<T> {
        let length = self.length().expect("filled before");
        let mut bytes = &self.buffer[self.taken + 4..][..length];
        let row = T::read(&mut bytes).filter(|_| bytes.is_empty());
        self.taken += 4 + length;
        // The largest rows of several streams are not to be in memory twice at a time.
        if length > self.piece {
            let_go(&mut self.buffer, self.taken, self.piece);
            self.taken = 0;
        }
        row.ok_or_else(not_what_was_written)
    }
}

fn not_what_was_written() -> SqlError {
    SqlError::new(SqlState::IO_ERROR, "could not read from temporary file: not what was written")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row that takes so much memory, and so many bytes in a file.
    struct Large(usize, usize);

    impl Spilled for Large {
        fn bytes(&self) -> usize {
            self.0
        }

        fn write(&self, out: &mut Vec<u8>) {
            out.resize(out.len() + self.1, 0);
        }

        fn read(_: &mut &[u8]) -> Option<Large> {
            unreachable!("never written")
        }
    }

    #[test]
    fn a_row_that_no_operator_can_hold_is_refused() {
        let mut writer = RowWriter::default();
        let error = writer.push(&Large(WORKED_ON_BYTES_MAX + 1, 0)).expect_err("too large");
        assert_eq!(error.fields().sqlstate.to_string(), "54000");
        let message = "row of 1025 MB is too large to be sorted or grouped: at most 1024 MB";
        assert_eq!(error.fields().message, message);
        assert!(writer.push(&Large(1, WORKED_ON_BYTES_MAX + 1)).is_err());
        assert_eq!(writer.buffer.len(), 0, "nothing of it is left");
        writer.push(&Large(WORKED_ON_BYTES_MAX, 7)).expect("just fits");
        assert_eq!(writer.buffer.len(), 4 + 7);
        assert_eq!(writer.stream.row_bytes_max, WORKED_ON_BYTES_MAX);
        assert_eq!(writer.stream.written_row_bytes_max, 4 + 7);
    }

    #[test]
    fn memory_of_a_large_row_is_given_back() {
        let mut buffer = vec![0; 1 << 20];
        let_go(&mut buffer, (1 << 20) - 100, 8 << 10);
        assert_eq!(buffer.len(), 100);
        assert!(buffer.capacity() <= BUFFER_PIECES * (8 << 10));
    }

    #[test]
    fn rows_of_which_some_are_missing() {
        let many: Vec<Option<Row>> = (0..70_000).map(|at| (at % 3 > 0).then(Row::new)).collect();
        let mut bytes = Vec::new();
        write_rows(&many, &mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(read_rows(&mut rest).expect("was written").len(), many.len());
        assert!(rest.is_empty());
        assert!(read_rows(&mut &bytes[..bytes.len() - 1]).is_none());
    }
}
