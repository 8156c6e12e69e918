//! Set-returning functions that take values apart or list what there is.

use super::{TableFunction, set_of, table_of};
use crate::catalog::object::INFORMATION_SCHEMA_OID;
use crate::execute::{Context, Row};
use crate::parse::keyword::KEYWORDS;
use crate::stop::Step;
use hexalog_sql_types::function::Volatility;
use hexalog_sql_types::{Datum, SqlError, TypeId, function};

const TEXT: TypeId = TypeId::TEXT;

pub(super) static FUNCTIONS: &[TableFunction] = &[
    table_of(
        1689,
        "aclexplode",
        &[TypeId::ACLITEM_ARRAY],
        &[
            ("grantor", TypeId::OID),
            ("grantee", TypeId::OID),
            ("privilege_type", TEXT),
            ("is_grantable", TypeId::BOOL),
        ],
        acl_explode,
    ),
    table_of(
        2289,
        "pg_options_to_table",
        &[TypeId::TEXT_ARRAY],
        &[("option_name", TEXT), ("option_value", TEXT)],
        options_to_table,
    ),
    table_of(
        1686,
        "pg_get_keywords",
        &[],
        &[
            ("word", TEXT),
            ("catcode", TypeId::CHAR),
            ("barelabel", TypeId::BOOL),
            ("catdesc", TEXT),
            ("baredesc", TEXT),
        ],
        keywords,
    ),
    TableFunction {
        schema: INFORMATION_SCHEMA_OID,
        volatility: Volatility::Immutable,
        ..table_of(
            13_208,
            "_pg_expandarray",
            &[TypeId::ANYARRAY],
            &[("x", TypeId::ANYELEMENT), ("n", TypeId::INT4)],
            expand_array,
        )
    },
    set_of(3425, "pg_partition_ancestors", &[TypeId::REGCLASS], TypeId::REGCLASS, partition_ancestors)
        .stable(),
    TableFunction { strict: false, ..set_of(6160, "string_to_table", &[TEXT, TEXT], TEXT, string_to_table) },
    TableFunction {
        strict: false,
        ..set_of(6161, "string_to_table", &[TEXT, TEXT, TEXT], TEXT, string_to_table)
    },
];

/// None: nothing is a partition here, and PostgreSQL has no rows for what is none. psql asks of every table that foreign
/// keys refer to.
fn partition_ancestors(_: &mut Context<'_>, _: &[Datum]) -> Step<Vec<Row>> {
    Ok(Vec::new())
}

/// Elements with their places, from 1 on. Of an array of several dimensions PostgreSQL's SQL text gives NULL for each of the
/// first: an element has as many subscripts as there are dimensions.
fn expand_array(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let Some(array) = arguments[0].as_array() else { return Ok(Vec::new()) };
    let Some(first) = array.dimensions.first() else { return Ok(Vec::new()) };
    let is_flat = array.dimensions.len() == 1;
    let element = |at: usize| if is_flat { array.elements()[at].clone() } else { Datum::Null };
    let places = 0..usize::try_from(first.length).unwrap_or(0);
    Ok(places.zip(1..).map(|(at, place)| vec![element(at), Datum::Int4(place)]).collect())
}

/// Grants do not exist yet, so that every list of them in the catalog is NULL, which gives no rows without a call.
fn acl_explode(_: &mut Context<'_>, _: &[Datum]) -> Step<Vec<Row>> {
    Err(SqlError::unsupported("aclexplode of a list that is not NULL").into())
}

/// `name=value` apart; an item without `=` has no value.
fn options_to_table(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let elements = arguments[0].as_array().map_or(&[][..], |array| array.elements());
    let row = |element: &Datum| {
        let text = element.as_str()?;
        Some(match text.split_once('=') {
            Some((name, value)) => vec![Datum::text(name), Datum::text(value)],
            None => vec![Datum::text(text), Datum::Null],
        })
    };
    Ok(elements.iter().filter_map(row).collect())
}

fn keywords(_: &mut Context<'_>, _: &[Datum]) -> Step<Vec<Row>> {
    let row = |&(word, category, is_bare_label): &(&'static str, u8, bool)| {
        let description = match category {
            b'U' => "unreserved",
            b'C' => "unreserved (cannot be function or type name)",
            b'T' => "reserved (can be function or type name)",
            _ => "reserved",
        };
        let label = if is_bare_label { "can be bare label" } else { "requires AS" };
        vec![
            Datum::text(word),
            Datum::Char(category),
            Datum::Bool(is_bare_label),
            Datum::text(description),
            Datum::text(label),
        ]
    };
    Ok(KEYWORDS.iter().map(row).collect())
}

/// `pg_proc` numbers of `string_to_array` with two and three arguments, which does the work.
const STRING_TO_ARRAY: [u32; 2] = [394, 376];

fn string_to_table(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    let split = function::by_oid(STRING_TO_ARRAY[arguments.len() - 2]).expect("sql-types has both");
    let array = split.apply(&context.env, arguments)?;
    let elements = array.as_array().map_or(&[][..], |array| array.elements());
    Ok(elements.iter().map(|element| vec![element.clone()]).collect())
}
