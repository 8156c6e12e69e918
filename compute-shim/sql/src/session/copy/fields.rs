//! The fields of one line.
//!
//! Owns [`Fields`], which `text.rs` and `csv.rs` fill: values that stand in the line as they are stay there.

use std::ops::Range;

/// Where the values of a line lie; kept from line to line for its memory.
#[derive(Default)]
pub struct Fields {
    /// `None` is NULL.
    places: Vec<Option<Range<usize>>>,
    /// Values without quotes and escapes, if the line has any.
    unquoted: Vec<u8>,
    in_line: bool,
}

impl Fields {
    /// Begins anew; `in_line`: values stand in the line as they are.
    pub(super) fn begin(&mut self, in_line: bool) {
        self.places.clear();
        self.unquoted.clear();
        self.in_line = in_line;
    }

    pub(super) fn push(&mut self, place: Option<Range<usize>>) {
        self.places.push(place);
    }

    pub(super) fn unquoted(&mut self) -> &mut Vec<u8> {
        &mut self.unquoted
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The bytes of a field of this line: for text the line itself, or what escapes have made of it. `None` is NULL.
    pub fn value<'a>(&'a self, at: usize, line: &'a [u8]) -> Option<&'a [u8]> {
        let bytes = if self.in_line { line } else { &self.unquoted };
        self.places[at].clone().map(|place| &bytes[place])
    }
}
