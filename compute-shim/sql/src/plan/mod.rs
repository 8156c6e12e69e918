//! Plans: trees of nodes that the executor turns into operators.
//!
//! Owns the node types, which the binder builds in their logical form (joins, filters above scans), and [`Plan`], a
//! whole statement ready to run. `pushdown.rs` moves conditions to where they cut most, `access.rs` chooses how a table
//! is read, `implication.rs` whether a partial index serves, `semi_join.rs` which conditions ask a query that can be joined, `join_order.rs` in which order inner joins are made, `equivalence.rs` what they compare besides what is written, `join.rs` how two sides are joined, `narrow.rs` which columns rows hold,
//! `selectivity.rs` and `cardinality.rs` guess rows, `explain.rs` and `explain_format.rs` print, `measured.rs` has a plan measured. Every node says what its rows are made of; a
//! column is an index into the row of the node below. Never touches storage (see `execute`).

mod access;
mod cardinality;
mod cursor;
mod equivalence;
mod explain;
mod explain_format;
mod implication;
mod join;
mod join_order;
mod measured;
mod narrow;
mod pushdown;
mod row_shape;
mod selectivity;
mod semi_join;
mod walk;
mod window;

pub(crate) use access::{IndexAccess, KeyValue};
pub(crate) use cursor::tables_stood_on;
pub(crate) use explain::{Measured, explain};
pub(crate) use implication::implies;
pub(crate) use measured::measured;
pub(crate) use row_shape::are_alike;
pub(crate) use walk::is_same_for_all;
pub(crate) use window::{
    FrameExclusion, FrameUnit, WindowBound, WindowCall, WindowFrame, WindowFunction, WindowKey,
};

use crate::answer::ColumnDescription;
use crate::catalog::Catalog;
use crate::catalog::object::{Oid, Table};
use crate::catalog::statistics::Statistics;
use crate::catalog::system::SystemTable;
use crate::expression::{Evaluation, Expr};
use crate::function::TableFunction;
use crate::nesting::{levels, with_room_for_levels};
use crate::parse::tree::SetOperator;
use hexalog_engine::{LockWait, RelationLockMode, RowLockMode};
use hexalog_protocol::Lsn;
use hexalog_sql_types::aggregate::Aggregate as AggregateFunction;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, Record, TypeId};
use std::sync::Arc;

/// A statement that reads or changes rows, ready to run any number of times.
#[derive(Debug)]
pub(crate) struct Plan {
    pub root: Arc<Node>,
    /// Subqueries inside expressions, by number.
    pub subplans: Vec<SubplanNode>,
    /// Common tables, by number.
    pub common: Vec<Arc<Node>>,
    /// Those of them that change rows, in the order in which they run, before the statement itself.
    pub changes: Vec<usize>,
    /// Numbers of value slots and memos that an execution needs.
    pub slots: usize,
    pub memos: usize,
    /// The result's columns, `None` for a change without RETURNING.
    pub columns: Option<Arc<[ColumnDescription]>>,
    pub command: Command,
    pub parameters: Arc<[TypeId]>,
    /// Relations that it needs, with the lock for each.
    pub relations: Vec<(Oid, RelationLockMode)>,
    /// The first of its row locks, for the words of an error.
    pub row_lock: Option<RowLockMode>,
    /// Tables whose rows show a `ctid`.
    pub places: Vec<Oid>,
    /// Indexes that it reads hold no entry for versions that older snapshots need.
    pub snapshot_min: Lsn,
    /// How many of its nodes are measured.
    pub measures: usize,
    /// How many nodes stand above each other, at most, in it and its parts.
    pub levels: usize,
    /// The number that its statement is counted by, 0 if it is not.
    pub query_id: i64,
}

impl Plan {
    /// Whether it writes or locks rows, and all of them in temporary tables.
    pub(crate) fn writes_temporary_alone(&self, catalog: &Catalog) -> bool {
        let is_temporary =
            |oid: Oid| catalog.table(oid).is_some_and(|table| catalog.is_temporary(table.schema));
        let mut written = self.relations.iter().filter(|(_, mode)| *mode != RelationLockMode::AccessShare);
        written.clone().next().is_some() && written.all(|(oid, _)| is_temporary(*oid))
    }

    /// A plan without rows, for what is executed apart from any statement.
    pub(crate) fn nothing() -> Plan {
        Plan {
            root: Arc::new(Node::Nothing),
            subplans: Vec::new(),
            common: Vec::new(),
            changes: Vec::new(),
            slots: 0,
            memos: 0,
            columns: None,
            command: Command::Select,
            parameters: Arc::new([]),
            relations: Vec::new(),
            row_lock: None,
            places: Vec::new(),
            snapshot_min: Lsn::ZERO,
            measures: 0,
            levels: 1,
            query_id: 0,
        }
    }
}

/// A subquery inside an expression.
#[derive(Clone, Debug)]
pub(crate) struct SubplanNode {
    /// [`Node::Nothing`] if no expression runs it: it has become a side of a join.
    pub node: Arc<Node>,
    /// Whether it reads slots that are set outside of it.
    pub is_correlated: bool,
    /// Whether it, or a query in it, reads a common table: that may have read such slots.
    pub reads_common: bool,
    /// Subqueries and common tables inside, which start anew when it does.
    pub inner_subplans: Vec<usize>,
    pub inner_common: Vec<usize>,
}

/// What the statement is, for its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Select,
    Insert,
    Update,
    Delete,
}

/// A condition with what must be forgotten between rows.
#[derive(Clone, Debug)]
pub(crate) struct Predicate {
    pub expr: Expr,
    pub evaluation: Evaluation,
}

impl Predicate {
    pub(crate) fn new(expr: Expr) -> Predicate {
        Predicate { evaluation: Evaluation::of([&expr]), expr }
    }

    /// The conjunction of conditions, `None` if there are none.
    pub(crate) fn all(conditions: Vec<Expr>) -> Option<Predicate> {
        Expr::and(conditions).map(Predicate::new)
    }
}

/// Expressions that are evaluated over one row together.
#[derive(Clone, Debug)]
pub(crate) struct Exprs {
    pub items: Vec<Expr>,
    pub evaluation: Evaluation,
}

impl Exprs {
    pub(crate) fn new(items: Vec<Expr>) -> Exprs {
        Exprs { evaluation: Evaluation::of(&items), items }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinType {
    Inner,
    Left,
    Full,
    /// Left rows that match some right row, once each.
    Semi,
    /// Left rows that match none.
    Anti,
}

impl JoinType {
    /// Whether its rows are those of the left side, with no columns of the right.
    pub(crate) fn gives_left_alone(self) -> bool {
        matches!(self, JoinType::Semi | JoinType::Anti)
    }
}

/// A sort key over a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub column: usize,
    pub type_id: TypeId,
    pub descending: bool,
    pub nulls_first: bool,
}

/// An aggregate call of an [`Node::Aggregate`].
#[derive(Clone, Debug)]
pub(crate) struct AggregateCall {
    pub function: &'static AggregateFunction,
    pub arguments: Vec<Expr>,
    /// Keys over `arguments` followed by further expressions that only order.
    pub order_by: Vec<SortKey>,
    pub order_exprs: Vec<Expr>,
    pub distinct: bool,
    pub filter: Option<Expr>,
}

impl AggregateCall {
    /// All that is evaluated over a row of the input.
    fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.arguments.iter().chain(&self.order_exprs).chain(&self.filter)
    }

    fn exprs_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.arguments.iter_mut().chain(&mut self.order_exprs).chain(&mut self.filter)
    }
}

/// `xmin`, `xmax`, `tableoid` and `ctid`, where they are asked for.
pub(crate) const VERSION_COLUMNS: usize = 4;

/// A read of a table.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub table: Arc<Table>,
    /// The alias, for EXPLAIN.
    pub name: String,
    /// WHERE CURRENT OF: the one row that this cursor stands on.
    pub cursor: Option<String>,
    /// `None`: the whole clustered tree in key order.
    pub access: Option<IndexAccess>,
    /// Against the key order.
    pub backward: bool,
    pub filter: Option<Predicate>,
    /// Columns that someone above or the filter reads; others stay NULL in the row. Ascending.
    pub columns: Vec<usize>,
    /// Those of them that the filter reads.
    pub filter_columns: Vec<usize>,
    /// Those that are read from overflow once a row has passed the filter. A row to be changed needs only what is computed
    /// from: what stays as it is stays where it is.
    pub long_columns: Vec<usize>,
    /// Whether a further column holds the row's identity, for UPDATE and DELETE.
    pub with_identity: bool,
    /// Whether [`VERSION_COLUMNS`] more are behind that.
    pub with_versions: bool,
    /// The columns that its rows consist of, if someone above has no use for others (`narrow.rs`). The filter's columns are
    /// still the table's. `None`: all of the table's, and what stands behind them.
    pub output: Option<Vec<usize>>,
    /// What ANALYZE has found of the table.
    pub statistics: Option<Arc<Statistics>>,
    /// The guess of its rows, once its access is chosen by statistics.
    pub rows: Option<f64>,
}

/// The rows of one table that a query locks.
#[derive(Clone, Debug)]
pub(crate) struct RowLock {
    pub table: Arc<Table>,
    /// Where its columns begin in the row of FROM; the row's identity stands behind them.
    pub start: usize,
    /// Whether `xmin` and `xmax` stand behind that.
    pub with_versions: bool,
    /// Those of its columns that the query reads.
    pub columns: Vec<usize>,
    pub mode: RowLockMode,
    pub wait: LockWait,
}

/// ON CONFLICT.
#[derive(Clone, Debug)]
pub(crate) struct Conflict {
    /// Positions in the table's indexes of those whose conflict counts; empty means all unique ones.
    pub arbiters: Vec<usize>,
    /// `None` is DO NOTHING. Expressions are over the existing row followed by the row to be inserted.
    pub update: Option<ConflictUpdate>,
}

#[derive(Clone, Debug)]
pub(crate) struct ConflictUpdate {
    pub columns: Vec<usize>,
    pub values: Exprs,
    pub filter: Option<Predicate>,
}

/// What a condition of rows comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowRule {
    /// A CHECK of the table: rows must not fail it.
    Constraint,
    /// CHECK OPTION of a view: rows must pass it, or they would not be seen there.
    View,
}

/// A named condition of rows that are written.
#[derive(Clone, Debug)]
pub(crate) struct RowCheck {
    pub name: String,
    pub rule: RowRule,
    pub predicate: Predicate,
}

impl RowCheck {
    /// Whether a row of which the condition says this must not be written.
    pub(crate) fn refuses(&self, holds: Option<bool>) -> bool {
        match self.rule {
            RowRule::Constraint => holds == Some(false),
            RowRule::View => holds != Some(true),
        }
    }
}

/// A set-returning function of a select list.
#[derive(Clone, Debug)]
pub(crate) struct SetInList {
    pub function: &'static TableFunction,
    pub arguments: Exprs,
    /// Its rows are values themselves, with these columns; otherwise they have one column, which is the value.
    pub record: Option<RecordColumns>,
}

/// What is around the values of a row that is a value.
#[derive(Clone, Debug)]
pub(crate) struct RecordColumns {
    pub types: Vec<TypeId>,
    pub names: Arc<[Box<str>]>,
}

impl RecordColumns {
    /// The row of these values.
    pub(crate) fn of(&self, values: Vec<Datum>) -> Result<Datum> {
        let record = Record::new(self.types.clone(), values, Some(self.names.clone()))?;
        Ok(Datum::Record(Arc::new(record)))
    }
}

/// One function in FROM.
#[derive(Clone, Debug)]
pub(crate) struct CallInFrom {
    pub source: CallSource,
    pub width: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum CallSource {
    Set {
        function: &'static TableFunction,
        arguments: Exprs,
    },
    /// A function of one value: one row of one column.
    Value(Predicate),
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    /// One row without columns.
    Nothing,
    Values {
        rows: Vec<Exprs>,
        width: usize,
    },
    Scan(Scan),
    System {
        table: &'static SystemTable,
        name: String,
        filter: Option<Predicate>,
    },
    /// Functions in FROM, side by side: as many rows as the longest gives. With ordinality a last column counts.
    Functions {
        calls: Vec<CallInFrom>,
        ordinality: bool,
        width: usize,
    },
    Filter {
        input: Arc<Node>,
        predicate: Predicate,
    },
    Project {
        input: Arc<Node>,
        exprs: Exprs,
    },
    /// Set-returning functions of a select list: their columns are appended to the input's.
    ProjectSet {
        input: Arc<Node>,
        functions: Vec<SetInList>,
    },
    /// A join as the binder makes it; `join.rs` turns it into one of the two below.
    Join {
        join: JoinType,
        left: Arc<Node>,
        right: Arc<Node>,
        correlation: Vec<(usize, Expr)>,
        conditions: Vec<Expr>,
    },
    /// A condition that asks a query, over the left side's rows (`semi_join.rs`); `join.rs` decides between a join and the condition as
    /// it was written.
    SemiJoin {
        /// `Semi` or `Anti`.
        join: JoinType,
        left: Arc<Node>,
        right: Arc<Node>,
        /// Over both sides.
        conditions: Vec<Expr>,
        written: Expr,
        /// What the query costs each time that it is run for a left row; `None` if it is run once for all of them.
        cost: Option<f64>,
        /// The guess of its rows. A guess that asked again for those below, at each of many above each other, would take forever.
        rows: f64,
    },
    /// The right side is run anew for each left row, after the slots were set.
    NestedLoop {
        join: JoinType,
        left: Arc<Node>,
        right: Arc<Node>,
        correlation: Vec<(usize, Expr)>,
        condition: Option<Predicate>,
        /// Of a semi or anti join, the guess of its rows.
        rows: Option<f64>,
    },
    HashJoin {
        join: JoinType,
        left: Arc<Node>,
        right: Arc<Node>,
        left_keys: Exprs,
        right_keys: Exprs,
        condition: Option<Predicate>,
        /// Of a semi or anti join, the guess of its rows.
        rows: Option<f64>,
    },
    /// What the node below comes to is counted, under this number.
    Measured {
        input: Arc<Node>,
        id: usize,
    },
    /// Keeps the rows for the next run.
    Materialize {
        input: Arc<Node>,
    },
    /// Output: keys, then aggregates.
    Aggregate {
        input: Arc<Node>,
        keys: Exprs,
        calls: Vec<AggregateCall>,
    },
    /// The input's rows, in the order of the window, with a column for each call.
    Window {
        input: Arc<Node>,
        partition: Vec<Expr>,
        order: Vec<WindowKey>,
        calls: Vec<WindowCall>,
    },
    Sort {
        input: Arc<Node>,
        keys: Vec<SortKey>,
    },
    /// One row of each group of equal columns (all columns if `None`), the first that comes.
    Distinct {
        input: Arc<Node>,
        columns: Option<Vec<usize>>,
        types: Vec<TypeId>,
    },
    Limit {
        input: Arc<Node>,
        limit: Option<Expr>,
        offset: Option<Expr>,
        /// Rows that are equal to the last in these keys come as well; none: no more than the limit.
        ties: Vec<SortKey>,
    },
    /// Locks the rows that it passes on. The input's row: the items, then the row of FROM that they are made from.
    LockRows {
        input: Arc<Node>,
        rows: Vec<RowLock>,
        items: Exprs,
        /// What a row that has changed must pass again, over the row of FROM.
        recheck: Option<Predicate>,
    },
    Append {
        inputs: Vec<Arc<Node>>,
    },
    SetOperation {
        op: SetOperator,
        all: bool,
        left: Arc<Node>,
        right: Arc<Node>,
        types: Vec<TypeId>,
    },
    Common {
        id: usize,
        name: String,
        width: usize,
    },
    /// The rows of a recursive common table: those of `base`, and those that `step` makes of the rows of the round
    /// before, until a round has none. `distinct`: rows that were there before do not count.
    Recursive {
        id: usize,
        base: Arc<Node>,
        step: Arc<Node>,
        types: Vec<TypeId>,
        distinct: bool,
        /// Common tables and subqueries inside `step` that may read the round before: made anew for each round.
        inner_common: Vec<usize>,
        inner_subplans: Vec<usize>,
    },
    /// The rows of the round before, inside a recursive common table.
    Working {
        id: usize,
        name: String,
        width: usize,
    },
    Insert {
        table: Arc<Table>,
        source: Arc<Node>,
        checks: Vec<RowCheck>,
        /// COPY's condition on the row.
        filter: Option<Predicate>,
        conflict: Option<Conflict>,
        returning: Option<Exprs>,
    },
    /// The input's row: the table's columns, the row's identity, whatever else was joined.
    Update {
        table: Arc<Table>,
        input: Arc<Node>,
        columns: Vec<usize>,
        values: Exprs,
        recheck: Option<Predicate>,
        checks: Vec<RowCheck>,
        returning: Option<Exprs>,
        /// Whether the input's rows have `xmin` and `xmax` behind the identity.
        with_versions: bool,
    },
    Delete {
        table: Arc<Table>,
        input: Arc<Node>,
        recheck: Option<Predicate>,
        returning: Option<Exprs>,
        with_versions: bool,
    },
}

impl Node {
    /// Number of columns of its rows.
    pub(crate) fn width(&self) -> usize {
        match self {
            Node::Nothing => 0,
            Node::Values { width, .. } | Node::Functions { width, .. } => *width,
            Node::Common { width, .. } | Node::Working { width, .. } => *width,
            Node::Recursive { base, .. } => base.width(),
            Node::Scan(Scan { output: Some(output), .. }) => output.len(),
            Node::Scan(scan) => {
                let versions = if scan.with_versions { VERSION_COLUMNS } else { 0 };
                scan.table.columns.len() + usize::from(scan.with_identity) + versions
            }
            Node::System { table, .. } => table.columns.len(),
            Node::Filter { input, .. }
            | Node::Measured { input, .. }
            | Node::Materialize { input }
            | Node::Sort { input, .. }
            | Node::Distinct { input, .. }
            | Node::LockRows { input, .. }
            | Node::Limit { input, .. } => input.width(),
            Node::Project { exprs, .. } => exprs.items.len(),
            Node::ProjectSet { input, functions } => input.width() + functions.len(),
            Node::SemiJoin { left, .. } => left.width(),
            Node::NestedLoop { join, left, .. } | Node::HashJoin { join, left, .. }
                if join.gives_left_alone() =>
            {
                left.width()
            }
            Node::Join { left, right, .. }
            | Node::NestedLoop { left, right, .. }
            | Node::HashJoin { left, right, .. } => left.width() + right.width(),
            Node::Aggregate { keys, calls, .. } => keys.items.len() + calls.len(),
            Node::Window { input, calls, .. } => input.width() + calls.len(),
            Node::Append { inputs } => inputs.first().map_or(0, |input| input.width()),
            Node::SetOperation { left, .. } => left.width(),
            Node::Insert { returning, .. }
            | Node::Update { returning, .. }
            | Node::Delete { returning, .. } => {
                returning.as_ref().map_or(0, |returning| returning.items.len())
            }
        }
    }
}

/// What planning may choose from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanOptions {
    /// Index scans and index joins; off, every table is read whole (tests compare both).
    pub direct_routes: bool,
    /// Indexes whose `valid_from` is above this are not used: the transaction's snapshot is older.
    pub snapshot: Lsn,
    /// Whether the statement's rows are fetched through a cursor.
    pub is_for_cursor: bool,
}

/// How many of its rows a part of a statement is asked for, as far as that is known when it is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsAsked {
    All,
    /// EXISTS looks whether there is one.
    One,
    /// PostgreSQL's `cursor_tuple_fraction`.
    Tenth,
}

/// Brings a bound tree into its executable form. `subplans`: the statement's subqueries, as they were bound.
pub(crate) fn optimise(
    node: Node,
    subplans: &[SubplanNode],
    asked: RowsAsked,
    slots: &mut usize,
    options: PlanOptions,
) -> Arc<Node> {
    let deepest = levels(&node) + subplans.iter().map(|subplan| levels(&subplan.node)).sum::<usize>();
    with_room_for_levels(deepest, || {
        let node = pushdown::push(node, Vec::new());
        let node = semi_join::pull(node, subplans, slots, options);
        let node = join_order::order(node, options);
        let node = match asked {
            RowsAsked::All => join::choose(node, slots, options),
            RowsAsked::One => join::choose_first(node, 1.0, slots, options),
            RowsAsked::Tenth => {
                let tenth = cardinality::rows(&node) / 10.0;
                join::choose_first(node, tenth, slots, options)
            }
        };
        Arc::new(narrow::narrow(pushdown::prune(node)))
    })
}
