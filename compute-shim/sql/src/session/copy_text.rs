//! COPY's text format: where a line ends, what its fields say, and how a row is written.
//!
//! Owns [`Lines`], which finds lines in data that comes in arbitrary pieces and copies only those that two pieces
//! share. Rules and words are those of PostgreSQL's `copyfromparse.c` and `copyto.c`.

use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use std::ops::Range;

/// How the lines of this input end; the first one decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newline {
    Unknown,
    Lf,
    Cr,
    CrLf,
}

/// Where a line lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In the kept bytes, or else in the piece given.
    is_kept: bool,
    bytes: Range<usize>,
    /// A backslash is in it.
    pub has_escape: bool,
}

enum Scan {
    /// The line's end, and where the next one begins.
    Line { end: usize, next: usize, has_escape: bool },
    /// `\.`: data before it on the line, if any, is the last line.
    Marker { end: usize, has_escape: bool },
    /// The piece ends first; so much of it need not be looked at again.
    More(Seen),
}

/// Cuts input into lines.
pub struct Lines {
    newline: Newline,
    /// The beginning of a line whose end has not come, from `kept_from` on.
    kept: Vec<u8>,
    kept_from: usize,
    /// Of the kept bytes so many are known to hold no line end. A long line comes in thousands of pieces: to look at all of
    /// it for each would take hours.
    seen: Seen,
    has_ended: bool,
}

/// How far a line has been looked at, and whether a backslash was met.
#[derive(Clone, Copy, Default)]
struct Seen {
    bytes: usize,
    has_escape: bool,
}

fn bad_format(message: &str) -> SqlError {
    SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

impl Lines {
    /// None of the input has come.
    #[expect(
        clippy::new_without_default,
        reason = "a cutter that has met no line ends is no default of anything"
    )]
    pub fn new() -> Lines {
        Lines {
            newline: Newline::Unknown,
            kept: Vec::new(),
            kept_from: 0,
            seen: Seen::default(),
            has_ended: false,
        }
    }

    /// The bytes of a line that [`Lines::next`] found in this piece.
    pub fn bytes<'a>(&'a self, line: &Line, piece: &'a [u8]) -> &'a [u8] {
        if line.is_kept { &self.kept[line.bytes.clone()] } else { &piece[line.bytes.clone()] }
    }

    /// The next line of `piece` from `at` on, which moves behind it. `None`: the piece is used up.
    pub fn next(&mut self, piece: &[u8], at: &mut usize) -> Result<Option<Line>> {
        self.forget_taken();
        loop {
            if self.has_ended {
                *at = piece.len();
                return Ok(None);
            }
            if !self.kept.is_empty() {
                match self.scan(&self.kept, self.seen, false)? {
                    (newline, Scan::More(seen)) => {
                        self.newline = newline;
                        self.seen = seen;
                        if *at == piece.len() {
                            return Ok(None);
                        }
                        let rest = &piece[*at..];
                        let end =
                            rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
                        self.kept.extend_from_slice(&rest[..end]);
                        *at += end;
                    }
                    (newline, scan) => {
                        if let Scan::Marker { .. } = scan {
                            *at = piece.len();
                        }
                        return Ok(self.take_kept(newline, &scan));
                    }
                }
                continue;
            }
            let rest = &piece[*at..];
            if rest.is_empty() {
                return Ok(None);
            }
            let (newline, scan) = self.scan(rest, Seen::default(), false)?;
            self.newline = newline;
            match scan {
                Scan::More(seen) => {
                    self.kept.extend_from_slice(rest);
                    self.seen = seen;
                    *at = piece.len();
                    return Ok(None);
                }
                Scan::Marker { end, has_escape } => {
                    self.has_ended = true;
                    let bytes = *at..*at + end;
                    *at = piece.len();
                    return Ok((end > 0).then_some(Line { is_kept: false, bytes, has_escape }));
                }
                Scan::Line { end, next, has_escape } => {
                    let bytes = *at..*at + end;
                    *at += next;
                    return Ok(Some(Line { is_kept: false, bytes, has_escape }));
                }
            }
        }
    }

    /// What is left when the input has ended.
    pub fn last(&mut self) -> Result<Option<Line>> {
        self.forget_taken();
        if self.has_ended || self.kept.is_empty() {
            return Ok(None);
        }
        let (newline, scan) = self.scan(&self.kept, self.seen, true)?;
        if let Scan::More(seen) = scan {
            let bytes = 0..self.kept.len();
            self.kept_from = bytes.end;
            let has_escape = seen.has_escape || self.kept[seen.bytes..].contains(&b'\\');
            return Ok(Some(Line { is_kept: true, bytes, has_escape }));
        }
        Ok(self.take_kept(newline, &scan))
    }

    fn forget_taken(&mut self) {
        if self.kept_from > 0 {
            self.kept.drain(..self.kept_from);
            self.kept_from = 0;
            self.seen = Seen::default();
        }
    }

    fn take_kept(&mut self, newline: Newline, scan: &Scan) -> Option<Line> {
        self.newline = newline;
        match *scan {
            Scan::More(_) => unreachable!("handled by the callers"),
            Scan::Marker { end, has_escape } => {
                self.has_ended = true;
                self.kept_from = self.kept.len();
                (end > 0).then_some(Line { is_kept: true, bytes: 0..end, has_escape })
            }
            Scan::Line { end, next, has_escape } => {
                self.kept_from = next;
                Some(Line { is_kept: true, bytes: 0..end, has_escape })
            }
        }
    }

    /// Finds the end of the line that begins with `bytes`, of which so much has been seen. `is_final`: nothing comes
    /// behind them.
    fn scan(&self, bytes: &[u8], seen: Seen, is_final: bool) -> Result<(Newline, Scan)> {
        let Seen { bytes: mut at, mut has_escape } = seen;
        while let Some(skip) = bytes[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r' | b'\\')) {
            at += skip;
            let more = Scan::More(Seen { bytes: at, has_escape });
            match bytes[at] {
                b'\\' => match bytes.get(at + 1) {
                    None => return Ok((self.newline, more)),
                    Some(b'.') => {
                        return match marker_end(&bytes[at + 2..], self.newline, is_final)? {
                            true => Ok((self.newline, Scan::Marker { end: at, has_escape })),
                            false => Ok((self.newline, more)),
                        };
                    }
                    Some(_) => {
                        has_escape = true;
                        at += 2;
                    }
                },
                b'\n' => {
                    if matches!(self.newline, Newline::Cr | Newline::CrLf) {
                        let hint = "Use \"\\n\" to represent newline.";
                        return Err(bad_format("literal newline found in data").with_hint(hint));
                    }
                    return Ok((Newline::Lf, Scan::Line { end: at, next: at + 1, has_escape }));
                }
                _ => return self.carriage_return(bytes, Seen { bytes: at, has_escape }, is_final),
            }
        }
        Ok((self.newline, Scan::More(Seen { bytes: bytes.len(), has_escape })))
    }

    fn carriage_return(&self, bytes: &[u8], here: Seen, is_final: bool) -> Result<(Newline, Scan)> {
        let Seen { bytes: at, has_escape } = here;
        let literal = || {
            let hint = "Use \"\\r\" to represent carriage return.";
            Err(bad_format("literal carriage return found in data").with_hint(hint))
        };
        let line = |next| Scan::Line { end: at, next, has_escape };
        match (self.newline, bytes.get(at + 1)) {
            (Newline::Lf, _) => literal(),
            (Newline::Cr, _) => Ok((Newline::Cr, line(at + 1))),
            (_, None) if !is_final => Ok((self.newline, Scan::More(here))),
            (_, Some(b'\n')) => Ok((Newline::CrLf, line(at + 2))),
            (Newline::Unknown, _) => Ok((Newline::Cr, line(at + 1))),
            (Newline::CrLf, _) => literal(),
        }
    }
}

/// Whether `\.` is followed by the end of its line; false if that is not to be seen yet.
fn marker_end(after: &[u8], newline: Newline, is_final: bool) -> Result<bool> {
    let mismatch = || Err(bad_format("end-of-copy marker does not match previous newline style"));
    match (after, newline) {
        ([], _) => Ok(is_final),
        ([b'\n', ..], Newline::Unknown | Newline::Lf) => Ok(true),
        ([b'\r'], Newline::Unknown | Newline::CrLf) if !is_final => Ok(false),
        ([b'\r', b'\n', ..], Newline::Unknown | Newline::CrLf) => Ok(true),
        ([b'\r', ..], Newline::Unknown | Newline::Cr) => Ok(true),
        ([b'\n' | b'\r', ..], _) => mismatch(),
        _ => Err(bad_format("end-of-copy marker corrupt")),
    }
}

/// Where a line's fields lie, delimiters that are escaped apart.
pub fn split_fields(line: &[u8], delimiter: u8, has_escape: bool, fields: &mut Vec<Range<usize>>) {
    fields.clear();
    let (mut start, mut at) = (0, 0);
    while at < line.len() {
        match line[at] {
            b'\\' if has_escape => at += 1,
            byte if byte == delimiter => {
                fields.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    fields.push(start..line.len());
}

/// A field with its escapes replaced.
pub fn unescape(field: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escaped, after)) = rest.split_first() else {
            out.push(b'\\');
            continue;
        };
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

    /// All lines of a text that comes in pieces of this size.
    fn lines(text: &[u8], size: usize) -> Result<Vec<Vec<u8>>> {
        let mut lines = Lines::new();
        let mut found = Vec::new();
        for piece in text.chunks(size) {
            let mut at = 0;
            while let Some(line) = lines.next(piece, &mut at)? {
                let bytes = lines.bytes(&line, piece).to_vec();
                assert_eq!(line.has_escape, bytes.contains(&b'\\'), "whichever piece it came in");
                found.push(bytes);
            }
            assert_eq!(at, piece.len());
        }
        if let Some(line) = lines.last()? {
            found.push(lines.bytes(&line, &[]).to_vec());
        }
        Ok(found)
    }

    #[test]
    fn lines_are_the_same_whatever_the_pieces() {
        let cases: &[(&[u8], &[&[u8]])] = &[
            (b"", &[]),
            (b"\n", &[b""]),
            (b"a\nb\n", &[b"a", b"b"]),
            (b"a\nb", &[b"a", b"b"]),
            (b"a\r\n\r\nb\r\n", &[b"a", b"", b"b"]),
            (b"a\rb\rc", &[b"a", b"b", b"c"]),
            (b"a\\\nb\nc\n", &[b"a\\\nb", b"c"]),
            (b"a\\\\\nb\n", &[b"a\\\\", b"b"]),
            (b"a\n\\.\nrest is ignored", &[b"a"]),
            (b"a\r\n\\.\r\n", &[b"a"]),
            (b"a\n\\.", &[b"a"]),
            (b"a\nb\\.\n", &[b"a", b"b"]),
            (b"\\x41\\t\n", &[b"\\x41\\t"]),
        ];
        for (text, expected) in cases {
            for size in 1..=text.len().max(1) {
                assert_eq!(lines(text, size).expect("sound"), *expected, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn mixed_line_ends_are_refused() {
        for (text, message) in [
            (&b"a\nb\rc\n"[..], "literal carriage return found in data"),
            (b"a\r\nb\n", "literal newline found in data"),
            (b"a\rb\n", "literal newline found in data"),
            (b"a\r\nb\rc", "literal carriage return found in data"),
            (b"a\n\\.\r\n", "end-of-copy marker does not match previous newline style"),
            (b"a\n\\.x\n", "end-of-copy marker corrupt"),
        ] {
            for size in 1..=text.len() {
                let error = lines(text, size).expect_err(message);
                assert_eq!(error.message(), message, "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn escapes_there_and_back() {
        for (field, value) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"a\\tb\\nc\\rd\\\\e", b"a\tb\nc\rd\\e"),
            (b"\\b\\f\\v", b"\x08\x0c\x0b"),
            (b"\\101\\60\\7x", b"A0\x07x"),
            (b"\\x41\\x4g\\xg", b"A\x04gxg"),
            (b"\\q\\", b"q\\"),
        ] {
            let mut out = Vec::new();
            unescape(field, &mut out);
            assert_eq!(out, value, "{field:?}");
        }
        let mut out = Vec::new();
        escape(b"a\tb,c\\d\n\x0b", b',', &mut out);
        assert_eq!(out, b"a\\tb\\,c\\\\d\\n\\v");
        let mut fields = Vec::new();
        split_fields(b"a\\\tb\tc\t", b'\t', true, &mut fields);
        assert_eq!(fields, [0..4, 5..6, 7..7]);
    }
}
