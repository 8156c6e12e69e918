//! Rows put aside by the hash of their keys, to be worked on part by part: equal keys meet in one part.
//!
//! Owns [`Partitions`], which are written together to one file, and [`Part`], one of them that is read. What does not fit when a part
//! is worked on is put aside again, by further bits of the hash. [`Numbered`] rows can be brought back into the order in
//! which they came.

use super::kept_bytes::{WORKED_ON_BYTES_MAX, row_bytes};
use super::temporary_file::{RowReader, RowWriter, Spilled, TemporaryFile};
use super::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{read_row, write_row};
use std::cmp::Ordering;
use std::sync::Arc;

/// Bits of a hash by which rows are parted once. 16 buffers take the least `work_mem` twice over, and a millionth is left after
/// five times.
const LEVEL_BITS: u32 = 4;

/// How often rows are parted. Keys whose hashes agree in so many bits are equal, or as good as too many of them.
const LEVELS_MAX: u32 = 12;

/// Bytes of a part that are written and read at a time, at least and at most: what runs of a sort are read and written by.
const PIECE_BYTES_MIN: usize = 8 << 10;
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Whether a hash table that keeps so many bytes takes no new keys.
pub(super) fn is_hash_table_full(context: &Context<'_>, bytes: usize, level: u32) -> bool {
    bytes > context.view.settings.hash_mem_bytes().min(WORKED_ON_BYTES_MAX / 2) && level < LEVELS_MAX
}

/// A number with its bits spread upwards, so that numbers that differ in their low bits differ in their high ones: 2^64 over the golden ratio
/// (Knuth, volume 3, section 6.4).
pub(super) fn mixed(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What is put aside.
pub(super) struct Partitions {
    file: Arc<TemporaryFile>,
    /// How many times rows have been parted before.
    level: u32,
    writers: Vec<RowWriter>,
    /// The part that has grown since the last drain.
    grown: Option<usize>,
    /// Bytes of a part that are written and read at a time.
    piece: usize,
}

/// One part of what was put aside.
pub(super) struct Part {
    /// Which: what was parted the same way has equal keys in parts of equal numbers.
    pub number: usize,
    /// How many times its rows have been parted.
    pub level: u32,
    pub reader: RowReader,
}

impl Partitions {
    /// 53400 if the session has too many files.
    pub(super) fn create(context: &Context<'_>, level: u32) -> Result<Partitions> {
        let file = TemporaryFile::create(context)?;
        // A quarter of the hash table's memory for all buffers, of which each may take twice as much.
        let piece = context.view.settings.hash_mem_bytes() / (8 * Partitions::COUNT);
        Ok(Partitions::over(file, level, piece.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX)))
    }

    /// For rows that are parted like these, in the same file.
    pub(super) fn beside(&self) -> Partitions {
        Partitions::over(Arc::clone(&self.file), self.level, self.piece)
    }

    fn over(file: Arc<TemporaryFile>, level: u32, piece: usize) -> Partitions {
        let writers = (0..Partitions::COUNT).map(|_| RowWriter::default()).collect();
        Partitions { file, level, writers, grown: None, piece }
    }

    /// How many parts there are, those without rows included.
    pub(super) const COUNT: usize = 1 << LEVEL_BITS;

    /// Puts a row aside, 54000 if it is too large; [`Partitions::drain`] comes before the next.
    pub(super) fn push(&mut self, hash: u64, row: &impl Spilled) -> Result<()> {
        assert!(self.grown.is_none(), "what came before has been drained");
        let bits = hash.rotate_left((self.level + 1) * LEVEL_BITS) & ((1 << LEVEL_BITS) - 1);
        let part = usize::try_from(bits).expect("a few bits");
        self.grown = Some(part);
        self.writers[part].push(row)
    }

    /// Writes what has come together. Call again after a need.
    pub(super) fn drain(&mut self, context: &mut Context<'_>) -> Step<()> {
        if let Some(part) = self.grown {
            self.writers[part].drain(context, &self.file, self.piece)?;
            self.grown = None;
        }
        Ok(())
    }

    /// All rows have come: adds the parts that have any. Call again after a need.
    pub(super) fn finish(&mut self, context: &mut Context<'_>, parts: &mut Vec<Part>) -> Step<()> {
        while let Some(writer) = self.writers.last_mut() {
            let stream = writer.finish(context, &self.file)?;
            self.writers.pop();
            if !stream.is_empty() {
                let reader = RowReader::new(Arc::clone(&self.file), stream, self.piece);
                parts.push(Part { number: self.writers.len(), level: self.level + 1, reader });
            }
        }
        Ok(())
    }
}

/// A row and its place among those that came.
pub(super) struct Numbered {
    pub number: u64,
    pub row: Row,
}

pub(super) fn by_number(a: &Numbered, b: &Numbered) -> Ordering {
    a.number.cmp(&b.number)
}

impl Spilled for Numbered {
    fn bytes(&self) -> usize {
        size_of::<u64>() + row_bytes(&self.row)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_le_bytes());
        write_row(&self.row, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Numbered> {
        let (number, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(Numbered { number: u64::from_le_bytes(*number), row: read_row(bytes)? })
    }
}
