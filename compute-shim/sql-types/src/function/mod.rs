//! Scalar functions: the table of `pg_proc` for functions that need no catalog, and their code.
//!
//! Owns [`Function`]; `table.rs` holds the rows, the other files the code. Functions that ask the catalog or the session (`pg_get_indexdef`, `nextval`,
//! `current_user`, `set_config` …) and set-returning ones belong to the `sql` crate, which keeps a table of its own and
//! resolves both together through [`crate::resolve::Signature`]. COALESCE, NULLIF, GREATEST and LEAST are syntax and
//! belong there as well.

mod array;
mod array_assign;
mod array_shape;
mod byte_parts;
mod bytes;
pub(crate) mod from_char;
mod from_char_template;
mod hash;
mod histogram;
mod identifier;
pub(crate) mod json;
pub(crate) mod json_path;
pub(crate) mod json_text;
mod math;
mod number_format;
mod number_text;
mod overlaps;
mod quote;
mod regexp;
mod similar;
mod string;
mod table;
mod temporal;
mod to_char;
mod trigonometry;
mod unsupported;

pub use json_path::call as json_path_call;
pub use json_text::plain as json_plain_text;
pub use quote::{quote_identifier, quote_literal_text};
pub use regexp::{regexp_matches, regexp_split_to_table};
pub(crate) use string::{lower_char, to_lower, upper_char};

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;
use crate::numeric::Numeric;
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
    /// Whether the function takes the text form of a value of any type: its arguments then resolve to `text`.
    pub fn prints_arguments(&self) -> bool {
        // quote_literal(anyelement), quote_nullable(anyelement)
        matches!(self.oid, 1285 | 1290)
    }

    /// Whether it stands in the table only to be refused with 0A000: it is in PostgreSQL and not here.
    pub fn is_unsupported(&self) -> bool {
        unsupported::OIDS.contains(&self.oid)
    }

    /// Calls the function, with NULL handled as `strict` says.
    pub fn apply(&self, env: &EvalEnv<'_>, arguments: &[Datum]) -> Result<Datum> {
        if self.strict && arguments.iter().any(Datum::is_null) {
            return Ok(Datum::Null);
        }
        (self.call)(env, arguments)
    }
}

/// `UPDATE … SET column[subscript] = value` of jsonb: the old value, the path, the new value, and whether a NULL becomes an
/// array. It has no name to call it by.
pub static JSONB_SUBSCRIPT_ASSIGNMENT: Function = Function {
    oid: 0,
    name: "jsonb_subscript_assignment",
    arguments: &[TypeId::JSONB, TypeId::TEXT_ARRAY, TypeId::JSONB, TypeId::BOOL],
    result: TypeId::JSONB,
    strict: false,
    volatility: Volatility::Immutable,
    variadic: None,
    defaults: 0,
    call: json::assign,
};

/// `array[l:u]…`: the array, which bounds are given (bits, from the first lower one on), and all bounds, two for each
/// dimension. It has no name to call it by.
pub static ARRAY_SLICE: Function = Function {
    oid: 0,
    name: "array_slice",
    arguments: &[TypeId::ANYARRAY, TypeId::INT4],
    result: TypeId::ANYARRAY,
    strict: false,
    volatility: Volatility::Immutable,
    variadic: None,
    defaults: 0,
    call: array_shape::slice,
};

/// `UPDATE … SET array[i]… = value`: the old array, an empty one of its type in case that is NULL, the value, the
/// subscripts. It has no name to call it by.
pub static ARRAY_ELEMENT_ASSIGNMENT: Function = Function {
    oid: 0,
    name: "array_element_assignment",
    arguments: &[TypeId::ANYARRAY, TypeId::ANYARRAY, TypeId::ANYELEMENT, TypeId::INT4],
    result: TypeId::ANYARRAY,
    strict: false,
    volatility: Volatility::Immutable,
    variadic: None,
    defaults: 0,
    call: array_assign::element,
};

/// `UPDATE … SET array[l:u]… = values`: the old array, an empty one of its type in case that is NULL, the values, and bounds as
/// of [`ARRAY_SLICE`]. It has no name to call it by.
pub static ARRAY_SLICE_ASSIGNMENT: Function = Function {
    oid: 0,
    name: "array_slice_assignment",
    arguments: &[TypeId::ANYARRAY, TypeId::ANYARRAY, TypeId::ANYARRAY, TypeId::INT4],
    result: TypeId::ANYARRAY,
    strict: false,
    volatility: Volatility::Immutable,
    variadic: None,
    defaults: 0,
    call: array_assign::slice,
};

/// Every function, in order of name.
pub fn functions() -> &'static [Function] {
    table::FUNCTIONS
}

/// The functions of one name.
pub fn by_name(name: &str) -> &'static [Function] {
    let functions = functions();
    let start = functions.partition_point(|function| function.name < name);
    let count = functions[start..].partition_point(|function| function.name == name);
    &functions[start..start + count]
}

/// A function by its oid.
pub fn by_oid(oid: u32) -> Option<&'static Function> {
    functions().iter().find(|function| function.oid == oid)
}

// Arguments of declared types; another type here is a bug of the binder.

fn str_at(args: &[Datum], at: usize) -> &str {
    args[at].as_str().unwrap_or_else(|| panic!("argument {at} should be text: {args:?}"))
}

fn bytes_at(args: &[Datum], at: usize) -> &[u8] {
    match &args[at] {
        Datum::Bytea(bytes) => bytes,
        _ => panic!("argument {at} should be bytea: {args:?}"),
    }
}

fn i32_at(args: &[Datum], at: usize) -> i32 {
    match args[at] {
        Datum::Int4(value) => value,
        _ => panic!("argument {at} should be an integer: {args:?}"),
    }
}

fn f64_at(args: &[Datum], at: usize) -> f64 {
    match args[at] {
        Datum::Float8(value) => value,
        _ => panic!("argument {at} should be double precision: {args:?}"),
    }
}

fn numeric_at(args: &[Datum], at: usize) -> &Numeric {
    match &args[at] {
        Datum::Numeric(value) => value,
        _ => panic!("argument {at} should be numeric: {args:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted() {
        for pair in functions().windows(2) {
            assert!((pair[0].name, pair[0].oid) < (pair[1].name, pair[1].oid), "{pair:?}");
        }
        assert_eq!(by_name("length").len(), 4);
        assert!(by_name("nope").is_empty());
    }
}
