//! Window functions in a plan.

use crate::expression::{Expr, same};
use crate::function::WindowKind;
pub(crate) use crate::parse::tree::{FrameExclusion, FrameUnit};
use hexalog_sql_types::aggregate::Aggregate;

/// One call over the window of its node.
#[derive(Clone, Debug)]
pub(crate) struct WindowCall {
    pub function: WindowFunction,
    pub arguments: Vec<Expr>,
    /// Of aggregates only.
    pub filter: Option<Expr>,
    pub frame: WindowFrame,
}

impl WindowCall {
    /// Whether another call over the same window gives the same value.
    pub(crate) fn is_same(&self, other: &WindowCall) -> bool {
        self.function.is_same(other.function)
            && self.filter.is_some() == other.filter.is_some()
            && self.arguments.len() == other.arguments.len()
            && self.parts().zip(other.parts()).all(|(a, b)| same(a, b))
            && self.frame.is_same(&other.frame)
    }

    fn parts(&self) -> impl Iterator<Item = &Expr> {
        self.arguments.iter().chain(&self.filter)
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum WindowFunction {
    Ranking(WindowKind),
    Aggregate(&'static Aggregate),
}

impl WindowFunction {
    fn is_same(self, other: WindowFunction) -> bool {
        match (self, other) {
            (WindowFunction::Ranking(a), WindowFunction::Ranking(b)) => a == b,
            (WindowFunction::Aggregate(a), WindowFunction::Aggregate(b)) => a.oid == b.oid,
            _ => false,
        }
    }
}

/// Which rows around the current one a call sees.
#[derive(Clone, Debug)]
pub(crate) struct WindowFrame {
    pub unit: FrameUnit,
    pub start: WindowBound,
    pub end: WindowBound,
    pub exclusion: FrameExclusion,
}

impl WindowFrame {
    fn is_same(&self, other: &WindowFrame) -> bool {
        self.unit == other.unit
            && self.exclusion == other.exclusion
            && self.start.is_same(&other.start)
            && self.end.is_same(&other.end)
    }
}

/// An offset has no columns: it is computed once. It is bigint for ROWS and GROUPS; for RANGE bigint, numeric, float8 or
/// interval, as the one sort key asks.
#[derive(Clone, Debug)]
pub(crate) enum WindowBound {
    UnboundedPreceding,
    Preceding(Expr),
    CurrentRow,
    Following(Expr),
    UnboundedFollowing,
}

impl WindowBound {
    fn is_same(&self, other: &WindowBound) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.offset().zip(other.offset()).is_none_or(|(a, b)| same(a, b))
    }

    pub(crate) fn offset(&self) -> Option<&Expr> {
        match self {
            WindowBound::Preceding(offset) | WindowBound::Following(offset) => Some(offset),
            WindowBound::UnboundedPreceding | WindowBound::CurrentRow | WindowBound::UnboundedFollowing => {
                None
            }
        }
    }
}

/// A sort key of a window.
#[derive(Clone, Debug)]
pub(crate) struct WindowKey {
    pub expr: Expr,
    pub descending: bool,
    pub nulls_first: bool,
}

impl WindowCall {
    /// What is computed for each row.
    pub(crate) fn row_exprs(&self) -> impl Iterator<Item = &Expr> {
        self.arguments.iter().chain(&self.filter)
    }
}
