//! Reading and writing of little-endian integers and varints over byte slices.
//!
//! A decoder takes any bytes: it returns [`Malformed`], never panics, and never allocates more than the
//! input could justify.

use alloc::vec::Vec;

/// Bytes that do not decode. `what` names the field, for the log line that reports a hostile or broken peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// The field that was being read.
    pub what: &'static str,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "malformed {}", self.what)
    }
}

impl core::error::Error for Malformed {}

/// A cursor over untrusted bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from the front.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.bytes.split_at_checked(count).ok_or(Malformed { what })?;
        self.bytes = tail;
        Ok(head)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }

    /// A fixed-size array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.bytes.split_first_chunk().ok_or(Malformed { what })?;
        self.bytes = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// A LEB128 varint of at most ten bytes. A number has one encoding, the shortest: what is decoded and encoded
    /// again has the bytes, and so the checksum, that it had.
    pub fn varint(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed { what });
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let is_shortest = byte != 0 || shift == 0;
                return if is_shortest { Ok(value) } else { Err(Malformed { what }) };
            }
        }
        Err(Malformed { what })
    }

    /// A zigzag varint: small magnitudes of either sign are short.
    pub fn zigzag(&mut self, what: &'static str) -> Result<i64, Malformed> {
        let raw = self.varint(what)?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// A count of items that each take at least `item_size_min` of the bytes left: a hostile count cannot
    /// make the caller reserve more than the frame itself.
    pub fn count(&mut self, item_size_min: usize, what: &'static str) -> Result<usize, Malformed> {
        let count = usize::try_from(self.varint(what)?).map_err(|_| Malformed { what })?;
        match count.checked_mul(item_size_min.max(1)) {
            Some(least) if least <= self.remaining() => Ok(count),
            _ => Err(Malformed { what }),
        }
    }

    /// Succeeds only at the end: trailing bytes mean that the two sides disagree on the format.
    pub fn finish(&self, what: &'static str) -> Result<(), Malformed> {
        if self.bytes.is_empty() { Ok(()) } else { Err(Malformed { what }) }
    }
}

/// Appends to a byte vector; the counterpart of [`Reader`].
pub trait Put {
    /// One byte.
    fn put_u8(&mut self, value: u8);
    /// Raw bytes.
    fn put_bytes(&mut self, bytes: &[u8]);
    /// Two bytes, little-endian.
    fn put_u16(&mut self, value: u16) {
        self.put_bytes(&value.to_le_bytes());
    }
    /// Four bytes, little-endian.
    fn put_u32(&mut self, value: u32) {
        self.put_bytes(&value.to_le_bytes());
    }
    /// Eight bytes, little-endian.
    fn put_u64(&mut self, value: u64) {
        self.put_bytes(&value.to_le_bytes());
    }
    /// A LEB128 varint.
    fn put_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.put_u8(value as u8);
    }
    /// A zigzag varint.
    fn put_zigzag(&mut self, value: i64) {
        self.put_varint(((value << 1) ^ (value >> 63)) as u64);
    }
}

impl Put for Vec<u8> {
    fn put_u8(&mut self, value: u8) {
        self.push(value);
    }
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_and_reject_overlong() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            bytes.put_varint(value);
            assert_eq!(Reader::new(&bytes).varint("v"), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX, -300] {
            let mut bytes = Vec::new();
            bytes.put_zigzag(value);
            assert_eq!(Reader::new(&bytes).zigzag("v"), Ok(value));
        }
        for overlong in [&[0xff; 10][..], &[0x80, 0], &[0xff, 0x80, 0], &[0x81, 0x80, 0x80, 0]] {
            assert!(Reader::new(overlong).varint("v").is_err(), "{overlong:x?}");
        }
        assert!(Reader::new(&[0x80; 3]).varint("v").is_err());
    }

    #[test]
    fn a_hostile_count_is_refused_before_anything_is_reserved() {
        let mut bytes = Vec::new();
        bytes.put_varint(1 << 40);
        bytes.extend([0; 64]);
        assert!(Reader::new(&bytes).count(1, "records").is_err());
    }
}
