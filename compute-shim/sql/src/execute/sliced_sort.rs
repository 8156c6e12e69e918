//! A sort in memory that stops between slices, so that no sort holds its thread for longer than a slice takes.
//!
//! Owns [`SlicedSort`]: a stable merge sort from the bottom up. Rows are cut into slices, which are sorted by themselves; slices
//! that follow each other in order are one run. Neighbouring runs are merged until one is left, a slice of rows at a time. The
//! standard library's sort cannot be left and come back to: five million rows took seconds in which a worker answered nobody,
//! and no cancel was heard.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::iter::Peekable;
use std::vec::IntoIter;

/// Rows of a slice: some hundred microseconds of comparisons.
const SLICE_ROWS: usize = 1_024;

/// Two neighbours on their way into one.
struct Merge<T> {
    left: Peekable<IntoIter<T>>,
    right: Peekable<IntoIter<T>>,
    merged: Vec<T>,
}

/// Rows being sorted.
pub(super) struct SlicedSort<T> {
    /// Rows that are in no run yet.
    rows: IntoIter<T>,
    /// Runs of this pass that are still to be merged, in the order of their rows. No two neighbours are in order as they stand, of
    /// any pass: the last row of a merged run is not below that of its right half, which is above the first row of the run that follows.
    runs: VecDeque<Vec<T>>,
    merge: Option<Merge<T>>,
    /// Runs of the next pass.
    merged: VecDeque<Vec<T>>,
}

impl<T> SlicedSort<T> {
    pub(super) fn new(rows: Vec<T>) -> SlicedSort<T> {
        SlicedSort { rows: rows.into_iter(), runs: VecDeque::new(), merge: None, merged: VecDeque::new() }
    }

    /// Sorts for a slice: the rows that were worked on, none once all are in order. The order is the same at each call.
    pub(super) fn advance(&mut self, compare: &impl Fn(&T, &T) -> Ordering) -> usize {
        if self.rows.len() > 0 {
            let mut slice: Vec<T> = self.rows.by_ref().take(SLICE_ROWS).collect();
            slice.sort_by(compare);
            let worked = slice.len();
            match self.runs.back_mut() {
                Some(run) if is_in_order(run, &slice, compare) => run.append(&mut slice),
                _ => self.runs.push_back(slice),
            }
            return worked;
        }
        let Some(merge) = &mut self.merge else { return self.begin_merge() };
        for worked in 0..SLICE_ROWS {
            let next = match (merge.left.peek(), merge.right.peek()) {
                // Of equal rows that of the earlier run comes first.
                (Some(left), Some(right)) if compare(right, left).is_lt() => merge.right.next(),
                (Some(_), _) => merge.left.next(),
                (None, _) => merge.right.next(),
            };
            match next {
                Some(row) => merge.merged.push(row),
                None => {
                    let Some(done) = self.merge.take() else { unreachable!("it is at hand") };
                    self.merged.push_back(done.merged);
                    return worked.max(1);
                }
            }
        }
        SLICE_ROWS
    }

    /// Takes the next two neighbours: the rows that were worked on, none once one run is all.
    fn begin_merge(&mut self) -> usize {
        if self.runs.len() < 2 {
            self.merged.extend(self.runs.pop_front());
            std::mem::swap(&mut self.runs, &mut self.merged);
        }
        if self.runs.len() < 2 {
            return 0;
        }
        let left = self.runs.pop_front().expect("there are two");
        let right = self.runs.pop_front().expect("there are two");
        let merged = Vec::with_capacity(left.len() + right.len());
        let (left, right) = (left.into_iter().peekable(), right.into_iter().peekable());
        self.merge = Some(Merge { left, right, merged });
        1
    }

    /// The rows in order.
    pub(super) fn finish(mut self) -> Vec<T> {
        assert!(self.rows.len() == 0 && self.merge.is_none(), "no slice is left");
        assert!(self.runs.len() <= 1 && self.merged.is_empty(), "one run is all");
        self.runs.pop_front().unwrap_or_default()
    }
}

/// Whether sorted rows can stand behind a run as they are.
fn is_in_order<T>(run: &[T], rows: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> bool {
    match (run.last(), rows.first()) {
        (Some(last), Some(first)) => compare(first, last).is_ge(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look drawn, the same each time.
    fn numbers(count: usize, distinct: u64) -> Vec<(u64, usize)> {
        let mut state = 7u64;
        let mut next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % distinct
        };
        (0..count).map(&mut next).zip(0..).collect()
    }

    #[test]
    fn rows_are_sorted_as_by_one_stable_sort() {
        for count in [0, 1, 2, 1_023, 1_024, 1_025, 2_048, 3_000, 10_000, 33_333] {
            for distinct in [1, 2, 100, 1 << 31] {
                let drawn = numbers(count, distinct);
                let mut sorted = drawn.clone();
                sorted.sort_by_key(|row| row.0);
                let backward: Vec<_> = sorted.iter().rev().copied().collect();
                for rows in [drawn, sorted.clone(), backward] {
                    let mut expected = rows.clone();
                    expected.sort_by_key(|row| row.0);
                    let mut sort = SlicedSort::new(rows);
                    let mut slices = 0;
                    loop {
                        let worked = sort.advance(&|a, b| a.0.cmp(&b.0));
                        assert!(worked <= SLICE_ROWS, "a slice is no longer than that");
                        if worked == 0 {
                            break;
                        }
                        slices += 1;
                    }
                    assert!(slices >= count / SLICE_ROWS, "{count} rows took {slices} slices");
                    assert_eq!(sort.finish(), expected, "{count} rows of {distinct} values");
                }
            }
        }
    }
    #[test]
    fn rows_that_are_in_order_are_not_merged() {
        let rows: Vec<usize> = (0..100_000).map(|row| row / 3).collect();
        let mut sort = SlicedSort::new(rows.clone());
        let mut slices = 0;
        while sort.advance(&Ord::cmp) > 0 {
            slices += 1;
        }
        assert_eq!(slices, rows.len().div_ceil(SLICE_ROWS));
        assert_eq!(sort.finish(), rows);
    }
}
