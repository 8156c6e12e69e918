//! UPDATE and DELETE: the target with its identity, what is joined to it, new values, RETURNING.
//!
//! The row below the change is the target's columns, the row's identity, and the columns of FROM or USING. The whole
//! condition is kept beside the plan, for rows that change while the statement waits for them.

use super::from::scan;
use super::query::Wanted;
use super::referential::Change;
use super::scope::{Names, Place, TableNames};
use super::select::{filtered, output};
use super::{Binder, Bound, OutputColumn};
use crate::catalog::Relation;
use crate::catalog::object::{Identity, Table};
use crate::expression::Expr;
use crate::parse::at;
use crate::parse::tree::{self, Assignment, Delete, FromItem, Name, SelectItem, Update, current_of};
use crate::plan::{Exprs, Node, Predicate};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// The table that a statement changes, with what RETURNING sees beside it.
pub(super) struct Target {
    pub table: Arc<Table>,
    /// Its name or alias.
    pub shown: String,
    pub others: Vec<Names>,
}

impl Binder<'_> {
    /// The table that a change names.
    pub(super) fn target_table(&mut self, name: &Name, verb: &str) -> Result<Arc<Table>> {
        let error = match self.relation(name)? {
            Relation::Table(table) => return Ok(table),
            Relation::System(table) => {
                let message = format!("permission denied: \"{}\" is a system catalog", table.name);
                SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
            }
            Relation::View(view) => {
                let message = format!("{verb} a view (\"{}\")", view.name);
                SqlError::unsupported(message)
            }
            Relation::Index(table, index) => {
                let message = format!("cannot open relation \"{}\"", table.indexes[index].name);
                SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
            }
            Relation::Sequence(sequence) => {
                let message = format!("cannot {verb} sequence \"{}\"", sequence.name);
                let message = message
                    .replace("insert into", "change")
                    .replace("update", "change")
                    .replace("delete from", "change");
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        };
        Err(at(error, name.position))
    }

    /// A column that is assigned to.
    pub(super) fn target_column(&self, table: &Table, name: &Name) -> Result<usize> {
        if name.parts.len() > 1 {
            return Err(at(SqlError::unsupported("assignment to a part of a column"), name.position));
        }
        table.column_index(name.last()).ok_or_else(|| {
            let message = format!("column \"{}\" of relation \"{}\" does not exist", name.last(), table.name);
            at(SqlError::new(SqlState::UNDEFINED_COLUMN, message), name.position)
        })
    }

    pub(super) fn update(&mut self, update: &Update) -> Result<Bound> {
        let outer = self.common_names.len();
        self.common_tables(&update.with)?;
        let table = self.target_table(&update.table, "update")?;
        let cursor = current_of(update.filter.as_ref());
        let (target, node) = self.change_source(&table, update.alias.as_deref(), &update.from, cursor)?;
        self.set_place(Place::UpdateSet);
        let (columns, values) = self.assignments(&update.assignments, &table, |binder, column| {
            binder.column_default(&table, column)
        })?;
        self.set_place(Place::Where);
        let condition = update.filter.as_ref().filter(|_| cursor.is_none());
        let filter = self.optional_condition(condition, "WHERE")?;
        self.pop_select();
        let checks = self.row_checks(&table)?;
        let (returning, output) = self.returning(&update.returning, &target)?;
        self.common_names.truncate(outer);
        self.lock_referential(&table, Change::Update(columns.clone()));
        let (input, recheck) = conditioned(node, filter);
        let values = Exprs::new(values);
        let node = Node::Update { table, input, columns, values, recheck, checks, returning };
        Ok(Bound { node, columns: output })
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Result<Bound> {
        let outer = self.common_names.len();
        self.common_tables(&delete.with)?;
        let table = self.target_table(&delete.table, "delete from")?;
        let cursor = current_of(delete.filter.as_ref());
        let (target, node) = self.change_source(&table, delete.alias.as_deref(), &delete.using, cursor)?;
        self.set_place(Place::Where);
        let condition = delete.filter.as_ref().filter(|_| cursor.is_none());
        let filter = self.optional_condition(condition, "WHERE")?;
        self.pop_select();
        let (returning, output) = self.returning(&delete.returning, &target)?;
        self.common_names.truncate(outer);
        self.lock_referential(&table, Change::Delete);
        let (input, recheck) = conditioned(node, filter);
        Ok(Bound { node: Node::Delete { table, input, recheck, returning }, columns: output })
    }

    /// The target joined with FROM or USING. Leaves a frame in which the rest of the statement is bound.
    fn change_source(
        &mut self,
        table: &Arc<Table>,
        alias: Option<&str>,
        from: &[FromItem],
        cursor: Option<&str>,
    ) -> Result<(Target, Node)> {
        self.lock(table.oid, RelationLockMode::RowExclusive);
        let shown = alias.unwrap_or(&table.name).to_owned();
        self.push_select(Place::From);
        let mut names = Names::of_table(table, &shown, 0);
        if alias.is_none() {
            names.tables[0].schema = Some(self.context.view.catalog().schema_name(table.schema).to_owned());
        }
        self.select_frame().visible.push(names);
        // Behind the table's columns stands the row's identity.
        let width = table.columns.len() + 1;
        let mut node = scan(table, &shown, true);
        if let Node::Scan(scan) = &mut node {
            scan.cursor = cursor.map(str::to_owned);
        }
        let (node, _) = self.from_list(from, Some((node, width)))?;
        let others = self.select_frame().visible[1..].to_vec();
        Ok((Target { table: table.clone(), shown, others }, node))
    }

    /// `SET column = value, …`.
    pub(super) fn assignments(
        &mut self,
        assignments: &[Assignment],
        table: &Table,
        mut default: impl FnMut(&mut Self, usize) -> Result<Expr>,
    ) -> Result<(Vec<usize>, Vec<Expr>)> {
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for Assignment { column: name, value } in assignments {
            let column = self.target_column(table, name)?;
            let definition = &table.columns[column];
            if columns.contains(&column) {
                let message = format!("multiple assignments to same column \"{}\"", definition.name);
                return Err(SqlError::syntax(message));
            }
            if definition.is_generated() {
                if matches!(value, tree::Expr::Default { .. }) {
                    continue;
                }
                let message = format!("column \"{}\" can only be updated to DEFAULT", definition.name);
                let detail = format!("Column \"{}\" is a generated column.", definition.name);
                return Err(SqlError::new(SqlState::GENERATED_ALWAYS, message).with_detail(detail));
            }
            let value = match value {
                tree::Expr::Default { .. } => default(self, column)?,
                value => {
                    if definition.identity == Some(Identity::Always) {
                        let message =
                            format!("column \"{}\" can only be updated to DEFAULT", definition.name);
                        let detail = format!(
                            "Column \"{}\" is an identity column defined as GENERATED ALWAYS.",
                            definition.name
                        );
                        return Err(SqlError::new(SqlState::GENERATED_ALWAYS, message).with_detail(detail));
                    }
                    let value = self.expr(value)?;
                    self.assign(value, definition)?
                }
            };
            columns.push(column);
            values.push(value);
        }
        Ok((columns, values))
    }

    /// RETURNING: over the changed row and what was joined.
    pub(super) fn returning(
        &mut self,
        items: &[SelectItem],
        target: &Target,
    ) -> Result<(Option<Exprs>, Vec<OutputColumn>)> {
        if items.is_empty() {
            return Ok((None, Vec::new()));
        }
        self.push_select(Place::Returning);
        let mut names = Names::of_table(&target.table, &target.shown, 0);
        let schema = self.context.view.catalog().schema_name(target.table.schema).to_owned();
        if target.shown == target.table.name {
            let own: &mut TableNames = &mut names.tables[0];
            own.schema = Some(schema);
        }
        let frame = self.select_frame();
        frame.visible.push(names);
        frame.visible.extend(target.others.iter().cloned());
        let items = self.items(items, &Wanted::default())?;
        self.pop_select();
        let exprs = items.iter().map(|item| item.expr.clone()).collect();
        Ok((Some(Exprs::new(exprs)), items.into_iter().map(output).collect()))
    }
}

fn conditioned(node: Node, filter: Option<Expr>) -> (Arc<Node>, Option<Predicate>) {
    match filter {
        None => (Arc::new(node), None),
        Some(filter) => {
            let recheck = Predicate::new(filter.clone());
            (Arc::new(filtered(node, filter)), Some(recheck))
        }
    }
}
