//! Temporary objects over the life of a session: its number, what its commits do to them, and their end.
//!
//! The schema `pg_temp_N` and all in it is dropped by DISCARD and when the session ends. A session that ends otherwise, with
//! its process, leaves it behind: the next start drops all that is there ([`Emptying`]), before any session has a number.

use super::define::Defining;
use super::plan_run::PlanRun;
use super::settings::Settings;
use super::statement::Prepared;
use super::transaction::{Scope, Status};
use super::view::{SessionHost, SessionView};
use crate::catalog::object::{Oid, TEMPORARY_PREFIX};
use crate::catalog::published::PublishedCatalog;
use crate::catalog::{Catalog, Changes};
use crate::database::Database;
use crate::definition::{Definition, DefinitionContext};
use crate::environment::{CancelReason, Environment};
use crate::execute::Effects;
use crate::parse::tree::{Delete, Name, ObjectKind, OnCommit, Statement};
use crate::stop::{Step, Stop};
use crate::stores::{Stores, Temporary};
use hexalog_engine::{Isolation, Transaction};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// DROP … CASCADE.
fn drop_of(kind: ObjectKind, names: impl IntoIterator<Item = Vec<String>>) -> Statement {
    let names = names.into_iter().map(|parts| Name { parts, position: 0 });
    Statement::Drop { kind, names: names.collect(), if_exists: true, cascade: true, concurrently: false }
}

/// What a commit does to temporary tables, under way.
pub(super) struct Tidying {
    /// The next one last.
    tables: Vec<(Oid, OnCommit)>,
    current: Option<Work>,
}

enum Work {
    Delete(Box<PlanRun>),
    Drop(Box<Defining>),
}

/// The end of a session with temporary objects, under way.
pub(super) struct Leaving {
    dropping: Defining,
    is_dropped: bool,
}

impl Scope {
    /// Whether the session's schema for temporary objects is there. Gives the session its number.
    pub(super) fn has_temporary_schema(&mut self) -> bool {
        if self.view.temporary_number().is_none() {
            let number = self.database.take_temporary_number();
            self.view.set_temporary_number(number);
        }
        self.view.temporary_schema().is_some()
    }

    /// Makes the store for what is to lie in that schema, if it is not there. Comes behind a statement's beginning.
    pub(super) fn open_temporary_store(&mut self) -> Step<()> {
        if self.temporary.is_open() {
            return Ok(());
        }
        let number = self.view.temporary_number().expect("taken ahead of what is to be made");
        let frames = self.view.settings.temp_buffers();
        self.temporary.open(number, frames, &*self.database.options().spill)?;
        self.view.settings.use_temp_buffers(true);
        self.has_made_store = true;
        let isolation = self.engine_and_transaction().1.isolation();
        self.temporary.begin_statement(isolation)
    }

    /// The store goes with the last that lies in it.
    pub(super) fn close_unused_temporary_store(&mut self) {
        if !self.temporary.is_open() {
            return;
        }
        let (catalog, schema) = (self.view.catalog(), self.view.temporary_schema());
        let is_in_use = catalog.tables().any(|table| Some(table.schema) == schema)
            || catalog.sequences().any(|sequence| Some(sequence.schema) == schema);
        if !is_in_use {
            self.temporary.close();
            self.view.settings.use_temp_buffers(false);
        }
    }

    /// The statement that drops all temporary objects of the session, if there are any.
    pub(super) fn temporary_drop(&self) -> Option<Statement> {
        self.view.temporary_schema()?;
        Some(drop_of(ObjectKind::Schema, [vec![self.view.temporary_name()?]]))
    }

    /// Runs a definition that drops temporary objects, of which nothing is said. It may do so in a read-only transaction.
    pub(super) fn drop_temporary(&mut self, dropping: &mut Defining) -> Step<()> {
        let (is_read_only, notices) = (self.is_read_only(), self.notices.len());
        if is_read_only {
            self.restore_read_only(false);
        }
        let result = dropping.step(self);
        self.notices.truncate(notices);
        if is_read_only {
            self.restore_read_only(true);
        }
        result.map(drop)
    }

    /// What ON COMMIT asks for; the last thing before a commit. Call again after a need.
    pub(super) fn tidy_temporary(&mut self) -> Step<()> {
        if self.effects.on_commit.is_empty() || self.status() == Status::Idle || self.is_tidied {
            return Ok(());
        }
        let mut tidying = match self.tidying.take() {
            Some(tidying) => tidying,
            None => Box::new(self.begin_tidying()?),
        };
        match tidying.step(self) {
            Err(Stop::Need(need)) => {
                self.tidying = Some(tidying);
                Err(need.into())
            }
            result => {
                self.is_tidied = result.is_ok();
                result
            }
        }
    }

    fn begin_tidying(&mut self) -> Result<Tidying> {
        self.refresh();
        // A table whose rows are deleted by every commit has none unless this transaction has written.
        let has_written = self.temporary.has_written();
        let catalog = self.view.catalog();
        let is_due = |(oid, action): &(Oid, OnCommit)| {
            catalog.table(*oid).is_some() && (has_written || *action == OnCommit::Drop)
        };
        let tables: Vec<_> = self.effects.on_commit.iter().copied().filter(is_due).collect();
        check_references(catalog, &tables)?;
        Ok(Tidying { tables, current: None })
    }

    /// The session is over: its advisory locks fall, and its temporary objects.
    pub(super) fn close(&mut self) -> Step<()> {
        let mut leaving = match self.leaving.take() {
            Some(leaving) => leaving,
            None => {
                self.abort()?;
                self.unlock_all_advisory();
                // What lies there is not dropped one by one: no disk is waited for.
                self.temporary.close();
                self.refresh();
                let Some(drop) = self.temporary_drop() else {
                    self.give_number_back();
                    return Ok(());
                };
                self.begin_implicit(Status::Started);
                self.restore_read_only(false);
                Box::new(Leaving { dropping: Defining::new(drop), is_dropped: false })
            }
        };
        match self.leave(&mut leaving) {
            Ok(()) => {
                self.give_number_back();
                Ok(())
            }
            Err(Stop::Need(need)) => {
                self.leaving = Some(leaving);
                Err(need.into())
            }
            Err(Stop::Error(_)) => {
                // Nobody is there to be told. The number stays taken, and the next start drops what is left.
                self.view.forget_temporary_number();
                self.abort()
            }
        }
    }

    /// The session is over, and dropping its temporary objects has met a bug.
    pub(super) fn abandon(&mut self) -> Step<()> {
        self.leaving = None;
        self.view.forget_temporary_number();
        self.abort()?;
        self.unlock_all_advisory();
        Ok(())
    }

    fn leave(&mut self, leaving: &mut Leaving) -> Step<()> {
        if !leaving.is_dropped {
            self.drop_temporary(&mut leaving.dropping)?;
            leaving.is_dropped = true;
        }
        self.commit()
    }

    fn give_number_back(&mut self) {
        if let Some(number) = self.view.temporary_number() {
            self.database.give_temporary_number_back(number);
            self.view.forget_temporary_number();
        }
    }
}

/// 0A000 where a table that loses its rows is referred to by one that keeps them, as PostgreSQL has it.
fn check_references(catalog: &Catalog, tables: &[(Oid, OnCommit)]) -> Result<()> {
    let loses = |oid: Oid| tables.contains(&(oid, OnCommit::DeleteRows));
    for &(oid, _) in tables.iter().filter(|(_, action)| *action == OnCommit::DeleteRows) {
        let Some((other, _)) = catalog.referring(oid).iter().find(|(other, _)| !loses(*other)) else {
            continue;
        };
        let name = |oid: Oid| catalog.table(oid).map_or("", |table| &table.name);
        let message = "unsupported ON COMMIT and foreign key combination";
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(format!(
            "Table \"{}\" references \"{}\", but they do not have the same ON COMMIT setting.",
            name(*other),
            name(oid)
        )));
    }
    Ok(())
}

impl Tidying {
    fn step(&mut self, scope: &mut Scope) -> Step<()> {
        loop {
            match &mut self.current {
                Some(Work::Delete(run)) => {
                    run.open(scope)?;
                    while run.advance(scope)? {}
                }
                Some(Work::Drop(dropping)) => scope.drop_temporary(dropping)?,
                None => {}
            }
            self.current = None;
            let Some((oid, action)) = self.tables.pop() else { return Ok(()) };
            self.current = work(scope, oid, action)?;
        }
    }
}

/// What is to be done with a table, which an earlier one may have taken along.
fn work(scope: &Scope, oid: Oid, action: OnCommit) -> Result<Option<Work>> {
    let catalog = scope.view.catalog();
    let Some(table) = catalog.table(oid) else { return Ok(None) };
    let parts = vec![catalog.schema_name(table.schema).to_owned(), table.name.clone()];
    Ok(match action {
        OnCommit::PreserveRows => None,
        OnCommit::DeleteRows => {
            let delete = Statement::Delete(Delete {
                with: Vec::new(),
                table: Name { parts, position: 0 },
                alias: None,
                using: Vec::new(),
                filter: None,
                returning: Vec::new(),
            });
            let prepared = Arc::new(Prepared::new(Some(delete), &"".into(), None));
            let plan = prepared.plan(scope, false)?;
            Some(Work::Delete(Box::new(PlanRun::new(prepared, plan, Vec::new(), false))))
        }
        OnCommit::Drop => Some(Work::Drop(Box::new(Defining::new(drop_of(ObjectKind::Table, [parts]))))),
    })
}

/// A start's dropping of the temporary objects that sessions have left behind.
pub(crate) struct Emptying {
    transaction: Transaction,
    view: SessionView,
    effects: Effects,
    definition: Definition,
    has_begun: bool,
    dropped: Option<Changes>,
}

impl Emptying {
    /// Those of one database; `None` if there are none.
    pub(crate) fn of(database: &Database, published: &Arc<PublishedCatalog>) -> Option<Emptying> {
        let catalog = published.newest().catalog;
        let names = catalog.schemas().map(|schema| &schema.name);
        let names: Vec<String> = names.filter(|name| name.starts_with(TEMPORARY_PREFIX)).cloned().collect();
        if names.is_empty() {
            return None;
        }
        let drop = drop_of(ObjectKind::Schema, names.into_iter().map(|name| vec![name]));
        let settings = Settings::new("postgres", database.options().direct_routes);
        let mut transaction = database.engine().begin(Isolation::ReadCommitted, false);
        transaction.set_frees_space();
        Some(Emptying {
            transaction,
            view: SessionView::new("postgres", catalog.database_name(), 0, settings, published.clone()),
            effects: Effects::default(),
            definition: Definition::new(drop),
            has_begun: false,
            dropped: None,
        })
    }

    /// Goes on; call again after a need.
    pub(crate) fn step(&mut self, database: &Database) -> Step<()> {
        if !self.has_begun {
            database.engine().begin_statement(&mut self.transaction)?;
            self.has_begun = true;
        }
        if self.dropped.is_none() {
            let host = SessionHost { view: &self.view, environment: &Nobody };
            let defined = self.definition.step(&mut DefinitionContext {
                stores: Stores {
                    engine: database.engine(),
                    transaction: &mut self.transaction,
                    // Their rows have ended with those who made them.
                    temporary: &mut Temporary::default(),
                },
                database,
                env: host.env(0, 0),
                view: &self.view,
                changes: &Changes::new(),
                environment: &Nobody,
                effects: &mut self.effects,
                notices: &mut Vec::new(),
            })?;
            self.dropped = Some(defined.changes);
        }
        let dropped = self.dropped.as_ref().expect("set above");
        database.commit_definitions(&mut self.transaction, &self.view.published, dropped).map(drop)
    }
}

/// No session has begun; DROP asks for no time.
struct Nobody;

impl Environment for Nobody {
    fn wall_clock_us(&self) -> i64 {
        0
    }

    fn random_u64(&self) -> u64 {
        0
    }

    fn cancelled(&self) -> Option<CancelReason> {
        None
    }
}
