//! Hypothetical-set aggregates: where a row that is not there would stand among those that are.
//!
//! Owns [`Hypothetical`], which counts. The executor has the rows in the order of WITHIN GROUP and compares each with the
//! hypothetical one. Source: `orderedsetaggs.c` of PostgreSQL.

use super::AggregateKind;
use crate::datum::Datum;

/// What is counted of a group.
#[derive(Clone, Debug, Default)]
pub(super) struct Hypothetical {
    rows: i64,
    /// Rows in front of the hypothetical one, and how many of them differ from all before them.
    before: i64,
    different_before: i64,
    /// Its peers.
    equal: i64,
}

impl Hypothetical {
    /// A row: -1, 0 or 1 as it stands before, beside or behind the hypothetical one; and whether it differs from the row
    /// before it.
    pub(super) fn add(&mut self, arguments: &[Datum]) {
        let &[Datum::Int4(order), Datum::Bool(is_different)] = arguments else {
            panic!("a place was given as {arguments:?}")
        };
        self.rows += 1;
        self.equal += i64::from(order == 0);
        self.before += i64::from(order < 0);
        self.different_before += i64::from(order < 0 && is_different);
    }

    #[expect(clippy::cast_precision_loss, reason = "as PostgreSQL computes it")]
    pub(super) fn finish(&self, kind: AggregateKind) -> Datum {
        match kind {
            AggregateKind::Rank => Datum::Int8(self.before + 1),
            AggregateKind::DenseRank => Datum::Int8(self.different_before + 1),
            AggregateKind::PercentRank if self.rows == 0 => Datum::Float8(0.0),
            AggregateKind::PercentRank => Datum::Float8(self.before as f64 / self.rows as f64),
            AggregateKind::CumeDist => {
                Datum::Float8((self.before + self.equal + 1) as f64 / (self.rows + 1) as f64)
            }
            other => panic!("{other:?} is no hypothetical-set aggregate"),
        }
    }
}
