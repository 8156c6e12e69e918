//! Cursors: DECLARE, FETCH and MOVE, CLOSE.

use super::Statement;

/// Whether a cursor can go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scroll {
    /// As far as that costs nothing.
    Unsaid,
    Yes,
    No,
}

#[derive(Clone, Debug)]
pub(crate) struct DeclareCursor {
    pub name: String,
    pub binary: bool,
    pub insensitive: bool,
    pub scroll: Scroll,
    pub hold: bool,
    /// A [`Statement::Query`].
    pub query: Box<Statement>,
}

/// How many rows a cursor moves over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowCount {
    All,
    Rows(i64),
}

/// Where FETCH and MOVE go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Movement {
    Forward(RowCount),
    Backward(RowCount),
    Absolute(i64),
    Relative(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub cursor: String,
    pub movement: Movement,
    /// MOVE: no rows are given.
    pub is_move: bool,
}
