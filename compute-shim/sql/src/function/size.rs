//! Sizes of relations and databases, and how sizes are written.
//!
//! Storage knows how many pages of a volume are in use, and not whose they are: of a database the size is that of the volume, which
//! holds all databases, and of anything else NULL, which says that it is not known.

use super::{HostFunction, host, integer_at, oid_at, text_at};
use crate::definition::no_database;
use crate::execute::Context;
use crate::stop::Step;
use hexalog_protocol::PAGE_SIZE;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, Numeric, SqlError, TypeId};

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(2325, "pg_relation_size", &[TypeId::REGCLASS], TypeId::INT8, unknown).volatile(),
    host(2332, "pg_relation_size", &[TypeId::REGCLASS, TypeId::TEXT], TypeId::INT8, unknown).volatile(),
    host(2997, "pg_table_size", &[TypeId::REGCLASS], TypeId::INT8, unknown).volatile(),
    host(2998, "pg_indexes_size", &[TypeId::REGCLASS], TypeId::INT8, unknown).volatile(),
    host(2286, "pg_total_relation_size", &[TypeId::REGCLASS], TypeId::INT8, unknown).volatile(),
    host(2324, "pg_database_size", &[TypeId::OID], TypeId::INT8, database_size).volatile(),
    host(2168, "pg_database_size", &[TypeId::NAME], TypeId::INT8, database_size_by_name).volatile(),
    host(2322, "pg_tablespace_size", &[TypeId::OID], TypeId::INT8, unknown).volatile(),
    host(2323, "pg_tablespace_size", &[TypeId::NAME], TypeId::INT8, unknown).volatile(),
    host(2288, "pg_size_pretty", &[TypeId::INT8], TypeId::TEXT, size_pretty).immutable(),
    host(3166, "pg_size_pretty", &[TypeId::NUMERIC], TypeId::TEXT, numeric_size_pretty).immutable(),
];

fn unknown(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::Null)
}

/// NULL for a database that there is not.
fn database_size(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    match context.view.catalog().database(oid_at(arguments, 0)) {
        Some(_) => volume_size(context),
        None => Ok(Datum::Null),
    }
}

/// 3D000 for a database that there is not.
fn database_size_by_name(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let name = text_at(arguments, 0);
    match context.view.catalog().database_by_name(name) {
        Some(_) => volume_size(context),
        None => Err(no_database(name).into()),
    }
}

/// Bytes of the volume's pages that are in use: those of undo, and of what is gone and not purged yet, among them.
fn volume_size(context: &mut Context<'_>) -> Step<Datum> {
    let bytes = u128::from(context.stores.engine.pages_used()?) * PAGE_SIZE as u128;
    Ok(Datum::Int8(i64::try_from(bytes).unwrap_or(i64::MAX)))
}

/// A unit with the size from which the next one is taken, whether a half is added before it is printed (its figure is
/// kept doubled for that), and its power of two.
struct Unit {
    name: &'static str,
    limit: u32,
    is_rounded: bool,
    bits: u32,
}

/// `size_pretty_units` of PostgreSQL's `dbsize.c`.
const UNITS: &[Unit] = &[
    Unit { name: "bytes", limit: 10 * 1024, is_rounded: false, bits: 0 },
    Unit { name: "kB", limit: 20 * 1024 - 1, is_rounded: true, bits: 10 },
    Unit { name: "MB", limit: 20 * 1024 - 1, is_rounded: true, bits: 20 },
    Unit { name: "GB", limit: 20 * 1024 - 1, is_rounded: true, bits: 30 },
    Unit { name: "TB", limit: 20 * 1024 - 1, is_rounded: true, bits: 40 },
    Unit { name: "PB", limit: 20 * 1024 - 1, is_rounded: true, bits: 50 },
];

/// By how much a figure shrinks from one unit to the next: the first step leaves it doubled.
fn divisor(unit: &Unit, next: &Unit) -> i64 {
    let doubled = u32::from(next.is_rounded) - u32::from(unit.is_rounded);
    1 << (next.bits - unit.bits - doubled)
}

fn pretty(size: i64) -> String {
    let mut size = size;
    let mut units = UNITS.iter().peekable();
    while let Some(unit) = units.next() {
        match units.peek() {
            Some(next) if size.unsigned_abs() >= u64::from(unit.limit) => size /= divisor(unit, next),
            _ => {
                if unit.is_rounded {
                    size = (size + if size < 0 { -1 } else { 1 }) / 2;
                }
                return format!("{size} {}", unit.name);
            }
        }
    }
    unreachable!("the last unit takes everything")
}

fn size_pretty(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    Ok(Datum::from(pretty(integer_at(arguments, 0))))
}

fn numeric_pretty(size: &Numeric) -> Result<String> {
    let whole = |value: i64| Numeric::from_digits(value, 0);
    let mut size = size.clone();
    let mut units = UNITS.iter().peekable();
    while let Some(unit) = units.next() {
        match units.peek() {
            Some(next) if size.abs() >= whole(i64::from(unit.limit)) => {
                size = size.divide_truncated(&whole(divisor(unit, next)))?;
            }
            _ => {
                if unit.is_rounded {
                    let half = whole(if size.signum() < 0 { -1 } else { 1 });
                    size = size.add(&half)?.divide_truncated(&whole(2))?;
                }
                return Ok(format!("{size} {}", unit.name));
            }
        }
    }
    unreachable!("the last unit takes everything")
}

fn numeric_size_pretty(_: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    match &arguments[0] {
        Datum::Numeric(size) => Ok(Datum::from(numeric_pretty(size)?)),
        other => Err(SqlError::internal(format!("numeric expected, found {other:?}")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_postgresql_writes_them() {
        for (size, expected) in [
            (10, "10 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (-1_000_000, "-977 kB"),
            (123_456_789_012_345_678, "110 PB"),
        ] {
            assert_eq!(pretty(size), expected);
        }
        for (size, expected) in
            [("10.5", "10.5 bytes"), ("100000000000000000000", "88818 PB"), ("-1000000", "-977 kB")]
        {
            assert_eq!(numeric_pretty(&Numeric::parse(size).unwrap()).unwrap(), expected);
        }
    }
}
