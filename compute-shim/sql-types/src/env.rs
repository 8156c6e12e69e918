//! What an expression may know of the world: clocks, randomness, time zone and names, all handed in.
//!
//! Owns [`EvalEnv`] and the [`Host`] trait. Never reads a clock or a random source itself; the session does and
//! passes the result. Read next: `datetime::zone` for time zones.

use crate::datetime::{IntervalStyle, TimeZone, Timestamptz};
use crate::error::{Result, SqlError};
use crate::types::TypeId;

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

    /// The text of a `reg…` value as PostgreSQL prints it (quoted and qualified where needed); `None` for an oid
    /// without an object, which prints as digits.
    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String>;

    /// Finds the object that the text of a `reg…` value names. Errors such as 42P01 belong to the implementer.
    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32>;
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

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        let known = id == TypeId::REGTYPE && TypeId(oid).info().is_some();
        known.then(|| TypeId(oid).display_name())
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        match id {
            TypeId::REGTYPE => crate::types::type_from_name(name).map(|id| id.0),
            _ => Err(SqlError::unsupported(format!("looking up {} values here", id.display_name()))),
        }
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
    use crate::types::Typmod;

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
