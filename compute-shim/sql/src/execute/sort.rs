//! Sorting, DISTINCT, and the set operations.

use super::context::hash_of;
use super::{Context, KeptBytes, Operator, Row};
use crate::parse::tree::SetOperator;
use crate::plan::{Node, SortKey};
use crate::stop::Step;
use hexalog_sql_types::datum::{compare, equal};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, TypeId};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

/// The order of two rows by sort keys.
pub(super) fn compare_rows(keys: &[SortKey], a: &[Datum], b: &[Datum]) -> Ordering {
    for key in keys {
        let (left, right) = (&a[key.column], &b[key.column]);
        let order = match (left.is_null(), right.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if key.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if key.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if key.descending => compare(key.type_id, right, left),
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
    rows: Vec<Row>,
    kept: KeptBytes,
    is_sorted: bool,
    at: usize,
}

impl Sort {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Sort {
        Sort { plan, input, rows: Vec::new(), kept: KeptBytes::worked_on("A sort"), is_sorted: false, at: 0 }
    }
}

impl Operator for Sort {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        if !self.is_sorted {
            let mut next = Row::new();
            while self.input.next(context, &mut next)? {
                self.kept.add(&next)?;
                self.rows.push(std::mem::take(&mut next));
            }
            let Node::Sort { keys, .. } = &*self.plan else { unreachable!("built for sorting") };
            self.rows.sort_by(|a, b| compare_rows(keys, a, b));
            self.is_sorted = true;
        }
        let Some(found) = self.rows.get_mut(self.at) else { return Ok(false) };
        self.at += 1;
        *row = std::mem::take(found);
        Ok(true)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.rows.clear();
        self.kept.clear();
        self.is_sorted = false;
        self.at = 0;
    }
}

/// A set of rows with a count for each.
pub(super) struct RowSet {
    rows: Vec<(Row, u64)>,
    kept: KeptBytes,
    lookup: HashMap<u64, Vec<usize>, BuildHasherDefault<DefaultHasher>>,
}

impl Default for RowSet {
    fn default() -> RowSet {
        RowSet { rows: Vec::new(), kept: KeptBytes::worked_on("A set of rows"), lookup: HashMap::default() }
    }
}

impl RowSet {
    /// The count of rows equal to this one, which is entered with 0 if it is new; 53200 if there are too many.
    pub(super) fn entry(&mut self, types: &[TypeId], row: &[Datum]) -> Result<&mut u64> {
        let mut hash = 0u64;
        for (value, &type_id) in row.iter().zip(types) {
            hash = hash.rotate_left(5) ^ hash_of(type_id, value);
        }
        let places = self.lookup.entry(hash).or_default();
        let found = places.iter().copied().find(|&at| {
            let other = &self.rows[at].0;
            row.iter().zip(other).zip(types).all(|((a, b), &type_id)| equal(type_id, a, b))
        });
        let at = match found {
            Some(at) => at,
            None => {
                self.kept.add(row)?;
                places.push(self.rows.len());
                self.rows.push((row.to_vec(), 0));
                self.rows.len() - 1
            }
        };
        Ok(&mut self.rows[at].1)
    }
}

/// DISTINCT and DISTINCT ON: the first row of each group of equal ones.
pub(super) struct Distinct {
    plan: Arc<Node>,
    input: Box<dyn Operator>,
    seen: RowSet,
}

impl Distinct {
    pub(super) fn new(plan: Arc<Node>, input: Box<dyn Operator>) -> Distinct {
        Distinct { plan, input, seen: RowSet::default() }
    }
}

impl Operator for Distinct {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::Distinct { columns, types, .. } = &*self.plan else { unreachable!("built for DISTINCT") };
        while self.input.next(context, row)? {
            let count = match columns {
                Some(columns) => {
                    let key: Row = columns.iter().map(|&column| row[column].clone()).collect();
                    self.seen.entry(types, &key)?
                }
                None => self.seen.entry(types, row)?,
            };
            *count += 1;
            if *count == 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.input.rewind(context);
        self.seen = RowSet::default();
    }
}

/// INTERSECT and EXCEPT.
pub(super) struct SetOperation {
    plan: Arc<Node>,
    left: Box<dyn Operator>,
    right: Box<dyn Operator>,
    right_rows: RowSet,
    given: RowSet,
    is_built: bool,
}

impl SetOperation {
    pub(super) fn new(plan: Arc<Node>, left: Box<dyn Operator>, right: Box<dyn Operator>) -> SetOperation {
        SetOperation {
            plan,
            left,
            right,
            right_rows: RowSet::default(),
            given: RowSet::default(),
            is_built: false,
        }
    }
}

impl Operator for SetOperation {
    fn next(&mut self, context: &mut Context<'_>, row: &mut Row) -> Step<bool> {
        let Node::SetOperation { op, all, types, .. } = &*self.plan else {
            unreachable!("built for set operations");
        };
        while !self.is_built {
            match self.right.next(context, row)? {
                true => *self.right_rows.entry(types, row)? += 1,
                false => self.is_built = true,
            }
        }
        while self.left.next(context, row)? {
            let right = self.right_rows.entry(types, row)?;
            let passes = match (op, all) {
                (SetOperator::Intersect, true) => {
                    let there = *right > 0;
                    *right = right.saturating_sub(1);
                    there
                }
                (SetOperator::Except, true) => {
                    let there = *right > 0;
                    *right = right.saturating_sub(1);
                    !there
                }
                (SetOperator::Intersect, false) => *right > 0,
                (SetOperator::Except, false) => *right == 0,
                (SetOperator::Union, _) => unreachable!("UNION is an append"),
            };
            if !passes {
                continue;
            }
            if *all {
                return Ok(true);
            }
            let given = self.given.entry(types, row)?;
            *given += 1;
            if *given == 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn rewind(&mut self, context: &mut Context<'_>) {
        self.left.rewind(context);
        self.right.rewind(context);
        self.right_rows = RowSet::default();
        self.given = RowSet::default();
        self.is_built = false;
    }
}
