//! Frames: which rows of a partition a window call sees from its row.
//!
//! Owns [`Partition`] (the rows' groups of peers) and the arithmetic of ROWS, GROUPS and RANGE bounds. Works on places in the
//! partition; reads values only for RANGE with an offset.

use super::Row;
use super::sort::compare_rows;
use crate::plan::{FrameExclusion, FrameUnit, SortKey, WindowBound, WindowFrame};
use hexalog_sql_types::cast::{CastContext, coercion};
use hexalog_sql_types::datetime::{Time, Timetz};
use hexalog_sql_types::datum::compare;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, TypeId, Typmod, resolve};
use std::cmp::Ordering;
use std::ops::Range;

/// The order of a partition's rows.
pub(super) struct Partition {
    /// Peers, in order; every row is in one group.
    groups: Vec<Range<usize>>,
    group_of: Vec<usize>,
    /// Rows whose first sort key is NULL: they stand at one end.
    nulls: usize,
}

impl Partition {
    /// Of rows whose keys are sorted by `order`.
    pub(super) fn new(keys: &[&Row], order: &[SortKey]) -> Partition {
        let (mut groups, mut group_of) = (Vec::<Range<usize>>::new(), Vec::with_capacity(keys.len()));
        for at in 0..keys.len() {
            match groups.last_mut() {
                Some(group) if compare_rows(order, keys[at - 1], keys[at]).is_eq() => group.end = at + 1,
                _ => groups.push(at..at + 1),
            }
            group_of.push(groups.len() - 1);
        }
        let nulls =
            order.first().map_or(0, |key| keys.iter().filter(|values| values[key.column].is_null()).count());
        Partition { groups, group_of, nulls }
    }

    pub(super) fn len(&self) -> usize {
        self.group_of.len()
    }

    /// The peers of a row, itself among them.
    pub(super) fn peers(&self, at: usize) -> Range<usize> {
        self.groups[self.group_of[at]].clone()
    }

    /// The number of groups before a row's.
    pub(super) fn group(&self, at: usize) -> usize {
        self.group_of[at]
    }
}

/// A frame with its offsets computed.
pub(super) struct Bounds {
    pub start: Option<Datum>,
    pub end: Option<Datum>,
}

/// What RANGE with an offset compares: the one sort key.
pub(super) struct RangeKey<'k> {
    /// Of a row of the partition.
    pub value: &'k dyn Fn(usize) -> &'k Datum,
    pub key: SortKey,
    pub env: &'k EvalEnv<'k>,
}

/// 22004 and 22013 for offsets that make no frame.
pub(super) fn check_offset(unit: FrameUnit, offset: &Datum, word: &str) -> Result<()> {
    if offset.is_null() {
        let message = format!("frame {word} offset must not be null");
        return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
    }
    let is_negative = match offset {
        Datum::Int8(value) => *value < 0,
        Datum::Float8(value) => *value < 0.0 || value.is_nan(),
        Datum::Numeric(_) => is_below_zero(TypeId::NUMERIC, offset, "0"),
        Datum::Interval(_) => is_below_zero(TypeId::INTERVAL, offset, "0"),
        _ => false,
    };
    match (is_negative, unit) {
        (false, _) => Ok(()),
        (true, FrameUnit::Range) => Err(SqlError::new(
            SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "invalid preceding or following size in window function",
        )),
        (true, _) => {
            let message = format!("frame {word} offset must not be negative");
            Err(SqlError::new(SqlState::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message))
        }
    }
}

fn is_below_zero(type_id: TypeId, value: &Datum, zero: &str) -> bool {
    let env = EvalEnv::without_session();
    let zero = hexalog_sql_types::text::input(&env, type_id, Typmod::NONE, zero).expect("a zero");
    compare(type_id, value, &zero).is_lt()
}

impl Partition {
    /// The rows of the frame of row `at`, before exclusion.
    pub(super) fn frame(
        &self,
        at: usize,
        frame: &WindowFrame,
        bounds: &Bounds,
        range: Option<&RangeKey<'_>>,
    ) -> Result<Range<usize>> {
        let start = match &frame.start {
            WindowBound::UnboundedPreceding => 0,
            WindowBound::UnboundedFollowing => self.len(),
            WindowBound::CurrentRow if frame.unit == FrameUnit::Rows => at,
            WindowBound::CurrentRow => self.peers(at).start,
            bound => self.offset_bound(at, frame.unit, bound, bounds.start.as_ref(), range, true)?,
        };
        let end = match &frame.end {
            WindowBound::UnboundedPreceding => 0,
            WindowBound::UnboundedFollowing => self.len(),
            WindowBound::CurrentRow if frame.unit == FrameUnit::Rows => at + 1,
            WindowBound::CurrentRow => self.peers(at).end,
            bound => self.offset_bound(at, frame.unit, bound, bounds.end.as_ref(), range, false)?,
        };
        Ok(start..end.max(start))
    }

    fn offset_bound(
        &self,
        at: usize,
        unit: FrameUnit,
        bound: &WindowBound,
        offset: Option<&Datum>,
        range: Option<&RangeKey<'_>>,
        is_start: bool,
    ) -> Result<usize> {
        let offset = offset.expect("bounds with an offset have it computed");
        let preceding = matches!(bound, WindowBound::Preceding(_));
        if unit == FrameUnit::Range {
            let range = range.expect("RANGE with an offset has one sort key");
            return self.range_bound(at, preceding, offset, range, is_start);
        }
        let Datum::Int8(count) = offset else { unreachable!("the binder made it bigint") };
        let count = usize::try_from(*count).expect("checked to be no less than 0");
        let (place, places) = match unit {
            FrameUnit::Rows => (at, self.len()),
            _ => (self.group(at), self.groups.len()),
        };
        // The place that the bound names: before the first, after the last, or one of them.
        let named = if preceding { place.checked_sub(count) } else { place.checked_add(count) };
        let place = match named {
            None if preceding => return Ok(0),
            None => return Ok(self.len()),
            Some(place) if place >= places => return Ok(self.len()),
            Some(place) => place,
        };
        let rows = if unit == FrameUnit::Rows { place..place + 1 } else { self.groups[place].clone() };
        Ok(if is_start { rows.start } else { rows.end })
    }

    /// Rows in range are those whose key is not further away than the offset; NULLs are in range of NULLs alone.
    fn range_bound(
        &self,
        at: usize,
        preceding: bool,
        offset: &Datum,
        range: &RangeKey<'_>,
        is_start: bool,
    ) -> Result<usize> {
        let RangeKey { value, key, env } = range;
        let base = value(at);
        if base.is_null() {
            let peers = self.peers(at);
            return Ok(if is_start { peers.start } else { peers.end });
        }
        let known = if key.nulls_first { self.nulls..self.len() } else { 0..self.len() - self.nulls };
        // In descending order what precedes is larger.
        let limit = Limit::new(env, key.type_id, base, offset, preceding != key.descending)?;
        let before = |other: &Datum| {
            let order = limit.order(env, key.type_id, other);
            let order = if key.descending { order.reverse() } else { order };
            if is_start { order.is_lt() } else { order.is_le() }
        };
        let (mut low, mut high) = (known.start, known.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            if before(value(middle)) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// The key at the edge of a range. One beyond what the type holds lies behind all keys.
enum Limit {
    Integer(i128),
    Value(Datum, TypeId),
    /// An infinite offset from an infinity away from it: all keys but NaN are in range, which is larger than all.
    Anywhere,
}

impl Limit {
    /// `base - offset` or `base + offset`.
    fn new(env: &EvalEnv<'_>, type_id: TypeId, base: &Datum, offset: &Datum, minus: bool) -> Result<Limit> {
        if let (Some(base), Datum::Int8(offset)) = (base.as_i64(), offset) {
            let (base, offset) = (i128::from(base), i128::from(*offset));
            return Ok(Limit::Integer(if minus { base - offset } else { base + offset }));
        }
        if let Datum::Float8(offset) = offset {
            let base = match base {
                Datum::Float4(value) => f64::from(*value),
                Datum::Float8(value) => *value,
                other => unreachable!("a float8 offset from {other:?}"),
            };
            if offset.is_infinite() && base.is_infinite() && (base > 0.0) == minus {
                return Ok(Limit::Anywhere);
            }
            let edge = if minus { base - offset } else { base + offset };
            return Ok(Limit::Value(Datum::Float8(edge), TypeId::FLOAT8));
        }
        if let Datum::Interval(offset) = offset
            && let Some(edge) = clock_edge(base, offset.us, minus)
        {
            return Ok(Limit::Value(edge, type_id));
        }
        let offset_type = if type_id == TypeId::NUMERIC { TypeId::NUMERIC } else { TypeId::INTERVAL };
        let resolved = resolve::operator(if minus { "-" } else { "+" }, Some(type_id), offset_type)?;
        let edge = resolved.operator.apply(env, &[base.clone(), offset.clone()])?;
        Ok(Limit::Value(edge, resolved.result))
    }

    /// How a key stands to the limit.
    fn order(&self, env: &EvalEnv<'_>, type_id: TypeId, key: &Datum) -> Ordering {
        match self {
            Limit::Anywhere => match key {
                Datum::Float4(value) if value.is_nan() => Ordering::Greater,
                Datum::Float8(value) if value.is_nan() => Ordering::Greater,
                _ => Ordering::Equal,
            },
            Limit::Integer(limit) => i128::from(key.as_i64().expect("an integer key")).cmp(limit),
            Limit::Value(limit, limit_type) if *limit_type == type_id => compare(type_id, key, limit),
            Limit::Value(limit, limit_type) => {
                let widened = coercion(type_id, *limit_type, Typmod::NONE, CastContext::Implicit)
                    .map(|coercion| coercion.apply(env, key.clone()));
                match widened {
                    Some(Ok(key)) => compare(*limit_type, &key, limit),
                    _ => unreachable!("dates widen to timestamps, float4 to float8"),
                }
            }
        }
    }
}

/// A time of day some way off, before or behind the day if need be: the clock does not come round here, and days and
/// months of the offset do not count.
fn clock_edge(base: &Datum, us: i64, minus: bool) -> Option<Datum> {
    let moved = |from: i64| if minus { from.saturating_sub(us) } else { from.saturating_add(us) };
    match base {
        Datum::Time(time) => Some(Datum::Time(Time(moved(time.0)))),
        Datum::Timetz(time) => Some(Datum::Timetz(Timetz { us: moved(time.us), west: time.west })),
        _ => None,
    }
}

/// Whether a row of a frame counts.
pub(super) fn counts(exclusion: FrameExclusion, row: usize, current: usize, peers: &Range<usize>) -> bool {
    match exclusion {
        FrameExclusion::NoOthers => true,
        FrameExclusion::CurrentRow => row != current,
        FrameExclusion::Group => !peers.contains(&row),
        FrameExclusion::Ties => row == current || !peers.contains(&row),
    }
}
