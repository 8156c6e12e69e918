//! Checker: a transaction commits at the end of the mini-transaction that says so, and is known to have in the same step.
//!
//! A snapshot is an LSN. A commit that were published below its consistency point would be in snapshots that were taken before
//! it was appended, and be told without being durable. Looked at after every call into the engine: the commits that it has come
//! to know are as many as it counts, each of an LSN of its own, and each the last LSN of a mini-transaction that was appended
//! in this call.

use super::volume::AppendedRecord;
use hexalog_engine::Engine;
use hexalog_protocol::Lsn;
use std::collections::BTreeSet;

/// What was seen of an engine's commits.
#[derive(Default)]
pub struct Commits {
    counted: u64,
}

impl Commits {
    /// After a call, with what it appended.
    ///
    /// # Panics
    /// If a commit is not known at its consistency point.
    pub fn check(&mut self, engine: &Engine, appended: &[Vec<AppendedRecord>]) {
        let counted = engine.stats().commits;
        let new = counted - std::mem::replace(&mut self.counted, counted);
        let first = appended.iter().flatten().next().map(|record| record.lsn);
        let Some(first) = first else {
            return assert_eq!(new, 0, "transactions have committed, and nothing was appended");
        };
        let ends: BTreeSet<Lsn> =
            appended.iter().filter_map(|records| records.last()).map(|record| record.lsn).collect();
        let known = engine.commits_above(Lsn(first.0 - 1));
        let distinct: BTreeSet<Lsn> = known.iter().copied().collect();
        assert!(
            distinct.len() as u64 == new && known.len() == distinct.len() && distinct.is_subset(&ends),
            "{new} transactions have committed in mini-transactions that end at {ends:?}, and are known at {known:?}"
        );
    }
}
