//! Ordered-set aggregates: percentiles and the most frequent value.
//!
//! Owns [`Ordered`]: the values in the order of WITHIN GROUP, which the executor feeds them in, and what is asked of them. A
//! call's direct argument comes first with every row; it is the same for all rows of a group. Source:
//! `orderedsetaggs.c` of PostgreSQL.

use super::AggregateKind;
use crate::datum::{Array, Datum, equal};
use crate::error::{Result, SqlError, SqlState};
use crate::types::TypeId;

/// The values of a group.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    kind: AggregateKind,
    /// Type of the values.
    type_id: TypeId,
    /// What percentiles are asked for; NULL before the first row.
    fractions: Datum,
    values: Vec<Datum>,
}

impl Ordered {
    pub(super) fn new(kind: AggregateKind, arguments: &[TypeId]) -> Ordered {
        let type_id = *arguments.last().expect("there is a value to order by");
        Ordered { kind, type_id, fractions: Datum::Null, values: Vec::new() }
    }

    pub(super) fn add(&mut self, arguments: &[Datum]) {
        let (value, direct) = arguments.split_last().expect("there is a value to order by");
        if let [fractions] = direct {
            self.fractions = fractions.clone();
        }
        if !value.is_null() {
            self.values.push(value.clone());
        }
    }

    pub(super) fn finish(&self) -> Result<Datum> {
        if self.values.is_empty() {
            return Ok(Datum::Null);
        }
        if self.kind == AggregateKind::Mode {
            return Ok(self.mode());
        }
        match &self.fractions {
            Datum::Null => Ok(Datum::Null),
            Datum::Array(fractions) => {
                let values: Result<Vec<Datum>> =
                    fractions.values.iter().map(|fraction| self.percentile(fraction)).collect();
                let dimensions = fractions.dimensions.clone();
                Ok(Array { element: self.type_id, dimensions, values: values? }.into())
            }
            fraction => self.percentile(fraction),
        }
    }

    /// The first of those values that are there most often.
    fn mode(&self) -> Datum {
        let runs = self.values.chunk_by(|a, b| equal(self.type_id, a, b));
        let mut longest: &[Datum] = &[];
        for run in runs {
            if run.len() > longest.len() {
                longest = run;
            }
        }
        longest.first().cloned().unwrap_or(Datum::Null)
    }

    #[expect(clippy::cast_precision_loss, reason = "as PostgreSQL computes it")]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of values"
    )]
    fn percentile(&self, fraction: &Datum) -> Result<Datum> {
        let &Datum::Float8(fraction) = fraction else { return Ok(Datum::Null) };
        if !(0.0..=1.0).contains(&fraction) {
            let mut shown = Vec::new();
            crate::text::write_f64(fraction, &mut shown);
            let shown = String::from_utf8_lossy(&shown);
            let message = format!("percentile value {shown} is not between 0 and 1");
            return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message));
        }
        if self.kind == AggregateKind::PercentileDisc {
            let number = (fraction * self.values.len() as f64).ceil() as usize;
            return Ok(self.values[number.max(1) - 1].clone());
        }
        let place = fraction * (self.values.len() - 1) as f64;
        let (first, second) = (place.floor() as usize, place.ceil() as usize);
        if first == second {
            return Ok(self.values[first].clone());
        }
        between(&self.values[first], &self.values[second], place - place.floor())
    }
}

/// The value so far on the way from one to the other.
fn between(low: &Datum, high: &Datum, share: f64) -> Result<Datum> {
    match (low, high) {
        (Datum::Float8(low), Datum::Float8(high)) => Ok(Datum::Float8(low + share * (high - low))),
        (Datum::Interval(low), Datum::Interval(high)) => {
            let way = high.add(&low.negate()?)?;
            Ok(Datum::Interval(low.add(&way.multiply(share)?)?))
        }
        _ => panic!("no percentile lies between {low:?} and {high:?}"),
    }
}
