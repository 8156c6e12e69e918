//! The syntax tree that the binder reads: PostgreSQL's statements as far as they are supported.
//!
//! Owns the tree's types. Whatever the parser crate can express and this tree cannot is refused while the tree is
//! built (see `query.rs`, `expression.rs`), so no clause is ever dropped in silence. Identifiers are folded already.
//! `definition.rs`: what CREATE and ALTER are made of.

mod definition;

pub(crate) use definition::{
    AlterTableAction, AlterViewAction, ColumnConstraint, ColumnDefinition, CreateIndex, CreateTable,
    CreateView, IndexElement, NamedConstraint, SequenceOption, StorageParameter, TableConstraint,
};

/// A possibly qualified name with the character position of its first part (1-based, 0 unknown).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub parts: Vec<String>,
    pub position: u32,
}

impl Name {
    pub(crate) fn single(name: &str) -> Name {
        Name { parts: vec![name.to_owned()], position: 0 }
    }

    /// The last part.
    pub(crate) fn last(&self) -> &str {
        self.parts.last().expect("a name has at least one part")
    }

    /// The part before the last: the schema of a relation.
    pub(crate) fn qualifier(&self) -> Option<&str> {
        self.parts.len().checked_sub(2).map(|at| self.parts[at].as_str())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.parts.join("."))
    }
}

/// A type as written: name, modifiers, array or not.
#[derive(Clone, Debug)]
pub(crate) struct TypeName {
    /// `pg_catalog` or nothing; other schemas have no types.
    pub schema: Option<String>,
    /// Folded name as `type_from_name` takes it.
    pub name: String,
    pub modifiers: Vec<i64>,
    pub array: bool,
    /// Where the name begins; 0 if unknown, as for types that are words of the grammar.
    pub position: u32,
}

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
    Collate {
        operand: Box<Expr>,
        collation: Name,
        position: u32,
    },
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
            Expr::And(_)
            | Expr::Or(_)
            | Expr::Not(_)
            | Expr::IsNull { .. }
            | Expr::IsBool { .. }
            | Expr::Exists(_)
            | Expr::Subscript { .. } => 0,
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
    /// `f(*)`.
    pub star: bool,
    pub distinct: bool,
    pub order_by: Vec<OrderItem>,
    pub filter: Option<Expr>,
    pub variadic: bool,
    pub over: Option<Over>,
}

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

#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub with: Vec<CommonTable>,
    pub body: QueryBody,
    pub order_by: Vec<OrderItem>,
    pub limit: Option<Expr>,
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
    SetOperation { op: SetOperator, all: bool, left: Box<Query>, right: Box<Query> },
    Nested(Box<Query>),
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

#[derive(Clone, Debug)]
pub(crate) struct Insert {
    pub with: Vec<CommonTable>,
    pub table: Name,
    pub alias: Option<String>,
    pub columns: Vec<Name>,
    /// `None` is DEFAULT VALUES.
    pub source: Option<Query>,
    pub on_conflict: Option<OnConflict>,
    pub returning: Vec<SelectItem>,
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
    Constraint(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub column: Name,
    pub value: Expr,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Table,
    Index,
    Sequence,
    Schema,
    View,
}

impl ObjectKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            ObjectKind::Table => "table",
            ObjectKind::Index => "index",
            ObjectKind::Sequence => "sequence",
            ObjectKind::Schema => "schema",
            ObjectKind::View => "view",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsolationLevel {
    ReadCommitted,
    RepeatableRead,
}

/// What BEGIN, SET TRANSACTION and the like may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransactionModes {
    pub isolation: Option<IsolationLevel>,
    pub read_only: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionCommand {
    Begin,
    Start,
    Commit,
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SavepointCommand {
    Set,
    Release,
    RollBackTo,
}

#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub source: CopySource,
    pub from: bool,
    pub options: CopyOptions,
}

#[expect(clippy::large_enum_variant, reason = "a statement is made once and moved a few times")]
#[derive(Clone, Debug)]
pub(crate) enum CopySource {
    Table { name: Name, columns: Vec<String> },
    Query(Query),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    pub delimiter: u8,
    pub null: String,
    pub freeze: bool,
    pub header: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiscardTarget {
    All,
    Plans,
    Sequences,
    Temporary,
}

#[derive(Clone, Debug)]
pub(crate) enum SettingValue {
    Default,
    /// The values as text, in their order; at least one.
    Values(Vec<String>),
}

#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Query(Query),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    CreateTable(CreateTable),
    CreateTableAs {
        name: Name,
        if_not_exists: bool,
        columns: Vec<String>,
        query: Query,
        with_data: bool,
    },
    CreateIndex(CreateIndex),
    CreateView(CreateView),
    CreateSchema {
        name: String,
        if_not_exists: bool,
    },
    CreateSequence {
        name: Name,
        if_not_exists: bool,
        options: Vec<SequenceOption>,
        small: Option<TypeName>,
    },
    AlterTable {
        name: Name,
        if_exists: bool,
        actions: Vec<AlterTableAction>,
    },
    AlterView {
        name: Name,
        if_exists: bool,
        action: AlterViewAction,
    },
    Drop {
        kind: ObjectKind,
        names: Vec<Name>,
        if_exists: bool,
        cascade: bool,
    },
    Truncate {
        tables: Vec<Name>,
        restart_identity: bool,
    },
    Transaction {
        command: TransactionCommand,
        modes: TransactionModes,
        verb: &'static str,
    },
    Savepoint {
        command: SavepointCommand,
        name: String,
    },
    SetTransaction {
        modes: TransactionModes,
        session: bool,
    },
    Set {
        name: String,
        value: SettingValue,
        local: bool,
    },
    Reset {
        name: Option<String>,
    },
    Show {
        name: String,
    },
    Prepare {
        name: String,
        types: Vec<TypeName>,
        statement: Box<Statement>,
    },
    Execute {
        name: String,
        arguments: Vec<Expr>,
    },
    Deallocate {
        name: Option<String>,
        verb: &'static str,
    },
    Copy(Copy),
    /// VACUUM, ANALYZE and other upkeep that this storage does by itself.
    Maintenance {
        verb: &'static str,
        tables: Vec<Name>,
        outside_transaction: bool,
    },
    Explain {
        statement: Box<Statement>,
    },
    Discard {
        target: DiscardTarget,
    },
    Lock {
        tables: Vec<Name>,
        mode: hexalog_engine::RelationLockMode,
    },
}
