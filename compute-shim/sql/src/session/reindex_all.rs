//! REINDEX SCHEMA, DATABASE and SYSTEM: one table after the other, each in a transaction of its own, as in PostgreSQL.
//!
//! So a table is locked while its own indexes are built and no longer, and what was done stays done if a later one fails. A
//! table that has gone meanwhile is passed over.

use super::define::Defining;
use super::transaction::{Scope, Status};
use crate::answer::CommandTag;
use crate::catalog::object::{Oid, Table};
use crate::definition::no_schema;
use crate::parse::tree::{Name, ObjectKind, ReindexedWhole, Statement};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// One such statement under way.
pub(super) struct ReindexAll {
    of: ReindexedWhole,
    name: String,
    /// The next one last, once they are known.
    tables: Option<Vec<Oid>>,
    current: Option<Box<Defining>>,
}

impl ReindexAll {
    pub(super) fn new(of: ReindexedWhole, name: &str) -> ReindexAll {
        ReindexAll { of, name: name.to_owned(), tables: None, current: None }
    }

    /// Goes on; call again after a need.
    pub(super) fn step(&mut self, scope: &mut Scope) -> Step<CommandTag> {
        if self.tables.is_none() {
            scope.check_outside_block(self.of.verb())?;
            scope.refresh_durable()?;
            self.tables = Some(self.find_tables(scope)?);
        }
        loop {
            if let Some(current) = &mut self.current {
                current.step(scope)?;
                self.current = None;
            }
            scope.commit_part()?;
            let Some(table) = self.tables.as_mut().and_then(Vec::pop) else {
                return Ok(CommandTag::plain("REINDEX"));
            };
            if let Some(table) = scope.view.catalog().table(table) {
                let schema = scope.view.catalog().schema_name(table.schema).to_owned();
                let name = Name { parts: vec![schema, table.name.clone()], position: 0 };
                let statement = Statement::Reindex { kind: ObjectKind::Table, name };
                scope.begin_implicit(Status::Started);
                self.current = Some(Box::new(Defining::new(statement)));
            }
        }
    }

    fn find_tables(&self, scope: &Scope) -> Result<Vec<Oid>> {
        let (view, catalog) = (&scope.view, scope.view.catalog());
        let schema = match self.of {
            ReindexedWhole::Schema => match view.schema_in(catalog, &self.name) {
                Some(schema) => Some(schema.oid),
                None => return Err(no_schema(&self.name)),
            },
            ReindexedWhole::Database | ReindexedWhole::System if self.name != view.database => {
                let message = "can only reindex the currently open database";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
            }
            ReindexedWhole::Database => None,
            ReindexedWhole::System => return Ok(Vec::new()),
        };
        let is_meant = |table: &&std::sync::Arc<Table>| {
            table.indexes.iter().any(|index| index.tree.is_some())
                && schema.is_none_or(|schema| schema == table.schema)
                && !view.is_of_other_session(catalog, table.schema)
        };
        let mut tables: Vec<Oid> = catalog.tables().filter(is_meant).map(|table| table.oid).collect();
        tables.sort_unstable_by(|left, right| right.cmp(left));
        Ok(tables)
    }
}
