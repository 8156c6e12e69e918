//! Portals: statements with their parameters, ready to run or under way.
//!
//! Owns [`Portals`]. They end with their transaction, or with the savepoint that they were opened after.

use super::run::Execution;
use super::transaction::Scope;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A portal.
pub(super) struct Portal {
    pub execution: Execution,
    pub formats: Arc<[i16]>,
    /// Execute has been called.
    pub has_begun: bool,
    /// A call of Execute has not answered yet.
    pub is_running: bool,
    /// Of the newest savepoint when it was opened.
    pub serial: u64,
}

/// The portals of a session. The unnamed one is replaced by every Bind.
#[derive(Default)]
pub(super) struct Portals {
    unnamed: Option<Portal>,
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
            "" => self.unnamed = Some(portal),
            name => drop(self.named.insert(name.to_owned(), portal)),
        }
    }

    /// Takes a portal out to run it; 34000 if there is none.
    pub(super) fn take(&mut self, name: &str) -> Result<Portal> {
        let found = if name.is_empty() { self.unnamed.take() } else { self.named.remove(name) };
        found.ok_or_else(|| missing(name))
    }

    pub(super) fn get(&self, name: &str) -> Result<&Portal> {
        let found = if name.is_empty() { self.unnamed.as_ref() } else { self.named.get(name) };
        found.ok_or_else(|| missing(name))
    }

    pub(super) fn remove(&mut self, name: &str) {
        match name {
            "" => self.unnamed = None,
            name => drop(self.named.remove(name)),
        }
    }

    /// A portal whose statement has failed, or was given up, cannot be run again.
    pub(super) fn break_off(&mut self) {
        for portal in self.unnamed.iter_mut().chain(self.named.values_mut()).filter(|it| it.is_running) {
            portal.execution.break_off();
        }
    }

    /// Those opened since the savepoint of this serial was set are gone.
    pub(super) fn remove_since(&mut self, serial: u64) {
        self.unnamed.take_if(|portal| portal.serial >= serial);
        self.named.retain(|_, portal| portal.serial < serial);
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        self.named.clear();
    }

    /// Another statement is about to begin: those under way compute what is left with the snapshot that they have.
    pub(super) fn hold(&mut self, scope: &mut Scope) -> Step<()> {
        for portal in self.unnamed.iter_mut().chain(self.named.values_mut()) {
            if portal.has_begun {
                portal.execution.hold(scope)?;
            }
        }
        Ok(())
    }
}

fn missing(name: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
