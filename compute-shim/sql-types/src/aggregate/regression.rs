//! The state of the aggregates of two variables: covariance, correlation, linear regression.
//!
//! Owns the sums of Youngs and Cramer as PostgreSQL 15 keeps them (`float8_regr_accum`). Read next: `number.rs`.

use super::AggregateKind;
use crate::cast::float_overflow;
use crate::datum::Datum;
use crate::error::Result;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Regression {
    count: f64,
    sum_x: f64,
    sum_xx: f64,
    sum_y: f64,
    sum_yy: f64,
    sum_xy: f64,
}

fn f64_of(value: &Datum) -> f64 {
    match value {
        Datum::Float8(value) => *value,
        other => panic!("a regression was given {other:?}"),
    }
}

/// Infinite sums of squares are NaN.
fn not_infinite(value: f64) -> f64 {
    if value.is_infinite() { f64::NAN } else { value }
}

impl Regression {
    /// Takes in a pair, the dependent variable first; NULL in either leaves it out.
    pub(super) fn add(&mut self, arguments: &[Datum]) -> Result<()> {
        if arguments.iter().any(Datum::is_null) {
            return Ok(());
        }
        let (y, x) = (f64_of(&arguments[0]), f64_of(&arguments[1]));
        let before = *self;
        self.count += 1.0;
        self.sum_x += x;
        self.sum_y += y;
        if before.count == 0.0 {
            if !x.is_finite() {
                (self.sum_xx, self.sum_xy) = (f64::NAN, f64::NAN);
            }
            if !y.is_finite() {
                (self.sum_yy, self.sum_xy) = (f64::NAN, f64::NAN);
            }
            return Ok(());
        }
        let (off_x, off_y) = (x * self.count - self.sum_x, y * self.count - self.sum_y);
        let scale = 1.0 / (self.count * before.count);
        self.sum_xx += off_x * off_x * scale;
        self.sum_yy += off_y * off_y * scale;
        self.sum_xy += off_x * off_y * scale;
        let was_x = before.sum_x.is_infinite() || x.is_infinite();
        let was_y = before.sum_y.is_infinite() || y.is_infinite();
        let overflows_x = (self.sum_x.is_infinite() || self.sum_xx.is_infinite()) && !was_x;
        let overflows_y = (self.sum_y.is_infinite() || self.sum_yy.is_infinite()) && !was_y;
        if overflows_x || overflows_y || (self.sum_xy.is_infinite() && !was_x && !was_y) {
            return Err(float_overflow());
        }
        self.sum_xx = not_infinite(self.sum_xx);
        self.sum_yy = not_infinite(self.sum_yy);
        self.sum_xy = not_infinite(self.sum_xy);
        Ok(())
    }

    pub(super) fn finish(&self, kind: AggregateKind) -> Datum {
        use AggregateKind as A;
        let Regression { count, sum_x, sum_xx, sum_y, sum_yy, sum_xy } = *self;
        if kind == A::RegrCount {
            #[expect(clippy::cast_possible_truncation, reason = "a count of rows")]
            return Datum::Int8(count as i64);
        }
        if count < 1.0 || (kind == A::CovarSamp && count < 2.0) {
            return Datum::Null;
        }
        let flat = sum_xx == 0.0;
        Datum::Float8(match kind {
            A::RegrSxx => sum_xx,
            A::RegrSyy => sum_yy,
            A::RegrSxy => sum_xy,
            A::RegrAvgx => sum_x / count,
            A::RegrAvgy => sum_y / count,
            A::CovarPop => sum_xy / count,
            A::CovarSamp => sum_xy / (count - 1.0),
            A::Corr if flat || sum_yy == 0.0 => return Datum::Null,
            A::Corr => sum_xy / (sum_xx * sum_yy).sqrt(),
            _ if flat => return Datum::Null,
            A::RegrR2 if sum_yy == 0.0 => 1.0,
            A::RegrR2 => (sum_xy * sum_xy) / (sum_xx * sum_yy),
            A::RegrSlope => sum_xy / sum_xx,
            A::RegrIntercept => (sum_y - sum_x * sum_xy / sum_xx) / count,
            other => panic!("{other:?} is no aggregate of two variables"),
        })
    }
}
