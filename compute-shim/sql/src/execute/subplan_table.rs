//! A subquery's rows by hash, for IN, `= ANY` and EXISTS.
//!
//! Owns which comparisons can be looked up and what they come to in three-valued logic: NULL where a value that is not known
//! could have made a row equal (PostgreSQL's hashed subplans, `nodeSubplan.c`). Without such values a look-up is one probe.

use super::Context;
use super::context::hash_values;
use super::sort::Places;
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
    /// One key after the other.
    keys: Vec<Datum>,
    /// Keys without NULLs.
    places: Places,
    /// Keys with NULLs.
    unknown: Vec<usize>,
    /// NULL equals nothing, and what is not known is false.
    is_known: bool,
}

impl SubplanTable {
    fn build(
        form: &SubplanForm,
        parts: &[Part<'_>],
        rows: &[Datum],
        context: &mut Context<'_>,
    ) -> Step<Self> {
        let mut table = SubplanTable {
            parts: parts.iter().map(|part| (part.type_id, part.left)).collect(),
            keys: Vec::with_capacity(rows.len() * parts.len()),
            places: Places::default(),
            unknown: Vec::new(),
            is_known: matches!(form, SubplanForm::Rows { quantifier: Quantifier::Exists, .. }),
        };
        let are_records = matches!(form, SubplanForm::Rows { .. });
        for (at, row) in rows.iter().enumerate() {
            let row = match row {
                Datum::Record(record) if are_records => &record.values,
                row => std::slice::from_ref(row),
            };
            for part in parts {
                table.keys.push(evaluate(part.right, row, context)?);
            }
            let key = table.key(at);
            if key.iter().any(Datum::is_null) {
                table.unknown.push(at);
            } else {
                let hash = hash_values(table.types().zip(key));
                table.places.add(hash, at);
            }
        }
        Ok(table)
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

    /// Whether a row equals these values; NULL if that is not known.
    fn find(&self, left: &[Datum]) -> Datum {
        let probe = || self.parts.iter().map(|&(_, at)| &left[at]);
        let has_null = probe().any(Datum::is_null);
        if !has_null {
            let is_equal = |at: usize| {
                let mut parts = self.types().zip(self.key(at)).zip(probe());
                parts.all(|((type_id, right), left)| equal(type_id, left, right))
            };
            if self.places.of(hash_values(self.types().zip(probe()))).any(is_equal) {
                return Datum::Bool(true);
            }
        }
        let may_equal = |at: usize| {
            let mut parts = self.types().zip(self.key(at)).zip(probe());
            parts.all(|((type_id, right), left)| {
                left.is_null() || right.is_null() || equal(type_id, left, right)
            })
        };
        let is_unknown = !self.is_known
            && match has_null {
                true => (0..self.rows()).any(may_equal),
                false => self.unknown.iter().copied().any(may_equal),
            };
        if is_unknown { Datum::Null } else { Datum::Bool(false) }
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
        if self.state.subplans[id].table.is_none() {
            if self.state.subplans[id].values().len() < HASHED_ROWS_MIN {
                return Ok(None);
            }
            let Some(parts) = parts(form) else { return Ok(None) };
            // Once its keys are known nobody asks for a row.
            let rows = std::mem::take(&mut self.state.subplans[id].values);
            match SubplanTable::build(form, &parts, &rows, self) {
                Ok(table) => self.state.subplans[id].table = Some(Box::new(table)),
                Err(stop) => {
                    self.state.subplans[id].values = rows;
                    return Err(stop);
                }
            }
        }
        Ok(self.state.subplans[id].table.as_ref().map(|table| table.find(left)))
    }
}
