//! The objects of the catalog: databases, roles, schemas, tables with their columns, constraints and indexes,
//! sequences, views.
//!
//! Owns their shapes and what follows from one object alone. A table's indexes and constraints are part of the table's
//! object, so that one version number covers all that a plan depends on. Stored form: `codec.rs`. Never touches
//! storage.

use super::row_expression::RowExpression;
use crate::parse::tree::{Deferral, ReferentialAction, StorageParameter};
use hexalog_engine::{SequenceId, SequenceParams, TreeId};
use hexalog_protocol::Lsn;
use hexalog_sql_types::key::KeyColumn;
use hexalog_sql_types::row::RowLayout;
use hexalog_sql_types::{Datum, TypeId, Typmod};
use std::sync::Arc;

/// A cluster-wide or database-wide object's number, as PostgreSQL's `oid`.
pub(crate) type Oid = u32;

/// First oid of objects that users make, as in PostgreSQL.
pub(crate) const FIRST_USER_OID: Oid = 16_384;
/// `postgres`, the one database.
pub(crate) const DATABASE_OID: Oid = 5;
/// `postgres`, the one role.
pub(crate) const ROLE_OID: Oid = 10;
/// `pg_database_owner`: whoever owns the database; owns `public`. Nobody logs in as it.
pub(crate) const DATABASE_OWNER_OID: Oid = 6_171;
/// Schema `pg_catalog`.
pub(crate) const PG_CATALOG_OID: Oid = 11;
/// Schema `public`.
pub(crate) const PUBLIC_OID: Oid = 2_200;
/// Schema `information_schema`.
pub(crate) const INFORMATION_SCHEMA_OID: Oid = 13_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseObject {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub oid: Oid,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
}

/// GENERATED … AS IDENTITY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Always,
    ByDefault,
}

/// A column of a table, in storage order; `attnum` is its index + 1. A dropped column keeps its place.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub name: String,
    pub type_id: TypeId,
    pub typmod: Typmod,
    pub not_null: bool,
    pub dropped: bool,
    /// SQL text of the default, all names qualified.
    pub default: Option<String>,
    pub identity: Option<Identity>,
    /// The value of rows that were stored before the column was added.
    pub missing: Datum,
}

/// A CHECK constraint; `expression` is SQL text over the table's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub oid: Oid,
    pub name: String,
    pub expression: String,
}

/// A FOREIGN KEY constraint; it belongs to the table that refers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    pub oid: Oid,
    pub name: String,
    /// Pairs of columns: of this table, and of the table referred to.
    pub columns: Vec<(usize, usize)>,
    /// The table referred to, which may be this one, and the unique index there.
    pub target: Oid,
    pub index: Oid,
    /// MATCH FULL: either all columns are NULL or none.
    pub match_full: bool,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
    pub deferral: Deferral,
}

/// What a column of an index holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyPart {
    /// A column, as index into the table's columns.
    Column(usize),
    Expression(Arc<RowExpression>),
}

/// One column of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexColumn {
    pub part: KeyPart,
    pub descending: bool,
    pub nulls_first: bool,
    /// The operator class that was asked for, 0 for the type's own. All classes order alike here, by code points.
    pub class: Oid,
}

/// An index. The primary key's is the clustered tree itself, when the table was made or rebuilt with it.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub oid: Oid,
    pub name: String,
    /// The tree of a secondary index; `None` for the primary key.
    pub tree: Option<TreeId>,
    pub columns: Vec<IndexColumn>,
    /// Columns of INCLUDE. Entries do not hold them: every hit is looked up in the table anyway.
    pub included: Vec<usize>,
    /// Of a partial index: rows for which it does not hold have no entry.
    pub predicate: Option<Arc<RowExpression>>,
    pub unique: bool,
    /// Oid of the constraint that it backs, 0 if it was made by CREATE INDEX.
    pub constraint: Oid,
    pub parameters: Vec<StorageParameter>,
    /// Snapshots below this may need row versions that the index has no entry for. [`Lsn::MAX`] until the
    /// transaction that built the index has committed.
    pub valid_from: Lsn,
    /// The snapshot that it was built at, while that is uncommitted: its own transaction may use the index from there
    /// on (others not: they may need versions that this transaction has replaced before). Zero otherwise. Not stored.
    pub built_at: Lsn,
    /// Derived from `columns`.
    pub key: Arc<[KeyColumn]>,
    /// The table's columns that an entry is made from, ascending. Derived from `columns` and `predicate`.
    pub reads: Arc<[usize]>,
}

impl IndexColumn {
    /// The column of the table, if it is one.
    pub(crate) fn column(&self) -> Option<usize> {
        match self.part {
            KeyPart::Column(column) => Some(column),
            KeyPart::Expression(_) => None,
        }
    }

    /// The type of its values and their modifier.
    pub(crate) fn value_type(&self, table: &[Column]) -> (TypeId, Typmod) {
        match &self.part {
            KeyPart::Column(column) => (table[*column].type_id, table[*column].typmod),
            KeyPart::Expression(expression) => (expression.type_id, expression.typmod),
        }
    }
}

impl Index {
    pub(crate) fn is_primary(&self) -> bool {
        self.tree.is_none()
    }

    /// How keys of these columns are ordered.
    pub(crate) fn key_columns(columns: &[IndexColumn], table: &[Column]) -> Arc<[KeyColumn]> {
        let key = |column: &IndexColumn| KeyColumn {
            id: column.value_type(table).0,
            descending: column.descending,
            nulls_first: column.nulls_first,
        };
        columns.iter().map(key).collect()
    }

    /// The table's columns that entries are made from.
    pub(crate) fn columns_read(
        columns: &[IndexColumn],
        predicate: Option<&Arc<RowExpression>>,
    ) -> Arc<[usize]> {
        let mut reads = std::collections::BTreeSet::new();
        for column in columns {
            match &column.part {
                KeyPart::Column(column) => drop(reads.insert(*column)),
                KeyPart::Expression(expression) => reads.extend(expression.reads.iter().copied()),
            }
        }
        reads.extend(predicate.iter().flat_map(|predicate| predicate.reads.iter().copied()));
        reads.into_iter().collect()
    }

    /// The columns of its key; `None` if one of them is an expression.
    pub(crate) fn plain_columns(&self) -> Option<Vec<usize>> {
        self.columns.iter().map(IndexColumn::column).collect()
    }

    /// Whether a foreign key may rest on it: it is unique, of columns alone, and of all rows.
    pub(crate) fn can_be_referred_to(&self) -> bool {
        self.unique && self.predicate.is_none() && self.columns.iter().all(|column| column.column().is_some())
    }

    /// Whether a column has any part in it: it falls with the column.
    pub(crate) fn rests_on(&self, column: usize) -> bool {
        self.reads.contains(&column) || self.included.contains(&column)
    }

    /// The expressions of its key.
    pub(crate) fn key_expressions(&self) -> impl Iterator<Item = &Arc<RowExpression>> {
        self.columns.iter().filter_map(|column| match &column.part {
            KeyPart::Column(_) => None,
            KeyPart::Expression(expression) => Some(expression),
        })
    }
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub oid: Oid,
    pub name: String,
    pub schema: Oid,
    pub owner: Oid,
    pub columns: Vec<Column>,
    /// The clustered tree that holds the rows.
    pub tree: TreeId,
    pub checks: Vec<Check>,
    /// In order of creation.
    pub foreign_keys: Vec<ForeignKey>,
    /// The primary key first, if there is one; then the others in order of creation.
    pub indexes: Vec<Index>,
    pub parameters: Vec<StorageParameter>,
    /// Snapshots below this saw the rows in another tree: a rewrite has moved them. [`Lsn::MAX`] until the rewriting
    /// transaction has committed. Not stored: no snapshot outlives the process.
    pub rows_from: Lsn,
    /// Derived from `columns`.
    pub layout: Arc<RowLayout>,
}

impl Table {
    /// Where rows' columns stand.
    pub(crate) fn layout_of(columns: &[Column]) -> Arc<RowLayout> {
        Arc::new(RowLayout::new(columns.iter().map(|column| column.type_id).collect()))
    }

    /// The primary key, if the rows are ordered by one. Without it rows have a hidden row id as key.
    pub(crate) fn primary_key(&self) -> Option<&Index> {
        self.indexes.first().filter(|index| index.is_primary())
    }

    /// All indexes with a tree of their own.
    pub(crate) fn secondary_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| !index.is_primary())
    }

    /// Index of a live column by name.
    pub(crate) fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| !column.dropped && column.name == name)
    }
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub oid: Oid,
    pub name: String,
    pub schema: Oid,
    pub owner: Oid,
    pub id: SequenceId,
    pub type_id: TypeId,
    pub params: SequenceParams,
    pub cache: i64,
    /// The table's oid and the column's index: SERIAL and identity sequences fall with them.
    pub owned_by: Option<(Oid, usize)>,
}

/// A column of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewColumn {
    pub name: String,
    pub type_id: TypeId,
    pub typmod: Typmod,
}

/// What a relation's name meant when the view was made, and means in it ever since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ViewName {
    /// As written.
    pub parts: Vec<String>,
    pub relation: Oid,
    /// The columns that a table or view had then: places from 0, and names. Columns that have come since are not seen.
    pub columns: Vec<(usize, String)>,
}

/// A view: its query as text, and what the names in the text mean. `*` and what a session's settings decide are written
/// out in the text, so that it means the same to everybody, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub oid: Oid,
    pub name: String,
    pub schema: Oid,
    pub owner: Oid,
    /// The number of the rule that PostgreSQL makes a view of.
    pub rule: Oid,
    pub columns: Vec<ViewColumn>,
    pub text: String,
    pub names: Vec<ViewName>,
    /// Columns (from 0) of other relations that the query names.
    pub used: Vec<(Oid, usize)>,
    /// Tables whose primary key the query needs.
    pub keys: Vec<Oid>,
}

impl View {
    /// Whether the query reads a relation.
    pub(crate) fn reads(&self, relation: Oid) -> bool {
        self.names.iter().any(|name| name.relation == relation)
    }
}

/// Anything that the catalog stores under an oid.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Database(Arc<DatabaseObject>),
    Role(Arc<Role>),
    Schema(Arc<Schema>),
    Table(Arc<Table>),
    Sequence(Arc<Sequence>),
    View(Arc<View>),
}

/// Which map of the catalog an object lives in; also a byte of its stored key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum ObjectClass {
    Database = 1,
    Role = 2,
    Schema = 3,
    Table = 4,
    Sequence = 5,
    View = 6,
}

impl Object {
    pub(crate) fn class(&self) -> ObjectClass {
        match self {
            Object::Database(_) => ObjectClass::Database,
            Object::Role(_) => ObjectClass::Role,
            Object::Schema(_) => ObjectClass::Schema,
            Object::Table(_) => ObjectClass::Table,
            Object::Sequence(_) => ObjectClass::Sequence,
            Object::View(_) => ObjectClass::View,
        }
    }

    pub(crate) fn oid(&self) -> Oid {
        match self {
            Object::Database(object) => object.oid,
            Object::Role(object) => object.oid,
            Object::Schema(object) => object.oid,
            Object::Table(object) => object.oid,
            Object::Sequence(object) => object.oid,
            Object::View(object) => object.oid,
        }
    }

    /// Names that no other object of their name space may bear: (name space, name, oid). Schemas share the name space
    /// 0, relations that of their schema.
    pub(crate) fn names(&self) -> Vec<(Oid, String, Oid)> {
        match self {
            Object::Database(_) | Object::Role(_) => Vec::new(),
            Object::Schema(schema) => vec![(0, schema.name.clone(), schema.oid)],
            Object::Table(table) => {
                let mut names = vec![(table.schema, table.name.clone(), table.oid)];
                names.extend(table.indexes.iter().map(|index| (table.schema, index.name.clone(), index.oid)));
                names
            }
            Object::Sequence(sequence) => vec![(sequence.schema, sequence.name.clone(), sequence.oid)],
            Object::View(view) => vec![(view.schema, view.name.clone(), view.oid)],
        }
    }
}
