//! INTERSECT and EXCEPT, by a hash table of the right side.
//!
//! The right side is counted first, then each left row is looked up. A table that is full takes no new keys: rows of others are put
//! aside by their hash, on both sides, and worked on part by part. Left rows carry the number at which they came, so that
//! the answer has one order whatever memory there is: from the first row that is put aside on, all that pass are sorted by it.

use super::context::hash_values;
use super::partitions::{Numbered, Part, Partitions, by_number, is_hash_table_full};
use super::sort::RowSet;
use super::sorter::Sorter;
use super::{Context, Operator, Row};
use crate::parse::tree::SetOperator;
use crate::plan::Node;
use crate::stop::Step;
use hexalog_sql_types::TypeId;
use hexalog_sql_types::error::Result;
use std::sync::Arc;

/// What is being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Right,
    Left,
    /// Both have come to their ends.
    Parts,
}

/// Rows of both sides that are put aside, parted alike.
struct Aside {
    right: Partitions,
    left: Partitions,
    right_parts: Vec<Part>,
    left_parts: Vec<Part>,
}

impl Aside {
    fn create(context: &Context<'_>, level: u32) -> Result<Aside> {
        let right = Partitions::create(context, level)?;
        let left = right.beside();
        Ok(Aside { right, left, right_parts: Vec::new(), left_parts: Vec::new() })
    }

    fn drain(&mut self, context: &mut Context<'_>) -> Step<()> {
        self.right.drain(context)?;
        self.left.drain(context)
    }

    /// All rows have come: the parts with left rows, each with its right ones. What has no left rows gives none.
    fn finish(&mut self, context: &mut Context<'_>, pairs: &mut Vec<Pair>) -> Step<()> {
        self.right.finish(context, &mut self.right_parts)?;
        self.left.finish(context, &mut self.left_parts)?;
        for left in self.left_parts.drain(..) {
            let right = self.right_parts.iter().position(|right| right.number == left.number);
            let right = right.map(|at| self.right_parts.swap_remove(at));
            pairs.push(Pair { right, left });
        }
        Ok(())
    }
}

/// Parts of both sides that have equal keys.
struct Pair {
    right: Option<Part>,
    left: Part,
}

/// The operator.
pub(super) struct SetOperation {
    plan: Arc<Node>,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    side: Side,
    /// Rows with how often the right side has them, less what left ones have used up.
    counted: RowSet,
    /// Left rows that have come.
    number: u64,
    aside: Option<Aside>,
    pairs: Vec<Pair>,
    /// The parts that are being worked on.
    pair: Option<Pair>,
    /// Rows that pass, from the first that was put aside on.
    later: Sorter<Numbered>,
}

impl SetOperation {
    pub(super) fn new(plan: Arc<Node>, left: Box<dyn Operator>, right: Box<dyn Operator>) -> SetOperation {
        SetOperation {
            plan,
            left,
            right,
            side: Side::Right,
            counted: RowSet::default(),
            number: 0,
            aside: None,
            pairs: Vec::new(),
            pair: None,
            later: Sorter::default(),
        }
    }

    fn drain(&mut self, context: &mut Context<'_>) -> Step<()> {
        self.later.make_room(context, &by_number)?;
        self.aside.as_mut().map_or(Ok(()), |aside| aside.drain(context))
    }

    fn hash(&self, row: &Row) -> u64 {
        hash_values(types(&self.plan).iter().copied().zip(row))
    }

    /// Whether the table takes a new key: once one was put aside, its like must not come in.
    fn takes_keys(&self, context: &Context<'_>) -> bool {
        self.aside.is_none() && !is_hash_table_full(context, self.counted.bytes(), self.level())
    }

    fn level(&self) -> u32 {
        self.pair.as_ref().map_or(0, |pair| pair.left.level)
    }

    fn aside(&mut self, context: &Context<'_>) -> Result<&mut Aside> {
        if self.aside.is_none() {
            self.aside = Some(Aside::create(context, self.level())?);
        }
        Ok(self.aside.as_mut().expect("made above"))
    }

    /// Counts a right row, or puts it aside.
    fn take_right(&mut self, context: &Context<'_>, row: &Row) -> Result<()> {
        let hash = self.hash(row);
        let at = match self.counted.find(hash, types(&self.plan), row) {
            Some(at) => at,
            None if self.takes_keys(context) => self.counted.add(hash, row)?,
            None => return self.aside(context)?.right.push(hash, row),
        };
        *self.counted.count(at) += 1;
        Ok(())
    }

    /// Whether a left row passes; it is put aside if that cannot be said.
    fn take_left(&mut self, context: &Context<'_>, number: u64, row: &Row) -> Result<bool> {
        let Node::SetOperation { op, all, .. } = &*self.plan else {
            unreachable!("built for set operations")
        };
        let (op, all) = (*op, *all);
        let hash = self.hash(row);
        let at = match self.counted.find(hash, types(&self.plan), row) {
            Some(at) => at,
            // The right side has none of them. What is given once is kept, to be given no second time.
            None if self.aside.is_none() && op == SetOperator::Intersect => return Ok(false),
            None if self.aside.is_none() && all => return Ok(true),
            None if self.takes_keys(context) => self.counted.add(hash, row)?,
            None => {
                self.aside(context)?.left.push(hash, &Numbered { number, row: row.clone() })?;
                return Ok(false);
            }
        };
        let count = self.counted.count(at);
        let is_there = *count > 0;
        match (op, all) {
            (SetOperator::Intersect | SetOperator::Except, true) => *count = count.saturating_sub(1),
            // Given once: the next finds none.
            (SetOperator::Intersect, false) => *count = 0,
            // Given once: the next finds one in its way.
            (SetOperator::Except, false) => *count = 1,
            (SetOperator::Union, _) => unreachable!("UNION is an append"),
        }
        Ok(is_there == (op == SetOperator::Intersect))
    }

    /// Works on what was put aside.
    fn work_on_parts(&mut self, context: &mut Context<'_>) -> Step<()> {
        loop {
            if self.pair.is_none() {
                if let Some(aside) = &mut self.aside {
                    aside.finish(context, &mut self.pairs)?;
                    self.aside = None;
                }
                self.counted = RowSet::default();
                self.pair = self.pairs.pop();
            }
            if self.pair.is_none() {
                self.later.end();
                return self.later.sort(context, &by_number);
            }
            while let Some(right) = self.pair.as_mut().and_then(|pair| pair.right.as_mut()) {
                if let Some(aside) = &mut self.aside {
                    aside.drain(context)?;
                }
                if !right.reader.fill(context)? {
                    self.pair.as_mut().expect("taken above").right = None;
                    break;
                }
                context.count_row()?;
                let row: Row = right.reader.take()?;
                self.take_right(context, &row)?;
            }
            loop {
                self.drain(context)?;
                let left = &mut self.pair.as_mut().expect("taken above").left;
                if !left.reader.fill(context)? {
                    break;
                }
                context.count_row()?;
                let found: Numbered = left.reader.take()?;
                if self.take_left(context, found.number, &found.row)? {
                    self.later.push(found);
                }
            }
            self.pair = None;
        }
    }
}

fn types(plan: &Node) -> &[TypeId] {
    let Node::SetOperation { types, .. } = plan else { unreachable!("built for set operations") };
    types
}

impl Operator for SetOperation {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        while self.side == Side::Right {
            self.drain(context)?;
            match self.right.next(context, row)? {
                true => self.take_right(context, row)?,
                false => self.side = Side::Left,
            }
        }
        while self.side == Side::Left {
            self.drain(context)?;
            if !self.left.next(context, row)? {
                self.side = Side::Parts;
                break;
            }
            self.number += 1;
            let number = self.number;
            if self.take_left(context, number, row)? {
                if self.aside.is_none() {
                    return Ok(true);
                }
                self.later.push(Numbered { number, row: std::mem::take(row) });
            }
        }
        if !self.later.is_sorted() {
            self.work_on_parts(context)?;
        }
        let Some(found) = self.later.next(context, &by_number)? else { return Ok(false) };
        *row = found.row;
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.left.rewind(context);
        self.right.rewind(context);
        self.side = Side::Right;
        self.counted = RowSet::default();
        self.number = 0;
        (self.aside, self.pair) = (None, None);
        self.pairs.clear();
        self.later = Sorter::default();
    }
}
