//! What all sessions of one compute process share: the engine and the catalog as it was last published.
//!
//! Owns [`Database`]: the one published version of the catalog with the LSN of the commit that made it, the numbers
//! given to new objects, and the way from a transaction's definitions to the next version. A version is published
//! between its commit's append and the fall of the transaction's relation locks, so whoever gets such a lock finds the
//! version that it protected; it may be shown to clients only once VDL covers its LSN. Never runs a statement (see
//! `session`).

use crate::activity::Activity;
use crate::bind::bind_kept;
use crate::catalog::moved::{Moved, Movements};
use crate::catalog::object::{
    DATABASE_OID, DATABASE_OWNER_OID, DatabaseObject, Object, ObjectClass, Oid, PUBLIC_OID, ROLE_OID, Role,
    Schema, TEMPORARY_PREFIX, Table,
};
use crate::catalog::overlay::ChangeSet;
use crate::catalog::store::{Loader, Write};
use crate::catalog::{Catalog, Changes};
use crate::progress::Progress;
use crate::session::temporary::Emptying;
use crate::spill::{MemorySpill, SpillSpace};
use crate::stop::Step;
use hexalog_engine::{Engine, Isolation, Need, SequenceId, Transaction, TreeId};
use hexalog_protocol::Lsn;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::ENUM_OID_FIRST;
use hexalog_sql_types::{SqlError, SqlState};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Choices of a process that hold for all its sessions.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Whether plans may take the direct routes (point get, point update, index scans). Tests turn it off to
    /// compare both routes.
    pub direct_routes: bool,
    /// Rows after which a statement lets others run. Tests let it wait after every row.
    pub rows_per_yield: u32,
    /// Bytes of keys that an index or a rewritten table has sorted at once; with more, rows are read more than once.
    pub sort_bytes_max: usize,
    /// Where statements put rows that do not fit `work_mem`.
    pub spill: Arc<dyn SpillSpace>,
}

/// About half a millisecond: sessions share a worker's thread, and this is how long one may keep the others waiting.
const ROWS_PER_YIELD: u32 = 1_000;

/// A guess: a million entries of short keys take a third of it.
const SORT_BYTES_MAX: usize = 64 << 20;

impl Default for DatabaseOptions {
    fn default() -> DatabaseOptions {
        DatabaseOptions {
            direct_routes: true,
            rows_per_yield: ROWS_PER_YIELD,
            sort_bytes_max: SORT_BYTES_MAX,
            spill: Arc::new(MemorySpill::default()),
        }
    }
}

/// One version of the catalog and the commit that made it.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub catalog: Arc<Catalog>,
    /// What rests on this version may be told once VDL covers it.
    pub commit_lsn: Lsn,
}

/// The first start's and every start's reading, under way.
#[derive(Default)]
enum Startup {
    #[default]
    Idle,
    /// Boxed, since it outlives its few calls by the life of the process.
    Bootstrap(Box<Bootstrap>),
    /// The first rows are in the log.
    Written(Lsn),
    Load(Box<Loader>),
    Empty(Box<Emptying>),
}

struct Bootstrap {
    transaction: Transaction,
    write: Write,
}

/// A table whose statistics are stale.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DueAnalysis {
    table: Oid,
    /// What analyses it.
    pub statement: String,
}

/// The SQL side of one compute process.
pub struct Database {
    engine: Arc<Engine>,
    options: DatabaseOptions,
    published: RwLock<Published>,
    /// Version of `published`, to be asked without its lock.
    version: AtomicU64,
    /// Held over a defining commit's append and publication, so that versions follow each other as their LSNs do.
    publishing: Mutex<()>,
    /// What has made the latest versions.
    movements: Mutex<Movements>,
    /// The next number for an object.
    next_oid: AtomicU32,
    /// The next number for a type.
    next_type_oid: AtomicU32,
    startup: Mutex<Startup>,
    /// How far long statements of sessions have come.
    pub(crate) progress: Progress,
    /// How much of each table has changed since it was analysed.
    pub(crate) activity: Activity,
    /// N of the schemas `pg_temp_N` that sessions have.
    temporary_numbers: Mutex<BTreeSet<u32>>,
}

impl Database {
    /// Over an engine that has been created or opened; [`Database::load`] comes next.
    pub fn new(engine: Arc<Engine>, options: DatabaseOptions) -> Arc<Database> {
        let catalog = Arc::new(Catalog::empty());
        Arc::new(Database {
            engine,
            options,
            version: AtomicU64::new(catalog.version),
            next_oid: AtomicU32::new(catalog.highest_oid() + 1),
            next_type_oid: AtomicU32::new(catalog.next_type_oid()),
            published: RwLock::new(Published { catalog, commit_lsn: Lsn::ZERO }),
            publishing: Mutex::new(()),
            movements: Mutex::default(),
            startup: Mutex::default(),
            progress: Progress::default(),
            activity: Activity::default(),
            temporary_numbers: Mutex::default(),
        })
    }

    /// First start on a created volume: writes database `postgres`, role `postgres` and schema `public` in one
    /// transaction, and waits until they are durable. Resumable: call again after the need.
    pub fn bootstrap(&self) -> Step<()> {
        let mut startup = self.startup.lock();
        loop {
            match &mut *startup {
                Startup::Idle => {
                    let write = Write::new(&Catalog::empty(), &first_objects());
                    let transaction = self.engine.begin(Isolation::ReadCommitted, false);
                    *startup = Startup::Bootstrap(Box::new(Bootstrap { transaction, write }));
                }
                Startup::Bootstrap(bootstrap) => {
                    bootstrap.write.step(&self.engine, &mut bootstrap.transaction)?;
                    let lsn = self.engine.commit(&mut bootstrap.transaction)?;
                    *startup = Startup::Written(lsn);
                }
                Startup::Written(lsn) => {
                    if self.engine.volume().vdl() < *lsn {
                        return Err(Need::Durable(*lsn).into());
                    }
                    *startup = Startup::Idle;
                    return Ok(());
                }
                Startup::Load(_) | Startup::Empty(_) => {
                    unreachable!("an empty volume is bootstrapped before it is loaded")
                }
            }
        }
    }

    /// Every start: reads the catalog into memory. Resumable: call again after the need.
    pub fn load(&self) -> Step<()> {
        let mut startup = self.startup.lock();
        if let Startup::Idle = *startup {
            *startup = Startup::Load(Box::new(Loader::new(&self.engine)));
        }
        let Startup::Load(loader) = &mut *startup else { unreachable!("bootstrap has come to its end") };
        let catalog = Arc::new(loader.step(&self.engine)?);
        bind_kept(&catalog)?;
        *startup = Startup::Idle;
        self.next_oid.store(catalog.highest_oid() + 1, Ordering::Relaxed);
        self.next_type_oid.store(catalog.next_type_oid(), Ordering::Relaxed);
        self.version.store(catalog.version, Ordering::Release);
        *self.published.write() = Published { catalog, commit_lsn: Lsn::ZERO };
        Ok(())
    }

    /// Every start that may write, once the catalog is loaded: drops temporary objects of sessions that ended with their
    /// process. Resumable: call again after the need.
    pub fn drop_temporary(&self) -> Step<()> {
        let mut startup = self.startup.lock();
        if let Startup::Idle = *startup {
            let Some(emptying) = Emptying::of(self) else { return Ok(()) };
            *startup = Startup::Empty(Box::new(emptying));
        }
        let Startup::Empty(emptying) = &mut *startup else { unreachable!("the catalog is loaded") };
        emptying.step(self)?;
        *startup = Startup::Idle;
        Ok(())
    }

    /// A number that no session has, and no schema that one has left behind.
    pub(crate) fn take_temporary_number(&self) -> u32 {
        let catalog = self.published().catalog;
        let mut taken = self.temporary_numbers.lock();
        let is_free = |number: &u32| {
            !taken.contains(number)
                && catalog.schema_by_name(&format!("{TEMPORARY_PREFIX}{number}")).is_none()
        };
        let number = (1..=u32::MAX).find(is_free).expect("there are fewer sessions than numbers");
        taken.insert(number);
        number
    }

    pub(crate) fn give_temporary_number_back(&self, number: u32) {
        self.temporary_numbers.lock().remove(&number);
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The choices it was made with.
    pub fn options(&self) -> &DatabaseOptions {
        &self.options
    }

    /// Where all objects of the catalog as last published have their data.
    pub fn storage(&self) -> Storage {
        let catalog = self.published().catalog;
        let indexes = |table: &Table| table.indexes.iter().filter_map(|index| index.tree).collect::<Vec<_>>();
        let trees_of = |table: &Arc<Table>| [vec![table.tree], indexes(table)].concat();
        Storage {
            trees: catalog.tables().flat_map(trees_of).collect(),
            sequences: catalog.sequences().map(|sequence| sequence.id).collect(),
        }
    }

    /// The catalog as last published.
    pub(crate) fn published(&self) -> Published {
        self.published.read().clone()
    }

    /// The number of the version last published: cheap to ask before every statement.
    pub(crate) fn catalog_version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What has made the versions behind `from` up to `to`; `None` if that is not remembered.
    pub(crate) fn moved_between(&self, from: u64, to: u64) -> Option<Vec<Arc<Moved>>> {
        self.movements.lock().between(from, to)
    }

    /// A number that no object has or had while this process runs.
    pub(crate) fn allocate_oid(&self) -> Result<Oid, SqlError> {
        let next = |oid: Oid| (oid < ENUM_OID_FIRST).then(|| oid + 1);
        self.next_oid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_err(|_| used_up())
    }

    /// The same for an enum type; the number behind it is its array type's.
    pub(crate) fn allocate_type_oid(&self) -> Result<Oid, SqlError> {
        let next = |oid: Oid| oid.checked_add(2);
        self.next_type_oid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_err(|_| used_up())
    }

    /// Commits a transaction with definitions and publishes them before its locks fall. Resumable.
    pub(crate) fn commit_definitions(&self, transaction: &mut Transaction, changes: &Changes) -> Step<Lsn> {
        assert!(!changes.is_empty(), "an ordinary commit publishes nothing");
        let _in_order = self.publishing.lock();
        Ok(self.engine.commit_then(transaction, |commit_lsn| self.publish(changes, commit_lsn))?)
    }

    /// Swaps the next version in: the changes on top of whatever is current.
    fn publish(&self, changes: &Changes, commit_lsn: Lsn) {
        let mut published = self.published.write();
        assert!(published.commit_lsn < commit_lsn, "versions follow each other as their commits do");
        let changes = stamped(changes, commit_lsn);
        let version = published.catalog.version + 1;
        self.movements.lock().add(version, Moved::of(&published.catalog, &changes));
        let catalog = Arc::new(published.catalog.with_changes(&changes, version, false));
        *published = Published { catalog, commit_lsn };
        self.version.store(version, Ordering::Release);
        for (&(class, oid), change) in &changes {
            match (class, change) {
                (ObjectClass::Table, None) => self.activity.forget(oid),
                (ObjectClass::Statistics, Some(_)) => self.activity.analysed(oid),
                _ => {}
            }
        }
    }

    /// Tables of which so much has changed that their statistics are stale. Whoever asks should analyse each, and say then that
    /// it is over.
    pub fn take_due_analyses(&self, now_us: u64) -> Vec<DueAnalysis> {
        let catalog = self.published().catalog;
        let due = self.activity.take_due(&catalog, now_us);
        let analysis = |table: &Arc<Table>| {
            let schema = quote_identifier(catalog.schema_name(table.schema));
            let statement = format!("ANALYZE (SKIP_LOCKED) {schema}.{}", quote_identifier(&table.name));
            DueAnalysis { table: table.oid, statement }
        };
        due.into_iter().filter_map(|oid| catalog.table(oid)).map(analysis).collect()
    }

    /// The analysis of a table that was due is over, whatever came of it.
    pub fn analysis_is_over(&self, due: &DueAnalysis, now_us: u64) {
        self.activity.is_over(due.table, now_us);
    }

    /// Whether a session waits for a lock of this table.
    pub fn is_table_waited_for(&self, due: &DueAnalysis) -> bool {
        self.engine().is_relation_waited_for(due.table)
    }
}

fn used_up() -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "the volume has used up its object numbers")
}

/// The changes with the commit's LSN in indexes and rows that it brought: older snapshots must not use them.
fn stamped(changes: &Changes, commit_lsn: Lsn) -> Changes {
    let mut changes = changes.clone();
    for change in changes.values_mut() {
        if let Some(Object::Enum(object)) = change
            && object.labels.iter().any(|label| label.is_new)
        {
            Arc::make_mut(object).labels.iter_mut().for_each(|label| label.is_new = false);
        }
        if let Some(Object::Table(table)) = change
            && (table.rows_from == Lsn::MAX || table.indexes.iter().any(|index| index.valid_from == Lsn::MAX))
        {
            let table: &mut Table = Arc::make_mut(table);
            if table.rows_from == Lsn::MAX {
                table.rows_from = commit_lsn;
            }
            for index in table.indexes.iter_mut().filter(|index| index.valid_from == Lsn::MAX) {
                index.valid_from = commit_lsn;
            }
        }
    }
    changes
}

/// Where the objects of the catalog have their data: what a structure check walks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Storage {
    /// The trees of all tables and secondary indexes; the catalog's own is the engine's to name.
    pub trees: Vec<TreeId>,
    /// The pages of all sequences.
    pub sequences: Vec<SequenceId>,
}

/// What a new cluster holds.
fn first_objects() -> Changes {
    let mut first = ChangeSet::default();
    let role = Role { oid: ROLE_OID, name: "postgres".to_owned() };
    first.put(Object::Role(Arc::new(role)));
    let database = DatabaseObject { oid: DATABASE_OID, name: "postgres".to_owned(), owner: ROLE_OID };
    first.put(Object::Database(Arc::new(database)));
    let schema = Schema { oid: PUBLIC_OID, name: "public".to_owned(), owner: DATABASE_OWNER_OID };
    first.put(Object::Schema(Arc::new(schema)));
    first.into_changes()
}
