//! How types are spelled: SQL names and aliases in, `format_type` out.
//!
//! Owns the two directions between names and [`TypeId`]. Never parses a whole type expression: the binder takes
//! precision arguments and array brackets apart itself. Read next: `mod.rs` for modifiers.

use super::{TypeId, Typmod, type_info, undefined_type};
use crate::error::{Result, SqlError};

/// SQL spellings that differ from `pg_type.typname`.
const ALIASES: &[(&str, TypeId)] = &[
    ("bigint", TypeId::INT8),
    ("boolean", TypeId::BOOL),
    ("character", TypeId::BPCHAR),
    ("character varying", TypeId::VARCHAR),
    ("dec", TypeId::NUMERIC),
    ("decimal", TypeId::NUMERIC),
    ("double precision", TypeId::FLOAT8),
    ("float", TypeId::FLOAT8),
    ("int", TypeId::INT4),
    ("integer", TypeId::INT4),
    ("national character", TypeId::BPCHAR),
    ("national character varying", TypeId::VARCHAR),
    ("nchar", TypeId::BPCHAR),
    ("real", TypeId::FLOAT4),
    ("smallint", TypeId::INT2),
    ("time with time zone", TypeId::TIMETZ),
    ("time without time zone", TypeId::TIME),
    ("timestamp with time zone", TypeId::TIMESTAMPTZ),
    ("timestamp without time zone", TypeId::TIMESTAMP),
];

/// Types that PostgreSQL has and this crate has not: they are refused by name rather than called unknown.
const UNSUPPORTED: &[&str] = &[
    "bit",
    "bit varying",
    "box",
    "cidr",
    "circle",
    "inet",
    "line",
    "lseg",
    "macaddr",
    "macaddr8",
    "money",
    "path",
    "pg_lsn",
    "pg_snapshot",
    "point",
    "polygon",
    "tsquery",
    "tsvector",
    "txid_snapshot",
    "varbit",
    "xid8",
    "xml",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
    "daterange",
    "regoper",
    "regoperator",
    "regconfig",
    "regdictionary",
    "regcollation",
];

/// Finds a type by an SQL name or a `pg_type.typname`, already folded to lower case; `int4[]` is understood too.
///
/// `"char"` (quoted) is the one-byte type while `char` is an alias of `character`, and only the parser knows
/// which was written: here the plain name `char` means the SQL alias, `"char"` with its quotes the one-byte type.
///
/// 42704 if there is no such type, 0A000 if PostgreSQL has it and this product has not.
pub fn type_from_name(name: &str) -> Result<TypeId> {
    if let Some(element) = name.strip_suffix("[]") {
        let id = type_from_name(element.trim_end())?;
        let id = if id.is_vector() { id } else { id.array_element().unwrap_or(id) };
        return id.array_of().ok_or_else(|| undefined_type(name));
    }
    match name {
        "\"char\"" => return Ok(TypeId::CHAR),
        "char" => return Ok(TypeId::BPCHAR),
        _ => {}
    }
    if let Some(&(_, id)) = ALIASES.iter().find(|&&(alias, _)| alias == name) {
        return Ok(id);
    }
    if let Some(info) = super::TYPES.iter().find(|info| info.name == name) {
        return Ok(info.id);
    }
    if UNSUPPORTED.contains(&name.strip_prefix('_').unwrap_or(name)) {
        return Err(SqlError::unsupported(format!("type {name}")));
    }
    Err(undefined_type(name))
}

/// PostgreSQL's `format_type(oid, typmod)`. `None` as modifier is SQL's NULL: the bare name, where
/// `Some(Typmod::NONE)` says "a column without modifier" (they differ for `char`: `character` and `bpchar`).
/// Of a type that users have made: a mark, see [`super::with_type_names`].
pub fn format_type(id: TypeId, typmod: Option<Typmod>) -> String {
    if id == TypeId::NONE {
        return "-".to_owned();
    }
    let Some(info) = type_info(id) else {
        if id.is_enum() || id.is_enum_array() {
            return super::enumeration::type_mark(id);
        }
        return "???".to_owned();
    };
    if info.element != TypeId::NONE && info.name.starts_with('_') {
        return format!("{}[]", format_type(info.element, typmod));
    }
    let packed = typmod.filter(|typmod| typmod.0 >= 0);
    match id {
        TypeId::BOOL => "boolean".to_owned(),
        TypeId::CHAR => "\"char\"".to_owned(),
        TypeId::ANY => "\"any\"".to_owned(),
        TypeId::INT2 => "smallint".to_owned(),
        TypeId::INT4 => "integer".to_owned(),
        TypeId::INT8 => "bigint".to_owned(),
        TypeId::FLOAT4 => "real".to_owned(),
        TypeId::FLOAT8 => "double precision".to_owned(),
        TypeId::VARCHAR => with_length("character varying", packed),
        // Without a length, "character" would be read back as character(1).
        TypeId::BPCHAR => match typmod {
            Some(Typmod::NONE) => "bpchar".to_owned(),
            _ => with_length("character", packed),
        },
        TypeId::NUMERIC => match packed.and_then(Typmod::numeric_precision_scale) {
            Some((precision, scale)) => format!("numeric({precision},{scale})"),
            None => "numeric".to_owned(),
        },
        TypeId::TIME => with_precision("time", packed, " without time zone"),
        TypeId::TIMETZ => with_precision("time", packed, " with time zone"),
        TypeId::INTERVAL => super::interval_fields::formatted(packed),
        TypeId::TIMESTAMP => with_precision("timestamp", packed, " without time zone"),
        TypeId::TIMESTAMPTZ => with_precision("timestamp", packed, " with time zone"),
        _ => info.name.to_owned(),
    }
}

fn with_length(name: &str, typmod: Option<Typmod>) -> String {
    match typmod.and_then(Typmod::char_length_max) {
        Some(length) => format!("{name}({length})"),
        None => name.to_owned(),
    }
}

fn with_precision(name: &str, typmod: Option<Typmod>, zone: &str) -> String {
    match typmod {
        Some(Typmod(precision)) => format!("{name}({precision}){zone}"),
        None => format!("{name}{zone}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (name, expected) in [
            ("int", TypeId::INT4),
            ("int8", TypeId::INT8),
            ("character varying", TypeId::VARCHAR),
            ("char", TypeId::BPCHAR),
            ("\"char\"", TypeId::CHAR),
            ("text[]", TypeId::TEXT_ARRAY),
            ("text[][]", TypeId::TEXT_ARRAY),
            ("_int4", TypeId::INT4_ARRAY),
            ("time with time zone", TypeId::TIMETZ),
            ("time without time zone", TypeId::TIME),
            ("timestamp with time zone", TypeId::TIMESTAMPTZ),
        ] {
            assert_eq!(type_from_name(name).expect(name), expected, "{name}");
        }
        let error = type_from_name("xml").expect_err("not there");
        assert_eq!(error.to_string(), "ERROR 0A000: type xml is not supported");
        let error = type_from_name("nope").expect_err("not there");
        assert_eq!(error.to_string(), "ERROR 42704: type \"nope\" does not exist");
    }

    #[test]
    fn formatted() {
        for (id, typmod, expected) in [
            (TypeId::INT4, None, "integer"),
            (TypeId::VARCHAR, Some(Typmod(14)), "character varying(10)"),
            (TypeId::BPCHAR, Some(Typmod(5)), "character(1)"),
            (TypeId::BPCHAR, Some(Typmod::NONE), "bpchar"),
            (TypeId::BPCHAR, None, "character"),
            (TypeId::NUMERIC, Some(Typmod(((10 << 16) | 2) + 4)), "numeric(10,2)"),
            (TypeId::TIMESTAMPTZ, Some(Typmod(3)), "timestamp(3) with time zone"),
            (TypeId::VARCHAR_ARRAY, Some(Typmod(14)), "character varying(10)[]"),
            (TypeId::CHAR, None, "\"char\""),
            (TypeId::INT2VECTOR, None, "int2vector"),
            (TypeId::RECORD_ARRAY, None, "record[]"),
            (TypeId::NAME, None, "name"),
            (TypeId(0), None, "-"),
            (TypeId(9), None, "???"),
        ] {
            assert_eq!(format_type(id, typmod), expected);
        }
    }
}
