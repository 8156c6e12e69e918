//! Aggregation by columns: where calls and keys ask for no more than columns and sums and products of short numbers.
//!
//! Owns [`ByColumns`]: which aggregations that is, the groups of many rows, and how their calls are fed column by column. What it cannot
//! compute this way (NULL in a product, numbers of many digits, a group that does not fit its memory) it leaves untouched, and the rows
//! are taken in one by one. States and errors are those of the rows in their order.

use super::aggregate::{Aggregate, Group};
use super::columns::Columns;
use super::context::{ValueHasher, hash_values};
use super::kept_bytes::KeptBytes;
use super::sort::Places;
use super::{Context, Row};
use crate::expression::{Expr, Kind};
use crate::plan::{AggregateCall, Node};
use hexalog_sql_types::aggregate::{Accumulator, AggregateKind};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::numeric::{Short, Shorts};
use hexalog_sql_types::row::{Values, ValuesKind};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, TypeId};
use std::hash::Hasher;

/// Keys whose groups are known by their bytes. A guess: more of them no longer fit the processor's caches, and with that many groups
/// the way from a key to its group costs little beside them.
const KNOWN_KEYS_MAX: usize = 4096;

/// What is kept of columns while they are aggregated.
#[derive(Default)]
pub(super) struct ByColumns {
    pub columns: Columns,
    /// The row of `columns` that is to be taken in by itself next; those before it have been.
    pub at: usize,
    known: KnownKeys,
    /// The group of each row.
    groups: Vec<usize>,
}

/// What a call is given of each row.
enum Input<'a> {
    /// Nothing: it counts rows.
    Rows,
    Column(&'a Values),
    Computed(Shorts<'a>),
}

/// Groups by the bytes of their keys: equal bytes are equal values. Others may be equal too, and are looked up by value.
#[derive(Default)]
struct KnownKeys {
    places: Places,
    /// Where the bytes of each end, and its group.
    ends: Vec<(usize, usize)>,
    bytes: Vec<u8>,
    /// The key that is looked for.
    wanted: Vec<u8>,
}

/// Whether an aggregation can be fed by columns, whatever its input.
pub(super) fn is_by_columns(keys: &[Expr], calls: &[AggregateCall]) -> bool {
    let is_column = |expr: &Expr| matches!(expr.kind, Kind::Column(_));
    let is_plain = |call: &AggregateCall| {
        let kind = matches!(
            call.function.kind,
            AggregateKind::Count
                | AggregateKind::Sum
                | AggregateKind::Average
                | AggregateKind::Min
                | AggregateKind::Max
        );
        let argument = match &*call.arguments {
            [] => true,
            [argument] => is_column(argument) || is_of_shorts(argument),
            _ => false,
        };
        let is_of_all = !call.distinct && call.filter.is_none();
        kind && argument && is_of_all && call.order_by.is_empty() && call.order_exprs.is_empty()
    };
    keys.iter().all(is_column) && calls.iter().all(is_plain)
}

/// Sums and products of columns and constants, all of type `numeric`.
fn is_of_shorts(expr: &Expr) -> bool {
    expr.type_id == TypeId::NUMERIC
        && match &expr.kind {
            Kind::Column(_) => true,
            Kind::Constant(value) => Short::of(value).is_some(),
            Kind::Operator { operator, operands } => {
                Short::knows(operator) && operands.len() == 2 && operands.iter().all(is_of_shorts)
            }
            _ => false,
        }
}

/// Such an expression in all rows; `None` if it is to be evaluated in one of them.
fn shorts<'a>(expr: &Expr, columns: &'a Columns) -> Option<Shorts<'a>> {
    match &expr.kind {
        Kind::Column(column) => {
            let values = &columns.columns[*column];
            (values.kind() == ValuesKind::Short)
                .then(|| Shorts::Many(values.numbers().into(), values.scale()))
        }
        Kind::Constant(value) => Short::of(value).map(Shorts::One),
        Kind::Operator { operator, operands } => {
            let [left, right] = &**operands else { return None };
            Shorts::apply(operator, &shorts(left, columns)?, &shorts(right, columns)?)
        }
        _ => None,
    }
}

fn input<'a>(call: &AggregateCall, columns: &'a Columns) -> Option<Input<'a>> {
    Some(match call.arguments.first() {
        None => Input::Rows,
        Some(Expr { kind: Kind::Column(column), .. }) => Input::Column(&columns.columns[*column]),
        Some(argument) => Input::Computed(shorts(argument, columns)?),
    })
}

impl Aggregate {
    /// Takes in all rows of the columns at once. False: nothing has been taken in, they are to be taken one by one.
    pub(super) fn take_columns(&mut self, context: &Context<'_>, by: &mut ByColumns) -> Result<bool> {
        let plan = self.plan.clone();
        let Node::Aggregate { keys, calls, .. } = &*plan else { unreachable!("built for aggregates") };
        let rows = by.columns.rows;
        let Some(inputs) = calls.iter().map(|call| input(call, &by.columns)).collect::<Option<Vec<_>>>()
        else {
            return Ok(false);
        };
        if !self.find_groups(context, &by.columns, &mut by.known, &mut by.groups)? {
            return Ok(false);
        }
        // The error of the first row that has one is told, and of its first call.
        let (mut failed, mut sound) = (None, rows);
        let all = if keys.items.is_empty() { None } else { Some(&*by.groups) };
        for (number, input) in inputs.iter().enumerate() {
            let mut feed = Feed {
                env: &context.env,
                groups: &mut self.groups,
                of_rows: all.map(|groups| &groups[..sound]),
                call: number,
                kept: &mut self.kept,
            };
            if let Err((row, error)) = feed.input(input, sound) {
                (failed, sound) = (Some(error), row);
            }
        }
        self.number += rows as u64;
        failed.map_or(Ok(true), Err)
    }

    /// The group of each row; false if one of them belongs to none that is in memory.
    fn find_groups(
        &mut self,
        context: &Context<'_>,
        columns: &Columns,
        known: &mut KnownKeys,
        groups: &mut Vec<usize>,
    ) -> Result<bool> {
        let plan = self.plan.clone();
        let Node::Aggregate { keys, .. } = &*plan else { unreachable!("built for aggregates") };
        let of = |item: &Expr| match item.kind {
            Kind::Column(column) => &columns.columns[column],
            _ => unreachable!("is_by_columns has seen it"),
        };
        let values: Vec<&Values> = keys.items.iter().map(of).collect();
        let has_bytes = values.iter().all(|values| values.kind() != ValuesKind::Data);
        groups.clear();
        if values.is_empty() {
            return Ok(self.group_of(context, 0, Row::new())?.is_some());
        }
        for row in 0..columns.rows {
            let hash = if has_bytes { known.want(&values, row) } else { 0 };
            if has_bytes && let Some(group) = known.find(hash) {
                groups.push(group);
                continue;
            }
            let key = values.iter().map(|values| values.datum(row)).collect();
            let Some(group) = self.group_of(context, row, key)? else { return Ok(false) };
            if has_bytes {
                known.add(hash, group);
            }
            groups.push(group);
        }
        Ok(true)
    }

    /// The group of a key that the n-th row of those at hand has, made if it is new.
    fn group_of(&mut self, context: &Context<'_>, row: usize, key: Row) -> Result<Option<usize>> {
        let plan = self.plan.clone();
        let Node::Aggregate { keys, .. } = &*plan else { unreachable!("built for aggregates") };
        let hash = hash_values(keys.items.iter().map(|item| item.type_id).zip(&key));
        let number = self.number + row as u64 + 1;
        self.group(context, number, hash, &mut { key })
    }
}

/// Feeds one call of groups.
struct Feed<'a> {
    env: &'a EvalEnv<'a>,
    groups: &'a mut [Group],
    /// The group of each row; `None`: there is one group.
    of_rows: Option<&'a [usize]>,
    call: usize,
    kept: &'a mut KeptBytes,
}

/// A row's error.
type Fed = std::result::Result<(), (usize, SqlError)>;

impl Feed<'_> {
    fn input(&mut self, input: &Input<'_>, rows: usize) -> Fed {
        match input {
            Input::Rows => self.count(rows),
            Input::Computed(Shorts::One(number)) => self.each(rows, |state, _| state.add_short(*number)),
            Input::Computed(Shorts::Many(digits, scale)) => {
                self.each(rows, |state, row| state.add_short(Short::new(digits[row], *scale)))
            }
            Input::Column(values) => match values.kind() {
                ValuesKind::Whole => {
                    let numbers = values.numbers();
                    self.each(rows, |state, row| state.add_whole(numbers[row]))
                }
                ValuesKind::Float => {
                    let floats = values.floats();
                    self.each(rows, |state, row| state.add_float(floats[row]))
                }
                ValuesKind::Short => {
                    let (digits, scale) = (values.numbers(), values.scale());
                    self.each(rows, |state, row| state.add_short(Short::new(digits[row], scale)))
                }
                ValuesKind::Text | ValuesKind::Data => self.values(values, rows),
            },
        }
    }

    fn count(&mut self, rows: usize) -> Fed {
        match self.of_rows {
            None => self.groups[0].calls[self.call].accumulator.add_rows(rows),
            Some(groups) => {
                groups.iter().for_each(|&group| self.groups[group].calls[self.call].accumulator.add_rows(1));
            }
        }
        Ok(())
    }

    #[inline]
    fn each(&mut self, rows: usize, add: impl Fn(&mut Accumulator, usize) -> Result<()>) -> Fed {
        match self.of_rows {
            None => {
                let state = &mut self.groups[0].calls[self.call].accumulator;
                (0..rows).try_for_each(|row| add(state, row).map_err(|error| (row, error)))
            }
            Some(groups) => groups.iter().enumerate().try_for_each(|(row, &group)| {
                add(&mut self.groups[group].calls[self.call].accumulator, row).map_err(|error| (row, error))
            }),
        }
    }

    /// Values of which one that is kept may be larger than the last.
    fn values(&mut self, values: &Values, rows: usize) -> Fed {
        for row in 0..rows {
            let group = self.of_rows.map_or(0, |groups| groups[row]);
            let state = &mut self.groups[group].calls[self.call];
            let value: Datum = values.datum(row);
            state.add(self.env, self.kept, &[value]).map_err(|error| (row, error))?;
        }
        Ok(())
    }
}

impl KnownKeys {
    fn clear(&mut self) {
        self.places.clear();
        self.ends.clear();
        self.bytes.clear();
    }

    /// Looks for the key of a row from now on; gives its hash.
    fn want(&mut self, values: &[&Values], row: usize) -> u64 {
        let wanted = &mut self.wanted;
        wanted.clear();
        for values in values {
            match values.kind() {
                ValuesKind::Whole => wanted.extend_from_slice(&values.numbers()[row].to_le_bytes()),
                ValuesKind::Float => wanted.extend_from_slice(&values.floats()[row].to_le_bytes()),
                ValuesKind::Short => {
                    wanted.extend_from_slice(&values.numbers()[row].to_le_bytes());
                    wanted.extend_from_slice(&values.scale().to_le_bytes());
                }
                ValuesKind::Text => {
                    let text = values.text(row);
                    wanted.extend_from_slice(&(text.len() as u64).to_le_bytes());
                    wanted.extend_from_slice(text.as_bytes());
                }
                ValuesKind::Data => unreachable!("values of their own have no bytes here"),
            }
        }
        let mut hasher = ValueHasher::default();
        hasher.write(wanted);
        hasher.finish()
    }

    fn find(&self, hash: u64) -> Option<usize> {
        self.places.of(hash).find_map(|at| {
            let start = if at == 0 { 0 } else { self.ends[at - 1].0 };
            let (end, group) = self.ends[at];
            (self.bytes[start..end] == self.wanted).then_some(group)
        })
    }

    /// The key that was looked for belongs to this group.
    fn add(&mut self, hash: u64, group: usize) {
        if self.ends.len() < KNOWN_KEYS_MAX {
            self.places.add(hash, self.ends.len());
            self.bytes.extend_from_slice(&self.wanted);
            self.ends.push((self.bytes.len(), group));
        }
    }
}

impl ByColumns {
    /// Groups are dropped, and rows that have not been taken in.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.columns.rows = 0;
        self.at = 0;
    }

    /// Whether rows of the columns are still to be taken in one by one.
    pub(super) fn has_rows(&self) -> bool {
        self.at < self.columns.rows
    }
}
