//! Values of one column of many rows, side by side and without a [`Datum`] for each.
//!
//! Owns [`Values`]. A column begins in the form that its type suggests, and what does not fit that (NULL, a number of another scale or
//! of too many digits) turns all of it into values of their own: no form says less than the values do.

use super::field_test::{is_whole, whole};
use super::{corrupted, value};
use crate::datetime::{Date, Timestamp, Timestamptz};
use crate::datum::Datum;
use crate::error::Result;
use crate::numeric::Short;
use crate::types::TypeId;

/// The form that values have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValuesKind {
    /// Whole numbers of types that are ordered by them: `numbers`.
    Whole,
    /// `double precision`: `floats`.
    Float,
    /// `numeric` of up to 18 digits and of one scale: `numbers`.
    Short,
    /// Types whose values are text.
    Text,
    /// Anything.
    Data,
}

/// The values of one column.
#[derive(Clone, Debug)]
pub struct Values {
    type_id: TypeId,
    kind: ValuesKind,
    /// Of all short numbers.
    scale: u16,
    numbers: Vec<i64>,
    floats: Vec<f64>,
    text: String,
    /// Where each text ends.
    ends: Vec<usize>,
    data: Vec<Datum>,
}

impl Values {
    /// No values of a type.
    pub fn new(type_id: TypeId) -> Values {
        Values {
            type_id,
            kind: first_kind(type_id),
            scale: 0,
            numbers: Vec::new(),
            floats: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Drops all values.
    pub fn clear(&mut self) {
        self.kind = first_kind(self.type_id);
        self.numbers.clear();
        self.floats.clear();
        self.text.clear();
        self.ends.clear();
        self.data.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self.kind {
            ValuesKind::Whole | ValuesKind::Short => self.numbers.len(),
            ValuesKind::Float => self.floats.len(),
            ValuesKind::Text => self.ends.len(),
            ValuesKind::Data => self.data.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What form they have.
    pub fn kind(&self) -> ValuesKind {
        self.kind
    }

    /// Whole numbers, or the digits of short ones.
    pub fn numbers(&self) -> &[i64] {
        assert!(matches!(self.kind, ValuesKind::Whole | ValuesKind::Short), "numbers that are whole");
        &self.numbers
    }

    /// The scale of short numbers.
    pub fn scale(&self) -> u16 {
        assert_eq!(self.kind, ValuesKind::Short, "short numbers have a scale");
        self.scale
    }

    /// Floats.
    pub fn floats(&self) -> &[f64] {
        assert_eq!(self.kind, ValuesKind::Float, "floats");
        &self.floats
    }

    /// One of the texts.
    pub fn text(&self, at: usize) -> &str {
        assert_eq!(self.kind, ValuesKind::Text, "texts");
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    /// Whether one of the values is NULL.
    pub fn is_null(&self, at: usize) -> bool {
        self.kind == ValuesKind::Data && self.data[at].is_null()
    }

    /// A value by itself.
    pub fn datum(&self, at: usize) -> Datum {
        match self.kind {
            ValuesKind::Whole => whole_datum(self.type_id, self.numbers[at]),
            ValuesKind::Float => Datum::Float8(self.floats[at]),
            ValuesKind::Short => Short::new(self.numbers[at], self.scale).into(),
            ValuesKind::Text => Datum::text(self.text(at)),
            ValuesKind::Data => self.data[at].clone(),
        }
    }

    /// Appends the value that the bytes of a field hold. XX001 for damaged ones.
    #[inline]
    pub fn push_field(&mut self, bytes: &[u8]) -> Result<()> {
        self.take(bytes).ok_or_else(|| corrupted("value does not decode"))
    }

    #[inline]
    fn take(&mut self, bytes: &[u8]) -> Option<()> {
        match self.kind {
            ValuesKind::Whole => self.numbers.push(whole(self.type_id, bytes)?),
            ValuesKind::Float => self.floats.push(f64::from_le_bytes(bytes.try_into().ok()?)),
            ValuesKind::Text => {
                self.text.push_str(std::str::from_utf8(bytes).ok()?);
                self.ends.push(self.text.len());
            }
            ValuesKind::Short => {
                let value = Datum::Numeric(value::read_numeric(bytes)?);
                match Short::of(&value) {
                    Some(short) if self.numbers.is_empty() || short.scale() == self.scale => {
                        self.scale = short.scale();
                        self.numbers.push(short.digits());
                    }
                    _ => self.push(value),
                }
            }
            ValuesKind::Data => self.data.push(value::read(self.type_id, bytes)?),
        }
        Some(())
    }

    /// Appends any value of the type, NULL too.
    pub fn push(&mut self, value: Datum) {
        if self.kind != ValuesKind::Data {
            self.data = (0..self.len()).map(|at| self.datum(at)).collect();
            self.kind = ValuesKind::Data;
        }
        self.data.push(value);
    }
}

fn first_kind(type_id: TypeId) -> ValuesKind {
    match type_id {
        TypeId::FLOAT8 => ValuesKind::Float,
        TypeId::NUMERIC => ValuesKind::Short,
        _ if is_whole(type_id) => ValuesKind::Whole,
        _ if type_id.is_text_like() => ValuesKind::Text,
        _ => ValuesKind::Data,
    }
}

/// A value of a type that stores a whole number.
pub(crate) fn whole_datum(type_id: TypeId, number: i64) -> Datum {
    const FITS: &str = "it was read as one of the type";
    match type_id {
        TypeId::INT2 => Datum::Int2(i16::try_from(number).expect(FITS)),
        TypeId::INT4 => Datum::Int4(i32::try_from(number).expect(FITS)),
        TypeId::INT8 => Datum::Int8(number),
        TypeId::DATE => Datum::Date(Date(i32::try_from(number).expect(FITS))),
        TypeId::TIMESTAMP => Datum::Timestamp(Timestamp(number)),
        TypeId::TIMESTAMPTZ => Datum::Timestamptz(Timestamptz(number)),
        other => panic!("{} stores no whole number", other.display_name()),
    }
}

/// The number of such a value; `None` for NULL.
pub(crate) fn whole_of(value: &Datum) -> Option<i64> {
    match value {
        Datum::Date(date) => Some(date.0.into()),
        Datum::Timestamp(timestamp) => Some(timestamp.0),
        Datum::Timestamptz(timestamp) => Some(timestamp.0),
        other => other.as_i64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Numeric;
    use crate::row::RowLayout;

    /// Whatever a column turns into, the values that come out are those that went in, scale included.
    #[test]
    fn a_column_gives_back_what_it_was_given() {
        let number = |text: &str| Datum::Numeric(Numeric::parse(text).unwrap());
        let columns: &[(TypeId, &[Datum], ValuesKind)] = &[
            (TypeId::INT4, &[Datum::Int4(-7), Datum::Int4(i32::MAX)], ValuesKind::Whole),
            (TypeId::DATE, &[Datum::Date(Date(i32::MIN)), Datum::Date(Date(3))], ValuesKind::Whole),
            (TypeId::INT8, &[Datum::Int8(1), Datum::Null, Datum::Int8(2)], ValuesKind::Data),
            (TypeId::FLOAT8, &[Datum::Float8(-0.0), Datum::Float8(1e300)], ValuesKind::Float),
            (TypeId::NUMERIC, &[number("1.50"), number("-0.01")], ValuesKind::Short),
            (TypeId::NUMERIC, &[number("1.50"), number("1.5"), number("NaN")], ValuesKind::Data),
            (TypeId::NUMERIC, &[number("123456789012345678901234")], ValuesKind::Data),
            (TypeId::TEXT, &[Datum::text("a"), Datum::text(""), Datum::text("\u{e4}b")], ValuesKind::Text),
            (TypeId::BPCHAR, &[Datum::text("a  "), Datum::Null], ValuesKind::Data),
            (TypeId::BOOL, &[Datum::Bool(true)], ValuesKind::Data),
        ];
        for (type_id, given, kind) in columns {
            let layout = RowLayout::new(vec![*type_id]);
            let mut values = Values::new(*type_id);
            for round in 0..2 {
                for value in *given {
                    let mut bytes = Vec::new();
                    match value {
                        Datum::Null => values.push(Datum::Null),
                        value => {
                            layout.encode_value(0, value, &mut bytes);
                            values.push_field(&bytes).unwrap();
                        }
                    }
                }
                assert_eq!((values.kind(), values.len()), (*kind, given.len()), "{type_id:?} {round}");
                for (at, value) in given.iter().enumerate() {
                    assert_eq!(format!("{:?}", values.datum(at)), format!("{value:?}"), "{type_id:?}");
                    assert_eq!(values.is_null(at), value.is_null());
                }
                values.clear();
                assert!(values.is_empty());
            }
            if *type_id != TypeId::BOOL {
                assert!(values.push_field(&[0xff; 3]).is_err(), "damaged bytes of {type_id:?}");
            }
        }
    }
}
