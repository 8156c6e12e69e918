//! GROUP BY and aggregates, by hash.
//!
//! Groups come out in the order in which their first rows came in. Without keys there is one group even if there are
//! no rows.

use super::context::hash_of;
use super::sort::compare_rows;
use super::{Context, KeptBytes, Operator, Row};
use crate::expression::{Evaluation, evaluate, is_true};
use crate::plan::{AggregateCall, Node};
use crate::stop::Step;
use hexalog_sql_types::aggregate::Accumulator;
use hexalog_sql_types::datum::equal;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EvalEnv, TypeId};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

/// One aggregate's state in one group.
struct Call {
    accumulator: Accumulator,
    /// DISTINCT or ORDER BY: arguments (and order values) of all rows, fed at the end.
    rows: Vec<Row>,
}

struct Group {
    key: Row,
    calls: Vec<Call>,
}

/// The operator.
pub(super) struct Aggregate {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    evaluation: Evaluation,
    row: Row,
    is_begun: bool,
    groups: Vec<Group>,
    /// Keys of groups, and what aggregates, DISTINCT and ORDER BY keep.
    kept: KeptBytes,
    lookup: HashMap<u64, Vec<usize>, BuildHasherDefault<DefaultHasher>>,
    is_complete: bool,
    at: usize,
}

impl Aggregate {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Aggregate {
        let Node::Aggregate { keys, calls, .. } = &*plan else { unreachable!("built for aggregates") };
        let inner =
            calls.iter().flat_map(|call| call.arguments.iter().chain(&call.order_exprs).chain(&call.filter));
        let evaluation = Evaluation::of(keys.items.iter().chain(inner));
        Aggregate {
            plan,
            input,
            evaluation,
            row: Row::new(),
            is_begun: false,
            groups: Vec::new(),
            kept: KeptBytes::worked_on("An aggregation"),
            lookup: HashMap::default(),
            is_complete: false,
            at: 0,
        }
    }

    /// The group of a key, made if it is new.
    fn group(&mut self, key: Row, types: &[TypeId], calls: &[AggregateCall]) -> Result<usize> {
        let mut hash = 0u64;
        for (value, &type_id) in key.iter().zip(types) {
            hash = hash.rotate_left(5) ^ hash_of(type_id, value);
        }
        let places = self.lookup.entry(hash).or_default();
        let found = places.iter().find(|&&at| {
            let other = &self.groups[at].key;
            key.iter().zip(other).zip(types).all(|((a, b), &type_id)| equal(type_id, a, b))
        });
        if let Some(&at) = found {
            return Ok(at);
        }
        self.kept.add(&key)?;
        places.push(self.groups.len());
        self.groups.push(new_group(key, calls));
        Ok(self.groups.len() - 1)
    }

    /// Takes in the row that is there. Everything is evaluated before any state changes.
    fn take_row(&mut self, context: &mut Context<'_>) -> Step<()> {
        let plan = self.plan.clone();
        let Node::Aggregate { keys, calls, .. } = &*plan else { unreachable!("built for aggregates") };
        let mut key = Row::with_capacity(keys.items.len());
        for item in &keys.items {
            key.push(evaluate(item, &self.row, context)?);
        }
        let mut inputs: Vec<Option<Row>> = Vec::with_capacity(calls.len());
        for call in calls {
            let passes = match &call.filter {
                Some(filter) => is_true(filter, &self.row, context)?,
                None => true,
            };
            if !passes {
                inputs.push(None);
                continue;
            }
            let mut values = Row::with_capacity(call.arguments.len() + call.order_exprs.len());
            for argument in call.arguments.iter().chain(&call.order_exprs) {
                values.push(evaluate(argument, &self.row, context)?);
            }
            inputs.push(Some(values));
        }
        let types: Vec<TypeId> = keys.items.iter().map(|item| item.type_id).collect();
        let at = self.group(key, &types, calls)?;
        for ((call, state), input) in calls.iter().zip(&mut self.groups[at].calls).zip(inputs) {
            let Some(values) = input else { continue };
            match call.distinct || !call.order_by.is_empty() {
                true => {
                    self.kept.add(&values)?;
                    state.rows.push(values);
                }
                false => {
                    if state.accumulator.keeps_rows() {
                        self.kept.add(&values)?;
                    }
                    state.accumulator.add(&context.env, &values)?;
                }
            }
        }
        Ok(())
    }
}

fn new_group(key: Row, calls: &[AggregateCall]) -> Group {
    let call = |call: &AggregateCall| {
        let types: Vec<TypeId> = call.arguments.iter().map(|argument| argument.type_id).collect();
        Call { accumulator: Accumulator::new(call.function, &types), rows: Vec::new() }
    };
    Group { key, calls: calls.iter().map(call).collect() }
}

/// Feeds the kept rows in their order, equal ones once if the call says DISTINCT.
fn feed_kept(env: &EvalEnv<'_>, call: &AggregateCall, state: &mut Call) -> Step<()> {
    let mut rows = std::mem::take(&mut state.rows);
    let width = call.arguments.len();
    let types: Vec<TypeId> = call.arguments.iter().map(|argument| argument.type_id).collect();
    if call.distinct && call.order_by.is_empty() {
        rows.sort_by(|a, b| compare_values(&types, a, b));
    } else {
        rows.sort_by(|a, b| compare_rows(&call.order_by, a, b));
    }
    if call.function.kind.is_hypothetical() {
        return feed_hypothetical(env, call, state, &rows);
    }
    let mut previous: Option<Row> = None;
    for row in rows {
        let arguments = &row[..width];
        if call.distinct
            && previous.as_ref().is_some_and(|previous| compare_values(&types, previous, arguments).is_eq())
        {
            continue;
        }
        state.accumulator.add(env, arguments)?;
        previous = Some(arguments.to_vec());
    }
    Ok(())
}

/// Tells a hypothetical-set aggregate of each row how it stands to the one that is not there.
fn feed_hypothetical(env: &EvalEnv<'_>, call: &AggregateCall, state: &mut Call, rows: &[Row]) -> Step<()> {
    let direct = call.order_by.len();
    for (at, row) in rows.iter().enumerate() {
        let mut hypothetical = row.clone();
        hypothetical[direct..].clone_from_slice(&row[..direct]);
        let order = compare_rows(&call.order_by, row, &hypothetical) as i32;
        let is_different = at == 0 || compare_rows(&call.order_by, &rows[at - 1], row).is_ne();
        state.accumulator.add(env, &[Datum::Int4(order), Datum::Bool(is_different)])?;
    }
    Ok(())
}

fn compare_values(types: &[TypeId], a: &[Datum], b: &[Datum]) -> std::cmp::Ordering {
    types
        .iter()
        .zip(a.iter().zip(b))
        .map(|(&type_id, (a, b))| hexalog_sql_types::datum::compare(type_id, a, b))
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

impl Operator for Aggregate {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        while !self.is_complete {
            if !self.is_begun {
                if !self.input.next(context, &mut self.row)? {
                    let Node::Aggregate { keys, calls, .. } = &*self.plan else {
                        unreachable!("built for aggregates");
                    };
                    if keys.items.is_empty() && self.groups.is_empty() {
                        self.groups.push(new_group(Row::new(), calls));
                    }
                    self.is_complete = true;
                    break;
                }
                self.evaluation.begin_row(context.state);
                self.is_begun = true;
            }
            self.take_row(context)?;
            self.is_begun = false;
        }
        let Node::Aggregate { calls, .. } = &*self.plan else { unreachable!("built for aggregates") };
        let Some(group) = self.groups.get_mut(self.at) else { return Ok(false) };
        context.count_row()?;
        row.clear();
        row.append(&mut group.key);
        for (call, state) in calls.iter().zip(&mut group.calls) {
            if !state.rows.is_empty() {
                feed_kept(&context.env, call, state)?;
            }
            row.push(state.accumulator.finish()?);
        }
        self.at += 1;
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.groups.clear();
        self.kept.clear();
        self.lookup.clear();
        self.is_complete = false;
        self.is_begun = false;
        self.at = 0;
    }
}
