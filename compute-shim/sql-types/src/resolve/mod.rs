//! Type resolution: which operator, function or common type PostgreSQL would choose.
//!
//! Owns the candidate selection of PostgreSQL 15, chapter 10 ("Type Conversion"), and the errors that name what was
//! not found. `candidate.rs` holds the selection, `polymorphic.rs` makes pseudo-types concrete. Works on types alone;
//! an untyped literal or parameter is [`TypeId::UNKNOWN`]. Executes nothing.

mod candidate;
mod polymorphic;

use crate::cast::{CastContext, coercion};
use crate::error::{Result, SqlError, SqlState};
use crate::operator::{self, Operator};
use crate::types::{TypeId, Typmod};
use candidate::{Choice, choose};

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
    /// Whether polymorphic arguments are taken in their text form.
    fn prints_arguments(&self) -> bool {
        false
    }
}

impl<S: Signature> Signature for &S {
    fn arguments(&self) -> &[TypeId] {
        (*self).arguments()
    }

    fn result(&self) -> TypeId {
        (*self).result()
    }

    fn variadic(&self) -> Option<TypeId> {
        (*self).variadic()
    }

    fn defaults(&self) -> usize {
        (*self).defaults()
    }

    fn prints_arguments(&self) -> bool {
        (*self).prints_arguments()
    }
}

impl Signature for crate::function::Function {
    fn arguments(&self) -> &[TypeId] {
        self.arguments
    }

    fn result(&self) -> TypeId {
        self.result
    }

    fn variadic(&self) -> Option<TypeId> {
        self.variadic
    }

    fn defaults(&self) -> usize {
        self.defaults
    }

    fn prints_arguments(&self) -> bool {
        crate::function::Function::prints_arguments(self)
    }
}

impl Signature for crate::aggregate::Aggregate {
    fn arguments(&self) -> &[TypeId] {
        self.arguments
    }

    fn result(&self) -> TypeId {
        self.result
    }
}

/// What resolution of a function call found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedCall {
    /// Index into the candidates.
    pub candidate: usize,
    /// The type that each actual argument has to be coerced to, implicitly; polymorphic ones made concrete. Arguments of a
    /// `VARIADIC "any"` part say `text`: bring them there by an explicit coercion.
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
    /// The type that the right operand has to be coerced to. For `text || anything` it is `text`, which takes an explicit
    /// coercion; implicit ones suffice elsewhere, and an explicit one gives the same result.
    pub right: TypeId,
    /// The concrete result type.
    pub result: TypeId,
}

/// Finds the operator meant by a symbol and the types of its operands (`left` is `None` for a prefix operator).
/// 42883 `operator does not exist: …` or 42725 `operator is not unique: …`.
pub fn operator(name: &str, left: Option<TypeId>, right: TypeId) -> Result<ResolvedOperator> {
    // != is another spelling that the lexer of PostgreSQL removes.
    let symbol = if name == "!=" { "<>" } else { name };
    let candidates: Vec<&'static Operator> = operator::by_name(symbol)
        .iter()
        .filter(|operator| operator.left.is_some() == left.is_some())
        .collect();
    let actual: Vec<TypeId> = left.into_iter().chain([right]).collect();
    if let Some(exact) = exact_operator(&candidates, left, right) {
        return resolved_operator(exact, &actual);
    }
    let declared: Vec<Vec<TypeId>> = candidates.iter().map(|operator| operands(operator)).collect();
    match choose(&declared, &actual) {
        Choice::One(at) => resolved_operator(candidates[at], &actual),
        Choice::None => Err(operator_not_found(symbol, left, right)),
        Choice::Many => {
            let error = SqlError::new(
                SqlState::AMBIGUOUS_FUNCTION,
                format!("operator is not unique: {}", operator_text(symbol, left, right)),
            );
            Err(error.with_hint(
                "Could not choose a best candidate operator. You might need to add explicit type casts.",
            ))
        }
    }
}

fn operands(operator: &Operator) -> Vec<TypeId> {
    operator.left.into_iter().chain([operator.right]).collect()
}

/// An operator for exactly these types; an untyped side is first taken to be of the other's type.
fn exact_operator(
    candidates: &[&'static Operator],
    left: Option<TypeId>,
    right: TypeId,
) -> Option<&'static Operator> {
    let find = |left: Option<TypeId>, right: TypeId| {
        candidates.iter().copied().find(|operator| operator.left == left && operator.right == right)
    };
    match left {
        Some(TypeId::UNKNOWN) if right != TypeId::UNKNOWN => find(Some(right), right),
        Some(left) if right == TypeId::UNKNOWN && left != TypeId::UNKNOWN => find(Some(left), left),
        _ => find(left, right),
    }
}

fn resolved_operator(operator: &'static Operator, actual: &[TypeId]) -> Result<ResolvedOperator> {
    let declared = operands(operator);
    let concrete = polymorphic::resolve(&declared, actual, operator.result)?;
    let text_for = |declared: TypeId, concrete: TypeId| {
        // anynonarray || text prints its operand.
        let printed = operator.name == "||" && declared == TypeId::ANYNONARRAY;
        if printed { TypeId::TEXT } else { concrete }
    };
    let mut types =
        declared.iter().zip(&concrete.arguments).map(|(&declared, &concrete)| text_for(declared, concrete));
    let left = operator.left.and_then(|_| types.next());
    let right = types.next().expect("every operator has a right operand");
    Ok(ResolvedOperator { operator, left, right, result: concrete.result })
}

fn operator_text(name: &str, left: Option<TypeId>, right: TypeId) -> String {
    match left {
        Some(left) => format!("{} {name} {}", left.display_name(), right.display_name()),
        None => format!("{name} {}", right.display_name()),
    }
}

/// 42883 for an operator.
fn operator_not_found(name: &str, left: Option<TypeId>, right: TypeId) -> SqlError {
    let message = format!("operator does not exist: {}", operator_text(name, left, right));
    let hint = match left {
        Some(_) => {
            "No operator matches the given name and argument types. You might need to add explicit type casts."
        }
        None => {
            "No operator matches the given name and argument type. You might need to add an explicit type cast."
        }
    };
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(hint)
}

/// Finds the function meant among `candidates`, all those that bear the name. `variadic_call`: the call was
/// written with VARIADIC. 42883 `function … does not exist` or 42725 `function … is not unique`.
///
/// A call `t(x)` with a type's name for `t` and one argument may mean a cast: that is the caller's to try when this
/// answers 42883.
pub fn function<S: Signature>(
    name: &str,
    candidates: &[S],
    arguments: &[TypeId],
    variadic_call: bool,
) -> Result<ResolvedCall> {
    let mut usable: Vec<(usize, Vec<TypeId>, bool)> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        if let Some((declared, expanded)) = declared_for(candidate, arguments.len(), variadic_call) {
            // Of two that look alike here, the one that need not be expanded wins.
            match usable.iter_mut().find(|(_, other, _)| *other == declared) {
                Some(same) if same.2 && !expanded => *same = (at, declared, expanded),
                Some(_) => {}
                None => usable.push((at, declared, expanded)),
            }
        }
    }
    let declared: Vec<Vec<TypeId>> = usable.iter().map(|(_, declared, _)| declared.clone()).collect();
    let exact = declared.iter().position(|declared| declared == arguments);
    let choice = match exact {
        Some(at) => Choice::One(at),
        None => choose(&declared, arguments),
    };
    match choice {
        Choice::One(at) => {
            let (candidate, declared, expanded) = &usable[at];
            resolved_call(*candidate, &candidates[*candidate], declared, *expanded, arguments)
        }
        Choice::None => Err(function_not_found(name, arguments)),
        Choice::Many => {
            let message = format!("function {} is not unique", call_text(name, arguments));
            let error = SqlError::new(SqlState::AMBIGUOUS_FUNCTION, message);
            Err(error.with_hint(
                "Could not choose a best candidate function. You might need to add explicit type casts.",
            ))
        }
    }
}

/// The declared types for a call with `count` arguments, and whether its variadic part was spread out.
fn declared_for<S: Signature>(
    candidate: &S,
    count: usize,
    variadic_call: bool,
) -> Option<(Vec<TypeId>, bool)> {
    let declared = candidate.arguments();
    if let Some(element) = candidate.variadic()
        && !variadic_call
        && count >= declared.len()
    {
        let fixed = declared.len() - 1;
        let mut spread = declared[..fixed].to_vec();
        spread.resize(count, element);
        return Some((spread, true));
    }
    if variadic_call && candidate.variadic().is_none() {
        return None;
    }
    let fits = count <= declared.len() && count + candidate.defaults() >= declared.len();
    fits.then(|| (declared[..count].to_vec(), false))
}

fn resolved_call<S: Signature>(
    candidate: usize,
    signature: &S,
    declared: &[TypeId],
    expanded: bool,
    actual: &[TypeId],
) -> Result<ResolvedCall> {
    let concrete = polymorphic::resolve(declared, actual, signature.result())?;
    let any = signature.variadic() == Some(TypeId::ANY);
    let fixed = signature.arguments().len().saturating_sub(1);
    let mut arguments = concrete.arguments;
    if signature.prints_arguments() {
        arguments.fill(TypeId::TEXT);
    }
    if expanded && any {
        arguments[fixed..].fill(TypeId::TEXT);
    }
    let gather_from = (expanded && !any).then_some(fixed);
    Ok(ResolvedCall { candidate, arguments, result: concrete.result, gather_from })
}

fn call_text(name: &str, arguments: &[TypeId]) -> String {
    let types: Vec<String> = arguments.iter().map(|id| id.display_name()).collect();
    format!("{name}({})", types.join(", "))
}

/// 42883 for a function.
pub fn function_not_found(name: &str, arguments: &[TypeId]) -> SqlError {
    let message = format!("function {} does not exist", call_text(name, arguments));
    SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

/// The common type of CASE, UNION, VALUES, COALESCE, GREATEST, IN lists and ARRAY; `context` is the word for the
/// error (42804 `CASE types text and integer cannot be matched`). All unknown gives `text`. For CASE the type of ELSE comes
/// first, as in PostgreSQL.
///
/// 42846 `CASE could not convert type x to y` if one of them has no implicit way to the chosen type.
pub fn common_type(context: &str, types: &[TypeId]) -> Result<TypeId> {
    let mut chosen =
        *types.first().ok_or_else(|| SqlError::internal("a common type of no types was asked for"))?;
    for &next in &types[1..] {
        if next == TypeId::UNKNOWN || next == chosen {
            continue;
        }
        if chosen == TypeId::UNKNOWN {
            chosen = next;
        } else if next.category() != chosen.category() {
            let (left, right) = (chosen.display_name(), next.display_name());
            let message = format!("{context} types {left} and {right} cannot be matched");
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message));
        } else if !chosen.is_preferred()
            && can_coerce(chosen, next, CastContext::Implicit)
            && !can_coerce(next, chosen, CastContext::Implicit)
        {
            chosen = next;
        }
    }
    if chosen == TypeId::UNKNOWN {
        return Ok(TypeId::TEXT);
    }
    match types.iter().find(|&&id| !can_coerce(id, chosen, CastContext::Implicit)) {
        Some(stuck) => {
            let (from, to) = (stuck.display_name(), chosen.display_name());
            let context = match context {
                "CASE" if *stuck == types[0] => "CASE/ELSE",
                "CASE" => "CASE/WHEN",
                other => other,
            };
            let message = format!("{context} could not convert type {from} to {to}");
            Err(SqlError::new(SqlState::CANNOT_COERCE, message))
        }
        None => Ok(chosen),
    }
}

/// Whether a value of `source` can be converted to `target` in this context (`can_coerce_type`).
pub fn can_coerce(source: TypeId, target: TypeId, context: CastContext) -> bool {
    coercion(source, target, Typmod::NONE, context).is_some()
}

/// 42846 `cannot cast type <source> to <target>`.
pub fn cannot_cast(source: TypeId, target: TypeId) -> SqlError {
    let (source, target) = (source.display_name(), target.display_name());
    SqlError::new(SqlState::CANNOT_COERCE, format!("cannot cast type {source} to {target}"))
}

/// 42804 for a value that cannot be assigned to a column.
pub fn cannot_assign(column: &str, target: TypeId, source: TypeId) -> SqlError {
    let (target, source) = (target.display_name(), source.display_name());
    let message = format!("column \"{column}\" is of type {target} but expression is of type {source}");
    SqlError::new(SqlState::DATATYPE_MISMATCH, message)
        .with_hint("You will need to rewrite or cast the expression.")
}

#[cfg(test)]
mod tests;
