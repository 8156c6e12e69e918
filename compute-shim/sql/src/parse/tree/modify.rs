//! Changes of rows: INSERT with ON CONFLICT, UPDATE and DELETE.

use super::{CommonTable, Expr, FromItem, IndexElement, Name, Query, SelectItem, SliceRange};

#[derive(Clone, Debug)]
pub(crate) struct Insert {
    pub with: Vec<CommonTable>,
    pub table: Name,
    pub alias: Option<String>,
    pub columns: Vec<AssignedTo>,
    pub overriding: Option<Overriding>,
    /// `None` is DEFAULT VALUES.
    pub source: Option<Query>,
    pub on_conflict: Option<OnConflict>,
    pub returning: Vec<SelectItem>,
    /// WHERE of COPY FROM, which is planned as an INSERT.
    pub copy_filter: Option<Expr>,
}

/// Whose values of identity columns count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overriding {
    /// The statement's.
    SystemValue,
    /// The sequence's.
    UserValue,
}

#[derive(Clone, Debug)]
pub(crate) struct OnConflict {
    pub position: u32,
    pub target: ConflictTarget,
    /// `None` is DO NOTHING.
    pub update: Option<(Vec<Assignment>, Option<Expr>)>,
}

#[derive(Clone, Debug)]
pub(crate) enum ConflictTarget {
    Any,
    Columns(Vec<Name>),
    /// With expressions among the elements, or with a condition that the index's predicate follows from. The position is
    /// that of the list.
    Inferred {
        elements: Vec<IndexElement>,
        predicate: Option<Expr>,
        position: u32,
    },
    Constraint(String),
}

/// What is wrong with `SET (a, b) = …` and a row of another width.
pub(crate) const ANOTHER_NUMBER_OF_VALUES: &str = "number of columns does not match number of values";

#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub to: AssignedTo,
    pub value: AssignedValue,
}

#[derive(Clone, Debug)]
pub(crate) enum AssignedValue {
    Expr(Expr),
    /// One of so many columns of the row that a query gives, all of which are assigned. The query comes with the first of them.
    OfQuery {
        query: Option<Box<Query>>,
        column: usize,
        columns: usize,
        position: u32,
    },
}

/// A column that is assigned to, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct AssignedTo {
    pub column: Name,
    pub subscripts: Subscripts,
}

/// Which part of a column is assigned to.
#[derive(Clone, Debug)]
pub(crate) enum Subscripts {
    /// The whole column.
    None,
    Element(Vec<Expr>),
    Slice(Vec<SliceRange>),
}

impl Subscripts {
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Subscripts::None)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub with: Vec<CommonTable>,
    pub table: Name,
    pub alias: Option<String>,
    pub assignments: Vec<Assignment>,
    pub from: Vec<FromItem>,
    pub filter: Option<Expr>,
    pub returning: Vec<SelectItem>,
}

#[derive(Clone, Debug)]
pub(crate) struct Delete {
    pub with: Vec<CommonTable>,
    pub table: Name,
    pub alias: Option<String>,
    pub using: Vec<FromItem>,
    pub filter: Option<Expr>,
    pub returning: Vec<SelectItem>,
}

/// The function that `CURRENT OF cursor` is spelled as, with the cursor's name as its argument; no name that can be
/// written.
pub(crate) const CURRENT_OF: &str = "CURRENT\0OF";

/// The cursor of WHERE CURRENT OF.
pub(crate) fn current_of(filter: Option<&Expr>) -> Option<&str> {
    match filter {
        Some(Expr::Function(call)) if call.name.parts == [CURRENT_OF] => match call.arguments.as_slice() {
            [Expr::Text { value, .. }] => Some(value),
            _ => None,
        },
        _ => None,
    }
}
