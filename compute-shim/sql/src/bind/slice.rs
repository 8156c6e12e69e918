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

impl Binder<'_> {
    /// `array[l:u]…`: an array of the same type.
    pub(super) fn slice(&mut self, operand: &tree::Expr, ranges: &[SliceRange]) -> Result<Expr> {
        let operand = self.expr(operand)?;
        let result = self.sliced_type(&operand, ranges)?;
        if ranges.len() > DIMENSIONS_MAX {
            let message = format!(
                "number of array dimensions ({}) exceeds the maximum allowed ({DIMENSIONS_MAX})",
                ranges.len()
            );
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        let (mut given, mut bounds) = (0, Vec::with_capacity(2 * ranges.len()));
        for bound in ranges.iter().flat_map(|range| [&range.lower, &range.upper]) {
            if bound.is_some() {
                given |= 1 << bounds.len();
            }
            bounds.push(match bound {
                Some(bound) => self.bound_of_slice(bound)?,
                None => Expr::constant(Datum::Int4(0), TypeId::INT4),
            });
        }
        let typmod = operand.typmod;
        let given = Expr::constant(Datum::Int4(given), TypeId::INT4);
        let arguments = [operand, given].into_iter().chain(bounds).collect();
        let kind = Kind::Function { function: &ARRAY_SLICE, arguments };
        Ok(self.fold(Expr::new(kind, result).with_typmod(typmod)))
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

    fn bound_of_slice(&mut self, bound: &tree::Expr) -> Result<Expr> {
        let position = bound.start();
        let bound = self.expr(bound)?;
        let coerced = self.coerce(bound, TypeId::INT4, Typmod::NONE, CastContext::Assignment)?;
        coerced.ok_or_else(|| {
            let message = "array subscript must have type integer";
            at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), position)
        })
    }
}
