//! What names mean at a place: the queries around it, the relations each has in FROM, and how values cross.
//!
//! Owns the stack of [`Frame`]s and look-up in it. A column of the innermost query is a column of its row; one of a
//! query further out becomes a slot, which the boundary just inside that query sets from the outer row: the subquery
//! expression, or the join that a LATERAL item stands on. Never builds nodes.

use super::{Binder, OutputColumn};
use crate::catalog::object::{Oid, Table};
use crate::expression::{Collation, Expr, Kind, same};
use crate::parse::at;
use crate::parse::tree::{Name, NamedWindow};
use crate::plan::AggregateCall;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// Where in a statement an expression stands: decides what it may contain, and PostgreSQL's words if it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Select,
    From,
    JoinOn,
    Where,
    GroupBy,
    Having,
    OrderBy,
    DistinctOn,
    /// PARTITION BY and ORDER BY of a window.
    Window,
    /// A bound of a window's frame.
    WindowFrame,
    Limit,
    Offset,
    Values,
    InsertValues,
    UpdateSet,
    Returning,
    Default,
    Check,
    /// WHERE of COPY FROM.
    CopyWhere,
    IndexKey,
    IndexPredicate,
    Generation,
    Execute,
}

impl Place {
    /// Whether aggregates may stand here.
    pub(super) fn takes_aggregates(self) -> bool {
        matches!(self, Place::Select | Place::Having | Place::OrderBy | Place::DistinctOn | Place::Window)
    }

    /// Whether what stands here is kept in the catalog.
    pub(super) fn is_kept(self) -> bool {
        matches!(
            self,
            Place::Default | Place::Check | Place::IndexKey | Place::IndexPredicate | Place::Generation
        )
    }

    /// Whether window functions may stand here.
    pub(super) fn takes_windows(self) -> bool {
        matches!(self, Place::Select | Place::OrderBy | Place::DistinctOn)
    }

    /// Whether set-returning functions may stand here.
    pub(super) fn takes_sets(self) -> bool {
        matches!(self, Place::Select | Place::OrderBy | Place::DistinctOn | Place::GroupBy)
    }

    /// The place in the words of "aggregate functions are not allowed in …".
    pub(super) fn words(self) -> &'static str {
        match self {
            Place::Select => "SELECT",
            Place::From => "functions in FROM",
            Place::JoinOn => "JOIN conditions",
            Place::Where => "WHERE",
            Place::GroupBy => "GROUP BY",
            Place::Having => "HAVING",
            Place::OrderBy => "ORDER BY",
            Place::DistinctOn => "DISTINCT ON",
            Place::Window | Place::WindowFrame => "window definitions",
            Place::Limit => "LIMIT",
            Place::Offset => "OFFSET",
            Place::Values | Place::InsertValues => "VALUES",
            Place::UpdateSet => "UPDATE",
            Place::Returning => "RETURNING",
            Place::Default => "DEFAULT expressions",
            Place::Check => "check constraints",
            Place::CopyWhere => "COPY FROM WHERE conditions",
            Place::IndexKey => "index expressions",
            Place::IndexPredicate => "index predicates",
            Place::Generation => "column generation expressions",
            Place::Execute => "EXECUTE parameters",
        }
    }

    /// Why a subquery may not stand here, if it may not.
    pub(super) fn refuses_subquery(self) -> Option<&'static str> {
        match self {
            Place::Default => Some("cannot use subquery in DEFAULT expression"),
            Place::Check => Some("cannot use subquery in check constraint"),
            Place::CopyWhere => Some("cannot use subquery in COPY FROM WHERE condition"),
            Place::IndexKey => Some("cannot use subquery in index expression"),
            Place::IndexPredicate => Some("cannot use subquery in index predicate"),
            Place::Generation => Some("cannot use subquery in column generation expression"),
            Place::Execute => Some("cannot use subquery in EXECUTE parameter"),
            _ => None,
        }
    }
}

/// A column that can be named.
#[derive(Clone, Debug)]
pub(super) struct NamedColumn {
    pub name: String,
    /// Its value over the row of the whole FROM list.
    pub expr: Expr,
    pub origin: (Oid, i16),
}

/// Where `xmin`, `xmax` and `tableoid` of a relation's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VersionColumns {
    /// It has none, as it is no table.
    Absent,
    /// They cannot be read at this place.
    Refused,
    /// The scan does not give them, but would if the statement were bound anew.
    Unread,
    /// At this place of the row of FROM, and behind it.
    At(usize),
}

/// A relation that qualified names refer to.
#[derive(Clone, Debug)]
pub(super) struct TableNames {
    pub alias: String,
    /// The schema, if the relation stands under its own name.
    pub schema: Option<String>,
    pub oid: Oid,
    pub columns: Vec<NamedColumn>,
    /// A function of one value: the relation's name stands for that, not for a row.
    pub is_scalar: bool,
    pub versions: VersionColumns,
    /// Its row may be missing, since an outer join has filled it up with NULL.
    pub is_nullable: bool,
    /// Its rows have `ctid`s, where version columns can be read.
    pub has_places: bool,
    /// A column that is NULL in no row, of a relation whose rows have no version columns.
    pub witness: Option<Expr>,
}

/// What one FROM item lets one name: relations, and the columns in the order of `*`.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub tables: Vec<TableNames>,
    pub columns: Vec<NamedColumn>,
}

impl Names {
    /// Columns of one relation that stand side by side from `offset` on.
    pub(super) fn of_columns(
        alias: &str,
        columns: impl IntoIterator<Item = OutputColumn>,
        offset: usize,
    ) -> Names {
        let columns = columns.into_iter().enumerate().map(|(at, column)| NamedColumn {
            expr: Expr::column(offset + at, column.type_id, column.typmod)
                .with_collation(column.collation.outside()),
            name: column.name,
            origin: column.origin,
        });
        let columns: Vec<NamedColumn> = columns.collect();
        let table = TableNames {
            alias: alias.to_owned(),
            schema: None,
            oid: 0,
            columns: columns.clone(),
            is_scalar: false,
            versions: VersionColumns::Absent,
            has_places: false,
            is_nullable: false,
            witness: None,
        };
        Names { tables: vec![table], columns }
    }

    /// The live columns of a table whose row begins at `offset`.
    pub(super) fn of_table(table: &Table, alias: &str, offset: usize) -> Names {
        let columns = table.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
        let columns = columns.map(|(at, column)| NamedColumn {
            name: column.name.clone(),
            expr: Expr::column(offset + at, column.type_id, column.typmod)
                .with_collation(Collation::declared(column.collation)),
            origin: (table.oid, i16::try_from(at + 1).expect("tables have at most 1,600 columns")),
        });
        let columns: Vec<NamedColumn> = columns.collect();
        let names = TableNames {
            alias: alias.to_owned(),
            schema: None,
            oid: table.oid,
            columns: columns.clone(),
            is_scalar: false,
            versions: VersionColumns::Refused,
            has_places: table.row_number().is_some(),
            is_nullable: false,
            witness: None,
        };
        Names { tables: vec![names], columns }
    }

    /// Says where the versions of the one relation's rows are.
    pub(super) fn with_versions(mut self, versions: VersionColumns) -> Names {
        if let [table] = self.tables.as_mut_slice()
            && table.versions != VersionColumns::Absent
        {
            table.versions = versions;
        }
        self
    }

    fn find(&self, name: &str) -> impl Iterator<Item = &NamedColumn> {
        self.columns.iter().filter(move |column| column.name == name)
    }
}

/// A query whose expressions are being bound.
pub(super) struct SelectFrame {
    pub place: Place,
    /// What FROM has so far.
    pub visible: Vec<Names>,
    /// Items before this one are out of sight, as siblings are in ON.
    pub first_visible: usize,
    /// Slots that LATERAL items inside the current FROM item need, with their source over the whole row.
    pub lateral: Vec<(usize, Expr)>,
    pub aggregates: Vec<AggregateCall>,
    /// It has GROUP BY.
    pub has_keys: bool,
    pub is_in_aggregate: bool,
    pub sets: Vec<super::call::SetCall>,
    /// The WINDOW clause.
    pub named_windows: Arc<[NamedWindow]>,
    pub windows: Vec<super::window::Window>,
    pub window_count: usize,
    pub is_in_window: bool,
    /// It reads the common table that it is the recursive term of.
    pub is_recursive: bool,
    /// Where the first aggregate stands.
    pub aggregate_position: u32,
    pub locking: super::lock::Locking,
    /// Names of columns that may not be read, since they are generated themselves.
    pub generated: Vec<String>,
}

impl SelectFrame {
    pub(super) fn new(place: Place) -> SelectFrame {
        SelectFrame {
            place,
            visible: Vec::new(),
            first_visible: 0,
            lateral: Vec::new(),
            aggregates: Vec::new(),
            has_keys: false,
            is_in_aggregate: false,
            sets: Vec::new(),
            named_windows: Arc::default(),
            windows: Vec::new(),
            window_count: 0,
            is_in_window: false,
            is_recursive: false,
            aggregate_position: 0,
            locking: super::lock::Locking::default(),
            generated: Vec::new(),
        }
    }
}

/// What lies between a query and the one around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    /// A subquery in an expression.
    Subplan,
    /// An item of FROM that sees the items before it.
    Lateral,
    /// An item of FROM that sees nothing of its siblings.
    Derived,
    /// The query of a common table.
    Common,
}

pub(super) struct Crossing {
    pub boundary: Boundary,
    /// Slots to be set from the row outside.
    pub correlation: Vec<(usize, Expr)>,
    /// Whether anything inside reads a slot that is set outside.
    pub is_correlated: bool,
}

pub(super) enum Frame {
    Select(Box<SelectFrame>),
    Crossing(Crossing),
}

/// A common table in sight.
#[derive(Clone)]
pub(super) struct CommonTable {
    pub name: String,
    pub id: usize,
    pub columns: Vec<OutputColumn>,
    pub state: CommonState,
}

/// How far the binding of a common table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommonState {
    Complete,
    /// A change that returns nothing.
    Silent,
    /// It comes later in the same WITH RECURSIVE.
    Ahead,
    /// Its own query is being bound, which is no UNION or not at the right place of one.
    NotUnion,
    /// The non-recursive term of its query is being bound.
    Base,
    /// The recursive term is being bound, and has referred to it that often.
    Step {
        uses: usize,
    },
}

/// What a recursive reference stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Enclosing {
    pub outer_join: bool,
    pub except: bool,
    pub intersect: bool,
}

impl Binder<'_> {
    pub(super) fn push_select(&mut self, place: Place) {
        self.frames.push(Frame::Select(Box::new(SelectFrame::new(place))));
    }

    pub(super) fn pop_select(&mut self) -> SelectFrame {
        match self.frames.pop() {
            Some(Frame::Select(frame)) => *frame,
            _ => unreachable!("frames are popped in the order in which they were pushed"),
        }
    }

    /// The innermost query.
    pub(super) fn select_frame(&mut self) -> &mut SelectFrame {
        match self.frames.last_mut() {
            Some(Frame::Select(frame)) => frame,
            _ => unreachable!("expressions are bound inside a query"),
        }
    }

    /// What the innermost query has in FROM so far.
    pub(super) fn visible(&self) -> &[Names] {
        match self.frames.last() {
            Some(Frame::Select(frame)) => &frame.visible,
            _ => unreachable!("expressions are bound inside a query"),
        }
    }

    pub(super) fn place(&self) -> Place {
        match self.frames.last() {
            Some(Frame::Select(frame)) => frame.place,
            _ => unreachable!("expressions are bound inside a query"),
        }
    }

    /// Binds something inside a boundary; returns it with what crosses. After an error as well the frames are those from
    /// before: callers put their own query in order before they pass the error on.
    pub(super) fn across<T>(
        &mut self,
        boundary: Boundary,
        inner: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<(T, Crossing)> {
        let crossing = Crossing { boundary, correlation: Vec::new(), is_correlated: false };
        let frame_count = self.frames.len();
        self.frames.push(Frame::Crossing(crossing));
        let common_count = self.common_names.len();
        let result = inner(self);
        self.common_names.truncate(common_count);
        if result.is_err() {
            self.frames.truncate(frame_count + 1);
        }
        match self.frames.pop() {
            Some(Frame::Crossing(crossing)) => Ok((result?, crossing)),
            _ => unreachable!("frames are popped in the order in which they were pushed"),
        }
    }

    /// The meaning of a column's name.
    pub(super) fn column(&mut self, name: &Name) -> Result<Expr> {
        /// Database, schema, table, column.
        const PARTS_MAX: usize = 4;
        if name.parts.len() > PARTS_MAX {
            let message = format!("improper qualified name (too many dotted names): {name}");
            return Err(at_name(SqlError::syntax(message), name));
        }
        match self.look_up(name)? {
            Some((frame, Found { expr, origin, is_unread })) => {
                self.wants_versions |= is_unread;
                if name.last() == "ctid" {
                    self.note_place(name);
                }
                self.refuse_generated(name)?;
                self.note_column(origin);
                self.note_row(&expr);
                let expr = self.shaped(expr);
                self.bring_in(frame, expr, name)
            }
            None => Err(self.not_found(name)),
        }
    }

    /// 42P17 for a generated column in what another one is generated by.
    fn refuse_generated(&self, name: &Name) -> Result<()> {
        let Some(Frame::Select(frame)) = self.frames.last() else { return Ok(()) };
        if !frame.generated.iter().any(|generated| generated == name.last()) {
            return Ok(());
        }
        let message =
            format!("cannot use generated column \"{}\" in column generation expression", name.last());
        let error = SqlError::new(SqlState::INVALID_OBJECT_DEFINITION, message)
            .with_detail("A generated column cannot reference another generated column.");
        Err(at_name(error, name))
    }

    /// Finds a name in the frames, innermost first.
    fn look_up(&self, name: &Name) -> Result<Option<(usize, Found)>> {
        let mut is_hidden = false;
        for (at, frame) in self.frames.iter().enumerate().rev() {
            match frame {
                // A common table is bound before the query that it belongs to has a frame.
                Frame::Crossing(crossing) => is_hidden |= crossing.boundary == Boundary::Derived,
                Frame::Select(_) if std::mem::take(&mut is_hidden) => {}
                Frame::Select(frame) => {
                    if let Some(found) = look_up_in(frame, name)? {
                        return Ok(Some((at, found)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// What crosses the boundaries around the innermost place.
    pub(super) fn mark_crossings(&self) -> Vec<(usize, bool)> {
        let crossings = self.frames.iter().filter_map(|frame| match frame {
            Frame::Crossing(crossing) => Some((crossing.correlation.len(), crossing.is_correlated)),
            Frame::Select(_) => None,
        });
        crossings.collect()
    }

    /// Forgets what crosses since then: it is bound anew elsewhere.
    pub(super) fn restore_crossings(&mut self, mark: &[(usize, bool)]) {
        let crossings = self.frames.iter_mut().filter_map(|frame| match frame {
            Frame::Crossing(crossing) => Some(crossing),
            Frame::Select(_) => None,
        });
        for (crossing, (count, is_correlated)) in crossings.zip(mark) {
            crossing.correlation.truncate(*count);
            crossing.is_correlated = *is_correlated;
        }
    }

    /// The frame of the query whose row a slot is set from.
    pub(super) fn home_of_slot(&self, slot: usize) -> Option<usize> {
        let crosses = |frame: &Frame| match frame {
            Frame::Crossing(crossing) => crossing.correlation.iter().any(|(known, _)| *known == slot),
            Frame::Select(_) => false,
        };
        self.frames.iter().position(crosses).and_then(|at| at.checked_sub(1))
    }

    /// Makes the value of a query at `frame` available at the innermost place.
    pub(super) fn bring_in(&mut self, frame: usize, expr: Expr, name: &Name) -> Result<Expr> {
        let crossed = self.frames[frame + 1..].iter().any(|frame| matches!(frame, Frame::Crossing(_)));
        if !crossed {
            return Ok(expr);
        }
        let mut owner: Option<Boundary> = None;
        let mut slot = None;
        for at in frame + 1..self.frames.len() {
            let Frame::Crossing(crossing) = &mut self.frames[at] else { continue };
            crossing.is_correlated = true;
            match owner {
                Some(Boundary::Lateral) if crossing.boundary == Boundary::Common => {
                    let what = "a common table inside LATERAL that refers to the outside";
                    return Err(at_name(SqlError::unsupported(what), name));
                }
                Some(_) => continue,
                None => owner = Some(crossing.boundary),
            }
            let known = crossing.correlation.iter().find(|(_, source)| same(source, &expr));
            slot = Some(known.map_or(self.slots, |(slot, _)| *slot));
            if slot == Some(self.slots) {
                self.slots += 1;
                crossing.correlation.push((self.slots - 1, expr.clone().at(name.position)));
            }
        }
        let slot = slot.expect("a boundary was crossed");
        let slot = Expr::new(Kind::Slot(slot), expr.type_id).with_typmod(expr.typmod);
        Ok(slot.with_collation(expr.collation))
    }

    fn not_found(&self, name: &Name) -> SqlError {
        const SYSTEM: [&str; 6] = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"];
        let last = name.last();
        let error = match name.qualifier() {
            _ if SYSTEM.contains(&last) && self.has_table(name) => {
                let is_placeless = last == "ctid" && self.table_with_places(name).is_none();
                let of = if is_placeless { " of a table whose primary key is not one integer" } else { "" };
                SqlError::unsupported(format!("the system column {last}{of}"))
            }
            None if self.place() == Place::Default => SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                "cannot use column reference in DEFAULT expression",
            ),
            None => {
                let message = format!("column \"{last}\" does not exist");
                self.with_near_columns(SqlError::new(SqlState::UNDEFINED_COLUMN, message), name)
            }
            Some(table) => match self.find_hidden(table) {
                Some(true) => {
                    let message = format!("column {table}.{last} does not exist");
                    self.with_near_columns(SqlError::new(SqlState::UNDEFINED_COLUMN, message), name)
                }
                Some(false) => {
                    let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
                    SqlError::new(SqlState::UNDEFINED_TABLE, message).with_hint(format!(
                        "There is an entry for table \"{table}\", but it cannot be referenced from this part of the query."
                    ))
                }
                None => match self.alias_of(table) {
                    Some(alias) => {
                        let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
                        SqlError::new(SqlState::UNDEFINED_TABLE, message)
                            .with_hint(format!("Perhaps you meant to reference the table alias \"{alias}\"."))
                    }
                    None => {
                        let message = format!("missing FROM-clause entry for table \"{table}\"");
                        SqlError::new(SqlState::UNDEFINED_TABLE, message)
                    }
                },
            },
        };
        at_name(error, name)
    }

    /// The table that `ctid` is read of, if rows of it have one.
    fn table_with_places(&self, name: &Name) -> Option<Oid> {
        let frames = self.frames.iter().rev().filter_map(|frame| match frame {
            Frame::Select(frame) => Some(frame),
            Frame::Crossing(_) => None,
        });
        let mut tables = frames.flat_map(|frame| &frame.visible).flat_map(|names| &names.tables);
        let of = name.parts.len().checked_sub(2).map(|at| &name.parts[at]);
        let found = tables.find(|table| table.has_places && of.is_none_or(|alias| table.alias == *alias));
        found.map(|table| table.oid)
    }

    /// Notes that a table's rows must say where they are.
    fn note_place(&mut self, name: &Name) {
        let table = self.table_with_places(name);
        self.places.extend(table);
    }

    /// Whether a name may mean a system column of a table in sight.
    fn has_table(&self, name: &Name) -> bool {
        let frames = self.frames.iter().filter_map(|frame| match frame {
            Frame::Select(frame) => Some(frame),
            Frame::Crossing(_) => None,
        });
        let mut tables = frames.flat_map(|frame| &frame.visible).flat_map(|names| &names.tables);
        tables.any(|table| {
            table.versions != VersionColumns::Absent
                && name.qualifier().is_none_or(|qualifier| table.alias == qualifier)
        })
    }

    /// Whether a relation of this name is in sight (true) or there but out of sight (false).
    fn find_hidden(&self, table: &str) -> Option<bool> {
        let mut is_hidden = false;
        let mut found = None;
        for frame in self.frames.iter().rev() {
            match frame {
                Frame::Crossing(crossing) => {
                    is_hidden |= crossing.boundary == Boundary::Derived;
                }
                Frame::Select(frame) => {
                    let is_hidden = std::mem::take(&mut is_hidden);
                    for (at, names) in frame.visible.iter().enumerate() {
                        if names.tables.iter().any(|names| names.alias == table) {
                            let in_sight = !is_hidden && at >= frame.first_visible;
                            found = Some(found.unwrap_or(false) || in_sight);
                        }
                    }
                }
            }
        }
        found
    }
}

fn at_name(error: SqlError, name: &Name) -> SqlError {
    at(error, name.position)
}

fn ambiguous(column: &str, name: &Name) -> SqlError {
    let message = format!("column reference \"{column}\" is ambiguous");
    at_name(SqlError::new(SqlState::AMBIGUOUS_COLUMN, message), name)
}

/// What a name means: a column with its origin, or something else.
struct Found {
    expr: Expr,
    origin: (Oid, i16),
    /// The expression stands for a version column that nothing gives yet.
    is_unread: bool,
}

impl Found {
    fn column(column: &NamedColumn) -> Found {
        Found { expr: column.expr.clone(), origin: column.origin, is_unread: false }
    }

    fn other(expr: Expr) -> Found {
        Found { expr, origin: (0, 0), is_unread: false }
    }

    /// A version column of a table, or its oid.
    fn version(table: &TableNames, column: &str) -> Option<Found> {
        let (behind, type_id) = match column {
            "xmin" => (0, TypeId::XID),
            "xmax" => (1, TypeId::XID),
            "tableoid" if table.versions == VersionColumns::Absent => return None,
            "tableoid" if !table.is_nullable => return Some(Found::other(oid_constant(table.oid))),
            "tableoid" => (2, TypeId::OID),
            "ctid" if table.has_places => (3, TypeId::TID),
            _ => return None,
        };
        match table.versions {
            VersionColumns::Refused if column == "tableoid" => {
                table.witness.as_ref().map(|witness| Found::other(oid_where_there(witness, table.oid)))
            }
            VersionColumns::Absent | VersionColumns::Refused => None,
            VersionColumns::Unread => Some(Found { is_unread: true, ..Found::other(Expr::null(type_id)) }),
            VersionColumns::At(first) => {
                Some(Found::other(Expr::column(first + behind, type_id, Typmod::NONE)))
            }
        }
    }
}

/// A name in one query's FROM.
fn look_up_in(frame: &SelectFrame, name: &Name) -> Result<Option<Found>> {
    let visible = &frame.visible[frame.first_visible.min(frame.visible.len())..];
    match name.parts.as_slice() {
        [column] => {
            let mut found = visible.iter().flat_map(|names| names.find(column));
            if let Some(first) = found.next() {
                return match found.next() {
                    Some(_) => Err(ambiguous(column, name)),
                    None => Ok(Some(Found::column(first))),
                };
            }
            match whole_row(visible, column) {
                Some(other) => Ok(Some(Found::other(other))),
                None => version_of(visible, column, name),
            }
        }
        [.., _] => {
            let Some(table) = find_table(visible, &name.parts[..name.parts.len() - 1]) else {
                return Ok(None);
            };
            let column = name.last();
            let mut found = table.columns.iter().filter(|candidate| candidate.name == column);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(ambiguous(column, name)),
                (Some(first), None) => Ok(Some(Found::column(first))),
                (None, _) => Ok(Found::version(table, column)),
            }
        }
        [] => unreachable!("a name has at least one part"),
    }
}

/// The relation that a qualifier means: its alias, or schema and name of one without an alias.
pub(super) fn find_table<'n>(visible: &'n [Names], qualifier: &[String]) -> Option<&'n TableNames> {
    let mut tables = visible.iter().flat_map(|names| &names.tables);
    match qualifier {
        [alias] => tables.find(|table| table.alias == *alias),
        [.., schema, table] => {
            tables.find(|names| names.alias == *table && names.schema.as_deref() == Some(schema.as_str()))
        }
        [] => None,
    }
}

/// The name of a relation as a value: its whole row.
fn whole_row(visible: &[Names], name: &str) -> Option<Expr> {
    let table = visible.iter().flat_map(|names| &names.tables).find(|table| table.alias == name)?;
    // A function's one column mostly bears the relation's name, and was found before.
    if let (true, [column]) = (table.is_scalar, table.columns.as_slice()) {
        return Some(column.expr.clone());
    }
    let items = table.columns.iter().map(|column| column.expr.clone()).collect();
    let names = table.columns.iter().map(|column| column.name.as_str().into()).collect();
    Some(Expr::new(Kind::Row(items, Some(names)), TypeId::RECORD))
}

/// `xmin`, `xmax` or `tableoid` without a table's name in front.
fn version_of(visible: &[Names], column: &str, name: &Name) -> Result<Option<Found>> {
    let tables = visible.iter().flat_map(|names| &names.tables);
    let mut found = tables.filter_map(|table| Found::version(table, column));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(ambiguous(column, name)),
        (found, _) => Ok(found),
    }
}

fn oid_constant(oid: Oid) -> Expr {
    Expr::constant(Datum::Oid(oid), TypeId::OID)
}

/// The oid in rows in which the column is not NULL.
fn oid_where_there(witness: &Expr, oid: Oid) -> Expr {
    let is_there = Kind::IsNull { operand: Box::new(witness.clone()), negated: true };
    let kind = Kind::Case {
        operand: None,
        branches: Box::new([(Expr::new(is_there, TypeId::BOOL), oid_constant(oid))]),
        otherwise: Box::new(Expr::null(TypeId::OID)),
    };
    Expr::new(kind, TypeId::OID)
}
