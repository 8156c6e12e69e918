//! The syntax tree of CREATE and ALTER: columns, constraints, indexes, views and the actions on them.

use super::{Expr, Name, Query, TypeName};

#[derive(Clone, Debug)]
pub(crate) struct ColumnDefinition {
    pub name: String,
    pub type_name: TypeName,
    pub type_position: u32,
    pub constraints: Vec<NamedConstraint<ColumnConstraint>>,
}

#[derive(Clone, Debug)]
pub(crate) struct NamedConstraint<T> {
    pub name: Option<String>,
    pub constraint: T,
    /// Where it begins, its name included.
    pub position: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnConstraint {
    Null,
    NotNull,
    Default(Expr),
    PrimaryKey(KeyOptions),
    Unique(KeyOptions),
    Check(Expr),
    References(References),
    Identity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    /// GENERATED ALWAYS AS … STORED.
    Generated(Expr),
    Collate(Name),
}

#[derive(Clone, Debug)]
pub(crate) enum TableConstraint {
    PrimaryKey {
        columns: Vec<String>,
        included: Vec<String>,
        options: KeyOptions,
    },
    Unique {
        columns: Vec<String>,
        included: Vec<String>,
        options: KeyOptions,
    },
    /// `validated`: rows that are there already are looked at.
    Check {
        expr: Expr,
        validated: bool,
    },
    ForeignKey {
        columns: Vec<String>,
        references: References,
        validated: bool,
    },
    /// PRIMARY KEY or UNIQUE by an index that is there.
    KeyOfIndex {
        primary: bool,
        index: String,
        deferral: Deferral,
    },
}

/// What may be said of PRIMARY KEY and UNIQUE behind their columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyOptions {
    pub parameters: Vec<StorageParameter>,
    pub deferral: Deferral,
}

/// What a foreign key refers to.
#[derive(Clone, Debug)]
pub(crate) struct References {
    pub table: Name,
    /// Empty: the primary key.
    pub columns: Vec<String>,
    pub match_full: bool,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
    pub deferral: Deferral,
}

/// Whether the check of a constraint may wait for the transaction's end, and whether it does unless told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deferral {
    #[default]
    Never,
    Immediate,
    Deferred,
}

/// What becomes of rows whose referenced row goes or changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

/// `fillfactor=90`; the value as text, `None` where only the name was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StorageParameter {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum SequenceOption {
    As(TypeName),
    Increment(i64),
    MinValue(Option<i64>),
    MaxValue(Option<i64>),
    Start(i64),
    Restart(Option<i64>),
    Cache(i64),
    Cycle(bool),
    /// A column, or the one word NONE.
    OwnedBy(Name),
    /// SEQUENCE NAME of an identity column.
    Named(Name),
}

#[derive(Clone, Debug)]
pub(crate) enum AlterSequenceAction {
    Options(Vec<SequenceOption>),
    OwnerTo(String),
    SetSchema(String),
}

#[derive(Clone, Debug)]
pub(crate) enum AlterSchemaAction {
    Rename(String),
    OwnerTo(String),
}

/// What becomes of a temporary table when a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCommit {
    PreserveRows,
    DeleteRows,
    Drop,
}

#[derive(Clone, Debug)]
pub(crate) struct CreateTable {
    pub name: Name,
    pub temporary: bool,
    pub on_commit: Option<OnCommit>,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnDefinition>,
    pub constraints: Vec<NamedConstraint<TableConstraint>>,
    pub parameters: Vec<StorageParameter>,
}

/// What an element of an index is.
#[derive(Clone, Debug)]
pub(crate) enum IndexTarget {
    Column(String),
    Expr(Expr),
}

#[derive(Clone, Debug)]
pub(crate) struct IndexElement {
    pub target: IndexTarget,
    pub collation: Option<Name>,
    /// The operator class.
    pub class: Option<Name>,
    /// `None` if nothing was said.
    pub descending: Option<bool>,
    pub nulls_first: Option<bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct CreateIndex {
    pub name: Option<String>,
    pub table: Name,
    pub unique: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    pub elements: Vec<IndexElement>,
    pub included: Vec<IndexElement>,
    pub parameters: Vec<StorageParameter>,
    pub predicate: Option<Expr>,
}

#[derive(Clone, Debug)]
pub(crate) enum AlterTableAction {
    AddConstraint(NamedConstraint<TableConstraint>),
    AddColumn { definition: ColumnDefinition, if_not_exists: bool },
    DropColumn { name: String, if_exists: bool, cascade: bool },
    DropConstraint { name: String, if_exists: bool, cascade: bool },
    RenameTable(String),
    RenameColumn { from: String, to: String },
    SetDefault { column: String, value: Option<Expr> },
    SetNotNull { column: String, not_null: bool },
    SetType { column: String, type_name: TypeName, collation: Option<Name>, using: Option<Expr> },
    RenameConstraint { from: String, to: String },
    SetParameters(Vec<StorageParameter>),
    ResetParameters(Vec<StorageParameter>),
    OwnerTo(String),
    SetSchema(String),
    AddIdentity { column: String, always: bool, options: Vec<SequenceOption> },
    SetIdentity { column: String, always: Option<bool>, options: Vec<SequenceOption> },
    AlterConstraint { name: String, deferral: Deferral },
    ValidateConstraint(String),
    DropIdentity { column: String, if_exists: bool },
    DropExpression { column: String, if_exists: bool },
}

/// CREATE VIEW.
#[derive(Clone, Debug)]
pub(crate) struct CreateView {
    pub name: Name,
    pub temporary: bool,
    pub or_replace: bool,
    pub columns: Vec<String>,
    pub query: Query,
    /// The query as written, and the position of its first character in the statement.
    pub text: String,
    pub position: u32,
    pub check_option: CheckOption,
}

/// What rows that are put into a view must pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CheckOption {
    #[default]
    None,
    /// The view's own condition.
    Local,
    /// And those of the views below it.
    Cascaded,
}

#[derive(Clone, Debug)]
pub(crate) enum AlterViewAction {
    RenameView(String),
    SetSchema(String),
    RenameColumn { from: String, to: String },
    OwnerTo(String),
    SetCheckOption(CheckOption),
}

/// What ALTER TYPE does to an enum.
#[derive(Clone, Debug)]
pub(crate) enum AlterTypeAction {
    AddValue {
        label: String,
        if_not_exists: bool,
        /// The value that it stands in front of or behind; `None`: the last one.
        beside: Option<Beside>,
    },
    RenameValue {
        from: String,
        to: String,
    },
    RenameTo(String),
    SetSchema(String),
    OwnerTo(String),
}

/// A place among the values of an enum.
#[derive(Clone, Debug)]
pub(crate) struct Beside {
    pub is_before: bool,
    pub label: String,
}

/// What COMMENT ON names.
#[derive(Clone, Debug)]
pub(crate) enum CommentTarget {
    Relation { kind: ObjectKind, name: Name },
    Column(Name),
    Schema(String),
    Constraint { name: String, table: Name },
    Rule { name: String, relation: Name },
    Database(String),
    Role(String),
    Type(TypeName),
    Collation(Name),
    Function { kind: &'static str, name: Name, arguments: Vec<TypeName> },
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
