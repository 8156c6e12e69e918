//! Expressions: literals, operators, calls, subqueries, and where PostgreSQL's errors about each of them point.

use super::{Name, OrderItem, Over, Query, TypeName};

/// An expression. `position` is where PostgreSQL's errors about it point (its operator, `::`, the first word of a form),
/// 1-based, 0 if unknown; see [`Expr::anchor`] and [`Expr::start`].
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Null {
        position: u32,
    },
    Bool {
        value: bool,
        position: u32,
    },
    Number {
        digits: String,
        position: u32,
    },
    /// A quoted literal of no type yet.
    Text {
        value: String,
        position: u32,
    },
    Parameter {
        number: usize,
        position: u32,
    },
    Column(Name),
    Default {
        position: u32,
    },
    Function(Box<FunctionCall>),
    /// A function that is written without parentheses, such as `CURRENT_USER`.
    Keyword {
        name: String,
        position: u32,
    },
    Unary {
        op: OperatorName,
        operand: Box<Expr>,
    },
    Binary {
        op: OperatorName,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull {
        operand: Box<Expr>,
        negated: bool,
    },
    /// IS [NOT] TRUE, FALSE, UNKNOWN; `None` is UNKNOWN.
    IsBool {
        operand: Box<Expr>,
        value: Option<bool>,
        negated: bool,
    },
    IsDistinct {
        left: Box<Expr>,
        right: Box<Expr>,
        negated: bool,
        position: u32,
    },
    InList {
        operand: Box<Expr>,
        list: Vec<Expr>,
        negated: bool,
        position: u32,
    },
    InQuery {
        operand: Box<Expr>,
        query: Box<Query>,
        negated: bool,
        position: u32,
    },
    Exists(Box<Query>),
    Between {
        operand: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        /// SYMMETRIC: the bounds may stand in either order.
        symmetric: bool,
        negated: bool,
        position: u32,
    },
    Like {
        operand: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
        kind: LikeKind,
        negated: bool,
        position: u32,
    },
    AnyAll {
        left: Box<Expr>,
        op: OperatorName,
        right: AnyAllSource,
        all: bool,
    },
    Cast {
        operand: Box<Expr>,
        target: TypeName,
        position: u32,
    },
    AtTimeZone {
        operand: Box<Expr>,
        zone: Box<Expr>,
        position: u32,
    },
    Case {
        operand: Option<Box<Expr>>,
        branches: Vec<CaseBranch>,
        otherwise: Option<Box<Expr>>,
        position: u32,
    },
    Subquery {
        query: Box<Query>,
        position: u32,
    },
    Array {
        items: Vec<Expr>,
        position: u32,
    },
    ArrayQuery {
        query: Box<Query>,
        position: u32,
    },
    Row {
        items: Vec<Expr>,
        position: u32,
    },
    Subscript {
        operand: Box<Expr>,
        subscripts: Vec<Expr>,
    },
    /// One of the subscripts is a range, and then all are.
    Slice {
        operand: Box<Expr>,
        ranges: Vec<SliceRange>,
    },
    /// `(row).column`.
    Field {
        operand: Box<Expr>,
        name: String,
    },
    /// `(row).*`.
    Fields(Box<Expr>),
    Collate {
        operand: Box<Expr>,
        collation: Name,
        position: u32,
    },
}

/// `[lower:upper]`.
#[derive(Clone, Debug)]
pub(crate) struct SliceRange {
    pub lower: Option<Expr>,
    pub upper: Option<Expr>,
}

impl Expr {
    /// Where an error about this very expression points.
    pub(crate) fn anchor(&self) -> u32 {
        match self {
            Expr::Null { position }
            | Expr::Bool { position, .. }
            | Expr::Number { position, .. }
            | Expr::Text { position, .. }
            | Expr::Parameter { position, .. }
            | Expr::Default { position }
            | Expr::Keyword { position, .. }
            | Expr::IsDistinct { position, .. }
            | Expr::InList { position, .. }
            | Expr::InQuery { position, .. }
            | Expr::Between { position, .. }
            | Expr::Like { position, .. }
            | Expr::Cast { position, .. }
            | Expr::Case { position, .. }
            | Expr::Subquery { position, .. }
            | Expr::Array { position, .. }
            | Expr::ArrayQuery { position, .. }
            | Expr::Row { position, .. }
            | Expr::AtTimeZone { position, .. }
            | Expr::Collate { position, .. } => *position,
            Expr::Column(name) => name.position,
            Expr::Function(call) => call.name.position,
            Expr::Unary { op, .. } | Expr::Binary { op, .. } | Expr::AnyAll { op, .. } => op.position,
            Expr::Field { operand, .. } | Expr::Fields(operand) => operand.start(),
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::IsNull { .. }
            | Expr::IsBool { .. }
            | Expr::Exists(_)
            | Expr::Subscript { .. }
            | Expr::Slice { .. } => 0,
        }
    }

    /// Where it begins, as PostgreSQL's `exprLocation` has it: parentheses do not count.
    pub(crate) fn start(&self) -> u32 {
        let mut expr = self;
        // Chains of operators lean to the left.
        loop {
            expr = match expr {
                Expr::Binary { left: operand, .. }
                | Expr::IsDistinct { left: operand, .. }
                | Expr::AnyAll { left: operand, .. }
                | Expr::InList { operand, .. }
                | Expr::InQuery { operand, .. }
                | Expr::Between { operand, .. }
                | Expr::Like { operand, .. }
                | Expr::IsNull { operand, .. }
                | Expr::IsBool { operand, .. }
                | Expr::AtTimeZone { operand, .. }
                | Expr::Subscript { operand, .. }
                | Expr::Slice { operand, .. }
                | Expr::Field { operand, .. }
                | Expr::Fields(operand)
                | Expr::Collate { operand, .. } => operand,
                Expr::Cast { operand, position, .. } => {
                    let start = operand.start();
                    return if start == 0 || *position == 0 {
                        start.max(*position)
                    } else {
                        start.min(*position)
                    };
                }
                Expr::And(items) | Expr::Or(items) => match items.first() {
                    Some(first) => first,
                    None => return 0,
                },
                Expr::Function(call) if call.name.position == 0 => {
                    return call
                        .arguments
                        .iter()
                        .map(Expr::start)
                        .filter(|&start| start > 0)
                        .min()
                        .unwrap_or(0);
                }
                Expr::Row { items, position: 0 } => match items.first() {
                    Some(first) => first,
                    None => return 0,
                },
                other => return other.anchor(),
            };
        }
    }
}

/// WHEN … THEN …
#[derive(Clone, Debug)]
pub(crate) struct CaseBranch {
    pub condition: Expr,
    pub result: Expr,
    pub position: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LikeKind {
    Like,
    ILike,
    Similar,
}

#[derive(Clone, Debug)]
pub(crate) enum AnyAllSource {
    Array(Box<Expr>),
    Query(Box<Query>),
}

/// An operator's symbol; `OPERATOR(pg_catalog.~)` keeps no schema, since only `pg_catalog` has operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OperatorName {
    pub symbol: String,
    pub position: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct FunctionCall {
    pub name: Name,
    pub arguments: Vec<Expr>,
    /// Names of the last arguments, if they are given by name.
    pub names: Vec<Name>,
    /// `f(*)`.
    pub star: bool,
    pub distinct: bool,
    pub order_by: Vec<OrderItem>,
    /// `order_by` is that of WITHIN GROUP.
    pub within_group: bool,
    pub filter: Option<Expr>,
    pub variadic: bool,
    pub over: Option<Over>,
}

impl FunctionCall {
    /// `name(arguments)` and nothing else.
    pub(crate) fn plain(name: Name, arguments: Vec<Expr>) -> FunctionCall {
        FunctionCall {
            name,
            arguments,
            names: Vec::new(),
            star: false,
            distinct: false,
            order_by: Vec::new(),
            within_group: false,
            filter: None,
            variadic: false,
            over: None,
        }
    }
}
