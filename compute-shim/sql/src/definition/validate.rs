//! Rules that existing rows must comply with: NOT NULL and CHECK.
//!
//! Owns [`Rules`], which judges one row, and [`Validation`], which reads a whole table.

use super::build::RowScan;
use super::expression::{self, Evaluator};
use super::{DefinitionContext, expression::stored_check};
use crate::catalog::object::Table;
use crate::execute::Row;
use crate::expression::columns_used;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState};

/// NOT NULL columns and checks that are new.
pub(super) struct Rules {
    not_null: Vec<usize>,
    checks: Vec<(String, Evaluator)>,
    columns: Vec<usize>,
}

impl Rules {
    /// Columns by their place, checks by their name.
    pub(super) fn new(
        context: &DefinitionContext<'_>,
        table: &Table,
        not_null: &[usize],
        checks: &[String],
    ) -> Result<Rules> {
        let mut columns = not_null.to_vec();
        let mut evaluators = Vec::with_capacity(checks.len());
        for check in table.checks.iter().filter(|check| checks.contains(&check.name)) {
            let bound = stored_check(context, table, &check.expression)?;
            columns.extend(columns_used(&bound));
            evaluators.push((check.name.clone(), expression::Evaluator::new(bound)));
        }
        columns.sort_unstable();
        columns.dedup();
        Ok(Rules { not_null: not_null.to_vec(), checks: evaluators, columns })
    }

    /// The columns that rows are judged by.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// 23502 or 23514 if the row does not comply.
    pub(super) fn judge(
        &mut self,
        context: &mut DefinitionContext<'_>,
        table: &Table,
        row: &[Datum],
    ) -> Step<()> {
        let schema =
            |context: &DefinitionContext<'_>| context.view.catalog().schema_name(table.schema).to_owned();
        for &column in &self.not_null {
            if row[column].is_null() {
                let name = &table.columns[column].name;
                let message =
                    format!("column \"{name}\" of relation \"{}\" contains null values", table.name);
                return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message)
                    .with_table(schema(context), &table.name)
                    .with_column(name)
                    .into());
            }
        }
        for (name, evaluator) in &mut self.checks {
            if evaluator.value(row, context)?.as_bool() == Some(false) {
                let message = format!(
                    "check constraint \"{name}\" of relation \"{}\" is violated by some row",
                    table.name
                );
                return Err(SqlError::new(SqlState::CHECK_VIOLATION, message)
                    .with_table(schema(context), &table.name)
                    .with_constraint(name.as_str())
                    .into());
            }
        }
        Ok(())
    }
}

/// Judges every row of a table.
pub(super) struct Validation {
    rules: Rules,
    scan: RowScan,
    row: Row,
    has_row: bool,
}

impl Validation {
    pub(super) fn new(table: &Table, rules: Rules) -> Validation {
        Validation { rules, scan: RowScan::new(table.tree), row: Row::new(), has_row: false }
    }

    pub(super) fn run(&mut self, context: &mut DefinitionContext<'_>, table: &Table) -> Step<()> {
        loop {
            if !self.has_row && !self.scan.next(context, table, &self.rules.columns, &mut self.row)? {
                return Ok(());
            }
            self.has_row = true;
            self.rules.judge(context, table, &self.row)?;
            self.has_row = false;
        }
    }
}
