//! Replays expressions whose results PostgreSQL 15 has recorded: operators, functions, casts and input of every type.
//!
//! `tests/oracle/cases.tsv` holds one case a line: kind, operands, expected result, separated by tabs, with `\t`, `\n` and `\\`
//! escaped. Kinds: `op` symbol (type, text) x 1 or 2; `fn` name (type, text)*; `cast` type text target; `in` type text. An error
//! is expected as `ERROR state: message`. Kinds of resolution alone, whose result is a type: `ro` symbol type x 1 or 2; `rf` name
//! type*; `rc` type type, of CASE; `rx` source target, of CAST. The session's time zone is America/New_York. HACKING: set `SQL_TYPES_CASES` to the path
//! of another file to replay that one instead.

use hexalog_sql_types::cast::{self, CastContext};
use hexalog_sql_types::datetime::{IntervalStyle, TimeZone, Timestamptz};
use hexalog_sql_types::env::NoHost;
use hexalog_sql_types::types::type_from_name;
use hexalog_sql_types::{Datum, EvalEnv, Result, TypeId, Typmod, function, resolve, text};

const RECORDED: &str = include_str!("oracle/cases.tsv");

fn unescape(field: &str) -> String {
    let mut result = String::new();
    let mut characters = field.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('t') => result.push('\t'),
                Some('n') => result.push('\n'),
                Some(other) => result.push(other),
                None => panic!("a lone backslash in {field}"),
            },
            c => result.push(c),
        }
    }
    result
}

/// A type with its modifier: `numeric(5,2)`, `varchar(2)[]`.
fn type_and_typmod(spelled: &str) -> (TypeId, Typmod) {
    let Some((name, rest)) = spelled.split_once('(') else {
        return (type_from_name(spelled).expect(spelled), Typmod::NONE);
    };
    let (arguments, brackets) = rest.split_once(')').expect("closed");
    let arguments: Vec<i64> = arguments.split(',').map(|number| number.parse().expect("a number")).collect();
    let id = type_from_name(&format!("{name}{brackets}")).expect(spelled);
    (id, Typmod::from_arguments(id, &arguments).expect(spelled))
}

fn coerce(env: &EvalEnv<'_>, value: Datum, from: TypeId, to: TypeId) -> Result<Datum> {
    let coercion = cast::coercion(from, to, Typmod::NONE, CastContext::Explicit)
        .ok_or_else(|| resolve::cannot_cast(from, to))?;
    coercion.apply(env, value)
}

/// Reads (type, text) pairs.
fn operands(env: &EvalEnv<'_>, fields: &[String]) -> Result<(Vec<TypeId>, Vec<Datum>)> {
    let mut types = Vec::new();
    let mut values = Vec::new();
    for pair in fields.chunks(2) {
        let id = type_from_name(&pair[0]).expect("a type");
        types.push(id);
        values.push(text::input(env, id, Typmod::NONE, &pair[1])?);
    }
    Ok((types, values))
}

/// The type that an expression over NULLs of these types has.
fn resolved_type(kind: &str, fields: &[String]) -> Result<TypeId> {
    let id = |name: &String| type_from_name(name).expect("a type");
    match kind {
        "ro" => {
            let types: Vec<TypeId> = fields[1..].iter().map(id).collect();
            let (left, right) = if types.len() == 2 { (Some(types[0]), types[1]) } else { (None, types[0]) };
            resolve::operator(&fields[0], left, right).map(|found| found.result)
        }
        "rf" => {
            let types: Vec<TypeId> = fields[1..].iter().map(id).collect();
            resolve::function(&fields[0], function::by_name(&fields[0]), &types, false)
                .map(|found| found.result)
        }
        // ELSE comes first in PostgreSQL's list of branches.
        "rc" => resolve::common_type("CASE", &[id(&fields[1]), id(&fields[0])]),
        "rx" => {
            let (source, target) = (id(&fields[0]), id(&fields[1]));
            let found = cast::coercion(source, target, Typmod::NONE, CastContext::Explicit);
            found.map(|_| target).ok_or_else(|| resolve::cannot_cast(source, target))
        }
        other => panic!("unknown kind {other}"),
    }
}

fn evaluate(env: &EvalEnv<'_>, kind: &str, fields: &[String]) -> Result<(TypeId, Datum)> {
    match kind {
        "op" => {
            let (types, values) = operands(env, &fields[1..])?;
            let (left, right) = if types.len() == 2 { (Some(types[0]), types[1]) } else { (None, types[0]) };
            let found = resolve::operator(&fields[0], left, right)?;
            let targets: Vec<TypeId> = found.left.into_iter().chain([found.right]).collect();
            let mut arguments = Vec::new();
            for ((value, from), to) in values.into_iter().zip(types).zip(targets) {
                arguments.push(coerce(env, value, from, to)?);
            }
            Ok((found.result, found.operator.apply(env, &arguments)?))
        }
        "fn" => {
            let (types, values) = operands(env, &fields[1..])?;
            let candidates = function::by_name(&fields[0]);
            let found = resolve::function(&fields[0], candidates, &types, false)?;
            assert_eq!(found.gather_from, None, "no built-in function takes an array of its own");
            let mut arguments = Vec::new();
            for ((value, from), &to) in values.into_iter().zip(types).zip(&found.arguments) {
                arguments.push(coerce(env, value, from, to)?);
            }
            Ok((found.result, candidates[found.candidate].apply(env, &arguments)?))
        }
        "cast" => {
            let (types, values) = operands(env, &fields[..2])?;
            let (target, typmod) = type_and_typmod(&fields[2]);
            let coercion = cast::coercion(types[0], target, typmod, CastContext::Explicit)
                .ok_or_else(|| resolve::cannot_cast(types[0], target))?;
            Ok((target, coercion.apply(env, values[0].clone())?))
        }
        "in" => {
            let (id, typmod) = type_and_typmod(&fields[0]);
            Ok((id, text::input(env, id, typmod, &fields[1])?))
        }
        kind => {
            let id = resolved_type(kind, fields)?;
            Ok((TypeId::REGTYPE, Datum::Oid(id.0)))
        }
    }
}

#[test]
fn as_postgresql() {
    let chosen = std::env::var("SQL_TYPES_CASES").ok();
    let other = chosen.map(|path| std::fs::read_to_string(path).expect("a readable file"));
    let zone = TimeZone::from_name("America/New_York").expect("a zone of the database");
    let env = EvalEnv {
        transaction_timestamp: Timestamptz(0),
        statement_timestamp: Timestamptz(0),
        time_zone: &zone,
        interval_style: IntervalStyle::Postgres,
        host: &NoHost,
    };
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in other.as_deref().unwrap_or(RECORDED).lines() {
        let mut fields: Vec<String> = line.split('\t').map(unescape).collect();
        let expected = fields.pop().expect("a result");
        let attempt = std::panic::AssertUnwindSafe(|| match evaluate(&env, &fields[0], &fields[1..]) {
            Ok((_, Datum::Null)) => "NULL".to_owned(),
            Ok((id, value)) => text::output_string(&env, id, &value),
            Err(error) => error.to_string(),
        });
        let found = std::panic::catch_unwind(attempt).unwrap_or_else(|_| "a panic".to_owned());
        count += 1;
        if found != expected {
            wrong.push(format!("{line}\n    found: {found}"));
        }
    }
    assert!(count > 1_000, "the file holds its cases");
    assert!(wrong.is_empty(), "{} of {count} differ:\n{}", wrong.len(), wrong.join("\n"));
}
