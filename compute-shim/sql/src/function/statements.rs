//! The functions of `pg_stat_statements`.

use super::{HostFunction, TableFunction, bool_at, host, integer_at, oid_at, table_of};
use crate::catalog::system::{pg_stat_statements, pg_stat_statements_info};
use crate::execute::{Context, Row};
use crate::stop::Step;
use hexalog_sql_types::{Datum, TypeId};

const OID: TypeId = TypeId::OID;
const INT8: TypeId = TypeId::INT8;
const FLOAT8: TypeId = TypeId::FLOAT8;

pub(super) static FUNCTIONS: &[HostFunction] = &[HostFunction {
    defaults: 3,
    ..host(13_903, "pg_stat_statements_reset", &[OID, OID, INT8], TypeId::VOID, reset).once()
}];

pub(super) static TABLE_FUNCTIONS: &[TableFunction] = &[
    table_of(13_904, "pg_stat_statements", &[TypeId::BOOL], COLUMNS, statements),
    table_of(
        13_905,
        "pg_stat_statements_info",
        &[],
        &[("dealloc", INT8), ("stats_reset", TypeId::TIMESTAMPTZ)],
        |context, _| Ok(pg_stat_statements_info(&context.database.statements)),
    ),
];

#[rustfmt::skip]
const COLUMNS: &[(&str, TypeId)] = &[
    ("userid", OID), ("dbid", OID), ("toplevel", TypeId::BOOL), ("queryid", INT8), ("query", TypeId::TEXT),
    ("plans", INT8), ("total_plan_time", FLOAT8), ("min_plan_time", FLOAT8), ("max_plan_time", FLOAT8),
    ("mean_plan_time", FLOAT8), ("stddev_plan_time", FLOAT8),
    ("calls", INT8), ("total_exec_time", FLOAT8), ("min_exec_time", FLOAT8), ("max_exec_time", FLOAT8),
    ("mean_exec_time", FLOAT8), ("stddev_exec_time", FLOAT8), ("rows", INT8),
    ("shared_blks_hit", INT8), ("shared_blks_read", INT8), ("shared_blks_dirtied", INT8), ("shared_blks_written", INT8),
    ("local_blks_hit", INT8), ("local_blks_read", INT8), ("local_blks_dirtied", INT8), ("local_blks_written", INT8),
    ("temp_blks_read", INT8), ("temp_blks_written", INT8),
    ("blk_read_time", FLOAT8), ("blk_write_time", FLOAT8), ("temp_blk_read_time", FLOAT8), ("temp_blk_write_time", FLOAT8),
    ("wal_records", INT8), ("wal_fpi", INT8), ("wal_bytes", TypeId::NUMERIC),
    ("jit_functions", INT8), ("jit_generation_time", FLOAT8), ("jit_inlining_count", INT8), ("jit_inlining_time", FLOAT8),
    ("jit_optimization_count", INT8), ("jit_optimization_time", FLOAT8),
    ("jit_emission_count", INT8), ("jit_emission_time", FLOAT8),
];

/// Zero stands for all.
fn reset(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let number = |at: usize| (arguments.len() > at).then(|| oid_at(arguments, at)).filter(|oid| *oid != 0);
    let query_id = (arguments.len() > 2).then(|| integer_at(arguments, 2)).filter(|id| *id != 0);
    let now_us = context.environment.wall_clock_us();
    context.database.statements.reset(number(0), number(1), query_id, now_us);
    Ok(Datum::text(""))
}

fn statements(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Vec<Row>> {
    Ok(pg_stat_statements(&context.database.statements, bool_at(arguments, 0)))
}
