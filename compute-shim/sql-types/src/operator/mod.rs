//! Operators: the table of `pg_operator` and the code behind it.
//!
//! Owns [`Operator`] and the table. Never chooses among candidates (see `resolve`).

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;
use crate::function::ScalarFn;
use crate::types::TypeId;

/// One operator. All are strict and, unless marked, immutable.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// `pg_operator.oid`, PostgreSQL's own number.
    pub oid: u32,
    /// The symbol, e.g. `+`, `~~`.
    pub name: &'static str,
    /// Type of the left operand, `None` for a prefix operator.
    pub left: Option<TypeId>,
    /// Type of the right operand.
    pub right: TypeId,
    /// Type of the result; polymorphic for the array operators.
    pub result: TypeId,
    /// `oprcode`: oid of the function behind it.
    pub function: u32,
    /// `oprcom`: oid of the commutator, 0 if none.
    pub commutator: u32,
    /// `oprnegate`: oid of the negator, 0 if none.
    pub negator: u32,
    /// Whether the result depends on the session's time zone.
    pub stable: bool,
    /// The code; called with one or two values that are not NULL.
    pub call: ScalarFn,
}

impl Operator {
    /// Applies the operator; NULL operands give NULL.
    pub fn apply(&self, env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
        assert_eq!(operands.len(), 1 + usize::from(self.left.is_some()), "the binder passes all operands");
        if operands.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        (self.call)(env, operands)
    }
}

/// Every operator, grouped by name.
pub fn operators() -> &'static [Operator] {
    &[]
}

/// The operators of one name, prefix and infix.
pub fn by_name(name: &str) -> impl Iterator<Item = &'static Operator> {
    operators().iter().filter(move |operator| operator.name == name)
}

/// An operator by its oid.
pub fn by_oid(oid: u32) -> Option<&'static Operator> {
    operators().iter().find(|operator| operator.oid == oid)
}
