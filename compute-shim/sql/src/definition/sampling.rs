//! A sample of a table's rows, and how many rows there are.
//!
//! Owns [`Sampling`], one reading of one table. A table of moderate size is read whole, and its rows are counted. Of a larger
//! one leaves are drawn at random (`Engine::draw_leaf`), and one row of each, as PostgreSQL does with pages: what that takes
//! does not grow with the table, and rows of one leaf, which are alike where a column goes with the key, are not taken for a
//! sample of the table. A row's chance to be drawn is the reciprocal of its leaf's weight times its rows, so that much of it is
//! evened out at the end. Neither rows nor bytes of a sample pass a bound, and values that lie in chains are not read if they
//! are too wide to be looked at.

use super::column_statistics::{Sampled, WIDTH_MAX};
use super::{DefinitionContext, Pace};
use crate::catalog::object::Table;
use crate::execute::column_in_memory;
use crate::stop::Step;
use hexalog_engine::{Cursor, Direction, DrawnLeaf, Need, RowBuffer, TreeId};
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Bound;

/// Rows of a sample for each of `default_statistics_target`: PostgreSQL's factor, from "Random sampling for histogram
/// construction: how much is enough?" (Chaudhuri, Motwani, Narasayya, 1998).
const ROWS_PER_TARGET: usize = 300;

/// Leaves drawn for each of `default_statistics_target`; a table of no more is read whole. A third of what PostgreSQL draws: pages
/// here are on other machines.
const LEAVES_PER_TARGET: usize = 100;

/// Draws after which it is decided whether the table is read whole.
const FIRST_DRAWS: usize = 64;

/// Leaves and draws between two looks whether someone waits.
const LEAVES_PER_LOOK: usize = 64;

/// Bytes of values that a sample may hold; some columns of wide values would else fill memory.
const BYTES_MAX: usize = 64 << 20;

/// Of all rows drawn so many, in hundredths, weigh no more than what the chance to stay is measured by.
const WEIGHED_WITHIN: usize = 90;

/// How much a table is read for a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    rows: usize,
    leaves: usize,
    bytes: usize,
}

impl Extent {
    pub(super) fn of_target(target: usize) -> Extent {
        let leaves = (target * LEAVES_PER_TARGET).max(FIRST_DRAWS);
        Extent { rows: target * ROWS_PER_TARGET, leaves, bytes: BYTES_MAX }
    }
}

/// What a sampling has come to.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub(super) struct Size {
    /// Rows of the table, as far as the sample tells.
    pub rows: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Rows that were read.
    pub rows_read: u64,
    /// Bytes of these.
    pub bytes_read: u64,
}

/// A row of the sample.
struct Kept {
    lot: u64,
    /// Its place among all rows that were read, which are in the table's order.
    place: u64,
    bytes: usize,
    values: Vec<Sampled>,
    /// For how many rows of the table it stands, if each draw's were all.
    weight: f64,
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Kept {}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Kept) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Kept) -> Ordering {
        self.lot.cmp(&other.lot)
    }
}

/// The sample while rows come: those with the lowest lots.
struct Reservoir {
    extent: Extent,
    kept: BinaryHeap<Kept>,
    bytes: usize,
    /// Lots from here on are lost: some such row has been given up.
    cut: u64,
}

impl Reservoir {
    fn new(extent: Extent) -> Reservoir {
        Reservoir { extent, kept: BinaryHeap::new(), bytes: 0, cut: u64::MAX }
    }

    fn put(&mut self, row: Kept) {
        self.bytes += row.bytes;
        self.kept.push(row);
        let Extent { rows, bytes, .. } = self.extent;
        while self.kept.len() > rows || (self.bytes > bytes && self.kept.len() > 1) {
            let lost = self.kept.pop().expect("more than one");
            self.bytes -= lost.bytes;
            self.cut = lost.lot;
        }
    }

    /// The rows, in the table's order; of rows that stand for few others some go.
    fn into_rows(self) -> Vec<Vec<Sampled>> {
        let mut rows = self.kept.into_vec();
        rows.sort_unstable_by(|one, other| one.weight.total_cmp(&other.weight));
        let measure = rows.get(rows.len() * WEIGHED_WITHIN / 100).map_or(1.0, |row| row.weight);
        // The lots of those that are here are as good as any other random number below the cut.
        rows.retain(|row| chance(mixed(row.lot)) * measure <= row.weight);
        rows.sort_unstable_by_key(|row| row.place);
        rows.into_iter().map(|row| row.values).collect()
    }
}

/// The part of the table that is read.
enum Part {
    /// Leaves are being drawn.
    Drawing { drawn: Vec<DrawnLeaf>, weights: f64 },
    /// The whole table.
    Whole(Cursor),
    /// Drawn leaves, in the table's order, the next to be read at the end.
    Leaves { ahead: Vec<DrawnLeaf>, leaf: Option<Leaf>, last: Taken },
}

/// The leaf that was read last, by its lower bound, and which of its rows are in the sample. A leaf that was drawn twice gives two
/// rows: one row twice would be a value that is not unique.
#[derive(Default)]
struct Taken {
    low: Vec<u8>,
    rows: Vec<u64>,
}

impl Taken {
    /// A row of a leaf, near the one wished for, that has not been taken; `None`: all have.
    fn take(&mut self, low: &[u8], rows: u64, wished: u64) -> Option<u64> {
        if self.rows.is_empty() || self.low != low {
            (self.low, self.rows) = (low.to_vec(), Vec::new());
        }
        let mut nearest = (0..rows).map(|ahead| (wished + ahead) % rows);
        let row = nearest.find(|row| !self.rows.contains(row))?;
        self.rows.push(row);
        Some(row)
    }
}

/// A leaf that is being read: its rows are counted, then the one that was drawn is read again.
struct Leaf {
    drawn: DrawnLeaf,
    cursor: Cursor,
    rows: u64,
    bytes: u64,
    /// Rows to be passed before the drawn one comes; `None`: they are being counted.
    ahead: Option<u64>,
}

/// Reads one table.
pub(super) struct Sampling {
    tree: TreeId,
    columns: Vec<usize>,
    extent: Extent,
    seed: u64,
    part: Part,
    draws: usize,
    stored: RowBuffer,
    /// Of the row at hand, which is to be kept: its weight, and values of the first columns.
    chosen: Option<(f64, Vec<Sampled>)>,
    reservoir: Reservoir,
    /// Leaves and draws since the last look whether someone waits.
    unlooked: usize,
    size: Size,
    /// Rows and bytes by weight: of the table, if each draw's were all.
    weighed: (f64, f64),
    pace: Pace,
}

impl Sampling {
    pub(super) fn new(table: &Table, columns: Vec<usize>, extent: Extent, seed: u64) -> Sampling {
        Sampling {
            tree: table.tree,
            columns,
            extent,
            seed,
            part: Part::Drawing { drawn: Vec::new(), weights: 0.0 },
            draws: 0,
            stored: RowBuffer::new(),
            chosen: None,
            reservoir: Reservoir::new(extent),
            unlooked: 0,
            size: Size::default(),
            weighed: (0.0, 0.0),
            pace: Pace::default(),
        }
    }

    /// Reads on until the sample is whole.
    pub(super) fn read(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<()> {
        loop {
            if let Some((_, values)) = &mut self.chosen {
                take_values(context, table, &self.columns, &mut self.stored, values)?;
                self.keep();
            }
            self.look(context)?;
            self.pace.row(context)?;
            let goes_on = match &self.part {
                Part::Drawing { .. } => self.draw(context)?,
                Part::Whole(_) => self.next_of_whole(context)?,
                Part::Leaves { .. } => self.next_of_leaves(context)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Pages that are read one by one take long: whoever waits is not made to wait for a thousand of them.
    fn look(&mut self, context: &DefinitionContext<'_>) -> Step<()> {
        if self.unlooked < LEAVES_PER_LOOK {
            return Ok(());
        }
        self.unlooked = 0;
        match context.environment.cancelled() {
            Some(reason) => Err(reason.error().into()),
            None => Err(Need::Yield.into()),
        }
    }

    fn draw(&mut self, context: &mut DefinitionContext<'_>) -> Step<bool> {
        let Part::Drawing { drawn, weights } = &mut self.part else { unreachable!("leaves are drawn") };
        let (seed, number) = (self.seed, self.draws as u64);
        let chances = |depth: u8| mixed(seed ^ mixed(number << 8 | u64::from(depth)));
        let (engine, _) = context.stores.of(self.tree);
        let leaf = engine.draw_leaf(self.tree, chances)?;
        *weights += leaf.leaves;
        drawn.push(leaf);
        self.draws += 1;
        self.unlooked += 1;
        let mean = *weights / self.draws as f64;
        if mean == 1.0 || (self.draws == FIRST_DRAWS && mean <= self.extent.leaves as f64) {
            self.draws = 1;
            self.part =
                Part::Whole(Cursor::new(self.tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward));
        } else if self.draws >= self.extent.leaves {
            let mut ahead = std::mem::take(drawn);
            ahead.sort_by(|one, other| other.low.cmp(&one.low));
            self.part = Part::Leaves { ahead, leaf: None, last: Taken::default() };
        }
        Ok(true)
    }

    fn next_of_whole(&mut self, context: &mut DefinitionContext<'_>) -> Step<bool> {
        let Part::Whole(cursor) = &mut self.part else { unreachable!("it is read whole") };
        let (engine, transaction) = context.stores.of(self.tree);
        if !engine.cursor_next(transaction, cursor, &mut self.stored)? {
            return Ok(false);
        }
        let bytes = stored_bytes(&self.stored);
        self.count(1, bytes, 1.0);
        if self.lot() < self.reservoir.cut {
            self.choose(1.0);
        }
        Ok(true)
    }

    fn next_of_leaves(&mut self, context: &mut DefinitionContext<'_>) -> Step<bool> {
        let Part::Leaves { ahead, leaf, .. } = &mut self.part else { unreachable!("leaves are read") };
        let Some(reading) = leaf else {
            let Some(drawn) = ahead.pop() else { return Ok(false) };
            let cursor = cursor_of(self.tree, &drawn);
            *leaf = Some(Leaf { drawn, cursor, rows: 0, bytes: 0, ahead: None });
            self.unlooked += 1;
            return Ok(true);
        };
        let (engine, transaction) = context.stores.of(self.tree);
        if engine.cursor_next(transaction, &mut reading.cursor, &mut self.stored)? {
            match &mut reading.ahead {
                None => {
                    reading.rows += 1;
                    reading.bytes += stored_bytes(&self.stored);
                }
                Some(0) => {
                    let weight = reading.drawn.leaves * reading.rows as f64;
                    *leaf = None;
                    self.choose(weight);
                }
                Some(passed) => *passed -= 1,
            }
            return Ok(true);
        }
        let (rows, bytes, weight) = (reading.rows, reading.bytes, reading.drawn.leaves);
        if rows == 0 || reading.ahead.is_some() {
            *leaf = None;
            return Ok(true);
        }
        reading.cursor = cursor_of(self.tree, &reading.drawn);
        self.count(rows, bytes, weight);
        let wished = mixed(self.lot()) % rows;
        let Part::Leaves { leaf: Some(reading), last, .. } = &mut self.part else {
            unreachable!("it is read")
        };
        match last.take(&reading.drawn.low, rows, wished) {
            Some(nth) => reading.ahead = Some(nth),
            None => self.leave_leaf(),
        }
        Ok(true)
    }

    fn leave_leaf(&mut self) {
        if let Part::Leaves { leaf, .. } = &mut self.part {
            *leaf = None;
        }
    }

    fn count(&mut self, rows: u64, bytes: u64, weight: f64) {
        self.size.rows_read += rows;
        self.size.bytes_read += bytes;
        self.weighed.0 += weight * rows as f64;
        self.weighed.1 += weight * bytes as f64;
    }

    /// The lot of the row that was read last.
    fn lot(&self) -> u64 {
        mixed(self.seed.wrapping_add(self.size.rows_read))
    }

    fn choose(&mut self, weight: f64) {
        self.chosen = Some((weight, Vec::with_capacity(self.columns.len())));
    }

    fn keep(&mut self) {
        let (weight, values) = self.chosen.take().expect("a row was chosen");
        let bytes = size_of::<Kept>() + values.iter().map(Sampled::memory_bytes).sum::<usize>();
        self.reservoir.put(Kept { lot: self.lot(), place: self.size.rows_read, bytes, values, weight });
    }

    /// How much there is, and the rows of the sample, in the table's order.
    pub(super) fn into_sample(self) -> (Size, Vec<Vec<Sampled>>) {
        let of_table = |sum: f64| (sum / self.draws as f64).round() as u64;
        let size = Size { rows: of_table(self.weighed.0), bytes: of_table(self.weighed.1), ..self.size };
        (size, self.reservoir.into_rows())
    }
}

fn stored_bytes(stored: &RowBuffer) -> u64 {
    (stored.key.len() + stored.body.len()) as u64
}

fn cursor_of(tree: TreeId, leaf: &DrawnLeaf) -> Cursor {
    let upper = leaf.high.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    Cursor::new(tree, Bound::Included(leaf.low.as_slice()), upper, Direction::Forward)
}

/// Takes the values that are still missing of a row's; what is too wide only by its width.
fn take_values(
    context: &mut DefinitionContext<'_>,
    table: &Table,
    columns: &[usize],
    stored: &mut RowBuffer,
    values: &mut Vec<Sampled>,
) -> Step<()> {
    while let Some(&column) = columns.get(values.len()) {
        let type_id = table.columns[column].type_id;
        let value = match column_in_memory(table, stored, column)? {
            Ok(value) => Sampled::of(type_id, value),
            Err(place) if stored.chains[place].bytes as usize > WIDTH_MAX => {
                Sampled::Wide(stored.chains[place].bytes as usize)
            }
            Err(place) => {
                let (engine, transaction) = context.stores.of(table.tree);
                let bytes = engine.read_chain(transaction, stored.value_reader(place))?;
                Sampled::of(type_id, table.layout.decode_value(column, bytes)?)
            }
        };
        values.push(value);
    }
    Ok(())
}

/// A number that shows nothing of the one that it is made from (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// A number from 0 to 1 for a random one.
fn chance(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(place: u64, bytes: usize, weight: f64) -> Kept {
        Kept { lot: mixed(place), place, bytes, values: vec![Sampled::Wide(place as usize)], weight }
    }

    fn places(reservoir: Reservoir) -> Vec<usize> {
        let place = |row: Vec<Sampled>| match row[..] {
            [Sampled::Wide(place)] => place,
            _ => panic!("one value"),
        };
        reservoir.into_rows().into_iter().map(place).collect()
    }

    /// A sample that passed its bytes is smaller, and as even as one that did not.
    #[test]
    fn a_sample_keeps_to_its_bounds_and_to_no_part_of_the_table() {
        for extent in [
            Extent { rows: 500, leaves: 0, bytes: usize::MAX },
            Extent { rows: usize::MAX, leaves: 0, bytes: 5_000 },
        ] {
            let mut reservoir = Reservoir::new(extent);
            for place in 0..20_000 {
                if mixed(place) < reservoir.cut {
                    // The second half of the table is a hundred times as wide.
                    let bytes = if place < 10_000 { 1 } else { 100 };
                    reservoir.put(row(place, bytes, 1.0));
                }
                assert!(reservoir.kept.len() <= extent.rows && reservoir.bytes <= extent.bytes.max(100));
            }
            let places = places(reservoir);
            assert!(places.is_sorted() && places.len() >= 60, "{places:?}");
            let late = places.iter().filter(|place| **place >= 10_000).count() * 100 / places.len();
            assert!((35..65).contains(&late), "{late} of 100 from the second half");
        }
    }

    #[test]
    fn a_leaf_that_was_drawn_again_gives_another_row() {
        let mut taken = Taken::default();
        assert_eq!(
            [taken.take(b"a", 3, 1), taken.take(b"a", 3, 1), taken.take(b"a", 3, 1)],
            [1, 2, 0].map(Some)
        );
        assert_eq!(taken.take(b"a", 3, 1), None);
        assert_eq!(taken.take(b"b", 3, 1), Some(1));
    }

    /// Where leaves with few rows were drawn as often as those with many, most of their rows go.
    #[test]
    fn rows_that_stand_for_few_others_are_thinned_out() {
        let mut reservoir = Reservoir::new(Extent { rows: usize::MAX, leaves: 0, bytes: usize::MAX });
        (0..4_000).for_each(|place| reservoir.put(row(place, 1, if place < 2_000 { 10.0 } else { 40.0 })));
        let places = places(reservoir);
        let light = places.iter().filter(|place| **place < 2_000).count();
        assert!((400..600).contains(&light) && places.len() - light == 2_000, "{light} of {}", places.len());
    }
}
