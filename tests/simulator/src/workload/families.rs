//! Rows that refer to others: two tables that refer to a third, with the actions CASCADE and SET NULL.

use super::script::{Statement, What};
use crate::random::Random;

/// Ids of those that are referred to: few, so that they come and go under those that refer to them.
const PARENT_IDS: u64 = 8;
/// Ids of those that refer.
const CHILD_IDS: u64 = 20;

impl Statement {
    /// One change on either side of the references.
    pub(super) fn change_family(random: &mut Random) -> Statement {
        let parent = random.range(0, PARENT_IDS);
        let other = random.range(0, PARENT_IDS);
        let child = random.range(0, CHILD_IDS);
        let table = if random.one_in(2) { "children" } else { "wards" };
        let text = match random.range(0, 10) {
            0..=1 => format!("INSERT INTO parents VALUES ({parent}) ON CONFLICT (id) DO NOTHING"),
            2 => format!("DELETE FROM parents WHERE id = {parent}"),
            3 => format!("UPDATE parents SET id = {other} WHERE id = {parent}"),
            4..=7 => format!(
                "INSERT INTO {table} VALUES ({child}, {parent}) ON CONFLICT (id) DO UPDATE SET parent = excluded.parent"
            ),
            8 => format!("UPDATE {table} SET parent = {other} WHERE parent = {parent}"),
            _ => format!("DELETE FROM {table} WHERE id = {child}"),
        };
        Statement::new(text, What::ChangesFamilies)
    }

    /// How many rows of a table refer to nobody.
    pub(super) fn count_orphans(table: &str) -> Statement {
        let text = format!(
            "SELECT count(*) FROM {table} c LEFT JOIN parents p ON c.parent = p.id WHERE c.parent IS NOT NULL AND p.id IS NULL"
        );
        Statement::new(text, What::Orphans)
    }
}
