//! Sums, means and spreads of numbers.
//!
//! Owns the states of `sum`, `avg`, `variance` and `stddev`. Integers and `numeric` are summed exactly, floats in the order of
//! the rows with the algorithm of Youngs and Cramer, as PostgreSQL does. Read next: `mod.rs`.

use super::AggregateKind;
use crate::cast::float_overflow;
use crate::datetime::Interval;
use crate::datum::Datum;
use crate::error::{Result, SqlError};
use crate::numeric::{Numeric, Short};
use crate::types::TypeId;

/// State of `sum` and `avg`.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    average: bool,
    count: i64,
    total: Total,
}

#[derive(Clone, Debug)]
enum Total {
    /// `int2`, `int4`: the sum is a `bigint`.
    Integer(i64),
    /// `int8`, and all integers on their way to a mean.
    Wide(i128),
    Numeric(Numeric),
    Float4(f32),
    Float8(f64),
    Interval(Interval),
}

impl Sum {
    pub(super) fn new(argument: TypeId, kind: AggregateKind) -> Sum {
        let average = kind == AggregateKind::Average;
        let total = match argument {
            TypeId::INT2 | TypeId::INT4 if !average => Total::Integer(0),
            TypeId::INT2 | TypeId::INT4 | TypeId::INT8 => Total::Wide(0),
            TypeId::NUMERIC => Total::Numeric(Numeric::ZERO),
            TypeId::FLOAT4 if !average => Total::Float4(0.0),
            TypeId::FLOAT4 | TypeId::FLOAT8 => Total::Float8(0.0),
            TypeId::INTERVAL => Total::Interval(Interval::default()),
            other => panic!("no aggregate of the table sums {}", other.display_name()),
        };
        Sum { average, count: 0, total }
    }

    pub(super) fn add(&mut self, value: &Datum) -> Result<()> {
        let first = self.count == 0;
        match (&mut self.total, value) {
            (Total::Integer(sum), value) => {
                let value = value.as_i64().unwrap_or_else(|| panic!("sum was given {value:?}"));
                *sum = sum.checked_add(value).ok_or_else(|| SqlError::out_of_range("bigint"))?;
            }
            (Total::Wide(sum), value) => {
                let value = value.as_i64().unwrap_or_else(|| panic!("sum was given {value:?}"));
                // 2^63 rows of the largest value would be needed to overflow.
                *sum += i128::from(value);
            }
            (Total::Numeric(sum), Datum::Numeric(value)) => *sum = sum.add(value)?,
            (Total::Float4(sum), Datum::Float4(value)) => {
                let next = if first { *value } else { *sum + value };
                if next.is_infinite() && !sum.is_infinite() && !value.is_infinite() {
                    return Err(float_overflow());
                }
                *sum = next;
            }
            (Total::Float8(sum), Datum::Float4(value)) => *sum = add_f64(first, *sum, f64::from(*value))?,
            (Total::Float8(sum), Datum::Float8(value)) => *sum = add_f64(first, *sum, *value)?,
            (Total::Interval(sum), Datum::Interval(value)) => *sum = sum.add(value)?,
            (total, value) => panic!("a sum of {total:?} was given {value:?}"),
        }
        self.count += 1;
        Ok(())
    }

    /// As [`Sum::add`], of an integer.
    #[inline]
    pub(super) fn add_whole(&mut self, value: i64) -> Result<()> {
        match &mut self.total {
            Total::Integer(sum) => {
                *sum = sum.checked_add(value).ok_or_else(|| SqlError::out_of_range("bigint"))?;
            }
            Total::Wide(sum) => *sum += i128::from(value),
            total => panic!("a sum of {total:?} was given an integer"),
        }
        self.count += 1;
        Ok(())
    }

    /// As [`Sum::add`], of a `double precision`.
    #[inline]
    pub(super) fn add_float(&mut self, value: f64) -> Result<()> {
        let Total::Float8(sum) = &mut self.total else {
            panic!("a sum of {:?} was given a float", self.total)
        };
        *sum = add_f64(self.count == 0, *sum, value)?;
        self.count += 1;
        Ok(())
    }

    /// As [`Sum::add`], of a number in place.
    #[inline]
    pub(super) fn add_short(&mut self, value: Short) -> Result<()> {
        let Total::Numeric(sum) = &mut self.total else {
            panic!("a sum of {:?} was given a number", self.total)
        };
        *sum = sum.add(&value.into())?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<Datum> {
        if self.count == 0 {
            return Ok(Datum::Null);
        }
        let count = || Numeric::from(self.count);
        Ok(match &self.total {
            Total::Integer(sum) => Datum::Int8(*sum),
            Total::Wide(sum) if self.average => Datum::Numeric(Numeric::from(*sum).divide(&count())?),
            Total::Wide(sum) => Datum::Numeric(Numeric::from(*sum)),
            Total::Numeric(sum) if self.average => Datum::Numeric(sum.divide(&count())?),
            Total::Numeric(sum) => Datum::Numeric(sum.clone()),
            Total::Float4(sum) => Datum::Float4(*sum),
            Total::Float8(sum) if self.average => Datum::Float8(*sum / self.count as f64),
            Total::Float8(sum) => Datum::Float8(*sum),
            Total::Interval(sum) if self.average => Datum::Interval(sum.divide(self.count as f64)?),
            Total::Interval(sum) => Datum::Interval(*sum),
        })
    }
}

/// The first value stands for itself, so that -0 keeps its sign.
fn add_f64(first: bool, sum: f64, value: f64) -> Result<f64> {
    let next = if first { value } else { sum + value };
    if next.is_infinite() && !sum.is_infinite() && !value.is_infinite() {
        return Err(float_overflow());
    }
    Ok(next)
}

/// State of `variance` and `stddev`.
#[derive(Clone, Debug)]
pub(super) enum Spread {
    /// Integers and `numeric`: number of values, their sum and that of their squares.
    Exact { count: i64, sum: Numeric, squares: Numeric },
    /// Floats: number of values, their sum, and the sum of squared distances from the mean.
    Float { count: f64, sum: f64, distances: f64 },
}

impl Spread {
    pub(super) fn new(argument: TypeId) -> Spread {
        match argument {
            TypeId::FLOAT4 | TypeId::FLOAT8 => Spread::Float { count: 0.0, sum: 0.0, distances: 0.0 },
            _ => Spread::Exact { count: 0, sum: Numeric::ZERO, squares: Numeric::ZERO },
        }
    }

    pub(super) fn add(&mut self, value: &Datum) -> Result<()> {
        match self {
            Spread::Exact { count, sum, squares } => {
                let number = match value {
                    Datum::Numeric(number) => number.clone(),
                    other => Numeric::from(
                        other.as_i64().unwrap_or_else(|| panic!("a spread was given {other:?}")),
                    ),
                };
                *count += 1;
                *sum = sum.add(&number)?;
                *squares = squares.add(&number.multiply(&number)?)?;
            }
            Spread::Float { count, sum, distances } => {
                let value = match value {
                    Datum::Float4(value) => f64::from(*value),
                    Datum::Float8(value) => *value,
                    other => panic!("a spread was given {other:?}"),
                };
                add_float(count, sum, distances, value)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(&self, kind: AggregateKind) -> Result<Datum> {
        let sample = matches!(kind, AggregateKind::VarSamp | AggregateKind::StddevSamp);
        let root = matches!(kind, AggregateKind::StddevSamp | AggregateKind::StddevPop);
        match self {
            Spread::Exact { count, sum, squares } => {
                if *count <= i64::from(sample) {
                    return Ok(Datum::Null);
                }
                Numeric::spread(*count, sum, squares, sample, root).map(Datum::Numeric)
            }
            Spread::Float { count, distances, .. } => {
                let divisor = count - f64::from(u8::from(sample));
                if *count <= f64::from(u8::from(sample)) {
                    return Ok(Datum::Null);
                }
                let variance = distances / divisor;
                Ok(Datum::Float8(if root { variance.sqrt() } else { variance }))
            }
        }
    }
}

fn add_float(count: &mut f64, sum: &mut f64, distances: &mut f64, value: f64) -> Result<()> {
    let (before, sum_before) = (*count, *sum);
    *count += 1.0;
    *sum += value;
    if before == 0.0 {
        if !value.is_finite() {
            *distances = f64::NAN;
        }
        return Ok(());
    }
    let distance = value * *count - *sum;
    *distances += distance * distance / (*count * before);
    if sum.is_infinite() || distances.is_infinite() {
        if sum_before.is_finite() && value.is_finite() {
            return Err(float_overflow());
        }
        *distances = f64::NAN;
    }
    Ok(())
}
