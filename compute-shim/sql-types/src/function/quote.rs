//! Quoting of identifiers and literals, and `format()`.
//!
//! Owns the rules for when quotes are needed. Read next: `string.rs`.

use super::str_at;
use super::string::TEXT_BYTES_MAX;
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};

/// Words of PostgreSQL 15's grammar that cannot stand as an identifier everywhere. Sorted.
#[rustfmt::skip]
const KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between",
    "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce",
    "collate", "collation", "column", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user",
    "dec", "decimal", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "exists",
    "extract", "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant", "greatest",
    "group", "grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect",
    "interval", "into", "is", "isnull", "join", "lateral", "leading", "least", "left", "like", "limit",
    "localtime", "localtimestamp", "national", "natural", "nchar", "none", "normalize", "not", "notnull",
    "null", "nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer", "overlaps", "overlay",
    "placing", "position", "precision", "primary", "real", "references", "returning", "right", "row", "select",
    "session_user", "setof", "similar", "smallint", "some", "substring", "symmetric", "table", "tablesample",
    "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using",
    "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable"
];

/// An identifier as it has to be written: in quotes unless it is lower case and no keyword.
pub fn quote_identifier(name: &str) -> String {
    let plain = name
        .bytes()
        .enumerate()
        .all(|(at, byte)| byte.is_ascii_lowercase() || byte == b'_' || (at > 0 && byte.is_ascii_digit()));
    if plain && !name.is_empty() && KEYWORDS.binary_search(&name).is_err() {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal; with `E` in front where it holds a backslash.
pub fn quote_literal_text(text: &str) -> String {
    let prefix = if text.contains('\\') { "E" } else { "" };
    format!("{prefix}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn quote_ident(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(quote_identifier(str_at(args, 0)).into())
}

pub(super) fn quote_literal(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(quote_literal_text(str_at(args, 0)).into())
}

/// As `quote_literal`, but NULL gives the word NULL.
pub(super) fn quote_nullable(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(args[0].as_str().map_or_else(|| "NULL".to_owned(), quote_literal_text).into())
}

/// One `%…` of a format string.
#[derive(Default)]
struct Specifier {
    /// `n$`: which argument; 0 is the format string itself.
    position: Option<i64>,
    left_aligned: bool,
    width: Option<Width>,
    kind: char,
}

enum Width {
    Fixed(i64),
    /// `*`: the next argument.
    Next,
    /// `*n$`.
    At(i64),
}

/// `format(text, VARIADIC "any")`, its arguments already text.
pub(super) fn format(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Some(pattern) = args[0].as_str() else {
        return Ok(Datum::Null);
    };
    let mut formatter = Formatter { args: &args[1..], next: 0, out: String::new() };
    let mut rest = pattern;
    while let Some(at) = rest.find('%') {
        formatter.out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            formatter.out.push('%');
            rest = behind;
            continue;
        }
        let specifier = parse_specifier(&mut rest)?;
        formatter.apply(&specifier)?;
    }
    formatter.out.push_str(rest);
    Ok(formatter.out.into())
}

fn unterminated() -> SqlError {
    SqlError::invalid_parameter("unterminated format() type specifier")
        .with_hint("For a single \"%\" use \"%%\".")
}

fn number_out_of_range() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range")
}

fn take_number(rest: &mut &str) -> Result<Option<i64>> {
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return Ok(None);
    }
    let number = rest[..length].parse::<i32>().map_err(|_| number_out_of_range())?;
    *rest = &rest[length..];
    Ok(Some(i64::from(number)))
}

/// `[position][flags][width]type`.
fn parse_specifier(rest: &mut &str) -> Result<Specifier> {
    let mut specifier = Specifier::default();
    let position_zero =
        || SqlError::invalid_parameter("format specifies argument 0, but arguments are numbered from 1");
    if let Some(number) = take_number(rest)? {
        if let Some(behind) = rest.strip_prefix('$') {
            if number == 0 {
                return Err(position_zero());
            }
            specifier.position = Some(number);
            *rest = behind;
        } else {
            specifier.width = Some(Width::Fixed(number));
        }
    }
    while let Some(behind) = rest.strip_prefix('-') {
        specifier.left_aligned = true;
        *rest = behind;
    }
    if let Some(behind) = rest.strip_prefix('*') {
        *rest = behind;
        specifier.width = Some(match take_number(rest)? {
            Some(0) => return Err(position_zero()),
            Some(number) => {
                *rest = rest.strip_prefix('$').ok_or_else(|| {
                    SqlError::invalid_parameter("width argument position must be ended by \"$\"")
                })?;
                Width::At(number)
            }
            None => Width::Next,
        });
    } else if let Some(number) = take_number(rest)? {
        specifier.width = Some(Width::Fixed(number));
    }
    let mut characters = rest.chars();
    specifier.kind = characters.next().ok_or_else(unterminated)?;
    *rest = characters.as_str();
    if !matches!(specifier.kind, 's' | 'I' | 'L') {
        let message = format!("unrecognized format() type specifier \"{}\"", specifier.kind);
        return Err(SqlError::invalid_parameter(message).with_hint("For a single \"%\" use \"%%\"."));
    }
    Ok(specifier)
}

struct Formatter<'a> {
    args: &'a [Datum],
    next: usize,
    out: String,
}

impl Formatter<'_> {
    fn argument(&mut self, position: Option<i64>) -> Result<&Datum> {
        let index = match position {
            Some(position) => usize::try_from(position - 1).expect("positions count from 1"),
            None => self.next,
        };
        self.next = index + 1;
        self.args.get(index).ok_or_else(|| SqlError::invalid_parameter("too few arguments for format()"))
    }

    fn width(&mut self, width: Option<&Width>) -> Result<i64> {
        let position = match width {
            None => return Ok(0),
            Some(Width::Fixed(width)) => return Ok(*width),
            Some(Width::Next) => None,
            Some(Width::At(position)) => Some(*position),
        };
        match self.argument(position)?.as_str() {
            None => Ok(0),
            Some(text) => text
                .trim()
                .parse::<i32>()
                .map(i64::from)
                .map_err(|_| SqlError::invalid_input("integer", text)),
        }
    }

    fn apply(&mut self, specifier: &Specifier) -> Result<()> {
        let width = self.width(specifier.width.as_ref())?;
        let value = self.argument(specifier.position)?.as_str();
        let text = match (specifier.kind, value) {
            ('s', value) => value.unwrap_or("").to_owned(),
            ('L', value) => value.map_or_else(|| "NULL".to_owned(), quote_literal_text),
            (_, Some(value)) => quote_identifier(value),
            (_, None) => {
                let message = "null values cannot be formatted as an SQL identifier";
                return Err(SqlError::new(SqlState::NULL_VALUE_NOT_ALLOWED, message));
            }
        };
        // As in PostgreSQL, whose widths are integers without the one that has no opposite.
        if width == i64::from(i32::MIN) {
            return Err(number_out_of_range());
        }
        let missing = usize::try_from(width.unsigned_abs())
            .expect("fits on 64 bits")
            .saturating_sub(text.chars().count());
        let before = self.out.len();
        if before + missing > TEXT_BYTES_MAX {
            let detail =
                format!("Cannot enlarge string buffer containing {before} bytes by {missing} more bytes.");
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "out of memory").with_detail(detail));
        }
        let padding = " ".repeat(missing);
        if specifier.left_aligned || width < 0 {
            self.out.extend([text.as_str(), padding.as_str()]);
        } else {
            self.out.extend([padding.as_str(), text.as_str()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.windows(2).all(|pair| pair[0] < pair[1]));
        for (name, expected) in [
            ("abc", "abc"),
            ("Abc", "\"Abc\""),
            ("select", "\"select\""),
            ("a\"b", "\"a\"\"b\""),
            ("", "\"\""),
        ] {
            assert_eq!(quote_identifier(name), expected);
        }
    }
}
