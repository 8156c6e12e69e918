//! Where the lines of COPY's text and csv formats end.
//!
//! Owns [`Lines`], which finds lines in data that comes in arbitrary pieces, copies only those that two pieces share, and
//! counts them. Rules and words are those of `CopyReadLineText` in PostgreSQL's `copyfromparse.c`.

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

/// The quote and the escape of csv.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoting {
    /// Stands around a value.
    pub quote: u8,
    /// Stands before a quote inside; often the quote itself.
    pub escape: u8,
}

/// Where a line lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// In the kept bytes, or else in the piece given.
    is_kept: bool,
    bytes: Range<usize>,
    /// In text format, a backslash is in it.
    pub has_escape: bool,
}

#[derive(Clone, Copy)]
enum Scan {
    /// The line's end, and where the next one begins.
    Line { end: usize, next: usize },
    /// `\.`: data before it on the line, if any, is the last line.
    Marker { end: usize },
    /// The piece ends first.
    More,
}

/// Cuts input into lines.
pub struct Lines {
    /// Of csv; text has none.
    quoting: Option<Quoting>,
    newline: Newline,
    /// The beginning of a line whose end has not come, from `kept_from` on.
    kept: Vec<u8>,
    kept_from: usize,
    /// Of the kept bytes so many are known to hold no line end. A long line comes in thousands of pieces: to look at all of
    /// it for each would take hours.
    seen: Seen,
    /// Of the last line given, or refused.
    number: u64,
    has_ended: bool,
}

/// How far a line has been looked at, and what was met.
#[derive(Clone, Copy, Default)]
struct Seen {
    bytes: usize,
    has_escape: bool,
    /// A quote of csv is open.
    in_quote: bool,
    /// The last byte was an escape that counts.
    is_escaped: bool,
    /// Line ends inside of quotes.
    breaks: u64,
}

fn bad_format(message: &str) -> SqlError {
    SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

impl Lines {
    /// None of the input has come.
    pub fn new(quoting: Option<Quoting>) -> Lines {
        Lines {
            quoting,
            newline: Newline::Unknown,
            kept: Vec::new(),
            kept_from: 0,
            seen: Seen::default(),
            number: 0,
            has_ended: false,
        }
    }

    /// The number of the line that was given or refused last, by the line ends in the input; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
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
                match self.scan_kept(false)? {
                    Scan::More => {
                        if *at == piece.len() {
                            return Ok(None);
                        }
                        let rest = &piece[*at..];
                        let end =
                            rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
                        self.kept.extend_from_slice(&rest[..end]);
                        *at += end;
                    }
                    scan => {
                        if let Scan::Marker { .. } = scan {
                            *at = piece.len();
                        }
                        return Ok(self.take_kept(scan));
                    }
                }
                continue;
            }
            let rest = &piece[*at..];
            if rest.is_empty() {
                return Ok(None);
            }
            return self.next_in(rest, piece, at);
        }
    }

    /// The next line, nothing being kept.
    fn next_in(&mut self, rest: &[u8], piece: &[u8], at: &mut usize) -> Result<Option<Line>> {
        let mut seen = Seen::default();
        let result = scan(self.quoting, self.newline, rest, &mut seen, false);
        let has_escape = seen.has_escape;
        match self.noted(result, seen)? {
            Scan::More => {
                self.kept.extend_from_slice(rest);
                self.seen = seen;
                *at = piece.len();
                Ok(None)
            }
            Scan::Marker { end } => {
                self.has_ended = true;
                let bytes = *at..*at + end;
                *at = piece.len();
                Ok((end > 0).then_some(Line { is_kept: false, bytes, has_escape }))
            }
            Scan::Line { end, next } => {
                let bytes = *at..*at + end;
                *at += next;
                Ok(Some(Line { is_kept: false, bytes, has_escape }))
            }
        }
    }

    /// What is left when the input has ended.
    pub fn last(&mut self) -> Result<Option<Line>> {
        self.forget_taken();
        if self.has_ended || self.kept.is_empty() {
            self.number += 1;
            return Ok(None);
        }
        match self.scan_kept(true)? {
            Scan::More => {
                self.number += 1 + self.seen.breaks;
                let bytes = 0..self.kept.len();
                self.kept_from = bytes.end;
                let has_escape = self.seen.has_escape || self.kept[self.seen.bytes..].contains(&b'\\');
                Ok(Some(Line { is_kept: true, bytes, has_escape }))
            }
            scan => Ok(self.take_kept(scan)),
        }
    }

    fn forget_taken(&mut self) {
        if self.kept_from > 0 {
            self.kept.drain(..self.kept_from);
            self.kept_from = 0;
            self.seen = Seen::default();
        }
    }

    fn take_kept(&mut self, scan: Scan) -> Option<Line> {
        let has_escape = self.seen.has_escape;
        match scan {
            Scan::More => unreachable!("handled by the callers"),
            Scan::Marker { end } => {
                self.has_ended = true;
                self.kept_from = self.kept.len();
                (end > 0).then_some(Line { is_kept: true, bytes: 0..end, has_escape })
            }
            Scan::Line { end, next } => {
                self.kept_from = next;
                Some(Line { is_kept: true, bytes: 0..end, has_escape })
            }
        }
    }

    fn scan_kept(&mut self, is_final: bool) -> Result<Scan> {
        let mut seen = self.seen;
        let result = scan(self.quoting, self.newline, &self.kept, &mut seen, is_final);
        self.seen = seen;
        self.noted(result, seen)
    }

    /// Counts a line that has been found or refused.
    fn noted(&mut self, result: Result<(Newline, Scan)>, seen: Seen) -> Result<Scan> {
        match result {
            Ok((newline, scan)) => {
                self.newline = newline;
                if !matches!(scan, Scan::More) {
                    self.number += 1 + seen.breaks;
                }
                Ok(scan)
            }
            Err(error) => {
                self.number += 1 + seen.breaks;
                Err(error)
            }
        }
    }
}

/// Finds the end of the line that begins with `bytes`, of which so much has been seen. `is_final`: nothing comes behind
/// them.
fn scan(
    quoting: Option<Quoting>,
    newline: Newline,
    bytes: &[u8],
    seen: &mut Seen,
    is_final: bool,
) -> Result<(Newline, Scan)> {
    match quoting {
        None => scan_text(newline, bytes, seen, is_final),
        Some(quoting) => scan_csv(quoting, newline, bytes, seen, is_final),
    }
}

fn scan_text(newline: Newline, bytes: &[u8], seen: &mut Seen, is_final: bool) -> Result<(Newline, Scan)> {
    while let Some(skip) = bytes[seen.bytes..].iter().position(|byte| matches!(byte, b'\n' | b'\r' | b'\\')) {
        seen.bytes += skip;
        let at = seen.bytes;
        match bytes[at] {
            b'\\' => match bytes.get(at + 1) {
                None => return Ok((newline, Scan::More)),
                Some(b'.') => {
                    return match text_marker(&bytes[at + 2..], newline, is_final)? {
                        true => Ok((newline, Scan::Marker { end: at })),
                        false => Ok((newline, Scan::More)),
                    };
                }
                Some(_) => {
                    seen.has_escape = true;
                    seen.bytes += 2;
                }
            },
            b'\n' => return line_feed(newline, at, "literal", "\"\\n\""),
            _ => return carriage_return(newline, bytes, at, is_final, "literal", "\"\\r\""),
        }
    }
    seen.bytes = bytes.len();
    Ok((newline, Scan::More))
}

fn scan_csv(
    quoting: Quoting,
    newline: Newline,
    bytes: &[u8],
    seen: &mut Seen,
    is_final: bool,
) -> Result<(Newline, Scan)> {
    const FIELD: &str = "quoted CSV field";
    let Quoting { quote, escape } = quoting;
    // A quote that is its own escape is met twice, and closes and opens.
    let escape = (escape != quote).then_some(escape);
    let counted = if newline == Newline::Lf { b'\n' } else { b'\r' };
    while let Some(&byte) = bytes.get(seen.bytes) {
        let at = seen.bytes;
        let before = *seen;
        if seen.in_quote && Some(byte) == escape {
            seen.is_escaped = !seen.is_escaped;
        }
        if byte == quote && !seen.is_escaped {
            seen.in_quote = !seen.in_quote;
        }
        if Some(byte) != escape {
            seen.is_escaped = false;
        }
        if seen.in_quote && byte == counted {
            seen.breaks += 1;
        }
        match byte {
            b'\n' if !seen.in_quote => return line_feed(newline, at, "unquoted", FIELD),
            b'\r' if !seen.in_quote => {
                let found = carriage_return(newline, bytes, at, is_final, "unquoted", FIELD)?;
                if matches!(found.1, Scan::More) {
                    *seen = before;
                }
                return Ok(found);
            }
            b'\\' if at == 0 => match csv_marker(&bytes[1..], newline, is_final)? {
                Some(true) => return Ok((newline, Scan::Marker { end: 0 })),
                Some(false) => {}
                None => {
                    *seen = before;
                    return Ok((newline, Scan::More));
                }
            },
            _ => {}
        }
        seen.bytes += 1;
    }
    Ok((newline, Scan::More))
}

fn line_feed(newline: Newline, at: usize, what: &str, representation: &str) -> Result<(Newline, Scan)> {
    if matches!(newline, Newline::Cr | Newline::CrLf) {
        let hint = format!("Use {representation} to represent newline.");
        return Err(bad_format(&format!("{what} newline found in data")).with_hint(hint));
    }
    Ok((Newline::Lf, Scan::Line { end: at, next: at + 1 }))
}

fn carriage_return(
    newline: Newline,
    bytes: &[u8],
    at: usize,
    is_final: bool,
    what: &str,
    representation: &str,
) -> Result<(Newline, Scan)> {
    let refused = || {
        let hint = format!("Use {representation} to represent carriage return.");
        Err(bad_format(&format!("{what} carriage return found in data")).with_hint(hint))
    };
    let line = |next| Scan::Line { end: at, next };
    match (newline, bytes.get(at + 1)) {
        (Newline::Lf, _) => refused(),
        (Newline::Cr, _) => Ok((Newline::Cr, line(at + 1))),
        (_, None) if !is_final => Ok((newline, Scan::More)),
        (_, Some(b'\n')) => Ok((Newline::CrLf, line(at + 2))),
        (Newline::Unknown, _) => Ok((Newline::Cr, line(at + 1))),
        (Newline::CrLf, _) => refused(),
    }
}

fn marker_mismatch() -> SqlError {
    bad_format("end-of-copy marker does not match previous newline style")
}

/// Whether `\.` is followed by the end of its line; false if that is not to be seen yet.
fn text_marker(after: &[u8], newline: Newline, is_final: bool) -> Result<bool> {
    match (after, newline) {
        ([], _) if !is_final => Ok(false),
        ([b'\n', ..], Newline::Unknown | Newline::Lf) => Ok(true),
        ([b'\r'], Newline::Unknown | Newline::CrLf) if !is_final => Ok(false),
        ([b'\r', b'\n', ..], Newline::Unknown | Newline::CrLf) => Ok(true),
        ([b'\r', ..], Newline::Unknown | Newline::Cr) => Ok(true),
        ([b'\n' | b'\r', ..], _) => Err(marker_mismatch()),
        _ => Err(bad_format("end-of-copy marker corrupt")),
    }
}

/// Whether a line that begins with a backslash, behind which this stands, is the marker: in csv it is alone on its line or
/// is data. `None` if that is not to be seen yet.
fn csv_marker(after: &[u8], newline: Newline, is_final: bool) -> Result<Option<bool>> {
    let unseen = if is_final { Some(false) } else { None };
    let Some((first, after)) = after.split_first() else { return Ok(unseen) };
    if *first != b'.' {
        return Ok(Some(false));
    }
    match (after, newline) {
        ([], _) => Ok(unseen),
        ([b'\n', ..], Newline::CrLf) => Ok(Some(false)),
        ([b'\r'], Newline::CrLf) => Ok(unseen),
        ([b'\r', b'\n', ..], Newline::CrLf) => Ok(Some(true)),
        ([b'\r', b'\r', ..], Newline::CrLf) => Err(marker_mismatch()),
        ([b'\r' | b'\n', ..], Newline::Unknown) => Ok(Some(true)),
        ([b'\n', ..], Newline::Lf) | ([b'\r', ..], Newline::Cr) => Ok(Some(true)),
        ([b'\r' | b'\n', ..], Newline::Lf | Newline::Cr) => Err(marker_mismatch()),
        _ => Ok(Some(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of a text that comes in pieces of this size.
    fn lines_by(quoting: Option<Quoting>, text: &[u8], size: usize) -> Result<Vec<Vec<u8>>> {
        let mut lines = Lines::new(quoting);
        let mut found = Vec::new();
        for piece in text.chunks(size) {
            let mut at = 0;
            while let Some(line) = lines.next(piece, &mut at)? {
                let bytes = lines.bytes(&line, piece).to_vec();
                if quoting.is_none() {
                    assert_eq!(line.has_escape, bytes.contains(&b'\\'), "whichever piece it came in");
                }
                found.push(bytes);
            }
            assert_eq!(at, piece.len());
        }
        if let Some(line) = lines.last()? {
            found.push(lines.bytes(&line, &[]).to_vec());
        }
        Ok(found)
    }

    fn lines(text: &[u8], size: usize) -> Result<Vec<Vec<u8>>> {
        lines_by(None, text, size)
    }

    #[test]
    fn csv_lines_are_the_same_whatever_the_pieces() {
        let plain = Quoting { quote: b'"', escape: b'"' };
        let other = Quoting { quote: b'\'', escape: b'\\' };
        type Case = (Quoting, &'static [u8], &'static [&'static [u8]]);
        let cases: &[Case] = &[
            (plain, b"a,\"b\nc\"\nd\n", &[b"a,\"b\nc\"", b"d"]),
            (plain, b"\"a\"\"\nb\"\r\nc", &[b"\"a\"\"\nb\"", b"c"]),
            (plain, b"\"open\nc", &[b"\"open\nc"]),
            (plain, b"x\\.\n\\.y\n\\.\nrest", &[b"x\\.", b"\\.y"]),
            (plain, b"a\r\n\\.\n\r\n", &[b"a", b"\\."]),
            (plain, b"a\n\\.", &[b"a", b"\\."]),
            (plain, b"\\", &[b"\\"]),
            (plain, b"a\rb\r", &[b"a", b"b"]),
            (other, b"'a\\'\n'\n'b\\\\'\nc", &[b"'a\\'\n'", b"'b\\\\'", b"c"]),
        ];
        for (quoting, text, expected) in cases {
            for size in 1..=text.len() {
                // CRLF and LF are mixed on purpose in one of them.
                match lines_by(Some(*quoting), text, size) {
                    Ok(found) => assert_eq!(found, *expected, "{text:?} by {size}"),
                    Err(error) => {
                        assert_eq!(error.message(), "unquoted newline found in data", "{text:?} by {size}");
                        assert!(text.starts_with(b"a\r\n\\.\n"), "{text:?} by {size}");
                    }
                }
            }
        }
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
            (b"a\n\\.", "end-of-copy marker corrupt"),
        ] {
            for size in 1..=text.len() {
                let error = lines(text, size).expect_err(message);
                assert_eq!(error.message(), message, "{text:?} by {size}");
            }
        }
    }
}
