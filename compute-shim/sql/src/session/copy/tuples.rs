//! COPY's binary format: a header, tuples of counted fields, and a mark at their end.
//!
//! Owns [`Tuples`], which finds tuples in data that comes in arbitrary pieces. Source: "File Formats" on the page of COPY
//! in PostgreSQL's manual, and `CopyReadBinaryAttribute` and its callers in `copyfromparse.c` for what is refused.

use hexalog_sql_types::{SqlError, SqlState};
use std::ops::Range;

/// What every such input begins with.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Flags that change the meaning of what follows; the highest was for oids, which are no more.
const CRITICAL_FLAGS: u32 = 0xFFFF_0000;
const OIDS_FLAG: u32 = 1 << 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Count,
    /// The field of this number comes next.
    Field(usize),
    Ended,
}

/// Why the input is refused.
#[derive(Debug)]
pub struct Refused {
    /// 22P04.
    pub error: SqlError,
    /// In which tuple; `None`: in the header.
    pub number: Option<u64>,
    /// In the field of this number.
    pub field: Option<usize>,
}

/// Cuts input into tuples.
pub struct Tuples {
    width: usize,
    /// What has come and is not used up.
    kept: Vec<u8>,
    /// How far it has been looked at.
    at: usize,
    state: State,
    /// Of the current tuple; `None` is NULL.
    fields: Vec<Option<Range<usize>>>,
    number: u64,
}

impl Tuples {
    /// None of the input has come; a tuple has this many fields.
    pub fn new(width: usize) -> Tuples {
        Tuples { width, kept: Vec::new(), at: 0, state: State::Header, fields: Vec::new(), number: 0 }
    }

    /// The number of the tuple that was given last, or is being read.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A field of the tuple given last; `None` is NULL.
    pub fn value(&self, field: usize) -> Option<&[u8]> {
        self.fields[field].clone().map(|place| &self.kept[place])
    }

    /// Goes on to the next tuple, with `piece` from `at` on, which moves to its end. False: more is needed.
    pub fn next(&mut self, piece: &[u8], at: &mut usize) -> Result<bool, Refused> {
        if self.state == State::Count {
            self.kept.drain(..self.at);
            self.at = 0;
        }
        self.kept.extend_from_slice(&piece[*at..]);
        *at = piece.len();
        loop {
            match self.state {
                State::Header => {
                    if !self.header(false)? {
                        return Ok(false);
                    }
                    self.state = State::Count;
                }
                State::Count => {
                    let Some(count) = self.take() else { return Ok(false) };
                    self.count(i16::from_be_bytes(count))?;
                }
                State::Field(field) if field == self.width => {
                    self.state = State::Count;
                    return Ok(true);
                }
                State::Field(field) => {
                    if !self.field(field)? {
                        return Ok(false);
                    }
                    self.state = State::Field(field + 1);
                }
                State::Ended if self.at == self.kept.len() => return Ok(false),
                State::Ended => return Err(self.refused("received copy data after EOF marker", None)),
            }
        }
    }

    /// The input has ended; a tuple that is not whole is refused.
    pub fn end(&mut self) -> Result<(), Refused> {
        match self.state {
            State::Header => self.header(true).map(|_| ()),
            State::Count | State::Ended => Ok(()),
            State::Field(field) => Err(self.refused("unexpected EOF in COPY data", Some(field))),
        }
    }

    fn refused(&self, message: impl Into<String>, field: Option<usize>) -> Refused {
        let error = SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message);
        Refused { error, number: Some(self.number), field }
    }

    /// The next bytes, if all of them are there.
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let bytes = *self.kept[self.at..].first_chunk::<N>()?;
        self.at += N;
        Some(bytes)
    }

    /// Reads the header from the beginning; false: not all of it is there.
    fn header(&mut self, is_final: bool) -> Result<bool, Refused> {
        let refused = |message: &str| {
            let error = SqlError::new(SqlState::BAD_COPY_FILE_FORMAT, message);
            Err(Refused { error, number: None, field: None })
        };
        let missing = |message: &str| if is_final { refused(message) } else { Ok(false) };
        self.at = 0;
        let Some(signature) = self.take() else {
            return missing("COPY file signature not recognized");
        };
        if signature != *SIGNATURE {
            return refused("COPY file signature not recognized");
        }
        let Some(flags) = self.take().map(u32::from_be_bytes) else {
            return missing("invalid COPY file header (missing flags)");
        };
        if flags & OIDS_FLAG != 0 {
            return refused("invalid COPY file header (WITH OIDS)");
        }
        if flags & CRITICAL_FLAGS != 0 {
            return refused("unrecognized critical flags in COPY file header");
        }
        let Some(length) = self.take().map(i32::from_be_bytes) else {
            return missing("invalid COPY file header (missing length)");
        };
        let Ok(length) = usize::try_from(length) else {
            return refused("invalid COPY file header (missing length)");
        };
        if self.kept.len() - self.at < length {
            return missing("invalid COPY file header (wrong length)");
        }
        self.at += length;
        Ok(true)
    }

    fn count(&mut self, count: i16) -> Result<(), Refused> {
        self.number += 1;
        self.fields.clear();
        if count == -1 {
            self.state = State::Ended;
        } else if usize::try_from(count) == Ok(self.width) {
            self.state = State::Field(0);
        } else {
            return Err(self.refused(format!("row field count is {count}, expected {}", self.width), None));
        }
        Ok(())
    }

    /// Reads a field; false: not all of it is there.
    fn field(&mut self, field: usize) -> Result<bool, Refused> {
        let start = self.at;
        let Some(size) = self.take().map(i32::from_be_bytes) else { return Ok(false) };
        if size == -1 {
            self.fields.push(None);
            return Ok(true);
        }
        let Ok(size) = usize::try_from(size) else {
            return Err(self.refused("invalid field size", Some(field)));
        };
        if self.kept.len() - self.at < size {
            self.at = start;
            return Ok(false);
        }
        self.fields.push(Some(self.at..self.at + size));
        self.at += size;
        Ok(true)
    }
}

/// Appends what stands before the first tuple.
pub fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]);
}

/// Appends the number of a tuple's fields.
pub fn write_count(count: usize, out: &mut Vec<u8>) {
    let count = i16::try_from(count).expect("a row has at most 1,664 columns");
    out.extend_from_slice(&count.to_be_bytes());
}

/// Appends a NULL.
pub fn write_null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i32).to_be_bytes());
}

/// Appends a field that `write` writes.
pub fn write_field<E>(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out)?;
    let size = i32::try_from(out.len() - start - 4).expect("a value is far below 2 GiB");
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    Ok(())
}

/// Appends what stands behind the last tuple.
pub fn write_trailer(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1_i16).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuples(width: usize, input: &[u8], size: usize) -> Result<Vec<Vec<Option<Vec<u8>>>>, Refused> {
        let mut tuples = Tuples::new(width);
        let mut found = Vec::new();
        for piece in input.chunks(size) {
            let mut at = 0;
            while tuples.next(piece, &mut at)? {
                found.push((0..width).map(|field| tuples.value(field).map(<[u8]>::to_vec)).collect());
            }
            assert_eq!(at, piece.len());
        }
        tuples.end()?;
        Ok(found)
    }

    #[test]
    fn tuples_are_the_same_whatever_the_pieces() {
        let rows: Vec<Vec<Option<Vec<u8>>>> =
            vec![vec![Some(b"abc".to_vec()), None], vec![Some(Vec::new()), Some(vec![0xFF; 9])]];
        let mut input = Vec::new();
        write_header(&mut input);
        for row in &rows {
            write_count(row.len(), &mut input);
            for value in row {
                match value {
                    None => write_null(&mut input),
                    Some(value) => write_field(&mut input, |out| {
                        out.extend_from_slice(value);
                        Ok::<_, SqlError>(())
                    })
                    .expect("fits"),
                }
            }
        }
        let without_trailer = input.len();
        write_trailer(&mut input);
        for size in 1..=input.len() {
            assert_eq!(tuples(2, &input, size).expect("sound"), rows, "by {size}");
            assert_eq!(tuples(2, &input[..without_trailer], size).expect("sound"), rows, "by {size}");
            let cut = tuples(2, &input[..without_trailer - 1], size).expect_err("cut");
            assert_eq!((cut.number, cut.field), (Some(2), Some(1)));
            let long = [input.as_slice(), b"x"].concat();
            let long = tuples(2, &long, size).expect_err("too long");
            assert_eq!(long.error.message(), "received copy data after EOF marker");
            let narrow = tuples(3, &input, size).expect_err("too narrow");
            assert_eq!(narrow.error.message(), "row field count is 2, expected 3");
        }
    }
}
