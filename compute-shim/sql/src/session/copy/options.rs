//! What the options of a COPY ask for.
//!
//! Owns [`Options`]. Checks, their order and their words are those of `ProcessCopyOptions` in PostgreSQL's `copy.c`.

use super::lines::Quoting;
use crate::parse;
use crate::parse::tree::{CopyOption, CopyOptionValue};
use crate::session::settings;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Csv,
    Binary,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    No,
    Yes,
    /// Its names must be those of the columns.
    Match,
}

/// Columns that an option speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    All,
    Columns(Vec<String>),
}

/// The encoding of the data where it is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Latin1,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub format: Format,
    pub delimiter: u8,
    pub null: String,
    pub header: Header,
    /// Means something in csv only.
    pub quoting: Quoting,
    pub freeze: bool,
    pub force_quote: Named,
    pub force_not_null: Vec<String>,
    pub force_null: Vec<String>,
    pub encoding: Encoding,
}

/// The options as given, each once.
#[derive(Default)]
struct Given {
    format: Option<Format>,
    freeze: Option<bool>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<Header>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<Named>,
    force_not_null: Option<Vec<String>>,
    force_null: Option<Vec<String>>,
    encoding: Option<Encoding>,
}

impl Options {
    pub(super) fn new(options: &[CopyOption], from: bool) -> Result<Options> {
        let mut given = Given::default();
        for option in options {
            given.take(option, from)?;
        }
        given.check_binary()?;
        let format = given.format.unwrap_or(Format::Text);
        let is_csv = format == Format::Csv;
        let delimiter = given.delimiter.unwrap_or_else(|| if is_csv { "," } else { "\t" }.to_owned());
        let null = given.null.unwrap_or_else(|| if is_csv { "" } else { "\\N" }.to_owned());
        let delimiter_byte = delimiter_byte(&delimiter)?;
        if null.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return invalid("COPY null representation cannot use newline or carriage return");
        }
        if !is_csv && is_taken(delimiter_byte) {
            return invalid(&format!("COPY delimiter cannot be \"{delimiter}\""));
        }
        let header = given.header.unwrap_or(Header::No);
        if format == Format::Binary && header != Header::No {
            return refused("cannot specify HEADER in BINARY mode");
        }
        let quoting = quoting(given.quote.as_deref(), given.escape.as_deref(), is_csv, delimiter_byte)?;
        check_forced("quote", given.force_quote.is_some(), is_csv, !from, "TO")?;
        check_forced("not null", given.force_not_null.is_some(), is_csv, from, "FROM")?;
        check_forced("null", given.force_null.is_some(), is_csv, from, "FROM")?;
        if null.as_bytes().contains(&delimiter_byte) && format != Format::Binary {
            return refused("COPY delimiter must not appear in the NULL specification");
        }
        if is_csv && null.as_bytes().contains(&quoting.quote) {
            return refused("CSV quote character must not appear in the NULL specification");
        }
        Ok(Options {
            format,
            delimiter: delimiter_byte,
            null,
            header,
            quoting,
            freeze: given.freeze.unwrap_or(false),
            force_quote: given.force_quote.unwrap_or(Named::Columns(Vec::new())),
            force_not_null: given.force_not_null.unwrap_or_default(),
            force_null: given.force_null.unwrap_or_default(),
            encoding: given.encoding.unwrap_or(Encoding::Utf8),
        })
    }
}

impl Given {
    fn take(&mut self, option: &CopyOption, from: bool) -> Result<()> {
        match option.name.as_str() {
            "format" => once(&mut self.format, option, format),
            "freeze" => once(&mut self.freeze, option, boolean),
            "delimiter" => once(&mut self.delimiter, option, text),
            "null" => once(&mut self.null, option, text),
            "header" => once(&mut self.header, option, |option| header(option, from)),
            "quote" => once(&mut self.quote, option, text),
            "escape" => once(&mut self.escape, option, text),
            "force_quote" => once(&mut self.force_quote, option, |option| match &option.value {
                CopyOptionValue::All => Ok(Named::All),
                _ => list(option).map(Named::Columns),
            }),
            "force_not_null" => once(&mut self.force_not_null, option, list),
            "force_null" => once(&mut self.force_null, option, list),
            "encoding" => once(&mut self.encoding, option, encoding),
            name => {
                let message = format!("option \"{name}\" not recognized");
                Err(parse::at(SqlError::syntax(message), option.position))
            }
        }
    }

    fn check_binary(&self) -> Result<()> {
        if self.format != Some(Format::Binary) {
            return Ok(());
        }
        if self.delimiter.is_some() {
            return Err(SqlError::syntax("cannot specify DELIMITER in BINARY mode"));
        }
        if self.null.is_some() {
            return Err(SqlError::syntax("cannot specify NULL in BINARY mode"));
        }
        Ok(())
    }
}

fn invalid<T>(message: &str) -> Result<T> {
    Err(SqlError::invalid_parameter(message))
}

fn refused<T>(message: &str) -> Result<T> {
    Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message))
}

/// Takes an option's value; 42601 if it has been given before.
fn once<T>(
    slot: &mut Option<T>,
    option: &CopyOption,
    read: impl FnOnce(&CopyOption) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(parse::at(SqlError::syntax("conflicting or redundant options"), option.position));
    }
    *slot = Some(read(option)?);
    Ok(())
}

fn text(option: &CopyOption) -> Result<String> {
    match &option.value {
        CopyOptionValue::None => Err(SqlError::syntax(format!("{} requires a parameter", option.name))),
        CopyOptionValue::Text(text) | CopyOptionValue::Number(text) => Ok(text.clone()),
        CopyOptionValue::All => Ok("*".to_owned()),
        CopyOptionValue::List(names) => Ok(names.join(".")),
    }
}

/// A value as PostgreSQL's `defGetBoolean` reads it.
fn truth(option: &CopyOption) -> Option<bool> {
    match &option.value {
        CopyOptionValue::None => Some(true),
        CopyOptionValue::Number(number) => match number.as_str() {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        },
        CopyOptionValue::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "on" => Some(true),
            "false" | "off" => Some(false),
            _ => None,
        },
        CopyOptionValue::All | CopyOptionValue::List(_) => None,
    }
}

fn boolean(option: &CopyOption) -> Result<bool> {
    truth(option).ok_or_else(|| SqlError::syntax(format!("{} requires a Boolean value", option.name)))
}

fn header(option: &CopyOption, from: bool) -> Result<Header> {
    match (truth(option), &option.value) {
        (Some(true), _) => Ok(Header::Yes),
        (Some(false), _) => Ok(Header::No),
        (None, CopyOptionValue::Text(word)) if word.eq_ignore_ascii_case("match") => match from {
            true => Ok(Header::Match),
            false => refused(&format!("cannot use \"{word}\" with HEADER in COPY TO")),
        },
        _ => Err(SqlError::syntax(format!("{} requires a Boolean value or \"match\"", option.name))),
    }
}

fn format(option: &CopyOption) -> Result<Format> {
    let name = text(option)?;
    match name.as_str() {
        "text" => Ok(Format::Text),
        "csv" => Ok(Format::Csv),
        "binary" => Ok(Format::Binary),
        _ => {
            let message = format!("COPY format \"{name}\" not recognized");
            Err(parse::at(SqlError::invalid_parameter(message), option.position))
        }
    }
}

fn list(option: &CopyOption) -> Result<Vec<String>> {
    match &option.value {
        CopyOptionValue::List(names) => Ok(names.clone()),
        _ => {
            let message = format!("argument to option \"{}\" must be a list of column names", option.name);
            Err(parse::at(SqlError::invalid_parameter(message), option.position))
        }
    }
}

fn encoding(option: &CopyOption) -> Result<Encoding> {
    let name = text(option)?;
    match settings::encoding_name(&name) {
        Some("utf8" | "sqlascii") => Ok(Encoding::Utf8),
        Some("latin1") => Ok(Encoding::Latin1),
        Some(_) => Err(SqlError::unsupported(format!("COPY encoding \"{name}\""))),
        None => {
            let message = format!("argument to option \"{}\" must be a valid encoding name", option.name);
            Err(parse::at(SqlError::invalid_parameter(message), option.position))
        }
    }
}

fn delimiter_byte(text: &str) -> Result<u8> {
    match *text.as_bytes() {
        [b'\n' | b'\r'] => invalid("COPY delimiter cannot be newline or carriage return"),
        [byte] => Ok(byte),
        _ => refused("COPY delimiter must be a single one-byte character"),
    }
}

/// Whether a byte means something else in the text format.
fn is_taken(byte: u8) -> bool {
    matches!(byte, b'\\' | b'.' | b'a'..=b'z' | b'0'..=b'9')
}

fn quoting(quote: Option<&str>, escape: Option<&str>, is_csv: bool, delimiter: u8) -> Result<Quoting> {
    if !is_csv && quote.is_some() {
        return refused("COPY quote available only in CSV mode");
    }
    let &[quote] = quote.unwrap_or("\"").as_bytes() else {
        return refused("COPY quote must be a single one-byte character");
    };
    if is_csv && delimiter == quote {
        return invalid("COPY delimiter and quote must be different");
    }
    if !is_csv && escape.is_some() {
        return refused("COPY escape available only in CSV mode");
    }
    let escape = match escape.map(str::as_bytes) {
        None => quote,
        Some(&[byte]) => byte,
        Some(_) => return refused("COPY escape must be a single one-byte character"),
    };
    Ok(Quoting { quote, escape })
}

fn check_forced(what: &str, is_given: bool, is_csv: bool, fits: bool, direction: &str) -> Result<()> {
    if is_given && !is_csv {
        return refused(&format!("COPY force {what} available only in CSV mode"));
    }
    if is_given && !fits {
        return refused(&format!("COPY force {what} only available using COPY {direction}"));
    }
    Ok(())
}
