//! REINDEX in transactions of its own: SCHEMA, DATABASE and SYSTEM table by table, CONCURRENTLY index by index, as in PostgreSQL.
//!
//! So a table is locked while its own indexes are built and no longer, or not at all ([`super::concurrent_index`]), and what
//! was done stays done if a later one fails. What has gone meanwhile is passed over.

use super::concurrent_index::Concurrent;
use super::define::Defining;
use super::transaction::{Scope, Status};
use crate::answer::{CommandTag, Severity};
use crate::catalog::Relation;
use crate::catalog::object::{IndexState, Oid, PG_CATALOG_OID, Table};
use crate::definition::{no_schema, not_a, was_reindexed};
use crate::parse::tree::{Name, ObjectKind, ReindexOptions, ReindexedWhole, Statement};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// What is named.
pub(super) enum Reindexed {
    Whole(ReindexedWhole, String),
    /// A table or an index, CONCURRENTLY.
    Relation(ObjectKind, Name),
}

/// What is done in one go.
#[derive(Clone, Copy)]
enum Part {
    Table(Oid),
    /// The index of a table, without keeping others off.
    Index(Oid, Oid),
    /// VERBOSE tells of a table, behind its indexes.
    Told(Oid),
}

enum Current {
    Table(Box<Defining>),
    Index(Box<Concurrent>, Oid),
}

/// One such statement under way.
pub(super) struct Reindexing {
    of: Reindexed,
    options: ReindexOptions,
    /// The next one last, once they are known.
    parts: Option<Vec<Part>>,
    current: Option<Current>,
}

/// 0A000.
fn is_system() -> SqlError {
    let message = "cannot reindex system catalogs concurrently";
    SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
}

impl Reindexing {
    pub(super) fn new(of: Reindexed, options: ReindexOptions) -> Reindexing {
        Reindexing { of, options, parts: None, current: None }
    }

    /// Goes on; call again after a need.
    pub(super) fn step(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        if self.parts.is_none() {
            let verb = match &self.of {
                Reindexed::Whole(of, _) if !self.options.concurrently => of.verb(),
                _ => "REINDEX CONCURRENTLY",
            };
            scope.check_outside_block(verb)?;
            scope.refresh_durable()?;
            let mut parts = match &self.of {
                Reindexed::Whole(of, name) => self.parts_of_whole(scope, *of, name)?,
                Reindexed::Relation(kind, name) => self.parts_of_relation(scope, *kind, name)?,
            };
            parts.reverse();
            self.parts = Some(parts);
        }
        loop {
            match &mut self.current {
                Some(Current::Table(defining)) => drop(defining.step(scope)?),
                Some(Current::Index(concurrent, index)) => {
                    concurrent.step(scope)?;
                    if self.options.verbose
                        && let Some(relation) = scope.view.catalog().relation(*index)
                    {
                        let schema = scope.view.catalog().schema_name(relation.schema());
                        let told = was_reindexed(&format!("{schema}.{}", relation.name()));
                        scope.notices.push(told);
                    }
                }
                None => {}
            }
            self.current = None;
            scope.commit_part()?;
            match self.parts.as_mut().and_then(Vec::pop) {
                None => return Ok(CommandTag::plain("REINDEX")),
                Some(part) => self.current = self.begin(scope, part),
            }
        }
    }

    fn begin(&self, scope: &mut Scope, part: Part) -> Option<Current> {
        match part {
            Part::Index(table, index) => {
                Some(Current::Index(Box::new(Concurrent::rebuild(table, index)), index))
            }
            Part::Table(table) => {
                let table = scope.view.catalog().table(table)?;
                let schema = scope.view.catalog().schema_name(table.schema).to_owned();
                let name = Name { parts: vec![schema, table.name.clone()], position: 0 };
                let options = ReindexOptions { concurrently: false, ..self.options };
                let statement = Statement::Reindex { kind: ObjectKind::Table, name, options };
                scope.begin_implicit(Status::Started);
                Some(Current::Table(Box::new(Defining::new(statement))))
            }
            Part::Told(table) => {
                tell_of_table(scope, table);
                None
            }
        }
    }

    fn parts_of_whole(&self, scope: &mut Scope, of: ReindexedWhole, name: &str) -> Result<Vec<Part>> {
        if of == ReindexedWhole::System && self.options.concurrently {
            return Err(is_system());
        }
        let (view, catalog) = (&scope.view, scope.view.catalog_arc().clone());
        let schema = match of {
            ReindexedWhole::Schema => match view.schema_in(&catalog, name) {
                Some(schema) => Some(schema.oid),
                None => return Err(no_schema(name)),
            },
            ReindexedWhole::Database | ReindexedWhole::System if name != view.database => {
                let message = "can only reindex the currently open database";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            ReindexedWhole::Database => None,
            ReindexedWhole::System => return Ok(Vec::new()),
        };
        let is_meant = |table: &&Arc<Table>| {
            table.indexes.iter().any(|index| index.tree.is_some())
                && schema.is_none_or(|schema| schema == table.schema)
                && !view.is_of_other_session(&catalog, table.schema)
        };
        let mut tables: Vec<&Arc<Table>> = catalog.tables().filter(is_meant).collect();
        tables.sort_unstable_by_key(|table| table.oid);
        if !self.options.concurrently {
            return Ok(tables
                .into_iter()
                .flat_map(|table| self.told(vec![Part::Table(table.oid)], table))
                .collect());
        }
        if schema.is_none_or(|schema| schema == PG_CATALOG_OID) {
            let message = "cannot reindex system catalogs concurrently, skipping all";
            let warning = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
            scope.notices.push((Severity::Warning, warning));
        }
        Ok(tables.into_iter().flat_map(|table| self.told(parts_of_table(scope, table), table)).collect())
    }

    fn parts_of_relation(&self, scope: &mut Scope, kind: ObjectKind, name: &Name) -> Result<Vec<Part>> {
        match scope.view.find_relation(name)? {
            Relation::System(table) if !table.is_view && kind == ObjectKind::Table => Err(is_system()),
            Relation::Table(table) if kind == ObjectKind::Table => {
                scope.view.check_own(scope.view.catalog(), table.schema)?;
                let parts = parts_of_table(scope, &table);
                let has_good = table.indexes.iter().any(|index| index.state == IndexState::Valid);
                if parts.is_empty() && !has_good {
                    let message =
                        format!("table \"{}\" has no indexes that can be reindexed concurrently", table.name);
                    let notice = SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message);
                    scope.notices.push((Severity::Notice, notice));
                }
                // As in PostgreSQL, VERBOSE tells of a temporary table's indexes alone.
                let is_temporary = scope.view.catalog().is_temporary(table.schema);
                Ok(if is_temporary { parts } else { self.told(parts, &table) })
            }
            relation if kind == ObjectKind::Table => {
                Err(not_a("table or materialized view", relation.name()))
            }
            Relation::Index(table, at) => {
                scope.view.check_own(scope.view.catalog(), table.schema)?;
                let index = &table.indexes[at];
                Ok(match index.is_clustered() {
                    true => Vec::new(),
                    false if scope.view.catalog().is_temporary(table.schema) => vec![Part::Table(table.oid)],
                    false => vec![Part::Index(table.oid, index.oid)],
                })
            }
            relation => Err(not_a("index", relation.name())),
        }
    }

    /// The parts of a table, and that VERBOSE tells of it.
    fn told(&self, mut parts: Vec<Part>, table: &Table) -> Vec<Part> {
        if self.options.verbose && !parts.is_empty() {
            parts.push(Part::Told(table.oid));
        }
        parts
    }
}

/// PostgreSQL adds times.
fn tell_of_table(scope: &mut Scope, table: Oid) {
    let catalog = scope.view.catalog();
    let Some(table) = catalog.table(table) else { return };
    let message = format!("table \"{}.{}\" was reindexed", catalog.schema_name(table.schema), table.name);
    scope.notices.push((Severity::Info, SqlError::new(SqlState::SUCCESSFUL_COMPLETION, message)));
}

/// The indexes of a table that are built anew CONCURRENTLY: those that are good. Nobody else has to do with a temporary table.
fn parts_of_table(scope: &mut Scope, table: &Table) -> Vec<Part> {
    if scope.view.catalog().is_temporary(table.schema) {
        return vec![Part::Table(table.oid)];
    }
    let mut parts = Vec::new();
    for index in &table.indexes {
        let schema = scope.view.catalog().schema_name(table.schema);
        let name = &index.name;
        if index.state != IndexState::Valid {
            let message = format!("cannot reindex invalid index \"{schema}.{name}\" concurrently, skipping");
            let warning = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
            scope.notices.push((Severity::Warning, warning));
        } else if index.unique && !index.is_unique_at_once() {
            let message = format!(
                "cannot reindex index \"{schema}.{name}\" of a deferrable constraint concurrently, skipping"
            );
            let warning = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_hint("Say REINDEX INDEX without CONCURRENTLY.");
            scope.notices.push((Severity::Warning, warning));
        } else if index.tree.is_some() {
            parts.push(Part::Index(table.oid, index.oid));
        }
    }
    parts
}
