//! From a sample of a column's values to what planning guesses by.
//!
//! Owns the arithmetic, which is PostgreSQL's (`compute_scalar_stats` and `analyze_mcv_list` of `analyze.c`): the estimate of
//! different values after Haas and Stokes, which values are common enough to be kept, and the bounds of the histogram. A
//! table that is smaller than the sample therefore gets PostgreSQL's numbers.

use crate::catalog::statistics::ColumnStatistics;
use hexalog_sql_types::datum::compare;
use hexalog_sql_types::row::RowLayout;
use hexalog_sql_types::{Datum, TypeId, resolve};
use std::cmp::Ordering;

/// Values of more bytes are not looked at: they are hardly ever equal, and would be kept whole.
pub(super) const WIDTH_MAX: usize = 1_024;

/// Bytes up to which a value of PostgreSQL has a header of one byte; above, it has four.
const SHORT_MAX: usize = 126;

/// A value of the sample.
pub(super) enum Sampled {
    Null,
    /// Too wide, with its bytes.
    Wide(usize),
    Value(Datum, usize),
}

impl Sampled {
    pub(super) fn of(type_id: TypeId, value: Datum) -> Sampled {
        if value.is_null() {
            return Sampled::Null;
        }
        match width(type_id, &value) {
            width if width > WIDTH_MAX => Sampled::Wide(width),
            width => Sampled::Value(value, width),
        }
    }
}

impl Sampled {
    /// What it takes in memory, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let beside = match self {
            Sampled::Value(_, width) => *width,
            Sampled::Null | Sampled::Wide(_) => 0,
        };
        size_of::<Sampled>() + beside
    }
}

fn width(type_id: TypeId, value: &Datum) -> usize {
    let fixed = type_id.info().and_then(|info| usize::try_from(info.len).ok());
    fixed.unwrap_or_else(|| {
        let mut bytes = Vec::new();
        RowLayout::new(vec![type_id]).encode_value(0, value, &mut bytes);
        bytes.len() + if bytes.len() <= SHORT_MAX { 1 } else { 4 }
    })
}

/// A value that more than one row of the sample has.
struct Common {
    /// Where its run begins among the sorted values.
    first: usize,
    count: usize,
}

/// What a walk over the sorted values finds.
struct Runs {
    distinct: usize,
    /// Different values that more than one row has.
    multiple: usize,
    /// The most common of these, the most common first.
    common: Vec<Common>,
}

/// Statistics of a column, from a sample of a table of so many rows; values come in the order of the rows.
pub(super) fn column_statistics<'s>(
    (column, type_id): (usize, TypeId),
    sample: impl Iterator<Item = &'s Sampled>,
    rows: u64,
    target: usize,
) -> ColumnStatistics {
    let (mut sampled, mut nulls, mut wide, mut bytes) = (0, 0, 0, 0);
    let mut values: Vec<(&Datum, usize)> = Vec::new();
    for value in sample {
        sampled += 1;
        match value {
            Sampled::Null => nulls += 1,
            Sampled::Wide(width) => {
                wide += 1;
                bytes += width;
            }
            Sampled::Value(value, width) => {
                values.push((value, values.len()));
                bytes += width;
            }
        }
    }
    let null_fraction = if sampled == 0 { 0.0 } else { nulls as f64 / sampled as f64 };
    let mut statistics = ColumnStatistics {
        column,
        type_id,
        null_fraction: null_fraction as f32,
        width: match type_id.info().and_then(|info| u32::try_from(info.len).ok()) {
            Some(fixed) => fixed,
            None => u32::try_from(bytes / (values.len() + wide).max(1)).unwrap_or(u32::MAX),
        },
        distinct: 0.0,
        common: Vec::new(),
        bounds: Vec::new(),
        correlation: None,
    };
    let is_ordered = resolve::operator("<", Some(type_id), type_id).is_ok();
    if values.is_empty() && wide > 0 && is_ordered {
        statistics.distinct = (null_fraction - 1.0) as f32;
    }
    if values.is_empty() || !is_ordered {
        return statistics;
    }
    values.sort_by(|one, other| compare(type_id, one.0, other.0).then(one.1.cmp(&other.1)));
    let runs = Runs::of(type_id, &values, target);
    let counts = Counts { sampled: sampled as f64, nulls: nulls as f64, wide, rows: rows as f64 };
    let distinct = counts.distinct(&runs);
    statistics.distinct = distinct as f32;
    let kept = counts.common_kept(&runs, distinct, target);
    let common = &runs.common[..kept];
    statistics.common = common
        .iter()
        .map(|it| (values[it.first].0.clone(), (it.count as f64 / counts.sampled) as f32))
        .collect();
    statistics.bounds = bounds(&values, common, runs.distinct, target);
    statistics.correlation = correlation(&values);
    statistics
}

impl Runs {
    fn of(type_id: TypeId, values: &[(&Datum, usize)], target: usize) -> Runs {
        let mut runs = Runs { distinct: 0, multiple: 0, common: Vec::new() };
        let mut first = 0;
        while first < values.len() {
            let same =
                |other: &&(&Datum, usize)| compare(type_id, values[first].0, other.0) == Ordering::Equal;
            let count = values[first..].iter().take_while(same).count();
            runs.distinct += 1;
            if count > 1 {
                runs.multiple += 1;
                // Of values that are equally common the first stays in front.
                let at = runs.common.partition_point(|it| it.count >= count);
                if at < target {
                    runs.common.insert(at, Common { first, count });
                    runs.common.truncate(target);
                }
            }
            first += count;
        }
        runs
    }
}

/// Rows of the sample and of the table.
struct Counts {
    sampled: f64,
    nulls: f64,
    wide: usize,
    rows: f64,
}

impl Counts {
    fn null_fraction(&self) -> f64 {
        self.nulls / self.sampled
    }

    /// `n_distinct`.
    fn distinct(&self, runs: &Runs) -> f64 {
        if runs.multiple == 0 {
            // No value twice: as many as there are rows.
            return self.null_fraction() - 1.0;
        }
        let estimate = if self.wide == 0 && runs.multiple == runs.distinct {
            // Every value more than once: there are no others.
            runs.distinct as f64
        } else {
            let once = (runs.distinct - runs.multiple + self.wide) as f64;
            let different = once + runs.multiple as f64;
            let sampled = self.sampled - self.nulls;
            let rows = self.rows * (1.0 - self.null_fraction());
            let estimate = match rows > 0.0 {
                true => (sampled * different) / ((sampled - once) + once * sampled / rows),
                false => 0.0,
            };
            (estimate.min(rows).max(different) + 0.5).floor()
        };
        // A count that grows with the table is a part of it.
        if estimate > 0.1 * self.rows { -(estimate / self.rows) } else { estimate }
    }

    /// How many of the common values are common enough.
    fn common_kept(&self, runs: &Runs, distinct: f64, target: usize) -> usize {
        let tracked = runs.common.len();
        if tracked == runs.distinct && self.wide == 0 && distinct > 0.0 && tracked <= target {
            return tracked;
        }
        if self.sampled == self.rows || self.rows <= 1.0 {
            return tracked;
        }
        let distinct = if distinct < 0.0 { -distinct * self.rows } else { distinct };
        let mut kept = tracked;
        let counts: Vec<f64> = runs.common.iter().map(|it| it.count as f64).collect();
        let mut sum: f64 = counts.iter().take(kept.saturating_sub(1)).sum();
        while kept > 0 {
            // How common a value would be that is none of those before it.
            let mut others = (1.0 - sum / self.sampled - self.null_fraction()).clamp(0.0, 1.0);
            let other_values = distinct - (kept - 1) as f64;
            if other_values > 1.0 {
                others /= other_values;
            }
            // Two standard deviations of a hypergeometric distribution above that, it is no accident.
            let (all, sampled) = (self.rows, self.sampled);
            let with = all * counts[kept - 1] / sampled;
            let variance = sampled * with * (all - with) * (all - sampled) / (all * all * (all - 1.0));
            if counts[kept - 1] > others * sampled + 2.0 * variance.sqrt() + 0.5 {
                break;
            }
            kept -= 1;
            if kept > 0 {
                sum -= counts[kept - 1];
            }
        }
        kept
    }
}

/// The bounds of equal parts of the values that are not common.
fn bounds(values: &[(&Datum, usize)], common: &[Common], distinct: usize, target: usize) -> Vec<Datum> {
    let wanted = (distinct - common.len()).min(target + 1);
    if wanted < 2 {
        return Vec::new();
    }
    let mut is_common = vec![false; values.len()];
    for run in common {
        is_common[run.first..run.first + run.count].fill(true);
    }
    let rest: Vec<&Datum> =
        values.iter().zip(&is_common).filter(|(_, common)| !**common).map(|(value, _)| value.0).collect();
    let (last, parts) = (rest.len() - 1, wanted - 1);
    (0..wanted).map(|at| rest[at * last / parts].clone()).collect()
}

/// Pearson's coefficient of places in the order of values and places in the table.
fn correlation(values: &[(&Datum, usize)]) -> Option<f32> {
    if values.len() < 2 {
        return None;
    }
    let count = values.len() as f64;
    let products: f64 = values.iter().enumerate().map(|(at, (_, place))| at as f64 * *place as f64).sum();
    let sum = (count - 1.0) * count / 2.0;
    let squares = (count - 1.0) * count * (2.0 * count - 1.0) / 6.0;
    Some(((count * products - sum * sum) / (count * squares - sum * sum)) as f32)
}
