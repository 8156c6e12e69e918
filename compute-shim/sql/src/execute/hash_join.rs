//! The join by a hash table of its right side.
//!
//! The right side is read whole first, then each left row looks for its matches; FULL gives the right rows without any at the end. Semi
//! and anti joins turn to the next left row at the first match, and where nothing but the key is compared the table has each key once;
//! they look whether there is a left row before anything else, since without one the right side is not to be read.
//! A table that was not put aside serves again when the join starts anew, if nothing outside of it changes what is in it. Once the
//! table fills its memory both sides are put aside by the hash of their keys, and joined part by part (the GRACE hash join; Kitsuregawa,
//! Tanaka, Moto-oka 1983). A part that does not fit either is parted again, unless all its keys hash alike. So rows come out in
//! another order then; those that match one row keep theirs. A need in the middle loses nothing: what was read is kept.

use super::context::hash_values;
use super::identities::OfRow;
use super::join::{concatenate, drops_left, give_match, gives_left, pad_left, pad_right};
use super::kept_bytes::row_bytes;
use super::partitions::{Part, Partitions, is_hash_table_full, mixed};
use super::sort::{ENTRY_BYTES, Places};
use super::temporary_file::{RowReader, Spilled};
use super::{Context, KeptBytes, Operator, Row};
use crate::expression::{Kind, evaluate, is_true};
use crate::plan::{Exprs, JoinType, Node, is_same_for_all};
use crate::stop::Step;
use hexalog_sql_types::datum::equal;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::row::{read_row, write_row};
use hexalog_sql_types::{Datum, TypeId};
use std::sync::Arc;

/// A row of one side and the values of its key.
#[derive(Default)]
struct Keyed {
    /// Of the key; `None` if a part of it is NULL, which equals nothing.
    hash: Option<u64>,
    /// Empty if the row's own columns are the key.
    key: Row,
    row: Row,
}

impl Keyed {
    /// Computes the key of the row that is there. Call again after a need.
    fn compute(&mut self, keys: &Exprs, context: &mut Context<'_>) -> Step<()> {
        self.key.clear();
        if has_column_keys(keys) {
            self.hash =
                hash_key((0..keys.items.len()).map(|at| (keys.items[at].type_id, self.value(keys, at))));
            return Ok(());
        }
        for item in &keys.items {
            self.key.push(evaluate(item, &self.row, context)?);
        }
        self.hash = hash_key(keys.items.iter().map(|item| item.type_id).zip(&self.key));
        Ok(())
    }

    /// A value of the key.
    fn value(&self, keys: &Exprs, at: usize) -> &Datum {
        match keys.items[at].kind {
            Kind::Column(column) if self.key.is_empty() => &self.row[column],
            _ => &self.key[at],
        }
    }
}

impl Spilled for Keyed {
    fn bytes(&self) -> usize {
        size_of::<Keyed>() + row_bytes(&self.key) + row_bytes(&self.row)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.hash.is_some()));
        out.extend_from_slice(&self.hash.unwrap_or(0).to_le_bytes());
        write_row(&self.key, out);
        write_row(&self.row, out);
    }

    fn read(bytes: &mut &[u8]) -> Option<Keyed> {
        let ([is_some], rest) = bytes.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        *bytes = rest;
        let hash = (*is_some == 1).then_some(u64::from_le_bytes(*hash));
        Some(Keyed { hash, key: read_row(bytes)?, row: read_row(bytes)? })
    }
}

/// Rows of the right side, by their keys.
struct Table {
    rows: Vec<Keyed>,
    kept: KeptBytes,
    places: Places,
    /// FULL: which have matched.
    matched: Vec<bool>,
    /// FULL: rows whose keys equal nothing.
    null_keys: usize,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            rows: Vec::new(),
            kept: KeptBytes::worked_on("One side of a join"),
            places: Places::default(),
            matched: Vec::new(),
            null_keys: 0,
        }
    }
}

impl Table {
    /// Takes a row; 53200 if there are too many.
    fn add(&mut self, row: Keyed) -> Result<()> {
        self.kept.add_bytes(row.bytes() + ENTRY_BYTES)?;
        match row.hash {
            Some(hash) => self.places.add(hash, self.rows.len()),
            None => self.null_keys += 1,
        }
        self.rows.push(row);
        self.matched.push(false);
        Ok(())
    }

    /// Whether a row with the key of this one is there.
    fn has_key(&self, row: &Keyed, keys: &Exprs) -> bool {
        let mut places = row.hash.into_iter().flat_map(|hash| self.places.of(hash));
        places.any(|place| has_equal_keys((row, keys), (&self.rows[place], keys)))
    }

    /// Whether rows are put aside instead: there are too many, and parting them would help.
    fn is_full(&self, context: &Context<'_>, level: u32) -> bool {
        self.places.len() + self.null_keys > 1 && is_hash_table_full(context, self.kept.bytes(), level)
    }
}

/// Both sides being put aside.
struct Aside {
    right: Partitions,
    /// Rows of the table, which go first.
    moving: std::vec::IntoIter<Keyed>,
    right_parts: Vec<Part>,
    left: Partitions,
    /// All left rows have been put aside.
    is_left_read: bool,
    left_parts: Vec<Part>,
    /// Rows whose keys equal nothing.
    null_keys: u64,
}

impl Aside {
    fn push_right(&mut self, row: &Keyed) -> Result<()> {
        let hash = self.parting_hash(row);
        self.right.push(hash, row)
    }

    fn push_left(&mut self, row: &Keyed) -> Result<()> {
        let hash = self.parting_hash(row);
        self.left.push(hash, row)
    }

    /// What a row is parted by: those that equal nothing may go anywhere, and go everywhere by turns.
    fn parting_hash(&mut self, row: &Keyed) -> u64 {
        row.hash.unwrap_or_else(|| {
            self.null_keys += 1;
            mixed(self.null_keys)
        })
    }
}

/// Parts of both sides whose keys meet. One that is missing has no rows.
#[derive(Default)]
struct Pair {
    /// How many times its rows have been parted.
    level: u32,
    right: Option<RowReader>,
    left: Option<RowReader>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first left row is wanted: semi and anti joins read nothing of the right side if there is none.
    First,
    /// The right side is being read.
    Build,
    /// What did not fit is being put aside: the left side is read.
    Part,
    /// A left row is wanted.
    Left,
    /// A right row is wanted.
    Right,
    /// The joined row's condition is being evaluated.
    Condition,
    /// Right rows without a match (FULL).
    Unmatched,
    /// These inputs are done.
    Done,
}

/// The operator.
pub(super) struct HashJoin {
    plan: Arc<Node>,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    phase: Phase,
    table: Table,
    /// A row of the right operator whose key is being computed.
    pending: Option<Keyed>,
    /// The left row.
    probe: Keyed,
    /// It is there, and nothing of it has been computed.
    is_first: bool,
    /// It is there, and its key is being computed.
    is_keying: bool,
    /// The next right row that may match the left one.
    candidate: Option<usize>,
    /// The next right row that may have matched nothing (FULL).
    at: usize,
    joined: Row,
    left_matched: bool,
    /// Of the left row.
    identities: OfRow,
    /// All of the right side is in the table.
    is_table_whole: bool,
    aside: Option<Box<Aside>>,
    /// Rows have been put aside since it started.
    is_aside: bool,
    pairs: Vec<Pair>,
    /// What is being joined; the operators below if there is none.
    pair: Option<Pair>,
}

impl HashJoin {
    pub(super) fn new(plan: Arc<Node>, left: Box<dyn Operator>, right: Box<dyn Operator>) -> HashJoin {
        let Node::HashJoin { left: below, .. } = &*plan else { unreachable!("built for hash joins") };
        HashJoin {
            phase: first_phase(&plan),
            identities: OfRow::new(below),
            plan,
            left,
            right,
            table: Table::default(),
            pending: None,
            probe: Keyed::default(),
            is_first: false,
            is_keying: false,
            candidate: None,
            at: 0,
            joined: Row::new(),
            left_matched: false,
            is_table_whole: false,
            aside: None,
            is_aside: false,
            pairs: Vec::new(),
            pair: None,
        }
    }

    fn level(&self) -> u32 {
        self.pair.as_ref().map_or(0, |pair| pair.level)
    }

    fn next_right(&mut self, keys: &Exprs, context: &mut Context<'_>) -> Step<Option<Keyed>> {
        if let Some(pair) = &mut self.pair {
            return next_of_part(pair.right.as_mut(), context);
        }
        if self.pending.is_none() {
            let mut row = Row::new();
            if !self.right.next(context, &mut row)? {
                return Ok(None);
            }
            keys.evaluation.begin_row(context.state);
            self.pending = Some(Keyed { row, ..Keyed::default() });
        }
        self.pending.as_mut().expect("set above").compute(keys, context)?;
        Ok(self.pending.take())
    }

    /// Turns to the next left row; false if there is none.
    fn next_left(&mut self, keys: &Exprs, context: &mut Context<'_>) -> Step<bool> {
        if let Some(pair) = &mut self.pair {
            let Some(row) = next_of_part(pair.left.as_mut(), context)? else { return Ok(false) };
            self.probe = row;
            return Ok(true);
        }
        if !self.is_keying {
            self.identities.ask(&context.state.identities);
            if !self.is_first && !self.left.next(context, &mut self.probe.row)? {
                return Ok(false);
            }
            keys.evaluation.begin_row(context.state);
            (self.is_first, self.is_keying) = (false, true);
        }
        self.probe.compute(keys, context)?;
        self.is_keying = false;
        Ok(true)
    }

    /// Reads the right side into the table, or puts it aside if it does not fit.
    fn build(
        &mut self,
        join: JoinType,
        keys: &Exprs,
        has_condition: bool,
        context: &mut Context<'_>,
    ) -> Step<()> {
        let wants_keys_once = join.gives_left_alone() && !has_condition;
        loop {
            if let Some(aside) = &mut self.aside {
                aside.right.drain(context)?;
                if !aside.moving.as_slice().is_empty() {
                    context.count_row()?;
                    let row = aside.moving.next().expect("looked at above");
                    aside.push_right(&row)?;
                    continue;
                }
            }
            let Some(row) = self.next_right(keys, context)? else { break };
            // What can match nothing is only wanted where such rows are given too.
            if row.hash.is_none() && join != JoinType::Full {
                continue;
            }
            if let Some(aside) = &mut self.aside {
                aside.push_right(&row)?;
                continue;
            }
            if wants_keys_once && self.table.has_key(&row, keys) {
                continue;
            }
            self.table.add(row)?;
            let level = self.level();
            if self.table.is_full(context, level) {
                let right = Partitions::create(context, level)?;
                let left = right.beside();
                self.is_aside = true;
                self.aside = Some(Box::new(Aside {
                    right,
                    moving: std::mem::take(&mut self.table).rows.into_iter(),
                    right_parts: Vec::new(),
                    left,
                    is_left_read: false,
                    left_parts: Vec::new(),
                    null_keys: 0,
                }));
            }
        }
        self.is_table_whole = !self.is_aside;
        self.phase = if self.aside.is_some() { Phase::Part } else { self.phase_with_table(join) };
        Ok(())
    }

    /// What follows once the table is there. As in PostgreSQL no left row is looked at where none can match: its key might be an error.
    fn phase_with_table(&self, join: JoinType) -> Phase {
        let is_over = self.table.rows.is_empty() && !gives_left(join);
        if is_over { Phase::Done } else { Phase::Left }
    }

    /// Puts the left side aside too, and pairs the parts.
    fn part(&mut self, join: JoinType, keys: &Exprs, context: &mut Context<'_>) -> Step<()> {
        let mut aside = self.aside.take().expect("made when the table was full");
        let parted = self.part_left(&mut aside, join, keys, context);
        if parted.is_err() {
            self.aside = Some(aside);
            return parted;
        }
        let level = self.level() + 1;
        let mut pairs: Vec<Pair> = Vec::new();
        pairs.resize_with(Partitions::COUNT, || Pair { level, ..Pair::default() });
        aside.right_parts.into_iter().for_each(|part| pairs[part.number].right = Some(part.reader));
        aside.left_parts.into_iter().for_each(|part| pairs[part.number].left = Some(part.reader));
        let gives = |pair: &Pair| match (&pair.left, &pair.right) {
            (Some(_), Some(_)) => true,
            (Some(_), None) => gives_left(join),
            (None, Some(_)) => join == JoinType::Full,
            (None, None) => false,
        };
        self.pairs.extend(pairs.into_iter().filter(gives));
        self.phase = Phase::Done;
        Ok(())
    }

    fn part_left(
        &mut self,
        aside: &mut Aside,
        join: JoinType,
        keys: &Exprs,
        context: &mut Context<'_>,
    ) -> Step<()> {
        aside.right.finish(context, &mut aside.right_parts)?;
        while !aside.is_left_read {
            aside.left.drain(context)?;
            match self.next_left(keys, context)? {
                true if self.probe.hash.is_some() || gives_left(join) => {
                    aside.push_left(&self.probe)?;
                }
                true => {}
                false => aside.is_left_read = true,
            }
        }
        aside.left.finish(context, &mut aside.left_parts)
    }

    /// Turns to the next pair of parts; false if there is none.
    fn turn_to_pair(&mut self) -> bool {
        if self.pair.is_none() && self.pairs.is_empty() {
            return false;
        }
        self.table = Table::default();
        self.pair = self.pairs.pop();
        if self.pair.is_some() {
            self.phase = Phase::Build;
        }
        self.pair.is_some()
    }

    /// Whether the table is whole, and would be the same if it were made again.
    fn keeps_table(&self) -> bool {
        let Node::HashJoin { right, right_keys, .. } = &*self.plan else {
            unreachable!("built for hash joins");
        };
        self.is_table_whole && right_keys.items.iter().all(is_same_for_all) && right.stays_the_same()
    }

    /// Begins to look for the right rows whose keys equal the left row's.
    fn begin_probe(&mut self) {
        self.candidate = self.probe.hash.and_then(|hash| self.table.places.first_of(hash));
        self.left_matched = false;
        self.phase = Phase::Right;
    }

    /// It is known whether the left row has a match.
    fn leave_left(&mut self, join: JoinType, context: &mut Context<'_>) {
        let has_put_aside = self.has_put_aside();
        match drops_left(join, self.left_matched) {
            true => self.identities.let_go(&mut context.state.identities, has_put_aside),
            false => self.identities.pass(),
        }
    }

    /// Turns to the next of those, which may be the one at hand.
    fn find_candidate(&mut self, left_keys: &Exprs, right_keys: &Exprs) -> Option<usize> {
        while let Some(candidate) = self.candidate {
            if has_equal_keys((&self.probe, left_keys), (&self.table.rows[candidate], right_keys)) {
                break;
            }
            self.candidate = self.table.places.after(candidate);
        }
        self.candidate
    }

    /// The next right row that has matched nothing.
    fn next_unmatched(&mut self, width: usize, row: &mut Row) -> bool {
        let matched = &self.table.matched;
        let found = (self.at..matched.len()).find(|&at| !matched[at]);
        self.at = found.map_or(matched.len(), |at| at + 1);
        if let Some(at) = found {
            pad_left(row, &self.table.rows[at].row, width);
        }
        found.is_some()
    }
}

/// Where a join begins. As in PostgreSQL those of other kinds than semi and anti joins read their right side first.
fn first_phase(plan: &Node) -> Phase {
    let Node::HashJoin { join, .. } = plan else { unreachable!("built for hash joins") };
    if join.gives_left_alone() { Phase::First } else { Phase::Build }
}

fn has_equal_keys((a, a_keys): (&Keyed, &Exprs), (b, b_keys): (&Keyed, &Exprs)) -> bool {
    let values = a_keys.items.iter().enumerate();
    values.into_iter().all(|(at, item)| equal(item.type_id, a.value(a_keys, at), b.value(b_keys, at)))
}

fn next_of_part(part: Option<&mut RowReader>, context: &mut Context<'_>) -> Step<Option<Keyed>> {
    let Some(reader) = part else { return Ok(None) };
    if !reader.fill(context)? {
        return Ok(None);
    }
    // The row is there before it is counted: the end may be come to again.
    context.count_row()?;
    Ok(Some(reader.take()?))
}

/// Whether a key is read off its row.
fn has_column_keys(keys: &Exprs) -> bool {
    keys.items.iter().all(|item| matches!(item.kind, Kind::Column(_)))
}

/// `None` if a part is NULL, which equals nothing.
fn hash_key<'a>(key: impl Iterator<Item = (TypeId, &'a Datum)> + Clone) -> Option<u64> {
    let is_null = key.clone().any(|(_, value)| value.is_null());
    (!is_null).then(|| hash_values(key))
}

impl Operator for HashJoin {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let plan = self.plan.clone();
        let Node::HashJoin { join, left_keys, right_keys, condition, .. } = &*plan else {
            unreachable!("built for hash joins");
        };
        let width = plan.width();
        loop {
            match self.phase {
                Phase::First => {
                    self.identities.ask(&context.state.identities);
                    self.is_first = self.left.next(context, &mut self.probe.row)?;
                    self.phase = if self.is_first { Phase::Build } else { Phase::Done };
                }
                Phase::Build => self.build(*join, right_keys, condition.is_some(), context)?,
                Phase::Part => self.part(*join, left_keys, context)?,
                Phase::Left => match self.next_left(left_keys, context)? {
                    true => self.begin_probe(),
                    false => {
                        self.phase = if *join == JoinType::Full { Phase::Unmatched } else { Phase::Done };
                        self.at = 0;
                    }
                },
                Phase::Right => {
                    let Some(candidate) = self.find_candidate(left_keys, right_keys) else {
                        self.phase = Phase::Left;
                        self.leave_left(*join, context);
                        if gives_left(*join) && !self.left_matched {
                            pad_right(row, &self.probe.row, width);
                            return Ok(true);
                        }
                        continue;
                    };
                    context.count_row()?;
                    if condition.is_some() || !join.gives_left_alone() {
                        concatenate(&mut self.joined, &self.probe.row, &self.table.rows[candidate].row);
                    }
                    if let Some(condition) = condition {
                        condition.evaluation.begin_row(context.state);
                    }
                    self.phase = Phase::Condition;
                }
                Phase::Condition => {
                    let holds = match condition {
                        Some(condition) => is_true(&condition.expr, &self.joined, context)?,
                        None => true,
                    };
                    let candidate = self.candidate.expect("there was one to evaluate the condition for");
                    self.candidate = self.table.places.after(candidate);
                    self.phase = Phase::Right;
                    if !holds {
                        continue;
                    }
                    self.left_matched = true;
                    self.table.matched[candidate] = true;
                    if join.gives_left_alone() {
                        self.phase = Phase::Left;
                        self.leave_left(*join, context);
                    }
                    if give_match(*join, row, &mut self.probe.row, &mut self.joined) {
                        return Ok(true);
                    }
                }
                Phase::Unmatched => {
                    if self.next_unmatched(width, row) {
                        return Ok(true);
                    }
                    self.phase = Phase::Done;
                }
                Phase::Done => {
                    if !self.turn_to_pair() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    fn has_put_aside(&self) -> bool {
        self.is_aside || self.left.has_put_aside()
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.left.rewind(context);
        self.identities.pass();
        if self.keeps_table() {
            let Node::HashJoin { join, .. } = &*self.plan else { unreachable!("built for hash joins") };
            self.phase = self.phase_with_table(*join);
            self.table.matched.fill(false);
        } else {
            self.right.rewind(context);
            self.phase = first_phase(&self.plan);
            self.table = Table::default();
            self.is_table_whole = false;
        }
        self.is_aside = false;
        (self.pending, self.is_first, self.is_keying) = (None, false, false);
        (self.aside, self.pair) = (None, None);
        self.pairs.clear();
    }
}
