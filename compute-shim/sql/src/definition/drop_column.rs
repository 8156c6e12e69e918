//! ALTER TABLE … DROP COLUMN: what falls with a column, and what stands in the way.
//!
//! Generated columns and views that read it, foreign keys that rest on its indexes, and defaults that draw from its
//! sequences fall if CASCADE asks for it; its own checks, indexes, references and sequences fall anyway.

use super::alter_action::Draft;
use super::dependents::Dependents;
use super::drop::{notice_cascade, shown, still_needed, uses_of};
use super::names::Names;
use super::{DefinitionContext, column, expression};
use crate::catalog::Relation;
use crate::catalog::object::{ForeignKey, Index, Oid, Sequence};
use crate::expression::columns_used;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

impl Draft {
    pub(super) fn drop_column(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        if column::is_system_column(name) {
            let message = format!("cannot drop system column \"{name}\"");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        let Some(at) = self.table.column_index(name) else {
            let error = self.no_column(name);
            if !if_exists {
                return Err(error);
            }
            let message = format!("{}, skipping", error.message());
            context.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            return Ok(());
        };
        self.drop_owned_sequences(context, name, at, cascade)?;
        let mut fallen = self.generated_from(at);
        self.drop_readers(context, at, &fallen, cascade)?;
        fallen.insert(0, at);
        for at in fallen {
            self.remove_column(context, names, at, cascade)?;
        }
        Ok(())
    }

    /// The generated columns that read a column, the last one first as PostgreSQL lists them.
    fn generated_from(&self, at: usize) -> Vec<usize> {
        let mut found: Vec<usize> =
            self.table.generated().filter(|(_, kept)| kept.reads.contains(&at)).map(|(at, _)| at).collect();
        found.reverse();
        found
    }

    /// Generated columns and views that read a column fall with it, if that was asked for.
    fn drop_readers(
        &mut self,
        context: &mut DefinitionContext<'_>,
        at: usize,
        generated: &[usize],
        cascade: bool,
    ) -> Result<()> {
        let (before, oid) = (self.before.clone(), self.table.oid);
        let table = shown(context, &before, &Relation::Table(self.old.clone()));
        let called =
            |at: usize| format!("column {} of table {table}", quote_identifier(&self.table.columns[at].name));
        let mut above = Dependents::default();
        above.found.extend(generated.iter().map(|&reader| (called(reader), called(at))));
        for &column in std::iter::once(&at).chain(generated) {
            above.follow(context, &before, &called(column), &|view| view.used.contains(&(oid, column)));
        }
        let lines: Vec<String> = above.lines().collect();
        if !lines.is_empty() && !cascade {
            let what = format!("{} because other objects depend on it", called(at));
            return Err(still_needed(&what, &lines));
        }
        let objects: Vec<String> = above.found.into_iter().map(|(what, _)| what).collect();
        notice_cascade(context, &objects);
        self.fallen_views.extend(above.views.into_keys());
        Ok(())
    }

    /// A column with its checks, indexes and references.
    fn remove_column(
        &mut self,
        context: &mut DefinitionContext<'_>,
        names: &mut Names<'_>,
        at: usize,
        cascade: bool,
    ) -> Result<()> {
        let mut kept = Vec::with_capacity(self.table.checks.len());
        for check in std::mem::take(&mut self.table.checks) {
            let bound = expression::stored_check(context, &self.old, &check.expression)?;
            match columns_used(&bound).contains(&at) {
                true => names.free(&check.name),
                false => kept.push(check),
            }
        }
        self.table.checks = kept;
        let has_column = |index: &Index| index.rests_on(at);
        let fallen: Vec<Oid> =
            self.table.indexes.iter().filter(|index| has_column(index)).map(|index| index.oid).collect();
        let table = shown(context, &self.before, &Relation::Table(self.old.clone()));
        let what = format!("column {} of table {table}", quote_identifier(&self.table.columns[at].name));
        self.drop_referring(context, names, &fallen, (&what, &what), cascade)?;
        let refers = |key: &ForeignKey| key.columns.iter().any(|(own, _)| *own == at);
        self.table.foreign_keys.iter().filter(|key| refers(key)).for_each(|key| names.free(&key.name));
        self.table.foreign_keys.retain(|key| !refers(key));
        self.remove_indexes(names, has_column);
        let dropped = &mut self.table.columns[at];
        dropped.name = format!("........pg.dropped.{}........", at + 1);
        dropped.dropped = true;
        dropped.not_null = false;
        dropped.default = None;
        dropped.identity = None;
        dropped.generated = None;
        Ok(())
    }

    fn drop_owned_sequences(
        &mut self,
        context: &mut DefinitionContext<'_>,
        name: &str,
        at: usize,
        cascade: bool,
    ) -> Result<()> {
        let oid = self.table.oid;
        let owned: Vec<Arc<Sequence>> = self
            .before
            .sequences()
            .filter(|sequence| sequence.owned_by == Some((oid, at)))
            .cloned()
            .collect();
        let before = self.before.clone();
        let uses = uses_of(context, &before, &owned, |table, column| table == oid && column == at);
        if !uses.is_empty() && !cascade {
            let table = shown(context, &before, &Relation::Table(self.old.clone()));
            let details: Vec<String> = uses
                .iter()
                .map(|item| format!("{} depends on {}", item.description, item.sequence))
                .collect();
            let column = quote_identifier(name);
            let what = format!("column {column} of table {table} because other objects depend on it");
            return Err(still_needed(&what, &details));
        }
        let objects: Vec<String> = uses.iter().map(|item| item.description.clone()).collect();
        notice_cascade(context, &objects);
        for item in uses {
            if item.table == oid {
                self.table.columns[item.column].default = None;
                continue;
            }
            let at = self.other_table(item.table);
            self.other_tables[at].columns[item.column].default = None;
        }
        self.fallen_sequences.extend(owned);
        Ok(())
    }
}
