//! How far long statements have come, for other sessions to see.
//!
//! Owns [`Progress`], the reports of all sessions of a process, and [`Report`], that of one statement, which is gone when
//! the statement is. `catalog/system/progress.rs` shows them. Numbers are set as work goes on, and nobody waits for them.

use crate::catalog::object::Oid;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a statement does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// With this command, in PostgreSQL's words.
    MakeIndex(&'static str),
    Copy {
        from: bool,
    },
}

/// Where it stands.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Numbers {
    /// The index that is made.
    pub index: Oid,
    /// In PostgreSQL's words.
    pub phase: &'static str,
    /// Transactions to be waited for, those that have ended, and the process of one that has not.
    pub lockers: u64,
    pub lockers_done: u64,
    pub locker: i32,
    /// Rows or entries, where they have been counted.
    pub rows: u64,
    pub rows_done: u64,
    /// Rows that a condition has kept out.
    pub excluded: u64,
    pub bytes: u64,
}

/// A statement as others see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub process_id: i32,
    pub table: Oid,
    pub task: Task,
    pub numbers: Numbers,
}

#[derive(Default)]
struct Reports {
    last: u64,
    shown: BTreeMap<u64, Shown>,
}

/// The reports of all sessions.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    reports: Arc<Mutex<Reports>>,
}

impl Progress {
    /// A statement begins.
    pub(crate) fn begin(&self, process_id: i32, table: Oid, task: Task) -> Report {
        let mut reports = self.reports.lock();
        reports.last += 1;
        let id = reports.last;
        let numbers = Numbers { phase: "initializing", ..Numbers::default() };
        reports.shown.insert(id, Shown { process_id, table, task, numbers });
        Report { id, progress: self.clone() }
    }

    /// All of them, in the order in which they have begun.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        self.reports.lock().shown.values().copied().collect()
    }
}

/// The report of a statement that runs.
pub(crate) struct Report {
    id: u64,
    progress: Progress,
}

impl Report {
    /// Changes what is shown.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Numbers)) {
        if let Some(shown) = self.progress.reports.lock().shown.get_mut(&self.id) {
            change(&mut shown.numbers);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.progress.reports.lock().shown.remove(&self.id);
    }
}
