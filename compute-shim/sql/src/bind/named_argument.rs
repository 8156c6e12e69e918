//! Arguments that are given by name: `make_interval(days => 10)`.
//!
//! Owns the names and defaults of the functions whose arguments have any in PostgreSQL 15 (`pg_proc.proargnames`). A call by
//! name becomes one by position before anything else is made of it.

use super::Binder;
use super::call::Callable;
use crate::parse::tree::{self, FunctionCall};
use crate::parse::{self, at};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::borrow::Cow;

/// A function's oid, the names of its arguments, and SQL of the defaults of the last ones.
type Named = (u32, &'static [&'static str], &'static [&'static str]);

const JSON_FIELD: &[&str] = &["from_json", "field_name"];
const JSON_ELEMENT: &[&str] = &["from_json", "element_index"];
const JSON_PATH: &[&str] = &["target", "path", "vars", "silent"];
const JSON_PATH_DEFAULTS: &[&str] = &["'{}'::jsonb", "false"];
const MOMENT: &[&str] = &["year", "month", "mday", "hour", "min", "sec"];

/// In order of oid.
static NAMED: &[Named] = &[
    (1177, JSON_PATH, JSON_PATH_DEFAULTS),
    (1179, JSON_PATH, JSON_PATH_DEFAULTS),
    (1180, JSON_PATH, JSON_PATH_DEFAULTS),
    (1268, &["str", "strict"], &["true"]),
    (2023, JSON_PATH, JSON_PATH_DEFAULTS),
    (2030, JSON_PATH, JSON_PATH_DEFAULTS),
    (2096, &["pid", "timeout"], &["0"]),
    (3208, &["from_json"], &[]),
    (3214, JSON_FIELD, &[]),
    (3215, JSON_ELEMENT, &[]),
    (3216, JSON_ELEMENT, &[]),
    (3219, &["from_json"], &[]),
    (3305, &["jsonb_in", "path", "replacement", "create_if_missing"], &["true"]),
    (3461, MOMENT, &[]),
    (3462, MOMENT, &[]),
    (3463, &["year", "month", "mday", "hour", "min", "sec", "timezone"], &[]),
    (
        3464,
        &["years", "months", "weeks", "days", "hours", "mins", "secs"],
        &["0", "0", "0", "0", "0", "0", "0.0"],
    ),
    (3465, &["from_json"], &[]),
    (3478, JSON_FIELD, &[]),
    (3579, &["jsonb_in", "path", "replacement", "insert_after"], &["false"]),
    (3846, &["year", "month", "day"], &[]),
    (3847, &["hour", "min", "sec"], &[]),
    (3932, &["from_json"], &[]),
    (3947, JSON_FIELD, &[]),
    (3948, JSON_FIELD, &[]),
    (3949, JSON_ELEMENT, &[]),
    (3950, JSON_ELEMENT, &[]),
    (3955, &["from_json"], &[]),
    (3958, &["from_json"], &[]),
    (3959, &["from_json"], &[]),
    (3969, &["from_json"], &[]),
    (4005, JSON_PATH, JSON_PATH_DEFAULTS),
    (4006, JSON_PATH, JSON_PATH_DEFAULTS),
    (4007, JSON_PATH, JSON_PATH_DEFAULTS),
    (4008, JSON_PATH, JSON_PATH_DEFAULTS),
    (4009, JSON_PATH, JSON_PATH_DEFAULTS),
    (
        5054,
        &["jsonb_in", "path", "replacement", "create_if_missing", "null_value_treatment"],
        &["true", "'use_json_null'"],
    ),
    (13_903, &["userid", "dbid", "queryid"], &["0", "0", "0"]),
    (13_904, &["showtext"], &[]),
];

fn oid(callable: &Callable) -> u32 {
    match callable {
        Callable::Pure(function) => function.oid,
        Callable::Host(function) => function.oid,
        Callable::Aggregate(function) => function.oid,
        Callable::Table(function) => function.oid,
        Callable::Window(function) => function.oid,
    }
}

/// The arguments in their places, if the function takes these: what is left out in front of one that is given has its default.
fn in_places(call: &FunctionCall, (_, names, defaults): &Named) -> Option<Vec<Option<tree::Expr>>> {
    let positional = call.arguments.len() - call.names.len();
    let mut places: Vec<Option<tree::Expr>> = vec![None; names.len()];
    if positional > places.len() {
        return None;
    }
    places
        .iter_mut()
        .zip(&call.arguments[..positional])
        .for_each(|(place, given)| *place = Some(given.clone()));
    for (name, given) in call.names.iter().zip(&call.arguments[positional..]) {
        let at = names.iter().position(|known| *known == name.last())?;
        if places[at].replace(given.clone()).is_some() {
            return None;
        }
    }
    let required = names.len() - defaults.len();
    places[..required].iter().all(Option::is_some).then_some(places)
}

impl Binder<'_> {
    /// The call with all arguments by position; 42883 if there is no function with arguments of these names.
    pub(super) fn by_position<'c>(&mut self, call: &'c FunctionCall) -> Result<Cow<'c, FunctionCall>> {
        if call.names.is_empty() {
            return Ok(Cow::Borrowed(call));
        }
        let mut seen = std::collections::BTreeSet::new();
        if let Some(twice) = call.names.iter().find(|name| !seen.insert(name.last())) {
            let message = format!("argument name \"{}\" used more than once", twice.last());
            return Err(parse::at(SqlError::syntax(message), twice.position));
        }
        let known = self.callables(&call.name);
        let named = known.iter().filter_map(|callable| {
            let at = NAMED.binary_search_by_key(&oid(callable), |named| named.0).ok()?;
            Some((in_places(call, &NAMED[at])?, &NAMED[at]))
        });
        let Some((places, (_, names, defaults))) = { named }.next() else {
            return Err(self.no_function_of_names(call)?);
        };
        let required = names.len() - defaults.len();
        let count = places.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let mut arguments = Vec::with_capacity(count);
        for (at, place) in places.into_iter().enumerate().take(count) {
            arguments.push(match place {
                Some(given) => given,
                None => parse::expression(defaults[at - required])?,
            });
        }
        Ok(Cow::Owned(FunctionCall { arguments, names: Vec::new(), ..call.clone() }))
    }

    fn no_function_of_names(&mut self, call: &FunctionCall) -> Result<SqlError> {
        let positional = call.arguments.len() - call.names.len();
        let mut shown = Vec::with_capacity(call.arguments.len());
        for (at, argument) in call.arguments.iter().enumerate() {
            let id = self.expr(argument)?.type_id.display_name();
            shown.push(match at.checked_sub(positional) {
                Some(at) => format!("{} => {id}", call.names[at].last()),
                None => id,
            });
        }
        let message = format!("function {}({}) does not exist", call.name, shown.join(", "));
        let error = SqlError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
            "No function matches the given name and argument types. You might need to add explicit type casts.",
        );
        Ok(at(error, call.name.position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_functions() {
        for pair in NAMED.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
        for (oid, names, defaults) in NAMED {
            if let Some(function) = hexalog_sql_types::function::by_oid(*oid) {
                assert_eq!(function.arguments.len(), names.len(), "{}", function.name);
                assert_eq!(function.defaults, defaults.len(), "{}", function.name);
            }
        }
    }
}
