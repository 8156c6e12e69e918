//! CREATE INDEX, DROP INDEX and REINDEX CONCURRENTLY: several transactions, between which rows are read and changed as ever.
//!
//! An index comes in three steps. It is made known as one that is kept by whoever writes, and used by nobody. All
//! transactions are waited for that may write without knowing of it. Then every row that is there is given its entry, some
//! hundred in a transaction, each under a lock of the row, so that an entry is of a version that stays until it is there.
//! The last transaction makes the index known as one to be used, by snapshots from its commit on.
//!
//! It goes in the opposite order: it is used by nobody, then kept by nobody, and dropped once nobody can have a plan that
//! says otherwise. An index is built anew in both orders: a copy comes, and once it is full the two exchange their trees; the
//! old tree goes with the copy.
//!
//! All this while a transaction of its own ([`Guard`]) keeps other definitions off the table. Whatever
//! breaks off leaves an index that is not used, as in PostgreSQL, to be dropped.

use super::define::Defining;
use super::transaction::{Scope, Status};
use crate::answer::CommandTag;
use crate::catalog::Relation;
use crate::catalog::object::{Index, IndexState, Oid, Table};
use crate::environment::LOOK_US;
use crate::execute::{Entered, Row, decode_row, has_entry, index_key, insert_entry, shown_key};
use crate::parse::tree::{CreateIndex, Name, ObjectKind, Statement};
use crate::progress::{Report, Task};
use crate::stop::{Step, Stop};
use hexalog_engine::{
    Cursor, Direction, Engine, Isolation, LockEntry, LockWait, LockedObject, Need, RelationLockMode,
    RowBuffer, RowLockMode, RowLockOutcome, Transaction,
};
use hexalog_protocol::Lsn;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, key};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// Rows that get their entries in one transaction: a guess at some milliseconds, for as long writers of these rows wait.
const BATCH_ROWS: usize = 500;

/// Transactions beside the session's own, which outlast it.
pub(super) struct Guard {
    /// Holds the table against other definitions. It takes no snapshot, so it holds back no purge.
    lock: Transaction,
    /// Gives rows their entries.
    work: Option<Transaction>,
}

enum Phase {
    Lock,
    /// The next definition is run and committed.
    Define(Box<Defining>),
    Commit,
    /// Until these transactions have ended.
    Wait(BTreeSet<u64>),
    /// Until all that they committed is durable, so that a snapshot has it.
    Durable(Lsn),
    Fill(Box<Filling>),
}

/// What is being done.
enum Work {
    Create(Box<CreateIndex>),
    Drop {
        names: Vec<Name>,
        cascade: bool,
    },
    /// Of the index of this oid.
    Rebuild {
        of: Oid,
    },
}

/// One such statement under way.
pub(super) struct Concurrent {
    work: Work,
    /// What is defined first.
    statement: Statement,
    phase: Phase,
    /// The table is held. Otherwise the statement is one that is refused, or does nothing, and it is run as without
    /// CONCURRENTLY.
    is_guarded: bool,
    /// How many definitions have been committed.
    defined: u8,
    table: Oid,
    /// The new index or the copy once it is known, or the one that goes; 0 for none.
    index: Oid,
    /// Of an index that comes, or is built anew.
    report: Option<Report>,
}

impl Concurrent {
    /// Whether a statement is one of these.
    pub(super) fn is(statement: &Statement) -> bool {
        match statement {
            Statement::CreateIndex(create) => create.concurrently,
            Statement::Drop { concurrently, .. } => *concurrently,
            _ => false,
        }
    }

    pub(super) fn new(statement: &Statement) -> Concurrent {
        let mut statement = statement.clone();
        let work = match &mut statement {
            Statement::CreateIndex(create) => {
                create.concurrently = false;
                Work::Create(Box::new(create.clone()))
            }
            Statement::Drop { names, concurrently, cascade, .. } => {
                *concurrently = false;
                Work::Drop { names: names.clone(), cascade: *cascade }
            }
            _ => unreachable!("asked by `is`"),
        };
        Concurrent::of(work, statement)
    }

    /// Builds an index anew, unless it has gone meanwhile. The caller has seen that no block is open.
    pub(super) fn rebuild(table: Oid, index: Oid) -> Concurrent {
        Concurrent::of(Work::Rebuild { of: index }, Statement::CopyIndex { table, index })
    }

    fn of(work: Work, statement: Statement) -> Concurrent {
        let (phase, is_guarded) = (Phase::Lock, false);
        Concurrent { work, statement, phase, is_guarded, defined: 0, table: 0, index: 0, report: None }
    }

    fn verb(&self) -> &'static str {
        match self.work {
            Work::Create(_) => "CREATE INDEX",
            Work::Drop { .. } => "DROP INDEX",
            Work::Rebuild { .. } => "REINDEX",
        }
    }

    /// Goes on; call again after a need.
    pub(super) fn step(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        loop {
            match &mut self.phase {
                Phase::Lock => {
                    self.lock(scope)?;
                    if matches!(self.work, Work::Rebuild { .. }) && !self.is_guarded {
                        return Ok(CommandTag::plain(self.verb()));
                    }
                    let first = self.statement.clone();
                    self.define(first, scope);
                }
                Phase::Define(defining) => {
                    // REINDEX is allowed where only reading is: it changes no data.
                    let is_allowed = matches!(self.work, Work::Rebuild { .. }) && scope.is_read_only();
                    if is_allowed {
                        scope.restore_read_only(false);
                    }
                    let result = defining.step(scope);
                    if is_allowed {
                        scope.restore_read_only(true);
                    }
                    result?;
                    self.note_index(scope);
                    self.phase = Phase::Commit;
                }
                Phase::Commit => {
                    scope.commit_part()?;
                    self.defined += 1;
                    match self.after_definition(scope) {
                        Some(next) => self.phase = next,
                        None => {
                            scope.end_guard()?;
                            return Ok(CommandTag::plain(self.verb()));
                        }
                    }
                }
                Phase::Wait(holders) => {
                    let phase = match self.defined {
                        2 => "waiting for readers before marking dead",
                        3 => "waiting for readers before dropping",
                        _ => "waiting for writers before build",
                    };
                    let report = self.report.as_ref().map(|report| (report, phase));
                    wait(scope, self.table, holders, report)?;
                    self.phase = Phase::Durable(scope.engine().appended());
                }
                Phase::Durable(lsn) => {
                    if scope.engine().volume().vdl() < *lsn {
                        return Err(Need::Durable(*lsn).into());
                    }
                    match self.after_wait(scope) {
                        Some(statement) => self.define(statement, scope),
                        None => self.phase = Phase::Fill(Box::default()),
                    }
                }
                Phase::Fill(filling) => {
                    filling.step(scope, self.table, self.index, self.report.as_ref())?;
                    let (table, index) = (self.table, self.index);
                    let statement = match self.work {
                        Work::Rebuild { of } => Statement::SwapIndex { table, index: of, copy: index },
                        _ => Statement::SetIndexState { table, index, state: IndexState::Valid },
                    };
                    self.define(statement, scope);
                }
            }
        }
    }

    fn define(&mut self, statement: Statement, scope: &mut Scope) {
        scope.begin_implicit(Status::Started);
        self.phase = Phase::Define(Box::new(Defining::new(statement)));
    }

    /// Takes the lock that lasts, if the statement will go on under it.
    fn lock(&mut self, scope: &mut Scope) -> Step<()> {
        if !matches!(self.work, Work::Rebuild { .. }) {
            scope.check_outside_block(&format!("{} CONCURRENTLY", self.verb()))?;
            scope.check_may_write(self.verb())?;
        }
        self.check_form()?;
        loop {
            scope.refresh_durable()?;
            let Some((table, index)) = self.target(scope) else { return scope.end_guard() };
            if self.table != table {
                scope.end_guard()?;
            }
            (self.table, self.index) = (table, index);
            scope.lock_guard(table)?;
            if scope.is_current() {
                break;
            }
        }
        self.is_guarded = true;
        let task = match self.work {
            Work::Create(_) => Some(Task::MakeIndex("CREATE INDEX CONCURRENTLY")),
            Work::Rebuild { .. } => Some(Task::MakeIndex("REINDEX CONCURRENTLY")),
            Work::Drop { .. } => None,
        };
        let progress = &scope.database.progress;
        self.report = task.map(|task| progress.begin(scope.view.process_id, self.table, task));
        match (&mut self.statement, &self.work) {
            (_, Work::Rebuild { .. }) => {}
            (Statement::CreateIndex(create), _) => create.concurrently = true,
            (statement, _) => {
                let (table, index, state) = (self.table, self.index, IndexState::Building);
                *statement = Statement::SetIndexState { table, index, state };
            }
        }
        Ok(())
    }

    /// PostgreSQL's own 0A000.
    fn check_form(&self) -> Result<()> {
        let Work::Drop { names, cascade } = &self.work else { return Ok(()) };
        let what = match (names.len(), cascade) {
            (1, false) => return Ok(()),
            (1, true) => "CASCADE",
            _ => "dropping multiple objects",
        };
        let message = format!("DROP INDEX CONCURRENTLY does not support {what}");
        Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
    }

    /// The table and the index that it is about; `None` where there is neither, or something needs the index, or nobody else has
    /// to do with a temporary table.
    fn target(&self, scope: &Scope) -> Option<(Oid, Oid)> {
        let catalog = scope.view.catalog();
        let found = match &self.work {
            Work::Create(create) => match scope.view.find_relation(&create.table) {
                Ok(Relation::Table(table)) => Some((table.oid, 0)),
                _ => None,
            },
            Work::Rebuild { of } => match catalog.relation(*of) {
                Some(Relation::Index(table, at)) if !table.indexes[at].is_clustered() => {
                    Some((table.oid, self.index))
                }
                _ => None,
            },
            Work::Drop { names, .. } => {
                let Ok(Relation::Index(table, at)) = scope.view.find_relation(&names[0]) else { return None };
                let index = &table.indexes[at];
                let is_referred_to = |(other, at): &(Oid, usize)| {
                    catalog.table(*other).is_some_and(|other| other.foreign_keys[*at].index == index.oid)
                };
                let is_needed =
                    index.constraint != 0 || catalog.referring(table.oid).iter().any(is_referred_to);
                (!is_needed).then_some((table.oid, index.oid))
            }
        };
        let is_temporary =
            |oid: Oid| catalog.table(oid).is_some_and(|table| catalog.is_temporary(table.schema));
        found.filter(|(table, _)| !is_temporary(*table))
    }

    /// The number of the index that has been made known; none if IF NOT EXISTS has found one.
    fn note_index(&mut self, scope: &Scope) {
        if matches!(self.work, Work::Drop { .. }) || self.defined > 0 {
            return;
        }
        let has_defined = scope.own_changes().is_some_and(|changes| !changes.is_empty());
        let table = scope.view.catalog().table(self.table).filter(|_| has_defined);
        let index = table.and_then(|table| table.indexes.last()).map_or(0, |index| index.oid);
        self.index = index;
        if let Some(report) = &self.report {
            report.set(|numbers| numbers.index = index);
        }
    }

    /// What follows a definition that is committed: whom to wait for. `None`: that was all.
    fn after_definition(&self, scope: &Scope) -> Option<Phase> {
        let last = match self.work {
            Work::Create(_) => 2,
            Work::Drop { .. } => 3,
            Work::Rebuild { .. } => 4,
        };
        if !self.is_guarded || self.index == 0 || self.defined == last {
            return None;
        }
        // Whoever may still use an index that goes is anybody; else it is about those who write.
        let is_about_all = match self.work {
            Work::Create(_) => false,
            Work::Drop { .. } => self.defined == 1,
            Work::Rebuild { .. } => self.defined == 2,
        };
        let is_of = |entry: &&LockEntry| {
            entry.granted
                && entry.object == LockedObject::Relation(self.table)
                && entry.mode != RelationLockMode::ShareUpdateExclusive
                && (is_about_all || entry.mode == RelationLockMode::RowExclusive)
        };
        let entries = scope.engine().lock_entries();
        Some(Phase::Wait(entries.iter().filter(is_of).map(|entry| entry.owner).collect()))
    }

    /// What is defined after a wait; `None`: the index is filled. The index is called by its full name: the one that was
    /// written may lead to another by now.
    fn after_wait(&self, scope: &Scope) -> Option<Statement> {
        let (table, index, state) = (self.table, self.index, IndexState::Dead);
        match &self.work {
            Work::Create(_) => None,
            Work::Rebuild { .. } if self.defined == 1 => None,
            Work::Drop { .. } if self.defined == 1 => Some(Statement::SetIndexState { table, index, state }),
            Work::Rebuild { .. } if self.defined == 2 => {
                Some(Statement::SetIndexState { table, index, state })
            }
            Work::Drop { .. } | Work::Rebuild { .. } => Some(Statement::Drop {
                kind: ObjectKind::Index,
                names: scope
                    .view
                    .catalog()
                    .relation(self.index)
                    .iter()
                    .map(|it| full_name(scope, it))
                    .collect(),
                if_exists: true,
                cascade: false,
                concurrently: true,
            }),
        }
    }
}

fn full_name(scope: &Scope, relation: &Relation) -> Name {
    let schema = scope.view.catalog().schema_name(relation.schema()).to_owned();
    Name { parts: vec![schema, relation.name().to_owned()], position: 0 }
}

/// Waits for transactions that hold the table, without standing in the way of those who come. One of them that waits for
/// the guard's lock would wait for ever: 40P01.
fn wait(
    scope: &mut Scope,
    table: Oid,
    holders: &mut BTreeSet<u64>,
    report: Option<(&Report, &'static str)>,
) -> Step<()> {
    let entries = scope.engine().lock_entries();
    let of_table = |entry: &&LockEntry| entry.object == LockedObject::Relation(table);
    let here: BTreeSet<u64> =
        entries.iter().filter(of_table).filter(|entry| entry.granted).map(|entry| entry.owner).collect();
    let before = holders.len();
    holders.retain(|holder| here.contains(holder));
    if let Some((report, phase)) = report {
        let of_first = entries.iter().find(|entry| Some(&entry.owner) == holders.first());
        report.set(|numbers| {
            if std::mem::replace(&mut numbers.phase, phase) != phase {
                numbers.lockers = 0;
            }
            numbers.lockers = numbers.lockers.max(before as u64);
            numbers.lockers_done = numbers.lockers - holders.len() as u64;
            numbers.locker = of_first.map_or(0, |entry| entry.process_id);
        });
    }
    if holders.is_empty() {
        return Ok(());
    }
    let waits = |entry: &&LockEntry| {
        !entry.granted && holders.contains(&entry.owner) && entry.mode > RelationLockMode::RowExclusive
    };
    if entries.iter().filter(of_table).any(|entry| waits(&entry)) {
        return Err(SqlError::new(SqlState::DEADLOCK_DETECTED, "deadlock detected").into());
    }
    if let Some(reason) = scope.environment.cancelled() {
        return Err(reason.error().into());
    }
    scope.environment.pause(LOOK_US);
    Err(Need::Yield.into())
}

/// Gives every row its entry.
#[derive(Default)]
struct Filling {
    cursor: Option<Cursor>,
    stored: RowBuffer,
    row: Row,
    entry: Vec<u8>,
    /// The row at hand has not got its entry.
    has_row: bool,
    /// Key of the row that came last.
    last: Option<Vec<u8>>,
    rows: usize,
    is_read: bool,
    is_begun: bool,
}

impl Filling {
    fn step(&mut self, scope: &mut Scope, table: Oid, index: Oid, report: Option<&Report>) -> Step<()> {
        let catalog = scope.view.catalog_arc().clone();
        let table = catalog.table(table).expect("the guard holds it");
        let index = table.indexes.iter().find(|own| own.oid == index).expect("the guard holds it");
        if !self.is_begun {
            scope.begin_work()?;
            let lower = self.last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            self.cursor = Some(Cursor::new(table.tree, lower, Bound::Unbounded, Direction::Forward));
            (self.is_begun, self.rows) = (true, 0);
        }
        if !self.is_read && self.rows < BATCH_ROWS {
            self.batch(scope, table, index)?;
        }
        scope.commit_work()?;
        self.is_begun = false;
        let done = std::mem::take(&mut self.rows) as u64;
        if let Some(report) = report {
            report.set(|numbers| {
                numbers.phase = "building index: scanning table";
                (numbers.lockers, numbers.lockers_done, numbers.locker) = (0, 0, 0);
                numbers.rows_done += done;
            });
        }
        match (self.is_read, scope.environment.cancelled()) {
            (true, _) => Ok(()),
            (false, Some(reason)) => Err(reason.error().into()),
            (false, None) => Err(Need::Yield.into()),
        }
    }

    /// Goes on until the batch is full, no row is left, or one is held by a writer: those that have theirs are let go first.
    fn batch(&mut self, scope: &mut Scope, table: &Arc<Table>, index: &Index) -> Step<()> {
        let database = scope.database.clone();
        let engine = database.engine();
        while self.rows < BATCH_ROWS {
            let work = scope.work();
            if !self.has_row {
                let cursor = self.cursor.as_mut().expect("made when the batch began");
                if !engine.cursor_next(work, cursor, &mut self.stored)? {
                    self.is_read = true;
                    return Ok(());
                }
                self.has_row = true;
            }
            match self.entry_of_row(engine, work, table, index) {
                Ok(true) => {}
                Ok(false) => return Err(self.not_unique(scope, table, index).into()),
                Err(Stop::Need(need @ Need::Lock(_))) if self.rows > 0 => {
                    engine.cancel_need(&need);
                    self.has_row = false;
                    return Ok(());
                }
                Err(stop) => return Err(stop),
            }
            self.has_row = false;
            self.rows += 1;
            self.last = Some(self.stored.key.clone());
        }
        Ok(())
    }

    /// False: another row has the key.
    fn entry_of_row(
        &mut self,
        engine: &Engine,
        work: &mut Transaction,
        table: &Table,
        index: &Index,
    ) -> Step<bool> {
        let (key, version) = (self.stored.key.clone(), self.stored.version);
        let mut newest = RowBuffer::new();
        let outcome = engine.lock_row(
            work,
            table.tree,
            &key,
            version,
            RowLockMode::Share,
            LockWait::Wait,
            &mut newest,
        )?;
        match outcome {
            RowLockOutcome::Locked | RowLockOutcome::LockedNewest | RowLockOutcome::LockedKey => {}
            // Whoever moved it or took it away knew of the index, or has ended before the snapshot.
            RowLockOutcome::MovedTo(_) | RowLockOutcome::Gone | RowLockOutcome::Skipped => return Ok(true),
        }
        decode_row(engine, work, table, &mut newest, &index.reads, &mut self.row)?;
        if !has_entry(index, &self.row)? {
            return Ok(true);
        }
        self.entry.clear();
        let has_null = index_key(index, &self.row, &mut self.entry)?;
        let entered = insert_entry(engine, work, table, index, &self.entry, has_null, &key)?;
        Ok(entered != Entered::Duplicate)
    }

    /// 23505 for rows that are there already.
    fn not_unique(&self, scope: &Scope, table: &Table, index: &Index) -> SqlError {
        let schema = scope.view.catalog().schema_name(table.schema);
        let message = format!("could not create unique index \"{}\"", index.name);
        let error = SqlError::new(SqlState::UNIQUE_VIOLATION, message)
            .with_table(schema, &table.name)
            .with_constraint(&index.name);
        let Ok(values) = key::decode(&index.key, &self.entry) else { return error };
        let host = scope.host();
        let shown = shown_key(table, index, &values, &scope.env(&host));
        error.with_detail(format!("Key {shown} is duplicated."))
    }
}

impl Scope {
    /// Takes the lock that outlasts transactions.
    fn lock_guard(&mut self, table: Oid) -> Step<()> {
        let engine = self.database.engine().clone();
        let process_id = self.view.process_id;
        let guard = self.guard.get_or_insert_with(|| {
            let mut lock = engine.begin(Isolation::ReadCommitted, true);
            lock.set_process_id(process_id);
            Box::new(Guard { lock, work: None })
        });
        Ok(engine.lock_relation(&mut guard.lock, table, RelationLockMode::ShareUpdateExclusive)?)
    }

    /// Lets go of it, and of entries that are not committed.
    pub(super) fn end_guard(&mut self) -> Step<()> {
        let Some(guard) = &mut self.guard else { return Ok(()) };
        let engine = self.database.engine();
        if let Some(work) = &mut guard.work {
            engine.abort(work)?;
            guard.work = None;
        }
        engine.abort(&mut guard.lock)?;
        self.guard = None;
        Ok(())
    }

    /// Commits a part of the statement: the session's portals do not end with it.
    pub(super) fn commit_part(&mut self) -> Step<()> {
        self.commit()?;
        self.take_ended();
        self.refresh();
        Ok(())
    }

    fn begin_work(&mut self) -> Step<()> {
        let engine = self.database.engine().clone();
        let process_id = self.view.process_id;
        let guard = self.guard.as_mut().expect("the table is locked");
        let work = guard.work.get_or_insert_with(|| {
            let mut work = engine.begin(Isolation::ReadCommitted, false);
            work.set_process_id(process_id);
            work
        });
        Ok(engine.begin_statement(work)?)
    }

    fn work(&mut self) -> &mut Transaction {
        self.guard.as_mut().and_then(|guard| guard.work.as_mut()).expect("begun")
    }

    fn commit_work(&mut self) -> Step<()> {
        let engine = self.database.engine().clone();
        let work = self.work();
        engine.commit(work)?;
        self.guard.as_mut().expect("as above").work = None;
        Ok(())
    }
}
