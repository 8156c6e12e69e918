//! Text form of arrays, vectors and records.
//!
//! Owns braces, quoting and dimension bounds. Elements go through the functions of their own type. Read next: `mod.rs`.

use std::sync::Arc;

use super::{input, output, write_i64};
use crate::datum::{ARRAY_DIMENSIONS_MAX, Array, Datum, Dimension, Record};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::types::{TypeId, Typmod};

/// Blanks as C's `isspace` has them.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Space-separated numbers: `int2vector`, `oidvector`.
pub(super) fn parse_vector(id: TypeId, text: &str) -> Result<Datum> {
    let element = id.array_element().expect("only vectors come here");
    let env = EvalEnv::without_session();
    let values: Result<Vec<Datum>> = text
        .split(|c: char| c.is_ascii_whitespace())
        .filter(|part| !part.is_empty())
        .map(|part| input(&env, element, Typmod::NONE, part))
        .collect();
    Ok(Array::vector(element, values?).into())
}

pub(super) fn write_vector(env: &EvalEnv<'_>, array: &Array, out: &mut Vec<u8>) {
    for (at, value) in array.values.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        output(env, array.element, value, out);
    }
}

pub(super) fn write_array(env: &EvalEnv<'_>, array: &Array, out: &mut Vec<u8>) {
    if array.values.is_empty() {
        return out.extend_from_slice(b"{}");
    }
    if array.dimensions.iter().any(|dimension| dimension.lower != 1) {
        for dimension in &array.dimensions {
            out.push(b'[');
            write_i64(i64::from(dimension.lower), out);
            out.push(b':');
            write_i64(i64::from(dimension.lower) + i64::from(dimension.length) - 1, out);
            out.push(b']');
        }
        out.push(b'=');
    }
    let mut values = array.values.iter();
    write_level(env, array, &array.dimensions, &mut values, out);
}

fn write_level<'a>(
    env: &EvalEnv<'_>,
    array: &Array,
    dimensions: &[Dimension],
    values: &mut impl Iterator<Item = &'a Datum>,
    out: &mut Vec<u8>,
) {
    let (dimension, inner) = dimensions.split_first().expect("an array with values has dimensions");
    out.push(b'{');
    for at in 0..dimension.length {
        if at > 0 {
            out.push(b',');
        }
        if inner.is_empty() {
            let value = values.next().expect("as many values as the dimensions say");
            write_element(env, array.element, value, out);
        } else {
            write_level(env, array, inner, values, out);
        }
    }
    out.push(b'}');
}

fn write_element(env: &EvalEnv<'_>, id: TypeId, value: &Datum, out: &mut Vec<u8>) {
    if value.is_null() {
        return out.extend_from_slice(b"NULL");
    }
    let start = out.len();
    output(env, id, value, out);
    let text = &out[start..];
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',') || is_space(byte);
    if text.is_empty() || text.eq_ignore_ascii_case(b"null") || text.iter().any(|&byte| special(byte)) {
        let plain = out.split_off(start);
        out.push(b'"');
        for byte in plain {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }
}

pub(super) fn write_record(env: &EvalEnv<'_>, record: &Record, out: &mut Vec<u8>) {
    out.push(b'(');
    for (at, (value, &id)) in record.values.iter().zip(&record.types).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if value.is_null() {
            continue;
        }
        let start = out.len();
        output(env, id, value, out);
        let text = &out[start..];
        let special = |byte: u8| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(byte);
        if text.is_empty() || text.iter().any(|&byte| special(byte)) {
            let plain = out.split_off(start);
            out.push(b'"');
            for byte in plain {
                if matches!(byte, b'"' | b'\\') {
                    out.push(byte);
                }
                out.push(byte);
            }
            out.push(b'"');
        }
    }
    out.push(b')');
}

/// 22P02 `malformed array literal: "..."` with what is wrong.
fn malformed(text: &str, detail: &str) -> SqlError {
    let message = format!("malformed array literal: \"{text}\"");
    let error = SqlError::new(SqlState::INVALID_TEXT_REPRESENTATION, message);
    if detail.is_empty() { error } else { error.with_detail(detail) }
}

const RAGGED: &str = "Multidimensional arrays must have sub-arrays with matching dimensions.";

pub(super) fn parse_array(env: &EvalEnv<'_>, element: TypeId, text: &str) -> Result<Datum> {
    let mut parser = Parser { env, element, text, at: 0, values: Vec::new(), lengths: Vec::new() };
    parser.skip_spaces();
    let bounds = parser.bounds()?;
    if parser.peek() != Some(b'{') {
        let detail = if bounds.is_empty() {
            "Array value must start with \"{\" or dimension information."
        } else {
            "Array contents must start with \"{\"."
        };
        return Err(malformed(text, detail));
    }
    parser.level(0)?;
    parser.skip_spaces();
    if parser.peek().is_some() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    let Parser { values, lengths, .. } = parser;
    let mismatched = || malformed(text, "Specified array dimensions do not match array contents.");
    if values.is_empty() {
        return if bounds.is_empty() {
            Ok(Array::from_values(element, Vec::new()).into())
        } else {
            Err(mismatched())
        };
    }
    let lengths: Vec<i32> = lengths
        .into_iter()
        .map(|length| i32::try_from(length.expect("every level of an array with values is closed")))
        .collect::<Result<_, _>>()
        .map_err(|_| {
            SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed")
        })?;
    if !bounds.is_empty() && bounds.iter().map(|bound| bound.length).ne(lengths.iter().copied()) {
        return Err(mismatched());
    }
    let dimensions = if bounds.is_empty() {
        lengths.into_iter().map(|length| Dimension { length, lower: 1 }).collect()
    } else {
        bounds
    };
    Dimension::check_bounds(&dimensions)?;
    Ok(Datum::Array(Arc::new(Array { element, dimensions, values })))
}

struct Parser<'a> {
    env: &'a EvalEnv<'a>,
    element: TypeId,
    text: &'a str,
    at: usize,
    values: Vec<Datum>,
    /// Length of each level's arrays, known once the first of that level is closed.
    lengths: Vec<Option<usize>>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn malformed(&self, detail: &str) -> SqlError {
        malformed(self.text, detail)
    }

    /// `[l:u][l:u]…=` in front of the braces.
    fn bounds(&mut self) -> Result<Vec<Dimension>> {
        let mut bounds = Vec::new();
        while self.peek() == Some(b'[') {
            let missing = || malformed(self.text, "Missing array dimension value.");
            let end = self.text[self.at..]
                .find(']')
                .ok_or_else(|| self.malformed("Missing \"]\" after array dimensions."))?;
            let inner = &self.text[self.at + 1..self.at + end];
            let (lower, upper) = inner.split_once(':').unwrap_or(("1", inner));
            let number = |text: &str| text.trim().parse::<i32>().map_err(|_| missing());
            let (lower, upper) = (number(lower)?, number(upper)?);
            if upper < lower {
                let message = "upper bound cannot be less than lower bound";
                return Err(SqlError::new(SqlState::ARRAY_SUBSCRIPT_ERROR, message));
            }
            let length = i64::from(upper) - i64::from(lower) + 1;
            let length = i32::try_from(length).map_err(|_| missing())?;
            bounds.push(Dimension { length, lower });
            self.at += end + 1;
            self.check_depth(bounds.len())?;
            self.skip_spaces();
        }
        if !bounds.is_empty() {
            if self.peek() != Some(b'=') {
                return Err(self.malformed("Missing \"=\" after array dimensions."));
            }
            self.at += 1;
            self.skip_spaces();
        }
        Ok(bounds)
    }

    fn check_depth(&self, depth: usize) -> Result<()> {
        if depth > ARRAY_DIMENSIONS_MAX {
            let message = format!(
                "number of array dimensions ({depth}) exceeds the maximum allowed ({ARRAY_DIMENSIONS_MAX})"
            );
            return Err(SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
        }
        Ok(())
    }

    /// One pair of braces and what is in it.
    fn level(&mut self, depth: usize) -> Result<()> {
        assert_eq!(self.peek(), Some(b'{'), "callers have seen the brace");
        self.at += 1;
        self.check_depth(depth + 1)?;
        if self.lengths.len() == depth {
            if self.values.is_empty() {
                self.lengths.push(None);
            } else {
                return Err(self.malformed(RAGGED));
            }
        }
        let mut count = 0;
        self.skip_spaces();
        if self.peek() == Some(b'}') && depth == 0 {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_spaces();
            match self.peek() {
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(b'{') => self.level(depth + 1)?,
                Some(b'}') => return Err(self.malformed("Unexpected \"}\" character.")),
                Some(b',') => return Err(self.malformed("Unexpected \",\" character.")),
                Some(_) => self.element(depth)?,
            }
            count += 1;
            self.skip_spaces();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                None => return Err(self.malformed("Unexpected end of input.")),
                Some(_) => return Err(self.malformed("Unexpected array element.")),
            }
        }
        self.at += 1;
        match self.lengths[depth].replace(count) {
            Some(length) if length != count => Err(self.malformed(RAGGED)),
            _ => Ok(()),
        }
    }

    /// One element, quoted or bare.
    fn element(&mut self, depth: usize) -> Result<()> {
        if depth + 1 != self.lengths.len() {
            return Err(self.malformed(RAGGED));
        }
        let mut bytes = Vec::new();
        let quoted = self.peek() == Some(b'"');
        let mut kept = 0;
        if quoted {
            self.at += 1;
        }
        loop {
            let Some(byte) = self.peek() else {
                return Err(self.malformed("Unexpected end of input."));
            };
            match byte {
                b'\\' => {
                    let Some(&escaped) = self.text.as_bytes().get(self.at + 1) else {
                        return Err(self.malformed("Unexpected end of input."));
                    };
                    bytes.push(escaped);
                    self.at += 2;
                    kept = bytes.len();
                    continue;
                }
                b'"' if quoted => {
                    self.at += 1;
                    break;
                }
                b'"' | b'{' if !quoted => return Err(self.malformed("Unexpected array element.")),
                b',' | b'}' if !quoted => break,
                _ => bytes.push(byte),
            }
            if quoted || !is_space(byte) {
                kept = bytes.len();
            }
            self.at += 1;
        }
        // Blanks behind a bare element do not belong to it; escaped ones do.
        bytes.truncate(kept);
        let text = String::from_utf8(bytes).expect("cut from a string at ASCII characters");
        let value = if !quoted && text.eq_ignore_ascii_case("null") {
            Datum::Null
        } else {
            input(self.env, self.element, Typmod::NONE, &text)?
        };
        self.values.push(value);
        Ok(())
    }
}
