//! Binding: names and types resolved, a statement's tree turned into a plan.
//!
//! Owns [`Binder`], the one pass from syntax to typed tree by PostgreSQL's rules. `scope.rs` holds what names mean at
//! each place, `coerce.rs` conversions and constants, `expression.rs`, `compare.rs`, `call.rs`, `known_function.rs` expressions,
//! `subquery.rs` queries inside expressions, `from.rs` and `join.rs` the rows that a query reads, `select.rs`,
//! `group.rs`, `window.rs`, `query.rs` and `recursive.rs` queries, `lock.rs` their row locks, `modify.rs` and `insert.rs` changes, `referential.rs` what they reach through foreign keys, `view.rs` views, `updatable.rs` changes through them, `row_expression.rs` what is kept with tables, `name.rs` the names of result columns, `named_argument.rs` and `slice.rs` what their names say, `suggestion.rs` hints.
//! Touches no storage; the plan that it hands on is brought into its executable form by `plan`.

mod assigned_part;
mod call;
mod coerce;
mod collation;
mod compare;
mod expression;
mod field;
mod from;
mod group;
mod hypothetical;
mod insert;
mod join;
mod key_types;
mod known_function;
mod lock;
mod merged;
mod modify;
mod name;
mod named_argument;
mod query;
mod recursive;
mod referential;
mod row_expression;
mod scope;
mod select;
mod slice;
mod subquery;
mod suggestion;
mod updatable;
mod view;
mod window;

#[cfg(test)]
pub(crate) use known_function::known_names;
pub(crate) use name::expression_name;
pub(crate) use row_expression::{RowPlace, bind_kept, row_expression};
pub(crate) use updatable::updatability;
pub(crate) use view::{is_view_of, view_plan};

use crate::answer::ColumnDescription;
use crate::catalog::Catalog;
use crate::catalog::object::{Oid, PG_CATALOG_OID, Table, View};
use crate::expression::{Collation, Expr, Kind, SubplanForm, for_each};
use crate::nesting::levels;
use crate::parse::{at, tree};
use crate::plan::{Command, Exprs, Node, Plan, PlanOptions, RowsAsked, SubplanNode, optimise};
use crate::session::SessionView;
use hexalog_engine::{RelationLockMode, RowLockMode};
use hexalog_protocol::Lsn;
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::types::{format_type, marked_type, type_from_name};
use hexalog_sql_types::{EvalEnv, SqlError, SqlState, TypeId, Typmod};
use scope::{CommonTable, Frame, Place, SelectFrame, VersionColumns};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What binding is given.
#[derive(Clone, Copy)]
pub(crate) struct BindContext<'a> {
    pub view: &'a SessionView,
    pub env: &'a EvalEnv<'a>,
    pub options: PlanOptions,
}

/// The plan of SELECT, VALUES, INSERT, UPDATE or DELETE. `parameters`: declared types of `$1`, …, UNKNOWN or missing
/// where the statement decides; the plan's `parameters` say what each came to. `None`: nobody gives values, so `$1` is
/// refused (42P02).
pub(crate) fn plan(
    context: BindContext<'_>,
    statement: &tree::Statement,
    parameters: Option<&[TypeId]>,
) -> Result<Plan> {
    let mut binder = Binder::new(context, parameters);
    binder.versions = Versions::OnDemand;
    let mut bound = binder.statement(statement);
    // Few statements name them, and a scan that gives them is wider: whether one does is known when all is bound.
    if binder.wants_versions {
        binder = Binder::new(context, parameters);
        binder.versions = Versions::Read;
        bound = binder.statement(statement);
    }
    let (command, bound) = bound?;
    binder.finish(command, bound)
}

/// An expression over one table's columns (DEFAULT without columns, CHECK with them), brought to a type by assignment
/// if one is given. Subqueries, aggregates and parameters are refused. Constants in it are not computed, so that its
/// text can be shown as it was written.
pub(crate) fn table_expression(
    context: BindContext<'_>,
    table: Option<&Table>,
    expr: &tree::Expr,
    target: Option<(TypeId, Typmod)>,
) -> Result<Expr> {
    let mut binder = Binder::new(context, None);
    binder.folds = false;
    binder.table_expression(table, expr, target)
}

/// An expression without columns as a plan of one row and one column, for EXECUTE's argument of this number (from 1).
pub(crate) fn scalar_plan(
    context: BindContext<'_>,
    number: usize,
    expr: &tree::Expr,
    target: TypeId,
) -> Result<Plan> {
    let mut binder = Binder::new(context, None);
    binder.push_select(Place::Execute);
    let bound = binder.expr(expr)?;
    let source = bound.type_id;
    let Some(bound) = binder.coerce(bound, target, Typmod::NONE, CastContext::Assignment)? else {
        let (actual, wanted) = (source.display_name(), target.display_name());
        let message =
            format!("parameter ${number} of type {actual} cannot be coerced to the expected type {wanted}");
        let error = SqlError::new(SqlState::DATATYPE_MISMATCH, message)
            .with_hint("You will need to rewrite or cast the expression.");
        return Err(at(error, expr.start()));
    };
    binder.pop_select();
    let columns = vec![OutputColumn {
        name: "?column?".to_owned(),
        type_id: target,
        typmod: Typmod::NONE,
        origin: (0, 0),
        position: 0,
        collation: Collation::Own,
    }];
    let node = Node::Project { input: Arc::new(Node::Nothing), exprs: Exprs::new(vec![bound]) };
    binder.finish(Command::Select, Bound { node, columns })
}

/// The type that a written type name means.
pub(crate) fn type_of(view: &SessionView, name: &tree::TypeName) -> Result<(TypeId, Typmod)> {
    let id = match user_type(view.catalog(), view.search_path(), name) {
        Some(id) => id,
        None => built_in_type(name)?,
    };
    let element = if name.array { id.array_element().unwrap_or(id) } else { id };
    Ok((id, Typmod::from_arguments(element, &name.modifiers)?))
}

/// The type of users that a written type name means, in a catalog along a search path.
pub(crate) fn user_type(catalog: &Catalog, path: &[Oid], name: &tree::TypeName) -> Option<TypeId> {
    match marked_type(&name.name).or_else(|| named_type(catalog, path, name)) {
        // Arrays of arrays are arrays.
        Some(id) if name.array && id.array_element().is_none() => id.array_of(),
        found => found,
    }
}

/// The type of users that a name means, without regard to brackets behind it.
fn named_type(catalog: &Catalog, path: &[Oid], name: &tree::TypeName) -> Option<TypeId> {
    if let Some(schema) = &name.schema {
        return catalog.type_in(catalog.schema_by_name(schema)?.oid, &name.name);
    }
    for &schema in path {
        if schema == PG_CATALOG_OID {
            // What is refused is there too, as far as names go.
            let is_known = |error: &SqlError| error.sqlstate() != SqlState::UNDEFINED_OBJECT;
            if type_from_name(&name.name).map_or_else(|error| is_known(&error), |_| true) {
                return None;
            }
        } else if let Some(found) = catalog.type_in(schema, &name.name) {
            return Some(found);
        }
    }
    None
}

fn built_in_type(name: &tree::TypeName) -> Result<TypeId> {
    let full = if name.array { format!("{}[]", name.name) } else { name.name.clone() };
    let missing = match &name.schema {
        Some(schema) => SqlError::undefined_object("type", &format!("{schema}.{full}")),
        None => SqlError::undefined_object("type", &full),
    };
    if name.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
        return Err(missing);
    }
    type_from_name(&full).map_err(|error| match error.sqlstate() {
        SqlState::UNDEFINED_OBJECT => missing,
        _ => error,
    })
}

/// A column of a query's result.
#[derive(Clone, Debug)]
struct OutputColumn {
    name: String,
    type_id: TypeId,
    typmod: Typmod,
    /// Table oid and column number that it comes from unchanged, or zeros.
    origin: (Oid, i16),
    /// Where its expression stands, for errors; 0 if unknown.
    position: u32,
    /// With what its query says: outside, COLLATE has no more say than a column's declaration.
    collation: Collation,
}

/// A bound query or change.
struct Bound {
    node: Node,
    columns: Vec<OutputColumn>,
}

/// Whether scans give `xmin` and `xmax`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Versions {
    Refused,
    /// No, but the statement is bound anew if it names one.
    OnDemand,
    Read,
}

/// The state of binding one statement.
struct Binder<'a> {
    context: BindContext<'a>,
    /// Types of `$1`, …; UNKNOWN until a use decides.
    parameters: Vec<TypeId>,
    /// Whether there are any.
    takes_parameters: bool,
    /// The queries around the place that is being bound, outermost first.
    frames: Vec<Frame>,
    /// Common tables in sight, innermost last.
    common_names: Vec<CommonTable>,
    common: Vec<Option<Node>>,
    /// Those of the common tables that change rows.
    changes: Vec<usize>,
    /// Names of common tables that are not in sight yet, for a hint.
    common_ahead: Vec<String>,
    /// What is around the place that is being bound, inside a recursive term.
    enclosing: scope::Enclosing,
    subplans: Vec<Option<SubplanNode>>,
    slots: usize,
    memos: usize,
    relations: BTreeMap<Oid, RelationLockMode>,
    /// The first row lock that is asked for.
    row_lock: Option<RowLockMode>,
    /// Where untyped literals stand, by the address of their text, so that a literal that its type refuses is shown.
    literals: BTreeMap<usize, u32>,
    /// Whether operations on constants are computed at once.
    folds: bool,
    /// The view whose query is being bound: its names mean what they meant to it.
    inside: Option<Arc<View>>,
    /// How many views that one stands in.
    view_depth: usize,
    /// What a query rests on that becomes a view.
    noted: Option<view::Noted>,
    versions: Versions,
    /// What rows without a name for their type look like, by the number that is their modifier.
    shapes: Vec<field::RowShape>,
    /// Tables whose `ctid` is read.
    places: BTreeSet<Oid>,
    /// A version column was named that no scan gives.
    wants_versions: bool,
    /// The error that is on its way out says where the fault is, or that it is nowhere: no expression around adds its own place.
    is_placed: bool,
}

impl<'a> Binder<'a> {
    fn new(context: BindContext<'a>, parameters: Option<&[TypeId]>) -> Binder<'a> {
        let takes_parameters = parameters.is_some();
        let declared = parameters.unwrap_or_default().iter();
        let parameters = declared.map(|&id| if id == TypeId::NONE { TypeId::UNKNOWN } else { id });
        Binder {
            context,
            parameters: parameters.collect(),
            takes_parameters,
            frames: Vec::new(),
            common_names: Vec::new(),
            common: Vec::new(),
            changes: Vec::new(),
            common_ahead: Vec::new(),
            enclosing: scope::Enclosing::default(),
            subplans: Vec::new(),
            slots: 0,
            memos: 0,
            relations: BTreeMap::new(),
            row_lock: None,
            literals: BTreeMap::new(),
            folds: true,
            inside: None,
            view_depth: 0,
            noted: None,
            versions: Versions::Refused,
            shapes: Vec::new(),
            places: BTreeSet::new(),
            wants_versions: false,
            is_placed: false,
        }
    }

    fn statement(&mut self, statement: &tree::Statement) -> Result<(Command, Bound)> {
        Ok(match statement {
            tree::Statement::Query(query) => (Command::Select, self.query(query, &query::Wanted::default())?),
            tree::Statement::Insert(insert) => (Command::Insert, self.insert(insert)?),
            tree::Statement::Update(update) => (Command::Update, self.update(update)?),
            tree::Statement::Delete(delete) => (Command::Delete, self.delete(delete)?),
            _ => return Err(SqlError::internal("only queries and changes have plans")),
        })
    }

    fn reads_versions(&self) -> bool {
        self.versions == Versions::Read
    }

    /// Where a table's version columns are, if its scan gives them from here on.
    fn version_columns(&self, first: usize) -> VersionColumns {
        match self.versions {
            Versions::Refused => VersionColumns::Refused,
            Versions::OnDemand => VersionColumns::Unread,
            Versions::Read => VersionColumns::At(first),
        }
    }

    /// Notes that a table is needed, with the strongest lock that any use of it asks for.
    fn lock(&mut self, table: Oid, mode: RelationLockMode) {
        let entry = self.relations.entry(table).or_insert(mode);
        *entry = (*entry).max(mode);
    }

    fn table_expression(
        &mut self,
        table: Option<&Table>,
        expr: &tree::Expr,
        target: Option<(TypeId, Typmod)>,
    ) -> Result<Expr> {
        let place = if table.is_some() { Place::Check } else { Place::Default };
        let mut frame = SelectFrame::new(place);
        if let Some(table) = table {
            frame.visible.push(scope::Names::of_table(table, &table.name, 0));
        }
        self.frames.push(Frame::Select(Box::new(frame)));
        let bound = self.expr(expr)?;
        let bound = match target {
            None => self.condition(bound, "CHECK")?,
            Some(target) => self.default_for(bound, target)?,
        };
        self.frames.pop();
        Ok(bound)
    }

    /// The value of a column that nobody gives, brought to its type.
    fn default_for(&mut self, bound: Expr, (type_id, typmod): (TypeId, Typmod)) -> Result<Expr> {
        let source = bound.type_id;
        let coerced = self.coerce(bound, type_id, typmod, CastContext::Assignment)?;
        coerced.ok_or_else(|| {
            let (wanted, actual) = (format_type(type_id, None), source.display_name());
            let message = format!("column is of type {wanted} but default expression is of type {actual}");
            SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.")
        })
    }

    /// Optimises all parts and puts them together.
    fn finish(mut self, command: Command, bound: Bound) -> Result<Plan> {
        if let Some(number) = self.parameters.iter().position(|&id| id == TypeId::UNKNOWN) {
            let message = format!("could not determine data type of parameter ${}", number + 1);
            return Err(SqlError::new(SqlState::INDETERMINATE_DATATYPE, message));
        }
        let options = self.context.options;
        let mut slots = self.slots;
        let bound_subplans: Vec<SubplanNode> = self
            .subplans
            .drain(..)
            .map(|subplan| subplan.expect("a subquery is complete before its statement is"))
            .collect();
        let asked = if options.is_for_cursor { RowsAsked::Tenth } else { RowsAsked::All };
        let root = optimise(bound.node, &bound_subplans, asked, &mut slots, options);
        let mut common = Vec::with_capacity(self.common.len());
        for node in self.common.drain(..) {
            let node = node.expect("a common table is complete before its statement is");
            common.push(optimise(node, &bound_subplans, RowsAsked::All, &mut slots, options));
        }
        let subplans = optimise_subplans(&bound_subplans, common.iter().chain([&root]), &mut slots, options);
        let parts = subplans.iter().map(|subplan| &subplan.node).chain(&common).chain([&root]);
        let snapshot_min = parts.map(|node| self::snapshot_min(node)).max().expect("the root is one");
        let parts = subplans.iter().map(|subplan| &subplan.node).chain(&common).chain([&root]);
        let deepest = parts.map(|node| levels(node)).max().expect("the root is one");
        let has_rows = command == Command::Select || !bound.columns.is_empty();
        Ok(Plan {
            root,
            subplans,
            common,
            changes: self.changes,
            slots,
            memos: self.memos,
            columns: has_rows.then(|| bound.columns.iter().map(describe).collect()),
            command,
            parameters: self.parameters.into(),
            relations: self.relations.into_iter().collect(),
            row_lock: self.row_lock,
            places: self.places.into_iter().collect(),
            snapshot_min,
            measures: 0,
            levels: deepest,
            query_id: 0,
        })
    }
}

/// Optimises the subqueries that expressions of these nodes run, and those inside. The others have become sides of joins.
fn optimise_subplans<'n>(
    bound: &[SubplanNode],
    nodes: impl Iterator<Item = &'n Arc<Node>>,
    slots: &mut usize,
    options: PlanOptions,
) -> Vec<SubplanNode> {
    let unused = |subplan: &SubplanNode| SubplanNode { node: Arc::new(Node::Nothing), ..subplan.clone() };
    let mut subplans: Vec<SubplanNode> = bound.iter().map(unused).collect();
    let mut is_run = vec![false; bound.len()];
    let mut ahead = Vec::new();
    if !bound.is_empty() {
        nodes.for_each(|node| subplans_run(node, &mut ahead));
    }
    while let Some((id, asked)) = ahead.pop() {
        if !std::mem::replace(&mut is_run[id], true) {
            subplans[id].node = optimise(Node::clone(&bound[id].node), bound, asked, slots, options);
            subplans_run(&subplans[id].node, &mut ahead);
        }
    }
    subplans
}

/// The subqueries that a plan's expressions run, and how many of their rows these ask for.
fn subplans_run(node: &Node, found: &mut Vec<(usize, RowsAsked)>) {
    node.for_each(&mut |node| {
        for expr in node.exprs() {
            for_each(expr, &mut |expr| {
                if let Kind::Subplan(subplan) = &expr.kind {
                    let asked = match subplan.form {
                        SubplanForm::Exists => RowsAsked::One,
                        _ => RowsAsked::All,
                    };
                    found.push((subplan.id, asked));
                }
                true
            });
        }
    });
}

fn describe(column: &OutputColumn) -> ColumnDescription {
    let (table_oid, column_number) = column.origin;
    ColumnDescription {
        name: column.name.as_str().into(),
        table_oid,
        column_number,
        type_id: column.type_id,
        type_size: column.type_id.typlen(),
        typmod: if column.type_id == TypeId::RECORD { Typmod::NONE } else { column.typmod },
        collation: column.collation.oid(column.type_id),
    }
}

/// The oldest snapshot that the chosen indexes serve.
fn snapshot_min(node: &Node) -> Lsn {
    let mut lowest = Lsn::ZERO;
    node.for_each(&mut |node| {
        if let Node::Scan(scan) = node
            && let Some(access) = &scan.access
        {
            let valid_from = scan.table.indexes[access.index].valid_from;
            // An index of this very transaction is chosen only by plans that die with it.
            if valid_from != Lsn::MAX {
                lowest = lowest.max(valid_from);
            }
        }
    });
    lowest
}
