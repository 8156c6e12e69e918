//! Definitions that a transaction has made and not yet committed.
//!
//! Owns [`Overlay`]: the changes, and the private view of the catalog that they give on top of what others have
//! published meanwhile. Relation locks keep two transactions from changing one object; the names in the stored
//! catalog keep them from making two of one name.

use super::object::{Object, ObjectClass, Oid};
use super::{Catalog, Changes};
use hexalog_protocol::Lsn;
use std::sync::Arc;

/// A transaction's own changes to the catalog.
#[derive(Debug)]
pub(crate) struct Overlay {
    changes: Changes,
    /// The published version that `view` was made from.
    base: Arc<Catalog>,
    view: Arc<Catalog>,
}

impl Overlay {
    pub(crate) fn new(base: Arc<Catalog>) -> Overlay {
        Overlay { changes: Changes::new(), view: base.clone(), base }
    }

    /// Whether the commit changes what others see: not if all that was made has been dropped again.
    pub(crate) fn is_of_others(&self) -> bool {
        let is_there = |class: ObjectClass, oid: Oid| self.base.object(class, oid).is_some();
        self.changes.iter().any(|(&(class, oid), change)| change.is_some() || is_there(class, oid))
    }

    pub(crate) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The catalog as this transaction sees it.
    pub(crate) fn view(&mut self, published: &Arc<Catalog>) -> Arc<Catalog> {
        if self.base.version != published.version {
            self.base = published.clone();
            self.refresh();
        }
        self.view.clone()
    }

    /// Takes a statement's changes in.
    pub(crate) fn add(&mut self, changes: Changes) {
        self.changes.extend(changes);
        self.refresh();
    }

    fn refresh(&mut self) {
        self.view = match self.changes.is_empty() {
            true => self.base.clone(),
            false => {
                let changes = usable_by_own(&self.changes);
                Arc::new(self.base.with_changes(&changes, self.base.version, true))
            }
        };
    }
}

/// The changes as their own transaction sees them: it may use an index that it has built from the snapshot on that it
/// was built at. In the changes themselves such an index stays unusable, until the commit's LSN is put in.
fn usable_by_own(changes: &Changes) -> Changes {
    let mut changes = changes.clone();
    for change in changes.values_mut() {
        if let Some(Object::Table(table)) = change
            && table.indexes.iter().any(|index| index.valid_from == Lsn::MAX)
        {
            for index in &mut Arc::make_mut(table).indexes {
                if index.valid_from == Lsn::MAX {
                    index.valid_from = index.built_at;
                }
            }
        }
    }
    changes
}

/// The reverse, for a table that was drafted from a transaction's own view.
fn unusable_by_others(object: Object) -> Object {
    let Object::Table(mut table) = object else { return object };
    let is_own =
        |index: &super::object::Index| index.built_at != Lsn::ZERO && index.valid_from == index.built_at;
    if table.indexes.iter().any(is_own) {
        for index in Arc::make_mut(&mut table).indexes.iter_mut().filter(|index| is_own(index)) {
            index.valid_from = Lsn::MAX;
        }
    }
    Object::Table(table)
}

/// The changes of one statement, collected before anything is written.
#[derive(Debug, Default)]
pub(crate) struct ChangeSet {
    changes: Changes,
}

impl ChangeSet {
    pub(crate) fn put(&mut self, object: Object) {
        self.changes.insert((object.class(), object.oid()), Some(unusable_by_others(object)));
    }

    pub(crate) fn remove(&mut self, class: ObjectClass, oid: Oid) {
        self.changes.insert((class, oid), None);
    }

    /// Takes those of another set in; false if both make something of one object.
    pub(crate) fn merge(&mut self, other: ChangeSet) -> bool {
        let is_apart = |(key, change): (&(ObjectClass, Oid), &Option<Object>)| {
            self.changes.get(key).is_none_or(|known| known.is_none() && change.is_none())
        };
        let are_apart = other.changes.iter().all(is_apart);
        self.changes.extend(other.changes);
        are_apart
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }
}
