//! Portals: statements with their parameters, ready to run or under way; cursors are portals that DECLARE has opened.
//!
//! Owns [`Portals`], and [`Named`], all that a session keeps by name. Portals end with their transaction, or with the
//! savepoint that they were opened after. A cursor WITH HOLD outlives its commit: before that, the rows that are left are
//! read into memory.

use super::cursor::Cursor;
use super::run::Execution;
use super::statement::Statements;
use super::transaction::{Ended, Scope};
use super::view::{CursorView, SessionView};
use crate::catalog::object::Oid;
use crate::stop::Step;
use crate::stores::Snapshots;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a session keeps by name.
#[derive(Default)]
pub(super) struct Named {
    pub statements: Statements,
    pub portals: Portals,
}

impl Named {
    /// Of a session with this view.
    pub(super) fn shown_by(view: &SessionView) -> Named {
        Named { statements: Statements::shown_by(view.statements.clone()), portals: Portals::default() }
    }

    /// What comes before a commit: references that wait are looked at, cursors that outlive it read their rows, and temporary
    /// tables become what ON COMMIT says.
    pub(super) fn before_commit(&mut self, scope: &mut Scope) -> Step<()> {
        self.settle(scope, None)?;
        self.portals.hold_over_commit(scope)?;
        scope.tidy_temporary()?;
        self.settle(scope, None)
    }

    /// Looks at references that wait, of these foreign keys or of all.
    pub(super) fn settle(&mut self, scope: &mut Scope, keys: Option<&[Oid]>) -> Step<()> {
        if scope.effects.deferred.is_due(keys) {
            self.portals.hold(scope)?;
        }
        scope.settle_deferred(keys)
    }
}

/// A portal.
pub(super) struct Portal {
    pub execution: Execution,
    pub formats: Arc<[i16]>,
    pub created_us: i64,
    /// Execute has been called.
    pub has_begun: bool,
    /// A call of Execute or FETCH has not answered yet.
    pub is_running: bool,
    /// Of the newest savepoint when it was opened.
    pub serial: u64,
    /// A cursor whose transaction has committed.
    pub is_held_over: bool,
}

/// The portals of a session. The unnamed one is replaced by every Bind.
#[derive(Default)]
pub(super) struct Portals {
    /// Boxed: most sessions are idle.
    unnamed: Option<Box<Portal>>,
    named: BTreeMap<String, Portal>,
}

impl Portals {
    /// 42P03 if the name is taken.
    pub(super) fn check_free(&self, name: &str) -> Result<()> {
        if name.is_empty() || !self.named.contains_key(name) {
            return Ok(());
        }
        let message = format!("cursor \"{name}\" already exists");
        Err(SqlError::new(SqlState::DUPLICATE_CURSOR, message))
    }

    pub(super) fn put(&mut self, name: &str, portal: Portal) {
        match name {
            "" => self.unnamed = Some(Box::new(portal)),
            name => drop(self.named.insert(name.to_owned(), portal)),
        }
    }

    /// Takes a portal out to run it; 34000 if there is none.
    pub(super) fn take(&mut self, name: &str) -> Result<Portal> {
        let found =
            if name.is_empty() { self.unnamed.take().map(|portal| *portal) } else { self.named.remove(name) };
        found.ok_or_else(|| missing("portal", name))
    }

    /// The same for one that FETCH names.
    pub(super) fn take_cursor(&mut self, name: &str) -> Result<Portal> {
        self.take(name).map_err(|_| missing("cursor", name))
    }

    pub(super) fn find(&self, name: &str) -> Option<&Portal> {
        if name.is_empty() { self.unnamed.as_deref() } else { self.named.get(name) }
    }

    pub(super) fn get(&self, name: &str) -> Result<&Portal> {
        self.find(name).ok_or_else(|| missing("portal", name))
    }

    pub(super) fn remove(&mut self, name: &str) {
        match name {
            "" => self.unnamed = None,
            name => drop(self.named.remove(name)),
        }
    }

    /// CLOSE; all of them without a name.
    pub(super) fn close(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.named.clear(),
            Some(name) => {
                self.take_cursor(name)?;
            }
        }
        Ok(())
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Portal> {
        self.unnamed.as_deref_mut().into_iter().chain(self.named.values_mut())
    }

    /// A portal whose statement has failed, or was given up, cannot be run again.
    pub(super) fn break_off(&mut self) {
        for portal in self.all_mut().filter(|it| it.is_running) {
            portal.execution.break_off();
        }
    }

    /// Those opened since the savepoint of this serial was set are gone.
    pub(super) fn remove_since(&mut self, serial: u64) {
        let is_older = |portal: &Portal| portal.serial < serial || portal.is_held_over;
        self.unnamed.take_if(|portal| !is_older(portal));
        self.named.retain(|_, portal| is_older(portal));
    }

    /// A transaction has ended, and with it all portals but the cursors that outlive it.
    pub(super) fn end_transaction(&mut self, ended: Ended) {
        self.unnamed = None;
        self.named.retain(|_, portal| {
            portal.is_held_over |= ended == Ended::Committed && portal.execution.may_outlive();
            portal.is_held_over
        });
    }

    /// The session ends.
    pub(super) fn clear(&mut self) {
        *self = Portals::default();
    }

    /// Another statement is about to begin: those under way compute what is left with the snapshot that they have.
    pub(super) fn hold(&mut self, scope: &mut Scope) -> Step<()> {
        for portal in self.all_mut() {
            portal.execution.hold(scope)?;
        }
        Ok(())
    }

    /// The transaction is about to commit: cursors that outlive it read all their rows. An error of one is the commit's.
    pub(super) fn hold_over_commit(&mut self, scope: &mut Scope) -> Step<()> {
        for portal in self.named.values_mut().filter(|portal| !portal.is_held_over) {
            portal.execution.hold_for_commit(scope)?;
        }
        Ok(())
    }

    /// Whether the transaction has made cursors that are to outlive it.
    pub(super) fn have_holdable(&self) -> bool {
        let is_holdable =
            |portal: &Portal| portal.execution.cursor().is_some_and(|cursor| cursor.options.hold);
        self.named.values().any(|portal| !portal.is_held_over && is_holdable(portal))
    }

    /// Shows the portals to the statement that begins.
    pub(super) fn show(&self, scope: &mut Scope) {
        if self.unnamed.is_none() && self.named.is_empty() && scope.view.cursors.is_empty() {
            return;
        }
        let unnamed = self.unnamed.as_deref().into_iter().map(|portal| ("", portal));
        let named = self.named.iter().map(|(name, portal)| (name.as_str(), portal));
        scope.view.cursors = unnamed.chain(named).map(|(name, portal)| shown(name, portal)).collect();
    }
}

fn shown(name: &str, portal: &Portal) -> CursorView {
    let execution = &portal.execution;
    let cursor = execution.cursor();
    CursorView {
        name: name.to_owned(),
        statement: execution.prepared.text().clone(),
        is_holdable: cursor.is_some_and(|cursor| cursor.options.hold),
        is_binary: cursor.is_some_and(|cursor| cursor.options.binary),
        is_scrollable: cursor.is_some_and(|cursor| cursor.is_scrollable()),
        created_us: portal.created_us,
        is_query: cursor.is_some() || execution.is_query(),
        is_held_over: portal.is_held_over,
        reads: if portal.is_held_over { Vec::new() } else { execution.reads() },
        is_locking: cursor.is_some_and(|cursor| cursor.plan().row_lock.is_some()),
        tables: cursor.map_or_else(Vec::new, |cursor| cursor.tables()),
        keys: cursor.and_then(|cursor| cursor.standing().cloned()),
        snapshots: cursor.map_or_else(Snapshots::default, Cursor::snapshots),
    }
}

fn missing(what: &str, name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CURSOR_NAME, format!("{what} \"{name}\" does not exist"))
}
