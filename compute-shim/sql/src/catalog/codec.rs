//! The stored form of catalog objects and the keys they are stored under.
//!
//! Owns a format that lives in the volume: the first byte of every object is its version, numbers are little-endian,
//! texts and lists carry their length. Objects are cut into chunks that fit a row. Key: database oid, class, oid, chunk
//! number, big-endian, so that one scan of a database's range reads everything in order. Byte by byte:
//! `docs/catalog-format.md`.

mod database;
mod statistics;

use super::object::{
    Check, Column, Comments, EnumLabel, EnumType, ForeignKey, Identity, Index, IndexColumn, IndexState,
    KeyPart, Object, ObjectClass, Oid, Role, Schema, Sequence, Table, View, ViewColumn, ViewName,
};
use super::row_expression::RowExpression;
use crate::parse::tree::{CheckOption, Deferral, ReferentialAction, StorageParameter};
use hexalog_engine::{SequenceId, SequenceParams, TreeId};
use hexalog_protocol::{Lsn, PageId};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{COLUMNS_MAX, RowLayout};
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// Formats of everything below. Tables of format 1 had no foreign keys, those of format 2 none that could be deferred, and no operator
/// classes; those of format 3 no indexes on expressions or of a part of the rows, those
/// of format 4 no generated columns, those of format 5 no indexes that were not whole, those of format 6 no keys
/// whose check could wait, those of format 7 no constraints that were not validated, those of format 8 no collations of indexes, those of format 9 none of columns. Views of format 1 had no CHECK OPTION, databases
/// of format 1 nothing but their names and owners.
const fn version(class: ObjectClass) -> u8 {
    match class {
        ObjectClass::Table => 10,
        ObjectClass::Database | ObjectClass::View => 2,
        _ => 1,
    }
}

/// Bytes of an object in one row, well below the engine's limit.
pub(super) const CHUNK_BYTES: usize = 4_000;

/// Class byte of name rows: (database, this byte, name space, name) → oid.
const CLASS_NAME: u8 = 64;
/// The same for names of types.
const CLASS_TYPE_NAME: u8 = 65;

/// Key of one chunk of an object.
pub(super) fn object_key(database: Oid, class: ObjectClass, oid: Oid, chunk: u16) -> Vec<u8> {
    let mut key = Vec::with_capacity(11);
    key.extend_from_slice(&database.to_be_bytes());
    key.push(class as u8);
    key.extend_from_slice(&oid.to_be_bytes());
    key.extend_from_slice(&chunk.to_be_bytes());
    key
}

/// Key of a name, whose uniqueness the tree enforces.
pub(super) fn name_key(database: Oid, class: ObjectClass, name_space: Oid, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + name.len());
    key.extend_from_slice(&database.to_be_bytes());
    key.push(if class == ObjectClass::Enum { CLASS_TYPE_NAME } else { CLASS_NAME });
    key.extend_from_slice(&name_space.to_be_bytes());
    key.extend_from_slice(name.as_bytes());
    key
}

/// Takes a key apart; `None` for a row that is no object's.
pub(super) fn decode_key(key: &[u8]) -> Result<Option<(Oid, ObjectClass, Oid, u16)>> {
    let mut reader = Reader { bytes: key };
    let database = u32::from_be_bytes(reader.array()?);
    let [class] = reader.array()?;
    if class == CLASS_NAME || class == CLASS_TYPE_NAME {
        return Ok(None);
    }
    let class = match class {
        1 => ObjectClass::Database,
        2 => ObjectClass::Role,
        3 => ObjectClass::Schema,
        4 => ObjectClass::Table,
        5 => ObjectClass::Sequence,
        6 => ObjectClass::View,
        8 => ObjectClass::Comments,
        9 => ObjectClass::Enum,
        10 => ObjectClass::Statistics,
        _ => return Err(damaged()),
    };
    let oid = u32::from_be_bytes(reader.array()?);
    let chunk = u16::from_be_bytes(reader.array()?);
    if reader.bytes.is_empty() { Ok(Some((database, class, oid, chunk))) } else { Err(damaged()) }
}

pub(super) fn damaged() -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, "a catalog object cannot be read")
}

/// An object's bytes.
pub(super) fn encode(object: &Object) -> Vec<u8> {
    let mut out = Writer { bytes: vec![version(object.class())] };
    match object {
        Object::Database(object) => out.database(object),
        Object::Role(object) => {
            let Role { oid: _, name } = &**object;
            out.text(name);
        }
        Object::Schema(object) => {
            let Schema { oid: _, name, owner } = &**object;
            out.text(name);
            out.u32(*owner);
        }
        Object::Table(table) => out.table(table),
        Object::Sequence(sequence) => out.sequence(sequence),
        Object::View(view) => out.view(view),
        Object::Comments(comments) => out.comments(comments),
        Object::Enum(object) => out.enumeration(object),
        Object::Statistics(statistics) => out.statistics(statistics),
    }
    out.bytes
}

/// An object from its bytes.
pub(super) fn decode(class: ObjectClass, oid: Oid, bytes: &[u8]) -> Result<Object> {
    let mut reader = Reader { bytes };
    let [found] = reader.array()?;
    if found == 0 || found > version(class) {
        return Err(SqlError::new(SqlState::DATA_CORRUPTED, "the catalog was written by a newer program"));
    }
    let object = match class {
        ObjectClass::Database => Object::Database(Arc::new(reader.database(oid, found)?)),
        ObjectClass::Role => Object::Role(Arc::new(Role { oid, name: reader.text()? })),
        ObjectClass::Schema => {
            Object::Schema(Arc::new(Schema { oid, name: reader.text()?, owner: reader.u32()? }))
        }
        ObjectClass::Table => Object::Table(Arc::new(reader.table(oid, found)?)),
        ObjectClass::Sequence => Object::Sequence(Arc::new(reader.sequence(oid)?)),
        ObjectClass::View => Object::View(Arc::new(reader.view(oid, found)?)),
        ObjectClass::Statistics => Object::Statistics(Arc::new(reader.statistics(oid)?)),
        ObjectClass::Comments => Object::Comments(Arc::new(reader.comments(oid)?)),
        ObjectClass::Enum => Object::Enum(Arc::new(reader.enumeration(oid)?)),
    };
    if reader.bytes.is_empty() { Ok(object) } else { Err(damaged()) }
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).expect("lists of a catalog object are short"));
    }

    fn text(&mut self, text: &str) {
        self.blob(text.as_bytes());
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn optional_text(&mut self, text: Option<&str>) {
        self.bool(text.is_some());
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn parameters(&mut self, parameters: &[StorageParameter]) {
        self.count(parameters.len());
        for StorageParameter { name, value } in parameters {
            self.text(name);
            self.optional_text(value.as_deref());
        }
    }

    fn column(&mut self, column: &Column) {
        let Column {
            name,
            type_id,
            typmod,
            not_null,
            dropped,
            default,
            identity,
            generated,
            missing,
            collation,
        } = column;
        self.text(name);
        self.u32(type_id.0);
        self.u32(typmod.0.cast_unsigned());
        self.bool(*not_null);
        self.bool(*dropped);
        self.optional_text(default.as_deref());
        self.u8(match identity {
            None => 0,
            Some(Identity::Always) => 1,
            Some(Identity::ByDefault) => 2,
        });
        self.bool(generated.is_some());
        if let Some(generated) = generated {
            self.row_expression(generated);
        }
        self.bool(!missing.is_null());
        if !missing.is_null() {
            let mut value = Vec::new();
            RowLayout::new(vec![*type_id]).encode_value(0, missing, &mut value);
            self.blob(&value);
        }
        self.u32(*collation);
    }

    fn index(&mut self, index: &Index) {
        let Index {
            oid,
            name,
            tree,
            columns,
            included,
            predicate,
            unique,
            primary,
            deferral,
            constraint,
            parameters,
            state,
            valid_from: _,
            built_at: _,
            key: _,
            reads: _,
        } = index;
        self.u32(*oid);
        self.text(name);
        self.bool(tree.is_some());
        if let Some(tree) = tree {
            self.u64(tree.0.0);
        }
        self.count(columns.len());
        for IndexColumn { part, descending, nulls_first, class, collation } in columns {
            match part {
                KeyPart::Column(column) => {
                    self.bool(false);
                    self.count(*column);
                }
                KeyPart::Expression(expression) => {
                    self.bool(true);
                    self.row_expression(expression);
                }
            }
            self.bool(*descending);
            self.bool(*nulls_first);
            self.u32(*class);
            self.u32(*collation);
        }
        self.bool(*unique);
        self.u32(*constraint);
        self.parameters(parameters);
        self.count(included.len());
        included.iter().for_each(|column| self.count(*column));
        self.bool(predicate.is_some());
        if let Some(predicate) = predicate {
            self.row_expression(predicate);
        }
        self.u8(*state as u8);
        self.bool(*primary);
        self.deferral(*deferral);
    }

    fn row_expression(&mut self, expression: &RowExpression) {
        self.text(&expression.text);
        self.u32(expression.type_id.0);
        self.u32(expression.typmod.0.cast_unsigned());
        self.count(expression.reads.len());
        expression.reads.iter().for_each(|column| self.count(*column));
    }

    fn table(&mut self, table: &Table) {
        let Table {
            oid: _,
            name,
            schema,
            owner,
            columns,
            tree,
            checks,
            foreign_keys,
            indexes,
            parameters,
            rows_from: _,
            layout: _,
        } = table;
        self.text(name);
        self.u32(*schema);
        self.u32(*owner);
        self.u64(tree.0.0);
        self.count(columns.len());
        columns.iter().for_each(|column| self.column(column));
        self.count(checks.len());
        for Check { oid, name, expression, validated } in checks {
            self.u32(*oid);
            self.text(name);
            self.text(expression);
            self.bool(*validated);
        }
        self.count(indexes.len());
        indexes.iter().for_each(|index| self.index(index));
        self.parameters(parameters);
        self.count(foreign_keys.len());
        foreign_keys.iter().for_each(|key| self.foreign_key(key));
    }

    fn foreign_key(&mut self, key: &ForeignKey) {
        let ForeignKey {
            oid,
            name,
            columns,
            target,
            index,
            match_full,
            on_delete,
            on_update,
            deferral,
            validated,
        } = key;
        self.u32(*oid);
        self.text(name);
        self.count(columns.len());
        for (column, referenced) in columns {
            self.count(*column);
            self.count(*referenced);
        }
        self.u32(*target);
        self.u32(*index);
        self.bool(*match_full);
        for action in [on_delete, on_update] {
            self.u8(match action {
                ReferentialAction::NoAction => 0,
                ReferentialAction::Restrict => 1,
                ReferentialAction::Cascade => 2,
                ReferentialAction::SetNull => 3,
                ReferentialAction::SetDefault => 4,
            });
        }
        self.deferral(*deferral);
        self.bool(*validated);
    }

    fn deferral(&mut self, deferral: Deferral) {
        self.u8(match deferral {
            Deferral::Never => 0,
            Deferral::Immediate => 1,
            Deferral::Deferred => 2,
        });
    }

    fn sequence(&mut self, sequence: &Sequence) {
        let Sequence { oid: _, name, schema, owner, id, type_id, params, cache, owned_by } = sequence;
        let SequenceParams { start, increment, min, max, cycle } = params;
        self.text(name);
        self.u32(*schema);
        self.u32(*owner);
        self.u64(id.0.0);
        self.u32(type_id.0);
        for value in [start, increment, min, max, cache] {
            self.i64(*value);
        }
        self.bool(*cycle);
        self.bool(owned_by.is_some());
        if let Some((table, column)) = owned_by {
            self.u32(*table);
            self.count(*column);
        }
    }

    fn comments(&mut self, comments: &Comments) {
        let Comments { oid: _, texts } = comments;
        self.count(texts.len());
        for (class, column, text) in texts {
            self.u32(*class);
            self.u32(column.cast_unsigned());
            self.text(text);
        }
    }

    fn enumeration(&mut self, object: &EnumType) {
        let EnumType { oid: _, name, schema, owner, labels } = object;
        self.text(name);
        self.u32(*schema);
        self.u32(*owner);
        self.count(labels.len());
        for EnumLabel { oid, key, label, is_new: _ } in labels {
            self.u32(*oid);
            self.i64(*key);
            self.text(label);
        }
    }

    fn view(&mut self, view: &View) {
        let View { oid: _, name, schema, owner, rule, columns, text, names, used, keys, check_option } = view;
        self.text(name);
        for number in [schema, owner, rule] {
            self.u32(*number);
        }
        self.count(columns.len());
        for ViewColumn { name, type_id, typmod } in columns {
            self.text(name);
            self.u32(type_id.0);
            self.u32(typmod.0.cast_unsigned());
        }
        self.text(text);
        self.count(names.len());
        for ViewName { parts, relation, columns } in names {
            self.count(parts.len());
            parts.iter().for_each(|part| self.text(part));
            self.u32(*relation);
            self.count(columns.len());
            for (column, name) in columns {
                self.count(*column);
                self.text(name);
            }
        }
        self.count(used.len());
        for (relation, column) in used {
            self.u32(*relation);
            self.count(*column);
        }
        self.count(keys.len());
        keys.iter().for_each(|table| self.u32(*table));
        self.u8(match check_option {
            CheckOption::None => 0,
            CheckOption::Local => 1,
            CheckOption::Cascaded => 2,
        });
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or_else(damaged)?;
        self.bytes = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(damaged()),
        }
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn page(&mut self) -> Result<PageId> {
        Ok(PageId(self.u64()?))
    }

    /// A length; never more than the bytes that are left, so that damage cannot ask for memory.
    fn count(&mut self) -> Result<usize> {
        let count = self.u32()? as usize;
        if count <= self.bytes.len() { Ok(count) } else { Err(damaged()) }
    }

    /// A number that is not a length.
    fn number(&mut self) -> Result<usize> {
        Ok(self.u32()? as usize)
    }

    fn blob(&mut self) -> Result<&[u8]> {
        let count = self.count()?;
        let (head, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(head)
    }

    fn text(&mut self) -> Result<String> {
        String::from_utf8(self.blob()?.to_vec()).map_err(|_| damaged())
    }

    fn optional_text(&mut self) -> Result<Option<String>> {
        Ok(if self.bool()? { Some(self.text()?) } else { None })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn parameters(&mut self) -> Result<Vec<StorageParameter>> {
        self.list(|reader| Ok(StorageParameter { name: reader.text()?, value: reader.optional_text()? }))
    }

    fn column(&mut self, version: u8) -> Result<Column> {
        let name = self.text()?;
        let type_id = TypeId(self.u32()?);
        let typmod = Typmod(self.u32()?.cast_signed());
        let not_null = self.bool()?;
        let dropped = self.bool()?;
        let default = self.optional_text()?;
        let identity = match self.u8()? {
            0 => None,
            1 => Some(Identity::Always),
            2 => Some(Identity::ByDefault),
            _ => return Err(damaged()),
        };
        let is_generated = version >= 5 && self.bool()?;
        let generated = if is_generated { Some(Arc::new(self.row_expression()?)) } else { None };
        let missing = match self.bool()? {
            false => Datum::Null,
            true => RowLayout::new(vec![type_id]).decode_value(0, self.blob()?)?,
        };
        let collation = if version < 10 { 0 } else { self.u32()? };
        Ok(Column {
            name,
            type_id,
            typmod,
            not_null,
            dropped,
            default,
            identity,
            generated,
            missing,
            collation,
        })
    }

    fn index(&mut self, table: &[Column], version: u8) -> Result<Index> {
        let oid = self.u32()?;
        let name = self.text()?;
        let tree = if self.bool()? { Some(TreeId(self.page()?)) } else { None };
        let columns = self.list(|reader| {
            let part = match version >= 4 && reader.bool()? {
                false => KeyPart::Column(reader.number()?),
                true => KeyPart::Expression(Arc::new(reader.row_expression()?)),
            };
            let (descending, nulls_first) = (reader.bool()?, reader.bool()?);
            let class = if version < 3 { 0 } else { reader.u32()? };
            let collation = if version < 9 { 0 } else { reader.u32()? };
            Ok(IndexColumn { part, descending, nulls_first, class, collation })
        })?;
        let (unique, constraint) = (self.bool()?, self.u32()?);
        let parameters = self.parameters()?;
        let included = if version < 4 { Vec::new() } else { self.list(Reader::number)? };
        let has_predicate = version >= 4 && self.bool()?;
        let predicate = if has_predicate { Some(Arc::new(self.row_expression()?)) } else { None };
        let state = match if version < 6 { 0 } else { self.u8()? } {
            0 => IndexState::Valid,
            1 => IndexState::Building,
            2 => IndexState::Dead,
            _ => return Err(damaged()),
        };
        let primary = if version < 7 { tree.is_none() } else { self.bool()? };
        let deferral = if version < 7 { Deferral::Never } else { self.deferral()? };
        if tree.is_none() && !(primary && deferral == Deferral::Never) {
            return Err(damaged());
        }
        let reads = Index::columns_read(&columns, predicate.as_ref());
        if reads.iter().chain(&included).any(|column| *column >= table.len()) {
            return Err(damaged());
        }
        Ok(Index {
            oid,
            name,
            tree,
            key: Index::key_columns(&columns, table),
            columns,
            included,
            predicate,
            unique,
            primary,
            deferral,
            constraint,
            parameters,
            state,
            valid_from: Lsn::ZERO,
            built_at: Lsn::ZERO,
            reads,
        })
    }

    fn row_expression(&mut self) -> Result<RowExpression> {
        let (text, type_id) = (self.text()?, TypeId(self.u32()?));
        let typmod = Typmod(self.u32()?.cast_signed());
        Ok(RowExpression::stored(text, type_id, typmod, self.list(Reader::number)?))
    }

    fn table(&mut self, oid: Oid, version: u8) -> Result<Table> {
        let name = self.text()?;
        let (schema, owner) = (self.u32()?, self.u32()?);
        let tree = TreeId(self.page()?);
        let columns = self.list(|reader| reader.column(version))?;
        let generated = columns.iter().filter_map(|column| column.generated.as_ref());
        let mut reads = generated.flat_map(|generated| &generated.reads);
        if columns.len() > COLUMNS_MAX || reads.any(|column| *column >= columns.len()) {
            return Err(damaged());
        }
        let checks = self.list(|reader| {
            let (oid, name, expression) = (reader.u32()?, reader.text()?, reader.text()?);
            Ok(Check { oid, name, expression, validated: version < 8 || reader.bool()? })
        })?;
        let indexes = self.list(|reader| reader.index(&columns, version))?;
        if indexes.iter().skip(1).any(|index| index.primary) {
            return Err(damaged());
        }
        let parameters = self.parameters()?;
        let foreign_keys = match version {
            1 => Vec::new(),
            _ => self.list(|reader| reader.foreign_key(columns.len(), version))?,
        };
        let layout = Table::layout_of(&columns);
        Ok(Table {
            oid,
            name,
            schema,
            owner,
            columns,
            tree,
            checks,
            foreign_keys,
            indexes,
            parameters,
            rows_from: Lsn::ZERO,
            layout,
        })
    }

    fn foreign_key(&mut self, columns_of_table: usize, version: u8) -> Result<ForeignKey> {
        let (oid, name) = (self.u32()?, self.text()?);
        let columns = self.list(|reader| Ok((reader.number()?, reader.number()?)))?;
        if columns.is_empty() || columns.iter().any(|(column, _)| *column >= columns_of_table) {
            return Err(damaged());
        }
        let (target, index) = (self.u32()?, self.u32()?);
        let match_full = self.bool()?;
        let (on_delete, on_update) = (self.action()?, self.action()?);
        let deferral = match version {
            2 => Deferral::Never,
            _ => self.deferral()?,
        };
        let validated = version < 8 || self.bool()?;
        Ok(ForeignKey {
            oid,
            name,
            columns,
            target,
            index,
            match_full,
            on_delete,
            on_update,
            deferral,
            validated,
        })
    }

    fn deferral(&mut self) -> Result<Deferral> {
        Ok(match self.u8()? {
            0 => Deferral::Never,
            1 => Deferral::Immediate,
            2 => Deferral::Deferred,
            _ => return Err(damaged()),
        })
    }

    fn action(&mut self) -> Result<ReferentialAction> {
        Ok(match self.u8()? {
            0 => ReferentialAction::NoAction,
            1 => ReferentialAction::Restrict,
            2 => ReferentialAction::Cascade,
            3 => ReferentialAction::SetNull,
            4 => ReferentialAction::SetDefault,
            _ => return Err(damaged()),
        })
    }

    fn sequence(&mut self, oid: Oid) -> Result<Sequence> {
        let name = self.text()?;
        let (schema, owner) = (self.u32()?, self.u32()?);
        let id = SequenceId(self.page()?);
        let type_id = TypeId(self.u32()?);
        let [start, increment, min, max, cache] =
            [self.i64()?, self.i64()?, self.i64()?, self.i64()?, self.i64()?];
        let params = SequenceParams { start, increment, min, max, cycle: self.bool()? };
        let owned_by = if self.bool()? { Some((self.u32()?, self.number()?)) } else { None };
        Ok(Sequence { oid, name, schema, owner, id, type_id, params, cache, owned_by })
    }

    fn comments(&mut self, oid: Oid) -> Result<Comments> {
        let texts = self.list(|reader| Ok((reader.u32()?, reader.u32()?.cast_signed(), reader.text()?)))?;
        Ok(Comments { oid, texts })
    }

    fn enumeration(&mut self, oid: Oid) -> Result<EnumType> {
        let name = self.text()?;
        let (schema, owner) = (self.u32()?, self.u32()?);
        let labels = self.list(|reader| {
            let (oid, key, label) = (reader.u32()?, reader.i64()?, reader.text()?.into());
            Ok(EnumLabel { oid, key, label, is_new: false })
        })?;
        let is_ordered = labels.is_sorted_by(|one, other| one.key < other.key);
        if !is_ordered || !TypeId(oid).is_enum() {
            return Err(damaged());
        }
        Ok(EnumType { oid, name, schema, owner, labels })
    }

    fn view(&mut self, oid: Oid, version: u8) -> Result<View> {
        let name = self.text()?;
        let [schema, owner, rule] = [self.u32()?, self.u32()?, self.u32()?];
        let columns = self.list(|reader| {
            let (name, type_id) = (reader.text()?, TypeId(reader.u32()?));
            Ok(ViewColumn { name, type_id, typmod: Typmod(reader.u32()?.cast_signed()) })
        })?;
        let text = self.text()?;
        let names = self.list(|reader| {
            let parts = reader.list(Reader::text)?;
            let relation = reader.u32()?;
            let columns = reader.list(|reader| Ok((reader.number()?, reader.text()?)))?;
            Ok(ViewName { parts, relation, columns })
        })?;
        let used = self.list(|reader| Ok((reader.u32()?, reader.number()?)))?;
        let keys = self.list(Reader::u32)?;
        let check_option = match version {
            1 => CheckOption::None,
            _ => match self.u8()? {
                0 => CheckOption::None,
                1 => CheckOption::Local,
                2 => CheckOption::Cascaded,
                _ => return Err(damaged()),
            },
        };
        Ok(View { oid, name, schema, owner, rule, columns, text, names, used, keys, check_option })
    }
}

#[cfg(test)]
mod tests;
