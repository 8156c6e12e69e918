//! The views of `information_schema`: SQL's own way of asking what there is.
//!
//! Every role may see everything (there is one, a superuser). Rows are those of users' tables and of the system's own
//! alike, as in PostgreSQL, but for privileges, which only users' tables have here.

use super::constraint::columns_named;
use super::facts::{COLLATIONS, DEFAULT_COLLATION_OID, collation_of, collation_of_column};
use super::sql_text::{check_definition, expression_text, referential_words, row_expression_text};
use super::tables as system_tables;
use super::user_view::{INSERTS, changes_of_view};
use super::value::{NULL, int4, text, yes_or_no};
use crate::catalog::object::{Column, ForeignKey, Identity, Index, Oid, Sequence, Table};
use crate::execute::Row;
use crate::parse::tree::Deferral;
use crate::session::SessionView;
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{Datum, TypeId, Typmod};
use std::sync::Arc;

/// Most bytes of a character in UTF-8.
const CHARACTER_BYTES_MAX: i32 = 4;
/// `character_octet_length` of text without a length.
const TEXT_BYTES_MAX: i32 = 1 << 30;

fn database(view: &SessionView) -> Datum {
    text(&view.database)
}

fn schema(view: &SessionView, number: Oid) -> Datum {
    text(view.catalog().schema_name(number))
}

/// Database, schema and name of a table, which most views begin with or repeat.
fn table_name(view: &SessionView, table: &Table) -> [Datum; 3] {
    [database(view), schema(view, table.schema), text(&table.name)]
}

fn constraint_name(view: &SessionView, table: &Table, name: &str) -> [Datum; 3] {
    [database(view), schema(view, table.schema), text(name)]
}

fn keys(table: &Table) -> impl Iterator<Item = &Index> {
    table.indexes.iter().filter(|index| index.constraint != 0)
}

/// NOT NULL columns with the names that their constraints have here, which are derived from numbers.
fn not_null(table: &Table) -> impl Iterator<Item = (String, &Column)> {
    let live = |(_, column): &(usize, &Column)| column.not_null && !column.dropped;
    let named = |(at, column)| (format!("{}_{}_{}_not_null", table.schema, table.oid, at + 1), column);
    table.columns.iter().enumerate().filter(live).map(named)
}

pub(super) fn information_schema_catalog_name(view: &SessionView) -> Vec<Row> {
    vec![vec![database(view)]]
}

pub(super) fn enabled_roles(view: &SessionView) -> Vec<Row> {
    view.catalog().roles().map(|role| vec![text(&role.name)]).collect()
}

pub(super) fn schemata(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for schema in catalog.schemas() {
        let owner = catalog.role(schema.owner).map_or(NULL, |role| text(&role.name));
        rows.push(vec![database(view), text(&schema.name), owner, NULL, NULL, NULL, NULL]);
    }
    rows
}

pub(super) fn tables(view: &SessionView) -> Vec<Row> {
    let row = |number: Oid, name: &str, kind: &str, insertable: bool| {
        let mut row = vec![database(view), schema(view, number), text(name), text(kind)];
        row.extend(std::iter::repeat_n(NULL, 5));
        row.extend([yes_or_no(insertable), yes_or_no(false), NULL]);
        row
    };
    let system = system_tables().iter().map(|table| {
        let kind = if table.is_view { "VIEW" } else { "BASE TABLE" };
        row(table.schema, table.name, kind, false)
    });
    let catalog = view.catalog();
    let is_shown = |schema| !view.is_of_other_session(catalog, schema);
    let own = catalog.tables().filter(|table| is_shown(table.schema)).map(|table| {
        let is_temporary = catalog.is_temporary(table.schema);
        let kind = if is_temporary { "LOCAL TEMPORARY" } else { "BASE TABLE" };
        row(table.schema, &table.name, kind, true)
    });
    let views = catalog.views().filter(|found| is_shown(found.schema));
    let views = views.map(|found| {
        // PostgreSQL asks for the schema first.
        let is_temporary = catalog.is_temporary(found.schema);
        let kind = if is_temporary { "LOCAL TEMPORARY" } else { "VIEW" };
        row(found.schema, &found.name, kind, changes_of_view(view, found).0 & INSERTS != 0)
    });
    system.chain(own).chain(views).collect()
}

/// `data_type` as the standard spells it.
fn data_type(id: TypeId) -> Datum {
    match id {
        TypeId::BPCHAR => text("character"),
        id if id.array_element().is_some() => text("ARRAY"),
        id if id.is_enum() => text("USER-DEFINED"),
        id => text(format_type(id, None)),
    }
}

/// From `character_maximum_length` to `interval_precision`.
fn type_columns(id: TypeId, typmod: Typmod) -> [Datum; 8] {
    let mut columns = [const { NULL }; 8];
    match id {
        TypeId::VARCHAR | TypeId::BPCHAR => {
            let length = typmod.char_length_max().and_then(|length| i32::try_from(length).ok());
            columns[0] = length.map_or(NULL, Datum::Int4);
            columns[1] = Datum::Int4(length.map_or(TEXT_BYTES_MAX, |length| length * CHARACTER_BYTES_MAX));
        }
        TypeId::TEXT => columns[1] = Datum::Int4(TEXT_BYTES_MAX),
        TypeId::NUMERIC => {
            let (precision, scale) = typmod.numeric_precision_scale().unzip();
            columns[2] = precision.map_or(NULL, Datum::Int4);
            columns[3] = Datum::Int4(10);
            columns[4] = scale.map_or(NULL, Datum::Int4);
        }
        TypeId::DATE => columns[5] = Datum::Int4(0),
        TypeId::INTERVAL => {
            let precision = typmod.interval_precision().unwrap_or(6);
            columns[5] = Datum::Int4(precision.cast_signed());
            let shown = format_type(id, Some(typmod)).to_uppercase();
            columns[6] = shown.strip_prefix("INTERVAL ").map_or(NULL, text);
        }
        TypeId::TIMESTAMP | TypeId::TIMESTAMPTZ => {
            columns[5] = Datum::Int4(typmod.timestamp_precision().map_or(6, |precision| precision as i32));
        }
        _ => {
            if let Some((bits, scale)) = binary_precision(id) {
                columns[2] = Datum::Int4(bits);
                columns[3] = Datum::Int4(2);
                columns[4] = scale;
            }
        }
    }
    columns
}

/// Bits of a number, and its scale.
fn binary_precision(id: TypeId) -> Option<(i32, Datum)> {
    match id {
        TypeId::INT2 => Some((16, Datum::Int4(0))),
        TypeId::INT4 => Some((32, Datum::Int4(0))),
        TypeId::INT8 => Some((64, Datum::Int4(0))),
        TypeId::FLOAT4 => Some((24, NULL)),
        TypeId::FLOAT8 => Some((53, NULL)),
        _ => None,
    }
}

/// The parts of a row of `columns` that differ between columns.
struct ColumnRow<'a> {
    schema: Oid,
    table: &'a str,
    name: &'a str,
    at: usize,
    default: Datum,
    generation: Datum,
    not_null: bool,
    type_id: TypeId,
    typmod: Typmod,
    collation: Oid,
    /// Identity and the sequence behind it.
    identity: Option<(Identity, Option<Arc<Sequence>>)>,
    is_updatable: bool,
}

impl ColumnRow<'_> {
    fn row(self, view: &SessionView) -> Row {
        let catalog = view.catalog();
        let (udt_schema, udt) = match catalog.enum_of(self.type_id) {
            Some(object) => {
                let name = catalog.type_name(self.type_id).unwrap_or_default();
                (text(catalog.schema_name(object.schema)), text(name))
            }
            None => (text("pg_catalog"), self.type_id.info().map_or(NULL, |info| text(info.name))),
        };
        let mut row = vec![
            database(view),
            schema(view, self.schema),
            text(self.table),
            text(self.name),
            int4(self.at + 1),
            self.default,
            yes_or_no(!self.not_null),
            data_type(self.type_id),
        ];
        row.extend(type_columns(self.type_id, self.typmod));
        row.extend([NULL, NULL, NULL]);
        row.extend(collation(view, self.collation));
        row.extend([NULL, NULL, NULL]);
        row.extend([database(view), udt_schema, udt]);
        row.extend([NULL, NULL, NULL, NULL]);
        row.extend([text((self.at + 1).to_string()), yes_or_no(false)]);
        row.extend(identity_columns(self.identity));
        let is_generated = text(if self.generation.is_null() { "NEVER" } else { "ALWAYS" });
        row.extend([is_generated, self.generation, yes_or_no(self.is_updatable)]);
        row
    }
}

/// Shown only where it is not the database's.
fn collation(view: &SessionView, collation: Oid) -> [Datum; 3] {
    match COLLATIONS.iter().find(|known| known.0 == collation && collation != DEFAULT_COLLATION_OID) {
        Some((_, name, ..)) => [database(view), text("pg_catalog"), text(*name)],
        None => [NULL, NULL, NULL],
    }
}

/// From `is_identity` to `identity_cycle`.
fn identity_columns(identity: Option<(Identity, Option<Arc<Sequence>>)>) -> [Datum; 7] {
    let Some((kind, sequence)) = identity else {
        return [yes_or_no(false), NULL, NULL, NULL, NULL, NULL, yes_or_no(false)];
    };
    let kind = match kind {
        Identity::Always => "ALWAYS",
        Identity::ByDefault => "BY DEFAULT",
    };
    let Some(sequence) = sequence else {
        return [yes_or_no(true), text(kind), NULL, NULL, NULL, NULL, yes_or_no(false)];
    };
    let params = &sequence.params;
    let number = |value: i64| text(value.to_string());
    [
        yes_or_no(true),
        text(kind),
        number(params.start),
        number(params.increment),
        number(params.max),
        number(params.min),
        yes_or_no(params.cycle),
    ]
}

pub(super) fn columns(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in system_tables() {
        for (at, column) in table.columns.iter().enumerate() {
            let row = ColumnRow {
                schema: table.schema,
                table: table.name,
                name: column.name,
                at,
                default: NULL,
                generation: NULL,
                not_null: column.not_null,
                type_id: column.type_id,
                typmod: Typmod::NONE,
                collation: collation_of(column.type_id),
                identity: None,
                is_updatable: false,
            };
            rows.push(row.row(view));
        }
    }
    for table in catalog.tables() {
        let live = |(_, column): &(usize, &Column)| !column.dropped;
        for (at, column) in table.columns.iter().enumerate().filter(live) {
            let default = column.default.as_ref();
            let owned = |sequence: &&Arc<Sequence>| sequence.owned_by == Some((table.oid, at));
            let identity = column.identity.map(|kind| (kind, catalog.sequences().find(owned).cloned()));
            let row = ColumnRow {
                schema: table.schema,
                table: &table.name,
                name: &column.name,
                at,
                default: default.map_or(NULL, |default| text(expression_text(view, table, default, false))),
                generation: column
                    .generated
                    .as_ref()
                    .map_or(NULL, |generated| text(row_expression_text(view, table, generated, false))),
                not_null: column.not_null,
                type_id: column.type_id,
                typmod: column.typmod,
                collation: collation_of_column(column),
                identity,
                is_updatable: true,
            };
            rows.push(row.row(view));
        }
    }
    for found in catalog.views() {
        let (_, updatable) = changes_of_view(view, found);
        for (at, column) in found.columns.iter().enumerate() {
            let row = ColumnRow {
                schema: found.schema,
                table: &found.name,
                name: &column.name,
                at,
                default: NULL,
                generation: NULL,
                not_null: false,
                type_id: column.type_id,
                typmod: column.typmod,
                collation: collation_of(column.type_id),
                identity: None,
                is_updatable: updatable[at],
            };
            rows.push(row.row(view));
        }
    }
    rows
}

pub(super) fn table_constraints(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        let mut add_waiting = |name: &str, kind: &str, nulls_distinct: Datum, deferral: Deferral| {
            let mut row = Vec::from(constraint_name(view, table, name));
            row.extend(table_name(view, table));
            let (may, does) = (deferral != Deferral::Never, deferral == Deferral::Deferred);
            row.extend([text(kind), yes_or_no(may), yes_or_no(does), yes_or_no(true), nulls_distinct]);
            rows.push(row);
        };
        table.foreign_keys.iter().for_each(|key| add_waiting(&key.name, "FOREIGN KEY", NULL, key.deferral));
        for key in keys(table) {
            let (kind, nulls_distinct) =
                if key.primary { ("PRIMARY KEY", NULL) } else { ("UNIQUE", yes_or_no(true)) };
            add_waiting(&key.name, kind, nulls_distinct, key.deferral);
        }
        let mut add = |name: &str, kind: &str| add_waiting(name, kind, NULL, Deferral::Never);
        table.checks.iter().for_each(|check| add(&check.name, "CHECK"));
        not_null(table).for_each(|(name, _)| add(&name, "CHECK"));
    }
    rows
}

pub(super) fn check_constraints(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        let mut add = |name: &str, clause: String| {
            let mut row = Vec::from(constraint_name(view, table, name));
            row.push(text(clause));
            rows.push(row);
        };
        for check in &table.checks {
            // What PostgreSQL shows is the definition without its first word, NOT VALID and all.
            let definition = check_definition(view, table, check, false);
            add(&check.name, definition.trim_start_matches("CHECK ").to_owned());
        }
        not_null(table).for_each(|(name, column)| add(&name, format!("{} IS NOT NULL", column.name)));
    }
    rows
}

/// The index that a foreign key refers to.
fn referred_index(view: &SessionView, key: &ForeignKey) -> Option<Index> {
    let target = view.catalog().table(key.target)?;
    target.indexes.iter().find(|index| index.oid == key.index).cloned()
}

pub(super) fn referential_constraints(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        for key in &table.foreign_keys {
            let mut row = Vec::from(constraint_name(view, table, &key.name));
            let unique = view.catalog().table(key.target).zip(referred_index(view, key));
            match unique.filter(|(_, index)| index.constraint != 0) {
                Some((target, index)) => row.extend(constraint_name(view, target, &index.name)),
                None => row.extend([NULL, NULL, NULL]),
            }
            row.push(text(if key.match_full { "FULL" } else { "NONE" }));
            row.extend([key.on_update, key.on_delete].map(|action| text(referential_words(action))));
            rows.push(row);
        }
    }
    rows
}

pub(super) fn key_column_usage(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        for key in keys(table) {
            for (at, column) in key.columns.iter().enumerate() {
                let mut row = Vec::from(constraint_name(view, table, &key.name));
                row.extend(table_name(view, table));
                let Some(column) = column.column() else { continue };
                row.extend([text(&table.columns[column].name), int4(at + 1), NULL]);
                rows.push(row);
            }
        }
        for key in &table.foreign_keys {
            for (at, &(column, referenced)) in key.columns.iter().enumerate() {
                let index = referred_index(view, key);
                let place = |index: Index| {
                    index.columns.iter().position(|column| column.column() == Some(referenced))
                };
                let mut row = Vec::from(constraint_name(view, table, &key.name));
                row.extend(table_name(view, table));
                row.extend([text(&table.columns[column].name), int4(at + 1)]);
                row.push(index.and_then(place).map_or(NULL, |at| int4(at + 1)));
                rows.push(row);
            }
        }
    }
    rows
}

pub(super) fn constraint_column_usage(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        let mut add = |column: usize, owner: &Table, constraint: &str| {
            let mut row = Vec::from(table_name(view, table));
            row.push(text(&table.columns[column].name));
            row.extend(constraint_name(view, owner, constraint));
            rows.push(row);
        };
        for key in keys(table) {
            key.columns
                .iter()
                .filter_map(|column| column.column())
                .for_each(|column| add(column, table, &key.name));
        }
        // Of a foreign key it is the columns that are referred to.
        for &(other, at) in view.catalog().referring(table.oid) {
            let Some(other) = view.catalog().table(other) else { continue };
            let key = &other.foreign_keys[at];
            key.columns.iter().for_each(|pair| add(pair.1, other, &key.name));
        }
        for check in &table.checks {
            columns_named(&check.expression, table)
                .into_iter()
                .for_each(|column| add(column, table, &check.name));
        }
    }
    rows
}

/// Of keys alone, as the standard's definition has it for them; checks are not among it in PostgreSQL either.
pub(super) fn constraint_table_usage(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        for key in keys(table) {
            let mut row = Vec::from(table_name(view, table));
            row.extend(constraint_name(view, table, &key.name));
            rows.push(row);
        }
    }
    rows
}

/// As PostgreSQL does, without the sequences behind identity columns.
pub(super) fn sequences(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let is_identity = |sequence: &Sequence| {
        let column =
            sequence.owned_by.and_then(|(table, at)| catalog.table(table)?.columns.get(at)?.identity);
        column.is_some()
    };
    let mut rows = Vec::new();
    for sequence in catalog.sequences().filter(|sequence| !is_identity(sequence)) {
        let params = &sequence.params;
        let bits = binary_precision(sequence.type_id).map_or(NULL, |(bits, _)| Datum::Int4(bits));
        rows.push(vec![
            database(view),
            schema(view, sequence.schema),
            text(&sequence.name),
            data_type(sequence.type_id),
            bits,
            Datum::Int4(2),
            Datum::Int4(0),
            text(params.start.to_string()),
            text(params.min.to_string()),
            text(params.max.to_string()),
            text(params.increment.to_string()),
            yes_or_no(params.cycle),
        ]);
    }
    rows
}

/// What the owner may do with a table, which is everything.
const PRIVILEGES: &[&str] = &["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];

pub(super) fn table_privileges(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in catalog.tables() {
        let owner = catalog.role(table.owner).map_or(NULL, |role| text(&role.name));
        for &privilege in PRIVILEGES {
            let mut row = vec![owner.clone(), owner.clone()];
            row.extend(table_name(view, table));
            row.extend([text(privilege), yes_or_no(true), yes_or_no(privilege == "SELECT")]);
            rows.push(row);
        }
    }
    rows
}

pub(super) fn role_table_grants(view: &SessionView) -> Vec<Row> {
    table_privileges(view)
}
