//! A subquery's rows by hash, for NOT IN, and for IN and `= ANY` where they are no joins (`plan/semi_join.rs`).
//!
//! Owns which comparisons can be looked up and what they come to in three-valued logic: NULL where a value that is not known
//! could have made a row equal (PostgreSQL's hashed subplans, `nodeSubplan.c`). Without such values a look-up is one probe. It is kept in
//! memory, and counted; others may run, and cancellation is noticed, while it is made.

use super::context::hash_values;
use super::kept_bytes::value_bytes;
use super::sort::{ENTRY_BYTES, Places};
use super::{Context, KeptBytes};
use crate::expression::{Expr, Kind, Quantifier, SubplanForm, columns_used, evaluate};
use crate::stop::Step;
use hexalog_sql_types::datum::{equal, hash_alike};
use hexalog_sql_types::operator::Operator;
use hexalog_sql_types::{Datum, TypeId, Typmod};

/// Rows from which on they are hashed; a guess.
pub(super) const HASHED_ROWS_MIN: usize = 16;

/// One equality of a comparison.
struct Part<'a> {
    type_id: TypeId,
    /// Over the query's row.
    right: &'a Expr,
    /// Which of the values outside it is compared with.
    left: usize,
}

/// The equalities that a comparison consists of; `None` if it has others.
fn parts(form: &SubplanForm) -> Option<Vec<Part<'_>>> {
    match form {
        SubplanForm::AnyAll { operator, left, right, all: false } => {
            is_hashable(operator, left, right).then(|| vec![Part { type_id: operator.right, right, left: 0 }])
        }
        SubplanForm::Rows { left, comparison, quantifier: Quantifier::Any | Quantifier::Exists } => {
            let equalities = match &comparison.kind {
                Kind::And(parts) => parts,
                _ => std::slice::from_ref(comparison),
            };
            equalities.iter().map(|equality| row_part(equality, left.len())).collect()
        }
        _ => None,
    }
}

/// Whether a comparison is looked up once there are rows enough.
pub(crate) fn is_looked_up(form: &SubplanForm) -> bool {
    parts(form).is_some()
}

/// Columns of the query's row come first in a comparison of rows.
fn row_part(equality: &Expr, columns: usize) -> Option<Part<'_>> {
    let Kind::Operator { operator, operands } = &equality.kind else { return None };
    let [a, b] = &**operands else { return None };
    let outside = |expr: &Expr| match expr.kind {
        Kind::Column(at) => at.checked_sub(columns),
        _ => None,
    };
    let (left, right) = match (outside(a), outside(b)) {
        (Some(left), None) => (left, b),
        (None, Some(left)) => (left, a),
        _ => return None,
    };
    let is_right = columns_used(right).iter().all(|&column| column < columns);
    (is_right && is_hashable(operator, a, b)).then_some(Part { type_id: operator.right, right, left })
}

/// Rows hash where one modifier says that they are alike: others are an error where they meet.
fn is_hashable(operator: &Operator, a: &Expr, b: &Expr) -> bool {
    let are_alike = operator.right != TypeId::RECORD || (a.typmod == b.typmod && a.typmod != Typmod::NONE);
    are_alike && operator.name == "=" && operator.left.is_some_and(|left| hash_alike(left, operator.right))
}

/// The table.
pub(super) struct SubplanTable {
    /// What each part of a key is compared as, and with which of the values outside.
    parts: Vec<(TypeId, usize)>,
    /// Rows whose keys are not in the table yet.
    rows: std::vec::IntoIter<Datum>,
    /// One key after the other.
    keys: Vec<Datum>,
    kept: KeptBytes,
    /// Keys without NULLs.
    places: Places,
    /// Keys with NULLs.
    unknown: Vec<usize>,
    /// NULL equals nothing, and what is not known is false.
    is_known: bool,
}

impl SubplanTable {
    fn new(form: &SubplanForm, parts: &[Part<'_>], rows: Vec<Datum>) -> SubplanTable {
        SubplanTable {
            parts: parts.iter().map(|part| (part.type_id, part.left)).collect(),
            keys: Vec::with_capacity(rows.len() * parts.len()),
            rows: rows.into_iter(),
            kept: KeptBytes::worked_on("A subquery"),
            places: Places::default(),
            unknown: Vec::new(),
            is_known: matches!(form, SubplanForm::Rows { quantifier: Quantifier::Exists, .. }),
        }
    }

    /// Takes the rest of the rows in. Call again after a need.
    fn build(&mut self, form: &SubplanForm, parts: &[Part<'_>], context: &mut Context<'_>) -> Step<()> {
        let are_records = matches!(form, SubplanForm::Rows { .. });
        while let Some(row) = self.rows.as_slice().first() {
            let row = match row {
                Datum::Record(record) if are_records => &record.values,
                row => std::slice::from_ref(row),
            };
            let mut key = Vec::with_capacity(parts.len());
            for part in parts {
                key.push(evaluate(part.right, row, context)?);
            }
            self.kept.add_bytes(ENTRY_BYTES + key.iter().map(value_bytes).sum::<usize>())?;
            let at = self.keys.len() / self.parts.len();
            if key.iter().any(Datum::is_null) {
                self.unknown.push(at);
            } else {
                let hash = hash_values(self.types().zip(&key));
                self.places.add(hash, at);
            }
            self.keys.append(&mut key);
            self.rows.next();
            // The row is in the table before it is counted: counted first, it would let others run again and again where the row
            // outside is counted anew each time that this goes on.
            context.count_row()?;
        }
        self.rows = Vec::new().into_iter();
        Ok(())
    }

    fn types(&self) -> impl Iterator<Item = TypeId> + Clone {
        self.parts.iter().map(|(type_id, _)| *type_id)
    }

    fn key(&self, at: usize) -> &[Datum] {
        &self.keys[at * self.parts.len()..][..self.parts.len()]
    }

    fn rows(&self) -> usize {
        self.keys.len() / self.parts.len()
    }

    /// Whether a row equals these values; NULL if that is not known. And how many rows were compared besides those that hash alike.
    fn find(&self, left: &[Datum]) -> (Datum, usize) {
        let probe = || self.parts.iter().map(|&(_, at)| &left[at]);
        let has_null = probe().any(Datum::is_null);
        if !has_null {
            let is_equal = |at: usize| {
                let mut parts = self.types().zip(self.key(at)).zip(probe());
                parts.all(|((type_id, right), left)| equal(type_id, left, right))
            };
            if self.places.of(hash_values(self.types().zip(probe()))).any(is_equal) {
                return (Datum::Bool(true), 0);
            }
        }
        let may_equal = |at: usize| {
            let mut parts = self.types().zip(self.key(at)).zip(probe());
            parts.all(|((type_id, right), left)| {
                left.is_null() || right.is_null() || equal(type_id, left, right)
            })
        };
        if self.is_known {
            return (Datum::Bool(false), 0);
        }
        let (rows, found) = match has_null {
            true => (self.rows(), (0..self.rows()).position(may_equal)),
            false => (self.unknown.len(), self.unknown.iter().copied().position(may_equal)),
        };
        match found {
            Some(at) => (Datum::Null, at),
            None => (Datum::Bool(false), rows),
        }
    }
}

impl Context<'_> {
    /// A comparison with a subquery's rows by hash; `None` if they are few, or have to be compared one by one.
    pub(crate) fn probe_subplan(
        &mut self,
        id: usize,
        form: &SubplanForm,
        left: &[Datum],
    ) -> Step<Option<Datum>> {
        let state = &mut self.state.subplans[id];
        if state.table.is_none() && state.values().len() < HASHED_ROWS_MIN {
            return Ok(None);
        }
        let is_whole = state.table.as_ref().is_some_and(|table| table.rows.as_slice().is_empty());
        if !is_whole {
            let Some(parts) = parts(form) else { return Ok(None) };
            // Once its keys are known nobody asks for a row.
            let rows = std::mem::take(&mut state.values);
            let table = state.table.take();
            let mut table = table.unwrap_or_else(|| Box::new(SubplanTable::new(form, &parts, rows)));
            let built = table.build(form, &parts, self);
            self.state.subplans[id].table = Some(table);
            built?;
        }
        let table = self.state.subplans[id].table.as_ref().expect("made above");
        let (answer, compared) = table.find(left);
        self.note_rows_compared(id, compared);
        Ok(Some(answer))
    }
}
