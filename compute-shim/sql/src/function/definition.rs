//! `pg_get_…`: objects as the SQL text that would make them.

use super::{HostFunction, bool_at, host, integer_at, oid_at, text_at};
use crate::catalog::system::{
    Constraint, Routine, check_definition, constraint, expression_text, foreign_key_definition,
    index_column_definition, index_definition, key_definition, routines, view_definition,
};
use crate::catalog::{Relation, registry};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::function::{Volatility, quote_identifier};
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId};

const OID: &[TypeId] = &[TypeId::OID];
const OID_BOOL: &[TypeId] = &[TypeId::OID, TypeId::BOOL];
const TREE_OID: &[TypeId] = &[TypeId::PG_NODE_TREE, TypeId::OID];
const TREE_OID_BOOL: &[TypeId] = &[TypeId::PG_NODE_TREE, TypeId::OID, TypeId::BOOL];

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(1716, "pg_get_expr", TREE_OID, TypeId::TEXT, expression),
    host(2509, "pg_get_expr", TREE_OID_BOOL, TypeId::TEXT, expression),
    host(1643, "pg_get_indexdef", OID, TypeId::TEXT, index),
    host(2507, "pg_get_indexdef", &[TypeId::OID, TypeId::INT4, TypeId::BOOL], TypeId::TEXT, index),
    host(1387, "pg_get_constraintdef", OID, TypeId::TEXT, constraint_text),
    host(2508, "pg_get_constraintdef", OID_BOOL, TypeId::TEXT, constraint_text),
    host(1641, "pg_get_viewdef", OID, TypeId::TEXT, view_text),
    host(2506, "pg_get_viewdef", OID_BOOL, TypeId::TEXT, view_text),
    host(3159, "pg_get_viewdef", &[TypeId::OID, TypeId::INT4], TypeId::TEXT, view_text),
    host(1640, "pg_get_viewdef", &[TypeId::TEXT], TypeId::TEXT, named_view_text),
    host(2505, "pg_get_viewdef", &[TypeId::TEXT, TypeId::BOOL], TypeId::TEXT, named_view_text),
    host(1573, "pg_get_ruledef", OID, TypeId::TEXT, nothing),
    host(2504, "pg_get_ruledef", OID_BOOL, TypeId::TEXT, nothing),
    host(1662, "pg_get_triggerdef", OID, TypeId::TEXT, nothing),
    host(2730, "pg_get_triggerdef", OID_BOOL, TypeId::TEXT, nothing),
    host(3415, "pg_get_statisticsobjdef", OID, TypeId::TEXT, nothing),
    host(6174, "pg_get_statisticsobjdef_columns", OID, TypeId::TEXT, nothing),
    host(6173, "pg_get_statisticsobjdef_expressions", OID, TypeId::TEXT_ARRAY, nothing),
    host(3352, "pg_get_partkeydef", OID, TypeId::TEXT, nothing),
    host(3408, "pg_get_partition_constraintdef", OID, TypeId::TEXT, nothing),
    host(2162, "pg_get_function_arguments", OID, TypeId::TEXT, function_arguments),
    host(2232, "pg_get_function_identity_arguments", OID, TypeId::TEXT, function_identity_arguments),
    host(2165, "pg_get_function_result", OID, TypeId::TEXT, function_result),
    host(3808, "pg_get_function_arg_default", &[TypeId::OID, TypeId::INT4], TypeId::TEXT, nothing),
    host(6197, "pg_get_function_sqlbody", OID, TypeId::TEXT, nothing),
    host(2098, "pg_get_functiondef", OID, TypeId::TEXT, function),
];

/// For kinds of objects that do not exist here: PostgreSQL answers NULL to a number without an object.
fn nothing(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Null)
}

fn is_pretty(arguments: &[Datum], at: usize) -> bool {
    arguments.len() > at && bool_at(arguments, at)
}

/// A `pg_node_tree` is the expression's stored text here; that of no table is shown as it is.
fn expression(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    let stored = text_at(arguments, 0);
    Ok(Datum::from(match view.catalog().table(oid_at(arguments, 1)) {
        Some(table) => expression_text(view, table, stored, is_pretty(arguments, 2)),
        None => stored.to_owned(),
    }))
}

/// The whole statement, or with a column's number that column alone.
fn index(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    let Some(Relation::Index(table, at)) = view.catalog().relation(oid_at(arguments, 0)) else {
        return Ok(Datum::Null);
    };
    let index = &table.indexes[at];
    let column = if arguments.len() > 1 { integer_at(arguments, 1) } else { 0 };
    if column == 0 {
        return Ok(Datum::from(index_definition(view, &table, index, is_pretty(arguments, 2))));
    }
    let pretty = is_pretty(arguments, 2);
    Ok(Datum::from(match usize::try_from(column - 1) {
        Ok(at) => index_column_definition(view, &table, index, at, pretty),
        Err(_) => String::new(),
    }))
}

fn constraint_text(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let view = context.view;
    Ok(match constraint(view, oid_at(arguments, 0)) {
        Some(Constraint::Key(table, at)) => Datum::from(key_definition(&table, &table.indexes[at])),
        Some(Constraint::Check(table, at)) => {
            let pretty = is_pretty(arguments, 1);
            Datum::from(check_definition(view, &table, &table.checks[at], pretty))
        }
        Some(Constraint::Foreign(table, at)) => {
            Datum::from(foreign_key_definition(view, &table, &table.foreign_keys[at]))
        }
        None => Datum::Null,
    })
}

/// The system's own views are no queries here and so have no text.
fn view_text(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let found = context.view.catalog().view(oid_at(arguments, 0));
    Ok(found.map_or(Datum::Null, |view| Datum::from(view_definition(context.view, view))))
}

fn named_view_text(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let relation = registry::relation_by_name(context.view, text_at(arguments, 0))?;
    let found = context.view.catalog().view(relation.oid());
    Ok(found.map_or(Datum::Null, |view| Datum::from(view_definition(context.view, view))))
}

fn routine(arguments: &[Datum]) -> Option<Routine> {
    let oid = oid_at(arguments, 0);
    routines().find(|routine| routine.oid == oid)
}

/// Argument types as in CREATE FUNCTION.
fn inputs(routine: &Routine) -> Vec<String> {
    let last = routine.arguments.len().wrapping_sub(1);
    let input = |(at, &id): (usize, &TypeId)| {
        let variadic = if routine.variadic.is_some() && at == last { "VARIADIC " } else { "" };
        format!("{variadic}{}", format_type(id, None))
    };
    routine.arguments.iter().enumerate().map(input).collect()
}

/// Inputs, then the columns of a result that has several.
fn parameters(routine: &Routine) -> String {
    let mut all = inputs(routine);
    let output =
        |(name, id): &(&str, TypeId)| format!("OUT {} {}", quote_identifier(name), format_type(*id, None));
    all.extend(routine.columns.iter().map(output));
    all.join(", ")
}

fn result(routine: &Routine) -> String {
    let set = if routine.returns_set { "SETOF " } else { "" };
    format!("{set}{}", format_type(routine.result, None))
}

fn function_arguments(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(routine(arguments).map_or(Datum::Null, |routine| Datum::from(parameters(&routine))))
}

fn function_identity_arguments(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(routine(arguments).map_or(Datum::Null, |routine| Datum::from(inputs(&routine).join(", "))))
}

fn function_result(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(routine(arguments).map_or(Datum::Null, |routine| Datum::from(result(&routine))))
}

/// As `pg_proc` shows the function: of language `internal`, with its own name as source.
fn function(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let Some(routine) = routine(arguments) else { return Ok(Datum::Null) };
    if routine.is_aggregate {
        let message = format!("\"{}\" is an aggregate function", routine.name);
        return Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).into());
    }
    let volatility = match routine.volatility {
        Volatility::Immutable => " IMMUTABLE",
        Volatility::Stable => " STABLE",
        Volatility::Volatile => "",
    };
    let strict = if routine.is_strict { " STRICT" } else { "" };
    Ok(Datum::from(format!(
        "CREATE OR REPLACE FUNCTION pg_catalog.{}({})\n RETURNS {}\n LANGUAGE internal\n{volatility} PARALLEL \
         SAFE{strict}\nAS $function${}$function$\n",
        quote_identifier(routine.name),
        parameters(&routine),
        result(&routine),
        routine.name,
    )))
}
