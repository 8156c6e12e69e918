//! Sorting in bounded memory: runs that are sorted in memory go to a temporary file and are merged from there.
//!
//! Owns [`Sorter`]. What equals each other keeps its order: runs are sorted stably, merged with their neighbours only, and of equal
//! heads that of the earlier run comes first. Runs that are too many to be merged at once are merged into fewer, in a second
//! file, until they are not (Knuth, volume 3, section 5.4). How many those are is a matter of memory: each run that is merged has
//! buffers, and its next row in memory, which may be its largest. As long as `work_mem` holds all, nothing is written.
//! Where only the first rows are wanted, others are let go of meanwhile. What is sorted in memory is sorted in slices (`sliced_sort.rs`).

use super::context::Context;
use super::kept_bytes::WORKED_ON_BYTES_MAX;
use super::measure::{SortMethod, SortSpace};
use super::sliced_sort::SlicedSort;
use super::temporary_file::{READER_PIECES, RowReader, RowWriter, Spilled, Stream, TemporaryFile};
use crate::spill::SPILL_CALL_BYTES_MAX;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of a run that are written at a time. What comes together meanwhile is as much again.
const WRITE_BYTES: usize = 64 << 10;

/// Bytes of a run that are read at a time: no fewer, or disks seek more than they read.
const READ_BYTES_MIN: usize = 8 << 10;

/// Memory for a merge even if it is more than `work_mem`: six runs of small rows, as PostgreSQL's MINORDER.
const MERGE_BYTES_MIN: usize = 6 * (READER_PIECES * READ_BYTES_MIN + (2 << 10));

/// Runs that are merged at once at most: more cost more comparisons than they save reading. PostgreSQL's MAXORDER.
const MERGED_MAX: usize = 500;

/// Sorted runs in a file.
struct Runs {
    file: Arc<TemporaryFile>,
    streams: Vec<Stream>,
}

/// Where the merge of several runs stands.
struct Merge<T> {
    readers: Vec<RowReader>,
    /// The next row of each run.
    heads: Vec<Option<T>>,
    /// Runs that have a next row: a heap whose least is first.
    heap: Vec<usize>,
    /// Runs whose first row has been read.
    opened: usize,
    /// The least head was given, and that run's next is to be read.
    is_given: bool,
}

impl<T: Spilled> Merge<T> {
    fn new(file: &Arc<TemporaryFile>, streams: impl Iterator<Item = Stream>, piece: usize) -> Merge<T> {
        let readers: Vec<RowReader> =
            streams.map(|stream| RowReader::new(Arc::clone(file), stream, piece)).collect();
        let heads = readers.iter().map(|_| None).collect();
        Merge { readers, heads, heap: Vec::new(), opened: 0, is_given: false }
    }

    fn next(&mut self, context: &mut Context<'_>, compare: &impl Fn(&T, &T) -> Ordering) -> Step<Option<T>> {
        while let Some(reader) = self.readers.get_mut(self.opened) {
            if reader.fill(context)? {
                self.heads[self.opened] = Some(reader.take()?);
                self.heap.push(self.opened);
            }
            self.opened += 1;
            if self.opened == self.readers.len() {
                (0..self.heap.len() / 2).rev().for_each(|at| self.sift_down(at, compare));
            }
        }
        if self.is_given {
            let run = self.heap[0];
            match self.readers[run].fill(context)? {
                true => self.heads[run] = Some(self.readers[run].take()?),
                false => drop(self.heap.swap_remove(0)),
            }
            self.is_given = false;
            self.sift_down(0, compare);
        }
        let Some(&run) = self.heap.first() else { return Ok(None) };
        self.is_given = true;
        Ok(self.heads[run].take())
    }

    fn sift_down(&mut self, mut at: usize, compare: &impl Fn(&T, &T) -> Ordering) {
        let head = |run: usize| self.heads[run].as_ref().expect("runs of the heap have a head");
        let is_less = |a: usize, b: usize| compare(head(a), head(b)).then(a.cmp(&b)).is_lt();
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter().filter(|&child| child < self.heap.len());
            let least = children.reduce(|a, b| if is_less(self.heap[b], self.heap[a]) { b } else { a });
            match least {
                Some(child) if is_less(self.heap[child], self.heap[at]) => {
                    self.heap.swap(at, child);
                    at = child;
                }
                _ => return,
            }
        }
    }
}

/// Merges of some runs into one each.
struct MergePass<T> {
    from: Runs,
    /// Runs that are merged or being merged.
    merged: usize,
    merge: Option<Merge<T>>,
    writer: RowWriter,
}

/// What has been put aside.
struct Aside<T> {
    runs: Runs,
    /// The run that is being written.
    writing: Option<std::vec::IntoIter<T>>,
    writer: RowWriter,
    pass: Option<MergePass<T>>,
    last: Option<Merge<T>>,
    /// Most bytes of its files at a time.
    bytes_max: u64,
}

/// What is being done with the rows in memory once they are sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    /// Those that are not wanted go; what is left may still be too much.
    Cut { is_full: bool },
    /// They go to a file.
    Run,
}

/// Takes rows, sorts them, gives them. The calls take the same order each time.
pub(super) struct Sorter<T> {
    rows: Vec<T>,
    /// The rows while they are being sorted.
    sorting: Option<SlicedSort<T>>,
    /// Why room is being made.
    purpose: Option<Purpose>,
    bytes: usize,
    /// Only so many of the first are wanted.
    bound: Option<usize>,
    /// So many of the first are those that were wanted of all so far, in their order; there has been more.
    is_cut: bool,
    aside: Option<Box<Aside<T>>>,
    given: std::vec::IntoIter<T>,
    /// All rows have come.
    is_ended: bool,
    is_sorted: bool,
}

impl<T> Default for Sorter<T> {
    fn default() -> Sorter<T> {
        Sorter {
            rows: Vec::new(),
            sorting: None,
            purpose: None,
            bytes: 0,
            bound: None,
            is_cut: false,
            aside: None,
            given: Vec::new().into_iter(),
            is_ended: false,
            is_sorted: false,
        }
    }
}

/// Bytes that a sort keeps in memory.
fn sort_bytes_max(context: &Context<'_>) -> usize {
    context.view.settings.work_mem_bytes().min(WORKED_ON_BYTES_MAX)
}

/// How many of some runs, from the first on, are merged at once, and the bytes that are read of each at a time. Their rows and
/// buffers fit `bytes_max`, but two runs are merged as long as a statement may have so much memory at all; 53200 beyond.
fn merge_order(runs: &[Stream], bytes_max: usize) -> Result<(usize, usize)> {
    let bytes_max = bytes_max.max(MERGE_BYTES_MIN);
    let (mut order, mut heads, mut largest) = (0, 0, 0);
    for run in runs.iter().take(MERGED_MAX) {
        let new_heads = heads + run.row_bytes_max;
        // One run's row at a time is read while the others' are there.
        let new_largest = largest.max(run.written_row_bytes_max);
        let bytes = new_heads + new_largest + (order + 1) * READER_PIECES * READ_BYTES_MIN;
        if order == 1 && bytes > WORKED_ON_BYTES_MAX {
            return Err(rows_too_large(bytes));
        }
        if order >= 2 && bytes > bytes_max {
            break;
        }
        (order, heads, largest) = (order + 1, new_heads, new_largest);
    }
    let piece = bytes_max.saturating_sub(heads + largest) / (order.max(1) * READER_PIECES);
    Ok((order, piece.clamp(READ_BYTES_MIN, SPILL_CALL_BYTES_MAX)))
}

fn rows_too_large(bytes: usize) -> SqlError {
    let detail = format!(
        "Merging two parts of a sort takes {} MB for their largest rows; a statement may take {} MB.",
        bytes.div_ceil(1 << 20),
        WORKED_ON_BYTES_MAX >> 20
    );
    SqlError::new(SqlState::OUT_OF_MEMORY, "out of memory")
        .with_detail(detail)
        .with_hint("Sort without large values, and fetch those by a key afterwards.")
}

impl<T: Spilled> Sorter<T> {
    /// No more than so many rows will be taken out: others need not be kept.
    pub(super) fn bound(&mut self, rows: usize) {
        assert!(self.rows.is_empty() && rows > 0, "said before there are rows");
        self.bound = Some(rows);
    }

    pub(super) fn push(&mut self, row: T) {
        assert!(!self.is_ended, "all rows are taken before any is given");
        assert!(self.sorting.is_none(), "room is made before a row comes");
        self.bytes += row.bytes();
        self.rows.push(row);
    }

    /// No further row comes.
    pub(super) fn end(&mut self) {
        self.is_ended = true;
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    pub(super) fn is_sorted(&self) -> bool {
        self.is_sorted
    }

    /// What is in memory goes to a file if it is too much; comes before each further row. Call again after a need.
    pub(super) fn make_room(
        &mut self,
        context: &mut Context<'_>,
        compare: &impl Fn(&T, &T) -> Ordering,
    ) -> Step<()> {
        let bytes_max = sort_bytes_max(context);
        if self.purpose.is_none() {
            let is_full = self.bytes > bytes_max;
            self.purpose = match self.wants_cut(is_full, compare) {
                true => Some(Purpose::Cut { is_full }),
                false if is_full => Some(Purpose::Run),
                false => return Ok(()),
            };
        }
        if let Some(Purpose::Cut { is_full }) = self.purpose {
            self.cut(context, compare)?;
            // Rows that are wanted and fill more than half would be cut again and again.
            self.purpose = (is_full && self.bytes > bytes_max / 2).then_some(Purpose::Run);
        }
        if self.purpose == Some(Purpose::Run) {
            self.write_run(context, compare)?;
            self.purpose = None;
        }
        Ok(())
    }

    /// Whether rows that are not wanted are to go: once they are twice as many as are wanted, or memory is full of them. The one
    /// that has come last goes at once. As PostgreSQL's top-N heapsort, but equal keys keep their order: what has come later is
    /// the one to go.
    fn wants_cut(&mut self, is_full: bool, compare: &impl Fn(&T, &T) -> Ordering) -> bool {
        let Some(bound) = self.bound.filter(|&bound| self.rows.len() > bound) else { return false };
        let last = self.rows.last().expect("there are more than are wanted");
        if self.is_cut && compare(last, &self.rows[bound - 1]).is_ge() {
            self.bytes -= last.bytes();
            self.rows.pop();
        }
        is_full || self.rows.len() / 2 >= bound
    }

    /// Sorts the rows in memory, and lets go of those that are not wanted.
    fn cut(&mut self, context: &mut Context<'_>, compare: &impl Fn(&T, &T) -> Ordering) -> Step<()> {
        self.sort_in_memory(context, compare)?;
        let Some(bound) = self.bound.filter(|&bound| self.rows.len() > bound) else { return Ok(()) };
        self.is_cut = true;
        let gone = self.rows.drain(bound..);
        self.bytes -= gone.map(|row| row.bytes()).sum::<usize>();
        Ok(())
    }

    fn sort_in_memory(
        &mut self,
        context: &mut Context<'_>,
        compare: &impl Fn(&T, &T) -> Ordering,
    ) -> Step<()> {
        let rows = &mut self.rows;
        let sorting = self.sorting.get_or_insert_with(|| SlicedSort::new(std::mem::take(rows)));
        loop {
            match sorting.advance(compare) {
                0 => break,
                worked => context.count_rows_done(worked)?,
            }
        }
        let sorted = self.sorting.take().expect("set above");
        self.rows = sorted.finish();
        Ok(())
    }

    fn write_run(&mut self, context: &mut Context<'_>, compare: &impl Fn(&T, &T) -> Ordering) -> Step<()> {
        if self.aside.is_none() {
            let file = TemporaryFile::create(context)?;
            self.aside = Some(Box::new(Aside {
                runs: Runs { file, streams: Vec::new() },
                writing: None,
                writer: RowWriter::default(),
                pass: None,
                last: None,
                bytes_max: 0,
            }));
        }
        let aside = self.aside.as_mut().expect("made above");
        if aside.writing.is_none() {
            self.sort_in_memory(context, compare)?;
            self.is_cut = false;
            let aside = self.aside.as_mut().expect("made above");
            aside.writing = Some(std::mem::take(&mut self.rows).into_iter());
        }
        let aside = self.aside.as_mut().expect("made above");
        let writing = aside.writing.as_mut().expect("set above");
        loop {
            aside.writer.drain(context, &aside.runs.file, WRITE_BYTES)?;
            context.count_row()?;
            let Some(row) = writing.next() else { break };
            aside.writer.push(&row)?;
        }
        let stream = aside.writer.finish(context, &aside.runs.file)?;
        aside.runs.streams.push(stream);
        aside.bytes_max = aside.runs.file.bytes();
        aside.writing = None;
        self.bytes = 0;
        Ok(())
    }

    /// Puts all rows in order once they have come. Call again after a need.
    pub(super) fn sort(
        &mut self,
        context: &mut Context<'_>,
        compare: &impl Fn(&T, &T) -> Ordering,
    ) -> Step<()> {
        assert!(self.is_ended, "all rows are taken before any is given");
        if self.is_sorted {
            return Ok(());
        }
        let space = if self.aside.is_some() {
            if self.bytes > 0 {
                self.write_run(context, compare)?;
            }
            let aside = self.aside.as_mut().expect("looked at above");
            aside.merge_to_few(context, compare)?;
            let streams = std::mem::take(&mut aside.runs.streams);
            let (_, piece) = merge_order(&streams, sort_bytes_max(context))?;
            aside.last = Some(Merge::new(&aside.runs.file, streams.into_iter(), piece));
            SortSpace { method: SortMethod::Disk, bytes: aside.bytes_max }
        } else {
            let was_cut = self.is_cut;
            self.cut(context, compare)?;
            self.given = std::mem::take(&mut self.rows).into_iter();
            let method = if was_cut { SortMethod::FirstRows } else { SortMethod::Memory };
            SortSpace { method, bytes: self.bytes as u64 }
        };
        context.state.measures.sort = Some(space);
        self.is_sorted = true;
        Ok(())
    }

    /// All rows in their order, if they are in memory.
    pub(super) fn take_all(&mut self) -> Option<Vec<T>> {
        assert!(self.is_sorted, "rows are sorted before they are given");
        self.aside.is_none().then(|| std::mem::take(&mut self.given).collect())
    }

    /// The next row in order. Call again after a need.
    pub(super) fn next(
        &mut self,
        context: &mut Context<'_>,
        compare: &impl Fn(&T, &T) -> Ordering,
    ) -> Step<Option<T>> {
        assert!(self.is_sorted, "rows are sorted before they are given");
        let Some(aside) = &mut self.aside else { return Ok(self.given.next()) };
        context.count_row()?;
        let found = aside.last.as_mut().expect("made when it was sorted").next(context, compare)?;
        // The file is not needed any more, however long what is above goes on.
        if found.is_none() {
            self.aside = None;
        }
        Ok(found)
    }
}

impl<T: Spilled> Aside<T> {
    /// Merges runs until they are few enough to be merged while they are given.
    fn merge_to_few(&mut self, context: &mut Context<'_>, compare: &impl Fn(&T, &T) -> Ordering) -> Step<()> {
        loop {
            if self.pass.is_none() {
                let (order, _) = merge_order(&self.runs.streams, sort_bytes_max(context))?;
                if order == self.runs.streams.len() {
                    return Ok(());
                }
                let into = Runs { file: TemporaryFile::create(context)?, streams: Vec::new() };
                let from = std::mem::replace(&mut self.runs, into);
                self.pass = Some(MergePass { from, merged: 0, merge: None, writer: RowWriter::default() });
            }
            let pass = self.pass.as_mut().expect("made above");
            pass.run(context, compare, &mut self.runs)?;
            self.bytes_max = self.bytes_max.max(pass.from.file.bytes() + self.runs.file.bytes());
            self.pass = None;
        }
    }
}

impl<T: Spilled> MergePass<T> {
    fn run(
        &mut self,
        context: &mut Context<'_>,
        compare: &impl Fn(&T, &T) -> Ordering,
        into: &mut Runs,
    ) -> Step<()> {
        loop {
            if self.merge.is_none() {
                let from = &mut self.from.streams[self.merged..];
                let (count, piece) = merge_order(from, sort_bytes_max(context))?;
                if count == 0 {
                    return Ok(());
                }
                let streams = from[..count].iter_mut().map(std::mem::take);
                self.merge = Some(Merge::new(&self.from.file, streams, piece));
                self.merged += count;
            }
            let merge = self.merge.as_mut().expect("made above");
            loop {
                self.writer.drain(context, &into.file, WRITE_BYTES)?;
                context.count_row()?;
                let Some(row) = merge.next(context, compare)? else { break };
                self.writer.push(&row)?;
            }
            let stream = self.writer.finish(context, &into.file)?;
            into.streams.push(stream);
            self.merge = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_runs_are_merged_as_fit_memory() {
        const KB: usize = 1 << 10;
        const MB: usize = 1 << 20;
        let small = 1 << 7;
        for (rows, work_mem, expected) in [
            // Small rows: by their buffers, from PostgreSQL's least number to its most.
            (vec![small; 1], 64 * KB, Some((1, 51 * KB))),
            (vec![small; 100], 64 * KB, Some((6, 8 * KB))),
            (vec![small; 100], 512 * KB, Some((21, 8 * KB))),
            (vec![small; 9], 4 * MB, Some((9, 151 * KB))),
            (vec![small; 600], 1024 * MB, Some((500, 256 * KB))),
            // Large ones: by the rows themselves, but two at least.
            (vec![MB; 100], 64 * KB, Some((2, 8 * KB))),
            (vec![MB; 100], 8 * MB, Some((6, 56 * KB))),
            ([vec![small; 5], vec![100 * MB; 5]].concat(), 4 * MB, Some((5, 256 * KB))),
            (vec![300 * MB; 2], 4 * MB, Some((2, 8 * KB))),
            // No two fit what a statement may have at all.
            (vec![400 * MB; 2], 4 * MB, None),
            (vec![800 * MB; 1], 4 * MB, Some((1, 8 * KB))),
            (vec![], 4 * MB, Some((0, 256 * KB))),
        ] {
            let run = |&bytes: &usize| Stream {
                row_bytes_max: bytes,
                written_row_bytes_max: bytes,
                ..Stream::default()
            };
            let runs: Vec<Stream> = rows.iter().map(run).collect();
            let found = merge_order(&runs, work_mem);
            let found = found.map_err(|error| error.fields().sqlstate.to_string());
            let found = found.map(|(order, piece)| (order, piece >> 10));
            let expected = expected.map(|(order, piece)| (order, piece >> 10));
            assert_eq!(found, expected.ok_or("53200".to_owned()), "{} runs, {work_mem} bytes", rows.len());
        }
    }
}
