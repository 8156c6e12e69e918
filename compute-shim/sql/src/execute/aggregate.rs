//! GROUP BY and aggregates, by hash.
//!
//! Groups come out in the order in which their first rows came in. Without keys there is one group even if there are
//! no rows. Once groups fill their memory, what belongs to none of them is put aside, and worked on part by part when they are given:
//! the groups of all parts are brought into their order by a sort. Rows of the groups that are in the table (DISTINCT, ORDER BY,
//! `array_agg`) stay in memory: a group that is there goes on growing, and a full table only keeps out new ones. Rows that come as columns
//! are taken in by `aggregate_columns.rs` where it can.

use super::aggregate_columns::{ByColumns, is_by_columns};
use super::context::hash_values;
use super::kept_bytes::{row_bytes, value_bytes};
use super::partitions::{Numbered, Part, Partitions, by_number, is_hash_table_full};
use super::sort::{ENTRY_BYTES, Places, compare_rows, compare_rows_checked};
use super::sorter::Sorter;
use super::temporary_file::{Spilled, read_rows, write_rows};
use super::{Context, KeptBytes, Operator, Row};
use crate::expression::{Evaluation, evaluate, is_true};
use crate::plan::{AggregateCall, Node, SortKey};
use crate::stop::Step;
use hexalog_sql_types::aggregate::Accumulator;
use hexalog_sql_types::datum::equal;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{read_row, write_row};
use hexalog_sql_types::{Datum, EvalEnv, TypeId};
use std::cell::RefCell;
use std::sync::Arc;

/// One aggregate's state in one group.
pub(super) struct Call {
    pub accumulator: Accumulator,
    /// DISTINCT or ORDER BY: arguments (and order values) of all rows, fed at the end.
    rows: Vec<Row>,
}

pub(super) struct Group {
    /// The number of its first row.
    number: u64,
    key: Row,
    pub calls: Vec<Call>,
}

impl Call {
    /// Takes in the arguments of a row, counting what is kept of them.
    pub(super) fn add(&mut self, env: &EvalEnv<'_>, kept: &mut KeptBytes, values: &[Datum]) -> Result<()> {
        if self.accumulator.keeps_rows() {
            kept.add(values)?;
        }
        let before = self.accumulator.kept_value().map(value_bytes);
        self.accumulator.add(env, values)?;
        if let Some(before) = before {
            let after = self.accumulator.kept_value().map_or(0, value_bytes);
            kept.give_back(before.saturating_sub(after));
            kept.add_bytes(after.saturating_sub(before))?;
        }
        Ok(())
    }
}

/// What a row brings to its group.
#[derive(Default)]
struct Contribution {
    number: u64,
    /// Of the key.
    hash: u64,
    key: Row,
    /// Values for each call; `None` if its filter keeps the row out.
    inputs: Vec<Option<Row>>,
}

impl Spilled for Contribution {
    fn bytes(&self) -> usize {
        let inputs = self.inputs.iter().flatten().map(|values| row_bytes(values)).sum::<usize>();
        size_of::<Contribution>() + row_bytes(&self.key) + inputs
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.hash.to_le_bytes());
        write_row(&self.key, out);
        write_rows(&self.inputs, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Contribution> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        *bytes = rest;
        let (number, hash) = (u64::from_le_bytes(*number), u64::from_le_bytes(*hash));
        Some(Contribution { number, hash, key: read_row(bytes)?, inputs: read_rows(bytes)? })
    }
}

/// The operator.
pub(super) struct Aggregate {
    pub plan: Arc<Node>,
    input: Box<dyn Operator>,
    /// What is kept of columns, if they can be taken in.
    by_columns: Option<Box<ByColumns>>,
    evaluation: Evaluation,
    row: Row,
    is_begun: bool,
    pub groups: Vec<Group>,
    /// Keys of groups, and what aggregates, DISTINCT and ORDER BY keep.
    pub kept: KeptBytes,
    lookup: Places,
    /// What the row that is there brings; kept for its memory.
    contribution: Contribution,
    /// Rows that have come.
    pub number: u64,
    is_complete: bool,
    /// The group that is to be given.
    at: usize,
    aside: Option<Partitions>,
    parts: Vec<Part>,
    /// The part that is being worked on.
    part: Option<Part>,
    /// Groups of parts.
    later: Sorter<Numbered>,
}

impl Aggregate {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Aggregate {
        let Node::Aggregate { keys, calls, .. } = &*plan else { unreachable!("built for aggregates") };
        let inner =
            calls.iter().flat_map(|call| call.arguments.iter().chain(&call.order_exprs).chain(&call.filter));
        let evaluation = Evaluation::of(keys.items.iter().chain(inner));
        Aggregate {
            by_columns: is_by_columns(&keys.items, calls).then(Box::default),
            plan,
            input,
            evaluation,
            row: Row::new(),
            is_begun: false,
            groups: Vec::new(),
            kept: KeptBytes::worked_on("An aggregation"),
            lookup: Places::default(),
            contribution: Contribution::default(),
            number: 0,
            is_complete: false,
            at: 0,
            aside: None,
            parts: Vec::new(),
            part: None,
            later: Sorter::default(),
        }
    }

    /// The group of a key, made if it is new; `None` if it is to be put aside.
    pub(super) fn group(
        &mut self,
        context: &Context<'_>,
        number: u64,
        hash: u64,
        key: &mut Row,
    ) -> Result<Option<usize>> {
        let Node::Aggregate { keys, calls, .. } = &*self.plan else { unreachable!("built for aggregates") };
        let found = self.lookup.of(hash).find(|&at| {
            let values = key.iter().zip(&self.groups[at].key);
            values.zip(&keys.items).all(|((a, b), item)| equal(item.type_id, a, b))
        });
        if found.is_some() {
            return Ok(found);
        }
        let level = self.part.as_ref().map_or(0, |part| part.level);
        if self.aside.is_some() || is_hash_table_full(context, self.kept.bytes(), level) {
            return Ok(None);
        }
        self.kept.add(key)?;
        self.kept.add_bytes(ENTRY_BYTES + size_of::<Group>() + calls.len() * size_of::<Call>())?;
        self.lookup.add(hash, self.groups.len());
        self.groups.push(new_group(number, std::mem::take(key), calls));
        Ok(Some(self.groups.len() - 1))
    }

    /// Adds to the row's group, or puts the row aside.
    fn contribute(&mut self, context: &Context<'_>, of: &mut Contribution) -> Result<()> {
        let Some(at) = self.group(context, of.number, of.hash, &mut of.key)? else {
            if self.aside.is_none() {
                let level = self.part.as_ref().map_or(0, |part| part.level);
                self.aside = Some(Partitions::create(context, level)?);
            }
            return self.aside.as_mut().expect("made above").push(of.hash, of);
        };
        let Node::Aggregate { calls, .. } = &*self.plan else { unreachable!("built for aggregates") };
        for ((call, state), input) in calls.iter().zip(&mut self.groups[at].calls).zip(&mut of.inputs) {
            let Some(values) = input else { continue };
            match call.distinct || !call.order_by.is_empty() {
                true => {
                    self.kept.add(values)?;
                    state.rows.push(std::mem::take(values));
                }
                false => state.add(&context.env, &mut self.kept, values)?,
            }
        }
        Ok(())
    }

    /// The next row that is to be taken in by itself; those that come as columns are taken in here where they can be.
    fn next_row(&mut self, context: &mut Context<'_>) -> Step<bool> {
        // Of groups that are put aside each row is made anew.
        let is_by_rows = self.aside.is_some() && self.by_columns.as_ref().is_none_or(|by| !by.has_rows());
        let Some(mut by) = self.by_columns.take_if(|_| !is_by_rows) else {
            return self.input.next(context, &mut self.row);
        };
        let next = self.next_row_beside_columns(context, &mut by);
        self.by_columns = Some(by);
        next
    }

    fn next_row_beside_columns(&mut self, context: &mut Context<'_>, by: &mut ByColumns) -> Step<bool> {
        loop {
            if by.has_rows() {
                by.columns.row(by.at, &mut self.row);
                by.at += 1;
                return Ok(true);
            }
            if !self.input.next_columns(context, &mut by.columns)? {
                by.columns.rows = 0;
                return self.input.next(context, &mut self.row);
            }
            by.at = 0;
            if self.take_columns(context, by)? {
                by.at = by.columns.rows;
            }
        }
    }

    fn drain(&mut self, context: &mut Context<'_>) -> Step<()> {
        self.aside.as_mut().map_or(Ok(()), |aside| aside.drain(context))
    }

    /// Puts the next group's values into a row, its number in front; `None` behind the last.
    fn finish_group(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<Option<u64>> {
        let Node::Aggregate { calls, .. } = &*self.plan else { unreachable!("built for aggregates") };
        let Some(group) = self.groups.get_mut(self.at) else { return Ok(None) };
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
        Ok(Some(group.number))
    }

    /// Aggregates what was put aside.
    fn work_on_parts(&mut self, context: &mut Context<'_>) -> Step<()> {
        loop {
            if self.part.is_none() {
                self.forget_groups();
                if let Some(aside) = &mut self.aside {
                    aside.finish(context, &mut self.parts)?;
                    self.aside = None;
                }
                self.part = self.parts.pop();
            }
            if self.part.is_none() {
                self.later.end();
                return self.later.sort(context, &by_number);
            }
            self.read_part(context)?;
            loop {
                self.later.make_room(context, &by_number)?;
                let mut row = Row::new();
                let Some(number) = self.finish_group(context, &mut row)? else { break };
                self.later.push(Numbered { number, row });
            }
            self.part = None;
        }
    }

    fn read_part(&mut self, context: &mut Context<'_>) -> Step<()> {
        loop {
            self.drain(context)?;
            let part = self.part.as_mut().expect("taken before it is read");
            if !part.reader.fill(context)? {
                return Ok(());
            }
            // The row is there before it is counted: the end is come to again and again while groups are finished.
            context.count_row()?;
            let mut of = part.reader.take()?;
            self.contribute(context, &mut of)?;
        }
    }

    fn forget_groups(&mut self) {
        self.by_columns.iter_mut().for_each(|by| by.clear());
        self.groups.clear();
        self.lookup.clear();
        self.kept.clear();
        self.at = 0;
    }

    /// Takes in the row that is there. Everything is evaluated before any state changes.
    fn take_row(&mut self, context: &mut Context<'_>) -> Step<()> {
        let Node::Aggregate { keys, calls, .. } = &*self.plan else { unreachable!("built for aggregates") };
        let of = &mut self.contribution;
        of.key.clear();
        // What is kept of these is counted by what it holds.
        of.key.reserve_exact(keys.items.len());
        for item in &keys.items {
            of.key.push(evaluate(item, &self.row, context)?);
        }
        of.inputs.resize_with(calls.len(), Option::default);
        for (call, input) in calls.iter().zip(&mut of.inputs) {
            let passes = match &call.filter {
                Some(filter) => is_true(filter, &self.row, context)?,
                None => true,
            };
            if !passes {
                *input = None;
                continue;
            }
            let values = input.get_or_insert_default();
            values.clear();
            values.reserve_exact(call.arguments.len() + call.order_exprs.len());
            for argument in call.arguments.iter().chain(&call.order_exprs) {
                values.push(evaluate(argument, &self.row, context)?);
            }
        }
        of.hash = hash_values(keys.items.iter().map(|item| item.type_id).zip(&of.key));
        self.number += 1;
        of.number = self.number;
        let mut of = std::mem::take(&mut self.contribution);
        let added = self.contribute(context, &mut of);
        self.contribution = of;
        Ok(added?)
    }
}

fn new_group(number: u64, key: Row, calls: &[AggregateCall]) -> Group {
    let call = |call: &AggregateCall| {
        let types: Vec<TypeId> = call.arguments.iter().map(|argument| argument.type_id).collect();
        Call { accumulator: Accumulator::new(call.function, &types), rows: Vec::new() }
    };
    Group { number, key, calls: calls.iter().map(call).collect() }
}

/// Puts kept rows in their order: that of the call, or of all arguments for DISTINCT alone.
fn sort_kept(call: &AggregateCall, types: &[TypeId], rows: &mut [Row]) -> Result<()> {
    let by_arguments = call.distinct && call.order_by.is_empty();
    let ordered = call.order_by.iter().map(|key| key.type_id);
    let has_rows = types.iter().copied().chain(ordered).any(|type_id| type_id == TypeId::RECORD);
    if !has_rows {
        match by_arguments {
            true => rows.sort_by(|a, b| compare_values(types, a, b)),
            false => rows.sort_by(|a, b| compare_rows(&call.order_by, a, b)),
        }
        return Ok(());
    }
    let key = |(column, &type_id)| SortKey { column, type_id, descending: false, nulls_first: false };
    let arguments: Vec<SortKey> = types.iter().enumerate().map(key).collect();
    let keys = if by_arguments { &arguments } else { &call.order_by };
    let fault = RefCell::default();
    rows.sort_by(|a, b| compare_rows_checked(keys, a, b, &fault));
    fault.into_inner().map_or(Ok(()), Err)
}

/// Feeds the kept rows in their order, equal ones once if the call says DISTINCT.
fn feed_kept(env: &EvalEnv<'_>, call: &AggregateCall, state: &mut Call) -> Step<()> {
    let mut rows = std::mem::take(&mut state.rows);
    let width = call.arguments.len();
    let types: Vec<TypeId> = call.arguments.iter().map(|argument| argument.type_id).collect();
    sort_kept(call, &types, &mut rows)?;
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
                self.drain(context)?;
                if !self.next_row(context)? {
                    let Node::Aggregate { keys, calls, .. } = &*self.plan else {
                        unreachable!("built for aggregates");
                    };
                    if keys.items.is_empty() && self.groups.is_empty() {
                        self.groups.push(new_group(0, Row::new(), calls));
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
        // Groups of parts come behind those that fitted.
        if self.part.is_none() && self.parts.is_empty() && self.finish_group(context, row)?.is_some() {
            return Ok(true);
        }
        if !self.later.is_sorted() {
            self.work_on_parts(context)?;
        }
        let Some(found) = self.later.next(context, &by_number)? else { return Ok(false) };
        *row = found.row;
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.forget_groups();
        (self.aside, self.part) = (None, None);
        self.parts.clear();
        self.later = Sorter::default();
        self.number = 0;
        self.is_complete = false;
        self.is_begun = false;
    }
}
