//! Settings whose values have a grammar of their own: encodings, date styles, time zones, lists of names.

use super::definition::invalid_value;
use hexalog_sql_types::datetime::TimeZone;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::function::quote_identifier;
use hexalog_sql_types::{SqlError, SqlState};

/// Any text.
pub(super) fn any(_: &str, value: &str) -> Result<String> {
    Ok(value.to_owned())
}

/// Bytes of a name that are kept (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;

/// Printable ASCII; each other byte becomes a question mark.
pub(super) fn application_name(_: &str, value: &str) -> Result<String> {
    let printable = |byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '?' };
    Ok(value.bytes().take(NAME_BYTES_MAX).map(printable).collect())
}

/// The C locale in its spellings, and the English ones, which show nothing that differs from it here.
pub(super) fn locale(name: &str, value: &str) -> Result<String> {
    let known = ["", "C", "POSIX", "C.UTF-8", "C.utf8", "en_US.UTF-8", "en_US.utf8"];
    if known.contains(&value) { Ok(value.to_owned()) } else { Err(invalid_value(name, value)) }
}

pub(super) fn time_zone(_: &str, value: &str) -> Result<String> {
    Ok(TimeZone::from_name(value)?.name().to_owned())
}

/// Encodings that PostgreSQL converts and we do not, without punctuation and in lower case.
const OTHER_ENCODINGS: &[&str] = &[
    "abc",
    "alt",
    "big5",
    "euccn",
    "eucjis2004",
    "eucjp",
    "euckr",
    "euctw",
    "gb18030",
    "gbk",
    "iso88591",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "johab",
    "koi8",
    "koi8r",
    "koi8u",
    "latin1",
    "latin10",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "muleinternal",
    "mskanji",
    "shiftjis",
    "shiftjis2004",
    "sjis",
    "tcvn",
    "tcvn5712",
    "uhc",
    "vscii",
    "win",
    "win1250",
    "win1251",
    "win1252",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
    "win866",
    "win874",
    "win932",
    "win936",
    "win949",
    "win950",
    "windows1250",
    "windows1251",
    "windows1252",
    "windows1253",
    "windows1254",
    "windows1255",
    "windows1256",
    "windows1257",
    "windows1258",
    "windows866",
    "windows874",
    "windows932",
    "windows936",
    "windows949",
    "windows950",
];

/// The plain name of an encoding that PostgreSQL knows.
pub(super) fn encoding_name(value: &str) -> Option<&'static str> {
    let clean: String =
        value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match clean.as_str() {
        "utf8" | "unicode" => Some("utf8"),
        "sqlascii" => Some("sqlascii"),
        "latin1" | "iso88591" => Some("latin1"),
        other => OTHER_ENCODINGS.iter().find(|known| **known == other).copied(),
    }
}

/// UTF8, or SQL_ASCII, under which nothing is converted either.
pub(super) fn client_encoding(name: &str, value: &str) -> Result<String> {
    match encoding_name(value) {
        Some("utf8") => Ok("UTF8".to_owned()),
        Some("sqlascii") => Ok("SQL_ASCII".to_owned()),
        Some(_) => Err(SqlError::unsupported(format!("client encoding \"{value}\""))),
        None => Err(invalid_value(name, value)),
    }
}

/// A style and an order of day, month and year, in any order. Only ISO and MDY are implemented.
pub(super) fn date_style(name: &str, value: &str) -> Result<String> {
    let (mut style, mut order) = (None, None);
    for word in value.split(',').map(|word| word.trim().to_ascii_lowercase()) {
        let (slot, found) = match word.as_str() {
            "iso" => (&mut style, "ISO"),
            "sql" => (&mut style, "SQL"),
            "german" => (&mut style, "German"),
            postgres if postgres.starts_with("postgres") => (&mut style, "Postgres"),
            "ymd" => (&mut order, "YMD"),
            "dmy" => (&mut order, "DMY"),
            "mdy" | "us" => (&mut order, "MDY"),
            euro if euro.starts_with("euro") => (&mut order, "DMY"),
            noneuro if noneuro.starts_with("noneuro") => (&mut order, "MDY"),
            "default" => continue,
            _ => {
                return Err(
                    invalid_value(name, value).with_detail(format!("Unrecognized key word: \"{word}\"."))
                );
            }
        };
        if slot.is_some_and(|known| known != found) {
            let detail = "Conflicting \"datestyle\" specifications.";
            return Err(invalid_value(name, value).with_detail(detail));
        }
        *slot = Some(found);
    }
    let (style, order) = (style.unwrap_or("ISO"), order.unwrap_or("MDY"));
    if (style, order) != ("ISO", "MDY") {
        return Err(SqlError::unsupported(format!("setting DateStyle to \"{style}, {order}\"")));
    }
    Ok("ISO, MDY".to_owned())
}

/// A list of names, kept as it was written.
pub(super) fn name_list(name: &str, value: &str) -> Result<String> {
    match split_names(value) {
        Some(_) => Ok(value.to_owned()),
        None => Err(invalid_value(name, value).with_detail("List syntax is invalid.")),
    }
}

/// The names of a list: folded unless quoted. `None` if it is none.
pub(super) fn split_names(list: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = list.trim_start();
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let end = rest.find([',', ' ', '\t', '\n']).unwrap_or(rest.len());
                (rest[..end].to_lowercase(), &rest[end..])
            }
        };
        let is_bare = !rest.starts_with('"');
        if is_bare && name.is_empty() {
            return None;
        }
        names.push(name);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start();
    }
}

/// A name up to its closing quote, and what follows.
fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let at = rest.find('"')?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, rest)),
        }
    }
}

/// Names as SET has them, separate values, in the form of a list.
pub(super) fn join_names(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quote_identifier(name)).collect();
    quoted.join(", ")
}

/// 42704 for a name that is no setting.
pub(super) fn unrecognized(name: &str) -> SqlError {
    SqlError::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}
