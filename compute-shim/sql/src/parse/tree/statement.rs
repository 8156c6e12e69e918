//! [`Statement`], the root of the tree, and the commands that are neither queries nor changes nor definitions:
//! transactions, settings, COPY.

use crate::catalog::object::{IndexState, Oid};

use super::{
    AlterDatabaseAction, AlterSchemaAction, AlterSequenceAction, AlterTableAction, AlterTypeAction,
    AlterViewAction, CommentTarget, CreateIndex, CreateTable, CreateView, DatabaseProperties, DeclareCursor,
    Delete, Expr, Fetch, Insert, Name, ObjectKind, OnCommit, Query, SequenceOption, TypeName, Update,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExplainFormat {
    #[default]
    Text,
    Json,
    Yaml,
    Xml,
}

/// What EXPLAIN is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExplainOptions {
    pub analyze: bool,
    pub verbose: bool,
    pub buffers: bool,
    /// `None`: as ANALYZE has it.
    pub timing: Option<bool>,
    pub summary: Option<bool>,
    pub format: ExplainFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IsolationLevel {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// What BEGIN, SET TRANSACTION and the like may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransactionModes {
    pub isolation: Option<IsolationLevel>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransactionCommand {
    Begin,
    Start,
    Commit,
    Rollback,
}

/// What is done with a transaction that outlives its session, or is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreparedCommand {
    Prepare,
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
    /// In the order in which they were written.
    pub options: Vec<CopyOption>,
    /// WHERE of COPY FROM.
    pub filter: Option<Expr>,
}

#[expect(clippy::large_enum_variant, reason = "a statement is made once and moved a few times")]
#[derive(Clone, Debug)]
pub(crate) enum CopySource {
    Table {
        name: Name,
        columns: Vec<String>,
    },
    /// A query, or a change with RETURNING.
    Query(Statement),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyOption {
    pub name: String,
    pub value: CopyOptionValue,
    pub position: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CopyOptionValue {
    None,
    /// A word or a literal.
    Text(String),
    Number(String),
    /// `*`.
    All,
    List(Vec<String>),
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

/// VACUUM and ANALYZE.
#[derive(Clone, Debug, Default)]
pub(crate) struct Maintenance {
    pub is_vacuum: bool,
    pub analyze: bool,
    pub verbose: bool,
    pub skip_locked: bool,
    /// Empty: all tables.
    pub targets: Vec<MaintenanceTarget>,
}

#[derive(Clone, Debug)]
pub(crate) struct MaintenanceTarget {
    pub name: Name,
    /// Empty: all columns.
    pub columns: Vec<String>,
}

/// CREATE EXTENSION.
#[derive(Clone, Debug)]
pub(crate) struct CreateExtension {
    pub name: String,
    pub if_not_exists: bool,
    pub schema: Option<String>,
    pub version: Option<String>,
}

#[expect(clippy::large_enum_variant, reason = "a statement is made once and moved a few times")]
#[derive(Clone, Debug)]
pub(crate) enum Statement {
    Query(Query),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
    CreateTable(CreateTable),
    CreateTableAs {
        name: Name,
        temporary: bool,
        on_commit: Option<OnCommit>,
        if_not_exists: bool,
        columns: Vec<String>,
        query: Query,
        with_data: bool,
        /// It was written as SELECT INTO.
        is_select_into: bool,
    },
    CreateIndex(CreateIndex),
    /// `None` is NULL.
    Comment {
        target: CommentTarget,
        text: Option<String>,
    },
    CreateView(CreateView),
    CreateEnum {
        name: Name,
        labels: Vec<String>,
    },
    AlterType {
        name: Name,
        action: AlterTypeAction,
    },
    DropType {
        names: Vec<TypeName>,
        if_exists: bool,
        cascade: bool,
    },
    CreateSchema {
        name: String,
        if_not_exists: bool,
    },
    /// Nobody writes it: the session makes its schema ahead of its first temporary object.
    CreateTemporarySchema,
    CreateSequence {
        name: Name,
        temporary: bool,
        if_not_exists: bool,
        options: Vec<SequenceOption>,
    },
    AlterSequence {
        name: Name,
        if_exists: bool,
        action: AlterSequenceAction,
    },
    CreateExtension(CreateExtension),
    DropExtension {
        names: Vec<String>,
        if_exists: bool,
    },
    CreateDatabase {
        name: String,
        properties: DatabaseProperties,
    },
    AlterDatabase {
        name: String,
        action: AlterDatabaseAction,
    },
    DropDatabase {
        name: String,
        if_exists: bool,
        force: bool,
    },
    AlterSchema {
        name: String,
        action: AlterSchemaAction,
    },
    AlterTable {
        name: Name,
        if_exists: bool,
        actions: Vec<AlterTableAction>,
    },
    /// ALTER INDEX, but for renaming: SET and RESET of storage parameters.
    AlterIndex {
        name: Name,
        if_exists: bool,
        actions: Vec<AlterTableAction>,
    },
    /// ALTER INDEX or SEQUENCE … RENAME TO.
    RenameRelation {
        kind: ObjectKind,
        name: Name,
        if_exists: bool,
        to: String,
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
        /// Of indexes.
        concurrently: bool,
    },
    /// Nobody writes it: a step of an index that comes or goes CONCURRENTLY.
    SetIndexState {
        table: Oid,
        index: Oid,
        state: IndexState,
    },
    /// Nobody writes it: the first step of REINDEX CONCURRENTLY, an index without entries beside the one that there is.
    CopyIndex {
        table: Oid,
        index: Oid,
    },
    /// Nobody writes it: the index gets the tree of its copy, and the copy the index's.
    SwapIndex {
        table: Oid,
        index: Oid,
        copy: Oid,
    },
    Truncate {
        tables: Vec<Name>,
        restart_identity: bool,
        cascade: bool,
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
    PreparedTransaction {
        command: PreparedCommand,
        identifier: String,
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
    /// Of all constraints, or those named.
    SetConstraints {
        names: Option<Vec<Name>>,
        deferred: bool,
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
    Copy(Box<Copy>),
    Declare(DeclareCursor),
    Fetch(Fetch),
    CloseCursor {
        /// `None`: all of them.
        cursor: Option<String>,
    },
    Maintenance(Maintenance),
    /// REINDEX of one table or one index.
    Reindex {
        kind: ObjectKind,
        name: Name,
        options: ReindexOptions,
    },
    /// REINDEX of all tables of a schema or of the database, each in a transaction of its own.
    ReindexAll {
        of: ReindexedWhole,
        name: String,
        options: ReindexOptions,
    },
    Explain {
        options: ExplainOptions,
        statement: Box<Statement>,
    },
    Discard {
        target: DiscardTarget,
    },
    Lock {
        tables: Vec<Name>,
        mode: hexalog_engine::RelationLockMode,
        nowait: bool,
    },
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReindexOptions {
    pub concurrently: bool,
    pub verbose: bool,
}

/// What REINDEX may be told to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReindexedWhole {
    Schema,
    Database,
    /// The system's own tables, which have no stored indexes here.
    System,
}

impl ReindexedWhole {
    /// The statement in messages.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            ReindexedWhole::Schema => "REINDEX SCHEMA",
            ReindexedWhole::Database => "REINDEX DATABASE",
            ReindexedWhole::System => "REINDEX SYSTEM",
        }
    }
}
