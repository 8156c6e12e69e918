//! Relations and their columns, as `pg_class`, `pg_attribute`, `pg_attrdef`, `pg_sequence` and `pg_depend` show them.
//!
//! What PostgreSQL stores and this product does not (numbers of pages and rows, transaction ids, toast tables, row types)
//! is shown with the value that PostgreSQL gives to "not known" or "none".

use super::facts::{
    C_COLLATION_OID, DEFAULT_COLLATION_OID, collation_of, collation_of_column, collation_of_key,
};
use super::routine::{METHOD_BTREE, METHOD_HEAP};
use super::types::{row_type_of, storage_of};
use super::value::{FALSE, NO_CHAR, NULL, TRUE, int2, int4, oid, text, text_array};
use super::{SystemTable, tables};
use crate::bind::expression_name;
use crate::catalog::Catalog;
use crate::catalog::object::{
    Column, Identity, Index, IndexColumn, KeyPart, Oid, PG_CATALOG_OID, ROLE_OID, Sequence, Table, View,
};
use crate::definition::{BLOCK_BYTES, column_names};
use crate::execute::Row;
use crate::parse;
use crate::parse::tree::StorageParameter;
use crate::session::SessionView;
use hexalog_sql_types::{Array, Datum, TypeId, Typmod};

/// Oid of `pg_class`, which other catalogs refer to.
pub(super) const PG_CLASS_OID: Oid = 1259;
/// Oid of `pg_rewrite`.
pub(super) const PG_REWRITE_OID: Oid = 2618;
/// Oid of `pg_attrdef`.
const PG_ATTRDEF_OID: Oid = 2604;
/// Oid of `pg_constraint`.
const PG_CONSTRAINT_OID: Oid = 2606;
/// Oid of tablespace `pg_global`, which tables of the whole cluster are in.
pub(super) const GLOBAL_TABLESPACE_OID: Oid = 1664;

/// Catalogs of the whole cluster (`relisshared`).
const SHARED: &[&str] = &[
    "pg_auth_members",
    "pg_authid",
    "pg_database",
    "pg_db_role_setting",
    "pg_parameter_acl",
    "pg_replication_origin",
    "pg_shdepend",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_subscription",
    "pg_tablespace",
];

/// The three columns that every sequence has.
const SEQUENCE_COLUMNS: &[(&str, TypeId)] =
    &[("last_value", TypeId::INT8), ("log_cnt", TypeId::INT8), ("is_called", TypeId::BOOL)];

/// The parts of a `pg_class` row that differ between relations.
struct Class<'a> {
    oid: Oid,
    name: &'a str,
    schema: Oid,
    owner: Oid,
    method: Oid,
    kind: u8,
    columns: usize,
    checks: usize,
    has_index: bool,
    is_shared: bool,
    has_rules: bool,
    has_triggers: bool,
    has_row_type: bool,
    replica_identity: u8,
    parameters: &'a [StorageParameter],
    /// Pages and rows, as far as ANALYZE has found them.
    size: Size,
}

/// `relpages` and `reltuples`.
#[derive(Clone, Copy)]
struct Size {
    pages: u64,
    rows: Option<u64>,
}

impl Size {
    const UNKNOWN: Size = Size { pages: 0, rows: None };

    /// A table's; pages are as many as would hold its rows.
    fn of(catalog: &Catalog, table: &Table) -> Size {
        let Some(statistics) = catalog.statistics(table.oid) else { return Size::UNKNOWN };
        match statistics.rows {
            Some(rows) => Size { pages: statistics.bytes.div_ceil(BLOCK_BYTES), rows: Some(rows) },
            None => Size::UNKNOWN,
        }
    }
}

/// `reloptions`.
pub(super) fn options(parameters: &[StorageParameter]) -> Datum {
    if parameters.is_empty() {
        return NULL;
    }
    let option = |parameter: &StorageParameter| {
        format!("{}={}", parameter.name, parameter.value.as_deref().unwrap_or("true"))
    };
    text_array(parameters.iter().map(option))
}

impl Class<'_> {
    fn row(&self, catalog: &Catalog) -> Row {
        let persistence = if catalog.is_temporary(self.schema) { b't' } else { b'p' };
        let mut row = vec![
            oid(self.oid),
            text(self.name),
            oid(self.schema),
            oid(if self.has_row_type { row_type_of(self.oid) } else { 0 }),
            oid(0),
            oid(self.owner),
            oid(self.method),
            oid(if self.kind == b'v' { 0 } else { self.oid }),
            oid(if self.is_shared { GLOBAL_TABLESPACE_OID } else { 0 }),
            Datum::Int4(i32::try_from(self.size.pages).unwrap_or(i32::MAX)),
            Datum::Float4(self.size.rows.map_or(-1.0, |rows| rows as f32)),
            int4(0),
            oid(0),
            Datum::Bool(self.has_index),
            Datum::Bool(self.is_shared),
            Datum::Char(persistence),
            Datum::Char(self.kind),
            int2(self.columns),
            int2(self.checks),
            Datum::Bool(self.has_rules),
        ];
        row.push(Datum::Bool(self.has_triggers));
        row.extend([FALSE, FALSE, FALSE, TRUE, Datum::Char(self.replica_identity), FALSE]);
        row.extend([oid(0), oid(0), oid(0), NULL, options(self.parameters), NULL]);
        row
    }

    fn of_table(table: &Table) -> Class<'_> {
        Class {
            oid: table.oid,
            name: &table.name,
            schema: table.schema,
            owner: table.owner,
            method: METHOD_HEAP,
            kind: b'r',
            columns: table.columns.len(),
            checks: table.checks.len(),
            has_index: !table.indexes.is_empty(),
            is_shared: false,
            has_rules: false,
            has_triggers: false,
            has_row_type: true,
            replica_identity: b'd',
            parameters: &table.parameters,
            size: Size::UNKNOWN,
        }
    }

    fn of_index<'a>(table: &Table, index: &'a Index) -> Class<'a> {
        Class {
            oid: index.oid,
            name: &index.name,
            schema: table.schema,
            owner: table.owner,
            method: METHOD_BTREE,
            kind: b'i',
            columns: index.columns.len() + index.included.len(),
            checks: 0,
            has_index: false,
            is_shared: false,
            has_rules: false,
            has_triggers: false,
            has_row_type: false,
            replica_identity: b'n',
            parameters: &index.parameters,
            size: Size::UNKNOWN,
        }
    }

    fn of_sequence(sequence: &Sequence) -> Class<'_> {
        Class {
            oid: sequence.oid,
            name: &sequence.name,
            schema: sequence.schema,
            owner: sequence.owner,
            method: 0,
            kind: b'S',
            columns: SEQUENCE_COLUMNS.len(),
            checks: 0,
            has_index: false,
            is_shared: false,
            has_rules: false,
            has_triggers: false,
            has_row_type: false,
            replica_identity: b'n',
            parameters: &[],
            size: Size::UNKNOWN,
        }
    }

    fn of_view(view: &View) -> Class<'_> {
        Class {
            oid: view.oid,
            name: &view.name,
            schema: view.schema,
            owner: view.owner,
            method: 0,
            kind: b'v',
            columns: view.columns.len(),
            checks: 0,
            has_index: false,
            is_shared: false,
            has_rules: true,
            has_triggers: false,
            has_row_type: true,
            replica_identity: b'n',
            parameters: &[],
            size: Size::UNKNOWN,
        }
    }

    fn of_system(table: &SystemTable) -> Class<'_> {
        Class {
            oid: table.oid,
            name: table.name,
            schema: table.schema,
            owner: ROLE_OID,
            method: if table.is_view { 0 } else { METHOD_HEAP },
            kind: if table.is_view { b'v' } else { b'r' },
            columns: table.columns.len(),
            checks: 0,
            has_index: false,
            is_shared: table.schema == PG_CATALOG_OID && SHARED.contains(&table.name),
            has_rules: false,
            has_triggers: false,
            has_row_type: false,
            replica_identity: b'n',
            parameters: &[],
            size: Size::UNKNOWN,
        }
    }
}

pub(super) fn pg_class(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows: Vec<Row> = tables().iter().map(|table| Class::of_system(table).row(catalog)).collect();
    for table in catalog.tables() {
        // PostgreSQL keeps foreign keys by triggers, at both ends; clients look at them only if there are any.
        let has_triggers = !table.foreign_keys.is_empty() || !catalog.referring(table.oid).is_empty();
        let size = Size::of(catalog, table);
        rows.push(Class { has_triggers, size, ..Class::of_table(table) }.row(catalog));
        rows.extend(table.indexes.iter().map(|index| {
            // An index of all rows has as many entries; how many one of a part has is not counted.
            let rows = size.rows.filter(|_| index.predicate.is_none());
            Class { size: Size { rows, ..Size::UNKNOWN }, ..Class::of_index(table, index) }.row(catalog)
        }));
    }
    rows.extend(catalog.sequences().map(|sequence| Class::of_sequence(sequence).row(catalog)));
    for view in catalog.views() {
        let mut row = Class::of_view(view).row(catalog);
        // The last but one column.
        let options = row.len() - 2;
        row[options] = super::user_view::options_of_view(view);
        rows.push(row);
    }
    rows
}

/// The parts of a `pg_attribute` row that differ between columns.
struct Attribute<'a> {
    relation: Oid,
    /// Position, from 0.
    at: usize,
    name: &'a str,
    /// [`TypeId::NONE`] for a dropped column.
    type_id: TypeId,
    typmod: Typmod,
    not_null: bool,
    has_default: bool,
    identity: Option<Identity>,
    is_generated: bool,
    is_dropped: bool,
    missing: &'a Datum,
    collation: Oid,
}

impl<'a> Attribute<'a> {
    fn plain(relation: Oid, at: usize, name: &'a str, type_id: TypeId) -> Attribute<'a> {
        Attribute {
            relation,
            at,
            name,
            type_id,
            typmod: Typmod::NONE,
            not_null: false,
            has_default: false,
            identity: None,
            is_generated: false,
            is_dropped: false,
            missing: &Datum::Null,
            collation: collation_of(type_id),
        }
    }

    fn row(&self) -> Row {
        let info = self.type_id.info();
        let dimensions = usize::from(self.type_id.array_element().is_some() && !self.type_id.is_vector());
        let identity = match self.identity {
            Some(Identity::Always) => Datum::Char(b'a'),
            Some(Identity::ByDefault) => Datum::Char(b'd'),
            None => NO_CHAR,
        };
        let missing = match self.missing {
            Datum::Null => NULL,
            value => Array::from_values(self.type_id, vec![value.clone()]).into(),
        };
        vec![
            oid(self.relation),
            text(self.name),
            oid(self.type_id.0),
            Datum::Int4(-1),
            Datum::Int2(self.type_id.typlen()),
            int2(self.at + 1),
            int4(dimensions),
            Datum::Int4(-1),
            Datum::Int4(self.typmod.0),
            Datum::Bool(info.map_or(self.type_id.is_enum(), |info| info.by_value)),
            Datum::Char(info.map_or(b'i', |info| info.align)),
            storage_of(self.type_id),
            NO_CHAR,
            Datum::Bool(self.not_null),
            Datum::Bool(self.has_default),
            Datum::Bool(!missing.is_null()),
            identity,
            if self.is_generated { Datum::Char(b's') } else { NO_CHAR },
            Datum::Bool(self.is_dropped),
            TRUE,
            int4(0),
            oid(self.collation),
            NULL,
            NULL,
            NULL,
            missing,
        ]
    }
}

fn column_row(table: &Table, at: usize, column: &Column) -> Row {
    if column.dropped {
        let name = format!("........pg.dropped.{}........", at + 1);
        return Attribute { is_dropped: true, ..Attribute::plain(table.oid, at, &name, TypeId::NONE) }.row();
    }
    Attribute {
        typmod: column.typmod,
        not_null: column.not_null,
        has_default: column.stored_default().is_some(),
        identity: column.identity,
        is_generated: column.is_generated(),
        missing: &column.missing,
        collation: collation_of_column(column),
        ..Attribute::plain(table.oid, at, &column.name, column.type_id)
    }
    .row()
}

pub(super) fn pg_attribute(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in tables() {
        for (at, column) in table.columns.iter().enumerate() {
            let attribute = Attribute::plain(table.oid, at, column.name, column.type_id);
            // Text in catalogs is of collation C; in views it is what the query makes of it.
            let is_catalog = !table.is_view && attribute.collation == DEFAULT_COLLATION_OID;
            let collation = if is_catalog { C_COLLATION_OID } else { attribute.collation };
            rows.push(Attribute { not_null: column.not_null, collation, ..attribute }.row());
        }
    }
    for table in catalog.tables() {
        rows.extend(table.columns.iter().enumerate().map(|(at, column)| column_row(table, at, column)));
        for index in &table.indexes {
            let key = index
                .columns
                .iter()
                .map(|key| (key.value_type(&table.columns), collation_of_key(key, &table.columns)));
            // What has no order has no collation.
            let included = index.included.iter().map(|&column| {
                let column = &table.columns[column];
                ((column.type_id, column.typmod), 0)
            });
            for (at, (name, ((type_id, typmod), collation))) in
                index_column_names(view, table, index).iter().zip(key.chain(included)).enumerate()
            {
                let attribute = Attribute::plain(index.oid, at, name, type_id);
                rows.push(Attribute { typmod, collation, ..attribute }.row());
            }
        }
    }
    for sequence in catalog.sequences() {
        for (at, &(name, type_id)) in SEQUENCE_COLUMNS.iter().enumerate() {
            let attribute = Attribute::plain(sequence.oid, at, name, type_id);
            rows.push(Attribute { not_null: true, ..attribute }.row());
        }
    }
    for view in catalog.views() {
        for (at, column) in view.columns.iter().enumerate() {
            let attribute = Attribute::plain(view.oid, at, &column.name, column.type_id);
            rows.push(Attribute { typmod: column.typmod, ..attribute }.row());
        }
    }
    rows
}

/// The names of an index's columns, those of INCLUDE behind the others.
fn index_column_names(view: &SessionView, table: &Table, index: &Index) -> Vec<String> {
    let of_part = |column: &IndexColumn| match &column.part {
        KeyPart::Column(column) => table.columns[*column].name.clone(),
        KeyPart::Expression(expression) => {
            let parsed = parse::expression(&expression.text).ok();
            parsed.as_ref().and_then(|expr| expression_name(view, expr)).unwrap_or_else(|| "expr".to_owned())
        }
    };
    let included = index.included.iter().map(|&column| table.columns[column].name.clone());
    column_names(&index.columns.iter().map(of_part).chain(included).collect::<Vec<_>>())
}

/// The columns with a default; they are numbered in this order, from 1.
fn defaults(view: &SessionView) -> impl Iterator<Item = (u32, &Table, usize, &str)> {
    let of_table = |table: &'_ std::sync::Arc<Table>| -> Vec<usize> {
        (0..table.columns.len()).filter(|&at| table.columns[at].stored_default().is_some()).collect()
    };
    let all = view
        .catalog()
        .tables()
        .flat_map(move |table| of_table(table).into_iter().map(move |at| (&**table, at)));
    all.zip(1..).map(|((table, at), number)| {
        (number, table, at, table.columns[at].stored_default().expect("asked above"))
    })
}

/// What defaults rest on: their column, and the sequences that they draw from.
fn default_dependencies(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    let row = |object: Oid, referenced: Oid, column: usize, kind: u8| {
        vec![
            oid(PG_ATTRDEF_OID),
            oid(object),
            int4(0),
            oid(PG_CLASS_OID),
            oid(referenced),
            int4(column),
            Datum::Char(kind),
        ]
    };
    let sequences: Vec<(Oid, String)> = view
        .catalog()
        .sequences()
        .map(|sequence| (sequence.oid, crate::definition::sequence_literal(view.catalog(), sequence)))
        .collect();
    for (number, table, at, text) in defaults(view) {
        let generated = &table.columns[at].generated;
        rows.push(row(number, table.oid, at + 1, if generated.is_some() { b'i' } else { b'a' }));
        let reads = generated.iter().flat_map(|generated| &generated.reads);
        rows.extend(reads.map(|read| row(number, table.oid, read + 1, b'n')));
        let drawn = sequences.iter().filter(|(_, literal)| text.contains(literal.as_str()));
        rows.extend(drawn.map(|(sequence, _)| row(number, *sequence, 0, b'n')));
    }
    rows
}

/// Defaults have no oids of their own here: they are numbered from 1. `adbin` is their SQL text.
pub(super) fn pg_attrdef(view: &SessionView) -> Vec<Row> {
    let row = |(number, table, at, default): (u32, &Table, usize, &str)| {
        vec![oid(number), oid(table.oid), int2(at + 1), text(default)]
    };
    defaults(view).map(row).collect()
}

pub(super) fn pg_sequence(view: &SessionView) -> Vec<Row> {
    let row = |sequence: &std::sync::Arc<Sequence>| {
        let params = &sequence.params;
        vec![
            oid(sequence.oid),
            oid(sequence.type_id.0),
            Datum::Int8(params.start),
            Datum::Int8(params.increment),
            Datum::Int8(params.max),
            Datum::Int8(params.min),
            Datum::Int8(sequence.cache),
            Datum::Bool(params.cycle),
        ]
    };
    view.catalog().sequences().map(row).collect()
}

/// The dependencies that clients ask for: sequences on the columns that own them, indexes on their constraints, columns on
/// their types, views on what they read.
pub(super) fn pg_depend(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let row = |object: Oid, class: Oid, referenced: Oid, column: usize, kind: u8| {
        vec![
            oid(PG_CLASS_OID),
            oid(object),
            int4(0),
            oid(class),
            oid(referenced),
            int4(column),
            Datum::Char(kind),
        ]
    };
    let mut rows = Vec::new();
    for table in catalog.tables() {
        let backing = table.indexes.iter().filter(|index| index.constraint != 0);
        rows.extend(backing.map(|index| row(index.oid, PG_CONSTRAINT_OID, index.constraint, 0, b'i')));
        for key in &table.foreign_keys {
            let mut add = |referenced: Oid, column: usize, kind: u8| {
                let mut row = row(key.oid, PG_CLASS_OID, referenced, column, kind);
                row[0] = oid(PG_CONSTRAINT_OID);
                rows.push(row);
            };
            for &(own, referenced) in &key.columns {
                add(table.oid, own + 1, b'a');
                add(key.target, referenced + 1, b'n');
            }
            add(key.index, 0, b'n');
        }
    }
    for sequence in catalog.sequences() {
        let Some((owner, column)) = sequence.owned_by else { continue };
        let identity = catalog.table(owner).and_then(|table| table.columns.get(column)?.identity);
        let kind = if identity.is_some() { b'i' } else { b'a' };
        rows.push(row(sequence.oid, PG_CLASS_OID, owner, column + 1, kind));
    }
    let pg_type = crate::catalog::object::classes::PG_TYPE;
    for table in catalog.tables() {
        let live = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
        for (at, column) in live.filter(|(_, column)| catalog.enum_of(column.type_id).is_some()) {
            let mut row = row(table.oid, pg_type, column.type_id.0, 0, b'n');
            row[2] = int4(at + 1);
            rows.push(row);
        }
    }
    rows.extend(default_dependencies(view));
    rows.extend(super::user_view::dependencies(view));
    rows
}
