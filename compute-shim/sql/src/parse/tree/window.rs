//! Windows: OVER, the WINDOW clause and frames.

use super::{Expr, OrderItem};

/// The window that a call is over.
#[derive(Clone, Debug)]
pub(crate) enum Over {
    Name { name: String, position: u32 },
    Spec(Box<WindowSpec>),
}

#[derive(Clone, Debug)]
pub(crate) struct WindowSpec {
    /// The window that it builds on.
    pub base: Option<String>,
    pub partition_by: Vec<Expr>,
    pub order_by: Vec<OrderItem>,
    pub frame: Option<Frame>,
    /// Of its opening parenthesis.
    pub position: u32,
}

/// An entry of the WINDOW clause.
#[derive(Clone, Debug)]
pub(crate) struct NamedWindow {
    pub name: String,
    pub spec: WindowSpec,
}

#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub unit: FrameUnit,
    pub start: FrameBound,
    pub end: FrameBound,
    pub exclusion: FrameExclusion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameUnit {
    Rows,
    Range,
    Groups,
}

#[derive(Clone, Debug)]
pub(crate) enum FrameBound {
    UnboundedPreceding,
    Preceding(Box<Expr>),
    CurrentRow,
    Following(Box<Expr>),
    UnboundedFollowing,
}

/// Which rows of a frame do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameExclusion {
    NoOthers,
    CurrentRow,
    Group,
    /// The peers of the current row, but not itself.
    Ties,
}
