//! What has changed from one version of the catalog to the next, as far as plans that are kept must know.
//!
//! Owns [`Moved`], the gist of one publication, and [`Movements`], that of the latest ones. A plan outlives changes of objects
//! that it has nothing to do with: it locks none of them, and no name of theirs, old or new, can be what its statement means.
//! The latter is asked of the statement's text, on the safe side: a word that stands in it anywhere counts. See
//! `docs/decisions/0141-plans-outlive-changes-of-others.md`.

use super::object::{Object, ObjectClass, Oid};
use super::{Catalog, Changes};
use std::collections::VecDeque;
use std::sync::Arc;

/// Versions that are remembered: a plan that is older is made anew. A guess at the migrations between two uses of a statement.
const MOVEMENTS_MAX: usize = 256;

/// The gist of the changes that made one version.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Something has changed that may concern any statement: a schema, a type, a role.
    concerns_all: bool,
    /// Tables, views and sequences that are others now, by definition or by statistics, and those that foreign keys have come
    /// to or gone from.
    relations: Vec<Oid>,
    /// Names that have come, gone or changed their meaning, in small letters.
    names: Vec<String>,
}

impl Moved {
    pub(crate) fn of(before: &Catalog, changes: &Changes) -> Moved {
        let mut moved = Moved::default();
        for (&(class, oid), change) in changes {
            let old = before.object(class, oid);
            for object in old.iter().chain(change) {
                moved.add(object);
            }
            match class {
                // What a database is called or begins its sessions with means nothing to a plan.
                ObjectClass::Comments | ObjectClass::Database => {}
                ObjectClass::Table | ObjectClass::View | ObjectClass::Sequence | ObjectClass::Statistics => {
                    moved.relations.push(oid);
                }
                _ => moved.concerns_all = true,
            }
        }
        moved
    }

    fn add(&mut self, object: &Object) {
        self.names.extend(object.names().into_iter().map(|(_, name, _)| name.to_lowercase()));
        match object {
            Object::Table(table) => self.relations.extend(table.foreign_keys.iter().map(|key| key.target)),
            Object::Sequence(sequence) => self.relations.extend(sequence.owned_by.map(|(table, _)| table)),
            _ => {}
        }
    }

    /// Whether a statement may mean something else now. `text` is in small letters.
    fn concerns(&self, relations: &[Oid], text: &str) -> bool {
        self.concerns_all
            || self.relations.iter().any(|moved| relations.contains(moved))
            // A quotation mark is written twice.
            || self.names.iter().any(|name| name.contains('"') || stands_in(name, text))
    }
}

/// Bytes of a name from which on it may be what was left of a longer one.
const CUT_NAME_BYTES: usize = 63;

/// Whether a name stands in a text as a word of its own.
fn stands_in(name: &str, text: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == '$';
    let is_whole = |at: usize| {
        let (before, behind) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(is_part) && (name.len() >= CUT_NAME_BYTES || !behind.starts_with(is_part))
    };
    text.match_indices(name).any(|(at, _)| is_whole(at))
}

/// The latest versions, oldest first.
#[derive(Default)]
pub(crate) struct Movements {
    /// With the number of the version that each has made.
    latest: VecDeque<(u64, Arc<Moved>)>,
}

impl Movements {
    pub(crate) fn add(&mut self, version: u64, moved: Moved) {
        if self.latest.len() == MOVEMENTS_MAX {
            self.latest.pop_front();
        }
        self.latest.push_back((version, Arc::new(moved)));
    }

    /// What has made the versions behind `from` up to `to`; `None` if that is not remembered.
    pub(crate) fn between(&self, from: u64, to: u64) -> Option<Vec<Arc<Moved>>> {
        let wanted = self.latest.iter().filter(|(version, _)| (from + 1..=to).contains(version));
        let found: Vec<Arc<Moved>> = wanted.map(|(_, moved)| moved.clone()).collect();
        (found.len() as u64 == to - from).then_some(found)
    }
}

/// Whether none of these movements concerns a statement of this text whose plan locks these relations.
pub(crate) fn concern_nothing(moved: &[Arc<Moved>], relations: &[Oid], text: &str) -> bool {
    let text = text.to_lowercase();
    // Escapes may spell a name without showing it.
    let spells_plainly = !text.contains("u&") && !text.contains('\\');
    spells_plainly && moved.iter().all(|moved| !moved.concerns(relations, &text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(relations: &[Oid], names: &[&str]) -> Moved {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Moved { concerns_all: false, relations: relations.to_vec(), names }
    }

    #[test]
    fn a_statement_is_concerned_by_its_relations_and_by_names_in_its_text() {
        let check = |moved: Moved, text: &str, is_concerned: bool| {
            assert_eq!(!concern_nothing(&[Arc::new(moved)], &[16_385], text), is_concerned, "{text}");
        };
        check(moved(&[16_385], &[]), "SELECT 1", true);
        check(moved(&[16_386], &["t"]), "SELECT 1", false);
        check(moved(&[16_386], &["log"]), "SELECT * FROM \"Log\"", true);
        check(moved(&[16_386], &["log"]), "SELECT 'public.log'::regclass", true);
        check(moved(&[16_386], &["log"]), "SELECT a.log, logs, blog, log_2 FROM catalog", true);
        check(moved(&[16_386], &["log"]), "SELECT logs, blog, log_2 FROM catalog", false);
        check(moved(&[], &["a\"b"]), "SELECT 1 FROM \"a\"\"b\"", true);
        check(moved(&[], &["log"]), r#"SELECT * FROM U&"\006Cog""#, true);
        check(moved(&[], &["log"]), r"SELECT E'\x6cog'::regclass", true);
        check(Moved { concerns_all: true, ..Moved::default() }, "SELECT 1", true);
    }

    #[test]
    fn what_is_not_remembered_is_no_answer() {
        let mut movements = Movements::default();
        for version in 2..=3 + MOVEMENTS_MAX as u64 {
            movements.add(version, Moved::default());
        }
        let newest = 3 + MOVEMENTS_MAX as u64;
        assert_eq!(movements.between(newest, newest).map(|found| found.len()), Some(0));
        assert_eq!(movements.between(newest - 2, newest).map(|found| found.len()), Some(2));
        assert_eq!(movements.between(3, newest).map(|found| found.len()), Some(MOVEMENTS_MAX));
        assert!(movements.between(2, newest).is_none());
    }
}
