//! Functions that ask the catalog, the session or a sequence, and set-returning ones.
//!
//! Owns two tables, [`HostFunction`] and [`TableFunction`], which the binder resolves together with the pure functions
//! of `sql-types` through [`Signature`]. Their code gets the statement's [`Context`]; it may stop for a need. Read
//! next: the file of a function's subject.

use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::function::Volatility;
use hexalog_sql_types::resolve::Signature;
use hexalog_sql_types::{Datum, TypeId};

/// A function of one value that needs more than its arguments.
#[derive(Debug)]
pub(crate) struct HostFunction {
    /// `pg_proc.oid`, PostgreSQL's own number.
    pub oid: u32,
    pub name: &'static str,
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
    pub call: HostCall,
}

pub(crate) type HostCall = fn(&mut Context<'_>, &[Datum]) -> Step<Datum>;

/// A set-returning function.
#[derive(Debug)]
pub(crate) struct TableFunction {
    pub oid: u32,
    pub name: &'static str,
    pub arguments: &'static [TypeId],
    /// Type of the one column, possibly polymorphic, or RECORD with `columns`.
    pub result: TypeId,
    /// Names and types of the columns if there are several; empty: one column named like the function.
    pub columns: &'static [(&'static str, TypeId)],
    pub variadic: Option<TypeId>,
    pub defaults: usize,
    /// A NULL argument gives no rows without a call.
    pub strict: bool,
    /// All rows. `call` may stop for a need only before it has done anything.
    pub call: TableCall,
}

pub(crate) type TableCall = fn(&mut Context<'_>, &[Datum]) -> Step<Vec<Row>>;

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

/// The host functions of a name.
pub(crate) fn host_by_name(name: &str) -> Vec<&'static HostFunction> {
    let _ = name;
    Vec::new()
}

/// The set-returning functions of a name.
pub(crate) fn table_by_name(name: &str) -> Vec<&'static TableFunction> {
    let _ = name;
    Vec::new()
}

/// Every host function, for `pg_proc`.
pub(crate) fn host_functions() -> impl Iterator<Item = &'static HostFunction> {
    std::iter::empty()
}

/// Every set-returning function, for `pg_proc`.
pub(crate) fn table_functions() -> impl Iterator<Item = &'static TableFunction> {
    std::iter::empty()
}
