//! Storage parameters (`WITH (fillfactor = 70)`): which exist, what they may be, and merging new ones into old.
//!
//! Owns PostgreSQL's tables of them as far as they belong to heaps and B-trees. They are kept and shown; this storage
//! has no use for their values but for those that say when a table is analysed.

use crate::parse::tree::{AlterTableAction, StorageParameter};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;

/// What a parameter's value may be.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Int(i64, i64),
    Real(f64, f64),
    Word(&'static [&'static str]),
}

use Kind::{Bool, Int, Real, Word};

const INT_MAX: i64 = i32::MAX as i64;

/// Parameters of tables, from PostgreSQL's `reloptions.c`.
const TABLE: &[(&str, Kind)] = &[
    ("fillfactor", Int(10, 100)),
    ("autovacuum_enabled", Bool),
    ("autovacuum_analyze_scale_factor", Real(0.0, 100.0)),
    ("autovacuum_analyze_threshold", Int(0, INT_MAX)),
    ("autovacuum_freeze_max_age", Int(100_000, 2_000_000_000)),
    ("autovacuum_freeze_min_age", Int(0, 1_000_000_000)),
    ("autovacuum_freeze_table_age", Int(0, 2_000_000_000)),
    ("autovacuum_multixact_freeze_max_age", Int(10_000, 2_000_000_000)),
    ("autovacuum_multixact_freeze_min_age", Int(0, 1_000_000_000)),
    ("autovacuum_multixact_freeze_table_age", Int(0, 2_000_000_000)),
    ("autovacuum_vacuum_cost_delay", Real(0.0, 100.0)),
    ("autovacuum_vacuum_cost_limit", Int(1, 10_000)),
    ("autovacuum_vacuum_insert_scale_factor", Real(0.0, 100.0)),
    ("autovacuum_vacuum_insert_threshold", Int(-1, INT_MAX)),
    ("autovacuum_vacuum_scale_factor", Real(0.0, 100.0)),
    ("autovacuum_vacuum_threshold", Int(0, INT_MAX)),
    ("log_autovacuum_min_duration", Int(-1, INT_MAX)),
    ("parallel_workers", Int(0, 1_024)),
    ("toast_tuple_target", Int(128, 8_160)),
    ("user_catalog_table", Bool),
    ("vacuum_index_cleanup", Word(&["auto", "on", "off", "true", "false", "yes", "no", "1", "0"])),
    ("vacuum_truncate", Bool),
];

/// Parameters of B-tree indexes.
const INDEX: &[(&str, Kind)] = &[("fillfactor", Int(10, 100)), ("deduplicate_items", Bool)];

/// Whose parameters they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    Table,
    Index,
}

/// What a word means as a value of a boolean parameter, if anything.
pub(crate) fn parse_bool(word: &str) -> Option<bool> {
    let word = word.to_ascii_lowercase();
    // PostgreSQL takes any prefix that leaves no doubt.
    let prefix_of = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if prefix_of("true", 1) || prefix_of("yes", 1) || prefix_of("on", 2) || word == "1" {
        return Some(true);
    }
    let is_false = prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || word == "0";
    is_false.then_some(false)
}

fn out_of_bounds(
    name: &str,
    value: &str,
    low: impl std::fmt::Display,
    high: impl std::fmt::Display,
) -> SqlError {
    SqlError::invalid_parameter(format!("value {value} out of bounds for option \"{name}\""))
        .with_detail(format!("Valid values are between \"{low}\" and \"{high}\"."))
}

fn check(name: &str, value: &str, kind: Kind) -> Result<()> {
    let invalid = |what: &str| {
        SqlError::invalid_parameter(format!("invalid value for {what} option \"{name}\": {value}"))
    };
    match kind {
        Bool if parse_bool(value).is_some() => Ok(()),
        Bool => Err(invalid("boolean")),
        Int(low, high) => match value.parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(()),
            Ok(_) => Err(out_of_bounds(name, value, low, high)),
            Err(_) => Err(invalid("integer")),
        },
        Real(low, high) => match value.parse::<f64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(()),
            Ok(_) => Err(out_of_bounds(name, value, format!("{low:.6}"), format!("{high:.6}"))),
            Err(_) => Err(invalid("floating point")),
        },
        Word(words) if words.contains(&value.to_ascii_lowercase().as_str()) => Ok(()),
        Word(_) => Err(invalid("enum").with_detail("Valid values are \"on\", \"off\", and \"auto\".")),
    }
}

/// Checks what was written and gives it the form that is stored: a name alone means `true`.
pub(super) fn checked(of: Of, written: &[StorageParameter]) -> Result<Vec<StorageParameter>> {
    let known = if of == Of::Table { TABLE } else { INDEX };
    let mut stored: Vec<StorageParameter> = Vec::with_capacity(written.len());
    for StorageParameter { name, value } in written {
        if let Some((namespace, _)) = name.split_once('.') {
            return Err(match (namespace, of) {
                ("toast", Of::Table) => SqlError::unsupported("a storage parameter of TOAST tables"),
                _ => SqlError::invalid_parameter(format!("unrecognized parameter namespace \"{namespace}\"")),
            });
        }
        if stored.iter().any(|other| other.name == *name) {
            let message = format!("parameter \"{name}\" specified more than once");
            return Err(SqlError::invalid_parameter(message));
        }
        let value = value.clone().unwrap_or_else(|| "true".to_owned());
        if name == "oids" && of == Of::Table {
            match value.to_ascii_lowercase().as_str() {
                "false" | "off" | "no" | "0" => continue,
                _ => {
                    let message = "tables declared WITH OIDS are not supported";
                    let state = hexalog_sql_types::SqlState::FEATURE_NOT_SUPPORTED;
                    return Err(SqlError::new(state, message));
                }
            }
        }
        let Some((_, kind)) = known.iter().find(|(other, _)| other == name) else {
            return Err(SqlError::invalid_parameter(format!("unrecognized parameter \"{name}\"")));
        };
        check(name, &value, *kind)?;
        stored.push(StorageParameter { name: name.clone(), value: Some(value) });
    }
    Ok(stored)
}

/// SET: new values take the place of old ones, new names go to the end.
fn merged(old: &[StorageParameter], new: Vec<StorageParameter>) -> Vec<StorageParameter> {
    let mut merged: Vec<StorageParameter> =
        old.iter().filter(|old| new.iter().all(|new| new.name != old.name)).cloned().collect();
    merged.extend(new);
    merged
}

/// RESET: what is named falls. A name that nothing bears is no error.
fn without(old: &[StorageParameter], named: &[StorageParameter]) -> Result<Vec<StorageParameter>> {
    if named.iter().any(|parameter| parameter.value.is_some()) {
        return Err(SqlError::syntax("RESET must not include values for parameters"));
    }
    Ok(old.iter().filter(|old| named.iter().all(|named| named.name != old.name)).cloned().collect())
}

/// Whether an action of ALTER TABLE or ALTER INDEX is about parameters.
pub(super) fn is_of_parameters(action: &AlterTableAction) -> bool {
    matches!(action, AlterTableAction::SetParameters(_) | AlterTableAction::ResetParameters(_))
}

/// The parameters after such an action.
pub(super) fn altered(
    of: Of,
    old: &[StorageParameter],
    action: &AlterTableAction,
) -> Result<Vec<StorageParameter>> {
    match action {
        AlterTableAction::SetParameters(written) => Ok(merged(old, checked(of, written)?)),
        AlterTableAction::ResetParameters(named) => without(old, named),
        _ => unreachable!("asked by `is_of_parameters`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, value: Option<&str>) -> StorageParameter {
        StorageParameter { name: name.to_owned(), value: value.map(str::to_owned) }
    }

    #[test]
    fn values_are_checked_as_postgres_does() {
        for (name, value, expected) in [
            ("fillfactor", Some("70"), Ok("70")),
            ("fillfactor", Some("100"), Ok("100")),
            ("fillfactor", Some("5"), Err("22023 value 5 out of bounds for option \"fillfactor\"")),
            ("fillfactor", Some("abc"), Err("22023 invalid value for integer option \"fillfactor\": abc")),
            ("fillfactor", None, Err("22023 invalid value for integer option \"fillfactor\": true")),
            ("foo", Some("5"), Err("22023 unrecognized parameter \"foo\"")),
            ("bla.fillfactor", Some("7"), Err("22023 unrecognized parameter namespace \"bla\"")),
            ("autovacuum_enabled", None, Ok("true")),
            ("autovacuum_enabled", Some("of"), Ok("of")),
            (
                "autovacuum_enabled",
                Some("7"),
                Err("22023 invalid value for boolean option \"autovacuum_enabled\": 7"),
            ),
            ("autovacuum_vacuum_scale_factor", Some("0.2"), Ok("0.2")),
            (
                "autovacuum_vacuum_scale_factor",
                Some("200"),
                Err("22023 value 200 out of bounds for option \"autovacuum_vacuum_scale_factor\""),
            ),
            ("oids", Some("true"), Err("0A000 tables declared WITH OIDS are not supported")),
        ] {
            let found = checked(Of::Table, &[parameter(name, value)])
                .map(|stored| stored[0].value.clone().expect("stored with a value"))
                .map_err(|error| format!("{} {}", error.sqlstate(), error.message()));
            assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{name} = {value:?}");
        }
    }

    #[test]
    fn twice_is_an_error_and_set_replaces() {
        let twice = [parameter("fillfactor", Some("50")), parameter("fillfactor", Some("50"))];
        let error = checked(Of::Index, &twice).expect_err("twice");
        assert_eq!(error.message(), "parameter \"fillfactor\" specified more than once");
        let old = [parameter("fillfactor", Some("50")), parameter("parallel_workers", Some("2"))];
        let new = vec![parameter("fillfactor", Some("60"))];
        assert_eq!(
            merged(&old, new),
            [parameter("parallel_workers", Some("2")), parameter("fillfactor", Some("60"))]
        );
    }
}
