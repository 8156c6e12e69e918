//! Scalar functions: the table of `pg_proc` for functions that need no catalog, and their code.
//!
//! Owns [`Function`] and the table. Functions that ask the catalog or the session (`pg_get_indexdef`, `nextval`,
//! `current_user`, `set_config` …) and set-returning ones belong to the `sql` crate, which keeps a table of its own and
//! resolves both together through [`crate::resolve::Signature`]. COALESCE, NULLIF, GREATEST and LEAST are syntax and
//! belong there as well.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;
use crate::types::TypeId;

/// The code of a function or operator.
pub type ScalarFn = fn(&EvalEnv<'_>, &[Datum]) -> Result<Datum>;

/// `provolatile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Volatility {
    /// Depends on its arguments alone.
    Immutable,
    /// Constant within one statement.
    Stable,
    /// May change from call to call.
    Volatile,
}

/// One function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// `pg_proc.oid`, PostgreSQL's own number.
    pub oid: u32,
    /// The name, lower case.
    pub name: &'static str,
    /// Declared argument types; for a variadic function the last is the array type (or `"any"`).
    pub arguments: &'static [TypeId],
    /// Declared result type, possibly polymorphic.
    pub result: TypeId,
    /// Whether a NULL argument gives NULL without a call.
    pub strict: bool,
    /// How far the result may be reused.
    pub volatility: Volatility,
    /// `provariadic`: element type of the trailing variadic argument, `None` if not variadic.
    pub variadic: Option<TypeId>,
    /// Number of trailing arguments that may be left out; the code fills them in by the length of its slice.
    pub defaults: usize,
    /// The code. For `VARIADIC "any"` functions (`concat`, `concat_ws`, `format`) the binder first brings each argument
    /// of the variadic part to `text` by its output function; for other variadic functions it gathers the trailing
    /// arguments into an array.
    pub call: ScalarFn,
}

impl Function {
    /// Calls the function, with NULL handled as `strict` says.
    pub fn apply(&self, env: &EvalEnv<'_>, arguments: &[Datum]) -> Result<Datum> {
        if self.strict && arguments.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        (self.call)(env, arguments)
    }
}

/// Every function, grouped by name.
pub fn functions() -> &'static [Function] {
    &[]
}

/// The functions of one name.
pub fn by_name(name: &str) -> impl Iterator<Item = &'static Function> {
    functions().iter().filter(move |function| function.name == name)
}

/// A function by its oid.
pub fn by_oid(oid: u32) -> Option<&'static Function> {
    functions().iter().find(|function| function.oid == oid)
}
