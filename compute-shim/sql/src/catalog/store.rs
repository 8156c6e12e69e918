//! Reading and writing the catalog's rows in the engine's catalog tree.
//!
//! Owns [`Loader`] (all objects into a snapshot, at every start) and [`Write`] (one statement's changes). Both survive
//! a need. Formats and keys: `codec.rs`.

use super::codec::{self, CHUNK_BYTES};
use super::object::{DATABASE_OID, Object, ObjectClass, Oid, TEMPLATES};
use super::{Catalog, Changes};
use crate::stop::{Step, Stop};
use hexalog_engine::{
    Cursor, Direction, Engine, EngineError, Isolation, NewestRow, RowBuffer, RowRef, Transaction,
    WriteOutcome,
};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

/// What belongs to all databases has number 0, but for comments: these stand with those of the first database, as they
/// did when it was the only one.
const SHARED: Oid = 0;

/// Where an object stands that a transaction changes.
fn database_of(before: &Catalog, class: ObjectClass, oid: Oid) -> Oid {
    match class {
        ObjectClass::Database | ObjectClass::Role => SHARED,
        ObjectClass::Comments if before.is_shared(class, oid) => DATABASE_OID,
        _ => before.database,
    }
}

/// Reads every object of all databases. Call [`Loader::step`] until it answers.
pub(crate) struct Loader {
    transaction: Transaction,
    cursor: Option<Cursor>,
    row: RowBuffer,
    /// The object whose chunks are being gathered, its database, and how many there are.
    current: Option<(Oid, ObjectClass, Oid)>,
    chunks: u16,
    bytes: Vec<u8>,
    /// By database.
    objects: BTreeMap<Oid, Changes>,
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
            objects: BTreeMap::new(),
        }
    }

    /// The catalog of each database, once everything is read.
    pub(crate) fn step(&mut self, engine: &Engine) -> Step<Vec<Catalog>> {
        if self.cursor.is_none() {
            engine.begin_statement(&mut self.transaction)?;
            let tree = engine.catalog_tree();
            self.cursor = Some(Cursor::new(tree, Bound::Unbounded, Bound::Unbounded, Direction::Forward));
        }
        let cursor = self.cursor.as_mut().expect("set above");
        while engine.cursor_next(&mut self.transaction, cursor, &mut self.row)? {
            let Some((database, class, oid, chunk)) = codec::decode_key(&self.row.key)? else { continue };
            if self.current != Some((database, class, oid)) {
                finish(&mut self.current, &mut self.bytes, &mut self.objects)?;
                self.current = Some((database, class, oid));
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
        Ok(catalogs(std::mem::take(&mut self.objects))?)
    }
}

fn finish(
    current: &mut Option<(Oid, ObjectClass, Oid)>,
    bytes: &mut Vec<u8>,
    objects: &mut BTreeMap<Oid, Changes>,
) -> Step<()> {
    if let Some((database, class, oid)) = current.take() {
        let object = codec::decode(class, oid, bytes)?;
        objects.entry(database).or_default().insert((class, oid), Some(object));
        bytes.clear();
    }
    Ok(())
}

/// The catalogs that the stored objects make up.
fn catalogs(mut objects: BTreeMap<Oid, Changes>) -> Result<Vec<Catalog>> {
    let mut shared = objects.remove(&SHARED).unwrap_or_default();
    let all = Catalog::empty(SHARED).with_changes(&shared, 0, false);
    if let Some(first) = objects.get_mut(&DATABASE_OID) {
        let is_shared =
            |&(class, oid): &(ObjectClass, Oid), _: &mut Option<Object>| all.is_shared(class, oid);
        shared.extend(first.extract_if(.., is_shared));
        if first.is_empty() {
            objects.remove(&DATABASE_OID);
        }
    }
    let is_real = |oid: &Oid| TEMPLATES.iter().all(|(template, _)| template != oid);
    let catalog = |database: Oid| {
        let mut own = objects.remove(&database).unwrap_or_default();
        own.extend(shared.clone());
        Catalog::empty(database).with_changes(&own, 1, false)
    };
    let catalogs = all.databases().map(|database| database.oid).filter(is_real).map(catalog).collect();
    // Objects of a database that there is not.
    if objects.is_empty() { Ok(catalogs) } else { Err(codec::damaged()) }
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
    /// The rows that lead from what is stored to the changes. Names that fall are freed first.
    pub(crate) fn new(stored: &Catalog, changes: &Changes) -> Write {
        let mut operations = VecDeque::new();
        let mut added = Vec::new();
        for (&(class, oid), after) in changes {
            let before = stored.object(class, oid);
            let (old_names, new_names) = (names(before.as_ref()), names(after.as_ref()));
            let database = database_of(stored, class, oid);
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

    /// Writes on. 42P07, 42710, 42P06 or 42P04 if a name is taken.
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
        hexalog_engine::Stop::Fail(EngineError::DuplicateKey) if class == ObjectClass::Database => {
            let message = format!("database \"{name}\" already exists");
            SqlError::new(SqlState::DUPLICATE_DATABASE, message).into()
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
