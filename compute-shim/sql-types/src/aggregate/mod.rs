//! Aggregates: the table and the transition state of each.
//!
//! Owns [`Aggregate`] and [`Accumulator`]. Grouping, DISTINCT, ORDER BY and FILTER belong to the executor, which feeds
//! rows in the right order and number.

use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError};
use crate::types::TypeId;

/// One aggregate function.
#[derive(Clone, Copy, Debug)]
pub struct Aggregate {
    /// `pg_proc.oid`.
    pub oid: u32,
    /// The name, lower case.
    pub name: &'static str,
    /// Declared argument types; empty for `count(*)`.
    pub arguments: &'static [TypeId],
    /// Declared result type, possibly polymorphic.
    pub result: TypeId,
    /// What it computes.
    pub kind: AggregateKind,
}

/// What an aggregate computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AggregateKind {
    /// Number of rows, or of values that are not NULL.
    Count,
    /// Sum.
    Sum,
    /// Mean.
    Average,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// All true.
    BoolAnd,
    /// Any true.
    BoolOr,
    /// Bitwise and.
    BitAnd,
    /// Bitwise or.
    BitOr,
    /// Bitwise exclusive or.
    BitXor,
    /// Concatenation with a separator.
    StringAgg,
    /// All values, NULL included, as an array.
    ArrayAgg,
    /// Variance of the sample.
    VarSamp,
    /// Variance of the population.
    VarPop,
    /// Standard deviation of the sample.
    StddevSamp,
    /// Standard deviation of the population.
    StddevPop,
}

/// Every aggregate.
pub fn aggregates() -> &'static [Aggregate] {
    &[]
}

/// The aggregates of one name.
pub fn by_name(name: &str) -> impl Iterator<Item = &'static Aggregate> {
    aggregates().iter().filter(move |aggregate| aggregate.name == name)
}

/// The running state of one aggregate in one group.
#[derive(Clone, Debug)]
pub struct Accumulator {
    kind: AggregateKind,
    argument: TypeId,
    count: i64,
}

impl Accumulator {
    /// The state before the first row. `arguments` are the actual types after coercion (empty for `count(*)`).
    pub fn new(aggregate: &Aggregate, arguments: &[TypeId]) -> Accumulator {
        let argument = arguments.first().copied().unwrap_or(TypeId::NONE);
        Accumulator { kind: aggregate.kind, argument, count: 0 }
    }

    /// Takes in one row's arguments.
    pub fn add(&mut self, env: &EvalEnv<'_>, arguments: &[Datum]) -> Result<()> {
        let _ = (env, arguments, self.argument);
        self.count += 1;
        Ok(())
    }

    /// The result over all rows taken in so far.
    pub fn finish(&self, env: &EvalEnv<'_>) -> Result<Datum> {
        let _ = env;
        match self.kind {
            AggregateKind::Count => Ok(Datum::Int8(self.count)),
            kind => Err(SqlError::unsupported(format!("aggregate {kind:?}"))),
        }
    }
}
