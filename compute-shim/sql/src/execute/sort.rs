//! Sorting and DISTINCT.

use super::context::hash_values;
use super::partitions::{Numbered, Part, Partitions, by_number, is_hash_table_full, mixed};
use super::sorter::Sorter;
use super::{Context, KeptBytes, Operator, Row};
use crate::plan::{Node, SortKey};
use crate::stop::Step;
use hexalog_sql_types::datum::{compare, equal};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::operator::order_checked;
use hexalog_sql_types::{Datum, SqlError, TypeId};
use std::borrow::Cow;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// The order of two rows by sort keys.
pub(super) fn compare_rows(keys: &[SortKey], a: &[Datum], b: &[Datum]) -> Ordering {
    compare_rows_by(keys, a, b, compare)
}

/// The same where rows among the keys may be of several kinds: the first two that cannot be compared leave a fault. Whatever the
/// way of sorting, values that end up beside each other have been compared. The later row comes first here; of PostgreSQL's words the
/// first are about the earlier.
pub(super) fn compare_rows_checked(
    keys: &[SortKey],
    a: &[Datum],
    b: &[Datum],
    fault: &RefCell<Option<SqlError>>,
) -> Ordering {
    compare_rows_by(keys, a, b, |type_id, left, right| match order_checked(type_id, right, left) {
        Ok(order) => order.reverse(),
        Err(error) => {
            fault.borrow_mut().get_or_insert(error);
            compare(type_id, left, right)
        }
    })
}

fn compare_rows_by(
    keys: &[SortKey],
    a: &[Datum],
    b: &[Datum],
    compare: impl Fn(TypeId, &Datum, &Datum) -> Ordering,
) -> Ordering {
    for key in keys {
        let (left, right) = (&a[key.column], &b[key.column]);
        let order = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if key.descending => compare(key.type_id, left, right).reverse(),
            (false, false) => compare(key.type_id, left, right),
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Reads all, sorts, gives. Rows of equal keys keep their order.
pub(super) struct Sort {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    sorter: Sorter<Row>,
    /// Rows among the keys that cannot be compared.
    fault: RefCell<Option<SqlError>>,
}

impl Sort {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Sort {
        Sort { plan, input, sorter: Sorter::default(), fault: RefCell::default() }
    }
}

impl Operator for Sort {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::Sort { keys, .. } = &*self.plan else { unreachable!("built for sorting") };
        let Sort { input, sorter, fault, .. } = self;
        match keys.iter().any(|key| key.type_id == TypeId::RECORD) {
            true => {
                let compare = |a: &Row, b: &Row| compare_rows_checked(keys, a, b, fault);
                next_sorted(&mut **input, sorter, &compare, fault, context, row)
            }
            false => {
                let compare = |a: &Row, b: &Row| compare_rows(keys, a, b);
                next_sorted(&mut **input, sorter, &compare, fault, context, row)
            }
        }
    }

    fn bound(&mut self, rows: usize) {
        self.sorter.bound(rows);
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.sorter = Sorter::default();
        self.fault = RefCell::default();
    }
}

/// Sorts if that is not done yet, and takes the next row.
fn next_sorted(
    input: &mut dyn Operator,
    sorter: &mut Sorter<Row>,
    compare: &impl Fn(&Row, &Row) -> Ordering,
    fault: &RefCell<Option<SqlError>>,
    context: &mut Context<'_>,
    row: &mut Row,
) -> Step<bool> {
    if !sorter.is_sorted() {
        let mut next = Row::new();
        while !sorter.is_ended() {
            sorter.make_room(context, compare)?;
            match input.next(context, &mut next)? {
                true => sorter.push(std::mem::take(&mut next)),
                false => sorter.end(),
            }
        }
        sorter.sort(context, compare)?;
    }
    let found = sorter.next(context, compare)?;
    // Of runs in a file the last comparisons come while rows are given.
    if let Some(error) = fault.take() {
        return Err(error.into());
    }
    let Some(found) = found else { return Ok(false) };
    *row = found;
    Ok(true)
}

/// Hash of a key → places of its rows, in the order in which they were added.
#[derive(Default)]
pub(super) struct Places {
    /// First and last place of each hash.
    ends: HashMap<u64, (u32, u32), BuildHasherDefault<IsHash>>,
    /// Behind each place the next of its hash.
    next: Vec<u32>,
}

/// No place: what is worked on in memory has fewer rows than that.
const NO_PLACE: u32 = u32::MAX;

impl Places {
    /// Adds a place, which is above all others.
    pub(super) fn add(&mut self, hash: u64, place: usize) {
        assert!(place >= self.next.len(), "places ascend");
        self.next.resize(place + 1, NO_PLACE);
        let place = u32::try_from(place).ok().filter(|&place| place != NO_PLACE).expect("rows fit memory");
        match self.ends.entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert((place, place));
            }
            Entry::Occupied(mut entry) => {
                let last = std::mem::replace(&mut entry.get_mut().1, place);
                self.next[last as usize] = place;
            }
        }
    }

    /// The places of a hash.
    pub(super) fn of(&self, hash: u64) -> impl Iterator<Item = usize> {
        std::iter::successors(self.first_of(hash), |&place| self.after(place))
    }

    /// The first place of a hash.
    pub(super) fn first_of(&self, hash: u64) -> Option<usize> {
        self.ends.get(&hash).map(|&(first, _)| first as usize)
    }

    /// The place of the same hash behind this one.
    pub(super) fn after(&self, place: usize) -> Option<usize> {
        let next = self.next[place];
        (next != NO_PLACE).then_some(next as usize)
    }

    /// How many hashes there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
        self.next.clear();
    }
}

/// For keys that are hashes already.
#[derive(Default)]
pub(super) struct IsHash(u64);

impl Hasher for IsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("hashes have 64 bits")
    }

    /// Rows of one part agree in the high bits of their hashes, from which the table takes what tells its entries apart.
    fn write_u64(&mut self, hash: u64) {
        self.0 = mixed(hash);
    }
}

/// A set of rows with a count for each.
pub(super) struct RowSet {
    rows: Vec<(Row, u64)>,
    kept: KeptBytes,
    lookup: Places,
}

impl Default for RowSet {
    fn default() -> RowSet {
        RowSet { rows: Vec::new(), kept: KeptBytes::worked_on("A set of rows"), lookup: Places::default() }
    }
}

/// What a hash table takes for an entry besides its row: a place in the table, at most twice over, and the link to the next.
pub(super) const ENTRY_BYTES: usize = 48;

impl RowSet {
    /// The place of the row equal to this one.
    pub(super) fn find(&self, hash: u64, types: &[TypeId], row: &[Datum]) -> Option<usize> {
        self.lookup.of(hash).find(|&at| {
            let other = &self.rows[at].0;
            row.iter().zip(other).zip(types).all(|((a, b), &type_id)| equal(type_id, a, b))
        })
    }

    /// Enters a row that is new; 53200 if there are too many.
    pub(super) fn add(&mut self, hash: u64, row: &[Datum]) -> Result<usize> {
        self.kept.add(row)?;
        self.kept.add_bytes(ENTRY_BYTES)?;
        self.lookup.add(hash, self.rows.len());
        self.rows.push((row.to_vec(), 0));
        Ok(self.rows.len() - 1)
    }

    /// The count of the row at a place.
    pub(super) fn count(&mut self, at: usize) -> &mut u64 {
        &mut self.rows[at].1
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// The count of rows equal to this one, which is entered with 0 if it is new; 53200 if there are too many.
    pub(super) fn entry(&mut self, types: &[TypeId], row: &[Datum]) -> Result<&mut u64> {
        let hash = hash_values(types.iter().copied().zip(row));
        let at = match self.find(hash, types, row) {
            Some(at) => at,
            None => self.add(hash, row)?,
        };
        Ok(&mut self.rows[at].1)
    }
}

/// DISTINCT and DISTINCT ON: the first row of each group of equal ones. Rows are given as they come while the set of them fits memory;
/// what is new then is put aside, looked at part by part, and given in the order in which it came.
pub(super) struct Distinct {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    seen: RowSet,
    /// Rows that were put aside or given before.
    number: u64,
    is_ended: bool,
    aside: Option<Partitions>,
    parts: Vec<Part>,
    /// The part that is being looked at.
    part: Option<Part>,
    later: Sorter<Numbered>,
}

impl Distinct {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Distinct {
        Distinct {
            plan,
            input,
            seen: RowSet::default(),
            number: 0,
            is_ended: false,
            aside: None,
            parts: Vec::new(),
            part: None,
            later: Sorter::default(),
        }
    }

    /// Whether a row is new; it is put aside if that cannot be said.
    fn is_new(&mut self, context: &Context<'_>, number: u64, row: &Row) -> Result<bool> {
        let Node::Distinct { columns, types, .. } = &*self.plan else { unreachable!("built for DISTINCT") };
        let key: Cow<'_, Row> = match columns {
            Some(columns) => Cow::Owned(columns.iter().map(|&column| row[column].clone()).collect()),
            None => Cow::Borrowed(row),
        };
        let hash = hash_values(types.iter().copied().zip(&*key));
        if self.seen.find(hash, types, &key).is_some() {
            return Ok(false);
        }
        let level = self.part.as_ref().map_or(0, |part| part.level);
        if self.aside.is_none() {
            if !is_hash_table_full(context, self.seen.kept.bytes(), level) {
                self.seen.add(hash, &key)?;
                return Ok(true);
            }
            self.aside = Some(Partitions::create(context, level)?);
        }
        let aside = self.aside.as_mut().expect("made above");
        aside.push(hash, &Numbered { number, row: row.clone() })?;
        Ok(false)
    }

    fn drain(&mut self, context: &mut Context<'_>) -> Step<()> {
        self.aside.as_mut().map_or(Ok(()), |aside| aside.drain(context))
    }

    /// Looks at what was put aside.
    fn look_at_parts(&mut self, context: &mut Context<'_>) -> Step<()> {
        loop {
            if self.part.is_none() {
                if let Some(aside) = &mut self.aside {
                    aside.finish(context, &mut self.parts)?;
                    self.aside = None;
                }
                self.seen = RowSet::default();
                self.part = self.parts.pop();
            }
            if self.part.is_none() {
                self.later.end();
                return self.later.sort(context, &by_number);
            }
            loop {
                self.later.make_room(context, &by_number)?;
                self.drain(context)?;
                let part = self.part.as_mut().expect("taken above");
                if !part.reader.fill(context)? {
                    break;
                }
                context.count_row()?;
                let found: Numbered = part.reader.take()?;
                if self.is_new(context, found.number, &found.row)? {
                    self.later.push(found);
                }
            }
            self.part = None;
        }
    }
}

impl Operator for Distinct {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        while !self.is_ended {
            self.drain(context)?;
            if !self.input.next(context, row)? {
                self.is_ended = true;
                break;
            }
            self.number += 1;
            if self.is_new(context, self.number, row)? {
                return Ok(true);
            }
        }
        if !self.later.is_sorted() {
            self.look_at_parts(context)?;
        }
        let Some(found) = self.later.next(context, &by_number)? else { return Ok(false) };
        *row = found.row;
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.seen = RowSet::default();
        (self.number, self.is_ended) = (0, false);
        (self.aside, self.part) = (None, None);
        self.parts.clear();
        self.later = Sorter::default();
    }
}
