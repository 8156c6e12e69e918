//! Trees and plans of statements that several sessions have prepared alike.
//!
//! Owns [`SharedStatements`], one for a process. Nothing is kept for its own sake: a tree or plan is shared for as long as some
//! session holds it. A thousand connections of a pool prepare the same few statements; each with its own copy, they would be
//! most of what an idle session takes, and cold whenever its turn comes.

use super::transaction::Scope;
use crate::catalog::object::Oid;
use crate::parse::Shape;
use crate::parse::tree::Statement;
use crate::plan::Plan;
use hexalog_sql_types::TypeId;
use hexalog_sql_types::datetime::IntervalStyle;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};

/// Entries from which on those that nobody holds any more are looked for.
const PRUNED_FROM: usize = 256;

/// A text that holds one statement, parsed.
#[derive(Debug)]
pub(super) struct Parsed {
    /// `None`: the text was empty.
    pub statement: Option<Statement>,
    /// What the client sent.
    pub text: Arc<str>,
    /// What it is counted by.
    pub shape: Shape,
}

/// Everything that a plan hangs on, besides the rows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct PlanKey {
    text: Arc<str>,
    types: Box<[TypeId]>,
    database: Oid,
    catalog_version: u64,
    user: Oid,
    search_path: Box<[Oid]>,
    time_zone: Box<str>,
    interval_style: IntervalStyle,
    direct_routes: bool,
}

impl PlanKey {
    /// What the plan of a statement would hang on in this scope; `None`: it would be this session's alone. A definition that
    /// is not committed is; and a literal in quotes may be read by what the session is (`'now'`, the name of a relation), so
    /// a text with quotes is left out altogether.
    pub(super) fn of(scope: &Scope, text: &Arc<str>, types: &[TypeId]) -> Option<PlanKey> {
        let (view, catalog) = (&scope.view, scope.view.catalog());
        let is_own = catalog.is_private || view.temporary_schema().is_some();
        if is_own || has_literal(text) {
            return None;
        }
        Some(PlanKey {
            text: text.clone(),
            types: types.into(),
            database: catalog.database,
            catalog_version: catalog.version,
            user: view.user_oid,
            search_path: view.search_path().into(),
            time_zone: view.settings.time_zone_name().into(),
            interval_style: view.interval_style(),
            direct_routes: view.settings.direct_routes(),
        })
    }
}

/// Whether a text may hold a literal in quotes: `'…'`, or `$tag$…$tag$`, which a parameter (`$1`) is not.
fn has_literal(text: &str) -> bool {
    let is_tag = |next: Option<&u8>| next.is_none_or(|byte| !byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let is_dollar = |(at, byte): (usize, &u8)| *byte == b'$' && is_tag(bytes.get(at + 1));
    text.contains('\'') || bytes.iter().enumerate().any(is_dollar)
}

/// See the head of this file.
#[derive(Default)]
pub(crate) struct SharedStatements {
    trees: Mutex<WeakTable<(), Parsed>>,
    plans: Mutex<WeakTable<PlanKey, Plan>>,
}

impl SharedStatements {
    /// The tree of a text that a session has parsed.
    pub(super) fn tree(&self, text: &str) -> Option<Arc<Parsed>> {
        self.trees.lock().find(hash_of(text), |(), parsed| *parsed.text == *text)
    }

    /// A text was parsed.
    pub(super) fn add_tree(&self, parsed: &Arc<Parsed>) {
        self.trees.lock().put(hash_of(&*parsed.text), (), parsed);
    }

    /// The plan that a session has made.
    pub(super) fn plan(&self, key: &PlanKey) -> Option<Arc<Plan>> {
        self.plans.lock().find(hash_of(key), |other, _| other == key)
    }

    /// A plan was made.
    pub(super) fn add_plan(&self, key: PlanKey, plan: &Arc<Plan>) {
        self.plans.lock().put(hash_of(&key), key, plan);
    }
}

fn hash_of<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Values that others hold, by hash. At most as many entries as values that are held, twice, and [`PRUNED_FROM`].
struct WeakTable<K, V> {
    entries: BTreeMap<u64, (K, Weak<V>)>,
    prune_at: usize,
}

impl<K, V> Default for WeakTable<K, V> {
    fn default() -> WeakTable<K, V> {
        WeakTable { entries: BTreeMap::new(), prune_at: PRUNED_FROM }
    }
}

impl<K, V> WeakTable<K, V> {
    fn find(&self, hash: u64, is_meant: impl Fn(&K, &V) -> bool) -> Option<Arc<V>> {
        let (key, value) = self.entries.get(&hash)?;
        value.upgrade().filter(|value| is_meant(key, value))
    }

    /// Another one of this hash is shared no more.
    fn put(&mut self, hash: u64, key: K, value: &Arc<V>) {
        self.entries.insert(hash, (key, Arc::downgrade(value)));
        if self.entries.len() >= self.prune_at {
            self.entries.retain(|_, (_, value)| value.strong_count() > 0);
            self.prune_at = PRUNED_FROM.max(2 * self.entries.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_forgotten() {
        let mut table: WeakTable<u64, u64> = WeakTable::default();
        let held: Vec<Arc<u64>> = (0..100).map(Arc::new).collect();
        held.iter().for_each(|value| table.put(**value, **value, value));
        for number in 1_000..100_000 {
            table.put(number, number, &Arc::new(number));
            assert!(table.entries.len() <= PRUNED_FROM, "{} entries", table.entries.len());
        }
        let found = |number| table.find(number, |key, value| key == value && *key == number);
        assert!((0..100).all(|number| found(number).is_some()));
        assert!(found(99_999).is_none());
    }

    #[test]
    fn a_hash_alone_is_no_proof() {
        let mut table: WeakTable<(), &str> = WeakTable::default();
        let value = Arc::new("select 1");
        table.put(7, (), &value);
        assert!(table.find(7, |(), text| *text == "select 2").is_none());
        assert!(table.find(7, |(), text| *text == "select 1").is_some());
    }

    #[test]
    fn literals_are_told_from_parameters() {
        for (text, expected) in [
            ("SELECT a FROM t WHERE id = $1", false),
            ("SELECT 'now'::timestamptz", true),
            ("SELECT $$now$$::timestamptz", true),
            ("SELECT $x$now$x$", true),
            ("SELECT $12 + $3", false),
            ("SELECT a$", true),
        ] {
            assert_eq!(has_literal(text), expected, "{text}");
        }
    }
}
