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
mod scratch;
mod sequence;
mod tags;

use crate::history::History;
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

fn violation(checker: &'static str, what: String) -> Result<(), Violation> {
    Err(Violation { checker, what })
}

/// The first rule that does not hold. `stale_read_max_us`: how old what a replaced writer tells may be.
pub fn find_violation(history: &History, stale_read_max_us: u64) -> Result<(), Violation> {
    let lists = lists::Lists::new(history)?;
    lists.check_atomicity(history)?;
    lists.check_freshness(history, stale_read_max_us)?;
    isolation::check(history, &lists)?;
    bank::check(history)?;
    tags::check(history)?;
    sequence::check(history)?;
    documents::check(history)?;
    families::check(history)?;
    scratch::check(history)
}

/// # Panics
/// If a rule does not hold.
pub fn check_history(history: &History, stale_read_max_us: u64) {
    if let Err(violation) = find_violation(history, stale_read_max_us) {
        panic!("{violation}");
    }
}
