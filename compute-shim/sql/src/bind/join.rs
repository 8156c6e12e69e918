//! Joins: the two sides, the condition, and the columns that USING merges.
//!
//! RIGHT is LEFT with its sides changed and the columns put back in order. Slots that LATERAL items on the right side
//! need are set by the first join whose left side has their source.

#![expect(clippy::wrong_self_convention, reason = "`from_…` is about FROM, no conversion")]

use super::Binder;
use super::from::FromBound;
use super::scope::{NamedColumn, Names, Place};
use crate::expression::{Expr, Kind, columns_used, rewrite, shift_columns};
use crate::parse::at;
use crate::parse::tree::{FromItem, JoinCondition, JoinKind};
use crate::plan::{Exprs, JoinType, Node};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState, TypeId};
use std::sync::Arc;

fn signed(width: usize) -> isize {
    isize::try_from(width).expect("rows are narrow")
}

impl Binder<'_> {
    /// Joins two nodes. The left one begins at column `start` of the FROM list's row, the right one at `middle`;
    /// conditions are over the FROM list's row.
    pub(super) fn join(
        &mut self,
        join: JoinType,
        left: Node,
        right: Node,
        start: usize,
        middle: usize,
        mut conditions: Vec<Expr>,
    ) -> Node {
        let frame = self.select_frame();
        let mut correlation = Vec::new();
        for (slot, mut source) in std::mem::take(&mut frame.lateral) {
            let used = columns_used(&source);
            if used.iter().all(|column| (start..middle).contains(column)) {
                shift_columns(&mut source, -signed(start));
                correlation.push((slot, source));
            } else {
                frame.lateral.push((slot, source));
            }
        }
        for condition in &mut conditions {
            shift_columns(condition, -signed(start));
        }
        let conditions = conditions.into_iter().flat_map(Expr::conjuncts).collect();
        Node::Join { join, left: Arc::new(left), right: Arc::new(right), correlation, conditions }
    }

    pub(super) fn from_join(
        &mut self,
        kind: JoinKind,
        left: &FromItem,
        right: &FromItem,
        condition: &JoinCondition,
        offset: usize,
    ) -> Result<FromBound> {
        let base = self.select_frame().visible.len();
        let enclosing = self.enclosing;
        self.enclosing.outer_join |= matches!(kind, JoinKind::Right | JoinKind::Full);
        let locked_before = self.select_frame().locking.reached();
        let left = self.from_item(left, offset)?;
        let locked_left = self.select_frame().locking.reached();
        self.enclosing.outer_join = enclosing.outer_join || matches!(kind, JoinKind::Left | JoinKind::Full);
        self.select_frame().visible.push(left.names.clone());
        let outer_lateral = std::mem::take(&mut self.select_frame().lateral);
        let right = self.from_item(right, offset + left.width)?;
        self.enclosing = enclosing;
        self.select_frame().visible.truncate(base);
        let locked_right = self.select_frame().locking.reached();
        if matches!(kind, JoinKind::Left | JoinKind::Full) {
            self.select_frame().locking.nullable(locked_left, locked_right)?;
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            self.select_frame().locking.nullable(locked_before, locked_left)?;
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            self.refuse_lateral(&left.names)?;
        }
        self.select_frame().lateral.extend(outer_lateral);
        let middle = offset + left.width;
        let width = left.width + right.width;
        let left_tables = left.names.tables.len();
        let (mut names, conditions) = match condition {
            JoinCondition::None => (both(left.names, right.names), Vec::new()),
            JoinCondition::On(expr) => {
                let names = both(left.names, right.names);
                self.check_join_aliases(&names)?;
                (names.clone(), vec![self.on(expr, names, base)?])
            }
            JoinCondition::Using(columns) => self.using(kind, left.names, right.names, columns)?,
            JoinCondition::Natural => {
                let shared: Vec<String> = left
                    .names
                    .columns
                    .iter()
                    .filter(|column| right.names.columns.iter().any(|other| other.name == column.name))
                    .map(|column| column.name.clone())
                    .collect();
                self.using(kind, left.names, right.names, &shared)?
            }
        };
        let is_nullable = |at: usize| match kind {
            JoinKind::Inner => false,
            JoinKind::Left => at >= left_tables,
            JoinKind::Right => at < left_tables,
            JoinKind::Full => true,
        };
        for (at, table) in names.tables.iter_mut().enumerate() {
            table.is_nullable |= is_nullable(at);
        }
        let locking = &mut self.select_frame().locking;
        match kind {
            JoinKind::Inner => locking.join_conditions(&conditions),
            JoinKind::Left => locking.outer_join(middle..offset + width, &conditions),
            JoinKind::Right => locking.outer_join(offset..middle, &conditions),
            // No row of either side is locked.
            JoinKind::Full => {}
        }
        let node = match kind {
            JoinKind::Inner => self.join(JoinType::Inner, left.node, right.node, offset, middle, conditions),
            JoinKind::Left => self.join(JoinType::Left, left.node, right.node, offset, middle, conditions),
            JoinKind::Full => self.join(JoinType::Full, left.node, right.node, offset, middle, conditions),
            JoinKind::Right => right_join(left.node, right.node, offset, middle, width, conditions, &names),
        };
        Ok(FromBound { node, names, width })
    }

    /// 42P10 if the right side reads the left one where the join makes that impossible.
    fn refuse_lateral(&mut self, left: &Names) -> Result<()> {
        let Some((_, source)) = self.select_frame().lateral.first() else { return Ok(()) };
        let used = columns_used(source);
        let reads = |named: &NamedColumn| columns_used(&named.expr).iter().any(|at| used.contains(at));
        let table = left.tables.iter().find(|table| table.columns.iter().any(reads));
        let table = table.map_or("", |table| table.alias.as_str());
        let message = format!("invalid reference to FROM-clause entry for table \"{table}\"");
        let error = SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, message)
            .with_detail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.");
        Err(at(error, source.position))
    }

    fn check_join_aliases(&self, names: &Names) -> Result<()> {
        for (at, table) in names.tables.iter().enumerate() {
            if names.tables[..at]
                .iter()
                .any(|other| other.alias == table.alias && other.schema == table.schema)
            {
                let message = format!("table name \"{}\" specified more than once", table.alias);
                return Err(SqlError::new(SqlState::DUPLICATE_ALIAS, message));
            }
        }
        Ok(())
    }

    /// The condition of ON, which sees both sides and no sibling.
    fn on(&mut self, expr: &crate::parse::tree::Expr, names: Names, base: usize) -> Result<Expr> {
        let frame = self.select_frame();
        let (first_visible, place) = (frame.first_visible, frame.place);
        frame.first_visible = base;
        frame.place = Place::JoinOn;
        frame.visible.push(names);
        let bound = self.condition_of(expr, "JOIN/ON");
        let frame = self.select_frame();
        frame.visible.truncate(base);
        frame.first_visible = first_visible;
        frame.place = place;
        bound
    }

    /// USING: equal columns of both sides, merged into one.
    fn using(
        &mut self,
        kind: JoinKind,
        left: Names,
        right: Names,
        columns: &[String],
    ) -> Result<(Names, Vec<Expr>)> {
        let (mut merged, mut conditions) = (Vec::new(), Vec::new());
        for column in columns {
            let (l, r) = (side(&left, column, "left")?, side(&right, column, "right")?);
            self.note_column(l.origin);
            self.note_column(r.origin);
            conditions.push(self.operator("=", Some(l.expr.clone()), r.expr.clone())?);
            let (mut sides, type_id) = self.unify("JOIN/USING", vec![l.expr, r.expr])?;
            let typmod = self.common_typmod(&sides);
            let right_side = sides.pop().expect("two sides");
            let left_side = sides.pop().expect("two sides");
            let (expr, origin) = match kind {
                JoinKind::Inner | JoinKind::Left => (left_side, l.origin),
                JoinKind::Right => (right_side, r.origin),
                JoinKind::Full => {
                    let kind = Kind::Coalesce(Box::new([left_side, right_side]));
                    (Expr::new(kind, type_id).with_typmod(typmod), (0, 0))
                }
            };
            merged.push(NamedColumn { name: column.clone(), expr, origin });
        }
        let mut names = both(left, right);
        self.check_join_aliases(&names)?;
        names.columns.retain(|column| !columns.contains(&column.name));
        merged.append(&mut names.columns);
        names.columns = merged;
        Ok((names, conditions))
    }
}

fn side(names: &Names, column: &str, word: &str) -> Result<NamedColumn> {
    let mut found = names.columns.iter().filter(|candidate| candidate.name == column);
    match (found.next(), found.next()) {
        (Some(first), None) => Ok(first.clone()),
        (None, _) => {
            let message =
                format!("column \"{column}\" specified in USING clause does not exist in {word} table");
            Err(SqlError::new(SqlState::UNDEFINED_COLUMN, message))
        }
        (Some(_), Some(_)) => {
            let message = format!("common column name \"{column}\" appears more than once in {word} table");
            Err(SqlError::new(SqlState::AMBIGUOUS_COLUMN, message))
        }
    }
}

fn both(mut left: Names, right: Names) -> Names {
    left.tables.extend(right.tables);
    left.columns.extend(right.columns);
    left
}

/// LEFT with the sides changed; the row is put back into the order of FROM.
fn right_join(
    left: Node,
    right: Node,
    start: usize,
    middle: usize,
    width: usize,
    conditions: Vec<Expr>,
    names: &Names,
) -> Node {
    let (left_width, right_width) = (middle - start, width - (middle - start));
    let swap = |column: usize| if column < left_width { column + right_width } else { column - left_width };
    let conditions = conditions.into_iter().flat_map(Expr::conjuncts).map(|mut condition| {
        rewrite(&mut condition, &mut |expr| match expr.kind {
            Kind::Column(column) => Some(Expr::column(swap(column - start), expr.type_id, expr.typmod)),
            _ => None,
        });
        condition
    });
    let node = Node::Join {
        join: JoinType::Left,
        left: Arc::new(right),
        right: Arc::new(left),
        correlation: Vec::new(),
        conditions: conditions.collect(),
    };
    let type_of = |column: usize| {
        let all = names.tables.iter().flat_map(|table| &table.columns);
        let found = all
            .map(|named| &named.expr)
            .find(|expr| matches!(expr.kind, Kind::Column(at) if at == column + start));
        found.map_or((TypeId::UNKNOWN, hexalog_sql_types::Typmod::NONE), |expr| (expr.type_id, expr.typmod))
    };
    let exprs = (0..width).map(|column| {
        let (type_id, typmod) = type_of(column);
        Expr::column(swap(column), type_id, typmod)
    });
    Node::Project { input: Arc::new(node), exprs: Exprs::new(exprs.collect()) }
}
