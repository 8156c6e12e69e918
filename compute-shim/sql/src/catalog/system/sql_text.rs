//! The SQL text of indexes, constraints and expressions, as the `pg_get_…` functions give it.
//!
//! The catalog stores expressions with all names qualified; here they are bound and printed anew, so that names are
//! qualified only where this session's search path makes it necessary.

use super::constraint::EXPRESSIONS_BETWEEN;
use super::facts::{COLLATIONS, OPERATOR_CLASSES};
use crate::bind::{self, BindContext};
use crate::catalog::object::{Check, ForeignKey, Index, IndexColumn, Table};
use crate::catalog::row_expression::RowExpression;
use crate::catalog::{Relation, registry};
use crate::execute::key_part;
use crate::expression::{Expr, deparse, deparse_pretty};
use crate::parse;
use crate::parse::tree::{Deferral, ReferentialAction, StorageParameter};
use crate::plan::PlanOptions;
use crate::session::SessionView;
use hexalog_protocol::Lsn;
use hexalog_sql_types::datetime::Timestamptz;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::{quote_identifier, quote_literal_text};
use hexalog_sql_types::{EnumValue, EvalEnv, Host, SqlError, TypeId};
use std::sync::Arc;

/// A column of an index as CREATE INDEX has it.
fn index_column(context: BindContext<'_>, table: &Table, column: &IndexColumn, pretty: bool) -> String {
    let part = key_part(table, column, context.env, pretty);
    let order = match (column.descending, column.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    };
    let class = OPERATOR_CLASSES.iter().find(|class| class.oid == column.class);
    let class = class.map_or_else(String::new, |class| format!(" {}", class.name));
    let collation = COLLATIONS.iter().find(|collation| collation.0 == column.collation);
    let collation = collation.map_or_else(String::new, |it| format!(" COLLATE {}", quote_identifier(it.1)));
    format!("{part}{collation}{class}{order}")
}

/// One column of an index alone, those of INCLUDE behind the others; the empty text for one that is not there.
pub(crate) fn index_column_definition(
    view: &SessionView,
    table: &Table,
    index: &Index,
    at: usize,
    pretty: bool,
) -> String {
    with_names_only(view, |context| match index.columns.get(at) {
        Some(column) => key_part(table, column, context.env, pretty),
        None => {
            let included = index.included.get(at - index.columns.len());
            included.map_or_else(String::new, |&column| quote_identifier(&table.columns[column].name))
        }
    })
}

/// A kept expression as this session would write it.
pub(crate) fn row_expression_text(
    view: &SessionView,
    table: &Table,
    stored: &RowExpression,
    pretty: bool,
) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
    with_names_only(view, |context| match pretty {
        true => deparse_pretty(stored.written(), &columns, context.env),
        false => deparse(stored.written(), &columns, context.env),
    })
}

/// ` WITH (fillfactor='90')`, or nothing.
fn with_parameters(parameters: &[StorageParameter]) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let item = |parameter: &StorageParameter| {
        let value = parameter.value.as_deref().unwrap_or("true");
        let plain = quote_identifier(value) == value;
        let value = if plain { value.to_owned() } else { quote_literal_text(value) };
        format!("{}={value}", quote_identifier(&parameter.name))
    };
    let items: Vec<String> = parameters.iter().map(item).collect();
    format!(" WITH ({})", items.join(", "))
}

/// `pg_get_indexdef`: the whole statement. Pretty: the table is qualified only where it has to be.
pub(crate) fn index_definition(
    view: &SessionView,
    table: &Arc<Table>,
    index: &Index,
    pretty: bool,
) -> String {
    let relation = Relation::Table(table.clone());
    let on = match pretty {
        true => registry::relation_name(view, &relation),
        false => registry::qualified_name(view, &relation),
    };
    let columns: Vec<String> = with_names_only(view, |context| {
        index.columns.iter().map(|column| index_column(context, table, column, pretty)).collect()
    });
    let included = included_columns(table, index);
    let predicate = index.predicate.as_ref().map_or_else(String::new, |predicate| {
        format!(" WHERE {}", row_expression_text(view, table, predicate, pretty))
    });
    format!(
        "CREATE {}INDEX {} ON {on} USING btree ({}){included}{}{predicate}",
        if index.unique { "UNIQUE " } else { "" },
        quote_identifier(&index.name),
        columns.join(", "),
        with_parameters(&index.parameters),
    )
}

/// ` INCLUDE (a, b)`, or nothing.
fn included_columns(table: &Table, index: &Index) -> String {
    if index.included.is_empty() {
        return String::new();
    }
    let names: Vec<String> =
        index.included.iter().map(|&column| quote_identifier(&table.columns[column].name)).collect();
    format!(" INCLUDE ({})", names.join(", "))
}

/// `PRIMARY KEY (a, b)` or `UNIQUE (a)`.
pub(crate) fn key_definition(table: &Table, index: &Index) -> String {
    let kind = if index.primary { "PRIMARY KEY" } else { "UNIQUE" };
    let columns = index.plain_columns().expect("a constraint's key is made of columns");
    let names: Vec<String> =
        columns.into_iter().map(|column| quote_identifier(&table.columns[column].name)).collect();
    let included = included_columns(table, index);
    format!("{kind} ({}){included}{}", names.join(", "), deferral_words(index.deferral))
}

/// `FOREIGN KEY (a) REFERENCES t(b) …`.
pub(crate) fn foreign_key_definition(view: &SessionView, table: &Table, key: &ForeignKey) -> String {
    let Some(target) = view.catalog().table(key.target) else { return String::new() };
    let relation = Relation::Table(target.clone());
    let name = registry::relation_name(view, &relation);
    let list = |columns: Vec<&str>| columns.into_iter().map(quote_identifier).collect::<Vec<_>>().join(", ");
    let own = list(key.columns.iter().map(|pair| &*table.columns[pair.0].name).collect());
    let referenced = list(key.columns.iter().map(|pair| &*target.columns[pair.1].name).collect());
    let mut text = format!("FOREIGN KEY ({own}) REFERENCES {name}({referenced})");
    if key.match_full {
        text.push_str(" MATCH FULL");
    }
    for (event, action) in [("UPDATE", key.on_update), ("DELETE", key.on_delete)] {
        let words = referential_words(action);
        if action != ReferentialAction::NoAction {
            text.push_str(&format!(" ON {event} {words}"));
        }
    }
    text.push_str(deferral_words(key.deferral));
    text.push_str(validated_words(key.validated));
    text
}

fn validated_words(validated: bool) -> &'static str {
    if validated { "" } else { " NOT VALID" }
}

fn deferral_words(deferral: Deferral) -> &'static str {
    match deferral {
        Deferral::Never => "",
        Deferral::Immediate => " DEFERRABLE",
        Deferral::Deferred => " DEFERRABLE INITIALLY DEFERRED",
    }
}

/// An action as SQL has it.
pub(crate) fn referential_words(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}

/// `CHECK (…)`. Pretty: with no more parentheses than needed.
pub(crate) fn check_definition(view: &SessionView, table: &Table, check: &Check, pretty: bool) -> String {
    let expression = expression_text(view, table, &check.expression, pretty);
    format!("CHECK ({expression}){}", validated_words(check.validated))
}

/// A stored expression of a table (a column's default or a check) as this session would write it. What cannot be bound
/// any more is shown as it is stored.
pub(crate) fn expression_text(view: &SessionView, table: &Table, stored: &str, pretty: bool) -> String {
    reprinted(view, table, stored, pretty).unwrap_or_else(|_| stored.to_owned())
}

fn reprinted(view: &SessionView, table: &Table, stored: &str, pretty: bool) -> Result<String> {
    with_names_only(view, |context| reprinted_in(context, table, stored, pretty))
}

fn reprinted_in(context: BindContext<'_>, table: &Table, stored: &str, pretty: bool) -> Result<String> {
    let columns: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
    let print = |expr| match pretty {
        true => deparse_pretty(expr, &columns, context.env),
        false => deparse(expr, &columns, context.env),
    };
    for (_, generated) in table.generated() {
        if generated.text == stored {
            return Ok(print(generated.written()));
        }
    }
    // The predicate of an index, or the list of its expressions.
    for index in &table.indexes {
        if let Some(predicate) = index.predicate.as_ref().filter(|predicate| predicate.text == stored) {
            return Ok(print(predicate.written()));
        }
        let expressions: Vec<&Expr> = index.key_expressions().map(|kept| kept.written()).collect();
        let texts: Vec<&str> = index.key_expressions().map(|kept| kept.text.as_str()).collect();
        if !texts.is_empty() && texts.join(EXPRESSIONS_BETWEEN) == stored {
            return Ok(expressions.into_iter().map(print).collect::<Vec<_>>().join(EXPRESSIONS_BETWEEN));
        }
    }
    let tree = parse::expression(stored)?;
    let defaulted = table.columns.iter().find(|column| column.default.as_deref() == Some(stored));
    let bound = match defaulted {
        Some(column) => {
            let target = Some((column.type_id, column.typmod));
            bind::table_expression(context, None, &tree, target)?
        }
        None => bind::table_expression(context, Some(table), &tree, None)?,
    };
    Ok(print(&bound))
}

/// Binds something in order to print it.
pub(super) fn with_names_only<T>(view: &SessionView, work: impl FnOnce(BindContext<'_>) -> T) -> T {
    let host = NamesOnly { view };
    let env = EvalEnv {
        transaction_timestamp: Timestamptz(0),
        statement_timestamp: Timestamptz(0),
        time_zone: view.time_zone(),
        interval_style: view.interval_style(),
        host: &host,
    };
    let options = PlanOptions { direct_routes: true, snapshot: Lsn::MAX, is_for_cursor: false };
    work(BindContext { view, env: &env, options })
}

/// What printing needs of a session: names. Stored expressions are not evaluated here, so the clock stands and there is
/// no randomness.
struct NamesOnly<'a> {
    view: &'a SessionView,
}

impl Host for NamesOnly<'_> {
    fn clock(&self) -> Timestamptz {
        Timestamptz(0)
    }

    fn random_u64(&self) -> u64 {
        0
    }

    fn cancelled(&self) -> Option<SqlError> {
        None
    }

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        registry::registry_name(self.view, id, oid)
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        registry::registry_oid(self.view, id, name)
    }

    fn enum_label(&self, value: EnumValue) -> Option<Arc<str>> {
        registry::enum_label(self.view.catalog(), value)
    }

    fn enum_key(&self, id: TypeId, label: &str) -> Result<i64> {
        registry::enum_key(self.view, id, label)
    }
}
