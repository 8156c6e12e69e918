//! Calls of hypothetical-set aggregates: `rank(x) WITHIN GROUP (ORDER BY y)` and its kin.
//!
//! There are as many direct arguments as expressions to order by, and each pair is brought to one type: the arguments of the
//! call are first those of the row that is not there, then those of each row that is.

use super::Binder;
use super::call::Callable;
use crate::expression::Expr;
use crate::parse::at;
use crate::parse::tree::FunctionCall;
use crate::plan::{AggregateCall, SortKey};
use hexalog_sql_types::aggregate::Aggregate;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId};

/// The hypothetical-set aggregate among what a name means.
pub(super) fn hypothetical(candidates: &[Callable]) -> Option<&'static Aggregate> {
    candidates.iter().find_map(|candidate| match candidate {
        Callable::Aggregate(function) if function.kind.is_hypothetical() => Some(*function),
        _ => None,
    })
}

impl Binder<'_> {
    /// `arguments`: the direct ones and those of WITHIN GROUP.
    pub(super) fn hypothetical_parts(
        &mut self,
        call: &FunctionCall,
        function: &'static Aggregate,
        arguments: Vec<Expr>,
    ) -> Result<(AggregateCall, TypeId)> {
        let (direct, ordered) = (call.arguments.len(), call.order_by.len());
        if direct != ordered {
            return Err(at(no_such_number(call, &arguments), call.name.position));
        }
        let (mut rows, mut pairs) = (Vec::with_capacity(2 * direct), Vec::with_capacity(direct));
        let mut arguments = arguments;
        let behind = arguments.split_off(direct);
        for (hypothetical, own) in arguments.into_iter().zip(behind) {
            let (pair, _) = self.unify("WITHIN GROUP", vec![own, hypothetical])?;
            let [own, hypothetical] = <[Expr; 2]>::try_from(pair).expect("as many as were given");
            self.check_sortable(own.type_id, own.typmod).map_err(|error| at(error, own.position))?;
            rows.push(hypothetical);
            pairs.push(own);
        }
        rows.append(&mut pairs);
        let key = |(nth, item): (usize, &crate::parse::tree::OrderItem)| SortKey {
            column: direct + nth,
            type_id: rows[direct + nth].type_id,
            descending: item.descending,
            nulls_first: item.nulls_first.unwrap_or(item.descending),
        };
        let order_by = call.order_by.iter().enumerate().map(key).collect();
        let filter = match &call.filter {
            Some(filter) => Some(self.condition_of(filter, "FILTER")?),
            None => None,
        };
        let (arguments, order_exprs, distinct) = (rows, Vec::new(), false);
        let call = AggregateCall { function, arguments, order_by, order_exprs, distinct, filter };
        Ok((call, function.result))
    }
}

/// 42883 as PostgreSQL words it for these.
fn no_such_number(call: &FunctionCall, arguments: &[Expr]) -> SqlError {
    let types: Vec<String> = arguments.iter().map(|argument| argument.type_id.display_name()).collect();
    let message = format!("function {}({}) does not exist", call.name, types.join(", "));
    let hint = format!(
        "To use the hypothetical-set aggregate {}, the number of hypothetical direct arguments (here {}) must match the number of ordering columns (here {}).",
        call.name,
        call.arguments.len(),
        call.order_by.len()
    );
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(hint)
}
