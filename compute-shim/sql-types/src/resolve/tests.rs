//! Resolution against what PostgreSQL 15 answers (`pg_typeof` and error messages of the same expressions).

use super::*;

fn id(name: &str) -> TypeId {
    if name == "unknown" { TypeId::UNKNOWN } else { crate::types::type_from_name(name).expect(name) }
}

#[test]
fn operators() {
    for (left, name, right, expected) in [
        ("integer", "+", "integer", "int4pl integer integer -> integer"),
        ("integer", "+", "bigint", "int48pl integer bigint -> bigint"),
        ("integer", "+", "unknown", "int4pl integer integer -> integer"),
        ("unknown", "+", "bigint", "int8pl bigint bigint -> bigint"),
        ("integer", "+", "numeric", "numeric_add numeric numeric -> numeric"),
        (
            "integer",
            "*",
            "double precision",
            "float8mul double precision double precision -> double precision",
        ),
        ("numeric", "*", "real", "float84mul double precision real -> double precision"),
        ("unknown", "=", "unknown", "texteq text text -> boolean"),
        ("character varying", "=", "unknown", "texteq text text -> boolean"),
        ("bpchar", "=", "unknown", "bpchareq bpchar bpchar -> boolean"),
        ("bpchar", "=", "text", "texteq text text -> boolean"),
        ("name", "=", "text", "nameeqtext name text -> boolean"),
        ("name", "=", "unknown", "nameeq name name -> boolean"),
        ("oid", "=", "integer", "oideq oid oid -> boolean"),
        ("regclass", "=", "unknown", "oideq oid oid -> boolean"),
        ("text", "||", "integer", "textanycat text text -> text"),
        ("unknown", "||", "unknown", "textcat text text -> text"),
        ("integer[]", "||", "integer", "array_append integer[] integer -> integer[]"),
        ("timestamp", "-", "interval", "timestamp_mi_interval x"),
        ("date", "-", "date", "date_mi x"),
        ("date", "+", "unknown", "ambiguous"),
    ] {
        let resolved = operator(name, Some(id(left)), id(right));
        let found = match &resolved {
            Ok(found) => {
                let left = found.left.expect("binary").display_name();
                format!("{left} {} -> {}", found.right.display_name(), found.result.display_name())
            }
            Err(error) => error.to_string(),
        };
        match expected.split_once(' ') {
            Some((_, "x")) => assert!(resolved.is_ok(), "{left} {name} {right}: {found}"),
            Some((_, types)) => {
                let types = types.replace("bpchar", "character");
                assert_eq!(found, types, "{left} {name} {right}");
            }
            None => assert_eq!(found, "ERROR 42725: operator is not unique: date + unknown"),
        }
    }
    let error = operator("+", Some(TypeId::INT4), TypeId::BOOL).expect_err("no such operator");
    assert_eq!(error.to_string(), "ERROR 42883: operator does not exist: integer + boolean");
    let error = operator("-", None, TypeId::BOOL).expect_err("no such operator");
    assert_eq!(error.to_string(), "ERROR 42883: operator does not exist: - boolean");
}

#[test]
fn common_types() {
    for (types, expected) in [
        (vec!["integer", "numeric"], "numeric"),
        (vec!["integer", "bigint", "smallint"], "bigint"),
        (vec!["unknown", "integer"], "integer"),
        (vec!["unknown", "unknown"], "text"),
        (vec!["character varying", "text"], "character varying"),
        (vec!["text", "character varying"], "text"),
        (vec!["name", "text"], "name"),
        (vec!["date", "timestamp", "timestamptz"], "timestamp with time zone"),
        (vec!["real", "integer"], "real"),
        (vec!["real", "double precision"], "double precision"),
        (vec!["text", "integer"], "ERROR 42804: CASE types text and integer cannot be matched"),
    ] {
        let types: Vec<TypeId> = types.into_iter().map(id).collect();
        let found =
            common_type("CASE", &types).map_or_else(|error| error.to_string(), |id| id.display_name());
        assert_eq!(found, expected, "{types:?}");
    }
}
