//! SELECT: its list, conditions, grouping, DISTINCT and ORDER BY.
//!
//! Clauses are bound in PostgreSQL's order (FROM, list, WHERE, HAVING, ORDER BY, GROUP BY, DISTINCT, LIMIT), which
//! decides what a parameter comes to and which error is seen first. The nodes are then stacked from the inside out.

use super::collation::{check_one, check_sort_key};
use super::key_types::compared;
use super::lock::{Locking, whole_row};
use super::name::column_name;
use super::query::Wanted;
use super::scope::{Place, SelectFrame, find_table};
use super::window::{Window, stack_windows};
use super::{Binder, Bound, OutputColumn};
use crate::expression::{Collation, Expr, Kind, columns_used, for_each, rewrite, same};
use crate::parse::at;
use crate::parse::tree::{self, Distinct, OrderItem, Query, Select, SelectItem};
use crate::plan::{Exprs, Node, Predicate, SortKey};
use hexalog_sql_types::cast::CastContext;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId, Typmod};
use std::sync::Arc;

/// One column of a select list.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub name: String,
    pub expr: Expr,
    pub origin: (u32, i16),
}

/// What a sort key or DISTINCT ON expression stands for.
enum Target {
    /// A column of the select list.
    Output(usize),
    /// An expression of its own.
    Hidden(Expr),
}

/// A sort key before its place in the row is known.
pub(super) struct Ordering {
    target: Target,
    descending: bool,
    nulls_first: bool,
}

/// LIMIT and OFFSET, bound.
pub(super) struct Limits {
    limit: Option<Expr>,
    offset: Option<Expr>,
    with_ties: bool,
}

/// Everything of a SELECT, bound.
pub(super) struct Parts {
    pub node: Node,
    pub items: Vec<Item>,
    pub filter: Option<Expr>,
    having: Option<Expr>,
    order: Vec<Ordering>,
    group: Vec<Expr>,
    distinct_on: Option<Vec<Target>>,
    is_distinct: bool,
}

/// Most columns of a row that a query makes, as in PostgreSQL: what is spread out, level by level, ends there.
const ENTRIES_MAX: usize = 1664;

/// 54011 for a row with more columns than there may be.
pub(super) fn check_width(columns: usize, what: &str) -> Result<()> {
    if columns <= ENTRIES_MAX {
        return Ok(());
    }
    let message = format!("{what} can have at most {ENTRIES_MAX} entries");
    Err(SqlError::new(SqlState::TOO_MANY_COLUMNS, message))
}

impl Binder<'_> {
    pub(super) fn select(&mut self, select: &Select, query: &Query, wanted: &Wanted) -> Result<Bound> {
        self.push_select(Place::Select);
        self.select_frame().locking = Locking::new(&query.locks);
        // What is compared has a type, whatever a set operation around could still make of it.
        let keeps_unknown = wanted.keeps_unknown && matches!(select.distinct, Distinct::No);
        let wanted = Wanted { keeps_unknown, targets: wanted.targets.clone() };
        let parts = self.select_parts(select, &query.order_by, &wanted)?;
        let limits = self.limits(query)?;
        self.check_locking(select, query)?;
        let frame = self.pop_select();
        if frame.is_recursive && !frame.aggregates.is_empty() {
            let message = "aggregate functions are not allowed in a recursive query's recursive term";
            let error = SqlError::new(SqlState::INVALID_RECURSION, message);
            return Err(at(error, frame.aggregate_position));
        }
        // What is above a group says no more what it is made of, nor where it stands.
        let said = |item: &Item| (item.expr.collation, item.expr.position);
        let said: Vec<(Collation, u32)> = parts.items.iter().map(said).collect();
        let (node, items) = self.stack(parts, frame, limits)?;
        let columns = items.into_iter().zip(said);
        let column = |(item, (collation, position))| OutputColumn { collation, position, ..output(item) };
        let columns = columns.map(column).collect();
        Ok(Bound { node, columns })
    }

    pub(super) fn select_parts(
        &mut self,
        select: &Select,
        order_by: &[OrderItem],
        wanted: &Wanted,
    ) -> Result<Parts> {
        self.select_frame().has_keys = !select.group_by.is_empty();
        self.set_place(Place::From);
        let (node, _) = self.from_list(&select.from, None)?;
        self.set_place(Place::Select);
        self.select_frame().named_windows = select.windows.as_slice().into();
        let items = self.items(&select.items, wanted)?;
        self.set_place(Place::Where);
        let filter = self.optional_condition(select.filter.as_ref(), "WHERE")?;
        self.set_place(Place::Having);
        let having = self.optional_condition(select.having.as_ref(), "HAVING")?;
        self.set_place(Place::OrderBy);
        let order = self.ordering(order_by, &items)?;
        self.set_place(Place::GroupBy);
        let mut group = Vec::with_capacity(select.group_by.len());
        for expr in &select.group_by {
            group.push(self.group_key(expr, &items)?);
        }
        self.set_place(Place::DistinctOn);
        let distinct_on = match &select.distinct {
            Distinct::On(exprs) => Some(self.distinct_on(exprs, &items, &order)?),
            Distinct::No | Distinct::Yes => None,
        };
        self.check_named_windows()?;
        let is_distinct = matches!(select.distinct, Distinct::Yes);
        if is_distinct {
            for item in &items {
                self.check_group_type(item.expr.type_id, item.expr.typmod)
                    .map_err(|error| at(error, item.expr.position))?;
                check_one(item.expr.collation)?;
            }
            let hidden = order.iter().find_map(|key| match &key.target {
                Target::Hidden(expr) => Some(expr.position),
                Target::Output(_) => None,
            });
            if let Some(position) = hidden {
                let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                return Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), position));
            }
        }
        Ok(Parts { node, items, filter, having, order, group, distinct_on, is_distinct })
    }

    pub(super) fn set_place(&mut self, place: Place) {
        self.select_frame().place = place;
    }

    pub(super) fn optional_condition(
        &mut self,
        expr: Option<&tree::Expr>,
        what: &str,
    ) -> Result<Option<Expr>> {
        match expr {
            None => Ok(None),
            Some(expr) => self.condition_of(expr, what).map(Some),
        }
    }

    /// The columns of a select list or of RETURNING, `*` spread out.
    pub(super) fn items(&mut self, items: &[SelectItem], wanted: &Wanted) -> Result<Vec<Item>> {
        let mut bound: Vec<Item> = Vec::new();
        for item in items {
            match item {
                SelectItem::Expr { expr: tree::Expr::Fields(row), .. } => bound.extend(self.fields(row)?),
                SelectItem::Expr { expr, alias } => {
                    let name = alias.clone().unwrap_or_else(|| column_name(self.context.view, expr));
                    let origin = self.origin(expr);
                    let expr = self.expr(expr)?;
                    let expr = self.wanted(expr, wanted, bound.len())?;
                    bound.push(Item { name, expr, origin });
                }
                SelectItem::Wildcard { position } => {
                    let position = *position;
                    let frame = self.select_frame();
                    if frame.visible.is_empty() {
                        let message = "SELECT * with no tables specified is not valid";
                        return Err(at(SqlError::syntax(message), position));
                    }
                    let columns = frame.visible.iter().flat_map(|names| &names.columns);
                    bound.extend(columns.map(|column| Item {
                        name: column.name.clone(),
                        expr: column.expr.clone().at(position),
                        origin: column.origin,
                    }));
                    self.note_star(position, None);
                }
                SelectItem::QualifiedWildcard(name) => {
                    let frame = self.select_frame();
                    let Some(table) = find_table(&frame.visible, &name.parts) else {
                        let message = format!("missing FROM-clause entry for table \"{}\"", name.last());
                        return Err(at(SqlError::new(SqlState::UNDEFINED_TABLE, message), name.position));
                    };
                    bound.extend(table.columns.iter().map(|column| Item {
                        name: column.name.clone(),
                        expr: column.expr.clone().at(name.position),
                        origin: column.origin,
                    }));
                    let alias = table.alias.clone();
                    self.note_star(name.position, Some(&alias));
                }
            }
            check_width(bound.len(), "target lists")?;
        }
        Ok(bound)
    }

    /// An untyped item takes the type that is wanted of it, or becomes text.
    fn wanted(&mut self, expr: Expr, wanted: &Wanted, number: usize) -> Result<Expr> {
        if expr.type_id != TypeId::UNKNOWN {
            return Ok(expr);
        }
        match wanted.targets.get(number) {
            Some(&(target, typmod)) => {
                let coerced = self.coerce(expr.clone(), target, typmod, CastContext::Assignment)?;
                Ok(coerced.unwrap_or(expr))
            }
            None if wanted.keeps_unknown => Ok(expr),
            None => self.known(expr),
        }
    }

    /// The table and column that an item is, unchanged.
    fn origin(&mut self, expr: &tree::Expr) -> (u32, i16) {
        let name = match expr {
            tree::Expr::Column(name) => name,
            tree::Expr::Field { operand, name } => return self.field_origin(operand, name),
            _ => return (0, 0),
        };
        let frame = self.select_frame();
        let column = match name.parts.as_slice() {
            [column] => {
                frame.visible.iter().flat_map(|names| &names.columns).find(|named| named.name == *column)
            }
            [.., column] => find_table(&frame.visible, &name.parts[..name.parts.len() - 1])
                .and_then(|table| table.columns.iter().find(|named| named.name == *column)),
            [] => None,
        };
        column.map_or((0, 0), |column| column.origin)
    }

    /// ORDER BY over a select list.
    pub(super) fn ordering(&mut self, order_by: &[OrderItem], items: &[Item]) -> Result<Vec<Ordering>> {
        let mut order = Vec::with_capacity(order_by.len());
        for OrderItem { expr, descending, nulls_first } in order_by {
            let target = self.target(expr, items, "ORDER BY")?;
            let (key, position) = match &target {
                Target::Output(at) => (&items[*at].expr, expr.start()),
                Target::Hidden(expr) => (expr, expr.position),
            };
            self.check_sort_type(key.type_id, key.typmod).map_err(|error| at(error, position))?;
            let nulls_first = nulls_first.unwrap_or(*descending);
            order.push(Ordering { target, descending: *descending, nulls_first });
        }
        Ok(order)
    }

    /// A name or position of the select list, or an expression.
    fn target(&mut self, expr: &tree::Expr, items: &[Item], clause: &str) -> Result<Target> {
        if let tree::Expr::Column(name) = expr
            && let [name] = name.parts.as_slice()
            && let Some(number) = by_name(items, name, clause).map_err(|error| at(error, expr.start()))?
        {
            check_sort_key(&items[number].expr)?;
            return Ok(Target::Output(number));
        }
        if let Some(number) = by_position(items, expr, clause)? {
            check_sort_key(&items[number].expr)?;
            return Ok(Target::Output(number));
        }
        let expr = self.expr(expr)?;
        let expr = self.known(expr)?;
        check_sort_key(&expr)?;
        match items.iter().position(|item| same(&item.expr, &expr)) {
            Some(at) => Ok(Target::Output(at)),
            None => Ok(Target::Hidden(expr)),
        }
    }

    fn distinct_on(
        &mut self,
        exprs: &[tree::Expr],
        items: &[Item],
        order: &[Ordering],
    ) -> Result<Vec<Target>> {
        let mut targets = Vec::with_capacity(exprs.len());
        for expr in exprs {
            targets.push(self.target(expr, items, "SELECT DISTINCT ON")?);
        }
        let is_among = |key: &Ordering| {
            targets.iter().any(|target| match (target, &key.target) {
                (Target::Output(a), Target::Output(b)) => a == b,
                (Target::Hidden(a), Target::Hidden(b)) => same(a, b),
                _ => false,
            })
        };
        if !order.iter().take(targets.len()).all(is_among) {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
            let position = exprs.first().map_or(0, tree::Expr::start);
            return Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), position));
        }
        for (target, expr) in targets.iter().zip(exprs) {
            let key = match target {
                Target::Output(at) => &items[*at].expr,
                Target::Hidden(key) => key,
            };
            self.check_group_type(key.type_id, key.typmod).map_err(|error| at(error, expr.start()))?;
        }
        Ok(targets)
    }

    /// A key of GROUP BY: a column of FROM goes before a name of the select list.
    fn group_key(&mut self, expr: &tree::Expr, items: &[Item]) -> Result<Expr> {
        let by_position = by_position(items, expr, "GROUP BY")?;
        let key = match (expr, by_position) {
            (_, Some(at)) => items[at].expr.clone(),
            (tree::Expr::Column(name), None) if name.parts.len() == 1 => match self.column(name) {
                Ok(column) => column,
                Err(error) if error.sqlstate() == SqlState::UNDEFINED_COLUMN => {
                    match by_name(items, name.last(), "GROUP BY")? {
                        Some(at) => items[at].expr.clone(),
                        None => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            },
            _ => self.expr(expr)?,
        };
        let key = self.known(key)?;
        let mut has_aggregate = false;
        let mut has_window = false;
        let mut has_set = false;
        for_each(&key, &mut |expr| {
            has_aggregate |= matches!(expr.kind, Kind::Aggregate(_));
            has_window |= matches!(expr.kind, Kind::Window(_));
            has_set |= matches!(expr.kind, Kind::SetReturning(_));
            true
        });
        if has_aggregate {
            let message = "aggregate functions are not allowed in GROUP BY";
            return Err(SqlError::new(SqlState::GROUPING_ERROR, message));
        }
        if has_window {
            let message = "window functions are not allowed in GROUP BY";
            return Err(SqlError::new(SqlState::WINDOWING_ERROR, message));
        }
        if has_set {
            return Err(SqlError::unsupported("a set-returning function in GROUP BY"));
        }
        self.check_group_type(key.type_id, key.typmod).map_err(|error| at(error, expr.start()))?;
        check_one(key.collation)?;
        Ok(key)
    }

    /// LIMIT and OFFSET, which see no columns.
    pub(super) fn limits(&mut self, query: &Query) -> Result<Limits> {
        if query.with_ties && matches!(query.limit, Some(tree::Expr::Null { .. })) {
            let message = "row count cannot be null in FETCH FIRST ... WITH TIES clause";
            return Err(SqlError::new(SqlState::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, message));
        }
        let limit = self.row_count(query.limit.as_ref(), Place::Limit)?;
        let offset = self.row_count(query.offset.as_ref(), Place::Offset)?;
        Ok(Limits { limit, offset, with_ties: query.with_ties })
    }

    fn row_count(&mut self, expr: Option<&tree::Expr>, place: Place) -> Result<Option<Expr>> {
        let Some(expr) = expr else { return Ok(None) };
        // LIMIT ALL is parsed as no limit; LIMIT NULL means the same.
        let outer = std::mem::replace(&mut self.select_frame().place, place);
        let bound = self.expr(expr);
        self.set_place(outer);
        let (word, bound) = (place.words(), bound?);
        let (source, position) = (bound.type_id, bound.position);
        let count = self.coerce(bound, TypeId::INT8, Typmod::NONE, CastContext::Assignment)?;
        let count = count.ok_or_else(|| {
            let message =
                format!("argument of {word} must be type bigint, not type {}", source.display_name());
            at(SqlError::new(SqlState::DATATYPE_MISMATCH, message), position)
        })?;
        // Columns of queries further out are slots; subqueries may read them, but not this query's own.
        if !columns_used(&count).is_empty() {
            let message = format!("argument of {word} must not contain variables");
            let mut variable = 0;
            for_each(&count, &mut |expr| {
                if variable == 0 && matches!(expr.kind, Kind::Column(_)) {
                    variable = expr.position;
                }
                true
            });
            return Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), variable));
        }
        Ok(Some(count))
    }

    /// Stacks the nodes of a bound SELECT.
    fn stack(&mut self, parts: Parts, mut frame: SelectFrame, limits: Limits) -> Result<(Node, Vec<Item>)> {
        let Parts { mut node, mut items, filter, mut having, mut order, group, mut distinct_on, is_distinct } =
            parts;
        let (width, is_locked) = (node.width(), !frame.locking.rows.is_empty());
        let recheck = filter.clone().filter(|_| is_locked);
        if let Some(filter) = filter {
            node = filtered(node, filter);
        }
        let is_grouped = !group.is_empty() || having.is_some() || !frame.aggregates.is_empty();
        if is_grouped {
            let mut exprs: Vec<&mut Expr> = items.iter_mut().map(|item| &mut item.expr).collect();
            exprs.extend(having.iter_mut());
            exprs.extend(order.iter_mut().filter_map(|key| hidden(&mut key.target)));
            exprs.extend(distinct_on.iter_mut().flatten().filter_map(hidden));
            let mut windows = std::mem::take(&mut frame.windows);
            exprs.extend(windows.iter_mut().flat_map(Window::exprs_mut));
            node = self.aggregate(&mut frame, node, group, &mut exprs)?;
            frame.windows = windows;
        }
        if let Some(having) = having {
            node = filtered(node, having);
        }
        if !frame.windows.is_empty() {
            node = over_windows(node, &mut frame, &mut items, &mut order, distinct_on.as_mut());
        }
        if !frame.sets.is_empty() {
            node = spread_sets(node, &mut frame, &mut items, &mut order, distinct_on.as_mut());
        }
        let visible_count = items.len();
        let mut exprs: Vec<Expr> = items.iter().map(|item| item.expr.clone()).collect();
        let keys: Vec<SortKey> = order.into_iter().map(|key| sort_key(key, &mut exprs)).collect();
        let ties = if limits.with_ties { keys.clone() } else { Vec::new() };
        let on: Option<Vec<usize>> = distinct_on
            .map(|targets| targets.into_iter().map(|target| place_of(target, &mut exprs)).collect());
        let types: Vec<TypeId> = exprs.iter().map(|expr| expr.type_id).collect();
        let is_compared = self.is_to_be_compared(&told_apart(on.as_deref(), is_distinct, &exprs))?;
        let locked = is_locked.then(|| whole_row(&mut frame, &mut exprs, recheck, width));
        let has_hidden = exprs.len() > visible_count;
        node = Node::Project { input: Arc::new(node), exprs: Exprs::new(exprs) };
        // ORDER BY compares what DISTINCT ON tells apart.
        if is_compared && (is_distinct || keys.is_empty()) {
            node = compared(node, on.as_ref().map_or(0, |on| on[0]));
        }
        if is_distinct {
            node = Node::Distinct { input: Arc::new(node), columns: None, types: types.clone() };
        }
        if !keys.is_empty() {
            node = Node::Sort { input: Arc::new(node), keys };
        }
        if let Some(on) = on {
            let key_types = on.iter().map(|&column| types[column]).collect();
            node = Node::Distinct { input: Arc::new(node), columns: Some(on), types: key_types };
        }
        if let Some(locked) = locked {
            node = locked.above(node);
        }
        node = limited(node, limits, ties);
        if has_hidden {
            let exprs = items.iter().enumerate();
            let exprs =
                exprs.map(|(at, item)| Expr::column(at, item.expr.type_id, item.expr.typmod)).collect();
            node = Node::Project { input: Arc::new(node), exprs: Exprs::new(exprs) };
        }
        Ok((node, items))
    }

    /// ORDER BY and LIMIT over rows that are no SELECT's own: keys are columns of the result.
    pub(super) fn ordered(&mut self, bound: Bound, query: &Query, is_set_operation: bool) -> Result<Bound> {
        if query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none() {
            return Ok(bound);
        }
        let Bound { node, columns } = bound;
        self.push_select(Place::OrderBy);
        let names = super::scope::Names::of_columns("*VALUES*", columns.iter().cloned(), 0);
        let items: Vec<Item> = names
            .columns
            .iter()
            .map(|column| Item {
                name: column.name.clone(),
                expr: column.expr.clone(),
                origin: column.origin,
            })
            .collect();
        self.select_frame().visible.push(names);
        let order = self.ordering(&query.order_by, &items)?;
        let hidden = order.iter().find_map(|key| match &key.target {
            Target::Hidden(expr) => Some(expr.position),
            Target::Output(_) => None,
        });
        if let (true, Some(position)) = (is_set_operation, hidden) {
            let message = "invalid UNION/INTERSECT/EXCEPT ORDER BY clause";
            let error = SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message)
                .with_detail("Only result column names can be used, not expressions or functions.")
                .with_hint(
                    "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
                );
            return Err(at(error, position));
        }
        let limits = self.limits(query)?;
        self.pop_select();
        let mut exprs: Vec<Expr> = items.iter().map(|item| item.expr.clone()).collect();
        let keys: Vec<SortKey> = order.into_iter().map(|key| sort_key(key, &mut exprs)).collect();
        let ties = if limits.with_ties { keys.clone() } else { Vec::new() };
        let has_hidden = exprs.len() > items.len();
        let mut node = node;
        if has_hidden {
            node = Node::Project { input: Arc::new(node), exprs: Exprs::new(exprs) };
        }
        if !keys.is_empty() {
            node = Node::Sort { input: Arc::new(node), keys };
        }
        node = limited(node, limits, ties);
        if has_hidden {
            let exprs = items.iter().map(|item| item.expr.clone()).collect();
            node = Node::Project { input: Arc::new(node), exprs: Exprs::new(exprs) };
        }
        Ok(Bound { node, columns })
    }
}

pub(super) fn output(item: Item) -> OutputColumn {
    OutputColumn {
        name: item.name,
        type_id: item.expr.type_id,
        typmod: item.expr.typmod,
        origin: item.origin,
        position: item.expr.position,
        collation: item.expr.collation,
    }
}

/// The types of the columns by which DISTINCT tells rows apart.
fn told_apart(on: Option<&[usize]>, is_distinct: bool, exprs: &[Expr]) -> Vec<(TypeId, Typmod)> {
    let type_of = |expr: &Expr| (expr.type_id, expr.typmod);
    match on {
        Some(on) => on.iter().map(|&column| type_of(&exprs[column])).collect(),
        None if is_distinct => exprs.iter().map(type_of).collect(),
        None => Vec::new(),
    }
}

pub(super) fn filtered(node: Node, condition: Expr) -> Node {
    Node::Filter { input: Arc::new(node), predicate: Predicate::new(condition) }
}

fn limited(node: Node, limits: Limits, ties: Vec<SortKey>) -> Node {
    let Limits { limit, offset, with_ties: _ } = limits;
    if limit.is_none() && offset.is_none() {
        return node;
    }
    Node::Limit { input: Arc::new(node), limit, offset, ties }
}

fn hidden(target: &mut Target) -> Option<&mut Expr> {
    match target {
        Target::Output(_) => None,
        Target::Hidden(expr) => Some(expr),
    }
}

/// Where a target stands in the projected row; a hidden one is appended.
fn place_of(target: Target, exprs: &mut Vec<Expr>) -> usize {
    match target {
        Target::Output(at) => at,
        Target::Hidden(expr) => exprs.iter().position(|known| same(known, &expr)).unwrap_or_else(|| {
            exprs.push(expr);
            exprs.len() - 1
        }),
    }
}

fn sort_key(key: Ordering, exprs: &mut Vec<Expr>) -> SortKey {
    let column = place_of(key.target, exprs);
    let type_id = exprs[column].type_id;
    SortKey { column, type_id, descending: key.descending, nulls_first: key.nulls_first }
}

/// Nodes of windows under the projection; calls become their columns.
fn over_windows(
    node: Node,
    frame: &mut SelectFrame,
    items: &mut [Item],
    order: &mut [Ordering],
    distinct_on: Option<&mut Vec<Target>>,
) -> Node {
    let mut sets = std::mem::take(&mut frame.sets);
    let mut exprs: Vec<&mut Expr> = items.iter_mut().map(|item| &mut item.expr).collect();
    exprs.extend(order.iter_mut().filter_map(|key| hidden(&mut key.target)));
    exprs.extend(distinct_on.into_iter().flatten().filter_map(hidden));
    exprs.extend(sets.iter_mut().flat_map(|set| &mut set.arguments));
    let node = stack_windows(node, frame, exprs);
    frame.sets = sets;
    node
}

/// A ProjectSet node under the projection; calls become its columns.
fn spread_sets(
    node: Node,
    frame: &mut SelectFrame,
    items: &mut [Item],
    order: &mut [Ordering],
    distinct_on: Option<&mut Vec<Target>>,
) -> Node {
    let width = node.width();
    let mut exprs: Vec<&mut Expr> = items.iter_mut().map(|item| &mut item.expr).collect();
    exprs.extend(order.iter_mut().filter_map(|key| hidden(&mut key.target)));
    exprs.extend(distinct_on.into_iter().flatten().filter_map(hidden));
    for expr in exprs {
        rewrite(expr, &mut |expr| match expr.kind {
            Kind::SetReturning(number) => Some(Expr::column(width + number, expr.type_id, expr.typmod)),
            _ => None,
        });
    }
    let functions = std::mem::take(&mut frame.sets);
    let functions = functions.into_iter().map(super::call::SetCall::in_list).collect();
    Node::ProjectSet { input: Arc::new(node), functions }
}

/// The column of a select list with this name; 42702 if two different ones have it.
fn by_name(items: &[Item], name: &str, clause: &str) -> Result<Option<usize>> {
    let mut found = items.iter().enumerate().filter(|(_, item)| item.name == name);
    let Some((first, item)) = found.next() else { return Ok(None) };
    if found.any(|(_, other)| !same(&item.expr, &other.expr)) {
        let message = format!("{clause} \"{name}\" is ambiguous");
        return Err(SqlError::new(SqlState::AMBIGUOUS_COLUMN, message));
    }
    Ok(Some(first))
}

/// The column of a select list that a number means.
fn by_position(items: &[Item], expr: &tree::Expr, clause: &str) -> Result<Option<usize>> {
    let number = match expr {
        tree::Expr::Number { digits, .. } => digits.parse::<i32>().ok(),
        tree::Expr::Text { .. } | tree::Expr::Null { .. } | tree::Expr::Bool { .. } => None,
        _ => return Ok(None),
    };
    let Some(number) = number else {
        return Err(at(SqlError::syntax(format!("non-integer constant in {clause}")), expr.anchor()));
    };
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    match index.filter(|&index| index < items.len()) {
        Some(index) => Ok(Some(index)),
        None => {
            let message = format!("{clause} position {number} is not in select list");
            Err(at(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message), expr.anchor()))
        }
    }
}
