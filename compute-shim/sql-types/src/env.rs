//! What an expression may know of the world: clocks, randomness, time zone and names, all handed in.
//!
//! Owns [`EvalEnv`], the [`Host`] trait and [`Watch`]. Never reads a clock or a random source itself; the session does and
//! passes the result. Read next: `datetime::zone` for time zones.

use std::cell::Cell;
use std::sync::Arc;

use crate::datetime::{IntervalStyle, TimeZone, Timestamptz};
use crate::datum::EnumValue;
use crate::error::{Result, SqlError};
use crate::types::{TypeId, Typmod, format_type, marked_value, value_mark};

/// The surroundings of one statement's expressions.
#[derive(Clone, Copy)]
pub struct EvalEnv<'a> {
    /// Start of the transaction: `now()`.
    pub transaction_timestamp: Timestamptz,
    /// Arrival of the statement: `statement_timestamp()`.
    pub statement_timestamp: Timestamptz,
    /// The session's `TimeZone`.
    pub time_zone: &'a TimeZone,
    /// The session's `IntervalStyle`.
    pub interval_style: IntervalStyle,
    /// Everything that has to be asked for.
    pub host: &'a dyn Host,
}

/// What a session provides to its expressions on request.
pub trait Host {
    /// The time at this moment: `clock_timestamp()`.
    fn clock(&self) -> Timestamptz;

    /// 64 random bits.
    fn random_u64(&self) -> u64;

    /// Why the statement shall stop, if it shall. Asked by what may take long within one call ([`Watch`]).
    fn cancelled(&self) -> Option<SqlError>;

    /// The text of a `reg…` value as PostgreSQL prints it (quoted and qualified where needed); `None` for an oid
    /// without an object, which prints as digits.
    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String>;

    /// Finds the object that the text of a `reg…` value names. Errors such as 42P01 belong to the implementer.
    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32>;

    /// The label of a value of an enum type; `None` if the type has no such value.
    fn enum_label(&self, value: EnumValue) -> Option<Arc<str>>;

    /// The place of the value of an enum type that has this label. 22P02 if there is none, 55P04 if it must not be used yet.
    fn enum_key(&self, id: TypeId, label: &str) -> Result<i64>;
}

/// A host without a session: a standing clock at 2000-01-01, zeros for randomness, built-in types as only names.
/// Serves folding of constants and tests.
pub struct NoHost;

impl Host for NoHost {
    fn clock(&self) -> Timestamptz {
        Timestamptz(0)
    }

    fn random_u64(&self) -> u64 {
        0
    }

    fn cancelled(&self) -> Option<SqlError> {
        None
    }

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        let known = id == TypeId::REGTYPE && TypeId(oid).info().is_some();
        known.then(|| TypeId(oid).display_name())
    }

    /// Without a catalog a value's mark is all that there is to show.
    fn enum_label(&self, value: EnumValue) -> Option<Arc<str>> {
        Some(value_mark(value).into())
    }

    fn enum_key(&self, _: TypeId, label: &str) -> Result<i64> {
        marked_value(label).ok_or_else(|| SqlError::unsupported("looking up values of an enum here"))
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        match id {
            TypeId::REGTYPE => crate::types::type_from_name(name).map(|id| id.0),
            _ => Err(SqlError::unsupported(format!("looking up {} values here", id.display_name()))),
        }
    }
}

/// Steps between two looks: some 40 ms where each of them visits sixteen states of a machine that does not fit the cache, a
/// fraction of a millisecond where it reads a byte. A look costs some 30 ns. Read off a microbenchmark.
pub(crate) const STEPS_PER_LOOK: usize = 1 << 18;

/// Counts the steps of a call that may take long, and looks from time to time whether the statement shall stop: a call is not
/// left before its end otherwise, and the session notices nothing until then.
pub(crate) struct Watch<'a> {
    host: &'a dyn Host,
}

thread_local! {
    /// Steps until the next look, of all calls on this thread together: many that are short take as long as one.
    static STEPS_LEFT: Cell<usize> = const { Cell::new(STEPS_PER_LOOK) };
}

/// The next step is one before which to look: what has just been done took long, and could not be stopped.
pub(crate) fn look_soon() {
    STEPS_LEFT.set(0);
}

impl<'a> Watch<'a> {
    pub(crate) fn new(env: &EvalEnv<'a>) -> Watch<'a> {
        Watch { host: env.host }
    }

    /// So many steps are to be done. The error with which the statement ends, if it shall.
    #[inline]
    pub(crate) fn count(&mut self, steps: usize) -> Result<()> {
        match STEPS_LEFT.get().checked_sub(steps) {
            Some(left) => {
                STEPS_LEFT.set(left);
                Ok(())
            }
            None => self.look(),
        }
    }

    /// Before what takes some time and cannot be divided.
    #[cold]
    pub(crate) fn look(&mut self) -> Result<()> {
        STEPS_LEFT.set(STEPS_PER_LOOK);
        self.host.cancelled().map_or(Ok(()), Err)
    }
}

impl EvalEnv<'_> {
    /// A type's name as this session must write it, with a modifier where there is one ([`format_type`]).
    pub fn type_name(&self, id: TypeId, typmod: Option<Typmod>) -> String {
        match id.is_enum() || id.is_enum_array() {
            true => self.host.registry_name(TypeId::REGTYPE, id.0).unwrap_or_else(|| "???".to_owned()),
            false => format_type(id, typmod),
        }
    }

    /// The label of a value of an enum type; its place in digits if the type has lost it.
    pub fn enum_label(&self, value: EnumValue) -> Arc<str> {
        self.host.enum_label(value).unwrap_or_else(|| value.key.to_string().into())
    }
}

impl EvalEnv<'static> {
    /// The environment of [`NoHost`] in UTC.
    pub fn without_session() -> EvalEnv<'static> {
        EvalEnv {
            transaction_timestamp: Timestamptz(0),
            statement_timestamp: Timestamptz(0),
            time_zone: TimeZone::utc(),
            interval_style: IntervalStyle::Postgres,
            host: &NoHost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datum::Datum;
    use crate::text;

    #[test]
    fn registry_values() {
        let env = EvalEnv::without_session();
        for (given, oid, printed) in [
            ("int4", 23, "integer"),
            ("23", 23, "integer"),
            ("-", 0, "-"),
            ("text[]", 1009, "text[]"),
            ("9", 9, "9"),
        ] {
            let value = text::input(&env, TypeId::REGTYPE, Typmod::NONE, given).expect(given);
            assert!(matches!(value, Datum::Oid(found) if found == oid), "{given}: {value:?}");
            assert_eq!(text::output_string(&env, TypeId::REGTYPE, &value), printed);
        }
        let error =
            text::input(&env, TypeId::REGCLASS, Typmod::NONE, "pg_class").expect_err("no catalog here");
        assert_eq!(error.to_string(), "ERROR 0A000: looking up regclass values here is not supported");
    }
}
