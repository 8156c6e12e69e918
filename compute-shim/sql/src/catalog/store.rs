//! Reading and writing the catalog's rows in the engine's catalog tree.
//!
//! Owns [`Loader`] (all objects into a snapshot, at every start) and [`Write`] (one statement's changes). Both survive
//! a need. Formats and keys: `codec.rs`.

use super::codec::{self, CHUNK_BYTES};
use super::object::{DATABASE_OID, Object, ObjectClass, Oid};
use super::{Catalog, Changes};
use crate::stop::{Step, Stop};
use hexalog_engine::{
    Cursor, Direction, Engine, EngineError, Isolation, NewestRow, RowBuffer, RowRef, Transaction,
    WriteOutcome,
};
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::VecDeque;
use std::ops::Bound;

/// Databases and roles belong to the cluster, which has number 0; the rest to the one database.
fn database_of(class: ObjectClass) -> Oid {
    match class {
        ObjectClass::Database | ObjectClass::Role => 0,
        ObjectClass::Schema
        | ObjectClass::Table
        | ObjectClass::Sequence
        | ObjectClass::View
        | ObjectClass::Comments
        | ObjectClass::Enum
        | ObjectClass::Statistics => DATABASE_OID,
    }
}

/// Reads every object. Call [`Loader::step`] until it answers.
pub(crate) struct Loader {
    transaction: Transaction,
    cursor: Option<Cursor>,
    row: RowBuffer,
    /// The object whose chunks are being gathered, and how many there are.
    current: Option<(ObjectClass, Oid)>,
    chunks: u16,
    bytes: Vec<u8>,
    objects: Changes,
}

impl Loader {
    pub(crate) fn new(engine: &Engine) -> Loader {
        Loader {
            transaction: engine.begin(Isolation::RepeatableRead, true),
            cursor: None,
            row: RowBuffer::new(),
            current: None,
            chunks: 0,
            bytes: Vec::new(),
            objects: Changes::new(),
        }
    }

    /// The snapshot, once everything is read.
    pub(crate) fn step(&mut self, engine: &Engine) -> Step<Catalog> {
        if self.cursor.is_none() {
            engine.begin_statement(&mut self.transaction)?;
            let tree = engine.catalog_tree();
            self.cursor = Some(Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward));
        }
        let cursor = self.cursor.as_mut().expect("set above");
        while engine.cursor_next(&mut self.transaction, cursor, &mut self.row)? {
            let Some((_, class, oid, chunk)) = codec::decode_key(&self.row.key)? else { continue };
            if self.current != Some((class, oid)) {
                finish(&mut self.current, &mut self.bytes, &mut self.objects)?;
                self.current = Some((class, oid));
                self.chunks = 0;
            }
            if chunk != self.chunks {
                return Err(codec::damaged().into());
            }
            self.chunks = self.chunks.checked_add(1).ok_or_else(codec::damaged)?;
            self.bytes.extend_from_slice(&self.row.body);
        }
        finish(&mut self.current, &mut self.bytes, &mut self.objects)?;
        engine.commit(&mut self.transaction)?;
        Ok(Catalog::empty().with_changes(&self.objects, 1, false))
    }
}

fn finish(current: &mut Option<(ObjectClass, Oid)>, bytes: &mut Vec<u8>, objects: &mut Changes) -> Step<()> {
    if let Some((class, oid)) = current.take() {
        objects.insert((class, oid), Some(codec::decode(class, oid, bytes)?));
        bytes.clear();
    }
    Ok(())
}

/// One row to be written.
enum Operation {
    Put {
        key: Vec<u8>,
        body: Vec<u8>,
    },
    Delete {
        key: Vec<u8>,
    },
    /// A name that must be free; the text is for the error.
    AddName {
        key: Vec<u8>,
        body: Vec<u8>,
        name: String,
        class: ObjectClass,
    },
}

/// Writes one statement's changes within its transaction. Call [`Write::step`] until it answers.
pub(crate) struct Write {
    operations: VecDeque<Operation>,
    begun: bool,
    row: RowBuffer,
}

impl Write {
    /// The rows that lead from `before` to the changes. Names that fall are freed first.
    pub(crate) fn new(before: &Catalog, changes: &Changes) -> Write {
        let mut operations = VecDeque::new();
        let mut added = Vec::new();
        for (&(class, oid), after) in changes {
            let before = before.object(class, oid);
            let (old_names, new_names) = (names(before.as_ref()), names(after.as_ref()));
            let database = database_of(class);
            for (name_space, name, _) in old_names.iter().filter(|name| !new_names.contains(name)) {
                operations.push_back(Operation::Delete {
                    key: codec::name_key(database, class, *name_space, name),
                });
            }
            for (name_space, name, oid) in new_names.into_iter().filter(|name| !old_names.contains(name)) {
                let key = codec::name_key(database, class, name_space, &name);
                let body = oid.to_le_bytes().to_vec();
                added.push(Operation::AddName { key, body, name, class });
            }
            let old_chunks = before.as_ref().map_or(0, |object| chunks(object).len());
            let new_chunks = after.as_ref().map_or_else(Vec::new, chunks);
            for chunk in new_chunks.len()..old_chunks {
                let key = codec::object_key(database, class, oid, chunk_number(chunk));
                added.push(Operation::Delete { key });
            }
            for (chunk, body) in new_chunks.into_iter().enumerate() {
                let key = codec::object_key(database, class, oid, chunk_number(chunk));
                added.push(Operation::Put { key, body });
            }
        }
        operations.extend(added);
        Write { operations, begun: false, row: RowBuffer::new() }
    }

    /// Writes on. 42P07, 42710 or 42P06 if a name is taken.
    pub(crate) fn step(&mut self, engine: &Engine, transaction: &mut Transaction) -> Step<()> {
        if !self.begun {
            // A new command, so that rows which this transaction wrote in an earlier statement can be written again.
            engine.begin_statement(transaction)?;
            self.begun = true;
        }
        let tree = engine.catalog_tree();
        while let Some(operation) = self.operations.front() {
            match operation {
                Operation::AddName { key, body, name, class } => {
                    let row = RowRef::new(1, body);
                    engine.insert(transaction, tree, key, row).map_err(|stop| taken(stop, name, *class))?;
                }
                Operation::Put { key, body } => {
                    let row = RowRef::new(1, body);
                    match engine.get_newest(transaction, tree, key, None, &mut self.row)? {
                        NewestRow::Found => {
                            let outcome = engine.update(transaction, tree, key, self.row.version, row)?;
                            if outcome != WriteOutcome::Done {
                                continue;
                            }
                        }
                        NewestRow::Gone | NewestRow::MovedTo(_) => {
                            engine.insert(transaction, tree, key, row)?
                        }
                    }
                }
                Operation::Delete { key } => {
                    if engine.get_newest(transaction, tree, key, None, &mut self.row)? == NewestRow::Found {
                        let outcome = engine.delete(transaction, tree, key, self.row.version, None)?;
                        if outcome == WriteOutcome::Changed {
                            continue;
                        }
                    }
                }
            }
            self.operations.pop_front();
        }
        Ok(())
    }
}

fn names(object: Option<&Object>) -> Vec<(Oid, String, Oid)> {
    object.map_or_else(Vec::new, Object::names)
}

fn chunks(object: &Object) -> Vec<Vec<u8>> {
    codec::encode(object).chunks(CHUNK_BYTES).map(<[u8]>::to_vec).collect()
}

fn chunk_number(chunk: usize) -> u16 {
    u16::try_from(chunk).expect("a catalog object is far below 65,536 chunks")
}

/// The engine's duplicate key in the catalog is a name that is taken.
fn taken(stop: hexalog_engine::Stop, name: &str, class: ObjectClass) -> Stop {
    match stop {
        hexalog_engine::Stop::Fail(EngineError::DuplicateKey) if class == ObjectClass::Enum => {
            let message = format!("type \"{name}\" already exists");
            SqlError::new(SqlState::DUPLICATE_OBJECT, message).into()
        }
        hexalog_engine::Stop::Fail(EngineError::DuplicateKey) if class == ObjectClass::Schema => {
            let message = format!("schema \"{name}\" already exists");
            SqlError::new(SqlState::DUPLICATE_SCHEMA, message).into()
        }
        hexalog_engine::Stop::Fail(EngineError::DuplicateKey) => {
            let message = format!("relation \"{name}\" already exists");
            SqlError::new(SqlState::DUPLICATE_TABLE, message).into()
        }
        other => other.into(),
    }
}

impl Catalog {
    /// An object by class and oid.
    pub(crate) fn object(&self, class: ObjectClass, oid: Oid) -> Option<Object> {
        match class {
            ObjectClass::Database => self.databases.get(&oid).cloned().map(Object::Database),
            ObjectClass::Role => self.roles.get(&oid).cloned().map(Object::Role),
            ObjectClass::Schema => self.schemas.get(&oid).cloned().map(Object::Schema),
            ObjectClass::Table => self.tables.get(&oid).cloned().map(Object::Table),
            ObjectClass::Sequence => self.sequences.get(&oid).cloned().map(Object::Sequence),
            ObjectClass::View => self.views.get(&oid).cloned().map(Object::View),
            ObjectClass::Comments => self.comments.get(&oid).cloned().map(Object::Comments),
            ObjectClass::Enum => self.enums.get(&oid).cloned().map(Object::Enum),
            ObjectClass::Statistics => self.statistics.get(&oid).cloned().map(Object::Statistics),
        }
    }
}

#[cfg(test)]
mod tests;
