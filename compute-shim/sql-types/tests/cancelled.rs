//! What takes long within one call notices that the statement shall stop.

use hexalog_sql_types::datetime::Timestamptz;
use hexalog_sql_types::env::NoHost;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{Datum, EnumValue, EvalEnv, Host, SqlError, SqlState, TypeId, Typmod};
use hexalog_sql_types::{function, operator, text};
use std::cell::Cell;
use std::sync::Arc;

/// Is told to stop after the looks that surround a compilation.
#[derive(Default)]
struct Impatient(Cell<u32>);

impl Host for Impatient {
    fn clock(&self) -> Timestamptz {
        NoHost.clock()
    }

    fn random_u64(&self) -> u64 {
        NoHost.random_u64()
    }

    fn cancelled(&self) -> Option<SqlError> {
        self.0.set(self.0.get() + 1);
        (self.0.get() > 3).then(|| SqlError::new(SqlState::QUERY_CANCELED, "canceling statement"))
    }

    fn registry_name(&self, id: TypeId, oid: u32) -> Option<String> {
        NoHost.registry_name(id, oid)
    }

    fn registry_oid(&self, id: TypeId, name: &str) -> Result<u32> {
        NoHost.registry_oid(id, name)
    }

    fn enum_label(&self, value: EnumValue) -> Option<Arc<str>> {
        NoHost.enum_label(value)
    }

    fn enum_key(&self, id: TypeId, label: &str) -> Result<i64> {
        NoHost.enum_key(id, label)
    }
}

fn check(what: &str, call: impl FnOnce(&EvalEnv<'_>) -> Result<()>) {
    let host = Impatient::default();
    let env = EvalEnv { host: &host, ..EvalEnv::without_session() };
    let error = call(&env).expect_err(what);
    assert_eq!(error.sqlstate(), SqlState::QUERY_CANCELED, "{what}: {error}");
}

fn texts(values: &[&str]) -> Vec<Datum> {
    values.iter().map(|&value| Datum::from(value)).collect()
}

/// These once ran to their ends, up to half a minute and more, whatever `statement_timeout` said.
#[test]
fn patterns() {
    let letters = {
        let mut seed = 1u64;
        let letter = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if seed >> 63 == 0 { 'a' } else { 'b' }
        };
        (0..100_000).map(letter).collect::<String>()
    };
    // Its states are new ones all the way; of few states, since the tests are not optimised.
    let hard = "[ab]*a[ab]{200}z";
    // A match for the groups of which there is no shorter way.
    let grouped = "^[ab]*[ab]{200}(.)$";
    for (oid, name) in [(641, "~"), (642, "!~"), (1228, "~*"), (1229, "!~*")] {
        let operator = operator::by_oid(oid).expect(name);
        check(name, |env| operator.apply(env, &texts(&[&letters, hard])).map(drop));
    }
    let any = format!("%{}b%", "a".repeat(5_000));
    let many = "a".repeat(100_000);
    for (oid, name) in [(1209, "~~"), (1210, "!~~"), (1627, "~~*"), (1628, "!~~*")] {
        let operator = operator::by_oid(oid).expect(name);
        check(name, |env| operator.apply(env, &texts(&[&many, &any])).map(drop));
    }
    let parts = format!("%#\"{}z#\"%", "(a|b)".repeat(200));
    let cases: [(&str, &[&str]); 11] = [
        ("regexp_like", &[&letters, hard]),
        ("regexp_match", &[&letters, hard]),
        ("regexp_match", &[&letters, grouped]),
        ("regexp_count", &[&letters, hard]),
        ("regexp_instr", &[&letters, hard]),
        ("regexp_substr", &[&letters, hard]),
        ("regexp_replace", &[&letters, hard, "x"]),
        ("regexp_replace", &[&letters, "b|a(.*z)?", "x", "g"]),
        ("regexp_split_to_array", &[&letters, "b|a(?:.*z)?"]),
        ("substring", &[&letters, hard]),
        ("substring", &[&letters, &parts, "#"]),
    ];
    for (name, arguments) in cases {
        let is_it =
            |function: &&function::Function| function.arguments == vec![TypeId::TEXT; arguments.len()];
        let function = function::by_name(name).iter().find(is_it).expect(name);
        check(name, |env| function.apply(env, &texts(arguments)).map(drop));
    }
    check("regexp_matches", |env| function::regexp_matches(env, &texts(&[&letters, hard])).map(drop));
    check("regexp_split_to_table", |env| {
        function::regexp_split_to_table(env, &texts(&[&letters, hard])).map(drop)
    });
    let path = function::by_name("jsonb_path_exists").first().expect("a function of SQL/JSON");
    check("like_regex", |env| {
        let value = |id, given: &str| text::input(env, id, Typmod::NONE, given).expect(given);
        let arguments = [
            value(TypeId::JSONB, &format!("\"{letters}\"")),
            value(TypeId::JSONPATH, &format!("$ like_regex \"{hard}\"")),
            value(TypeId::JSONB, "{}"),
            Datum::Bool(false),
        ];
        path.apply(env, &arguments).map(drop)
    });
}

/// Calls none of which takes long, but many do together: a statement ends among them too.
#[test]
fn many_short_calls() {
    let like = operator::by_oid(1209).expect("~~");
    let (text, pattern) = ("a".repeat(2_000), format!("%{}b%", "a".repeat(500)));
    check("LIKE", |env| (0..100).try_for_each(|_| like.apply(env, &texts(&[&text, &pattern])).map(drop)));
    let matches = operator::by_oid(641).expect("~");
    let text = "ab".repeat(100);
    check("~", |env| {
        (0..1_000).try_for_each(|_| matches.apply(env, &texts(&[&text, "a(a|b){100}z"])).map(drop))
    });
    // Each of them is compiled.
    check("compilation", |env| {
        (0..100).try_for_each(|n| matches.apply(env, &texts(&["a", &format!("b{n}")])).map(drop))
    });
    let count = function::by_name("regexp_count").iter().find(|function| function.arguments.len() == 2);
    let count = count.expect("regexp_count(text, text)");
    check("matches of one text", |env| {
        count.apply(env, &texts(&[&"ab".repeat(2_000), "a(?:(?:a|b){0,50}z)?"])).map(drop)
    });
}
