//! What all sessions of one compute process share: the engine and the catalogs as they were last published.
//!
//! Owns [`Database`]: the published catalog of each database that SQL knows, the numbers
//! given to new objects, and the way from a transaction's definitions to the next version. A version is published
//! between its commit's append and the fall of the transaction's relation locks, so whoever gets such a lock finds the
//! version that it protected; it may be shown to clients only once VDL covers its LSN. Never runs a statement (see
//! `session`).

use crate::activity::Activity;
use crate::bind::bind_kept;
use crate::catalog::object::{
    DATABASE_OID, DatabaseObject, Object, ObjectClass, Oid, ROLE_OID, Role, TEMPORARY_PREFIX, Table,
};
use crate::catalog::published::PublishedCatalog;
use crate::catalog::store::{Loader, Write};
use crate::catalog::{Catalog, Changes, first_schemas};
use crate::connections::Connections;
use crate::progress::Progress;
use crate::relation_statistics::{RelationStatistics, TableChanged};
use crate::session::SharedStatements;
use crate::session::temporary::Emptying;
use crate::sessions::Sessions;
use crate::spill::{MemorySpill, SpillSpace};
use crate::statement_statistics::{STATEMENTS_MAX, StatementStatistics};
use crate::stop::Step;
use hexalog_engine::{
    AdvisoryLocks, Engine, Isolation, Need, Preparation, PreparedTransaction, SequenceId, Transaction,
    TreeId, TxId,
};
use hexalog_protocol::Lsn;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::types::ENUM_OID_FIRST;
use hexalog_sql_types::{SqlError, SqlState};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
    /// Transactions that may be prepared at once: `max_prepared_transactions`.
    pub prepared_max: u32,
}

/// About half a millisecond: sessions share a worker's thread, and this is how long one may keep the others waiting.
const ROWS_PER_YIELD: u32 = 1_000;

/// A guess: a million entries of short keys take a third of it.
const SORT_BYTES_MAX: usize = 64 << 20;

/// Transactions that may be prepared at once unless the process is told otherwise. PostgreSQL's default is none; why ours is not:
/// `docs/decisions/0156-sixty-four-prepared-transactions.md`.
pub const PREPARED_MAX: u32 = 64;

impl Default for DatabaseOptions {
    fn default() -> DatabaseOptions {
        DatabaseOptions {
            direct_routes: true,
            rows_per_yield: ROWS_PER_YIELD,
            sort_bytes_max: SORT_BYTES_MAX,
            spill: Arc::new(MemorySpill::default()),
            prepared_max: PREPARED_MAX,
        }
    }
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
    database: Oid,
    /// Where it is.
    pub database_name: String,
    /// What analyses it.
    pub statement: String,
}

/// The SQL side of one compute process, with all its databases.
pub struct Database {
    engine: Arc<Engine>,
    options: DatabaseOptions,
    /// By database.
    catalogs: RwLock<BTreeMap<Oid, Arc<PublishedCatalog>>>,
    /// Held over a defining commit's append and publication, so that versions follow each other as their LSNs do.
    publishing: Mutex<()>,
    /// The next number for an object.
    next_oid: AtomicU32,
    /// The next number for a type.
    next_type_oid: AtomicU32,
    startup: Mutex<Startup>,
    /// How far long statements of sessions have come.
    pub(crate) progress: Progress,
    /// How much of each table has changed since it was analysed.
    pub(crate) activity: Activity,
    /// What has been read of tables and indexes, and changed.
    pub(crate) relations: Arc<RelationStatistics>,
    /// How often statements of each shape have run.
    pub(crate) statements: StatementStatistics,
    /// What several sessions have prepared alike.
    pub(crate) shared: SharedStatements,
    /// What each session is doing.
    pub(crate) sessions: Sessions,
    /// Who is connected to which database.
    pub(crate) connections: Connections,
    /// N of the schemas `pg_temp_N` that sessions have.
    temporary_numbers: Mutex<BTreeSet<u32>>,
    /// What transactions have changed that this process has seen prepared.
    prepared: Mutex<BTreeMap<TxId, Vec<(Oid, TableChanged)>>>,
}

impl Database {
    /// Over an engine that has been created or opened; [`Database::load`] comes next.
    pub fn new(engine: Arc<Engine>, options: DatabaseOptions) -> Arc<Database> {
        Arc::new(Database {
            engine,
            options,
            next_oid: AtomicU32::new(0),
            next_type_oid: AtomicU32::new(0),
            catalogs: RwLock::default(),
            publishing: Mutex::new(()),
            startup: Mutex::default(),
            progress: Progress::default(),
            activity: Activity::default(),
            relations: Arc::default(),
            statements: StatementStatistics::new(STATEMENTS_MAX),
            shared: SharedStatements::default(),
            sessions: Sessions::default(),
            connections: Connections::default(),
            temporary_numbers: Mutex::default(),
            prepared: Mutex::default(),
        })
    }

    /// First start on a created volume: writes database `postgres`, role `postgres` and schema `public` in one
    /// transaction, and waits until they are durable. Resumable: call again after the need.
    pub fn bootstrap(&self) -> Step<()> {
        let mut startup = self.startup.lock();
        loop {
            match &mut *startup {
                Startup::Idle => {
                    let write = Write::new(&Catalog::empty(DATABASE_OID), &first_objects());
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

    /// Every start: reads the catalogs into memory. Resumable: call again after the need.
    pub fn load(&self) -> Step<()> {
        let mut startup = self.startup.lock();
        if let Startup::Idle = *startup {
            *startup = Startup::Load(Box::new(Loader::new(&self.engine)));
        }
        let Startup::Load(loader) = &mut *startup else { unreachable!("bootstrap has come to its end") };
        let loaded = loader.step(&self.engine)?;
        *startup = Startup::Idle;
        let highest = loaded.iter().map(Catalog::highest_oid).max().ok_or_else(no_database)?;
        let next_type = loaded.iter().map(Catalog::next_type_oid).max().ok_or_else(no_database)?;
        self.next_oid.store(highest + 1, Ordering::Relaxed);
        self.next_type_oid.store(next_type, Ordering::Relaxed);
        let mut catalogs = BTreeMap::new();
        for catalog in loaded {
            let (database, published) = (catalog.database, PublishedCatalog::new(catalog, Lsn::ZERO));
            bind_kept(&published)?;
            catalogs.insert(database, published);
        }
        *self.catalogs.write() = catalogs;
        Ok(())
    }

    /// Every start that may write, once the catalog is loaded: drops temporary objects of sessions that ended with their
    /// process. Resumable: call again after the need.
    pub fn drop_temporary(&self) -> Step<()> {
        let mut startup = self.startup.lock();
        loop {
            if let Startup::Idle = *startup {
                let Some(emptying) = self.catalogs().iter().find_map(|one| Emptying::of(self, one)) else {
                    return Ok(());
                };
                *startup = Startup::Empty(Box::new(emptying));
            }
            let Startup::Empty(emptying) = &mut *startup else { unreachable!("the catalogs are loaded") };
            emptying.step(self)?;
            *startup = Startup::Idle;
        }
    }

    /// A number that no session has, and no schema that one has left behind.
    pub(crate) fn take_temporary_number(&self) -> u32 {
        let catalogs = self.newest_catalogs();
        let mut taken = self.temporary_numbers.lock();
        let is_free = |number: &u32| {
            let name = format!("{TEMPORARY_PREFIX}{number}");
            !taken.contains(number) && catalogs.iter().all(|catalog| catalog.schema_by_name(&name).is_none())
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

    /// Where all objects of the catalogs as last published have their data, as far as it lies in the volume.
    pub fn storage(&self) -> Storage {
        let catalogs = self.newest_catalogs();
        Storage {
            trees: catalogs
                .iter()
                .flat_map(|catalog| catalog.tables())
                .flat_map(|table| table.trees())
                .filter(|tree| tree.temporary_number().is_none())
                .collect(),
            sequences: catalogs
                .iter()
                .flat_map(|catalog| catalog.sequences())
                .map(|sequence| sequence.id)
                .filter(|sequence| sequence.temporary_number().is_none())
                .collect(),
        }
    }

    /// The catalog of a database, if there is one.
    pub(crate) fn catalog_of(&self, database: Oid) -> Option<Arc<PublishedCatalog>> {
        self.catalogs.read().get(&database).cloned()
    }

    /// The catalog of any database, for what is shared; `None` before they are loaded.
    pub(crate) fn any_catalog(&self) -> Option<Arc<Catalog>> {
        self.catalogs.read().values().next().map(|published| published.newest().catalog)
    }

    fn catalogs(&self) -> Vec<Arc<PublishedCatalog>> {
        self.catalogs.read().values().cloned().collect()
    }

    fn newest_catalogs(&self) -> Vec<Arc<Catalog>> {
        self.catalogs.read().values().map(|published| published.newest().catalog).collect()
    }

    /// A number that no object has or had while this process runs.
    pub(crate) fn allocate_oid(&self) -> Result<Oid, SqlError> {
        let next = |oid: Oid| (oid < ENUM_OID_FIRST).then(|| oid + 1);
        self.next_oid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_err(|_| used_up())
    }

    /// The same for a database; the number behind it is its own, too.
    pub(crate) fn allocate_database_oid(&self) -> Result<Oid, SqlError> {
        let next = |oid: Oid| (oid < ENUM_OID_FIRST - 1).then(|| oid + 2);
        self.next_oid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_err(|_| used_up())
    }

    /// The same for an enum type; the number behind it is its array type's.
    pub(crate) fn allocate_type_oid(&self) -> Result<Oid, SqlError> {
        let next = |oid: Oid| oid.checked_add(2);
        self.next_type_oid.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_err(|_| used_up())
    }

    /// Commits a transaction with definitions in a database and publishes them before its locks fall. Resumable.
    pub(crate) fn commit_definitions(
        &self,
        transaction: &mut Transaction,
        home: &PublishedCatalog,
        changes: &Changes,
    ) -> Step<Lsn> {
        assert!(!changes.is_empty(), "an ordinary commit publishes nothing");
        let _in_order = self.publishing.lock();
        Ok(self.engine.commit_then(transaction, |commit_lsn| self.publish(home, changes, commit_lsn))?)
    }

    /// Prepares a transaction. What it has `changed` counts at its end.
    pub(crate) fn prepare(
        &self,
        transaction: &mut Transaction,
        advisory: &mut AdvisoryLocks,
        preparation: &Preparation,
        changed: &mut Vec<(Oid, TableChanged)>,
    ) -> hexalog_engine::Step<Lsn> {
        // Held over the engine's call: whoever ends it finds what it has changed.
        let mut prepared = self.prepared.lock();
        let maximum = self.options.prepared_max as usize;
        let (tx_id, lsn) = self.engine.prepare(transaction, advisory, preparation, maximum)?;
        prepared.insert(tx_id, std::mem::take(changed));
        Ok(lsn)
    }

    /// Ends a prepared transaction.
    pub(crate) fn end_prepared(
        &self,
        which: &PreparedTransaction,
        commits: bool,
    ) -> hexalog_engine::Step<Lsn> {
        let lsn = match commits {
            true => self.engine.commit_prepared(which)?,
            false => self.engine.rollback_prepared(which)?,
        };
        let changed = self.prepared.lock().remove(&which.tx_id).unwrap_or_default();
        self.count_changed(&changed, commits);
        Ok(lsn)
    }

    /// A transaction has ended that had changed tables.
    pub(crate) fn count_changed(&self, changed: &[(Oid, TableChanged)], has_committed: bool) {
        if has_committed {
            self.relations.committed(changed);
            self.activity.add(changed.iter().map(|(table, changed)| (*table, changed.rows.count())));
        } else {
            self.relations.rolled_back(changed);
        }
    }

    fn publish(&self, home: &PublishedCatalog, changes: &Changes, commit_lsn: Lsn) {
        let changes = stamped(changes, commit_lsn);
        home.publish(&changes, commit_lsn);
        self.share(&home.newest().catalog, &changes, commit_lsn);
        for (&(class, oid), change) in &changes {
            match (class, change) {
                (ObjectClass::Table, None) => {
                    self.activity.forget(oid);
                    self.relations.forget(oid);
                }
                (ObjectClass::Table, Some(Object::Table(table))) => self.relations.redefined(table),
                (ObjectClass::Statistics, Some(_)) => self.activity.analysed(oid),
                _ => {}
            }
        }
    }

    /// What a database's new version has brought to all others; databases come and go with it.
    fn share(&self, home: &Catalog, changes: &Changes, commit_lsn: Lsn) {
        // Comments fall with what they are about.
        let falls = |oid: Oid| {
            [ObjectClass::Database, ObjectClass::Role].map(|class| changes.contains_key(&(class, oid)))
        };
        let is_shared = |class, oid| home.is_shared(class, oid) || falls(oid).contains(&true);
        let shared = changes.iter().filter(|((class, oid), _)| is_shared(*class, *oid));
        let shared: Changes = shared.map(|(key, change)| (*key, change.clone())).collect();
        if shared.is_empty() {
            return;
        }
        let mut catalogs = self.catalogs.write();
        for other in catalogs.values().filter(|other| other.newest().catalog.database != home.database) {
            other.publish(&shared, commit_lsn);
        }
        for (&(_, oid), change) in shared.iter().filter(|((class, _), _)| *class == ObjectClass::Database) {
            if change.is_some() {
                let first = || PublishedCatalog::new(home.of_new_database(oid), commit_lsn);
                catalogs.entry(oid).or_insert_with(first);
            } else if let Some(fallen) = catalogs.remove(&oid) {
                self.sessions.forget(oid);
                fallen.newest().catalog.tables().for_each(|table| {
                    self.activity.forget(table.oid);
                    self.relations.forget(table.oid);
                });
            }
        }
    }

    /// Tables of which so much has changed that their statistics are stale. Whoever asks should analyse each, and say then that
    /// it is over.
    pub fn take_due_analyses(&self, now_us: u64) -> Vec<DueAnalysis> {
        let catalogs = self.newest_catalogs();
        self.relations.sweep(|oid| catalogs.iter().any(|catalog| catalog.table(oid).is_some()));
        let due = self.activity.take_due(&catalogs, now_us);
        let analysis = |(catalog, table): (Arc<Catalog>, Arc<Table>)| {
            let schema = quote_identifier(catalog.schema_name(table.schema));
            let statement = format!("ANALYZE (SKIP_LOCKED) {schema}.{}", quote_identifier(&table.name));
            let database_name = catalog.database_name().to_owned();
            DueAnalysis { table: table.oid, database: catalog.database, database_name, statement }
        };
        due.into_iter().map(analysis).collect()
    }

    /// The analysis of a table that was due is over, whatever came of it.
    pub fn analysis_is_over(&self, due: &DueAnalysis, now_us: u64) {
        self.activity.is_over(due.table, now_us);
    }

    /// Whether a session waits for a lock of this table, or wants its database to itself.
    pub fn is_in_the_way(&self, due: &DueAnalysis) -> bool {
        self.engine().is_relation_waited_for(due.table) || self.connections.is_reserved(due.database)
    }
}

fn no_database() -> SqlError {
    SqlError::new(SqlState::DATA_CORRUPTED, "the catalog has no database")
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
    let role = Role { oid: ROLE_OID, name: "postgres".to_owned() };
    let database = DatabaseObject::new(DATABASE_OID, "postgres", ROLE_OID);
    let mut first = first_schemas();
    first.insert((ObjectClass::Role, role.oid), Some(Object::Role(Arc::new(role))));
    first.insert((ObjectClass::Database, database.oid), Some(Object::Database(Arc::new(database))));
    first
}
