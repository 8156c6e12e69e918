//! Every system table gives rows as it declares them, over a catalog that has one of everything.

use super::super::object::*;
use super::super::overlay::ChangeSet;
use super::super::published::PublishedCatalog;
use super::super::{Catalog, Relation, registry};
use super::*;
use crate::parse::tree::{Deferral, ReferentialAction, StorageParameter};
use crate::session::Settings;
use hexalog_engine::{SequenceId, SequenceParams, TreeId};
use hexalog_protocol::{Lsn, PageId};
use hexalog_sql_types::{Datum, Typmod};
use std::sync::Arc;

const TABLE: Oid = 16_400;
const PRIMARY_KEY: Oid = 16_401;
const INDEX: Oid = 16_402;
const SEQUENCE: Oid = 16_403;

fn column(name: &str, type_id: TypeId, typmod: Typmod) -> Column {
    Column {
        name: name.to_owned(),
        type_id,
        typmod,
        not_null: false,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        missing: Datum::Null,
        collation: 0,
    }
}

fn index(oid: Oid, name: &str, tree: Option<TreeId>, columns: Vec<IndexColumn>, table: &[Column]) -> Index {
    Index {
        oid,
        name: name.to_owned(),
        unique: tree.is_none(),
        primary: tree.is_none(),
        deferral: Deferral::Never,
        constraint: if tree.is_none() { oid + 100 } else { 0 },
        tree,
        parameters: vec![StorageParameter { name: "fillfactor".to_owned(), value: Some("80".to_owned()) }],
        state: IndexState::Valid,
        valid_from: Lsn::ZERO,
        built_at: Lsn::ZERO,
        key: Index::key_columns(&columns, table),
        reads: Index::columns_read(&columns, None),
        columns,
        included: Vec::new(),
        predicate: None,
    }
}

fn table() -> Table {
    let mut columns = vec![
        column("id", TypeId::INT4, Typmod::NONE),
        column("gone", TypeId::INT8, Typmod::NONE),
        column("Name", TypeId::VARCHAR, Typmod(44)),
        column("amount", TypeId::NUMERIC, Typmod(((10 << 16) | 2) + 4)),
        column("at", TypeId::TIMESTAMPTZ, Typmod::NONE),
        column("tags", TypeId::TEXT_ARRAY, Typmod::NONE),
    ];
    columns[0].not_null = true;
    columns[0].default = Some("nextval('public.thing_id_seq'::regclass)".to_owned());
    columns[1].dropped = true;
    columns[3].missing = Datum::Int4(0);
    let ascending = |column| IndexColumn {
        part: KeyPart::Column(column),
        descending: false,
        nulls_first: false,
        class: 0,
        collation: 0,
    };
    let descending = |column| IndexColumn {
        part: KeyPart::Column(column),
        descending: true,
        nulls_first: true,
        class: 0,
        collation: 0,
    };
    let tree = |page| TreeId(PageId(page));
    Table {
        oid: TABLE,
        name: "thing".to_owned(),
        schema: PUBLIC_OID,
        owner: ROLE_OID,
        tree: tree(9),
        checks: vec![Check {
            oid: 16_405,
            name: "thing_check".to_owned(),
            expression: "(\"Name\" <> 'id'::text)".to_owned(),
            validated: true,
        }],
        foreign_keys: vec![ForeignKey {
            oid: 16_406,
            name: "thing_fkey".to_owned(),
            columns: vec![(0, 0)],
            target: TABLE,
            index: PRIMARY_KEY,
            match_full: true,
            on_delete: ReferentialAction::Cascade,
            on_update: ReferentialAction::SetNull,
            deferral: Deferral::Never,
            validated: true,
        }],
        indexes: vec![
            index(PRIMARY_KEY, "thing_pkey", None, vec![ascending(0)], &columns),
            index(INDEX, "Thing Index", Some(tree(10)), vec![descending(2), ascending(3)], &columns),
        ],
        parameters: Vec::new(),
        rows_from: hexalog_protocol::Lsn::ZERO,
        layout: Table::layout_of(&columns),
        columns,
    }
}

fn user_view() -> View {
    View {
        oid: 16_407,
        name: "seen".to_owned(),
        schema: PUBLIC_OID,
        owner: ROLE_OID,
        rule: 16_408,
        columns: vec![ViewColumn { name: "one".to_owned(), type_id: TypeId::INT4, typmod: Typmod::NONE }],
        text: "SELECT 1 AS one FROM thing".to_owned(),
        names: vec![ViewName { parts: vec!["thing".to_owned()], relation: TABLE, columns: Vec::new() }],
        used: Vec::new(),
        keys: Vec::new(),
        check_option: Default::default(),
    }
}

fn view() -> SessionView {
    let mut changes = ChangeSet::default();
    changes.put(Object::Role(Arc::new(Role { oid: ROLE_OID, name: "postgres".to_owned() })));
    let database = DatabaseObject::new(DATABASE_OID, "postgres", ROLE_OID);
    changes.put(Object::Database(Arc::new(database)));
    let schema = Schema { oid: PUBLIC_OID, name: "public".to_owned(), owner: ROLE_OID };
    changes.put(Object::Schema(Arc::new(schema)));
    changes.put(Object::Table(Arc::new(table())));
    changes.put(Object::View(Arc::new(user_view())));
    let sequence = Sequence {
        oid: SEQUENCE,
        name: "thing_id_seq".to_owned(),
        schema: PUBLIC_OID,
        owner: ROLE_OID,
        id: SequenceId(PageId(11)),
        type_id: TypeId::INT4,
        params: SequenceParams { start: 1, increment: 1, min: 1, max: i64::from(i32::MAX), cycle: false },
        cache: 1,
        owned_by: Some((TABLE, 0)),
    };
    changes.put(Object::Sequence(Arc::new(sequence)));
    let catalog = Catalog::empty(DATABASE_OID).with_changes(&changes.into_changes(), 1, false);
    SessionView::new(
        "postgres",
        "postgres",
        7,
        Settings::new("postgres", true),
        PublishedCatalog::new(catalog, Lsn::ZERO),
    )
}

/// Whether a value is one of a type.
fn fits(id: TypeId, value: &Datum) -> bool {
    match value {
        Datum::Null => true,
        Datum::Bool(_) => id == TypeId::BOOL,
        Datum::Char(_) => id == TypeId::CHAR,
        Datum::Int2(_) => id == TypeId::INT2,
        Datum::Int4(_) => id == TypeId::INT4,
        Datum::Int8(_) => id == TypeId::INT8,
        Datum::Oid(_) => id.is_oid_like(),
        Datum::Float4(_) => id == TypeId::FLOAT4,
        Datum::Float8(_) => id == TypeId::FLOAT8,
        Datum::Interval(_) => id == TypeId::INTERVAL,
        Datum::Text(_) => id.is_text_like(),
        Datum::Array(array) => id == TypeId::ANYARRAY || id.array_element() == Some(array.element),
        _ => false,
    }
}

#[test]
fn rows_are_as_declared() {
    let view = view();
    for table in tables() {
        for row in (table.rows)(&view) {
            assert_eq!(row.len(), table.columns.len(), "{}", table.name);
            for (column, value) in table.columns.iter().zip(&row) {
                let place = format!("{}.{}", table.name, column.name);
                assert!(fits(column.type_id, value), "{place}: {value:?} is no {:?}", column.type_id);
                assert!(!(column.not_null && value.is_null()), "{place} is NULL");
            }
        }
    }
}

#[test]
fn tables_are_found_by_name() {
    for pair in tables().windows(2) {
        assert!((pair[0].schema, pair[0].name) < (pair[1].schema, pair[1].name), "{}", pair[1].name);
    }
    for table in tables() {
        assert_eq!(by_name(table.schema, table.name).map(|found| found.oid), Some(table.oid));
    }
    assert!(by_name(PG_CATALOG_OID, "thing").is_none());
}

/// The one row of a table where a column has a value.
fn row_of(view: &SessionView, table: &str, column: &str, value: &str) -> Vec<(&'static str, String)> {
    let table = by_name(PG_CATALOG_OID, table).unwrap();
    let printed = |value: &Datum| match value {
        Datum::Text(text) => text.to_string(),
        Datum::Array(array) => format!("{:?}", array.values),
        Datum::Oid(oid) => oid.to_string(),
        Datum::Char(byte) => char::from(*byte).to_string(),
        Datum::Bool(value) => value.to_string(),
        other => other.as_i64().map_or_else(|| format!("{other:?}"), |number| number.to_string()),
    };
    let rows = (table.rows)(view);
    let named = |row: &Row| -> Vec<(&'static str, String)> {
        table.columns.iter().map(|column| column.name).zip(row.iter().map(printed)).collect()
    };
    let mut found = rows.iter().map(named).filter(|row| row.contains(&(column, value.to_owned())));
    let row = found.next().unwrap_or_else(|| panic!("no {column} {value} in {}", table.name));
    assert!(found.next().is_none(), "several {column} {value} in {}", table.name);
    row
}

#[test]
fn catalogs_say_what_postgresql_would() {
    let view = view();
    for (table, key, expected) in [
        ("pg_class", ("relname", "thing"), ("relkind", "r")),
        ("pg_class", ("relname", "thing"), ("relchecks", "1")),
        ("pg_class", ("relname", "thing_id_seq"), ("relkind", "S")),
        ("pg_class", ("relname", "pg_views"), ("relkind", "v")),
        ("pg_class", ("relname", "pg_database"), ("relisshared", "true")),
        ("pg_index", ("indexrelid", "16402"), ("indkey", "[Int2(3), Int2(4)]")),
        ("pg_index", ("indexrelid", "16402"), ("indoption", "[Int2(3), Int2(0)]")),
        ("pg_index", ("indexrelid", "16402"), ("indclass", "[Oid(3126), Oid(3125)]")),
        ("pg_index", ("indexrelid", "16401"), ("indisprimary", "true")),
        ("pg_constraint", ("conname", "thing_pkey"), ("contype", "p")),
        ("pg_constraint", ("conname", "thing_pkey"), ("conindid", "16401")),
        ("pg_constraint", ("conname", "thing_check"), ("conkey", "[Int2(3)]")),
        ("pg_depend", ("objid", "16403"), ("refobjsubid", "1")),
        ("pg_type", ("typname", "_int4"), ("typelem", "23")),
        ("pg_type", ("typname", "text"), ("typinput", "46")),
        ("pg_attribute", ("attname", "........pg.dropped.2........"), ("atttypid", "0")),
        (
            "pg_indexes",
            ("indexname", "Thing Index"),
            (
                "indexdef",
                "CREATE INDEX \"Thing Index\" ON public.thing USING btree (\"Name\" DESC, amount) WITH \
                 (fillfactor='80')",
            ),
        ),
    ] {
        let row = row_of(&view, table, key.0, key.1);
        assert!(row.contains(&(expected.0, expected.1.to_owned())), "{table} {key:?}: {row:?}");
    }
}

#[test]
fn registry_values_of_a_session() {
    let view = view();
    for (id, text, oid, printed) in [
        (TypeId::REGCLASS, "thing", TABLE, "thing"),
        (TypeId::REGCLASS, "public.THING", TABLE, "thing"),
        (TypeId::REGCLASS, "\"Thing Index\"", INDEX, "\"Thing Index\""),
        (TypeId::REGCLASS, "postgres.pg_catalog.pg_class", 1259, "pg_class"),
        (TypeId::REGCLASS, "information_schema.tables", 13_425, "information_schema.tables"),
        (TypeId::REGPROC, "array_in", 750, "array_in"),
        (TypeId::REGPROC, "version", 89, "version"),
        (TypeId::REGNAMESPACE, "public", PUBLIC_OID, "public"),
        (TypeId::REGROLE, "postgres", ROLE_OID, "postgres"),
    ] {
        assert_eq!(registry::registry_oid(&view, id, text).unwrap(), oid, "{text}");
        assert_eq!(registry::registry_name(&view, id, oid).as_deref(), Some(printed), "{text}");
    }
    assert_eq!(registry::registry_name(&view, TypeId::REGPROC, 1396).as_deref(), Some("pg_catalog.abs"));
    assert_eq!(registry::registry_name(&view, TypeId::REGCLASS, 1).as_deref(), None);
    let relation = Relation::System(by_name(PG_CATALOG_OID, "pg_class").unwrap());
    assert_eq!(registry::qualified_name(&view, &relation), "pg_catalog.pg_class");
    for (id, text, error) in [
        (TypeId::REGCLASS, "nope", "ERROR 42P01: relation \"nope\" does not exist"),
        (TypeId::REGCLASS, "public.nope", "ERROR 42P01: relation \"public.nope\" does not exist"),
        (TypeId::REGCLASS, "nope.thing", "ERROR 3F000: schema \"nope\" does not exist"),
        (TypeId::REGCLASS, "a.b.c", "ERROR 0A000: cross-database references are not implemented: \"a.b.c\""),
        (TypeId::REGPROC, "abs", "ERROR 42725: more than one function named \"abs\""),
        (TypeId::REGPROC, "nope", "ERROR 42883: function \"nope\" does not exist"),
        (TypeId::REGPROCEDURE, "abs", "ERROR 22P02: expected a left parenthesis"),
        (TypeId::REGNAMESPACE, "nope", "ERROR 3F000: schema \"nope\" does not exist"),
        (TypeId::REGNAMESPACE, "a.b", "ERROR 42602: invalid name syntax"),
        (TypeId::REGROLE, "nope", "ERROR 42704: role \"nope\" does not exist"),
    ] {
        assert_eq!(registry::registry_oid(&view, id, text).unwrap_err().to_string(), error);
    }
}
