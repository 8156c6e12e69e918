//! A session's transaction: how it begins and ends, and what its statements see.
//!
//! Owns [`Scope`], the surroundings that every statement of the session runs in: view, engine transaction, private
//! definitions, time stamps, notices, and the LSN that answers wait for. A statement that fails inside a block takes
//! what came since the newest savepoint with it (`savepoint.rs`), without one the whole transaction: that is undone at
//! once and the block stays in state `E`.

mod parts;

pub(super) use parts::Parts;

use super::concurrent_index::Guard;
use super::savepoint::Savepoints;
use super::settings::TransactionShown;
use super::temporary::{Leaving, Tidying};
use super::view::{SessionHost, SessionView};
use crate::answer::Severity;
use crate::bind::BindContext;
use crate::catalog::Changes;
use crate::catalog::object::Oid;
use crate::catalog::overlay::Overlay;
use crate::connections::Connection;
use crate::database::Database;
use crate::environment::Environment;
use crate::execute::{Context, Effects, Settlement, State, settle_references};
use crate::parse::tree::{IsolationLevel, TransactionModes};
use crate::plan::{Plan, PlanOptions};
use crate::relation_statistics::Upkeep;
use crate::sessions::SessionActivity;
use crate::statement_statistics::BlocksUsed;
use crate::stop::{Step, Stop};
use crate::stores::Temporary;
use hexalog_engine::{Engine, Isolation, Need, RelationLockMode, Transaction};
use hexalog_protocol::Lsn;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState};
use std::cell::Cell;
use std::sync::Arc;

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Idle,
    /// A transaction for one statement, or for the statements up to Sync.
    Started,
    /// A transaction for the statements of one Query message.
    Implicit,
    /// Between BEGIN and COMMIT.
    Block,
    /// The same after an error: nothing but the block's end or ROLLBACK TO is taken.
    Failed,
}

/// How a transaction has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Committed,
    RolledBack,
}

/// How many transactions have ended how since the session said so.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Ends {
    pub commits: u64,
    pub rollbacks: u64,
    pub deadlocks: u64,
}

/// The modes of the current transaction.
#[derive(Clone, Copy, Debug)]
struct Modes {
    isolation: Isolation,
    /// `read uncommitted` is shown as it was asked for.
    isolation_name: &'static str,
    read_only: bool,
    deferrable: bool,
}

/// The surroundings of a session's statements.
pub(super) struct Scope {
    pub database: Arc<Database>,
    pub environment: Box<dyn Environment>,
    pub view: SessionView,
    pub effects: Effects,
    pub notices: Vec<(Severity, SqlError)>,
    status: Status,
    modes: Modes,
    /// Boxed, as what else a session has only while it works: most sessions are idle.
    pub(super) transaction: Option<Box<Transaction>>,
    /// What is in temporary tables.
    pub(super) temporary: Temporary,
    /// That was made in this transaction, maybe in vain.
    pub(super) has_made_store: bool,
    pub(super) savepoints: Savepoints,
    /// The transaction's own definitions.
    overlay: Option<Overlay>,
    /// Counts the statements that defined something, to tell whether a savepoint's definitions are still these.
    definitions: u64,
    /// What the transaction has defined while it has defined nothing.
    no_changes: Changes,
    /// A statement has taken a snapshot, so the isolation level is fixed.
    has_queried: bool,
    /// COMMIT is under way: should it fail, the block is over.
    is_committing: bool,
    /// A relation lock was waited for: the next snapshot must hold what its owner committed.
    has_waited: bool,
    fence: Option<Lsn>,
    /// The published version that the view rests on, and the commit that made it.
    base_version: u64,
    catalog_lsn: Lsn,
    pub(super) private_views: u64,
    path_version: u64,
    pub(super) transaction_us: i64,
    statement_us: i64,
    /// Highest LSN that something said or to be said rests on, the open transaction's apart.
    pub(super) told_lsn: Lsn,
    /// References that had waited, being looked at.
    settlement: Option<Box<Settlement>>,
    /// How a transaction has ended since the session last looked: its portals are gone.
    ended: Option<Ended>,
    /// What the commit that is under way does to temporary tables, and whether it has done it.
    pub(super) tidying: Option<Box<Tidying>>,
    pub(super) is_tidied: bool,
    /// What an index that comes or goes CONCURRENTLY has beside the transaction.
    pub(super) guard: Option<Box<Guard>>,
    /// The session is ending.
    pub(super) leaving: Option<Box<Leaving>>,
    /// Time that planning has taken so far.
    pub(super) planned_us: Cell<u64>,
    /// Blocks that transactions which have ended had used.
    pub(super) used: BlocksUsed,
    /// Where the session says what it does.
    pub activity: Arc<SessionActivity>,
    /// What has come to pass since it said so last, and the blocks that had been used by then.
    pub(super) ends: Ends,
    pub(super) said: (BlocksUsed, u64),
    /// Keeps the session's database from being dropped.
    _connection: Connection,
}

impl Scope {
    pub(super) fn new(
        database: Arc<Database>,
        environment: Box<dyn Environment>,
        view: SessionView,
        activity: Arc<SessionActivity>,
        connection: Connection,
    ) -> Scope {
        let modes = Modes {
            isolation: Isolation::ReadCommitted,
            isolation_name: "read committed",
            read_only: false,
            deferrable: false,
        };
        Scope {
            base_version: view.catalog().version,
            // That of the version which the view was made from, or of a later one.
            catalog_lsn: view.published.newest().commit_lsn,
            path_version: view.settings.version(),
            database,
            environment,
            view,
            effects: Effects::default(),
            notices: Vec::new(),
            status: Status::Idle,
            modes,
            transaction: None,
            temporary: Temporary::default(),
            has_made_store: false,
            savepoints: Savepoints::default(),
            overlay: None,
            definitions: 0,
            no_changes: Changes::new(),
            has_queried: false,
            is_committing: false,
            has_waited: false,
            fence: None,
            private_views: 0,
            transaction_us: 0,
            statement_us: 0,
            told_lsn: Lsn::ZERO,
            settlement: None,
            ended: None,
            tidying: None,
            is_tidied: false,
            guard: None,
            leaving: None,
            planned_us: Cell::new(0),
            used: BlocksUsed::default(),
            activity,
            ends: Ends::default(),
            said: (BlocksUsed::default(), 0),
            _connection: connection,
        }
    }

    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Whether a transaction block, explicit or of several statements, is open.
    pub(super) fn is_in_block(&self) -> bool {
        !matches!(self.status, Status::Idle | Status::Started)
    }

    pub(super) fn engine(&self) -> &Engine {
        self.database.engine()
    }

    /// A message has come: its statements' time stamp.
    pub(super) fn arrive(&mut self) {
        self.statement_us = self.environment.wall_clock_us();
        if self.status == Status::Idle {
            self.transaction_us = self.statement_us;
        }
    }

    /// When the message came.
    pub(super) fn statement_us(&self) -> i64 {
        self.statement_us
    }

    /// 25P02 in a failed block.
    pub(super) fn check_not_failed(&self) -> Result<()> {
        if self.status != Status::Failed {
            return Ok(());
        }
        let message = "current transaction is aborted, commands ignored until end of transaction block";
        Err(SqlError::new(SqlState::IN_FAILED_SQL_TRANSACTION, message))
    }

    /// Begins the transaction of a statement that stands in no block.
    pub(super) fn begin_implicit(&mut self, status: Status) {
        assert!(matches!(status, Status::Started | Status::Implicit), "blocks begin by BEGIN");
        if self.status == Status::Idle {
            self.begin_transaction();
            self.status = status;
        }
    }

    fn begin_transaction(&mut self) {
        assert!(self.transaction.is_none(), "one transaction at a time");
        self.transaction_us = self.statement_us;
        let modes = self.view.settings.initial_modes();
        self.modes.read_only = modes.read_only;
        self.modes.deferrable = modes.deferrable;
        self.modes.isolation_name = modes.isolation;
        self.modes.isolation = match modes.isolation {
            "serializable" => Isolation::Serializable,
            "repeatable read" => Isolation::RepeatableRead,
            _ => Isolation::ReadCommitted,
        };
        self.view.settings.set_transaction(modes);
    }

    fn show_modes(&mut self) {
        let Modes { isolation_name: isolation, read_only, deferrable, .. } = self.modes;
        self.view.settings.set_transaction(TransactionShown { isolation, read_only, deferrable });
    }

    /// BEGIN.
    pub(super) fn begin_block(&mut self, modes: TransactionModes) -> Result<()> {
        match self.status {
            Status::Idle => self.begin_transaction(),
            Status::Started | Status::Implicit => {}
            Status::Block => {
                let message = "there is already a transaction in progress";
                self.notices
                    .push((Severity::Warning, SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message)));
            }
            Status::Failed => return self.check_not_failed(),
        }
        self.status = Status::Block;
        self.set_modes(modes)
    }

    /// SET TRANSACTION, and the modes of BEGIN.
    pub(super) fn set_modes(&mut self, modes: TransactionModes) -> Result<()> {
        if let Some(level) = modes.isolation {
            let (isolation, name) = match level {
                IsolationLevel::ReadCommitted => (Isolation::ReadCommitted, "read committed"),
                IsolationLevel::RepeatableRead => (Isolation::RepeatableRead, "repeatable read"),
                IsolationLevel::Serializable => (Isolation::Serializable, "serializable"),
            };
            self.set_isolation(isolation, name)?;
        }
        if let Some(read_only) = modes.read_only {
            self.set_read_only(read_only)?;
        }
        if let Some(deferrable) = modes.deferrable {
            self.set_deferrable(deferrable)?;
        }
        Ok(())
    }

    pub(super) fn set_isolation(&mut self, isolation: Isolation, name: &'static str) -> Result<()> {
        if self.has_queried && name != self.modes.isolation_name {
            let message = "SET TRANSACTION ISOLATION LEVEL must be called before any query";
            return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        if name != self.modes.isolation_name && !self.savepoints.is_empty() {
            let message = "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction";
            return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        (self.modes.isolation, self.modes.isolation_name) = (isolation, name);
        if let Some(transaction) = &mut self.transaction {
            transaction.set_isolation(isolation);
        }
        self.show_modes();
        Ok(())
    }

    pub(super) fn set_read_only(&mut self, read_only: bool) -> Result<()> {
        if !read_only && self.modes.read_only && !self.savepoints.is_empty() {
            let message = "cannot set transaction read-write mode inside a read-only transaction";
            return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        if !read_only && self.modes.read_only && self.has_queried {
            let message = "transaction read-write mode must be set before any query";
            return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        self.restore_read_only(read_only);
        Ok(())
    }

    /// Without a check: also for what a savepoint remembers.
    pub(super) fn restore_read_only(&mut self, read_only: bool) {
        self.modes.read_only = read_only;
        if let Some(transaction) = &mut self.transaction {
            transaction.set_read_only(read_only);
        }
        self.show_modes();
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.modes.read_only
    }

    pub(super) fn set_deferrable(&mut self, deferrable: bool) -> Result<()> {
        if !self.savepoints.is_empty() {
            let message = "SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction";
            return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        if self.has_queried {
            let message = "SET TRANSACTION [NOT] DEFERRABLE must be called before any query";
            return Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message));
        }
        self.modes.deferrable = deferrable;
        if let Some(transaction) = &mut self.transaction {
            transaction.set_deferrable(deferrable);
        }
        self.show_modes();
        Ok(())
    }

    /// 25006 for a statement that would write in a read-only transaction.
    pub(super) fn check_may_write(&self, statement: &str) -> Result<()> {
        if !self.modes.read_only {
            return Ok(());
        }
        let message = format!("cannot execute {statement} in a read-only transaction");
        Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message))
    }

    /// The same for one with a plan: temporary tables may be written all the same.
    pub(super) fn check_plan_may_write(&self, plan: &Plan, statement: &str) -> Result<()> {
        match plan.writes_temporary_alone(self.view.catalog()) {
            true => Ok(()),
            false => self.check_may_write(statement),
        }
    }

    /// 25001 for a statement that wants a transaction to itself.
    pub(super) fn check_outside_block(&self, statement: &str) -> Result<()> {
        if !self.is_in_block() {
            return Ok(());
        }
        let message = format!("{statement} cannot run inside a transaction block");
        Err(SqlError::new(SqlState::ACTIVE_SQL_TRANSACTION, message))
    }

    /// 25P01 as an error or a warning for what has no effect outside a block.
    pub(super) fn no_block(statement: &str) -> SqlError {
        let message = format!("{statement} can only be used in transaction blocks");
        SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message)
    }

    /// Sees what has been published since, and what settings have changed in the search path.
    pub(super) fn refresh(&mut self) {
        if self.view.published.version() != self.base_version {
            let published = self.view.published.newest();
            self.base_version = published.catalog.version;
            self.catalog_lsn = published.commit_lsn;
            let catalog = match &mut self.overlay {
                Some(overlay) => overlay.view(&published.catalog),
                None => published.catalog,
            };
            self.see(catalog);
        }
        if self.view.settings.version() != self.path_version {
            self.path_version = self.view.settings.version();
            self.view.find_search_path();
        }
    }

    fn see(&mut self, catalog: Arc<crate::catalog::Catalog>) {
        self.private_views += 1;
        self.view.set_catalog(catalog);
    }

    /// As [`Scope::refresh`]; waits until the version is durable. What committed with it is then in every snapshot
    /// taken from now on, and all indexes that it has serve them.
    pub(super) fn refresh_durable(&mut self) -> Step<()> {
        self.refresh();
        if self.engine().volume().vdl() < self.catalog_lsn {
            return Err(Need::Durable(self.catalog_lsn).into());
        }
        Ok(())
    }

    /// Whether the view is still the newest.
    pub(super) fn is_current(&self) -> bool {
        self.view.published.version() == self.base_version
    }

    /// What planning may choose from now.
    pub(super) fn plan_options(&self) -> PlanOptions {
        let fixed = self.transaction.as_deref().filter(|it| it.isolation().has_one_snapshot());
        let snapshot = fixed.and_then(Transaction::snapshot);
        let newest = self.engine().volume().vdl().max(self.catalog_lsn);
        PlanOptions {
            direct_routes: self.view.settings.direct_routes(),
            snapshot: snapshot.unwrap_or(newest),
            is_for_cursor: false,
        }
    }

    /// Whether a plan made now may serve later executions: not if it had to do without newer indexes.
    pub(super) fn is_plan_lasting(&self, options: PlanOptions) -> bool {
        options.snapshot >= self.catalog_lsn
    }

    pub(super) fn host(&self) -> SessionHost<'_> {
        SessionHost { view: &self.view, environment: &*self.environment }
    }

    pub(super) fn env<'a>(&self, host: &'a SessionHost<'a>) -> EvalEnv<'a> {
        host.env(self.transaction_us, self.statement_us)
    }

    /// Runs something that binds.
    pub(super) fn with_binding<T>(&self, bind: impl FnOnce(BindContext<'_>) -> Result<T>) -> Result<T> {
        let host = self.host();
        let env = self.env(&host);
        bind(BindContext { view: &self.view, env: &env, options: self.plan_options() })
    }

    /// Takes a relation lock.
    pub(super) fn lock_relation(&mut self, relation: Oid, mode: RelationLockMode) -> Step<()> {
        let (engine, transaction) = self.engine_and_transaction();
        match engine.lock_relation(transaction, relation, mode) {
            Err(hexalog_engine::Stop::Need(need)) => {
                self.has_waited = true;
                Err(need.into())
            }
            other => Ok(other?),
        }
    }

    /// The next snapshot shall hold all that is appended now: a lock was won from someone who has just committed.
    pub(super) fn fence_snapshot(&mut self) {
        self.has_waited = true;
    }

    /// Whether the transaction has to wait for a safe snapshot. It does so without locks: whom it waits for may want them.
    pub(super) fn defers_snapshot(&self) -> bool {
        let Modes { isolation, read_only, deferrable, .. } = self.modes;
        let has_snapshot = self.transaction.as_ref().is_some_and(|it| it.snapshot().is_some());
        isolation == Isolation::Serializable && read_only && deferrable && !has_snapshot
    }

    /// Begins a statement: takes its snapshot and its command number.
    pub(super) fn begin_statement(&mut self) -> Step<()> {
        if std::mem::take(&mut self.has_waited) {
            self.fence = Some(self.engine().appended());
        }
        if let Some(lsn) = self.fence {
            if self.engine().volume().vdl() < lsn {
                return Err(Need::Durable(lsn).into());
            }
            self.fence = None;
        }
        let is_first = !std::mem::replace(&mut self.has_queried, true);
        let returns_to_writing = self.savepoints.returns_to_writing();
        let mut stores = self.parts().stores;
        if is_first {
            stores.transaction.set_returns_to_writing(returns_to_writing);
        }
        stores.begin_statement()
    }

    /// The statement is over.
    pub(super) fn end_statement(&mut self) -> Result<()> {
        if let Some(transaction) = &mut self.transaction {
            self.database.engine().end_statement(transaction);
            self.temporary.end_statement();
        }
        for (name, value, local) in std::mem::take(&mut self.effects.settings) {
            self.view.settings.set(&name, Some(&value), local)?;
        }
        Ok(())
    }

    /// Runs something that executes: a step of an operator, an expression.
    pub(super) fn with_execution<R>(
        &mut self,
        plan: &Plan,
        parameters: &[Datum],
        state: &mut State,
        may_fuse: bool,
        run: impl FnOnce(&mut Context<'_>) -> R,
    ) -> R {
        let Parts {
            database, stores, view, environment, effects, notices, transaction_us, statement_us, ..
        } = self.parts();
        let host = SessionHost { view, environment };
        let result = run(&mut Context {
            stores,
            database,
            env: host.env(transaction_us, statement_us),
            view,
            environment,
            effects,
            parameters,
            plan,
            state,
            may_fuse,
        });
        notices.extend(effects.warnings.drain(..).map(|warning| (Severity::Warning, warning)));
        result
    }

    /// Whether the statement may commit with its last write: nothing else hangs on this transaction's commit, such as what
    /// becomes of temporary tables.
    pub(super) fn may_fuse(&self) -> bool {
        self.status == Status::Started
            && self.overlay.is_none()
            && !self.temporary.is_open()
            && self.transaction.as_ref().is_none_or(|transaction| !transaction.has_written())
    }

    /// Takes a statement's definitions in.
    pub(super) fn add_changes(&mut self, changes: Changes) {
        if changes.is_empty() {
            return;
        }
        let published = self.view.published.newest();
        let overlay = self.overlay.get_or_insert_with(|| Overlay::new(published.catalog.clone()));
        overlay.add(changes);
        self.definitions += 1;
        let catalog = overlay.view(&published.catalog);
        self.base_version = published.catalog.version;
        self.catalog_lsn = published.commit_lsn;
        self.see(catalog);
    }

    /// Counts what this transaction has defined so far.
    pub(super) fn definitions(&self) -> u64 {
        self.definitions
    }

    /// The definitions are these again.
    pub(super) fn restore_definitions(&mut self, changes: Option<Changes>, definitions: u64) {
        self.overlay = None;
        if let Some(changes) = changes {
            self.add_changes(changes);
        }
        if self.overlay.is_none() {
            self.see_published();
        }
        self.definitions = definitions;
    }

    fn see_published(&mut self) {
        let published = self.view.published.newest();
        self.base_version = published.catalog.version;
        self.catalog_lsn = published.commit_lsn;
        self.see(published.catalog);
    }

    /// The tables that this transaction has defined or changed.
    pub(super) fn own_changes(&self) -> Option<&Changes> {
        self.overlay.as_ref().map(Overlay::changes)
    }

    /// Looks at references that had waited, of these foreign keys or of all. Call again after a need.
    pub(super) fn settle_deferred(&mut self, keys: Option<&[Oid]>) -> Step<()> {
        if self.settlement.is_none() {
            let serial = self.savepoints.serial();
            let (deferred, sums) = (&mut self.effects.deferred, &self.database.relations);
            let Some(settlement) = Settlement::of(deferred, sums, keys, serial)? else { return Ok(()) };
            self.settlement = Some(Box::new(settlement));
        }
        let mut settlement = self.settlement.take().expect("made above");
        let (plan, state) = settlement.parts();
        // What is owed was written with leave.
        self.engine_and_transaction().1.set_read_only(false);
        let result = self.with_execution(plan, &[], state, false, settle_references);
        let is_read_only = self.modes.read_only;
        self.engine_and_transaction().1.set_read_only(is_read_only);
        if let Err(Stop::Need(_)) = result {
            self.settlement = Some(settlement);
        }
        result?;
        Ok(self.end_statement()?)
    }

    /// COMMIT begins: what fails from here on leaves no failed block behind.
    pub(super) fn begin_commit(&mut self) {
        self.is_committing = true;
    }

    /// Commits what is open, if anything is.
    pub(super) fn commit(&mut self) -> Step<()> {
        if self.status == Status::Idle {
            self.is_committing = false;
            return Ok(());
        }
        assert!(self.status != Status::Failed, "a failed block is rolled back");
        if let Some(transaction) = &mut self.transaction {
            self.temporary.prepare_to_commit()?;
            let overlay = self.overlay.as_ref().filter(|overlay| overlay.is_of_others());
            let lsn = match overlay {
                Some(overlay) => {
                    self.database.commit_definitions(transaction, &self.view.published, overlay.changes())?
                }
                None => self.database.engine().commit(transaction)?,
            };
            self.told_lsn = self.told_lsn.max(lsn);
            self.temporary.commit();
        }
        self.view.settings.commit();
        self.end(Ended::Committed);
        Ok(())
    }

    /// Rolls back what is open, if anything is. `into`: the state after it.
    fn roll_back(&mut self, into: Status) -> Step<()> {
        if let Some(transaction) = &mut self.transaction {
            self.told_lsn = self.told_lsn.max(transaction.dep_lsn());
            self.database.engine().abort(transaction)?;
            self.temporary.abort();
        }
        self.view.settings.abort();
        self.end(Ended::RolledBack);
        self.status = into;
        Ok(())
    }

    /// ROLLBACK.
    pub(super) fn abort(&mut self) -> Step<()> {
        self.end_guard()?;
        self.roll_back(Status::Idle)
    }

    pub(super) fn unlock_all_advisory(&mut self) {
        self.database.engine().unlock_all_advisory(&mut self.effects.advisory);
    }

    /// A statement has failed.
    pub(super) fn fail(&mut self) -> Step<()> {
        self.end_guard()?;
        self.effects.settings.clear();
        self.effects.signalled = None;
        (self.settlement, self.tidying) = (None, None);
        match self.status {
            _ if self.is_committing => self.roll_back(Status::Idle),
            Status::Started | Status::Implicit => self.roll_back(Status::Idle),
            Status::Block | Status::Failed if !self.savepoints.is_empty() => {
                self.status = Status::Failed;
                self.return_to_newest_savepoint()
            }
            Status::Idle | Status::Failed => Ok(()),
            Status::Block => self.roll_back(Status::Failed),
        }
    }

    /// The block fails, or lives again.
    pub(super) fn set_block_status(&mut self, status: Status) {
        assert!(matches!(self.status, Status::Block | Status::Failed), "a block is open");
        self.status = status;
    }

    pub(super) fn end(&mut self, ended: Ended) {
        self.used = self.blocks_used();
        match ended {
            Ended::Committed => self.ends.commits += 1,
            // What has failed was counted then, and a session that ends may have nothing open.
            Ended::RolledBack if self.has_failed_whole() || self.status == Status::Idle => {}
            Ended::RolledBack => self.ends.rollbacks += 1,
        }
        self.transaction = None;
        self.status = Status::Idle;
        (self.has_queried, self.has_waited, self.ended) = (false, false, Some(ended));
        self.is_committing = false;
        (self.settlement, self.tidying, self.is_tidied) = (None, None, false);
        self.effects.deferred.clear();
        let changed = std::mem::take(&mut self.effects.changed);
        self.effects.kept_up.clear();
        self.database.count_changed(&changed, ended == Ended::Committed);
        self.database.engine().release_advisory_since(&mut self.effects.advisory, 0);
        self.effects.reserved.clear();
        self.fence = None;
        self.savepoints.clear();
        self.definitions = 0;
        // Only one that has changed nothing is still there.
        self.temporary.abort();
        let has_defined = self.overlay.take().is_some();
        if has_defined {
            self.see_published();
        }
        if std::mem::take(&mut self.has_made_store) || has_defined {
            self.close_unused_temporary_store();
        }
        let catalog = self.view.catalog();
        self.effects.on_commit.retain(|(table, _)| catalog.table(*table).is_some());
    }

    /// A statement that looks after tables is through.
    pub(super) fn count_upkeep(&mut self) {
        for (table, mut upkeep) in std::mem::take(&mut self.effects.kept_up) {
            if let Upkeep::Analyze { is_automatic, .. } = &mut upkeep {
                *is_automatic = self.activity.is_background();
            }
            self.database.relations.kept_up(table, upkeep, self.environment.wall_clock_us());
        }
    }

    /// How a transaction has ended since the last call, if one has.
    pub(super) fn take_ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    /// What answers wait for.
    pub(super) fn answer_lsn(&self) -> Lsn {
        let dependency = self.transaction.as_deref().map_or(Lsn::ZERO, Transaction::dep_lsn);
        self.told_lsn.max(dependency).max(self.catalog_lsn)
    }
}
