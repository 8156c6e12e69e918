//! Rows as values: what their columns are called, `(row).column` and `(row).*`.
//!
//! Owns the shapes of a statement's rows. As in PostgreSQL, whose rows of no named type carry a number in their type modifier, the
//! modifier of a `record` is the number of its shape: it goes along wherever a type does, through subqueries, common tables and
//! slots, and two rows of one shape have one number. Numbers mean something to one binder alone, and leave it with nothing
//! (decision 0136).

use super::call::Callable;
use super::scope::find_table;
use super::select::Item;
use super::select::check_width;
use super::{Binder, OutputColumn};
use crate::catalog::object::Oid;
use crate::expression::{Collation, Expr, Kind};
use crate::parse::at;
use crate::parse::tree::{self, Name};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod, resolve};
use std::sync::Arc;

/// What a row of a table has besides its columns.
const VERSION_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// A column of a row. Rows that differ by collations alone have two shapes, since a number must say which collations a field
/// has, and are rows of one kind all the same ([`RowColumn::is_like`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowColumn {
    pub name: Box<str>,
    pub type_id: TypeId,
    pub typmod: Typmod,
    /// As it is outside of what made the row.
    pub collation: Collation,
}

impl RowColumn {
    fn is_like(&self, other: &RowColumn) -> bool {
        self.name == other.name && self.type_id == other.type_id && self.typmod == other.typmod
    }
}

fn are_like(left: &[RowColumn], right: &[RowColumn]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.is_like(right))
}

/// The columns of a row.
pub(super) type RowShape = Arc<[RowColumn]>;

impl Binder<'_> {
    /// The modifier of rows of these columns.
    pub(super) fn shape(&mut self, columns: Vec<RowColumn>) -> Typmod {
        let known = self.shapes.iter().position(|shape| **shape == *columns);
        let number = known.unwrap_or_else(|| {
            self.shapes.push(columns.into());
            self.shapes.len() - 1
        });
        Typmod(i32::try_from(number).expect("a statement's text is shorter than 2 GiB"))
    }

    /// A row that is made here, with its shape.
    pub(super) fn shaped(&mut self, row: Expr) -> Expr {
        let Kind::Row(items, names) = &row.kind else { return row };
        let column = |(at, item): (usize, &Expr)| RowColumn {
            name: names.as_ref().map_or_else(|| format!("f{}", at + 1).into(), |names| names[at].clone()),
            type_id: item.type_id,
            typmod: item.typmod,
            collation: item.collation.outside(),
        };
        let columns = items.iter().enumerate().map(column).collect();
        let typmod = self.shape(columns);
        row.with_typmod(typmod)
    }

    /// The columns of an expression's value, if it is a row and they are known.
    fn shape_of(&self, expr: &Expr) -> Option<RowShape> {
        self.shape_of_type(expr.type_id, expr.typmod)
    }

    pub(super) fn shape_of_type(&self, type_id: TypeId, typmod: Typmod) -> Option<RowShape> {
        match type_id {
            TypeId::RECORD => self.shapes.get(usize::try_from(typmod.0).ok()?).cloned(),
            _ => None,
        }
    }

    /// The modifier of rows of which an expression gives one or another, if they are alike: each column has the collation that
    /// they come to together.
    pub(super) fn common_shape(&mut self, rows: &[Expr]) -> Typmod {
        let shapes: Option<Vec<RowShape>> = rows.iter().map(|row| self.shape_of(row)).collect();
        let Some((first, others)) = shapes.as_deref().and_then(<[RowShape]>::split_first) else {
            return Typmod::NONE;
        };
        if !others.iter().all(|other| are_like(first, other)) {
            return Typmod::NONE;
        }
        let together = |(at, column): (usize, &RowColumn)| {
            let sides = others.iter().map(|other| other[at].collation);
            let collation = sides.fold(column.collation, |left, right| {
                Collation::of_sides((column.type_id, left, 0), (column.type_id, right, 0))
            });
            RowColumn { collation: collation.outside(), ..column.clone() }
        };
        let columns = first.iter().enumerate().map(together).collect();
        self.shape(columns)
    }

    /// Whether both are rows that differ by collations alone. As in PostgreSQL those of a set operation are as on its left.
    pub(super) fn is_like(&self, left: &OutputColumn, right: &OutputColumn) -> bool {
        let shape = |column: &OutputColumn| self.shape_of_type(column.type_id, column.typmod);
        shape(left).zip(shape(right)).is_some_and(|(left, right)| are_like(&left, &right))
    }

    /// `(row).column`, or a function of one argument that is written so.
    pub(super) fn field(&mut self, operand: &tree::Expr, name: &str) -> Result<Expr> {
        let value = self.expr(operand)?;
        if let Some(field) = self.field_of(&value, name) {
            return Ok(field);
        }
        if let (tree::Expr::Column(relation), Kind::Row(_, Some(_))) = (operand, &value.kind)
            && VERSION_COLUMNS.contains(&name)
        {
            let parts = relation.parts.iter().cloned().chain([name.to_owned()]).collect();
            return self.column(&Name { parts, position: relation.position });
        }
        let written = Name::single(name);
        let mut candidates = self.callables(&written);
        candidates.retain(|candidate| !matches!(candidate, Callable::Aggregate(_) | Callable::Window(_)));
        if resolve::function(name, &candidates, &[value.type_id], false).is_ok() {
            return self.resolve_call(&written, &candidates, vec![value], false);
        }
        if let Some(cast) = self.cast_call(name, 0, &value)? {
            return Ok(cast);
        }
        Err(at(no_field(operand, &value, name), operand.start()))
    }

    /// The column of this name, if the value is a row that is known to have one.
    pub(super) fn field_of(&self, value: &Expr, name: &str) -> Option<Expr> {
        let shape = self.shape_of(value)?;
        let column = shape.iter().position(|column| *column.name == *name)?;
        Some(self.field_at(value, column, &shape))
    }

    /// A column of a row; of one that is made here, what it is made of. Where an expression is kept as it was written, ROW(…)
    /// stays: COLLATE within it says less than without it.
    fn field_at(&self, value: &Expr, at: usize, shape: &RowShape) -> Expr {
        let column = &shape[at];
        if let Kind::Row(items, names) = &value.kind
            && (self.folds || names.is_some())
        {
            return items[at].clone().with_collation(column.collation);
        }
        let kind = Kind::Field { operand: Box::new(value.clone()), column: at, name: column.name.clone() };
        Expr::new(kind, column.type_id).with_typmod(column.typmod).with_collation(column.collation)
    }

    /// What ROW(…) is made of.
    pub(super) fn row_items(&mut self, items: &[tree::Expr]) -> Result<Vec<Expr>> {
        let mut bound = Vec::with_capacity(items.len());
        for item in items {
            match item {
                tree::Expr::Fields(row) => {
                    bound.extend(self.fields(row)?.into_iter().map(|column| column.expr));
                }
                item => bound.push(self.expr(item)?),
            }
            check_width(bound.len(), "ROW expressions")?;
        }
        Ok(bound)
    }

    /// The columns of `(row).*`.
    pub(super) fn fields(&mut self, operand: &tree::Expr) -> Result<Vec<Item>> {
        let value = self.expr(operand)?;
        if value.type_id != TypeId::RECORD {
            let message = format!("type {} is not composite", value.type_id.display_name());
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        }
        let Some(shape) = self.shape_of(&value) else {
            let message = "record type has not been registered";
            return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message));
        };
        self.note_fields(operand.start(), shape.iter().map(|column| &*column.name))?;
        let item = |(at, column): (usize, &RowColumn)| Item {
            name: column.name.to_string(),
            expr: self.field_at(&value, at, &shape).at(operand.start()),
            origin: self.field_origin(operand, &column.name),
        };
        Ok(shape.iter().enumerate().map(item).collect())
    }

    /// The table and column that `(relation).column` is.
    pub(super) fn field_origin(&self, operand: &tree::Expr, field: &str) -> (Oid, i16) {
        let tree::Expr::Column(name) = operand else { return (0, 0) };
        let visible = self.visible();
        let [alias] = name.parts.as_slice() else { return (0, 0) };
        if visible.iter().flat_map(|names| &names.columns).any(|column| column.name == *alias) {
            return (0, 0);
        }
        let columns = find_table(visible, &name.parts).into_iter().flat_map(|table| &table.columns);
        columns.into_iter().find(|column| column.name == field).map_or((0, 0), |column| column.origin)
    }
}

/// Why there is no such column.
fn no_field(operand: &tree::Expr, value: &Expr, field: &str) -> SqlError {
    let undefined = |message| SqlError::new(SqlState::UNDEFINED_COLUMN, message);
    match (operand, &value.kind) {
        (tree::Expr::Column(name), Kind::Row(_, Some(_))) => {
            undefined(format!("column {}.{field} does not exist", name.last()))
        }
        _ if value.type_id == TypeId::RECORD => {
            undefined(format!("could not identify column \"{field}\" in record data type"))
        }
        _ => {
            let type_name = value.type_id.display_name();
            let message = format!(
                "column notation .{field} applied to type {type_name}, which is not a composite type"
            );
            SqlError::new(SqlState::WRONG_OBJECT_TYPE, message)
        }
    }
}
