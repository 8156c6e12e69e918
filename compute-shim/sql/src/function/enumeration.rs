//! `enum_first`, `enum_last`, `enum_range`: the values of an enum type, which its argument's type alone decides.

use super::{HostFunction, host};
use crate::catalog::object::EnumLabel;
use crate::catalog::registry::check_usable;
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Array, Datum, EnumValue, Record, SqlError, SqlState, TypeId};

const ONE: &[TypeId] = &[TypeId::ANYENUM];
const TWO: &[TypeId] = &[TypeId::ANYENUM, TypeId::ANYENUM];

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(3528, "enum_first", ONE, TypeId::ANYENUM, |context, arguments| {
        let (id, labels) = labels(context, arguments)?;
        end(id, labels.first())
    })
    .typed()
    .called_on_null(),
    host(3529, "enum_last", ONE, TypeId::ANYENUM, |context, arguments| {
        let (id, labels) = labels(context, arguments)?;
        end(id, labels.last())
    })
    .typed()
    .called_on_null(),
    host(3530, "enum_range", TWO, TypeId::ANYARRAY, range).typed().called_on_null(),
    host(3531, "enum_range", ONE, TypeId::ANYARRAY, range).typed().called_on_null(),
];

fn record(arguments: &[Datum]) -> &Record {
    match arguments {
        [Datum::Record(record)] => record,
        _ => panic!("the binder passes typed arguments as one record: {arguments:?}"),
    }
}

/// The type that is asked about, and its values.
fn labels(context: &Context<'_>, arguments: &[Datum]) -> Result<(TypeId, Vec<EnumLabel>)> {
    let id = record(arguments).types[0];
    let object = context.view.catalog().enum_type(id);
    let object =
        object.ok_or_else(|| SqlError::internal(format!("cache lookup failed for type {}", id.0)))?;
    Ok((id, object.labels.clone()))
}

fn end(id: TypeId, label: Option<&EnumLabel>) -> Step<Datum> {
    let label = label.ok_or_else(|| {
        let message = format!("enum {} contains no values", id.display_name());
        SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
    })?;
    check_usable(id, label)?;
    Ok(Datum::Enum(EnumValue { id, key: label.key }))
}

/// `enum_range(any)`, `enum_range(from, to)`; NULL leaves an end open.
fn range(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let (id, labels) = labels(context, arguments)?;
    let (from, to) = match &*record(arguments).values {
        [from, to] => (bound(from), bound(to)),
        _ => (None, None),
    };
    let inside =
        |label: &&EnumLabel| from.is_none_or(|from| from <= label.key) && to.is_none_or(|to| label.key <= to);
    let mut values = Vec::with_capacity(labels.len());
    for label in labels.iter().filter(inside) {
        check_usable(id, label)?;
        values.push(Datum::Enum(EnumValue { id, key: label.key }));
    }
    Ok(Array::from_values(id, values).into())
}

fn bound(value: &Datum) -> Option<i64> {
    match value {
        Datum::Enum(value) => Some(value.key),
        _ => None,
    }
}
