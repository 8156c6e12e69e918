//! Changes through views: what the columns and rows of a view are in the one table that lies below it.
//!
//! A view can be changed through if it takes its rows as they are from one table, or from another such view (PostgreSQL 15,
//! CREATE VIEW, "Updatable Views"). Its columns are then expressions over the table's row; those that are columns of the table
//! can be assigned to. Its condition becomes a part of the statement's, and with CHECK OPTION of what new rows must pass.
//! Read next: `modify.rs` and `insert.rs`, which ask for it.

use super::scope::{NamedColumn, Names, Place, TableNames};
use super::select::Item;
use super::{BindContext, Binder};
use crate::catalog::Relation;
use crate::catalog::object::{Table, View};
use crate::expression::{Expr, Kind, for_each, shift_columns};
use crate::parse;
use crate::parse::tree::{CheckOption, Distinct, FromItem, Query, QueryBody, Select};
use crate::plan::{Predicate, RowCheck, RowRule};
use hexalog_engine::RelationLockMode;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::sync::Arc;

/// What a statement does to a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Insert,
    Update,
    Delete,
}

impl Verb {
    /// `cannot insert into …`, `To enable inserting into …`, `INSTEAD OF INSERT`, `cannot insert into column`.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Verb::Insert => ("insert into", "inserting into", "INSERT"),
            Verb::Update => ("update", "updating", "UPDATE"),
            Verb::Delete => ("delete from", "deleting from", "DELETE"),
        }
    }

    /// `cannot … sequence`.
    pub(super) fn words_of_relation(self) -> &'static str {
        self.words().0
    }
}

/// Why a view cannot be changed through, in PostgreSQL's words.
pub(crate) type Reason = &'static str;

/// What keeps a view from being changed through: it itself or one below it, and why.
#[derive(Clone, Debug)]
pub(super) struct Obstacle {
    view: String,
    reason: Reason,
}

const NOT_ONE: Reason =
    "Views that do not select from a single table or view are not automatically updatable.";
const NO_COLUMNS: Reason = "Views that have no updatable columns are not automatically updatable.";

/// A column of a view.
#[derive(Clone, Debug)]
struct ThroughColumn {
    /// Over the table's row.
    expr: Expr,
    /// The table's column that it is, or else the view that makes it something else, and its name there.
    column: std::result::Result<usize, (String, String)>,
}

/// A view as rows of the table below.
#[derive(Clone, Debug)]
pub(super) struct Through {
    view: Arc<View>,
    pub table: Arc<Table>,
    columns: Vec<ThroughColumn>,
    /// The views from this one down, each with its condition over the table's row.
    levels: Vec<(Arc<View>, Option<Expr>)>,
}

/// What of a view can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Updatability {
    /// Why nothing can be put into it.
    pub reason: Option<Reason>,
    /// Whether rows of it can be deleted.
    pub deletes: bool,
    /// Which columns can be assigned to.
    pub columns: Vec<bool>,
}

/// The one SELECT from one item that a query must be, or what stands in the way.
fn plain_select(query: &Query) -> std::result::Result<(&Select, &FromItem), Reason> {
    let select = match &query.body {
        QueryBody::Select(select) => select,
        QueryBody::SetOperation { .. } => {
            return Err("Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.");
        }
        QueryBody::Nested(inner) => return plain_select(inner),
        QueryBody::Values(_) | QueryBody::Change(_) => return Err(NOT_ONE),
    };
    for (is_there, reason) in [
        (
            !matches!(select.distinct, Distinct::No),
            "Views containing DISTINCT are not automatically updatable.",
        ),
        (!select.group_by.is_empty(), "Views containing GROUP BY are not automatically updatable."),
        (select.having.is_some(), "Views containing HAVING are not automatically updatable."),
        (!query.with.is_empty(), "Views containing WITH are not automatically updatable."),
        (
            query.limit.is_some() || query.offset.is_some(),
            "Views containing LIMIT or OFFSET are not automatically updatable.",
        ),
    ] {
        if is_there {
            return Err(reason);
        }
    }
    match &*select.from {
        [item] => Ok((select, item)),
        _ => Err(NOT_ONE),
    }
}

impl Binder<'_> {
    /// A view as rows of the table below it, or why it is no such thing.
    pub(super) fn through(&mut self, view: &Arc<View>) -> Result<std::result::Result<Through, Obstacle>> {
        self.lock(view.oid, RelationLockMode::AccessShare);
        let query = parse::view::query(&view.text)?;
        let (select, from) = match plain_select(&query) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(Obstacle::of(view, reason))),
        };
        let bound = self.within_view(view, |binder| binder.through_select(view, select, from));
        bound.map_err(|mut error| {
            // Places in a view's text are nowhere in the statement's.
            error.fields_mut().position = None;
            error
        })
    }

    fn through_select(
        &mut self,
        view: &Arc<View>,
        select: &Select,
        from: &FromItem,
    ) -> Result<std::result::Result<Through, Obstacle>> {
        let FromItem::Table { name, alias } = from else { return Ok(Err(Obstacle::of(view, NOT_ONE))) };
        let shown = alias.as_ref().map_or(name.last(), |alias| alias.name.as_str());
        let (below, mut names, schema) = match self.relation(name)? {
            Relation::Table(table) => {
                let names = Names::of_table(&table, shown, 0);
                let schema = table.schema;
                (Below::Table(table), names, schema)
            }
            Relation::View(inner) => match self.through(&inner)? {
                Ok(through) => {
                    let names = through.names(shown);
                    (Below::View(through), names, inner.schema)
                }
                Err(obstacle) => return Ok(Err(obstacle)),
            },
            _ => return Ok(Err(Obstacle::of(view, NOT_ONE))),
        };
        self.as_meant(name, &mut names);
        self.name_relation(&mut names, alias.as_ref(), schema)?;
        self.push_select(Place::Select);
        self.select_frame().visible.push(names);
        let items = self.items(&select.items, &super::query::Wanted::default())?;
        self.set_place(Place::Where);
        let filter = self.optional_condition(select.filter.as_ref(), "WHERE")?;
        let frame = self.pop_select();
        for (is_there, reason) in [
            (
                !frame.aggregates.is_empty(),
                "Views that return aggregate functions are not automatically updatable.",
            ),
            (frame.window_count > 0, "Views that return window functions are not automatically updatable."),
            (
                !frame.sets.is_empty(),
                "Views that return set-returning functions are not automatically updatable.",
            ),
        ] {
            if is_there {
                return Ok(Err(Obstacle::of(view, reason)));
            }
        }
        let columns = items.iter().zip(&view.columns);
        let columns = columns.map(|(item, column)| below.column(view, &column.name, item)).collect();
        let mut levels = vec![(view.clone(), filter)];
        let table = match below {
            Below::Table(table) => table,
            Below::View(inner) => {
                levels.extend(inner.levels);
                inner.table
            }
        };
        Ok(Ok(Through { view: view.clone(), table, columns, levels }))
    }

    /// The view that a change names, as rows of the table below; 55000 if it cannot be changed through.
    pub(super) fn target_view(&mut self, view: &Arc<View>, verb: Verb) -> Result<Through> {
        let found = match self.through(view)? {
            // Rows of a view without such columns may still be deleted.
            Ok(through) if verb != Verb::Delete && through.columns.iter().all(|it| it.column.is_err()) => {
                Err(Obstacle::of(view, NO_COLUMNS))
            }
            found => found,
        };
        found.map_err(|Obstacle { view, reason }| {
            let (cannot, enable, event) = verb.words();
            SqlError::new(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("cannot {cannot} view \"{view}\""),
            )
            .with_detail(reason)
            .with_hint(format!(
                "To enable {enable} the view, provide an INSTEAD OF {event} trigger or an unconditional ON {event} DO INSTEAD rule."
            ))
        })
    }
}

impl Obstacle {
    fn of(view: &View, reason: Reason) -> Obstacle {
        Obstacle { view: view.name.clone(), reason }
    }
}

/// What a view selects from.
enum Below {
    Table(Arc<Table>),
    View(Through),
}

impl Below {
    fn column(&self, view: &View, name: &str, item: &Item) -> ThroughColumn {
        let own = || (view.name.clone(), name.to_owned());
        let column = match (&item.expr.kind, self) {
            (Kind::Column(column), _) => Ok(*column),
            (_, Below::View(inner)) if item.origin.0 == inner.view.oid => {
                let at = usize::try_from(item.origin.1 - 1).ok();
                at.and_then(|at| inner.columns.get(at))
                    .map_or_else(|| Err(own()), |below| below.column.clone())
            }
            _ => Err(own()),
        };
        let collation = item.expr.collation.outside();
        ThroughColumn { expr: item.expr.clone().with_collation(collation), column }
    }
}

impl Through {
    /// What the view lends to be named, over a row in which the table's columns begin at `offset`. 0A000 if that is not the
    /// row's beginning, and a column has a subquery.
    pub(super) fn names_at(&self, alias: &str, offset: usize) -> Result<Names> {
        let mut names = self.names(alias);
        let tables = names.tables.iter_mut().flat_map(|table| &mut table.columns);
        for column in names.columns.iter_mut().chain(tables) {
            let mut has_subquery = false;
            for_each(&column.expr, &mut |expr| {
                has_subquery |= matches!(expr.kind, Kind::Subplan(_));
                true
            });
            if has_subquery {
                return Err(SqlError::unsupported(
                    "ON CONFLICT DO UPDATE of a view with a subquery in a column",
                ));
            }
            let offset = isize::try_from(offset).expect("tables have at most 1,600 columns");
            shift_columns(&mut column.expr, offset);
        }
        Ok(names)
    }

    /// What the view lends to be named, over the table's row.
    pub(super) fn names(&self, alias: &str) -> Names {
        let columns = self.view.columns.iter().zip(&self.columns).enumerate();
        let columns = columns.map(|(at, (column, through))| NamedColumn {
            name: column.name.clone(),
            expr: through.expr.clone(),
            origin: (self.view.oid, i16::try_from(at + 1).expect("views have at most 1,664 columns")),
        });
        let columns: Vec<NamedColumn> = columns.collect();
        let table = TableNames {
            alias: alias.to_owned(),
            schema: None,
            oid: self.view.oid,
            columns: columns.clone(),
            is_scalar: false,
            versions: super::scope::VersionColumns::Absent,
            has_places: false,
            is_nullable: false,
            witness: None,
        };
        Names { tables: vec![table], columns }
    }

    pub(super) fn name(&self) -> &str {
        &self.view.name
    }

    /// The place of a column of the view.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.view.columns.iter().position(|column| column.name == name)
    }

    /// The table's column that a column of the view is; 0A000 if it is none.
    pub(super) fn column(&self, at: usize, verb: Verb) -> Result<usize> {
        self.columns[at].column.clone().map_err(|(view, column)| {
            let into = if verb == Verb::Insert { "insert into" } else { "update" };
            let message = format!("cannot {into} column \"{column}\" of view \"{view}\"");
            SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_detail("View columns that are not columns of their base relation are not updatable.")
        })
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The conditions of rows that are seen.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Expr> {
        self.levels.iter().filter_map(|(_, filter)| filter.clone())
    }

    /// What CHECK OPTION asks of new rows: the innermost view's first, as PostgreSQL has it.
    pub(super) fn checks(&self) -> Vec<RowCheck> {
        let mut cascades = false;
        let mut checks = Vec::new();
        for (view, filter) in &self.levels {
            let is_checked = cascades || view.check_option != CheckOption::None;
            cascades |= view.check_option == CheckOption::Cascaded;
            if let Some(filter) = filter.as_ref().filter(|_| is_checked) {
                let predicate = Predicate::new(filter.clone());
                checks.push(RowCheck { name: view.name.clone(), rule: RowRule::View, predicate });
            }
        }
        checks.reverse();
        checks
    }
}

/// What of a view can be changed, for who asks.
pub(crate) fn updatability(context: BindContext<'_>, view: &Arc<View>) -> Result<Updatability> {
    let mut binder = Binder::new(context, None);
    Ok(match binder.through(view)? {
        Ok(through) => {
            let columns: Vec<bool> = through.columns.iter().map(|column| column.column.is_ok()).collect();
            let reason = Some(NO_COLUMNS).filter(|_| !columns.contains(&true));
            Updatability { reason, deletes: true, columns }
        }
        Err(Obstacle { reason, .. }) => {
            Updatability { reason: Some(reason), deletes: false, columns: vec![false; view.columns.len()] }
        }
    })
}
