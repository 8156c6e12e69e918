//! What the user may have meant by a name that means nothing: PostgreSQL's hints.
//!
//! Owns the search for a near name among the relations around a place, in sight or not. Never decides what a name means
//! (see `scope.rs`).

use super::Binder;
use super::scope::{Frame, TableNames};
use crate::parse::tree::Name;
use hexalog_sql_types::SqlError;

/// Farther names are no suggestion (`MAX_FUZZY_DISTANCE`).
const DISTANCE_MAX: usize = 3;

/// The nearest columns so far.
struct Nearest {
    distance: usize,
    found: Vec<String>,
}

impl Binder<'_> {
    fn tables_around(&self) -> impl Iterator<Item = &TableNames> {
        let frames = self.frames.iter().rev().filter_map(|frame| match frame {
            Frame::Select(frame) => Some(frame),
            Frame::Crossing(_) => None,
        });
        frames.flat_map(|frame| &frame.visible).flat_map(|names| &names.tables)
    }

    /// The alias under which the table of this name stands around.
    pub(super) fn alias_of(&self, table: &str) -> Option<&str> {
        let catalog = self.context.view.catalog();
        let is_it = |names: &&TableNames| {
            names.alias != table && catalog.table(names.oid).is_some_and(|known| known.name == table)
        };
        self.tables_around().find(is_it).map(|names| names.alias.as_str())
    }

    /// Adds the hint for a column that does not exist.
    pub(super) fn with_near_columns(&self, error: SqlError, name: &Name) -> SqlError {
        let (wanted, qualifier) = (name.last(), name.qualifier());
        let mut nearest = Nearest { distance: DISTANCE_MAX + 1, found: Vec::new() };
        for table in self.tables_around() {
            let penalty = qualifier.map_or(0, |qualifier| distance(&table.alias, qualifier));
            for column in &table.columns {
                nearest.consider(wanted, &table.alias, &column.name, penalty);
            }
        }
        match nearest.found.as_slice() {
            [one] => error.with_hint(format!("Perhaps you meant to reference the column \"{one}\".")),
            [one, two] => error.with_hint(format!(
                "Perhaps you meant to reference the column \"{one}\" or the column \"{two}\"."
            )),
            _ => error,
        }
    }
}

impl Nearest {
    fn consider(&mut self, wanted: &str, alias: &str, column: &str, penalty: usize) {
        if penalty > self.distance {
            return;
        }
        let own = distance(column, wanted);
        // With more than half of it different it is not the same name misspelt.
        if own > wanted.len() / 2 {
            return;
        }
        let total = own + penalty;
        let shown = format!("{alias}.{column}");
        if total < self.distance {
            self.distance = total;
            self.found = vec![shown];
        } else if total == self.distance && total <= DISTANCE_MAX {
            self.found.push(shown);
            if self.found.len() > 2 {
                // Too many to be of use: only a nearer one counts from now on.
                self.found.clear();
                self.distance = total.saturating_sub(1);
            }
        }
    }
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (to, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = row[to + 1];
            row[to + 1] = replaced.min(row[to] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("abc", "abc", 0), ("a", "aa", 1), ("kitten", "sitting", 3)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
