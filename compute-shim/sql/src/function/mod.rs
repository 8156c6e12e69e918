//! Functions that ask the catalog, the session or a sequence, and set-returning ones.
//!
//! Owns two tables, [`HostFunction`] and [`TableFunction`], which the binder resolves together with the pure functions
//! of `sql-types` through [`Signature`]. Their code gets the statement's [`Context`]; it may stop for a need. Each file
//! holds the rows and the code of one subject; `refused.rs` names what PostgreSQL has and this product has not.

mod advisory;
mod definition;
#[cfg(test)]
mod document;
mod enumeration;
mod information;
mod json;
mod json_rows;
mod pattern;
mod privilege;
mod refused;
mod role;
mod sequence;
mod series;
mod session;
mod signal;
mod size;
mod sleep;
mod statements;
mod statistics;
mod table;
mod visibility;
mod window;

pub(crate) use sequence::SEQUENCE_ROW;
pub(crate) use window::{WindowKind, WindowRoutine, window_by_name, window_functions};

use crate::catalog::object::{Oid, PG_CATALOG_OID};
use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::Volatility;
use hexalog_sql_types::resolve::Signature;
use hexalog_sql_types::{Datum, EvalEnv, TypeId};
use series::Series;

/// A function of one value that needs more than its arguments.
#[derive(Debug)]
pub(crate) struct HostFunction {
    /// `pg_proc.oid`, PostgreSQL's own number.
    pub oid: u32,
    pub name: &'static str,
    /// With an argument of type `"any"` among them, the code gets all arguments as one record, which holds their types;
    /// an untyped literal is of type `unknown` there.
    pub arguments: &'static [TypeId],
    pub result: TypeId,
    /// Element type of a trailing variadic argument.
    pub variadic: Option<TypeId>,
    /// Trailing arguments that may be left out; the code sees a shorter slice.
    pub defaults: usize,
    /// A NULL argument gives NULL without a call.
    pub strict: bool,
    pub volatility: Volatility,
    /// Has effects or may stop for a need: its result is kept while the row is evaluated, so that it runs once.
    pub is_once: bool,
    /// The code gets all arguments as one record, as with an argument of type `"any"`: it needs their types.
    pub is_typed: bool,
    pub call: HostCall,
}

pub(crate) type HostCall = fn(&mut Context<'_>, &[Datum]) -> Step<Datum>;

/// A strict, stable function without effects; the methods below say what is different.
const fn host(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    result: TypeId,
    call: HostCall,
) -> HostFunction {
    HostFunction {
        oid,
        name,
        arguments,
        result,
        variadic: None,
        defaults: 0,
        strict: true,
        volatility: Volatility::Stable,
        is_once: false,
        is_typed: false,
        call,
    }
}

impl HostFunction {
    const fn volatile(self) -> HostFunction {
        HostFunction { volatility: Volatility::Volatile, ..self }
    }

    const fn immutable(self) -> HostFunction {
        HostFunction { volatility: Volatility::Immutable, ..self }
    }

    /// Has effects, or may stop for a need.
    const fn once(self) -> HostFunction {
        HostFunction { volatility: Volatility::Volatile, is_once: true, ..self }
    }

    /// The code needs the types of its arguments.
    const fn typed(self) -> HostFunction {
        HostFunction { is_typed: true, ..self }
    }

    const fn called_on_null(self) -> HostFunction {
        HostFunction { strict: false, ..self }
    }
}

/// A set-returning function.
#[derive(Debug)]
pub(crate) struct TableFunction {
    pub oid: u32,
    pub name: &'static str,
    pub schema: Oid,
    pub arguments: &'static [TypeId],
    /// Type of the one column, possibly polymorphic, or RECORD with `columns`.
    pub result: TypeId,
    /// Names and types of the columns, possibly polymorphic, if there are several; empty: one column named like the function.
    pub columns: &'static [(&'static str, TypeId)],
    /// Name of the one column if it is not the function's.
    pub column: Option<&'static str>,
    /// Its rows are what a column definition list says; the code gets names, types and modifiers of the list's columns as
    /// three further arguments, arrays of text, oid and integer.
    pub needs_definition: bool,
    pub variadic: Option<TypeId>,
    pub defaults: usize,
    /// A NULL argument gives no rows without a call.
    pub strict: bool,
    pub volatility: Volatility,
    pub call: TableCall,
}

/// How a set-returning function gives its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TableCall {
    /// All at once. It may stop for a need only before it has done anything.
    Rows(RowsCall),
    /// One after the other, each when it is asked for.
    Series(SeriesCall),
}

pub(crate) type RowsCall = fn(&mut Context<'_>, &[Datum]) -> Step<Vec<Row>>;
pub(crate) type SeriesCall = fn(&[Datum]) -> Result<Series>;

/// The rows that a call has still to give.
pub(crate) enum RowSet {
    Rows(std::vec::IntoIter<Row>),
    Series(Series),
}

impl RowSet {
    /// Of a call; NULL for an argument of a strict function gives none.
    pub(crate) fn of_call(
        function: &TableFunction,
        context: &mut Context<'_>,
        arguments: &[Datum],
    ) -> Step<RowSet> {
        if function.strict && arguments.iter().any(Datum::is_null) {
            return Ok(RowSet::from(Vec::new()));
        }
        Ok(match function.call {
            TableCall::Rows(call) => RowSet::from(call(context, arguments)?),
            TableCall::Series(call) => RowSet::Series(call(arguments)?),
        })
    }

    pub(crate) fn next(&mut self, env: &EvalEnv<'_>) -> Result<Option<Row>> {
        match self {
            RowSet::Rows(rows) => Ok(rows.next()),
            RowSet::Series(series) => Ok(series.next(env)?.map(|value| vec![value])),
        }
    }
}

impl From<Vec<Row>> for RowSet {
    fn from(rows: Vec<Row>) -> RowSet {
        RowSet::Rows(rows.into_iter())
    }
}

/// A strict, immutable function whose rows have one column.
const fn set_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    result: TypeId,
    call: RowsCall,
) -> TableFunction {
    TableFunction {
        oid,
        name,
        schema: PG_CATALOG_OID,
        arguments,
        result,
        columns: &[],
        column: None,
        needs_definition: false,
        variadic: None,
        defaults: 0,
        strict: true,
        volatility: Volatility::Immutable,
        call: TableCall::Rows(call),
    }
}

/// The same of one that gives its rows one after the other.
const fn series_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    result: TypeId,
    call: SeriesCall,
) -> TableFunction {
    TableFunction { call: TableCall::Series(call), ..set_of(oid, name, arguments, result, none) }
}

fn none(_: &mut Context<'_>, _: &[Datum]) -> Step<Vec<Row>> {
    Ok(Vec::new())
}

impl TableFunction {
    const fn stable(self) -> TableFunction {
        TableFunction { volatility: Volatility::Stable, ..self }
    }
}

/// A strict, stable function whose rows have several columns.
const fn table_of(
    oid: u32,
    name: &'static str,
    arguments: &'static [TypeId],
    columns: &'static [(&'static str, TypeId)],
    call: RowsCall,
) -> TableFunction {
    TableFunction { columns, ..set_of(oid, name, arguments, TypeId::RECORD, call).stable() }
}

impl Signature for HostFunction {
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
}

impl Signature for TableFunction {
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
}

static HOST_FUNCTIONS: &[&[HostFunction]] = &[
    advisory::FUNCTIONS,
    definition::FUNCTIONS,
    enumeration::FUNCTIONS,
    information::FUNCTIONS,
    json::FUNCTIONS,
    privilege::FUNCTIONS,
    privilege::COLUMN_FUNCTIONS,
    refused::FUNCTIONS,
    role::FUNCTIONS,
    signal::FUNCTIONS,
    sequence::FUNCTIONS,
    session::FUNCTIONS,
    size::FUNCTIONS,
    sleep::FUNCTIONS,
    statements::FUNCTIONS,
    statistics::FUNCTIONS,
    visibility::FUNCTIONS,
];

static TABLE_FUNCTIONS: &[&[TableFunction]] = &[
    json_rows::FUNCTIONS,
    pattern::TABLE_FUNCTIONS,
    sequence::TABLE_FUNCTIONS,
    series::FUNCTIONS,
    statements::TABLE_FUNCTIONS,
    table::FUNCTIONS,
];

/// The host functions of a name.
pub(crate) fn host_by_name(name: &str) -> Vec<&'static HostFunction> {
    HOST_FUNCTIONS.iter().copied().flatten().filter(|function| function.name == name).collect()
}

/// The set-returning functions of a name.
pub(crate) fn table_by_name(name: &str) -> Vec<&'static TableFunction> {
    TABLE_FUNCTIONS.iter().copied().flatten().filter(|function| function.name == name).collect()
}

/// Every host function that can be called, for `pg_proc`.
pub(crate) fn host_functions() -> impl Iterator<Item = &'static HostFunction> {
    HOST_FUNCTIONS.iter().copied().flatten().filter(|function| !refused::refuses(function.oid))
}

/// Every set-returning function that can be called, for `pg_proc`.
pub(crate) fn table_functions() -> impl Iterator<Item = &'static TableFunction> {
    TABLE_FUNCTIONS.iter().copied().flatten().filter(|function| !refused::refuses(function.oid))
}

// Arguments of declared types, none of them NULL where the function is strict; anything else is a bug of the binder.

fn text_at(arguments: &[Datum], at: usize) -> &str {
    arguments[at].as_str().unwrap_or_else(|| panic!("argument {at} should be text: {arguments:?}"))
}

fn oid_at(arguments: &[Datum], at: usize) -> u32 {
    match arguments[at] {
        Datum::Oid(value) => value,
        _ => panic!("argument {at} should be an oid: {arguments:?}"),
    }
}

fn integer_at(arguments: &[Datum], at: usize) -> i64 {
    arguments[at].as_i64().unwrap_or_else(|| panic!("argument {at} should be an integer: {arguments:?}"))
}

fn bool_at(arguments: &[Datum], at: usize) -> bool {
    arguments[at].as_bool().unwrap_or_else(|| panic!("argument {at} should be a boolean: {arguments:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_sql_types::function;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_are_unique() {
        let mut seen = BTreeSet::new();
        let hosts = HOST_FUNCTIONS.iter().copied().flatten().map(|function| (function.oid, function.name));
        let tables = TABLE_FUNCTIONS.iter().copied().flatten().map(|function| (function.oid, function.name));
        for (oid, name) in hosts.chain(tables) {
            assert!(seen.insert(oid), "{oid} {name}");
            assert!(function::by_oid(oid).is_none(), "{oid} {name} is in sql-types as well");
        }
    }
}
