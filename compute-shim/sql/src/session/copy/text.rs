//! COPY's text format: what the fields of a line say, and how a row is written.
//!
//! Rules are those of `CopyReadAttributesText` and `CopyAttributeOutText` of PostgreSQL's `copyfromparse.c` and `copyto.c`.

use super::fields::Fields;
use std::ops::Range;

/// Cuts a line into its fields, delimiters that are escaped apart. What reads `null` before escapes are replaced is NULL.
pub fn split(line: &[u8], delimiter: u8, has_escape: bool, null: &[u8], fields: &mut Fields) {
    fields.begin(!has_escape);
    let (mut start, mut at) = (0, 0);
    while at < line.len() {
        match line[at] {
            b'\\' if has_escape => at += 1,
            byte if byte == delimiter => {
                push_field(line, start..at, has_escape, null, fields);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    push_field(line, start..line.len(), has_escape, null, fields);
}

fn push_field(line: &[u8], place: Range<usize>, has_escape: bool, null: &[u8], fields: &mut Fields) {
    if line[place.clone()] == *null {
        return fields.push(None);
    }
    if !has_escape {
        return fields.push(Some(place));
    }
    let from = fields.unquoted().len();
    unescape(&line[place], fields.unquoted());
    let to = fields.unquoted().len();
    fields.push(Some(from..to));
}

/// Appends a field with its escapes replaced.
fn unescape(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        // At the very end it says nothing.
        let Some((&escaped, after)) = rest.split_first() else { return };
        rest = after;
        match escaped {
            b'0'..=b'7' => {
                let mut value = escaped - b'0';
                for _ in 0..2 {
                    let Some((&digit @ b'0'..=b'7', after)) = rest.split_first() else { break };
                    value = value.wrapping_mul(8).wrapping_add(digit - b'0');
                    rest = after;
                }
                out.push(value);
            }
            b'x' => match hexadecimal(&mut rest) {
                Some(value) => out.push(value),
                None => out.push(b'x'),
            },
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            other => out.push(other),
        }
    }
}

/// One or two hexadecimal digits.
fn hexadecimal(rest: &mut &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (&first, after) = rest.split_first()?;
    let mut value = digit(first)?;
    *rest = after;
    if let Some((&second, after)) = rest.split_first()
        && let Some(low) = digit(second)
    {
        value = value * 16 + low;
        *rest = after;
    }
    Some(value)
}

/// Appends a value's text with what would be mistaken escaped.
pub fn escape(text: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    for &byte in text {
        let letter = match byte {
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            11 => b'v',
            b'\\' => b'\\',
            _ if byte == delimiter => byte,
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_there_and_back() {
        for (field, value) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"a\\tb\\nc\\rd\\\\e", b"a\tb\nc\rd\\e"),
            (b"\\b\\f\\v", b"\x08\x0c\x0b"),
            (b"\\101\\60\\7x", b"A0\x07x"),
            (b"\\x41\\x4g\\xg", b"A\x04gxg"),
            (b"\\q\\", b"q"),
        ] {
            let mut out = Vec::new();
            unescape(field, &mut out);
            assert_eq!(out, value, "{field:?}");
        }
        let mut out = Vec::new();
        escape(b"a\tb,c\\d\n\x0b", b',', &mut out);
        assert_eq!(out, b"a\\tb\\,c\\\\d\\n\\v");
        let mut fields = Fields::default();
        let line = b"a\\\tb\tc\t\\N";
        split(line, b'\t', true, b"\\N", &mut fields);
        let values: Vec<_> = (0..fields.count()).map(|at| fields.value(at, line)).collect();
        assert_eq!(values, [Some(&b"a\tb"[..]), Some(b"c"), None]);
    }
}
