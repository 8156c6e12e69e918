//! UPDATE and DELETE: the target with its identity, what is joined to it, new values, RETURNING.
//!
//! The row below the change is the target's columns, the row's identity, and the columns of FROM or USING. The whole
//! condition is kept beside the plan, for rows that change while the statement waits for them. A change through a view is one of
//! the table below it (`updatable.rs`).

use super::assigned_part::default_of_part;
use super::from::{Hidden, scan};
use super::query::Wanted;
use super::referential::Change;
use super::scope::{Names, Place};
use super::select::{filtered, output};
use super::updatable::{Through, Verb};
use super::{Binder, Bound, OutputColumn};
use crate::catalog::Relation;
use crate::catalog::object::{Column, Identity, Oid, Table};
use crate::definition::is_system_column;
use crate::expression::Expr;
use crate::parse::at;
use crate::parse::tree::{
    self, AssignedTo, AssignedValue, Assignment, Delete, FromItem, Name, SelectItem, Subscripts, Update,
    current_of,
};
use crate::plan::{Exprs, Node, Predicate};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// What a statement changes.
pub(super) struct Target {
    pub table: Arc<Table>,
    /// Its name or alias.
    pub shown: String,
    /// The columns that can be named, over the table's row.
    pub names: Names,
    /// The view through which the table is changed.
    pub view: Option<Through>,
    pub verb: Verb,
}

impl Binder<'_> {
    /// The table or view that a change names.
    pub(super) fn change_target(&mut self, name: &Name, alias: Option<&str>, verb: Verb) -> Result<Target> {
        let words = verb.words_of_relation();
        let error = match self.relation(name)? {
            Relation::Table(table) => {
                let names = Names::of_table(&table, alias.unwrap_or(&table.name), 0);
                return Ok(self.target_of(
                    table.clone(),
                    (&table.name, table.schema),
                    alias,
                    names,
                    None,
                    verb,
                ));
            }
            Relation::View(view) => {
                let through = self.target_view(&view, verb)?;
                let names = through.names(alias.unwrap_or(&view.name));
                let (table, place) = (through.table.clone(), (&*view.name, view.schema));
                return Ok(self.target_of(table, place, alias, names, Some(through), verb));
            }
            Relation::System(table) => {
                let message = format!("permission denied: \"{}\" is a system catalog", table.name);
                SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message)
            }
            Relation::Index(table, index) => {
                let message = format!("cannot open relation \"{}\"", table.indexes[index].name);
                SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
                    .with_detail("This operation is not supported for indexes.")
            }
            Relation::Sequence(sequence) => {
                let message = format!("cannot {words} sequence \"{}\"", sequence.name);
                let message = message
                    .replace("insert into", "change")
                    .replace("update", "change")
                    .replace("delete from", "change");
                return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
            }
        };
        Err(at(error, name.position))
    }

    fn target_of(
        &mut self,
        table: Arc<Table>,
        (name, schema): (&str, Oid),
        alias: Option<&str>,
        mut names: Names,
        view: Option<Through>,
        verb: Verb,
    ) -> Target {
        self.lock(table.oid, RelationLockMode::RowExclusive);
        if alias.is_none() {
            names.tables[0].schema = Some(self.context.view.catalog().schema_name(schema).to_owned());
        }
        Target { table, shown: alias.unwrap_or(name).to_owned(), names, view, verb }
    }

    /// A column of the table that is assigned to.
    pub(super) fn target_column(&self, target: &Target, name: &Name) -> Result<usize> {
        // There are no columns of composite types, so a field is one of a column that has none.
        let (first, field) = (&*name.parts[0], name.parts.get(1));
        let missing = |relation: &str| {
            let message = format!("column \"{first}\" of relation \"{relation}\" does not exist");
            at(SqlError::new(SqlState::UNDEFINED_COLUMN, message), name.position)
        };
        let column = match &target.view {
            None => match target.table.column_index(first) {
                Some(column) => column,
                None if target.verb == Verb::Update && is_system_column(first) => {
                    let message = format!("cannot assign to system column \"{first}\"");
                    let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message);
                    return Err(at(error, name.position));
                }
                None => return Err(missing(&target.table.name)),
            },
            Some(view) => {
                let at = view.position(first).ok_or_else(|| missing(view.name()))?;
                view.column(at, target.verb)?
            }
        };
        let Some(field) = field else { return Ok(column) };
        let type_name = target.table.columns[column].type_id.display_name();
        let message = format!(
            "cannot assign to field \"{field}\" of column \"{first}\" because its type {type_name} is not a composite type"
        );
        Err(at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), name.position))
    }

    pub(super) fn update(&mut self, update: &Update) -> Result<Bound> {
        let outer = self.common_names.len();
        self.common_tables(&update.with)?;
        let mut target = self.change_target(&update.table, update.alias.as_deref(), Verb::Update)?;
        self.find_versions(&mut target);
        let table = target.table.clone();
        let cursor = current_of(update.filter.as_ref());
        let (others, node) = self.change_source(&target, &update.from, cursor)?;
        self.set_place(Place::UpdateSet);
        let (columns, values) = self.assignments(&update.assignments, &target, |binder, column| {
            binder.column_default(&table, column)
        })?;
        self.set_place(Place::Where);
        let condition = update.filter.as_ref().filter(|_| cursor.is_none());
        let filter = self.optional_condition(condition, "WHERE")?;
        self.pop_select();
        let checks = self.row_checks(&target)?;
        let (returning, output) = self.returning(&update.returning, &target, &others)?;
        self.common_names.truncate(outer);
        self.lock_referential(&table, Change::Update(columns.clone()));
        let (input, recheck) = conditioned(node, &target, filter);
        let values = Exprs::new(values);
        let node = Node::Update {
            table,
            input,
            columns,
            values,
            recheck,
            checks,
            returning,
            with_versions: self.reads_versions(),
        };
        Ok(Bound { node, columns: output })
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Result<Bound> {
        let outer = self.common_names.len();
        self.common_tables(&delete.with)?;
        let mut target = self.change_target(&delete.table, delete.alias.as_deref(), Verb::Delete)?;
        self.find_versions(&mut target);
        let table = target.table.clone();
        let cursor = current_of(delete.filter.as_ref());
        let (others, node) = self.change_source(&target, &delete.using, cursor)?;
        self.set_place(Place::Where);
        let condition = delete.filter.as_ref().filter(|_| cursor.is_none());
        let filter = self.optional_condition(condition, "WHERE")?;
        self.pop_select();
        let (returning, output) = self.returning(&delete.returning, &target, &others)?;
        self.common_names.truncate(outer);
        self.lock_referential(&table, Change::Delete);
        let (input, recheck) = conditioned(node, &target, filter);
        let with_versions = self.reads_versions();
        Ok(Bound { node: Node::Delete { table, input, recheck, returning, with_versions }, columns: output })
    }

    /// The version columns of a table to be changed stand behind the row's identity.
    fn find_versions(&self, target: &mut Target) {
        let versions = self.version_columns(target.table.columns.len() + 1);
        target.names = std::mem::take(&mut target.names).with_versions(versions);
    }

    /// The target joined with FROM or USING, and the names of these. Leaves a frame in which the rest of the statement is
    /// bound.
    fn change_source(
        &mut self,
        target: &Target,
        from: &[FromItem],
        cursor: Option<&str>,
    ) -> Result<(Vec<Names>, Node)> {
        if cursor.is_some() && target.view.is_some() {
            let message = "WHERE CURRENT OF on a view is not implemented";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        }
        self.push_select(Place::From);
        self.select_frame().visible.push(target.names.clone());
        // Behind the table's columns stands the row's identity.
        let table = &target.table;
        let hidden = Hidden { identity: true, versions: self.reads_versions() };
        let width = table.columns.len() + hidden.width();
        let mut node = scan(self.context.view.catalog(), table, &target.shown, hidden);
        if let Node::Scan(scan) = &mut node {
            scan.cursor = cursor.map(str::to_owned);
        }
        let (node, _) = self.from_list(from, Some((node, width)))?;
        Ok((self.select_frame().visible[1..].to_vec(), node))
    }

    /// `SET column = value, …`.
    pub(super) fn assignments(
        &mut self,
        assignments: &[Assignment],
        target: &Target,
        mut default: impl FnMut(&mut Self, usize) -> Result<Expr>,
    ) -> Result<(Vec<usize>, Vec<Expr>)> {
        let mut assigned = Assigned::default();
        // Of the query that gives the row which is being assigned.
        let mut row = Vec::new();
        for Assignment { to, value } in assignments {
            let column = self.target_column(target, &to.column)?;
            let definition = &target.table.columns[column];
            assigned.check_once(column, definition, to)?;
            let value = match value {
                AssignedValue::Expr(tree::Expr::Default { .. }) if !to.subscripts.is_none() => {
                    return Err(default_of_part(to));
                }
                AssignedValue::Expr(tree::Expr::Default { .. }) if definition.is_generated() => continue,
                AssignedValue::Expr(tree::Expr::Default { .. }) => {
                    let value = default(self, column)?;
                    assigned.put(column, value, to);
                    continue;
                }
                AssignedValue::Expr(value) => self.expr(value)?,
                AssignedValue::OfQuery { query, column, columns, position } => {
                    if let Some(query) = query {
                        row = self.row_of_query(query, *columns, *position)?;
                    }
                    row[*column].clone()
                }
            };
            let value = match to.subscripts {
                Subscripts::None => self.assign(value, definition)?,
                _ => {
                    let own = Expr::column(column, definition.type_id, definition.typmod);
                    let own = own.at(to.column.position);
                    self.with_part(assigned.value(column).unwrap_or(own), definition, to, value)?
                }
            };
            refuse_value(definition)?;
            assigned.put(column, value, to);
        }
        Ok((assigned.columns, assigned.values))
    }

    /// RETURNING: over the changed row and what was joined.
    pub(super) fn returning(
        &mut self,
        items: &[SelectItem],
        target: &Target,
        others: &[Names],
    ) -> Result<(Option<Exprs>, Vec<OutputColumn>)> {
        if items.is_empty() {
            return Ok((None, Vec::new()));
        }
        self.push_select(Place::Returning);
        let frame = self.select_frame();
        frame.visible.push(target.names.clone());
        frame.visible.extend(others.iter().cloned());
        let items = self.items(items, &Wanted::default())?;
        self.pop_select();
        let exprs = items.iter().map(|item| item.expr.clone()).collect();
        Ok((Some(Exprs::new(exprs)), items.into_iter().map(output).collect()))
    }
}

/// The columns that are assigned to, and their new values.
#[derive(Default)]
struct Assigned {
    columns: Vec<usize>,
    values: Vec<Expr>,
    /// Columns of which parts are assigned to.
    in_parts: Vec<usize>,
}

impl Assigned {
    /// 42601 for a second assignment, unless both are to parts.
    fn check_once(&self, column: usize, definition: &Column, to: &AssignedTo) -> Result<()> {
        if self.columns.contains(&column) && (to.subscripts.is_none() || !self.in_parts.contains(&column)) {
            let message = format!("multiple assignments to same column \"{}\"", definition.name);
            return Err(SqlError::syntax(message));
        }
        Ok(())
    }

    fn value(&self, column: usize) -> Option<Expr> {
        let before = self.columns.iter().position(|assigned| *assigned == column)?;
        Some(self.values[before].clone())
    }

    fn put(&mut self, column: usize, value: Expr, to: &AssignedTo) {
        if let Some(before) = self.columns.iter().position(|assigned| *assigned == column) {
            self.values[before] = value;
            return;
        }
        if !to.subscripts.is_none() {
            self.in_parts.push(column);
        }
        self.columns.push(column);
        self.values.push(value);
    }
}

/// 428C9 for a value of a column that takes its own alone.
fn refuse_value(column: &Column) -> Result<()> {
    let kind = match column.identity {
        _ if column.is_generated() => "a generated column",
        Some(Identity::Always) => "an identity column defined as GENERATED ALWAYS",
        _ => return Ok(()),
    };
    let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
    let detail = format!("Column \"{}\" is {kind}.", column.name);
    Err(SqlError::new(SqlState::GENERATED_ALWAYS, message).with_detail(detail))
}

/// The rows that a change reaches: those that the view shows, if it goes through one, and the statement wants.
fn conditioned(node: Node, target: &Target, filter: Option<Expr>) -> (Arc<Node>, Option<Predicate>) {
    let shown = target.view.iter().flat_map(Through::conditions);
    match Expr::and(shown.chain(filter).collect()) {
        None => (Arc::new(node), None),
        Some(filter) => {
            let recheck = Predicate::new(filter.clone());
            (Arc::new(filtered(node, filter)), Some(recheck))
        }
    }
}
