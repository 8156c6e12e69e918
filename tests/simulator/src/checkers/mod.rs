//! What must hold of a history, each rule in a file of its own.
//!
//! None of them knows anything of the database: they see what clients asked for and were told. A rule says what it found
//! as [`Violation`]; a history that nobody could have seen of a correct database has at least one.

mod bank;
mod documents;
mod families;
mod graph;
pub mod isolation;
mod lists;
mod registers;
mod scratch;
mod sequence;
mod tags;
mod versions;

use crate::history::{History, Level};
use std::fmt;

/// A rule that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which checker says so.
    pub checker: &'static str,
    /// What it found, in words.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.checker, self.what)
    }
}

fn violation<T>(checker: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { checker, what })
}

/// The first rule that does not hold. `stale_read_max_us`: how old what a replaced writer tells may be.
pub fn find_violation(history: &History, stale_read_max_us: u64) -> Result<(), Violation> {
    let versions = versions::Versions::new(history)?;
    versions.check_atomicity(history)?;
    versions.check_freshness(history, stale_read_max_us)?;
    isolation::check(history, &versions)?;
    bank::check(history)?;
    tags::check(history)?;
    sequence::check(history)?;
    documents::check(history)?;
    families::check(history)?;
    scratch::check(history)
}

/// Whether transactions at REPEATABLE READ, of a history in which all rules hold, would break them at SERIALIZABLE: that the
/// checkers see write skew where it may be is what lets one believe that there is none where it may not.
pub fn has_write_skew(history: &History) -> bool {
    if !history.txns.iter().any(|txn| txn.level == Level::RepeatableRead) {
        return false;
    }
    let history = history.clone().as_serializable();
    versions::Versions::new(&history).is_ok_and(|versions| isolation::check(&history, &versions).is_err())
}

/// # Panics
/// If a rule does not hold.
pub fn check_history(history: &History, stale_read_max_us: u64) {
    if let Err(violation) = find_violation(history, stale_read_max_us) {
        panic!("{violation}");
    }
}
