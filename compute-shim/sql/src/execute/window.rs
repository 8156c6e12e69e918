//! Window functions: all rows are read and sorted by partition and order; then each is given with its calls' values.
//!
//! Rows that do not fit `work_mem` are sorted in a temporary file and given partition by partition; a partition is in memory as a whole.
//! A need can only come up while rows are read and while offsets are computed. An aggregate whose frame only grows at its end is
//! carried on from row to row; any other frame is gone through anew.

use super::kept_bytes::row_bytes;
use super::sort::compare_rows;
use super::sorter::Sorter;
use super::temporary_file::{Spilled, read_rows, write_rows};
use super::window_frame::{Bounds, Partition, RangeKey, check_offset, counts};
use super::{Context, KeptBytes, Operator, Row};
use crate::expression::{Evaluation, evaluate, is_true};
use crate::function::WindowKind;
use crate::plan::{FrameExclusion, Node, SortKey, WindowCall, WindowFunction};
use crate::stop::Step;
use hexalog_sql_types::aggregate::Accumulator;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{read_row, write_row};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, SqlState, TypeId};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// A row of the input with what is computed over it.
struct Entry {
    row: Row,
    /// Values of PARTITION BY, then of ORDER BY.
    keys: Row,
    /// Arguments of each call; `None` if its filter keeps the row out.
    arguments: Vec<Option<Row>>,
}

/// An aggregate over the frame of the row before.
struct Carried {
    frame: Range<usize>,
    accumulator: Accumulator,
    value: Datum,
}

/// The operator.
pub(super) struct Window {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    evaluation: Evaluation,
    partition_keys: Vec<SortKey>,
    order_keys: Vec<SortKey>,
    row: Row,
    is_begun: bool,
    sorter: Sorter<Entry>,
    /// In their order: all, or those of the partition that is being given if they do not fit memory together.
    entries: Vec<Entry>,
    /// The first of the partition behind that.
    next: Option<Entry>,
    /// Partitions are read one by one, and the last one has been read.
    is_read: bool,
    /// The next partition is being read.
    is_reading: bool,
    kept: KeptBytes,
    is_sorted: bool,
    /// Of each call, as far as they are computed.
    bounds: Vec<Bounds>,
    /// The partition that is being given, and its first row.
    partition: Option<(usize, Partition)>,
    carried: Vec<Option<Carried>>,
    at: usize,
}

impl Window {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Window {
        let Node::Window { partition, order, calls, .. } = &*plan else { unreachable!("built for windows") };
        let key = |column: usize, type_id, descending, nulls_first| SortKey {
            column,
            type_id,
            descending,
            nulls_first,
        };
        let partition_keys =
            partition.iter().enumerate().map(|(at, expr)| key(at, expr.type_id, false, false)).collect();
        let order_keys = order.iter().enumerate().map(|(at, order)| {
            key(partition.len() + at, order.expr.type_id, order.descending, order.nulls_first)
        });
        let order_keys = order_keys.collect();
        let keys = partition.iter().chain(order.iter().map(|key| &key.expr));
        let evaluation = Evaluation::of(keys.chain(calls.iter().flat_map(WindowCall::row_exprs)));
        let carried = calls.iter().map(|_| None).collect();
        Window {
            plan,
            input,
            evaluation,
            partition_keys,
            order_keys,
            row: Row::new(),
            is_begun: false,
            sorter: Sorter::default(),
            entries: Vec::new(),
            next: None,
            is_read: false,
            is_reading: false,
            kept: KeptBytes::worked_on("A window"),
            is_sorted: false,
            bounds: Vec::new(),
            partition: None,
            carried,
            at: 0,
        }
    }

    /// Computes all that is needed of the row that is there.
    fn take_row(&mut self, context: &mut Context<'_>) -> Step<()> {
        let plan = self.plan.clone();
        let Node::Window { partition, order, calls, .. } = &*plan else { unreachable!("built for windows") };
        let mut keys = Row::with_capacity(partition.len() + order.len());
        for expr in partition.iter().chain(order.iter().map(|key| &key.expr)) {
            keys.push(evaluate(expr, &self.row, context)?);
        }
        let mut arguments = Vec::with_capacity(calls.len());
        for call in calls {
            let passes = match &call.filter {
                Some(filter) => is_true(filter, &self.row, context)?,
                None => true,
            };
            if !passes {
                arguments.push(None);
                continue;
            }
            let mut values = Row::with_capacity(call.arguments.len());
            for argument in &call.arguments {
                values.push(evaluate(argument, &self.row, context)?);
            }
            arguments.push(Some(values));
        }
        self.sorter.push(Entry { row: std::mem::take(&mut self.row), keys, arguments });
        Ok(())
    }

    fn read(&mut self, context: &mut Context<'_>) -> Step<()> {
        while !self.sorter.is_ended() {
            if !self.is_begun {
                let (partition, order) = (&self.partition_keys, &self.order_keys);
                self.sorter.make_room(context, &|a, b| compare_entries(partition, order, a, b))?;
                if !self.input.next(context, &mut self.row)? {
                    self.sorter.end();
                    break;
                }
                self.evaluation.begin_row(context.state);
                self.is_begun = true;
            }
            self.take_row(context)?;
            self.is_begun = false;
        }
        let (partition, order) = (&self.partition_keys, &self.order_keys);
        self.sorter.sort(context, &|a, b| compare_entries(partition, order, a, b))?;
        match self.sorter.take_all() {
            Some(entries) => (self.entries, self.is_read) = (entries, true),
            None => self.is_reading = true,
        }
        self.is_sorted = true;
        Ok(())
    }

    /// Reads the next partition, if they are read one by one.
    fn read_partition(&mut self, context: &mut Context<'_>) -> Step<()> {
        if !std::mem::replace(&mut self.is_reading, true) {
            self.entries.clear();
            self.kept.clear();
            self.partition = None;
            self.at = 0;
        }
        let (partition, order) = (&self.partition_keys, &self.order_keys);
        let compare = |a: &Entry, b: &Entry| compare_entries(partition, order, a, b);
        while !self.is_read {
            let found = match self.next.take() {
                Some(entry) => Some(entry),
                None => self.sorter.next(context, &compare)?,
            };
            let Some(entry) = found else {
                self.is_read = true;
                break;
            };
            let is_same = |first: &Entry| compare_rows(partition, &first.keys, &entry.keys).is_eq();
            if !self.entries.first().is_none_or(is_same) {
                self.next = Some(entry);
                break;
            }
            self.kept.add_bytes(entry.bytes())?;
            self.entries.push(entry);
        }
        self.is_reading = false;
        Ok(())
    }

    /// Computes the offsets of the next call's frame.
    fn compute_bounds(&mut self, call: &WindowCall, context: &mut Context<'_>) -> Step<()> {
        let mut offset = |bound: &crate::plan::WindowBound, word: &str| -> Step<Option<Datum>> {
            let Some(expr) = bound.offset() else { return Ok(None) };
            let value = evaluate(expr, &[], context)?;
            check_offset(call.frame.unit, &value, word)?;
            Ok(Some(value))
        };
        let start = offset(&call.frame.start, "starting")?;
        let end = offset(&call.frame.end, "ending")?;
        self.bounds.push(Bounds { start, end });
        Ok(())
    }

    /// Finds the partition that begins at the current row.
    fn enter_partition(&mut self) {
        let first = self.at;
        let same = |entry: &&Entry| {
            compare_rows(&self.partition_keys, &self.entries[first].keys, &entry.keys).is_eq()
        };
        let keys: Vec<&Row> =
            self.entries[first..].iter().take_while(same).map(|entry| &entry.keys).collect();
        let partition = Partition::new(&keys, &self.order_keys);
        self.partition = Some((first, partition));
        self.carried.iter_mut().for_each(|carried| *carried = None);
    }

    /// The value of a call for the current row.
    fn value(&mut self, number: usize, call: &WindowCall, env: &EvalEnv<'_>) -> Result<Datum> {
        let (first, partition) = self.partition.as_ref().expect("entered before");
        let rows = &self.entries[*first..*first + partition.len()];
        let view = View { rows, partition, number, at: self.at - first };
        match call.function {
            WindowFunction::Ranking(kind) if !reads_frame(kind) => view.ranking(kind),
            function => {
                let key = self.order_keys.first().copied();
                let value = |row: usize| &rows[row].keys[key.map_or(0, |key| key.column)];
                let range = key.map(|key| RangeKey { value: &value, key, env });
                let frame = partition.frame(view.at, &call.frame, &self.bounds[number], range.as_ref())?;
                match function {
                    WindowFunction::Ranking(kind) => view.framed(kind, frame, call.frame.exclusion),
                    WindowFunction::Aggregate(_) => {
                        view.aggregate(env, call, frame, &mut self.carried[number])
                    }
                }
            }
        }
    }
}

fn compare_entries(partition: &[SortKey], order: &[SortKey], a: &Entry, b: &Entry) -> Ordering {
    compare_rows(partition, &a.keys, &b.keys).then_with(|| compare_rows(order, &a.keys, &b.keys))
}

impl Spilled for Entry {
    fn bytes(&self) -> usize {
        let arguments = self.arguments.iter().flatten().map(|row| row_bytes(row)).sum::<usize>();
        size_of::<Entry>() + row_bytes(&self.row) + row_bytes(&self.keys) + arguments
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_row(&self.row, out);
        write_row(&self.keys, out);
        write_rows(&self.arguments, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Entry> {
        Some(Entry { row: read_row(bytes)?, keys: read_row(bytes)?, arguments: read_rows(bytes)? })
    }
}

fn reads_frame(kind: WindowKind) -> bool {
    matches!(kind, WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue)
}

/// What a call sees from its row.
struct View<'w> {
    rows: &'w [Entry],
    partition: &'w Partition,
    /// The call's.
    number: usize,
    at: usize,
}

fn count(number: usize) -> i64 {
    i64::try_from(number).expect("rows fit memory")
}

fn fraction(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

impl View<'_> {
    fn arguments(&self, at: usize) -> &Row {
        self.rows[at].arguments[self.number].as_ref().expect("only aggregates have filters")
    }

    fn ranking(&self, kind: WindowKind) -> Result<Datum> {
        let peers = self.partition.peers(self.at);
        let len = self.partition.len();
        Ok(match kind {
            WindowKind::RowNumber => Datum::Int8(count(self.at + 1)),
            WindowKind::Rank => Datum::Int8(count(peers.start + 1)),
            WindowKind::DenseRank => Datum::Int8(count(self.partition.group(self.at) + 1)),
            WindowKind::PercentRank if len <= 1 => Datum::Float8(0.0),
            WindowKind::PercentRank => Datum::Float8(fraction(peers.start, len - 1)),
            WindowKind::CumeDist => Datum::Float8(fraction(peers.end, len)),
            WindowKind::Ntile => return self.ntile(),
            WindowKind::Lag | WindowKind::Lead => self.shifted(kind == WindowKind::Lead),
            WindowKind::FirstValue | WindowKind::LastValue | WindowKind::NthValue => {
                unreachable!("these read the frame")
            }
        })
    }

    /// The first buckets get the rows that are left over. The number of buckets is what the first row says.
    fn ntile(&self) -> Result<Datum> {
        let buckets = match self.arguments(0)[0] {
            Datum::Null => return Ok(Datum::Null),
            Datum::Int4(buckets) => usize::try_from(buckets).unwrap_or(0),
            ref other => unreachable!("ntile of {other:?}"),
        };
        if buckets == 0 {
            let state = SqlState::new(b"22014");
            return Err(SqlError::new(state, "argument of ntile must be greater than zero"));
        }
        let (size, rest) = (self.partition.len() / buckets, self.partition.len() % buckets);
        let larger = rest * (size + 1);
        let bucket = match self.at < larger {
            true => self.at / (size + 1),
            false => rest + (self.at - larger) / size,
        };
        Ok(Datum::Int4(i32::try_from(bucket + 1).expect("no more than the buckets")))
    }

    fn shifted(&self, ahead: bool) -> Datum {
        let arguments = self.arguments(self.at);
        let offset = match arguments.get(1) {
            None => 1,
            Some(Datum::Int4(offset)) => i64::from(*offset),
            Some(_) => return Datum::Null,
        };
        let target = count(self.at) + if ahead { offset } else { -offset };
        match usize::try_from(target) {
            Ok(target) if target < self.rows.len() => self.arguments(target)[0].clone(),
            _ => arguments.get(2).cloned().unwrap_or_default(),
        }
    }

    fn framed(&self, kind: WindowKind, frame: Range<usize>, exclusion: FrameExclusion) -> Result<Datum> {
        let peers = self.partition.peers(self.at);
        let mut rows = frame.filter(|&row| counts(exclusion, row, self.at, &peers));
        let found = match kind {
            WindowKind::FirstValue => rows.next(),
            WindowKind::LastValue => rows.next_back(),
            _ => match self.arguments(self.at)[1] {
                Datum::Int4(number) => match usize::try_from(number) {
                    Ok(number) if number > 0 => rows.nth(number - 1),
                    _ => {
                        let message = "argument of nth_value must be greater than zero";
                        return Err(SqlError::new(SqlState::new(b"22016"), message));
                    }
                },
                _ => None,
            },
        };
        Ok(found.map_or(Datum::Null, |row| self.arguments(row)[0].clone()))
    }

    fn aggregate(
        &self,
        env: &EvalEnv<'_>,
        call: &WindowCall,
        frame: Range<usize>,
        carried: &mut Option<Carried>,
    ) -> Result<Datum> {
        let WindowFunction::Aggregate(function) = call.function else {
            unreachable!("called for aggregates")
        };
        let types = || -> Vec<TypeId> { call.arguments.iter().map(|argument| argument.type_id).collect() };
        let add = |accumulator: &mut Accumulator, row: usize| match &self.rows[row].arguments[self.number] {
            Some(arguments) => accumulator.add(env, arguments),
            None => Ok(()),
        };
        if call.frame.exclusion != FrameExclusion::NoOthers {
            let peers = self.partition.peers(self.at);
            let mut accumulator = Accumulator::new(function, &types());
            for row in frame.filter(|&row| counts(call.frame.exclusion, row, self.at, &peers)) {
                add(&mut accumulator, row)?;
            }
            return accumulator.finish();
        }
        let carries_on =
            |carried: &Carried| carried.frame.start == frame.start && carried.frame.end <= frame.end;
        let mut carried_on = match carried.take() {
            Some(carried) if carries_on(&carried) => carried,
            _ => Carried {
                frame: frame.start..frame.start,
                accumulator: Accumulator::new(function, &types()),
                value: Accumulator::new(function, &types()).finish()?,
            },
        };
        if carried_on.frame.end < frame.end {
            for row in carried_on.frame.end..frame.end {
                add(&mut carried_on.accumulator, row)?;
            }
            carried_on.value = carried_on.accumulator.finish()?;
            carried_on.frame = frame;
        }
        Ok(carried.insert(carried_on).value.clone())
    }
}

impl Operator for Window {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        if !self.is_sorted {
            self.read(context)?;
        }
        let plan = self.plan.clone();
        let Node::Window { calls, .. } = &*plan else { unreachable!("built for windows") };
        if self.is_reading || (self.at >= self.entries.len() && !self.is_read) {
            self.read_partition(context)?;
        }
        if self.at >= self.entries.len() {
            return Ok(false);
        }
        while self.bounds.len() < calls.len() {
            self.compute_bounds(&calls[self.bounds.len()], context)?;
        }
        context.count_row()?;
        let is_inside =
            self.partition.as_ref().is_some_and(|(first, partition)| self.at < first + partition.len());
        if !is_inside {
            self.enter_partition();
        }
        let mut values = Row::with_capacity(calls.len());
        for (number, call) in calls.iter().enumerate() {
            values.push(self.value(number, call, &context.env)?);
        }
        *row = std::mem::take(&mut self.entries[self.at].row);
        row.append(&mut values);
        self.at += 1;
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.is_begun = false;
        self.sorter = Sorter::default();
        self.entries.clear();
        self.next = None;
        (self.is_read, self.is_reading) = (false, false);
        self.kept.clear();
        self.is_sorted = false;
        self.bounds.clear();
        self.partition = None;
        self.carried.iter_mut().for_each(|carried| *carried = None);
        self.at = 0;
    }
}
