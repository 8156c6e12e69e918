//! Set-returning functions of regular expressions; the work is done in `sql-types`.

use super::{TableFunction, set_of};
use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::{Datum, TypeId, function};

const TEXT: TypeId = TypeId::TEXT;

pub(super) static TABLE_FUNCTIONS: &[TableFunction] = &[
    set_of(2763, "regexp_matches", &[TEXT, TEXT], TypeId::TEXT_ARRAY, matches),
    set_of(2764, "regexp_matches", &[TEXT, TEXT, TEXT], TypeId::TEXT_ARRAY, matches),
    set_of(2765, "regexp_split_to_table", &[TEXT, TEXT], TEXT, split),
    set_of(2766, "regexp_split_to_table", &[TEXT, TEXT, TEXT], TEXT, split),
];

fn rows(values: Vec<Datum>) -> Vec<Row> {
    values.into_iter().map(|value| vec![value]).collect()
}

fn matches(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    Ok(rows(function::regexp_matches(&context.env, arguments)?))
}

fn split(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    Ok(rows(function::regexp_split_to_table(&context.env, arguments)?))
}
