//! Calls on constants: one function, operator or cast a statement, on written values ([`crate::written`]) of all types.
//!
//! Nothing is left open in them, neither which row comes first nor which of two errors is met: whatever PostgreSQL answers
//! or refuses has to be answered or refused alike, the SQLSTATE of a value that is out of range included.

use crate::call_template::AREAS;
use crate::random::Random;
use crate::written::{self, quoted};

/// Types of constants, as SQL writes them.
const TYPES: &[&str] = &[
    "smallint",
    "integer",
    "bigint",
    "numeric",
    "real",
    "double precision",
    "text",
    "varchar(5)",
    "char(4)",
    "name",
    "boolean",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "bytea",
    "json",
    "jsonb",
    "integer[]",
    "text[]",
    "numeric(6,2)",
    "numeric(4,-2)",
    "time(2)",
    "timestamp(1)",
    "timestamptz(0)",
    "interval(3)",
    "interval day to minute",
    "interval year to month",
    "oid",
    "\"char\"",
    "date[]",
    "numeric[]",
    "bpchar",
    "jsonpath",
];

/// Operators for operands of whatever types.
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "^", "||", "=", "<>", "<", ">=", "&", "|", "#", "<<", "->", "->>", "~", "like",
    "#>",
];

/// Functions for arguments of whatever types.
const FUNCTIONS: &[&str] = &[
    "abs",
    "sign",
    "round",
    "sqrt",
    "length",
    "upper",
    "left",
    "substr",
    "lpad",
    "repeat",
    "replace",
    "concat",
    "mod",
    "power",
    "gcd",
    "div",
    "log",
    "to_char",
    "to_number",
    "to_date",
    "to_timestamp",
    "date_trunc",
    "date_part",
    "age",
    "isfinite",
    "justify_hours",
    "array_length",
    "array_append",
    "array_cat",
    "array_position",
    "array_to_string",
    "cardinality",
    "jsonb_typeof",
    "json_typeof",
    "to_jsonb",
    "jsonb_set",
    "encode",
    "decode",
    "md5",
    "get_byte",
    "strpos",
    "split_part",
    "translate",
    "btrim",
    "ascii",
    "chr",
    "quote_literal",
    "regexp_match",
    "regexp_replace",
    "regexp_count",
    "width_bucket",
    "num_nulls",
    "generate_series",
    "make_date",
    "make_interval",
    "timezone",
    "octet_length",
    "starts_with",
    "string_to_array",
    "jsonb_build_object",
    "jsonb_extract_path",
    "pg_typeof",
    "format",
    "reverse",
    "factorial",
    "exp",
    "ln",
    "date",
    "text",
    "int4",
    "float8",
    "bool",
    "float4",
    "int8",
    "sum",
    "max",
    "min",
    "avg",
    "count",
    "array_agg",
    "string_agg",
    "bool_and",
];

/// A statement of one call.
pub fn draw(random: &mut Random) -> String {
    let expression = match random.below(16) {
        0 => {
            let kind = random.word(TYPES);
            let text = if random.one_in(4) { plain_text(random) } else { text_of(kind, random) };
            format!("{}::{kind}", quoted(&text))
        }
        1 => format!("{}::{}", constant(random), random.word(TYPES)),
        2 => format!("{} {} {}", operand(random), random.word(OPERATORS), operand(random)),
        3 => {
            let arguments: Vec<String> = (0..random.within(1, 3)).map(|_| operand(random)).collect();
            format!("{}({})", random.word(FUNCTIONS), arguments.join(", "))
        }
        4 => resolved(random),
        5 => return prepared(random),
        _ => {
            let area = random.pick(AREAS);
            filled(random.pick::<&str>(area), random)
        }
    };
    format!("select {expression}")
}

/// Whether parameters in a call mean something else to PostgreSQL: functions of "any" take parameters here whose type it asks
/// for, and others have more signatures there.
fn is_otherwise(template: &str) -> bool {
    const NAMES: &[&str] = &[
        "unnest",
        "format",
        "row",
        "concat",
        "concat_ws",
        "row_to_json",
        "trunc",
        "timezone",
        "bit_length",
        "bit_count",
        "get_bit",
        "set_bit",
    ];
    const OPERATORS: &[&str] = &["@@", "?", "?|", "?&", "&&"];
    let mut words = template.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| NAMES.contains(&word)) || template.split(' ').any(|word| OPERATORS.contains(&word))
}

/// A call with parameters in the place of some constants: their types come from where they stand.
fn prepared(random: &mut Random) -> String {
    let template = loop {
        let area = random.pick(AREAS);
        let template = *random.pick::<&str>(area);
        if !is_otherwise(template) {
            break template;
        }
    };
    let mut values: Vec<String> = Vec::new();
    let expression = filled_by(template, |name| {
        // Words of the grammar, and pairs of texts, are no values.
        let is_value = !matches!(name, "field" | "fmt" | "tsread" | "ivtext" | "isoiv" | "worded");
        let text = hole(name, random)?;
        if !is_value || values.len() == 2 || random.one_in(2) {
            return Some(text);
        }
        values.push(text);
        Some(format!("${}", values.len()))
    });
    let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    format!("deallocate all; prepare p as select {expression}; execute p{values}; deallocate p")
}

/// What has to settle on one type for several values.
fn resolved(random: &mut Random) -> String {
    let [a, b, c] = match random.below(10) {
        // Of two faults either may be met first here: values have their types.
        0..=2 => return resolved_columns([(); 3].map(|()| constant(random)), random),
        _ => [(); 3].map(|()| operand(random)),
    };
    match random.below(7) {
        0 => format!("case when true then {a} else {b} end"),
        1 => format!("coalesce(null, {a}, {b})"),
        2 => format!("greatest({a}, null, {})", constant(random)),
        3 => format!("array[{a}, {b}]"),
        4 => format!("{} in ({b}, {c})", constant(random)),
        5 => format!("{a} between {b} and {c}"),
        _ => format!("nullif({a}, {b})"),
    }
}

fn resolved_columns([a, b, c]: [String; 3], random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("x from (select {a} union all select {b}) v(x)"),
        1 => format!("x from (values ({a}), (null), ({c})) v(x)"),
        _ => format!("row({a}, {b}) < row({b}, {c})"),
    }
}

/// A text that fits a type more or less. Numbers that are no dates are not written for these: what of such a text is met first
/// is PostgreSQL's own way through it.
fn text_of(kind: &str, random: &mut Random) -> String {
    match kind {
        "date" | "date[]" => written::date(random),
        _ if kind.starts_with("timestamptz") => written::timestamp_with_zone(random),
        _ if kind.starts_with("timestamp") => written::timestamp(random),
        _ if kind.starts_with("time") => written::time(random),
        _ if kind.starts_with("interval") => written::interval(random),
        "json" | "jsonb" => written::document(2, random),
        "jsonpath" => written::path(random),
        "bytea" => written::bytes(random),
        _ if kind.ends_with("[]") => written::array(&["1", "-2", "NULL", "a"], random),
        "text" | "name" | "boolean" | "bpchar" => written::text(random),
        _ if random.one_in(2) => written::float(random),
        _ => written::numeric(random),
    }
}

fn plain_text(random: &mut Random) -> String {
    match random.below(4) {
        0 => random.word(&["1", "-7", "2.5", "100", "true", "f", "on"]).to_owned(),
        1 => written::date(random),
        _ => random.word(&["", "abc", "a b", "{1,2}", "[1]", "äöü", "null", "x'y"]).to_owned(),
    }
}

/// A constant whose type is written beside it.
fn constant(random: &mut Random) -> String {
    const HOLES: &[&str] = &[
        "int2", "int4", "int8", "num", "f4", "f8", "text", "char", "bool", "date", "time", "timetz", "ts",
        "tz", "iv", "uuid", "bytea", "json", "jsonb", "arr", "tarr", "numarr",
    ];
    let name = random.word(HOLES);
    hole(name, random).expect("a name of the list")
}

/// A constant, one without a type now and then.
fn operand(random: &mut Random) -> String {
    match random.below(6) {
        0 => "null".into(),
        1 => quoted(&plain_text(random)),
        2 => (random.word(&["1", "2.5", "-3", "true", "1e2", "0", "10000000000"])).to_owned(),
        _ => constant(random),
    }
}

/// A template with its holes filled.
fn filled(template: &str, random: &mut Random) -> String {
    filled_by(template, |name| hole(name, random))
}

fn filled_by(template: &str, mut hole: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            out.push('{');
            rest = after;
            continue;
        }
        let filled = rest.split_once('}').and_then(|(name, after)| Some((hole(name)?, after)));
        let (text, after) = filled.expect("every brace of a template is a hole or doubled");
        out += &text;
        rest = after;
    }
    out + rest
}

/// One that is no infinity: with what stands for these PostgreSQL 15 computes as if it were an instant.
fn finite(written: fn(&mut Random) -> String, random: &mut Random) -> String {
    loop {
        let text = written(random);
        if !text.contains("infinity") {
            return text;
        }
    }
}

fn typed(text: &str, of: &str) -> String {
    format!("{}::{of}", quoted(text))
}

/// What fills a hole of that name.
fn hole(name: &str, random: &mut Random) -> Option<String> {
    if random.one_in(40)
        && !matches!(
            name,
            "field"
                | "fmt"
                | "typename"
                | "tsread"
                | "ivtext"
                | "isoiv"
                | "worded"
                | "any"
                | "esc"
                | "numfmt"
                | "arr"
                | "tarr"
                | "numarr"
                | "bytea"
                | "jsonb"
                | "keys"
        )
    {
        return Some("null".into());
    }
    Some(match name {
        "int2" => typed(random.word(&["0", "1", "-1", "7", "32767", "-32768", "100"]), "smallint"),
        "int4" => typed(
            random.word(&["0", "1", "-1", "7", "42", "2147483647", "-2147483648", "1000", "12345"]),
            "integer",
        ),
        "int8" => typed(
            random.word(&[
                "0",
                "1",
                "-1",
                "4294967296",
                "9223372036854775807",
                "-9223372036854775808",
                "-12",
            ]),
            "bigint",
        ),
        "num" => typed(&written::numeric(random), "numeric"),
        "smallnum" => {
            typed(random.word(&["0", "1", "-1.5", "10.25", "100", "-50", "0.0001", "NaN", "7000"]), "numeric")
        }
        "num0" => (random.word(&["0.0", "1.5", "3", "-2.25", "'NaN'", "10.00"])).to_owned(),
        "step" => (random.word(&["0.5", "1.25", "-1", "0.0", "3", "'NaN'::numeric"])).to_owned(),
        "f4" => typed(&written::float(random), "real"),
        "f8" => typed(&written::float(random), "double precision"),
        "numtext" => quoted(&written::numeric(random)),
        "text" => typed(&written::text(random), "text"),
        "char" => typed(&written::text(random), random.word(&["char(4)", "char(6)", "bpchar"])),
        "bool" => (random.word(&["true", "false"])).to_owned(),
        "date" => typed(&written::date(random), "date"),
        "time" => typed(&written::time(random), "time"),
        "timetz" => typed(
            &format!("{}{}", written::time(random), random.word(&[" +02", " -07:30", " Z", " EST"])),
            "timetz",
        ),
        "ts" => typed(&written::timestamp(random), "timestamp"),
        "fts" => typed(&finite(written::timestamp, random), "timestamp"),
        "ftz" => typed(&finite(written::timestamp_with_zone, random), "timestamptz"),
        "tz" => typed(&written::timestamp_with_zone(random), "timestamptz"),
        "iv" => typed(&written::interval(random), "interval"),
        "ivtext" => quoted(&written::interval(random)),
        "isoiv" => quoted(&written::iso_interval(random)),
        "worded" => quoted(&written::worded_date(random)),
        "zone" => quoted(written::zone(random)),
        "uuid" => typed("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid"),
        "uuidtext" => quoted(random.word(&[
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
            "a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "",
        ])),
        "bytea" => typed(&written::bytes(random), "bytea"),
        "byteatext" => quoted(&written::bytes(random)),
        "json" => typed(&written::document(3, random), "json"),
        "jsonb" => typed(&written::document(3, random), "jsonb"),
        "jsontext" => {
            let text = written::document(2, random);
            quoted(&match random.below(4) {
                0 => format!("{text}{}", random.word(&[",", "]", " ", "1", "\\"])),
                1 => text.replace(", ", ",,"),
                _ => text,
            })
        }
        "key" => quoted(random.word(&["a", "b", "c", "", "1", "0", "-1", "a b"])),
        "keys" => typed(
            random.word(&[
                "{a}", "{a,b}", "{}", "{0}", "{-1}", "{a,0}", "{1,a}", "{b,-1,c}", "{5}", "{NULL}",
                "{a,NULL}",
            ]),
            "text[]",
        ),
        // Beyond what a span can hold, PostgreSQL converts as the processor does.
        "secs" => {
            random.word(&["0", "1.5", "-0.25", "59.9999999", "3600", "-100000.000001", "1e9"]).to_owned()
        }
        "lax" => {
            quoted(random.word(&["delete_key", "return_target", "use_json_null", "raise_exception", "other"]))
        }
        "path" => quoted(&written::path(random)),
        "arr" => typed(&written::array(&["1", "-2", "NULL", "7", "3"], random), "integer[]"),
        "arrtext" => quoted(&written::array(&["1", "-2", "NULL", "7", " 3 ", "\"4\"", "x", ""], random)),
        "tarr" => {
            typed(&written::array(&["a", "NULL", "\"x y\"", "b", "\"\"", "\"NULL\""], random), "text[]")
        }
        "tarrtext" => {
            quoted(&written::array(&["a", "null", "\"x\\\"y\"", " b c ", "\\,", "\"\"", "1", "{"], random))
        }
        "numarr" => typed(
            &written::array(&["1.50", "-2", "NULL", "NaN", "0.1", "1e3", "Infinity"], random),
            "numeric[]",
        ),
        "edge" => (random.word(&[
            "0",
            "1",
            "-1",
            "2",
            "-2",
            "3",
            "4",
            "12",
            "31",
            "60",
            "100",
            "-100",
            "2147483647",
            "-2147483648",
            "1",
            "2",
            "3",
        ]))
        .to_owned(),
        "smalledge" => random.word(&["0", "1", "-1", "13", "100", "-40", "10000"]).to_owned(),
        "smallf8" => {
            typed(random.word(&["0", "1.5", "-2.5", "10", "100", "NaN", "99.999"]), "double precision")
        }
        "shortedge" => (random.word(&["0", "1", "-1", "2", "3", "5"])).to_owned(),
        "year" => (random.word(&["2024", "0", "-44", "1", "294276", "294277", "5874897", "-4713", "1999"]))
            .to_owned(),
        "field" => (random.word(&[
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "milliseconds",
            "microseconds",
            "dow",
            "isodow",
            "doy",
            "week",
            "quarter",
            "decade",
            "century",
            "millennium",
            "epoch",
            "julian",
            "isoyear",
            "timezone",
            "timezone_hour",
            "timezone_minute",
            "nonsense",
        ]))
        .to_owned(),
        "tsfmt" => quoted(&written::time_format(random)),
        "numfmt" => quoted(&written::number_format(random)),
        "tsread" => {
            let (format, text) = written::time_format_and_text(random);
            format!("{}, {}", quoted(&text), quoted(&format))
        }
        "fmt" => quoted(random.word(&[
            "%s|%s",
            "%I %L",
            "%3$s %1$s",
            "%-8s|%8s",
            "%*s",
            "%-*s",
            "%2$*1$s",
            "%%%s",
            "%",
            "%x",
            "%1$",
            "%0$s",
            "%L %L %L %L",
            "%5$s",
            "%s %I",
            "%1$L %1$I",
            "%10L|",
            "%-10I|",
        ])),
        "re" => quoted(&written::pattern(random)),
        "repl" => quoted(random.word(&["x", "", "\\1", "<\\&>", "\\2\\1", "\\\\", "\\9", "a\\", "\\0"])),
        "flags" => quoted(written::flags(random)),
        "like" => quoted(random.word(&[
            "a%", "%b", "%", "_", "", "%a_b%", "\\%", "a\\_%", "%\\", "\\", "é%", "A%", "__%", "%%c", "a",
            "%#%",
        ])),
        "esc" => quoted(random.word(&["#", "", "\\", "ab", "%", "a", "é"])),
        "similar" => quoted(random.word(&[
            "a%", "(a|b)+", "%(b|c)%", "[a-c]*", "_{2}", "a?b", "", "%#%%", "a.b", "a|b", "(ab)*c%", "[^a]%",
            "\\%", "a{1,2}%", "(", "^a$", "%\\",
        ])),
        "parted" => quoted(random.word(&[
            "%#\"a%#\"%",
            "#\"%#\"_",
            "_#\"(a|b)*#\"%",
            "a#\"%",
            "%#\"[a-c]+#\"b?",
            "(a|ab)#\"b*#\"%",
            "#\"#\"",
            "%#\"a#\"#\"",
            "%|a#\"b|c#\"%",
        ])),
        "typename" => quoted(random.word(&[
            "int",
            "integer[]",
            "varchar(3)",
            "numeric(5,2)",
            "timestamp with time zone",
            "pg_catalog.int4",
            "nope",
            "\"char\"",
            "interval day",
            "text[][]",
            "float(10)",
            "",
        ])),
        "any" => return Some(constant(random)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hole_of_every_template_is_filled() {
        let mut random = Random::new(1);
        for template in AREAS.iter().copied().flatten() {
            assert!(!filled(template, &mut random).is_empty(), "{template}");
        }
    }
}
