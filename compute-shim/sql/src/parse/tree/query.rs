//! Queries: SELECT, VALUES, set operations, WITH, FROM, ORDER BY and FOR UPDATE.

use super::{Expr, FunctionCall, Name, NamedWindow, Statement, TypeName};

#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub with: Vec<CommonTable>,
    pub body: QueryBody,
    pub order_by: Vec<OrderItem>,
    pub limit: Option<Expr>,
    /// FETCH … WITH TIES: of the rows that ORDER BY puts on one place with the last, all come.
    pub with_ties: bool,
    pub offset: Option<Expr>,
    pub locks: Vec<LockClause>,
}

/// FOR UPDATE, NO KEY UPDATE, SHARE or KEY SHARE.
#[derive(Clone, Debug)]
pub(crate) struct LockClause {
    pub mode: hexalog_engine::RowLockMode,
    /// OF; `None`: all tables.
    pub table: Option<String>,
    pub wait: hexalog_engine::LockWait,
    pub position: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct CommonTable {
    pub name: String,
    pub position: u32,
    /// Of WITH RECURSIVE: it may refer to itself.
    pub recursive: bool,
    pub columns: Vec<String>,
    pub query: Query,
}

#[derive(Clone, Debug)]
pub(crate) enum QueryBody {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    SetOperation {
        op: SetOperator,
        all: bool,
        left: Box<Query>,
        right: Box<Query>,
    },
    Nested(Box<Query>),
    /// INSERT, UPDATE or DELETE, as WITH may have them.
    Change(Box<Statement>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetOperator {
    Union,
    Intersect,
    Except,
}

impl SetOperator {
    pub(crate) fn word(self) -> &'static str {
        match self {
            SetOperator::Union => "UNION",
            SetOperator::Intersect => "INTERSECT",
            SetOperator::Except => "EXCEPT",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Select {
    pub distinct: Distinct,
    pub items: Vec<SelectItem>,
    pub from: Vec<FromItem>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub having: Option<Expr>,
    pub windows: Vec<NamedWindow>,
}

/// What stands in front of the collation where COLLATE behind a cast is spelled as a time zone; no name that can be written.
pub(crate) const COLLATION: &str = "COLLATE\0";

/// The function that a subquery at the head of a list is put into, so that the list is not taken for a query; no name that
/// can be written.
pub(crate) const LIST_ITEM: &str = "LIST\0ITEM";

/// The function that a count of FETCH … WITH TIES is put into as a limit, where it is an expression; no name that can be written.
pub(crate) const TIES: &str = "WITH\0TIES";

/// The name of the field that `*` behind a row is spelled as; no name that can be written.
pub(crate) const ALL_FIELDS: &str = "ALL\0FIELDS";

/// The function that a select list without items is spelled as; no name that can be written.
pub(crate) const EMPTY_LIST: &str = "EMPTY\0LIST";

#[derive(Clone, Debug)]
pub(crate) enum Distinct {
    No,
    Yes,
    On(Vec<Expr>),
}

#[derive(Clone, Debug)]
pub(crate) enum SelectItem {
    Expr { expr: Expr, alias: Option<String> },
    Wildcard { position: u32 },
    QualifiedWildcard(Name),
}

#[derive(Clone, Debug)]
pub(crate) struct OrderItem {
    pub expr: Expr,
    pub descending: bool,
    /// As written; the default depends on the direction.
    pub nulls_first: Option<bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub name: String,
    pub columns: Vec<String>,
    /// The columns' types, if they are defined and not only named.
    pub types: Vec<TypeName>,
    /// Of the first column, 0 if there is none.
    pub columns_position: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum FromItem {
    Table {
        name: Name,
        alias: Option<Alias>,
    },
    Subquery {
        lateral: bool,
        query: Box<Query>,
        alias: Option<Alias>,
        /// Of the opening parenthesis.
        position: u32,
    },
    /// A function, or several side by side (ROWS FROM, `unnest` of several arrays).
    Functions {
        calls: Vec<FunctionCall>,
        ordinality: bool,
        alias: Option<Alias>,
    },
    Join {
        kind: JoinKind,
        left: Box<FromItem>,
        right: Box<FromItem>,
        condition: JoinCondition,
    },
    /// A join in parentheses with an alias over both sides.
    Nested {
        item: Box<FromItem>,
        alias: Alias,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Clone, Debug)]
pub(crate) enum JoinCondition {
    /// CROSS JOIN.
    None,
    On(Expr),
    Using(Vec<String>),
    Natural,
}
