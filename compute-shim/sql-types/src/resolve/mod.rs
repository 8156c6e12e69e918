//! Type resolution: which operator, function or common type PostgreSQL would choose.
//!
//! Owns the candidate selection of PostgreSQL 15, chapter 10 ("Type Conversion"), and the errors that name what was
//! not found. Works on types alone; an untyped literal or parameter is [`TypeId::UNKNOWN`]. Executes nothing.

use crate::cast::CastContext;
use crate::error::{Result, SqlError, SqlState};
use crate::operator::Operator;
use crate::types::TypeId;

/// A callable as resolution sees it: a built-in function, an aggregate, or one of the caller's own tables.
pub trait Signature {
    /// Declared argument types.
    fn arguments(&self) -> &[TypeId];
    /// Declared result type.
    fn result(&self) -> TypeId;
    /// Element type of a trailing variadic argument.
    fn variadic(&self) -> Option<TypeId> {
        None
    }
    /// Trailing arguments that may be left out.
    fn defaults(&self) -> usize {
        0
    }
}

/// What resolution of a function call found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedCall {
    /// Index into the candidates.
    pub candidate: usize,
    /// The type that each actual argument has to be coerced to, polymorphic ones made concrete.
    pub arguments: Vec<TypeId>,
    /// The concrete result type.
    pub result: TypeId,
    /// `Some(n)`: arguments from index n on are to be gathered into one array of `arguments[n]` elements.
    pub gather_from: Option<usize>,
}

/// What resolution of an operator found.
#[derive(Clone, Debug)]
pub struct ResolvedOperator {
    /// The operator.
    pub operator: &'static Operator,
    /// The type that the left operand has to be coerced to.
    pub left: Option<TypeId>,
    /// The type that the right operand has to be coerced to.
    pub right: TypeId,
    /// The concrete result type.
    pub result: TypeId,
}

/// Finds the operator meant by a symbol and the types of its operands (`left` is `None` for a prefix operator).
/// 42883 `operator does not exist: …` or 42725 `operator is not unique: …`.
pub fn operator(name: &str, left: Option<TypeId>, right: TypeId) -> Result<ResolvedOperator> {
    let _ = left;
    Err(SqlError::unsupported(format!("operator {name} on {}", right.display_name())))
}

/// Finds the function meant among `candidates`, all those that bear the name. `variadic_call`: the call was
/// written with VARIADIC. 42883 `function … does not exist` or 42725 `function … is not unique`.
pub fn function<S: Signature>(
    name: &str,
    candidates: &[S],
    arguments: &[TypeId],
    variadic_call: bool,
) -> Result<ResolvedCall> {
    let _ = (candidates, arguments, variadic_call);
    Err(SqlError::unsupported(format!("function {name}")))
}

/// The common type of CASE, UNION, VALUES, COALESCE, GREATEST, IN lists and ARRAY; `context` is the word for the
/// error (42804 `CASE types text and integer cannot be matched`). All unknown gives `text`.
pub fn common_type(context: &str, types: &[TypeId]) -> Result<TypeId> {
    let _ = context;
    types.first().copied().ok_or_else(|| SqlError::internal("no types"))
}

/// Whether a value of `source` can be converted to `target` in this context (`can_coerce_type`).
pub fn can_coerce(source: TypeId, target: TypeId, context: CastContext) -> bool {
    crate::cast::coercion(source, target, crate::types::Typmod::NONE, context).is_some()
}

/// 42846 `cannot cast type <source> to <target>`.
pub fn cannot_cast(source: TypeId, target: TypeId) -> SqlError {
    let (source, target) = (source.display_name(), target.display_name());
    SqlError::new(SqlState::CANNOT_COERCE, format!("cannot cast type {source} to {target}"))
}
