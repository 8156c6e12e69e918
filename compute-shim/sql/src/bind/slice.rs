//! Slices of arrays.

use super::Binder;
use crate::expression::{Expr, Kind};
use crate::parse::at;
use crate::parse::tree::{self, SliceRange};
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::ARRAY_SLICE;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};

/// Dimensions of an array.
const DIMENSIONS_MAX: usize = 6;

/// 54000 for more than an array can have.
pub(super) fn check_dimensions(count: usize) -> Result<()> {
    if count <= DIMENSIONS_MAX {
        return Ok(());
    }
    let message =
        format!("number of array dimensions ({count}) exceeds the maximum allowed ({DIMENSIONS_MAX})");
    Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message))
}

impl Binder<'_> {
    /// `array[l:u]…`: an array of the same type.
    pub(super) fn slice(&mut self, operand: &tree::Expr, ranges: &[SliceRange]) -> Result<Expr> {
        let operand = self.expr(operand)?;
        let result = self.sliced_type(&operand, ranges)?;
        let typmod = operand.typmod;
        let arguments = std::iter::once(operand).chain(self.slice_bounds(ranges)?).collect();
        let kind = Kind::Function { function: &ARRAY_SLICE, arguments };
        Ok(self.fold(Expr::new(kind, result).with_typmod(typmod)))
    }

    /// Which bounds are given (bits, from the first lower one on), and all bounds, two for each dimension.
    pub(super) fn slice_bounds(&mut self, ranges: &[SliceRange]) -> Result<Vec<Expr>> {
        check_dimensions(ranges.len())?;
        let (mut given, mut bounds) = (0, Vec::with_capacity(2 * ranges.len()));
        for bound in ranges.iter().flat_map(|range| [&range.lower, &range.upper]) {
            if bound.is_some() {
                given |= 1 << bounds.len();
            }
            bounds.push(match bound {
                Some(bound) => self.array_subscript(bound)?,
                None => Expr::constant(Datum::Int4(0), TypeId::INT4),
            });
        }
        bounds.insert(0, Expr::constant(Datum::Int4(given), TypeId::INT4));
        Ok(bounds)
    }

    fn sliced_type(&self, operand: &Expr, ranges: &[SliceRange]) -> Result<TypeId> {
        let id = operand.type_id;
        match id {
            TypeId::JSONB => {
                let first = ranges.iter().flat_map(|range| [&range.upper, &range.lower]).flatten().next();
                let error =
                    SqlError::new(SqlState::DATATYPE_MISMATCH, "jsonb subscript does not support slices");
                Err(at(error, first.map_or(0, tree::Expr::start)))
            }
            TypeId::NAME => {
                let message = "slices of fixed-length arrays not implemented";
                Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
            }
            // A part of a vector is an array.
            TypeId::INT2VECTOR => Ok(TypeId::INT2_ARRAY),
            TypeId::OIDVECTOR => Ok(TypeId::OID_ARRAY),
            _ if id.array_element().is_some() => Ok(id),
            _ => {
                let name = id.display_name();
                let message =
                    format!("cannot subscript type {name} because it does not support subscripting");
                Err(at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), operand.position))
            }
        }
    }

    /// A subscript of an array, or a bound of its slice.
    pub(super) fn array_subscript(&mut self, subscript: &tree::Expr) -> Result<Expr> {
        let position = subscript.start();
        let bound = self.expr(subscript)?;
        let coerced = self.coerce(bound, TypeId::INT4, Typmod::NONE, CastContext::Assignment)?;
        coerced.ok_or_else(|| {
            let message = "array subscript must have type integer";
            at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), position)
        })
    }
}
