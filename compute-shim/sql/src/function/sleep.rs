//! `pg_sleep` and its kin: a statement that does nothing until a time has come.

use super::{HostFunction, host};
use crate::execute::Context;
use crate::stop::Step;
use hexalog_engine::Need;
use hexalog_sql_types::datetime::Timestamptz;
use hexalog_sql_types::{Datum, TypeId};

const US_PER_SECOND: f64 = 1e6;

pub(super) static FUNCTIONS: &[HostFunction] = &[
    host(2626, "pg_sleep", &[TypeId::FLOAT8], TypeId::VOID, for_seconds).once(),
    host(3935, "pg_sleep_for", &[TypeId::INTERVAL], TypeId::VOID, for_interval).once(),
    host(3936, "pg_sleep_until", &[TypeId::TIMESTAMPTZ], TypeId::VOID, until).once(),
];

fn for_seconds(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let &[Datum::Float8(seconds)] = arguments else { unreachable!("bound with this type") };
    // Saturates: what is no number is zero, and an endless sleep ends with the session.
    let us = (seconds * US_PER_SECOND) as i64;
    sleep(context, |now_us| Ok(now_us.saturating_add(us)))
}

fn for_interval(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let [Datum::Interval(interval)] = arguments else { unreachable!("bound with this type") };
    let zone = context.env.time_zone;
    sleep(context, |now_us| Ok(Timestamptz(now_us).add_interval(interval, zone)?.0))
}

fn until(context: &mut Context<'_>, arguments: &[Datum]) -> Step<Datum> {
    let &[Datum::Timestamptz(end)] = arguments else { unreachable!("bound with this type") };
    sleep(context, |_| Ok(end.0))
}

/// Until the time that `end_us` makes of the one at which this call is evaluated first: it is evaluated again and again until it
/// returns, and no other call meanwhile.
fn sleep(context: &mut Context<'_>, end_us: impl FnOnce(i64) -> Step<i64>) -> Step<Datum> {
    let now_us = context.environment.wall_clock_us();
    let until_us = match context.state.sleeps_until_us {
        Some(until_us) => until_us,
        None => *context.state.sleeps_until_us.insert(end_us(now_us)?),
    };
    if now_us >= until_us {
        context.state.sleeps_until_us = None;
        return Ok(Datum::text(""));
    }
    if let Some(reason) = context.environment.cancelled() {
        return Err(reason.error().into());
    }
    context.effects.is_asleep.set(true);
    context.environment.pause(until_us.abs_diff(now_us));
    Err(Need::Yield.into())
}
