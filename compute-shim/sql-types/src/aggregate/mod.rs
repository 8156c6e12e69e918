//! Aggregates: the table and the transition state of each.
//!
//! Owns [`Aggregate`] and [`Accumulator`]. Grouping, DISTINCT, ORDER BY and FILTER belong to the executor, which feeds
//! rows in the right order and number. `number.rs` holds sums and spreads, `table.rs` the rows.

mod hypothetical;
mod json;
mod number;
mod ordered;
mod regression;
mod table;

use crate::datum::{Array, Datum, Dimension, compare, compare_f64};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::numeric::Short;
use crate::row::{whole_datum, whole_of};
use crate::types::TypeId;
use hypothetical::Hypothetical;
use json::JsonState;
use number::{Spread, Sum};
use ordered::Ordered;
use regression::Regression;
use std::cmp::Ordering;

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
    /// All values as an array of `json`.
    JsonAgg,
    /// All values as an array of `jsonb`.
    JsonbAgg,
    /// Keys and values as an object of `json`.
    JsonObjectAgg,
    /// Keys and values as an object of `jsonb`.
    JsonbObjectAgg,
    /// Correlation coefficient of two variables.
    Corr,
    /// Covariance of the population.
    CovarPop,
    /// Covariance of the sample.
    CovarSamp,
    /// Mean of the independent variable.
    RegrAvgx,
    /// Mean of the dependent variable.
    RegrAvgy,
    /// Number of pairs without NULL.
    RegrCount,
    /// Where the line of least squares meets the axis.
    RegrIntercept,
    /// Square of the correlation coefficient.
    RegrR2,
    /// Slope of the line of least squares.
    RegrSlope,
    /// Squared distances of the independent variable.
    RegrSxx,
    /// Products of the distances.
    RegrSxy,
    /// Squared distances of the dependent variable.
    RegrSyy,
    /// The most frequent value, WITHIN GROUP.
    Mode,
    /// A percentile between values, WITHIN GROUP.
    PercentileCont,
    /// A percentile among the values, WITHIN GROUP.
    PercentileDisc,
    /// The rank that a row would have, WITHIN GROUP.
    Rank,
    /// The rank that it would have without gaps, WITHIN GROUP.
    DenseRank,
    /// The part of the rows that it would stand behind, WITHIN GROUP.
    PercentRank,
    /// The part of the rows that would stand behind it or beside it, itself among them, WITHIN GROUP.
    CumeDist,
}

impl AggregateKind {
    /// Of an aggregate over rows that WITHIN GROUP orders: how many of its arguments, of which there are so many, come before
    /// those it orders by.
    pub fn direct_arguments(self, arguments: usize) -> Option<usize> {
        match self {
            AggregateKind::Mode => Some(0),
            AggregateKind::PercentileCont | AggregateKind::PercentileDisc => Some(1),
            _ if self.is_hypothetical() => Some(arguments / 2),
            _ => None,
        }
    }

    /// Of `min` and `max`: whether a value that stands so to the one that is kept takes its place.
    fn replaces(self, order: Ordering) -> bool {
        match self {
            AggregateKind::Min => order.is_lt(),
            AggregateKind::Max => order.is_gt(),
            other => panic!("{other:?} keeps no number"),
        }
    }

    /// Whether it is about a row that is not there. Its direct arguments are that row; [`Accumulator::add`] is given, in order,
    /// how each row that is there stands to it.
    pub fn is_hypothetical(self) -> bool {
        use AggregateKind::{CumeDist, DenseRank, PercentRank, Rank};
        matches!(self, Rank | DenseRank | PercentRank | CumeDist)
    }
}

/// Every aggregate, in order of name.
pub fn aggregates() -> &'static [Aggregate] {
    table::AGGREGATES
}

/// The aggregates of one name.
pub fn by_name(name: &str) -> &'static [Aggregate] {
    let aggregates = aggregates();
    let start = aggregates.partition_point(|aggregate| aggregate.name < name);
    let count = aggregates[start..].partition_point(|aggregate| aggregate.name == name);
    &aggregates[start..start + count]
}

/// An aggregate by its oid.
pub fn by_oid(oid: u32) -> Option<&'static Aggregate> {
    aggregates().iter().find(|aggregate| aggregate.oid == oid)
}

/// The running state of one aggregate in one group.
#[derive(Clone, Debug)]
pub struct Accumulator {
    kind: AggregateKind,
    /// Type of the first argument.
    argument: TypeId,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// `count`.
    Count(i64),
    /// Sums and means.
    Sum(Sum),
    /// The spread of numbers.
    Spread(Spread),
    /// The one value kept: smallest, largest, all bits so far.
    Value(Datum),
    /// `string_agg` of text; `None` before the first value.
    Text(Option<String>),
    /// `string_agg` of bytes.
    Bytes(Option<Vec<u8>>),
    /// `array_agg`; `None` before the first row.
    Values(Option<Vec<Datum>>),
    /// Those that make JSON.
    Json(JsonState),
    /// Those of two variables.
    Regression(Regression),
    /// Those over ordered rows.
    Ordered(Ordered),
    /// Those of a row that is not there.
    Hypothetical(Hypothetical),
}

impl Accumulator {
    /// Whether it keeps what it is given, so that its size grows with the rows.
    pub fn keeps_rows(&self) -> bool {
        matches!(
            self.state,
            State::Text(_) | State::Bytes(_) | State::Values(_) | State::Json(_) | State::Ordered(_)
        )
    }

    /// The value that it keeps of those it was given: the largest so far, say.
    pub fn kept_value(&self) -> Option<&Datum> {
        match &self.state {
            State::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The state before the first row. `arguments` are the actual types after coercion (empty for `count(*)`).
    pub fn new(aggregate: &Aggregate, arguments: &[TypeId]) -> Accumulator {
        let is_whole = arguments.len() == aggregate.arguments.len() || aggregate.kind.is_hypothetical();
        assert!(is_whole, "the binder passes all arguments");
        let argument = arguments.first().copied().unwrap_or(TypeId::NONE);
        let state = match aggregate.kind {
            AggregateKind::Count => State::Count(0),
            AggregateKind::Sum | AggregateKind::Average => State::Sum(Sum::new(argument, aggregate.kind)),
            AggregateKind::VarSamp
            | AggregateKind::VarPop
            | AggregateKind::StddevSamp
            | AggregateKind::StddevPop => State::Spread(Spread::new(argument)),
            AggregateKind::StringAgg if argument == TypeId::BYTEA => State::Bytes(None),
            AggregateKind::StringAgg => State::Text(None),
            AggregateKind::ArrayAgg => State::Values(None),
            AggregateKind::Corr
            | AggregateKind::CovarPop
            | AggregateKind::CovarSamp
            | AggregateKind::RegrAvgx
            | AggregateKind::RegrAvgy
            | AggregateKind::RegrCount
            | AggregateKind::RegrIntercept
            | AggregateKind::RegrR2
            | AggregateKind::RegrSlope
            | AggregateKind::RegrSxx
            | AggregateKind::RegrSxy
            | AggregateKind::RegrSyy => State::Regression(Regression::default()),
            AggregateKind::Mode | AggregateKind::PercentileCont | AggregateKind::PercentileDisc => {
                State::Ordered(Ordered::new(aggregate.kind, arguments))
            }
            AggregateKind::Rank
            | AggregateKind::DenseRank
            | AggregateKind::PercentRank
            | AggregateKind::CumeDist => State::Hypothetical(Hypothetical::default()),
            AggregateKind::JsonAgg
            | AggregateKind::JsonbAgg
            | AggregateKind::JsonObjectAgg
            | AggregateKind::JsonbObjectAgg => State::Json(JsonState::new(aggregate.kind, arguments)),
            AggregateKind::Min
            | AggregateKind::Max
            | AggregateKind::BoolAnd
            | AggregateKind::BoolOr
            | AggregateKind::BitAnd
            | AggregateKind::BitOr
            | AggregateKind::BitXor => State::Value(Datum::Null),
        };
        Accumulator { kind: aggregate.kind, argument, state }
    }

    /// Takes in one row's arguments. NULL counts for `count(*)`, `array_agg` and those of JSON alone. 22003 on overflow.
    pub fn add(&mut self, env: &EvalEnv<'_>, arguments: &[Datum]) -> Result<()> {
        if let State::Json(state) = &mut self.state {
            return state.add(env, arguments);
        }
        if let State::Values(values) = &mut self.state {
            values.get_or_insert_default().push(arguments[0].clone());
            return Ok(());
        }
        if let State::Ordered(ordered) = &mut self.state {
            ordered.add(arguments);
            return Ok(());
        }
        if arguments.first().is_some_and(Datum::is_null) {
            return Ok(());
        }
        match &mut self.state {
            State::Hypothetical(hypothetical) => hypothetical.add(arguments),
            State::Count(count) => *count += 1,
            State::Sum(sum) => sum.add(&arguments[0])?,
            State::Spread(spread) => spread.add(&arguments[0])?,
            State::Regression(regression) => regression.add(arguments)?,
            State::Value(kept) => keep(self.kind, self.argument, kept, &arguments[0]),
            State::Text(text) => append_text(text, arguments),
            State::Bytes(bytes) => append_bytes(bytes, arguments),
            State::Values(_) | State::Json(_) | State::Ordered(_) => unreachable!("taken in above"),
        }
        Ok(())
    }

    /// As [`Accumulator::add`], of a value of a type that is ordered by a whole number: this one.
    #[inline]
    pub fn add_whole(&mut self, number: i64) -> Result<()> {
        match &mut self.state {
            State::Count(count) => *count += 1,
            State::Sum(sum) => sum.add_whole(number)?,
            State::Value(kept) => {
                if whole_of(kept).is_none_or(|other| self.kind.replaces(number.cmp(&other))) {
                    *kept = whole_datum(self.argument, number);
                }
            }
            _ => panic!("{:?} takes no numbers", self.kind),
        }
        Ok(())
    }

    /// As [`Accumulator::add`], of a `double precision`.
    #[inline]
    pub fn add_float(&mut self, number: f64) -> Result<()> {
        match &mut self.state {
            State::Count(count) => *count += 1,
            State::Sum(sum) => sum.add_float(number)?,
            State::Value(Datum::Float8(kept)) => {
                if self.kind.replaces(compare_f64(number, *kept)) {
                    *kept = number;
                }
            }
            State::Value(kept) => *kept = Datum::Float8(number),
            _ => panic!("{:?} takes no numbers", self.kind),
        }
        Ok(())
    }

    /// As [`Accumulator::add`], of a `numeric` whose digits are held in place.
    #[inline]
    pub fn add_short(&mut self, number: Short) -> Result<()> {
        match &mut self.state {
            State::Count(count) => *count += 1,
            State::Sum(sum) => sum.add_short(number)?,
            State::Value(kept) => keep(self.kind, self.argument, kept, &number.into()),
            _ => panic!("{:?} takes no numbers", self.kind),
        }
        Ok(())
    }

    /// As [`Accumulator::add`] of so many rows, of `count` alone: none of the values is NULL.
    pub fn add_rows(&mut self, rows: usize) {
        let State::Count(count) = &mut self.state else { panic!("{:?} counts no rows", self.kind) };
        *count += i64::try_from(rows).expect("rows fit memory");
    }

    /// The result over all rows taken in so far; more may follow.
    pub fn finish(&self) -> Result<Datum> {
        match &self.state {
            State::Count(count) => Ok(Datum::Int8(*count)),
            State::Sum(sum) => sum.finish(),
            State::Spread(spread) => spread.finish(self.kind),
            State::Regression(regression) => Ok(regression.finish(self.kind)),
            State::Ordered(ordered) => ordered.finish(),
            State::Hypothetical(hypothetical) => Ok(hypothetical.finish(self.kind)),
            State::Value(value) => Ok(value.clone()),
            State::Text(text) => Ok(text.as_ref().map_or(Datum::Null, |text| Datum::text(text.as_str()))),
            State::Bytes(bytes) => {
                Ok(bytes.as_ref().map_or(Datum::Null, |bytes| Datum::Bytea(bytes.as_slice().into())))
            }
            State::Json(state) => state.finish(),
            State::Values(None) => Ok(Datum::Null),
            State::Values(Some(values)) if self.argument.array_element().is_some() => stack_arrays(values),
            State::Values(Some(values)) => Ok(Array::from_values(self.argument, values.clone()).into()),
        }
    }
}

/// Puts a further value into the one that is kept.
fn keep(kind: AggregateKind, id: TypeId, kept: &mut Datum, value: &Datum) {
    if kept.is_null() {
        *kept = value.clone();
        return;
    }
    let order = || compare(id, value, kept);
    let replace = match kind {
        AggregateKind::Min => order().is_lt(),
        AggregateKind::Max => order().is_gt(),
        AggregateKind::BoolAnd => value.as_bool() == Some(false),
        AggregateKind::BoolOr => value.as_bool() == Some(true),
        _ => {
            *kept = combine_bits(kind, kept, value);
            false
        }
    };
    if replace {
        *kept = value.clone();
    }
}

fn combine_bits(kind: AggregateKind, left: &Datum, right: &Datum) -> Datum {
    let combine = |a: i64, b: i64| match kind {
        AggregateKind::BitAnd => a & b,
        AggregateKind::BitOr => a | b,
        AggregateKind::BitXor => a ^ b,
        other => panic!("{other:?} keeps no bits"),
    };
    // Sign extension makes the narrow results fit again.
    match (left, right) {
        (Datum::Int2(a), Datum::Int2(b)) => Datum::Int2(
            i16::try_from(combine(i64::from(*a), i64::from(*b))).expect("as wide as its operands"),
        ),
        (Datum::Int4(a), Datum::Int4(b)) => Datum::Int4(
            i32::try_from(combine(i64::from(*a), i64::from(*b))).expect("as wide as its operands"),
        ),
        (Datum::Int8(a), Datum::Int8(b)) => Datum::Int8(combine(*a, *b)),
        _ => panic!("bits of {left:?} and {right:?}"),
    }
}

/// The separator of the first value is not used; a NULL one is empty.
fn append_text(text: &mut Option<String>, arguments: &[Datum]) {
    let value = arguments[0].as_str().unwrap_or_else(|| panic!("string_agg was given {arguments:?}"));
    match text {
        None => *text = Some(value.to_owned()),
        Some(text) => {
            text.push_str(arguments[1].as_str().unwrap_or(""));
            text.push_str(value);
        }
    }
}

fn append_bytes(bytes: &mut Option<Vec<u8>>, arguments: &[Datum]) {
    let Datum::Bytea(value) = &arguments[0] else {
        panic!("string_agg was given {arguments:?}");
    };
    match (bytes, &arguments[1]) {
        (bytes @ None, _) => *bytes = Some(value.to_vec()),
        (Some(bytes), Datum::Bytea(separator)) => {
            bytes.extend_from_slice(separator);
            bytes.extend_from_slice(value);
        }
        (Some(bytes), _) => bytes.extend_from_slice(value),
    }
}

/// Arrays of one shape become the slices of an array with a further dimension.
fn stack_arrays(arrays: &[Datum]) -> Result<Datum> {
    let refuse = |state, message: &str| Err(SqlError::new(state, message));
    let mut values = Vec::new();
    let mut shape: Option<(TypeId, Vec<Dimension>)> = None;
    for array in arrays {
        let Some(array) = array.as_array() else {
            return refuse(SqlState::NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays");
        };
        if array.dimensions.is_empty() {
            return refuse(SqlState::ARRAY_SUBSCRIPT_ERROR, "cannot accumulate empty arrays");
        }
        match &shape {
            None => shape = Some((array.element, array.dimensions.clone())),
            Some((_, dimensions)) if *dimensions != array.dimensions => {
                return refuse(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "cannot accumulate arrays of different dimensionality",
                );
            }
            Some(_) => {}
        }
        values.extend(array.values.iter().cloned());
    }
    let (element, mut dimensions) = shape.expect("there is a first row");
    let length = i32::try_from(arrays.len()).expect("arrays are bounded by memory");
    dimensions.insert(0, Dimension { length, lower: 1 });
    Ok(Array { element, dimensions, values }.into())
}

#[cfg(test)]
mod tests;
