//! Catalog changes written and loaded again over a volume in memory: commits, rollbacks, crashes, taken names.

use super::*;
use crate::catalog::object::{Column, Comments, DatabaseObject, PUBLIC_OID, Schema, Table};
use crate::catalog::overlay::ChangeSet;
use hexalog_engine::memory_volume::MemoryVolume;
use hexalog_engine::{Need, Options, TreeId};
use hexalog_protocol::PageId;
use hexalog_protocol::geometry::Geometry;
use hexalog_sql_types::{Datum, TypeId, Typmod};
use std::sync::Arc;

struct Node {
    volume: Arc<MemoryVolume>,
    engine: Arc<Engine>,
}

const OPTIONS: Options = Options { frames: 64, undo_streams: 4, snapshots: 16 };

impl Node {
    fn create() -> Node {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 16 });
        let engine = Arc::new(Engine::new(volume.clone(), OPTIONS));
        volume.run(&engine, || engine.create()).expect("creates");
        let node = Node { volume, engine };
        let mut transaction = node.begin();
        node.write(&mut transaction, &Catalog::empty(DATABASE_OID), database(DATABASE_OID)).expect("writes");
        node.commit(transaction);
        node
    }

    fn crash(self) -> Node {
        let volume = self.volume.crash_and_reopen();
        let engine = Arc::new(Engine::new(volume.clone(), OPTIONS));
        volume.run(&engine, || engine.open()).expect("opens");
        Node { volume, engine }
    }

    fn run<T>(&self, mut step: impl FnMut() -> Step<T>) -> Result<T, SqlError> {
        loop {
            match step() {
                Ok(answer) => return Ok(answer),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Need(need)) => assert!(self.volume.satisfy(&self.engine, &need), "{need:?}"),
            }
        }
    }

    fn begin(&self) -> Transaction {
        self.engine.begin(Isolation::ReadCommitted, false)
    }

    fn write(
        &self,
        transaction: &mut Transaction,
        before: &Catalog,
        changes: ChangeSet,
    ) -> Result<Catalog, SqlError> {
        let changes = changes.into_changes();
        let mut write = Write::new(before, &changes);
        self.run(|| write.step(&self.engine, transaction))?;
        Ok(before.with_changes(&changes, before.version + 1, false))
    }

    fn commit(&self, mut transaction: Transaction) {
        let lsn = self.run(|| Ok(self.engine.commit(&mut transaction)?)).expect("commits");
        assert!(self.volume.satisfy(&self.engine, &Need::Durable(lsn)));
    }

    fn abort(&self, mut transaction: Transaction) {
        self.run(|| Ok(self.engine.abort(&mut transaction)?)).expect("aborts");
    }

    /// The catalog of the first database.
    fn load(&self) -> Catalog {
        self.load_all().remove(0)
    }

    fn load_all(&self) -> Vec<Catalog> {
        let mut loader = Loader::new(&self.engine);
        self.run(|| loader.step(&self.engine)).expect("loads")
    }
}

fn table(oid: Oid, name: &str, columns: usize) -> Table {
    let column = |at: usize| Column {
        name: format!("column_with_a_long_name_{at}"),
        type_id: TypeId::INT4,
        typmod: Typmod::NONE,
        not_null: false,
        dropped: false,
        default: Some(format!("{at}")),
        identity: None,
        generated: None,
        missing: Datum::Null,
        collation: 0,
    };
    let columns: Vec<Column> = (0..columns).map(column).collect();
    Table {
        oid,
        name: name.to_owned(),
        schema: PUBLIC_OID,
        owner: 10,
        rows_from: hexalog_protocol::Lsn::ZERO,
        layout: Table::layout_of(&columns),
        columns,
        tree: TreeId(PageId(99)),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        parameters: Vec::new(),
    }
}

/// What is stored from the start: the one database.
fn first() -> Catalog {
    Catalog::empty(DATABASE_OID).with_changes(&database(DATABASE_OID).into_changes(), 1, false)
}

fn database(oid: Oid) -> ChangeSet {
    let mut changes = ChangeSet::default();
    changes.put(Object::Database(Arc::new(DatabaseObject::new(oid, &format!("d{oid}"), 10))));
    changes
}

fn put(tables: &[Table]) -> ChangeSet {
    let mut changes = ChangeSet::default();
    for table in tables {
        changes.put(Object::Table(Arc::new(table.clone())));
    }
    changes
}

fn names(catalog: &Catalog) -> Vec<(String, usize)> {
    catalog.tables().map(|table| (table.name.clone(), table.columns.len())).collect()
}

#[test]
fn what_is_committed_is_loaded_after_a_crash() {
    let node = Node::create();
    let mut transaction = node.begin();
    let mut changes = put(&[table(20_000, "wide", 400), table(20_001, "narrow", 1)]);
    changes.put(Object::Schema(Arc::new(Schema { oid: 20_002, name: "s".to_owned(), owner: 10 })));
    let catalog = node.write(&mut transaction, &first(), changes).expect("writes");
    node.commit(transaction);
    let node = node.crash();
    let loaded = node.load();
    assert_eq!(names(&loaded), names(&catalog));
    assert_eq!(names(&loaded), [("wide".to_owned(), 400), ("narrow".to_owned(), 1)]);
    assert!(loaded.schema_by_name("s").is_some());
    assert!(loaded.relation_in(PUBLIC_OID, "narrow").is_some());
    assert_eq!(loaded.highest_oid(), 20_002);
}

#[test]
fn objects_shrink_change_their_names_and_fall() {
    let node = Node::create();
    let mut transaction = node.begin();
    let catalog = node.write(&mut transaction, &first(), put(&[table(20_000, "a", 400)])).expect("writes");
    // In the same transaction: fewer chunks, another name, and a new table under the old one.
    let changes = put(&[table(20_000, "b", 1), table(20_001, "a", 2)]);
    let catalog = node.write(&mut transaction, &catalog, changes).expect("writes");
    node.commit(transaction);
    assert_eq!(names(&node.load()), [("b".to_owned(), 1), ("a".to_owned(), 2)]);
    let mut transaction = node.begin();
    let mut changes = ChangeSet::default();
    changes.remove(ObjectClass::Table, 20_000);
    node.write(&mut transaction, &catalog, changes).expect("writes");
    node.commit(transaction);
    let node = node.crash();
    assert_eq!(names(&node.load()), [("a".to_owned(), 2)]);
}

#[test]
fn a_rollback_leaves_nothing() {
    let node = Node::create();
    let mut transaction = node.begin();
    node.write(&mut transaction, &first(), put(&[table(20_000, "a", 400)])).expect("writes");
    node.abort(transaction);
    assert_eq!(names(&node.load()), []);
    // The name is free again, also while the rollback's rows are still being undone.
    let mut transaction = node.begin();
    node.write(&mut transaction, &first(), put(&[table(20_001, "a", 1)])).expect("writes");
    node.commit(transaction);
    assert_eq!(names(&node.crash().load()), [("a".to_owned(), 1)]);
}

#[test]
fn a_name_is_given_once() {
    let node = Node::create();
    let mut transaction = node.begin();
    node.write(&mut transaction, &first(), put(&[table(20_000, "a", 1)])).expect("writes");
    node.commit(transaction);
    // One who has not heard of it yet.
    let mut transaction = node.begin();
    let error = node.write(&mut transaction, &first(), put(&[table(20_001, "a", 1)])).expect_err("taken");
    assert_eq!(error.to_string(), "ERROR 42P07: relation \"a\" already exists");
    node.abort(transaction);
}

/// A volume that was written when there was one database, and could be no other.
#[test]
fn a_volume_of_one_database_goes_on() {
    let volume = MemoryVolume::new(Geometry { pages_per_group: 64, groups: 16 });
    let engine = Arc::new(Engine::new(volume.clone(), OPTIONS));
    volume.run(&engine, || engine.create()).expect("creates");
    let node = Node { volume, engine };
    let mut transaction = node.begin();
    node.run(|| Ok(node.engine.begin_statement(&mut transaction)?)).expect("begins");
    let rows: [(Oid, ObjectClass, Oid, &[u8]); 3] = [
        (0, ObjectClass::Database, 5, b"\x01\x08\0\0\0postgres\x0a\0\0\0"),
        (0, ObjectClass::Role, 10, b"\x01\x08\0\0\0postgres"),
        (5, ObjectClass::Schema, 2_200, b"\x01\x06\0\0\0public\x1b\x18\0\0"),
    ];
    for (database, class, oid, body) in rows {
        let key = codec::object_key(database, class, oid, 0);
        let (tree, row) = (node.engine.catalog_tree(), RowRef::new(1, body));
        node.run(|| Ok(node.engine.insert(&mut transaction, tree, &key, row)?)).expect("inserts");
    }
    node.commit(transaction);
    let old = node.load();
    assert_eq!((old.database_name(), old.is_as_new()), ("postgres", true));
    // The first one is altered, and gets a name row; another comes.
    let mut transaction = node.begin();
    let altered = DatabaseObject { connection_limit: 3, ..DatabaseObject::new(DATABASE_OID, "first", 10) };
    let mut changes = database(20_000);
    changes.put(Object::Database(Arc::new(altered)));
    node.write(&mut transaction, &old, changes).expect("writes");
    node.commit(transaction);
    let all = node.crash().load_all();
    let databases: Vec<_> = all[0].databases().map(|database| &*database.name).collect();
    assert_eq!(databases, ["template1", "template0", "first", "d20000"]);
    assert_eq!(all[0].database(DATABASE_OID).map(|database| database.connection_limit), Some(3));
    assert_eq!(all.len(), 2);
}

#[test]
fn each_database_has_objects_of_its_own() {
    let node = Node::create();
    let mut transaction = node.begin();
    let before = node.write(&mut transaction, &first(), database(20_000)).expect("writes");
    let other = before.of_new_database(20_000);
    node.write(&mut transaction, &before, put(&[table(20_002, "t", 1)])).expect("writes");
    node.write(&mut transaction, &other, put(&[table(20_003, "t", 2), table(20_004, "u", 1)]))
        .expect("writes");
    // As it stood when there was one database.
    let mut comments = Comments::of(20_000);
    comments.set(crate::catalog::object::classes::PG_DATABASE, 0, "other");
    let mut changes = ChangeSet::default();
    changes.put(Object::Comments(Arc::new(comments)));
    node.write(&mut transaction, &before, changes).expect("writes");
    node.commit(transaction);
    let node = node.crash();
    let all = node.load_all();
    assert_eq!(all.iter().map(|catalog| catalog.database).collect::<Vec<_>>(), [DATABASE_OID, 20_000]);
    assert_eq!(names(&all[0]), [("t".to_owned(), 1)]);
    assert_eq!(names(&all[1]), [("t".to_owned(), 2), ("u".to_owned(), 1)]);
    for catalog in &all {
        assert_eq!(catalog.comments(20_000).map(|kept| kept.texts.len()), Some(1));
        assert_eq!(catalog.highest_oid().max(20_001), catalog.highest_oid());
    }
    // What is left when its database is gone is damage.
    let mut transaction = node.begin();
    let mut changes = ChangeSet::default();
    changes.remove(ObjectClass::Database, 20_000);
    node.write(&mut transaction, &all[0], changes).expect("writes");
    node.commit(transaction);
    let mut loader = Loader::new(&node.engine);
    let error = node.run(|| loader.step(&node.engine)).expect_err("damaged");
    assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED);
}

#[test]
fn changes_go_through_in_a_repeatable_read_transaction_with_an_old_snapshot() {
    let node = Node::create();
    let mut old = node.engine.begin(Isolation::RepeatableRead, false);
    node.run(|| Ok(node.engine.begin_statement(&mut old)?)).expect("begins");
    let mut transaction = node.begin();
    let catalog = node.write(&mut transaction, &first(), put(&[table(20_000, "a", 1)])).expect("writes");
    node.commit(transaction);
    node.write(&mut old, &catalog, put(&[table(20_000, "a", 3)])).expect("writes over the newest version");
    node.commit(old);
    assert_eq!(names(&node.load()), [("a".to_owned(), 3)]);
}

#[test]
fn damaged_rows_stop_the_load() {
    for (key, body) in [
        (codec::object_key(DATABASE_OID, ObjectClass::Table, 20_000, 0), b"\x01".as_slice()),
        (codec::object_key(DATABASE_OID, ObjectClass::Table, 20_000, 1), b"\x01\0\0\0\0".as_slice()),
        (b"\0\0\0\x05\x3f".to_vec(), b"".as_slice()),
    ] {
        let node = Node::create();
        let mut transaction = node.begin();
        let row = RowRef::new(1, body);
        let tree = node.engine.catalog_tree();
        node.run(|| Ok(node.engine.begin_statement(&mut transaction)?)).expect("begins");
        node.run(|| Ok(node.engine.insert(&mut transaction, tree, &key, row)?)).expect("inserts");
        node.commit(transaction);
        let mut loader = Loader::new(&node.engine);
        let error = node.run(|| loader.step(&node.engine)).expect_err("damaged");
        assert_eq!(error.sqlstate(), SqlState::DATA_CORRUPTED);
    }
}
