//! `pg_cancel_backend` and `pg_terminate_backend`.
//!
//! A session is told through the environment, and stops where it next looks. Whoever means himself stops in the statement that
//! says so, as in PostgreSQL.

use super::{HostFunction, host, integer_at};
use crate::environment::LOOK_US;
use crate::execute::Context;
use crate::stop::Step;
use hexalog_engine::Need;
use hexalog_sql_types::{Datum, SqlError, SqlState, TypeId};

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(2171, "pg_cancel_backend", &[TypeId::INT4], TypeId::BOOL, cancel).once(),
    HostFunction {
        defaults: 1,
        ..host(2096, "pg_terminate_backend", &[TypeId::INT4, TypeId::INT8], TypeId::BOOL, terminate).once()
    },
];

fn process_id_at(arguments: &[Datum]) -> i32 {
    i32::try_from(integer_at(arguments, 0)).expect("an integer")
}

fn warn(context: &mut Context<'_>, message: String) -> Step<Datum> {
    context.effects.warnings.push(SqlError::new(SqlState::WARNING, message));
    Ok(Datum::Bool(false))
}

fn is_there(context: &Context<'_>, process_id: i32) -> bool {
    context.database.sessions.find(process_id).is_some()
}

fn not_there(context: &mut Context<'_>, process_id: i32) -> Step<Datum> {
    warn(context, format!("PID {process_id} is not a PostgreSQL backend process"))
}

/// The statement rests, and stops there if it is to stop; until then it is called again.
fn rest(context: &mut Context<'_>, until_us: i64) -> Step<Datum> {
    context.effects.signalled = Some(until_us);
    context.environment.pause(LOOK_US);
    Err(Need::Yield.into())
}

fn cancel(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let process_id = process_id_at(arguments);
    if context.effects.signalled.take().is_some() {
        return Ok(Datum::Bool(true));
    }
    if !is_there(context, process_id) {
        return not_there(context, process_id);
    }
    context.environment.cancel(process_id);
    match process_id == context.view.process_id {
        true => rest(context, 0),
        false => Ok(Datum::Bool(true)),
    }
}

fn terminate(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let process_id = process_id_at(arguments);
    let timeout_ms = if arguments.len() > 1 { integer_at(arguments, 1) } else { 0 };
    if timeout_ms < 0 {
        let message = "\"timeout\" must not be negative";
        return Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, message).into());
    }
    let is_own = process_id == context.view.process_id;
    let now_us = context.environment.wall_clock_us();
    let Some(until_us) = context.effects.signalled.take() else {
        if !is_there(context, process_id) {
            return not_there(context, process_id);
        }
        context.environment.terminate(process_id);
        return match timeout_ms > 0 || is_own {
            true => rest(context, now_us.saturating_add(timeout_ms.saturating_mul(1_000))),
            false => Ok(Datum::Bool(true)),
        };
    };
    if is_own || !is_there(context, process_id) {
        return Ok(Datum::Bool(true));
    }
    if now_us < until_us {
        return rest(context, until_us);
    }
    let message = format!("backend with PID {process_id} did not terminate within {timeout_ms} milliseconds");
    warn(context, message)
}
