//! Assignment to a part of a column: an element or a slice of an array, a place in a jsonb value.
//!
//! What is assigned to the column is its old value with the part replaced. Several parts of one column nest, in the order in
//! which they are written.

use super::Binder;
use super::slice::check_dimensions;
use crate::catalog::object::Column;
use crate::expression::{Expr, Kind};
use crate::parse::at;
use crate::parse::tree::{self, AssignedTo, Subscripts};
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{
    ARRAY_ELEMENT_ASSIGNMENT, ARRAY_SLICE_ASSIGNMENT, JSONB_SUBSCRIPT_ASSIGNMENT,
};
use hexalog_sql_types::{Array, Datum, SqlError, SqlState, TypeId, Typmod};

/// 0A000: a part has no default of its own.
pub(super) fn default_of_part(to: &AssignedTo) -> SqlError {
    let message = "cannot set an array element to DEFAULT";
    at(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message), to.column.position)
}

impl Binder<'_> {
    /// The column's value once the part is replaced in its old one.
    pub(super) fn with_part(
        &mut self,
        old: Expr,
        column: &Column,
        to: &AssignedTo,
        value: Expr,
    ) -> Result<Expr> {
        let position = to.column.position;
        let id = column.type_id;
        let (wanted, is_element) = match (&to.subscripts, id.array_element()) {
            (Subscripts::None, _) => unreachable!("a part was named"),
            (_, _) if [TypeId::NAME, TypeId::INT2VECTOR, TypeId::OIDVECTOR].contains(&id) => {
                let what = format!("assignment to a part of type {}", id.display_name());
                return Err(at(SqlError::unsupported(what), position));
            }
            (Subscripts::Element(_), Some(element)) => (element, true),
            (Subscripts::Slice(_), Some(_)) => (id, false),
            (Subscripts::Element(_), None) if id == TypeId::JSONB => (id, true),
            (Subscripts::Slice(ranges), None) if id == TypeId::JSONB => {
                let first = ranges.iter().flat_map(|range| [&range.upper, &range.lower]).flatten().next();
                let message = "jsonb subscript does not support slices";
                let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message);
                return Err(at(error, first.map_or(position, tree::Expr::start)));
            }
            (_, None) => {
                let name = id.display_name();
                let message =
                    format!("cannot subscript type {name} because it does not support subscripting");
                return Err(at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), old.position));
            }
        };
        let subscripts = self.part_subscripts(id, &to.subscripts)?;
        let given = value.type_id;
        let typmod = if id == TypeId::JSONB { Typmod::NONE } else { column.typmod };
        let value = self.coerce(value, wanted, typmod, CastContext::Assignment)?.ok_or_else(|| {
            let message = format!(
                "subscripted assignment to \"{}\" requires type {} but expression is of type {}",
                column.name,
                wanted.display_name(),
                given.display_name()
            );
            let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.");
            at(error, position)
        })?;
        let (function, arguments) = match subscripts {
            PartSubscripts::Json { path, is_array } => {
                let is_array = Expr::constant(Datum::Bool(is_array), TypeId::BOOL);
                (&JSONB_SUBSCRIPT_ASSIGNMENT, vec![old, path, value, is_array])
            }
            PartSubscripts::Array(subscripts) => {
                let element = id.array_element().expect("seen above");
                let empty = Expr::constant(Array::from_values(element, Vec::new()).into(), id);
                let function = if is_element { &ARRAY_ELEMENT_ASSIGNMENT } else { &ARRAY_SLICE_ASSIGNMENT };
                (function, [old, empty, value].into_iter().chain(subscripts).collect())
            }
        };
        let kind = Kind::Function { function, arguments: arguments.into() };
        Ok(Expr::new(kind, id).with_typmod(column.typmod))
    }

    fn part_subscripts(&mut self, id: TypeId, subscripts: &Subscripts) -> Result<PartSubscripts> {
        match subscripts {
            Subscripts::None => unreachable!("a part was named"),
            Subscripts::Element(steps) if id == TypeId::JSONB => {
                let (path, is_array) = self.json_path(steps)?;
                Ok(PartSubscripts::Json { path, is_array })
            }
            Subscripts::Element(subscripts) => {
                check_dimensions(subscripts.len())?;
                let bound: Result<Vec<Expr>> =
                    subscripts.iter().map(|subscript| self.array_subscript(subscript)).collect();
                bound.map(PartSubscripts::Array)
            }
            Subscripts::Slice(ranges) => self.slice_bounds(ranges).map(PartSubscripts::Array),
        }
    }
}

enum PartSubscripts {
    /// Of a jsonb value; whether a NULL becomes an array.
    Json {
        path: Expr,
        is_array: bool,
    },
    Array(Vec<Expr>),
}
