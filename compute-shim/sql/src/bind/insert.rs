//! INSERT: values brought to the table's columns, defaults, ON CONFLICT, RETURNING.
//!
//! The source node gives whole rows in storage order: what the statement does not name takes its default, dropped
//! columns are NULL.

use super::assigned_part::default_of_part;
use super::modify::Target;
use super::query::Wanted;
use super::referential::Change;
use super::row_expression::RowPlace;
use super::scope::{Frame, Names, Place, SelectFrame, VersionColumns};
use super::updatable::{Through, Verb};
use super::{Binder, Bound};
use crate::catalog::object::{Column, Identity, Index, IndexColumn, IndexState, KeyPart, Oid, Table};
use crate::catalog::system::{collation_of_column, collation_of_key};
use crate::expression::{Expr, Kind, same_with_collations};
use crate::function::host_by_name;
use crate::parse;
use crate::parse::tree::{
    self, AssignedTo, ConflictTarget, IndexElement, IndexTarget, Insert, Name, OnConflict, Overriding,
    QueryBody, Subscripts,
};
use crate::plan::{Conflict, ConflictUpdate, Exprs, Node, Predicate, RowCheck, RowRule, implies};
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, resolve};
use std::sync::Arc;

/// The defaults of a table's columns, parsed once for a statement of many rows.
struct Defaults<'t> {
    table: &'t Table,
    overriding: Option<Overriding>,
    parsed: Vec<Option<tree::Expr>>,
}

impl Defaults<'_> {
    /// Whether a value that is given for a column counts; 428C9 if it must not be given.
    fn takes(&self, column: usize) -> Result<bool> {
        let column = &self.table.columns[column];
        if column.is_generated() {
            let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
            return Err(SqlError::new(SqlState::GENERATED_ALWAYS, message)
                .with_detail(format!("Column \"{}\" is a generated column.", column.name)));
        }
        match (column.identity, self.overriding) {
            (None, _) | (Some(_), Some(Overriding::SystemValue)) | (Some(Identity::ByDefault), None) => {
                Ok(true)
            }
            (Some(_), Some(Overriding::UserValue)) => Ok(false),
            (Some(Identity::Always), None) => {
                let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
                let detail =
                    format!("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name);
                Err(SqlError::new(SqlState::GENERATED_ALWAYS, message)
                    .with_detail(detail)
                    .with_hint("Use OVERRIDING SYSTEM VALUE to override."))
            }
        }
    }
}

impl Binder<'_> {
    pub(super) fn insert(&mut self, insert: &Insert) -> Result<Bound> {
        let outer = self.common_names.len();
        self.common_tables(&insert.with)?;
        let mut target = self.change_target(&insert.table, insert.alias.as_deref(), Verb::Insert)?;
        let table = target.table.clone();
        let (columns, refused) = self.insert_columns(&target, &insert.columns)?;
        let mut defaults = Defaults {
            table: &table,
            overriding: insert.overriding,
            parsed: vec![None; table.columns.len()],
        };
        let source = self.insert_source(insert, &columns, &mut defaults);
        // One value more than columns before it: it is meant for the column that takes none.
        let source = source.map_err(|error| match refused {
            Some(refused) if error.message() == TOO_MANY_VALUES => refused,
            _ => error,
        })?;
        let checks = self.row_checks(&target)?;
        let filter = match &insert.copy_filter {
            Some(filter) => Some(Predicate::new(self.copy_filter(filter, &table)?)),
            None => None,
        };
        let conflict = match &insert.on_conflict {
            Some(on_conflict) => Some(self.conflict(on_conflict, &target, &mut defaults)?),
            None => None,
        };
        self.lock_referential(&table, Change::Insert);
        if let Some(update) = conflict.as_ref().and_then(|conflict| conflict.update.as_ref()) {
            self.lock_referential(&table, Change::Update(update.columns.clone()));
        }
        // What has become of the row is known once it is written, whether scans tell or not.
        let versions = VersionColumns::At(table.columns.len());
        target.names = std::mem::take(&mut target.names).with_versions(versions);
        let (returning, output) = self.returning(&insert.returning, &target, &[])?;
        self.common_names.truncate(outer);
        let node = Node::Insert { table, source: Arc::new(source), checks, filter, conflict, returning };
        Ok(Bound { node, columns: output })
    }

    /// The columns of the table that values are given for, in their order, and why the next one of a view takes none.
    fn insert_columns(
        &self,
        target: &Target,
        names: &[AssignedTo],
    ) -> Result<(Vec<usize>, Option<SqlError>)> {
        if let (true, Some(view)) = (names.is_empty(), &target.view) {
            let mut columns: Vec<usize> = Vec::with_capacity(view.width());
            for at in 0..view.width() {
                match view.column(at, target.verb) {
                    Ok(column) if columns.contains(&column) => {
                        return Ok((columns, Some(assigned_twice(&target.table.columns[column]))));
                    }
                    Ok(column) => columns.push(column),
                    Err(refused) => return Ok((columns, Some(refused))),
                }
            }
            return Ok((columns, None));
        }
        if names.is_empty() {
            let live = target.table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
            return Ok((live.map(|(at, _)| at).collect(), None));
        }
        let mut columns = Vec::with_capacity(names.len());
        for AssignedTo { column: name, subscripts } in names {
            let column = self.target_column(target, name)?;
            let written = |other: &&AssignedTo| other.column.last() == name.last();
            let is_written_twice = names.iter().filter(written).count() > 1;
            if columns.contains(&column) && !is_written_twice {
                return Err(assigned_twice(&target.table.columns[column]));
            }
            // Parts of a column may stand side by side.
            let is_whole = |other: &AssignedTo| other.subscripts.is_none();
            if columns.contains(&column)
                && (subscripts.is_none() || names[..columns.len()].iter().filter(written).any(is_whole))
            {
                let message = format!("column \"{}\" specified more than once", name.last());
                return Err(parse::at(SqlError::new(SqlState::DUPLICATE_COLUMN, message), name.position));
            }
            columns.push(column);
        }
        Ok((columns, None))
    }

    fn insert_source(
        &mut self,
        insert: &Insert,
        columns: &[usize],
        defaults: &mut Defaults<'_>,
    ) -> Result<Node> {
        match &insert.source {
            None => {
                let row = self.whole_row(Vec::new(), defaults)?;
                Ok(Node::Values { width: row.len(), rows: vec![Exprs::new(row)] })
            }
            Some(query) => match plain_values(query) {
                Some(rows) => self.insert_values(rows, columns, &insert.columns, defaults),
                None => self.insert_query(query, columns, &insert.columns, defaults),
            },
        }
    }

    fn insert_values(
        &mut self,
        rows: &[Vec<tree::Expr>],
        columns: &[usize],
        names: &[AssignedTo],
        defaults: &mut Defaults<'_>,
    ) -> Result<Node> {
        let width = rows.first().map_or(0, Vec::len);
        let mut bound = Vec::with_capacity(rows.len());
        for row in rows {
            if row.len() != width {
                let position = row.first().map_or(0, tree::Expr::start);
                let error = SqlError::syntax("VALUES lists must all be the same length");
                return Err(parse::at(error, position));
            }
            check_count(width, columns.len(), names, |at| row[at].start())?;
            let mut given = Vec::with_capacity(width);
            for (at, (expr, &column)) in row.iter().zip(columns).enumerate() {
                let part = names.get(at).filter(|to| !to.subscripts.is_none());
                let value = match expr {
                    tree::Expr::Default { .. } if let Some(to) = part => return Err(default_of_part(to)),
                    tree::Expr::Default { .. } => self.default_value(column, defaults)?,
                    expr => {
                        self.push_select(Place::InsertValues);
                        let value = self.expr(expr)?;
                        self.pop_select();
                        match defaults.takes(column)? {
                            true if let Some(to) = part => {
                                self.insert_part(&mut given, column, defaults.table, to, value)?
                            }
                            true => self.assign(value, &defaults.table.columns[column])?,
                            false => self.default_value(column, defaults)?,
                        }
                    }
                };
                given.push((column, value));
            }
            bound.push(Exprs::new(self.whole_row(given, defaults)?));
        }
        Ok(Node::Values { rows: bound, width: defaults.table.columns.len() })
    }

    fn insert_query(
        &mut self,
        query: &tree::Query,
        columns: &[usize],
        names: &[AssignedTo],
        defaults: &mut Defaults<'_>,
    ) -> Result<Node> {
        let table = defaults.table;
        let target = |(at, &column): (usize, &usize)| {
            let (id, typmod) = (table.columns[column].type_id, table.columns[column].typmod);
            let is_element =
                matches!(names.get(at), Some(AssignedTo { subscripts: Subscripts::Element(_), .. }));
            (id.array_element().filter(|_| is_element).unwrap_or(id), typmod)
        };
        let targets = columns.iter().enumerate().map(target);
        let wanted = Wanted { targets: targets.collect(), keeps_unknown: false };
        let bound = self.query(query, &wanted)?;
        check_count(bound.columns.len(), columns.len(), names, |at| bound.columns[at].position)?;
        let mut given = Vec::with_capacity(columns.len());
        for (at, (output, &column)) in bound.columns.iter().zip(columns).enumerate() {
            if !defaults.takes(column)? {
                continue;
            }
            let value = Expr::column(at, output.type_id, output.typmod).at(output.position);
            let value = match names.get(at).filter(|to| !to.subscripts.is_none()) {
                Some(to) => self.insert_part(&mut given, column, table, to, value)?,
                None => self.assign(value, &table.columns[column])?,
            };
            given.push((column, value));
        }
        let exprs = Exprs::new(self.whole_row(given, defaults)?);
        Ok(Node::Project { input: Arc::new(bound.node), exprs })
    }

    /// A column of a new row with one more of its parts; what is given of it before is taken out. It begins as NULL, whatever
    /// its default is.
    fn insert_part(
        &mut self,
        given: &mut Vec<(usize, Expr)>,
        column: usize,
        table: &Table,
        to: &AssignedTo,
        value: Expr,
    ) -> Result<Expr> {
        let definition = &table.columns[column];
        let before = given.iter().position(|(assigned, _)| *assigned == column);
        let old = match before {
            Some(before) => given.remove(before).1,
            None => Expr::null(definition.type_id),
        };
        self.push_select(Place::InsertValues);
        let value = self.with_part(old, definition, to, value)?;
        self.pop_select();
        Ok(value)
    }

    /// A row in storage order: what is given, and defaults.
    fn whole_row(&mut self, given: Vec<(usize, Expr)>, defaults: &mut Defaults<'_>) -> Result<Vec<Expr>> {
        let mut row: Vec<Option<Expr>> = vec![None; defaults.table.columns.len()];
        for (column, value) in given {
            row[column] = Some(value);
        }
        let mut whole = Vec::with_capacity(row.len());
        for (column, value) in row.into_iter().enumerate() {
            whole.push(match value {
                Some(value) => value,
                None => self.default_value(column, defaults)?,
            });
        }
        Ok(whole)
    }

    /// The default of a column, bound anew, so that each row has its own `nextval`.
    fn default_value(&mut self, column: usize, defaults: &mut Defaults<'_>) -> Result<Expr> {
        let table = defaults.table;
        let definition = &table.columns[column];
        // The value of a generated column is computed when the rest of the row is there.
        if definition.dropped || definition.is_generated() {
            return Ok(Expr::null(definition.type_id));
        }
        if definition.identity.is_some() {
            return self.identity_value(table, column);
        }
        let Some(text) = &definition.default else { return Ok(Expr::null(definition.type_id)) };
        if defaults.parsed[column].is_none() {
            defaults.parsed[column] = Some(parse::expression(text)?);
        }
        let parsed = defaults.parsed[column].clone().expect("set above");
        self.frames.push(Frame::Select(Box::new(SelectFrame::new(Place::Default))));
        let value = self.expr(&parsed)?;
        self.frames.pop();
        self.assign(value, definition)
    }

    /// The next value of an identity column's sequence.
    fn identity_value(&mut self, table: &Table, column: usize) -> Result<Expr> {
        let catalog = self.context.view.catalog();
        let sequence = catalog.sequences().find(|sequence| sequence.owned_by == Some((table.oid, column)));
        let Some(sequence) = sequence else {
            let message = format!("no owned sequence found for column \"{}\"", table.columns[column].name);
            return Err(SqlError::internal(message));
        };
        let functions = host_by_name("nextval");
        let function = functions.first().copied().ok_or_else(|| SqlError::internal("nextval is missing"))?;
        let argument = Expr::constant(Datum::Oid(sequence.oid), TypeId::REGCLASS);
        let memo = Some(self.memos);
        self.memos += 1;
        let next = Expr::new(Kind::Host { function, arguments: Box::new([argument]), memo }, TypeId::INT8);
        self.assign(next, &table.columns[column])
    }

    /// Brings a value to a column's type.
    pub(super) fn assign(&mut self, value: Expr, column: &Column) -> Result<Expr> {
        let (source, position) = (value.type_id, value.position);
        let assigned = self.coerce(value, column.type_id, column.typmod, CastContext::Assignment)?;
        assigned
            .ok_or_else(|| parse::at(resolve::cannot_assign(&column.name, column.type_id, source), position))
    }

    /// COPY's condition over a table's row.
    fn copy_filter(&mut self, filter: &tree::Expr, table: &Table) -> Result<Expr> {
        let mut frame = SelectFrame::new(Place::CopyWhere);
        frame.visible.push(Names::of_table(table, &table.name, 0));
        self.frames.push(Frame::Select(Box::new(frame)));
        let bound = self.expr(filter)?;
        let bound = self.condition(bound, "WHERE")?;
        self.frames.pop();
        Ok(bound)
    }

    /// The CHECK constraints of the table, over its row, and what the view asks.
    pub(super) fn row_checks(&mut self, target: &Target) -> Result<Vec<RowCheck>> {
        let table = &target.table;
        let mut checks = Vec::with_capacity(table.checks.len());
        for check in &table.checks {
            let parsed = parse::expression(&check.expression)?;
            let predicate = Predicate::new(self.table_expression(Some(table), &parsed, None)?);
            checks.push(RowCheck { name: check.name.clone(), rule: RowRule::Constraint, predicate });
        }
        checks.extend(target.view.iter().flat_map(Through::checks));
        Ok(checks)
    }

    fn conflict(
        &mut self,
        on_conflict: &OnConflict,
        target: &Target,
        defaults: &mut Defaults<'_>,
    ) -> Result<Conflict> {
        let arbiters = self.arbiters(&on_conflict.target, target)?;
        let Some((assignments, filter)) = &on_conflict.update else {
            return Ok(Conflict { arbiters, update: None });
        };
        if arbiters.is_empty() {
            let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
            let error = SqlError::syntax(message).with_hint("For example, ON CONFLICT (column_name).");
            return Err(parse::at(error, on_conflict.position));
        }
        let mut frame = SelectFrame::new(Place::UpdateSet);
        frame.visible.push(target.names.clone());
        // Without a name in front a column is ambiguous, as in PostgreSQL.
        let width = target.table.columns.len();
        frame.visible.push(match &target.view {
            None => Names::of_table(&target.table, "excluded", width),
            Some(view) => view.names_at("excluded", width)?,
        });
        self.frames.push(Frame::Select(Box::new(frame)));
        let (columns, values) =
            self.assignments(assignments, target, |binder, column| binder.default_value(column, defaults))?;
        self.set_place(Place::Where);
        let filter = self.optional_condition(filter.as_ref(), "WHERE")?;
        self.pop_select();
        let update =
            ConflictUpdate { columns, values: Exprs::new(values), filter: filter.map(Predicate::new) };
        Ok(Conflict { arbiters, update: Some(update) })
    }

    /// The default of a column, for `SET column = DEFAULT`.
    pub(super) fn column_default(&mut self, table: &Table, column: usize) -> Result<Expr> {
        let mut defaults = Defaults { table, overriding: None, parsed: vec![None; table.columns.len()] };
        self.default_value(column, &mut defaults)
    }
}

/// The rows of a query that is VALUES and nothing more, in parentheses or not. Where rows are spread in them it is not said how many
/// values there are.
fn plain_values(query: &tree::Query) -> Option<&[Vec<tree::Expr>]> {
    let is_plain = query.order_by.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && query.with.is_empty()
        && query.locks.is_empty();
    match &query.body {
        QueryBody::Values(rows) if is_plain => {
            let mut values = rows.iter().flatten();
            (!values.any(|value| matches!(value, tree::Expr::Fields(_)))).then_some(rows)
        }
        QueryBody::Nested(inner) if is_plain => plain_values(inner),
        _ => None,
    }
}

/// 42601 for two columns of a view that are one of the table.
fn assigned_twice(column: &Column) -> SqlError {
    SqlError::syntax(format!("multiple assignments to same column \"{}\"", column.name))
}

const TOO_MANY_VALUES: &str = "INSERT has more expressions than target columns";

/// Whether as many values are given as columns; without names the last ones may be left out.
fn check_count(
    given: usize,
    columns: usize,
    names: &[AssignedTo],
    position_of: impl Fn(usize) -> u32,
) -> Result<()> {
    if given > columns {
        let error = SqlError::syntax(TOO_MANY_VALUES);
        return Err(parse::at(error, position_of(columns)));
    }
    match names.get(given) {
        Some(name) => {
            let error = SqlError::syntax("INSERT has more target columns than expressions");
            Err(parse::at(error, name.column.position))
        }
        None => Ok(()),
    }
}

/// What an index must be made of to be the arbiter.
#[derive(Default)]
struct Arbiter {
    columns: Vec<usize>,
    expressions: Vec<Expr>,
    /// What holds of the rows.
    conditions: Vec<Expr>,
    /// Elements that an index must have with these collations.
    collated: Vec<(Expr, Oid)>,
}

impl Arbiter {
    fn fits(&self, index: &Index, table: &[Column]) -> bool {
        let is_wanted = |part: &IndexColumn| match &part.part {
            KeyPart::Column(column) => self.columns.contains(column),
            KeyPart::Expression(stored) => {
                self.expressions.iter().any(|wanted| same_with_collations(wanted, stored.expr()))
            }
        };
        let has_column = |column: &usize| index.columns.iter().any(|part| part.column() == Some(*column));
        let has_expression = |wanted: &Expr| {
            let is_it = |part: &IndexColumn| matches!(&part.part, KeyPart::Expression(stored) if same_with_collations(wanted, stored.expr()));
            index.columns.iter().any(is_it)
        };
        index.state == IndexState::Valid
            && index.unique
            && index.columns.iter().all(is_wanted)
            && self.columns.iter().all(has_column)
            && self.expressions.iter().all(has_expression)
            && self.collated.iter().all(|(wanted, collation)| {
                let is_it = |part: &IndexColumn| match (&part.part, &wanted.kind) {
                    (KeyPart::Column(column), Kind::Column(wanted)) => column == wanted,
                    (KeyPart::Expression(stored), _) => same_with_collations(wanted, stored.expr()),
                    _ => false,
                };
                index.columns.iter().any(|part| is_it(part) && collation_of_key(part, table) == *collation)
            })
            && index.predicate.as_ref().is_none_or(|predicate| implies(&self.conditions, predicate.expr()))
    }
}

impl Binder<'_> {
    /// The unique indexes that a conflict target names; none for no target.
    fn arbiters(&mut self, wanted_by: &ConflictTarget, target: &Target) -> Result<Vec<usize>> {
        let table = &*target.table;
        let mut wanted = Arbiter::default();
        match wanted_by {
            ConflictTarget::Any => return Ok(Vec::new()),
            ConflictTarget::Constraint(name) => return arbiter_named(target, name),
            ConflictTarget::Columns(names) => {
                for name in names {
                    self.wanted_part(target, &tree::Expr::Column(name.clone()), &mut wanted)?;
                }
            }
            ConflictTarget::Inferred { elements, predicate, position } => {
                for element in elements {
                    self.wanted_element(target, element, *position, &mut wanted)?;
                }
                if let Some(predicate) = predicate {
                    let bound =
                        self.row_expression(table, target.names.clone(), RowPlace::Arbiter, predicate)?;
                    wanted.conditions = bound.conjuncts();
                }
            }
        }
        let found = table.indexes.iter().enumerate().filter(|(_, index)| wanted.fits(index, &table.columns));
        let found: Vec<usize> = found.map(|(at, _)| at).collect();
        if found.is_empty() {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message));
        }
        Ok(found)
    }

    fn wanted_element(
        &mut self,
        target: &Target,
        element: &IndexElement,
        position: u32,
        wanted: &mut Arbiter,
    ) -> Result<()> {
        let refuse = |what: &str| {
            let message = format!("{what} is not allowed in ON CONFLICT clause");
            Err(parse::at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), position))
        };
        if element.descending.is_some() {
            return refuse("ASC/DESC");
        }
        if element.nulls_first.is_some() {
            return refuse("NULLS FIRST/LAST");
        }
        let collation = element.collation.as_ref().map(|name| self.collation_asked(name)).transpose();
        let collation = collation.map_err(|error| parse::at(error, position))?;
        if element.class.is_some() {
            return Err(SqlError::unsupported("an operator class in ON CONFLICT"));
        }
        let bound = match &element.target {
            IndexTarget::Column(name) => {
                let name = Name { parts: vec![name.clone()], position };
                self.wanted_part(target, &tree::Expr::Column(name), wanted)?
            }
            IndexTarget::Expr(expr) => self.wanted_part(target, expr, wanted)?,
        };
        wanted.collated.extend(collation.map(|collation| (bound, collation)));
        Ok(())
    }

    /// A column in parentheses is that column, unless COLLATE makes more of it.
    fn wanted_part(&mut self, target: &Target, expr: &tree::Expr, wanted: &mut Arbiter) -> Result<Expr> {
        let table = &target.table;
        let bound = self.row_expression(table, target.names.clone(), RowPlace::IndexKey, expr)?;
        let collation = bound.collation.oid(bound.type_id).unwrap_or_default();
        match bound.kind {
            Kind::Column(column) if collation == collation_of_column(&table.columns[column]) => {
                wanted.columns.push(column);
            }
            _ => wanted.expressions.push(bound.clone()),
        }
        Ok(bound)
    }
}

/// Whether a CHECK or a foreign key has the name.
fn has_other_constraint(table: &Table, name: &str) -> bool {
    table.checks.iter().any(|check| check.name == name)
        || table.foreign_keys.iter().any(|key| key.name == name)
}

fn arbiter_named(target: &Target, name: &str) -> Result<Vec<usize>> {
    let table = &target.table;
    // A view has no constraints.
    let found = table.indexes.iter().position(|index| index.constraint != 0 && index.name == *name);
    let relation = target.view.as_ref().map_or(&*table.name, Through::name);
    match found.filter(|_| target.view.is_none()) {
        Some(at) => Ok(vec![at]),
        None if target.view.is_none() && has_other_constraint(table, name) => {
            let message = "constraint in ON CONFLICT clause has no associated index";
            Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message))
        }
        None => {
            let message = format!("constraint \"{name}\" for table \"{relation}\" does not exist");
            Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}
