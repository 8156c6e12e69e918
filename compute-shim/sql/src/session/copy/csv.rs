//! COPY's csv format: what the fields of a line say, and how a value is written.
//!
//! Rules and words are those of `CopyReadAttributesCSV` and `CopyAttributeOutCSV` of PostgreSQL's `copyfromparse.c` and
//! `copyto.c`.

use super::fields::Fields;
use super::lines::Quoting;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// Cuts a line into its fields. What is not quoted and is `null` is NULL.
pub fn split(line: &[u8], delimiter: u8, quoting: Quoting, null: &[u8], fields: &mut Fields) -> Result<()> {
    let Quoting { quote, escape } = quoting;
    fields.begin(false);
    let mut at = 0;
    loop {
        let (start, from) = (at, fields.unquoted().len());
        let (mut was_quoted, mut in_quote) = (false, false);
        let end = loop {
            let Some(&byte) = line.get(at) else {
                if in_quote {
                    let message = "unterminated CSV quoted field";
                    return Err(SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message));
                }
                break at;
            };
            at += 1;
            if !in_quote && byte == delimiter {
                break at - 1;
            }
            if in_quote && byte == escape && line.get(at).is_some_and(|&next| next == escape || next == quote)
            {
                fields.unquoted().push(line[at]);
                at += 1;
            } else if byte == quote {
                in_quote = !in_quote;
                was_quoted = true;
            } else {
                fields.unquoted().push(byte);
            }
        };
        let to = fields.unquoted().len();
        let is_null = !was_quoted && line[start..end] == *null;
        fields.push(if is_null { None } else { Some(from..to) });
        if end == at {
            return Ok(());
        }
    }
}

/// How a value is written.
#[derive(Clone, Copy)]
pub struct Style<'a> {
    /// Stands between values.
    pub delimiter: u8,
    /// Stand around values and before quotes inside.
    pub quoting: Quoting,
    /// What NULL is written as: a value that reads the same is quoted.
    pub null: &'a [u8],
    /// The line has one value.
    pub is_alone: bool,
}

/// Appends a value, in quotes if it needs them or `force` says so.
pub fn write(value: &[u8], style: Style<'_>, force: bool, out: &mut Vec<u8>) {
    let Style { delimiter, quoting: Quoting { quote, escape }, null, is_alone } = style;
    let is_special = |byte: &u8| *byte == delimiter || *byte == quote || matches!(byte, b'\n' | b'\r');
    let is_marker = is_alone && value == b"\\.";
    if !force && value != null && !is_marker && !value.iter().any(is_special) {
        out.extend_from_slice(value);
        return;
    }
    out.push(quote);
    for &byte in value {
        if byte == quote || byte == escape {
            out.push(escape);
        }
        out.push(byte);
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, quoting: Quoting, null: &str) -> Vec<Option<String>> {
        let mut fields = Fields::default();
        split(line.as_bytes(), b',', quoting, null.as_bytes(), &mut fields).expect("sound");
        let value = |at| fields.value(at, line.as_bytes()).map(|value| String::from_utf8_lossy(value).into());
        (0..fields.count()).map(value).collect()
    }

    #[test]
    fn fields_there_and_back() {
        let plain = Quoting { quote: b'"', escape: b'"' };
        let other = Quoting { quote: b'\'', escape: b'^' };
        for (line, quoting, null, expected) in [
            ("", plain, "", vec![None]),
            ("a,,\"\"", plain, "", vec![Some("a"), None, Some("")]),
            ("\"a,b\",c\"d\"e", plain, "", vec![Some("a,b"), Some("cde")]),
            ("\"a\"\"b\"", plain, "", vec![Some("a\"b")]),
            ("'a^'b^^c^d'", other, "", vec![Some("a'b^c^d")]),
            ("N,\"N\",", plain, "N", vec![None, Some("N"), Some("")]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|value| value.map(str::to_owned)).collect();
            assert_eq!(shown(line, quoting, null), expected, "{line}");
            let mut out = Vec::new();
            for (at, value) in expected.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                let style =
                    Style { delimiter: b',', quoting, null: null.as_bytes(), is_alone: expected.len() == 1 };
                match value {
                    Some(value) => write(value.as_bytes(), style, at == 0, &mut out),
                    None => out.extend_from_slice(null.as_bytes()),
                }
            }
            let line = String::from_utf8(out).expect("as it was");
            assert_eq!(shown(&line, quoting, null), expected, "{line}");
        }
        let mut fields = Fields::default();
        let error = split(b"\"open", b',', plain, b"", &mut fields).expect_err("open");
        assert_eq!(error.message(), "unterminated CSV quoted field");
    }
}
