//! Advisory locks: `pg_advisory_lock` and its kin.
//!
//! What the session holds is in [`crate::execute::Effects`]; the rules are the engine's.

use super::{HostFunction, host, integer_at};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_engine::{AdvisoryExtent, AdvisoryKey, RelationLockMode};
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId};

const EXCLUSIVE: RelationLockMode = RelationLockMode::Exclusive;
const SHARE: RelationLockMode = RelationLockMode::Share;
const SESSION: AdvisoryExtent = AdvisoryExtent::Session;
const TRANSACTION: AdvisoryExtent = AdvisoryExtent::Transaction;

/// A function over one `bigint` and its twin over two `integer`s.
macro_rules! both {
    ($($number:literal $pair:literal $name:literal $result:ident $call:expr;)*) => {
        &[
            $(
                host($number, $name, &[TypeId::INT8], TypeId::$result, $call).once(),
                host($pair, $name, &[TypeId::INT4, TypeId::INT4], TypeId::$result, $call).once(),
            )*
            host(2892, "pg_advisory_unlock_all", &[], TypeId::VOID, unlock_all).once(),
        ]
    };
}

pub(super) static FUNCTIONS: &[HostFunction] = both! {
    2880 2886 "pg_advisory_lock" VOID |context, key| lock(context, key, EXCLUSIVE, SESSION);
    2881 2887 "pg_advisory_lock_shared" VOID |context, key| lock(context, key, SHARE, SESSION);
    3089 3093 "pg_advisory_xact_lock" VOID |context, key| lock(context, key, EXCLUSIVE, TRANSACTION);
    3090 3094 "pg_advisory_xact_lock_shared" VOID |context, key| lock(context, key, SHARE, TRANSACTION);
    2882 2888 "pg_try_advisory_lock" BOOL |context, key| try_lock(context, key, EXCLUSIVE, SESSION);
    2883 2889 "pg_try_advisory_lock_shared" BOOL |context, key| try_lock(context, key, SHARE, SESSION);
    3091 3095 "pg_try_advisory_xact_lock" BOOL |context, key| try_lock(context, key, EXCLUSIVE, TRANSACTION);
    3092 3096 "pg_try_advisory_xact_lock_shared" BOOL |context, key| try_lock(context, key, SHARE, TRANSACTION);
    2884 2890 "pg_advisory_unlock" BOOL |context, key| unlock(context, key, EXCLUSIVE);
    2885 2891 "pg_advisory_unlock_shared" BOOL |context, key| unlock(context, key, SHARE);
};

fn key(context: &Context<'_>, arguments: &[Datum]) -> AdvisoryKey {
    let database = context.view.catalog().database;
    let number = match arguments {
        [Datum::Int4(first), Datum::Int4(second)] => {
            u64::from(first.cast_unsigned()) << 32 | u64::from(second.cast_unsigned())
        }
        _ => integer_at(arguments, 0).cast_unsigned(),
    };
    AdvisoryKey { database, number, is_pair: arguments.len() == 2 }
}

fn lock(
    context: &mut Context<'_>,
    arguments: &[Datum],
    mode: RelationLockMode,
    extent: AdvisoryExtent,
) -> Step<Datum> {
    let key = key(context, arguments);
    context.stores.engine.lock_advisory(
        context.stores.transaction,
        &mut context.effects.advisory,
        key,
        mode,
        extent,
    )?;
    Ok(Datum::text(""))
}

fn try_lock(
    context: &mut Context<'_>,
    arguments: &[Datum],
    mode: RelationLockMode,
    extent: AdvisoryExtent,
) -> Step<Datum> {
    let key = key(context, arguments);
    let locks = &mut context.effects.advisory;
    Ok(Datum::Bool(context.stores.engine.try_lock_advisory(
        context.stores.transaction,
        locks,
        key,
        mode,
        extent,
    )?))
}

fn unlock(context: &mut Context<'_>, arguments: &[Datum], mode: RelationLockMode) -> Step<Datum> {
    let key = key(context, arguments);
    let was_held = context.stores.engine.unlock_advisory(&mut context.effects.advisory, key, mode);
    if !was_held {
        let name = if mode == SHARE { "ShareLock" } else { "ExclusiveLock" };
        let message = format!("you don't own a lock of type {name}");
        context.effects.warnings.push(SqlError::new(SqlState::WARNING, message));
    }
    Ok(Datum::Bool(was_held))
}

fn unlock_all(context: &mut Context<'_>, _: &[Datum]) -> Step<Datum> {
    context.stores.engine.unlock_all_advisory(&mut context.effects.advisory);
    Ok(Datum::text(""))
}
