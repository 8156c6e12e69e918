//! Indexes and constraints, as `pg_index`, `pg_constraint` and `pg_indexes` show them. Their SQL text: `sql_text.rs`.

use super::facts::{collation_of_key, operator_class_of};
use super::sql_text::index_definition;
use super::value::{FALSE, NULL, TRUE, int2, int2_array, int2_vector, int4, oid, oid_vector, text};
use crate::catalog::object::{Check, ForeignKey, Index, IndexColumn, IndexState, Oid, Table};
use crate::execute::Row;
use crate::parse::tree::{Deferral, ReferentialAction};
use crate::session::SessionView;
use hexalog_sql_types::{Array, Datum, TypeId, resolve};
use std::sync::Arc;

/// Between the expressions of one index, as `pg_get_expr` shows a list.
pub(super) const EXPRESSIONS_BETWEEN: &str = ", ";

/// Bits of `indoption`.
const OPTION_DESCENDING: i16 = 1;
const OPTION_NULLS_FIRST: i16 = 2;

/// A column's `attnum`.
fn number(column: usize) -> i16 {
    i16::try_from(column + 1).expect("column numbers are below 1,601")
}

fn option(column: &IndexColumn) -> i16 {
    let descending = if column.descending { OPTION_DESCENDING } else { 0 };
    descending | if column.nulls_first { OPTION_NULLS_FIRST } else { 0 }
}

pub(super) fn pg_index(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        rows.extend(table.indexes.iter().map(|index| pg_index_row(table, index)));
    }
    rows
}

fn pg_index_row(table: &Table, index: &Index) -> Row {
    let columns = &index.columns;
    let type_of = |column: &IndexColumn| column.value_type(&table.columns).0;
    let part = |column: &IndexColumn| column.column().map_or(0, number);
    let expressions: Vec<&str> = index.key_expressions().map(|kept| kept.text.as_str()).collect();
    let mut row = vec![
        oid(index.oid),
        oid(table.oid),
        int2(columns.len() + index.included.len()),
        int2(columns.len()),
        Datum::Bool(index.unique),
        FALSE,
        Datum::Bool(index.primary),
    ];
    let at_once = index.deferral == Deferral::Never;
    let (is_valid, is_live) = (index.state == IndexState::Valid, index.state != IndexState::Dead);
    row.extend([FALSE, Datum::Bool(at_once), FALSE, Datum::Bool(is_valid), FALSE]);
    row.extend([Datum::Bool(is_live), Datum::Bool(is_live), FALSE]);
    row.extend([
        int2_vector(columns.iter().map(part).chain(index.included.iter().map(|&column| number(column)))),
        oid_vector(columns.iter().map(|column| collation_of_key(column, &table.columns))),
        oid_vector(columns.iter().map(|column| match column.class {
            0 => operator_class_of(type_of(column)),
            class => class,
        })),
        int2_vector(columns.iter().map(option)),
        if expressions.is_empty() { NULL } else { text(expressions.join(EXPRESSIONS_BETWEEN)) },
        index.predicate.as_ref().map_or(NULL, |predicate| text(&predicate.text)),
    ]);
    row
}

pub(super) fn pg_constraint(view: &SessionView) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in view.catalog().tables() {
        let row = |constraint, name, kind| ConstraintRow {
            table,
            constraint,
            name,
            kind,
            index: 0,
            columns: Vec::new(),
            foreign: None,
            deferral: Deferral::Never,
            validated: true,
            expression: NULL,
        };
        for index in table.indexes.iter().filter(|index| index.constraint != 0) {
            let kind = if index.primary { b'p' } else { b'u' };
            let columns = index.columns.iter().filter_map(|column| column.column()).map(number).collect();
            let row = row(index.constraint, &*index.name, kind);
            rows.push(ConstraintRow { index: index.oid, columns, deferral: index.deferral, ..row }.row());
        }
        for check in &table.checks {
            let columns = columns_named(&check.expression, table);
            let columns = columns.into_iter().map(number).collect();
            let expression = text(&check.expression);
            rows.push(
                ConstraintRow {
                    columns,
                    expression,
                    validated: check.validated,
                    ..row(check.oid, &*check.name, b'c')
                }
                .row(),
            );
        }
        for key in &table.foreign_keys {
            let columns = key.columns.iter().map(|pair| number(pair.0)).collect();
            let target = view.catalog().table(key.target);
            let foreign = target.map(|target| (key, &**target));
            let row = row(key.oid, &*key.name, b'f');
            rows.push(
                ConstraintRow {
                    index: key.index,
                    columns,
                    foreign,
                    deferral: key.deferral,
                    validated: key.validated,
                    ..row
                }
                .row(),
            );
        }
    }
    rows
}

/// The parts of a `pg_constraint` row that differ between constraints.
struct ConstraintRow<'a> {
    table: &'a Table,
    constraint: Oid,
    name: &'a str,
    kind: u8,
    index: Oid,
    columns: Vec<i16>,
    /// With the table referred to.
    foreign: Option<(&'a ForeignKey, &'a Table)>,
    deferral: Deferral,
    validated: bool,
    expression: Datum,
}

/// `confupdtype`, `confdeltype`.
fn action(action: ReferentialAction) -> Datum {
    Datum::Char(match action {
        ReferentialAction::NoAction => b'a',
        ReferentialAction::Restrict => b'r',
        ReferentialAction::Cascade => b'c',
        ReferentialAction::SetNull => b'n',
        ReferentialAction::SetDefault => b'd',
    })
}

/// The number of the equality operator of two types, as `conpfeqop` has it.
fn equality(left: TypeId, right: TypeId) -> Datum {
    let found = resolve::operator("=", Some(left), right);
    oid(found.map_or(0, |found| found.operator.oid))
}

impl ConstraintRow<'_> {
    fn row(self) -> Row {
        let mut row = vec![
            oid(self.constraint),
            text(self.name),
            oid(self.table.schema),
            Datum::Char(self.kind),
            Datum::Bool(self.deferral != Deferral::Never),
            Datum::Bool(self.deferral == Deferral::Deferred),
            Datum::Bool(self.validated),
            oid(self.table.oid),
            oid(0),
            oid(self.index),
            oid(0),
        ];
        let blank = Datum::Char(b' ');
        match self.foreign {
            None => row.extend([oid(0), blank.clone(), blank.clone(), blank]),
            Some((key, target)) => {
                let kind = if key.match_full { b'f' } else { b's' };
                let (on_update, on_delete) = (action(key.on_update), action(key.on_delete));
                row.extend([oid(target.oid), on_update, on_delete, Datum::Char(kind)]);
            }
        }
        row.extend([TRUE, int4(0), Datum::Bool(self.kind != b'c'), int2_array(self.columns)]);
        match self.foreign {
            None => row.extend(std::iter::repeat_n(NULL, 6)),
            Some((key, target)) => {
                let types = key.columns.iter().map(|&(own, referenced)| {
                    (self.table.columns[own].type_id, target.columns[referenced].type_id)
                });
                let types: Vec<(TypeId, TypeId)> = types.collect();
                row.push(int2_array(key.columns.iter().map(|pair| number(pair.1))));
                row.push(oid_array(types.iter().map(|&(own, referenced)| equality(referenced, own))));
                row.push(oid_array(types.iter().map(|&(_, referenced)| equality(referenced, referenced))));
                row.push(oid_array(types.iter().map(|&(own, _)| equality(own, own))));
                row.extend([NULL, NULL]);
            }
        }
        row.push(self.expression);
        row
    }
}

fn oid_array(numbers: impl Iterator<Item = Datum>) -> Datum {
    Array::from_values(TypeId::OID, numbers.collect()).into()
}

/// The columns that the text of an expression names, in order of first appearance. Stored texts are fully written out:
/// a bare word that is a column's name and neither a function, a type nor a qualifier is that column.
pub(super) fn columns_named(expression: &str, table: &Table) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rest = expression;
    let mut behind_cast = false;
    while let Some(first) = rest.chars().next() {
        let (word, next) = match first {
            '\'' => (None, behind_quote(&rest[1..], '\'').1),
            '"' => {
                let (word, next) = behind_quote(&rest[1..], '"');
                (Some(word), next)
            }
            c if c.is_alphabetic() || c == '_' => {
                let end =
                    rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
                (Some(rest[..end].to_owned()), &rest[end..])
            }
            c => (None, &rest[c.len_utf8()..]),
        };
        let is_column = !behind_cast && !next.starts_with('(') && !next.starts_with('.');
        if let Some(at) = word.as_ref().filter(|_| is_column).and_then(|word| table.column_index(word))
            && !found.contains(&at)
        {
            found.push(at);
        }
        behind_cast = matches!(first, ':' | '.') || (behind_cast && first == ' ');
        rest = next;
    }
    found
}

/// What stands before the closing quote (two quotes stand for one), and the rest behind it.
fn behind_quote(text: &str, quote: char) -> (String, &str) {
    let mut inner = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(quote) {
        inner.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix(quote) {
            Some(behind) => {
                inner.push(quote);
                rest = behind;
            }
            None => return (inner, rest),
        }
    }
    (inner, "")
}

/// A constraint, found by its oid.
pub(crate) enum Constraint {
    Key(Arc<Table>, usize),
    Check(Arc<Table>, usize),
    Foreign(Arc<Table>, usize),
}

pub(crate) fn constraint(view: &SessionView, wanted: Oid) -> Option<Constraint> {
    if wanted == 0 {
        return None;
    }
    view.catalog().tables().find_map(|table| {
        let key = table.indexes.iter().position(|index| index.constraint == wanted);
        let check = |check: &Check| check.oid == wanted;
        let foreign = table.foreign_keys.iter().position(|key| key.oid == wanted);
        let foreign = foreign.map(|at| Constraint::Foreign(table.clone(), at));
        foreign
            .or_else(|| key.map(|at| Constraint::Key(table.clone(), at)))
            .or_else(|| Some(Constraint::Check(table.clone(), table.checks.iter().position(check)?)))
    })
}

pub(super) fn pg_indexes(view: &SessionView) -> Vec<Row> {
    let catalog = view.catalog();
    let mut rows = Vec::new();
    for table in catalog.tables() {
        for index in &table.indexes {
            rows.push(vec![
                text(catalog.schema_name(table.schema)),
                text(&table.name),
                text(&index.name),
                NULL,
                text(index_definition(view, table, index, false)),
            ]);
        }
    }
    rows
}
