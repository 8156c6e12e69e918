//! Golden bytes of every class of object, the way back, and damage: no bytes make the decoder panic.

use super::*;
use crate::catalog::object::DatabaseObject;
use crate::catalog::statistics::{ColumnStatistics, Statistics};
use hexalog_sql_types::Numeric;
use hexalog_sql_types::datetime::Timestamp;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn column(name: &str, type_id: TypeId, typmod: i32) -> Column {
    Column {
        name: name.to_owned(),
        type_id,
        typmod: Typmod(typmod),
        not_null: false,
        dropped: false,
        default: None,
        identity: None,
        generated: None,
        missing: Datum::Null,
        collation: 0,
    }
}

fn index(oid: Oid, name: &str, tree: Option<u64>, columns: &[Column], of: Vec<IndexColumn>) -> Index {
    Index {
        oid,
        name: name.to_owned(),
        tree: tree.map(|page| TreeId(PageId(page))),
        key: Index::key_columns(&of, columns),
        reads: Index::columns_read(&of, None),
        columns: of,
        included: Vec::new(),
        predicate: None,
        unique: tree.is_none(),
        primary: tree.is_none(),
        deferral: Deferral::Never,
        constraint: if tree.is_none() { oid + 1 } else { 0 },
        parameters: Vec::new(),
        state: IndexState::Valid,
        valid_from: Lsn(77),
        built_at: Lsn(7),
    }
}

fn expression(text: &str, type_id: TypeId, column: usize) -> Arc<RowExpression> {
    Arc::new(RowExpression::stored(text.to_owned(), type_id, Typmod(-1), vec![column]))
}

fn table() -> Table {
    let mut columns = vec![
        column("id", TypeId::INT8, -1),
        column("c", TypeId::BPCHAR, 14),
        column("n", TypeId::NUMERIC, -1),
        column("gone", TypeId::TIMESTAMP, -1),
    ];
    columns[0].not_null = true;
    columns[0].identity = Some(Identity::ByDefault);
    columns[1].collation = 950;
    columns[1].default = Some("''::bpchar".to_owned());
    columns[2].generated = Some(expression("(id)::numeric", TypeId::NUMERIC, 0));
    columns[2].missing = Datum::Numeric(Numeric::parse("1.50").expect("a number"));
    columns[3].dropped = true;
    columns[3].missing = Datum::Timestamp(Timestamp(1));
    let one = |column, descending| IndexColumn {
        part: KeyPart::Column(column),
        descending,
        nulls_first: descending,
        class: if descending { 4217 } else { 0 },
        collation: if descending { 950 } else { 0 },
    };
    let lower =
        IndexColumn { part: KeyPart::Expression(expression("lower(c)", TypeId::TEXT, 1)), ..one(0, false) };
    let indexes = vec![
        index(16_386, "t_pkey", None, &columns, vec![one(0, false)]),
        index(16_388, "t_c_idx", Some(9), &columns, vec![one(1, true), one(0, false)]),
        Index {
            state: IndexState::Building,
            deferral: Deferral::Deferred,
            included: vec![2],
            reads: Arc::new([1, 2]),
            predicate: Some(expression("(n > 0)", TypeId::BOOL, 2)),
            ..index(16_395, "t_lower_idx", Some(10), &columns, vec![lower])
        },
    ];
    Table {
        oid: 16_385,
        name: "t".to_owned(),
        schema: 2_200,
        owner: 10,
        rows_from: hexalog_protocol::Lsn::ZERO,
        layout: Table::layout_of(&columns),
        columns,
        tree: TreeId(PageId(300)),
        checks: vec![Check {
            oid: 16_390,
            name: "t_n_check".to_owned(),
            expression: "(n > 0)".to_owned(),
            validated: false,
        }],
        foreign_keys: vec![ForeignKey {
            oid: 16_391,
            name: "t_fkey".to_owned(),
            columns: vec![(0, 1)],
            target: 16_393,
            index: 16_394,
            match_full: false,
            on_delete: ReferentialAction::Cascade,
            on_update: ReferentialAction::SetDefault,
            deferral: Deferral::Deferred,
            validated: true,
        }],
        indexes,
        parameters: vec![
            StorageParameter { name: "fillfactor".to_owned(), value: Some("90".to_owned()) },
            StorageParameter { name: "x".to_owned(), value: None },
        ],
    }
}

fn sequence() -> Sequence {
    Sequence {
        oid: 16_391,
        name: "t_id_seq".to_owned(),
        schema: 2_200,
        owner: 10,
        id: SequenceId(PageId(12)),
        type_id: TypeId::INT4,
        params: SequenceParams { start: 1, increment: -1, min: -5, max: 5, cycle: true },
        cache: 2,
        owned_by: Some((16_385, 3)),
    }
}

fn objects() -> Vec<Object> {
    let name = "postgres".to_owned();
    vec![
        Object::Database(Arc::new(DatabaseObject {
            connection_limit: -1,
            is_template: true,
            settings: vec![("work_mem".to_owned(), "64".to_owned())],
            ..DatabaseObject::new(5, &name, 10)
        })),
        Object::Role(Arc::new(Role { oid: 10, name })),
        Object::Schema(Arc::new(Schema { oid: 2_200, name: "é".to_owned(), owner: 10 })),
        Object::Table(Arc::new(table())),
        Object::Sequence(Arc::new(sequence())),
        Object::View(Arc::new(view())),
        Object::Comments(Arc::new(Comments {
            oid: 16_385,
            texts: vec![(1259, 0, "t".to_owned()), (1259, 2, "é".to_owned())],
        })),
        Object::Enum(Arc::new(EnumType {
            oid: 1_073_741_824,
            name: "e".to_owned(),
            schema: 2_200,
            owner: 10,
            labels: vec![label(16_402, -5, "é", false), label(16_403, 1 << 40, "", true)],
        })),
        Object::Statistics(Arc::new(statistics())),
    ]
}

fn label(oid: Oid, key: i64, label: &str, is_new: bool) -> EnumLabel {
    EnumLabel { oid, key, label: label.into(), is_new }
}

fn statistics() -> Statistics {
    let number = ColumnStatistics {
        column: 0,
        type_id: TypeId::INT4,
        null_fraction: 0.25,
        width: 4,
        distinct: -0.5,
        common: vec![(Datum::Int4(7), 0.125)],
        bounds: vec![Datum::Int4(1), Datum::Int4(-2)],
        correlation: Some(-1.0),
    };
    let text = ColumnStatistics {
        column: 2,
        type_id: TypeId::TEXT,
        null_fraction: 1.0,
        width: 0,
        distinct: 3.0,
        common: vec![(Datum::text("é"), 0.5)],
        bounds: Vec::new(),
        correlation: None,
    };
    Statistics { table: 16_385, rows: Some(1_000), bytes: 70_000, columns: vec![number, text] }
}

fn view() -> View {
    View {
        oid: 16_400,
        name: "v".to_owned(),
        schema: 2_200,
        owner: 10,
        rule: 16_401,
        columns: vec![ViewColumn { name: "a".to_owned(), type_id: TypeId::INT4, typmod: Typmod(-1) }],
        text: "SELECT t.a FROM t".to_owned(),
        names: vec![ViewName {
            parts: vec!["t".to_owned()],
            relation: 16_385,
            columns: vec![(0, "a".to_owned())],
        }],
        used: vec![(16_385, 0)],
        keys: vec![16_385],
        check_option: CheckOption::Cascaded,
    }
}

#[test]
fn golden_bytes_of_every_class() {
    let golden = [
        // Version, name, owner, connection limit, allows connections, is a template, settings.
        concat!(
            "0208000000706f7374677265730a000000",
            "ffffffff",
            "01",
            "01",
            "0100000008000000776f726b5f6d656d020000003634",
        ),
        "0108000000706f737467726573",
        "0102000000c3a90a000000",
        concat!(
            "0a0100000074",
            "98080000",
            "0a000000",
            "2c01000000000000",
            "04000000",
            // id: type, modifier, not null, dropped, default, identity, generated, missing, collation.
            "020000006964",
            "14000000",
            "ffffffff",
            "01",
            "00",
            "00",
            "02",
            "00",
            "00",
            "00000000",
            "0100000063",
            "12040000",
            "0e000000",
            "00",
            "00",
            "010a00000027273a3a627063686172",
            "00",
            "00",
            "00",
            "b6030000",
            "010000006e",
            "a4060000",
            "ffffffff",
            "00",
            "00",
            "00",
            "00",
            "010d000000286964293a3a6e756d65726963",
            "a4060000",
            "ffffffff",
            "0100000000000000",
            "010900000000020000000100",
            "8813",
            "00000000",
            "04000000676f6e65",
            "5a040000",
            "ffffffff",
            "00",
            "01",
            "00",
            "00",
            "00",
            "01080000000100000000000000",
            "00000000",
            // The check.
            "01000000",
            "06400000",
            "09000000745f6e5f636865636b",
            "07000000286e203e203029",
            "00",
            // The indexes: oid, name, tree, columns (each a column or an expression), unique, constraint, parameters,
            // included columns, predicate, state, whether it is the primary key's, when it is checked.
            "03000000",
            "02400000",
            "06000000745f706b6579",
            "00",
            "01000000",
            "000000000000000000000000000000",
            "01",
            "03400000",
            "00000000",
            "00000000",
            "00",
            "00",
            "0100",
            "04400000",
            "07000000745f635f696478",
            "010900000000000000",
            "02000000",
            "0001000000010179100000b6030000",
            "000000000000000000000000000000",
            "00",
            "00000000",
            "00000000",
            "00000000",
            "00",
            "00",
            "0000",
            "0b400000",
            "0b000000745f6c6f7765725f696478",
            "010a00000000000000",
            "01000000",
            "01080000006c6f776572286329",
            "19000000",
            "ffffffff",
            "0100000001000000",
            "00000000000000000000",
            "00",
            "00000000",
            "00000000",
            "0100000002000000",
            "0107000000286e203e203029",
            "10000000",
            "ffffffff",
            "0100000002000000",
            "01",
            "0002",
            // The table's parameters.
            "02000000",
            "0a00000066696c6c666163746f72",
            "01020000003930",
            "0100000078",
            "00",
            // Foreign keys: oid, name, pairs of columns, table, index, full match, actions.
            "01000000",
            "07400000",
            "06000000745f666b6579",
            "01000000",
            "0000000001000000",
            "09400000",
            "0a400000",
            "00",
            "0204",
            // And when the check is due, and whether all rows comply.
            "0201",
        ),
        concat!(
            "0108000000745f69645f736571",
            "98080000",
            "0a000000",
            "0c00000000000000",
            "17000000",
            "0100000000000000",
            "ffffffffffffffff",
            "fbffffffffffffff",
            "0500000000000000",
            "0200000000000000",
            "01",
            "01",
            "01400000",
            "03000000",
        ),
        concat!(
            "020100000076",
            "98080000",
            "0a000000",
            "11400000",
            // Columns: name, type, modifier.
            "01000000",
            "0100000061",
            "17000000",
            "ffffffff",
            "1100000053454c45435420742e612046524f4d2074",
            // Names: parts, relation, its columns.
            "01000000",
            "01000000",
            "0100000074",
            "01400000",
            "01000000",
            "00000000",
            "0100000061",
            // Columns that are read, tables whose key is.
            "01000000",
            "01400000",
            "00000000",
            "01000000",
            "01400000",
            // CHECK OPTION.
            "02",
        ),
        // Catalog, column, text.
        concat!("0102000000", "eb040000", "00000000", "0100000074", "eb040000", "02000000", "02000000c3a9"),
        concat!(
            // Version, name, schema, owner.
            "010100000065",
            "98080000",
            "0a000000",
            // Number, key and label of each value.
            "02000000",
            "12400000",
            "fbffffffffffffff",
            "02000000c3a9",
            "13400000",
            "0000000000010000",
            "00000000",
        ),
        concat!(
            // Version, rows, bytes.
            "01",
            "01e803000000000000",
            "7011010000000000",
            "02000000",
            // Column, type, part of NULLs, width, different values.
            "00000000",
            "17000000",
            "0000803e",
            "04000000",
            "000000bf",
            // Common values with their parts, bounds, correlation.
            "01000000",
            "04000000070000000000003e",
            "02000000",
            "0400000001000000",
            "04000000feffffff",
            "01000080bf",
            // The other column.
            "02000000",
            "19000000",
            "0000803f",
            "00000000",
            "00004040",
            "01000000",
            "02000000c3a90000003f",
            "00000000",
            "00",
        ),
    ];
    for (object, golden) in objects().iter().zip(golden) {
        assert_eq!(hex(&encode(object)), golden, "{:?}", object.class());
    }
}

#[test]
fn objects_come_back_as_they_were_but_for_what_is_not_stored() {
    for object in objects() {
        let bytes = encode(&object);
        let decoded = decode(object.class(), object.oid(), &bytes).expect("its own bytes");
        assert_eq!(encode(&decoded), bytes);
        let Object::Table(decoded) = decoded else { continue };
        assert!(decoded.indexes.iter().all(|index| index.valid_from == Lsn::ZERO));
        assert!(decoded.indexes.iter().all(|index| index.built_at == Lsn::ZERO));
        assert_eq!(decoded.indexes[1].key[0].id, TypeId::BPCHAR);
        assert_eq!(decoded.layout.types().len(), 4);
        assert_eq!(decoded.primary_key().map(|index| index.oid), Some(16_386));
    }
}

#[test]
fn indexes_of_format_5_are_whole() {
    let mut table = table();
    table.indexes.truncate(1);
    table.indexes[0].state = IndexState::Dead;
    // Of format 7 and before, checks say nothing of whether they are validated.
    (table.parameters, table.foreign_keys, table.checks) = (Vec::new(), Vec::new(), Vec::new());
    let columns = table.columns.clone();
    let mut bytes = encode(&Object::Table(Arc::new(table)));
    let table = |bytes: &[u8]| match decode(ObjectClass::Table, 16_385, bytes).expect("an older format") {
        Object::Table(decoded) => decoded,
        other => panic!("{other:?}"),
    };
    // Of format 9 and before, columns have no collation.
    for column in &columns {
        let mut writer = Writer { bytes: Vec::new() };
        writer.column(column);
        let length = writer.bytes.len();
        let at = bytes.windows(length).position(|window| window == writer.bytes).expect("it has the column");
        bytes.drain(at + length - 4..at + length);
    }
    bytes[0] = 9;
    assert!(table(&bytes).columns.iter().all(|column| column.collation == 0));
    // Of format 8 and before, columns of indexes have no collation; what follows the only one is 25 bytes.
    assert_eq!(bytes.drain(bytes.len() - 29..bytes.len() - 25).as_slice(), [0; 4]);
    bytes[0] = 8;
    assert_eq!(table(&bytes).indexes[0].columns[0].collation, 0);
    // Whether it is primary and when it is checked stand before the counts of parameters and foreign keys, the state before them.
    assert_eq!(bytes.drain(bytes.len() - 10..bytes.len() - 8).as_slice(), [1, 0]);
    bytes[0] = 6;
    assert_eq!(table(&bytes).indexes[0].state, IndexState::Dead);
    assert!(table(&bytes).indexes[0].primary);
    assert_eq!(bytes.remove(bytes.len() - 9), 2);
    bytes[0] = 5;
    assert_eq!(table(&bytes).indexes[0].state, IndexState::Valid);
}

#[test]
fn keys_sort_by_database_class_oid_and_chunk() {
    let key = object_key(5, ObjectClass::Table, 16_385, 2);
    assert_eq!(hex(&key), "0000000504000040010002");
    assert_eq!(decode_key(&key).expect("a key"), Some((5, ObjectClass::Table, 16_385, 2)));
    for (class, golden) in
        [(ObjectClass::Table, "00000005400000089874"), (ObjectClass::Enum, "00000005410000089874")]
    {
        let name = name_key(5, class, 2_200, "t");
        assert_eq!(hex(&name), golden);
        assert_eq!(decode_key(&name).expect("a key"), None);
    }
    assert!(object_key(5, ObjectClass::Table, 2, 9) < object_key(5, ObjectClass::Table, 16_385, 0));
    for bad in [&b""[..], b"\0\0\0\x05\x0a", &key[..10], &[&key[..], b"x"].concat()] {
        assert!(decode_key(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let state = SqlState::DATA_CORRUPTED;
    for object in objects() {
        let (class, oid, bytes) = (object.class(), object.oid(), encode(&object));
        for end in 0..bytes.len() {
            let error = decode(class, oid, &bytes[..end]).expect_err("cut short");
            assert_eq!(error.sqlstate(), state, "{class:?} cut at {end}");
        }
        assert!(decode(class, oid, &[&bytes[..], b"\0"].concat()).is_err(), "{class:?} with a byte more");
        // Every value of every byte: most decode to something else, none may panic or ask for much memory.
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            for value in 0..=u8::MAX {
                damaged[at] = value;
                if let Ok(decoded) = decode(class, oid, &damaged) {
                    let again = encode(&decoded);
                    assert!(decode(class, oid, &again).is_ok(), "{class:?}: what was read can be written");
                }
            }
        }
    }
}

#[test]
fn noise_never_panics() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = vec![0u8; 300];
    for _ in 0..20_000 {
        for byte in &mut bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Small numbers are likelier to be taken for lengths.
            *byte = if state & 0x300 == 0 { (state >> 16) as u8 } else { (state >> 16) as u8 & 3 };
        }
        bytes[0] = 1 + u8::try_from(state & 1).expect("a bit");
        for class in [
            ObjectClass::Database,
            ObjectClass::Role,
            ObjectClass::Schema,
            ObjectClass::Table,
            ObjectClass::Sequence,
            ObjectClass::View,
            ObjectClass::Comments,
        ] {
            let _ = decode(class, 1, &bytes);
        }
    }
}

#[test]
fn databases_of_format_1_have_names_and_owners() {
    let bytes = b"\x01\x08\0\0\0postgres\x0a\0\0\0";
    let Object::Database(decoded) = decode(ObjectClass::Database, 5, bytes).expect("an older format") else {
        panic!("a database was asked for");
    };
    assert_eq!(*decoded, DatabaseObject::new(5, "postgres", 10));
    assert!(decode(ObjectClass::Database, 5, &bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn views_of_format_1_have_no_check_option() {
    let mut bytes = encode(&Object::View(Arc::new(view())));
    bytes.pop();
    bytes[0] = 1;
    let Ok(Object::View(decoded)) = decode(ObjectClass::View, 16_400, &bytes) else { panic!("was one") };
    assert_eq!(*decoded, View { check_option: CheckOption::None, ..view() });
}

#[test]
fn a_newer_version_is_told_as_such() {
    let error = decode(ObjectClass::Role, 10, b"\x02\0\0\0\0").expect_err("version 2");
    assert_eq!(error.message(), "the catalog was written by a newer program");
}
