//! Window functions in a plan.

use crate::expression::Expr;
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

#[derive(Clone, Copy, Debug)]
pub(crate) enum WindowFunction {
    Ranking(WindowKind),
    Aggregate(&'static Aggregate),
}

/// Which rows around the current one a call sees.
#[derive(Clone, Debug)]
pub(crate) struct WindowFrame {
    pub unit: FrameUnit,
    pub start: WindowBound,
    pub end: WindowBound,
    pub exclusion: FrameExclusion,
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
