//! How often statements of each shape have run, and what that took: `pg_stat_statements`.
//!
//! Owns [`StatementStatistics`], bounded in entries and in the bytes of their texts: the statements used least make room, as in
//! PostgreSQL's extension, whose version 1.10 this follows. Lives as long as the process; never reads a clock.
//! `session/meter.rs` says what is counted.

use crate::catalog::object::Oid;
use crate::stores::LocalPages;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `pg_stat_statements.max`.
pub(crate) const STATEMENTS_MAX: usize = 5_000;

/// Bytes of one text that are kept, and of all of them: one that a program has made may be of any length.
pub(crate) const TEXT_BYTES_MAX: usize = 64 << 10;
const TEXTS_BYTES_MAX: usize = 32 << 20;

/// PostgreSQL's: so much less counts what was used before the last time that room was made, and so many entries go then.
const USAGE_DECREASE: f64 = 0.99;
const LEFT_OUT_PERCENT: usize = 5;
const LEFT_OUT_MIN: usize = 10;

/// What is counted apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct StatementKey {
    pub user: Oid,
    pub database: Oid,
    pub query_id: i64,
}

/// What one execution has come to.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Executed {
    pub us: u64,
    pub rows: u64,
    pub used: BlocksUsed,
}

/// Blocks that something has used.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct BlocksUsed {
    /// Pages found in the cache, and pages waited for.
    pub hit: u64,
    pub read: u64,
    pub local: LocalPages,
    /// Bytes of temporary files.
    pub temporary_read: u64,
    pub temporary_written: u64,
}

impl BlocksUsed {
    /// What has been used since it stood at `before`.
    pub(crate) fn since(&self, before: &BlocksUsed) -> BlocksUsed {
        BlocksUsed {
            hit: self.hit - before.hit,
            read: self.read - before.read,
            local: self.local.since(&before.local),
            temporary_read: self.temporary_read - before.temporary_read,
            temporary_written: self.temporary_written - before.temporary_written,
        }
    }

    pub(crate) fn add(&mut self, other: &BlocksUsed) {
        self.hit += other.hit;
        self.read += other.read;
        self.local.add(&other.local);
        self.temporary_read += other.temporary_read;
        self.temporary_written += other.temporary_written;
    }
}

/// Times of one kind, in milliseconds.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(crate) struct Times {
    pub count: u64,
    pub total: f64,
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    /// Sum of the squares of differences from the mean (Welford).
    squares: f64,
}

impl Times {
    #[expect(clippy::cast_precision_loss, reason = "times are of the precision of a double")]
    fn add(&mut self, us: u64) {
        let ms = us as f64 / 1_000.0;
        self.count += 1;
        self.total += ms;
        if self.count == 1 {
            (self.min, self.max, self.mean) = (ms, ms, ms);
            return;
        }
        let before = self.mean;
        self.mean += (ms - before) / self.count as f64;
        self.squares += (ms - before) * (ms - self.mean);
        (self.min, self.max) = (self.min.min(ms), self.max.max(ms));
    }

    /// Of the times as they are, not of those that they are a sample of.
    #[expect(clippy::cast_precision_loss, reason = "a count of statements")]
    pub(crate) fn deviation(&self) -> f64 {
        if self.count > 1 { (self.squares / self.count as f64).sqrt() } else { 0.0 }
    }
}

/// The statements of one key.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub text: Arc<str>,
    pub planned: Times,
    pub executed: Times,
    pub rows: u64,
    pub used: BlocksUsed,
    usage: f64,
}

impl Entry {
    fn new(text: &str) -> Entry {
        let (planned, executed) = (Times::default(), Times::default());
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        Entry { text: text.into(), planned, executed, rows: 0, used: BlocksUsed::default(), usage: 0.0 }
    }
}

#[derive(Default)]
struct Entries {
    by_key: BTreeMap<StatementKey, Entry>,
    text_bytes: usize,
    /// How often some had to make room.
    made_room: u64,
    reset_us: Option<i64>,
}

/// The counters of all statements of a process.
pub(crate) struct StatementStatistics {
    entries_max: usize,
    entries: Mutex<Entries>,
}

impl StatementStatistics {
    /// Of so many different statements at most.
    pub(crate) fn new(entries_max: usize) -> StatementStatistics {
        assert!(entries_max > LEFT_OUT_MIN, "room is made for more than one");
        StatementStatistics { entries_max, entries: Mutex::default() }
    }

    /// Counting begins, unless it has begun.
    pub(crate) fn begin(&self, now_us: i64) {
        self.entries.lock().reset_us.get_or_insert(now_us);
    }

    /// A statement has run to its end. `text` is asked for where there is none of this key yet.
    pub(crate) fn executed(&self, key: StatementKey, executed: &Executed, text: impl FnOnce() -> String) {
        self.change(key, text, |entry| {
            entry.executed.add(executed.us);
            entry.rows += executed.rows;
            entry.used.add(&executed.used);
            entry.usage += 1.0;
        });
    }

    /// A statement was planned.
    pub(crate) fn planned(&self, key: StatementKey, us: u64, text: impl FnOnce() -> String) {
        self.change(key, text, |entry| {
            entry.planned.add(us);
            entry.usage += 1.0;
        });
    }

    /// A text is made without the lock: it may be a long one, and others end statements meanwhile.
    fn change(&self, key: StatementKey, text: impl FnOnce() -> String, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.entries.lock().by_key.get_mut(&key) {
            return change(entry);
        }
        let new = Entry::new(&text());
        let mut entries = self.entries.lock();
        if !entries.by_key.contains_key(&key) {
            entries.insert(key, new, self.entries_max);
        }
        change(entries.by_key.get_mut(&key).expect("inserted above"));
    }

    /// Forgets the statements of a user, a database and a number, of all of them where there is none.
    pub(crate) fn reset(&self, user: Option<Oid>, database: Option<Oid>, query_id: Option<i64>, now_us: i64) {
        let mut entries = self.entries.lock();
        if user.is_none() && database.is_none() && query_id.is_none() {
            *entries = Entries { reset_us: Some(now_us), ..Entries::default() };
            return;
        }
        let is_meant = |key: &StatementKey| {
            user.is_none_or(|user| user == key.user)
                && database.is_none_or(|database| database == key.database)
                && query_id.is_none_or(|query_id| query_id == key.query_id)
        };
        entries.by_key.retain(|key, _| !is_meant(key));
        entries.count_texts();
    }

    /// All of them, in the order of their keys.
    pub(crate) fn shown(&self) -> Vec<(StatementKey, Entry)> {
        self.entries.lock().by_key.iter().map(|(key, entry)| (*key, entry.clone())).collect()
    }

    /// How often statements had to make room, and since when is counted.
    pub(crate) fn info(&self) -> (u64, Option<i64>) {
        let entries = self.entries.lock();
        (entries.made_room, entries.reset_us)
    }
}

impl Entries {
    fn insert(&mut self, key: StatementKey, entry: Entry, entries_max: usize) {
        while self.by_key.len() >= entries_max || self.text_bytes + entry.text.len() > TEXTS_BYTES_MAX {
            self.make_room();
        }
        self.text_bytes += entry.text.len();
        self.by_key.insert(key, entry);
    }

    /// The statements that were used least go.
    fn make_room(&mut self) {
        let mut usages: Vec<(f64, StatementKey)> = Vec::with_capacity(self.by_key.len());
        for (key, entry) in &mut self.by_key {
            entry.usage *= USAGE_DECREASE;
            usages.push((entry.usage, *key));
        }
        let count = LEFT_OUT_MIN.max(usages.len() * LEFT_OUT_PERCENT / 100).min(usages.len());
        usages.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        for (_, key) in &usages[..count] {
            self.by_key.remove(key);
        }
        self.count_texts();
        self.made_room += 1;
    }

    fn count_texts(&mut self) {
        self.text_bytes = self.by_key.values().map(|entry| entry.text.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(query_id: i64) -> StatementKey {
        StatementKey { user: 10, database: 5, query_id }
    }

    fn run(statistics: &StatementStatistics, query_id: i64, us: u64) {
        let executed = Executed { us, rows: 1, ..Executed::default() };
        statistics.executed(key(query_id), &executed, || format!("SELECT {query_id}"));
    }

    #[test]
    fn times_are_summed_up_as_postgresql_sums_them_up() {
        let mut times = Times::default();
        for us in [2_000, 4_000, 4_000, 4_000, 5_000, 5_000, 7_000, 9_000] {
            times.add(us);
        }
        assert_eq!((times.count, times.total, times.min, times.max), (8, 40.0, 2.0, 9.0));
        assert!((times.mean - 5.0).abs() < 1e-9 && (times.deviation() - 2.0).abs() < 1e-9, "{times:?}");
    }

    #[test]
    fn the_statements_used_least_make_room() {
        let statistics = StatementStatistics::new(100);
        for id in 0..100 {
            for _ in 0..if id < 50 { 3 } else { 1 } {
                run(&statistics, id, 1_000);
            }
        }
        assert_eq!((statistics.shown().len(), statistics.info().0), (100, 0));
        run(&statistics, 1_000, 1_000);
        let left: Vec<i64> = statistics.shown().iter().map(|(key, _)| key.query_id).collect();
        assert_eq!((left.len(), statistics.info().0), (91, 1));
        assert!((0..50).all(|id| left.contains(&id)) && left.contains(&1_000));
    }

    #[test]
    fn texts_are_bounded() {
        let statistics = StatementStatistics::new(STATEMENTS_MAX);
        for id in 0..1_000 {
            statistics.executed(key(id), &Executed::default(), || "ä".repeat(TEXT_BYTES_MAX));
        }
        let shown = statistics.shown();
        let bytes: usize = shown.iter().map(|(_, entry)| entry.text.len()).sum();
        assert!(bytes <= TEXTS_BYTES_MAX && bytes > TEXTS_BYTES_MAX / 2, "{bytes}");
        assert!(shown.iter().all(|(_, entry)| entry.text.len() == TEXT_BYTES_MAX));
        assert!(statistics.info().0 > 0);
    }

    #[test]
    fn what_is_reset_is_forgotten() {
        let statistics = StatementStatistics::new(100);
        statistics.begin(7);
        statistics.begin(8);
        run(&statistics, 1, 1);
        run(&statistics, 2, 1);
        statistics.reset(Some(10), None, Some(1), 9);
        assert_eq!(statistics.shown().iter().map(|(key, _)| key.query_id).collect::<Vec<_>>(), [2]);
        statistics.reset(Some(11), None, None, 9);
        assert_eq!((statistics.shown().len(), statistics.info()), (1, (0, Some(7))));
        statistics.reset(None, None, None, 9);
        assert_eq!((statistics.shown().len(), statistics.info()), (0, (0, Some(9))));
    }
}
