//! Where a segment's batches lie in the log: runs of LSNs → log positions, for gossip.
//!
//! A run is a stretch of the log that holds an unbroken part of the group's chain; several appends in a row make
//! one run, so that the map stays small: reading one costs at most [`RUN_BYTES_MAX`].

use super::batches::StoredRecord;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use hexalog_protocol::Lsn;
use hexalog_protocol::history::EpochHistory;
use hexalog_storage_format::checkpoint::LogRun;

/// A run grows no longer than this, but for one append that is longer: one gossip answer reads one run.
const RUN_BYTES_MAX: u64 = 256 << 10;
/// Nor longer than this part of the ring: a run is kept whole while a member needs its end.
const RUN_RING_SHARE: u64 = 64;

/// Runs of one segment by first LSN.
#[derive(Debug)]
pub(crate) struct Runs {
    by_first: BTreeMap<Lsn, LogRun>,
    /// First LSN of the run that the last batch went into.
    growing: Option<Lsn>,
    /// Runs that the last checkpoint does not hold as they are.
    changed: BTreeSet<Lsn>,
}

impl Runs {
    pub fn new() -> Runs {
        Runs { by_first: BTreeMap::new(), growing: None, changed: BTreeSet::new() }
    }

    /// A run of before the scan's beginning from a checkpoint, unless a newer part of that told of it. It may hold what was annulled
    /// after that was written, or with it: a run that ends in an annulled record has none that counts between the VDL of that
    /// range and the record. What lies at or below the base of a hydrated segment is from before: the chain has a hole after it.
    pub fn restore(&mut self, run: LogRun, history: &EpochHistory, base: Lsn, scanned_from: u64) {
        let last = history.floor(run.last);
        if last < run.first || last <= base {
            return;
        }
        let run = LogRun { last, ..run };
        let known = self.by_first.entry(run.first).or_insert(run);
        // A batch that was staged once more begins one that may be shorter.
        if known.position >= scanned_from && known.last < run.last {
            *known = run;
        }
    }

    /// Whether a stretch of the log holds the LSNs from `first` to `last`.
    pub fn covers(&self, first: Lsn, last: Lsn) -> bool {
        self.by_first.range(..=first).next_back().is_some_and(|(_, run)| run.last >= last)
    }

    /// A batch that counts from `first` to `last` became durable in the append at `position..end`.
    pub fn add(&mut self, first: Lsn, last: Lsn, backlink: Lsn, position: u64, end: u64, ring_bytes: u64) {
        assert!(position < end);
        if self.covers(first, last) {
            return;
        }
        let grown = self.growing.and_then(|growing| self.by_first.get_mut(&growing)).filter(|run| {
            let same_lap = run.position / ring_bytes == position / ring_bytes;
            let is_short = end - run.position <= RUN_BYTES_MAX.min(ring_bytes / RUN_RING_SHARE);
            run.last == backlink && is_short && same_lap
        });
        if let Some(run) = grown {
            run.last = last;
            run.end = end;
            self.changed.insert(run.first);
            return;
        }
        self.by_first.insert(first, LogRun { first, last, position, end });
        self.growing = Some(first);
        self.changed.insert(first);
    }

    /// The run that holds the first LSN above `after` that the log has.
    pub fn first_above(&self, after: Lsn) -> Option<&LogRun> {
        let before = self.by_first.range(..=after).next_back().map(|(_, run)| run);
        before
            .filter(|run| run.last > after)
            .or_else(|| self.by_first.range(after.plus(1)..).next().map(|(_, run)| run))
    }

    /// Oldest LSN of the group that the log still has.
    pub fn oldest_lsn(&self) -> Option<Lsn> {
        self.by_first.first_key_value().map(|(first, _)| *first)
    }

    /// Lowest log position of a run with an LSN above `covered`: what a member with that SCL may still ask for.
    pub fn position_needed_above(&self, covered: Lsn) -> Option<u64> {
        let start = self.by_first.range(..=covered).next_back().map_or(covered, |(first, _)| *first);
        self.by_first.range(start..).filter(|(_, run)| run.last > covered).map(|(_, run)| run.position).min()
    }

    /// These records are nobody's any more: runs that end in one of them end before it. A peer that is sent annulled
    /// batches only would ask for the same ones for ever.
    ///
    /// A run that ends in a record that counts holds no annulled one, whatever LSNs lie between: what a record that
    /// counts links to counts.
    pub fn annul(&mut self, history: &EpochHistory, annulled: &[StoredRecord]) {
        let backlinks: BTreeMap<Lsn, Lsn> =
            annulled.iter().map(|record| (record.lsn, record.group_backlink)).collect();
        let changed = &mut self.changed;
        self.by_first.retain(|first, run| {
            while history.is_annulled(run.last) && run.last >= *first {
                changed.insert(*first);
                // One that is in versions of a later writer's is held no more: a run holds no record that counts between the VDL
                // of its range and itself.
                run.last = backlinks.get(&run.last).copied().unwrap_or_else(|| history.floor(run.last));
            }
            run.last >= *first
        });
        self.changed.retain(|first| self.by_first.contains_key(first));
        self.growing = self.growing.filter(|growing| self.by_first.contains_key(growing));
    }

    /// A run was read whole, and has nothing above `last`: an annulled batch at its end, or the VDL of a range in place of the record
    /// before it, made it seem longer. What it seemed to hold would hide the run that comes next.
    pub fn ends_at(&mut self, read: &LogRun, last: Lsn) {
        let Some(run) = self.by_first.get_mut(&read.first).filter(|run| **run == *read) else { return };
        run.last = run.last.min(last);
        self.changed.insert(read.first);
        if last < read.first {
            self.by_first.remove(&read.first);
            self.changed.remove(&read.first);
            self.growing = self.growing.filter(|growing| *growing != read.first);
        }
    }

    /// What stands above `scl` was let go and comes again: the log's old copies count for nothing.
    pub fn drop_above(&mut self, scl: Lsn) {
        let changed = &mut self.changed;
        self.by_first.retain(|first, run| {
            if *first <= scl && run.last > scl {
                run.last = scl;
                changed.insert(*first);
            }
            *first <= scl
        });
        self.changed.retain(|first| self.by_first.contains_key(first));
        self.growing = self.growing.filter(|growing| self.by_first.contains_key(growing));
    }

    /// The log before `position` was freed.
    pub fn free_to(&mut self, position: u64) {
        let changed = &mut self.changed;
        self.by_first.retain(|first, run| {
            let is_kept = run.position >= position;
            if !is_kept {
                changed.remove(first);
            }
            is_kept
        });
        if self.growing.is_some_and(|growing| !self.by_first.contains_key(&growing)) {
            self.growing = None;
        }
    }

    /// What the next checkpoint must hold: all, or what changed since the last.
    pub fn take_for_checkpoint(&mut self, is_base: bool) -> Vec<LogRun> {
        let changed = core::mem::take(&mut self.changed);
        if is_base {
            return self.by_first.values().copied().collect();
        }
        changed.iter().filter_map(|first| self.by_first.get(first).copied()).collect()
    }

    /// A checkpoint that had taken these did not become durable.
    pub fn put_back(&mut self, runs: impl Iterator<Item = Lsn>) {
        self.changed.extend(runs.filter(|first| self.by_first.contains_key(first)));
    }

    pub fn invariants_full(&self) {
        for (first, run) in &self.by_first {
            assert_eq!(*first, run.first);
            assert!(run.first <= run.last);
            assert!(run.position < run.end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::history::EpochEntry;
    use hexalog_protocol::ids::WriterId;
    use hexalog_protocol::{Incarnation, VolumeEpoch};

    const RING: u64 = 16 << 20;
    const BLOCK: u64 = 4096;

    /// Appends of one block each at these block numbers, each with the next of the group's records 1, 2, 3, …
    fn runs(blocks: &[u64]) -> Runs {
        let mut runs = Runs::new();
        for (index, block) in blocks.iter().enumerate() {
            let lsn = Lsn(index as u64 + 1);
            runs.add(lsn, lsn, Lsn(index as u64), block * BLOCK, (block + 1) * BLOCK, RING);
        }
        runs
    }

    fn firsts(runs: &[LogRun]) -> Vec<u64> {
        runs.iter().map(|run| run.first.0).collect()
    }

    #[test]
    fn appends_of_one_chain_make_a_run_until_it_is_long() {
        let all = runs(&[0, 1, 2, 200, 201]).take_for_checkpoint(true);
        let found: Vec<_> = all.iter().map(|run| (run.first.0, run.last.0, run.position / BLOCK)).collect();
        assert_eq!(found, [(1, 3, 0), (4, 5, 200)]);
    }

    /// A replay met an annulled batch whose pages have versions of a later writer's: it is held no more, and what the history annuls
    /// of what is held does not name it. The records that count before it in the same run went with it.
    #[test]
    fn a_run_ends_before_an_annulled_batch_that_is_held_no_more() {
        let mut runs = runs(&[0, 1, 2]);
        let mut history = EpochHistory::new();
        let writer = WriterId { epoch: VolumeEpoch(2), incarnation: Incarnation(2) };
        history.push(EpochEntry { writer, vdl: Lsn(2), upper: Lsn(10) });
        runs.annul(&history, &[]);
        assert!(runs.covers(Lsn(1), Lsn(2)) && !runs.covers(Lsn(3), Lsn(3)));
    }

    /// The range's VDL is another group's record: the run seemed to reach it, and hid the next one from who has all that it holds.
    #[test]
    fn a_run_that_holds_less_than_it_seemed_to_does_not_hide_the_next() {
        let mut runs = Runs::new();
        runs.add(Lsn(5), Lsn(8), Lsn(4), 0, BLOCK, RING);
        runs.add(Lsn(12), Lsn(12), Lsn(8), BLOCK, 2 * BLOCK, RING);
        runs.add(Lsn(27), Lsn(27), Lsn(8), 600 * BLOCK, 601 * BLOCK, RING);
        let mut history = EpochHistory::new();
        let writer = WriterId { epoch: VolumeEpoch(2), incarnation: Incarnation(2) };
        history.push(EpochEntry { writer, vdl: Lsn(10), upper: Lsn(26) });
        runs.annul(&history, &[]);
        let seeming = *runs.first_above(Lsn(8)).expect("the run of 5 to 8");
        assert_eq!((seeming.first, seeming.last), (Lsn(5), Lsn(10)));
        runs.ends_at(&seeming, Lsn(8));
        assert_eq!(runs.first_above(Lsn(8)).map(|run| run.first), Some(Lsn(27)));
        assert!(runs.covers(Lsn(5), Lsn(8)), "what it holds it has still");
        runs.ends_at(&LogRun { last: Lsn(8), ..seeming }, Lsn(4));
        assert_eq!(runs.oldest_lsn(), Some(Lsn(27)), "or has nothing at all");
    }

    /// What a checkpoint does not hold yet goes into the next one, whatever was freed in between: a restart would else not know
    /// where that log lies, and no peer could be served from it.
    #[test]
    fn freeing_log_forgets_what_was_freed_and_nothing_else() {
        let mut runs = runs(&[0, 100, 200]);
        runs.free_to(50 * BLOCK);
        assert_eq!(runs.oldest_lsn(), Some(Lsn(2)));
        assert_eq!(firsts(&runs.take_for_checkpoint(false)), [2, 3]);
        assert_eq!(firsts(&runs.take_for_checkpoint(false)), [], "they are in a checkpoint");
        runs.put_back([Lsn(1), Lsn(3)].into_iter());
        assert_eq!(firsts(&runs.take_for_checkpoint(false)), [3], "it was not durable; 1 is gone");
        assert_eq!(firsts(&runs.take_for_checkpoint(true)), [2, 3]);
        // The run that grew last is gone too: the next batch begins one.
        runs.free_to(201 * BLOCK);
        runs.add(Lsn(4), Lsn(4), Lsn(3), 201 * BLOCK, 202 * BLOCK, RING);
        assert_eq!(firsts(&runs.take_for_checkpoint(false)), [4]);
        runs.invariants_full();
    }
}
