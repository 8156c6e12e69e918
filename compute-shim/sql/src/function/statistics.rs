//! Functions about the counters of tables and indexes, which `relation_statistics.rs` owns.

use super::{HostFunction, host, oid_at};
use crate::catalog::Relation;
use crate::catalog::object::Oid;
use crate::execute::Context;
use crate::stop::Step;
use hexalog_sql_types::{Datum, TypeId};

const VOID: TypeId = TypeId::VOID;

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(2274, "pg_stat_reset", &[], VOID, reset).once().called_on_null(),
    host(3776, "pg_stat_reset_single_table_counters", &[TypeId::OID], VOID, reset_one).once(),
    // Each statement adds what it counts when it ends, and each look at the counters shows them as they are.
    host(2137, "pg_stat_force_next_flush", &[], VOID, nothing).volatile().called_on_null(),
    host(2230, "pg_stat_clear_snapshot", &[], VOID, nothing).volatile().called_on_null(),
];

fn nothing(_: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    Ok(Datum::text(""))
}

/// Of the tables of this database.
fn reset(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    let tables: Vec<Oid> = context.view.catalog().tables().map(|table| table.oid).collect();
    tables.into_iter().for_each(|table| context.database.relations.forget(table));
    nothing(context, &[])
}

/// Of a table or an index of this database; of nothing that there is not.
fn reset_one(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    match context.view.catalog().relation(oid_at(arguments, 0)) {
        Some(Relation::Table(table)) => context.database.relations.forget(table.oid),
        Some(Relation::Index(table, index)) => {
            context.database.relations.forget_index(table.oid, table.indexes[index].oid);
        }
        _ => {}
    }
    nothing(context, &[])
}
