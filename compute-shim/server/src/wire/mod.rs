//! PostgreSQL's wire protocol, version 3.0: bytes to messages and back.
//!
//! Owns the framing and nothing else: no socket, no session, no SQL. Messages of a client are decoded in place
//! ([`frontend`]); answers are appended to a byte vector ([`backend`]). Reference: PostgreSQL 15 documentation,
//! chapter 55, "Frontend/Backend Protocol". Read [`startup`] first.

pub mod backend;
pub mod frontend;
pub mod startup;

/// A client's bytes break the protocol; the text names what was wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProtocolViolation(pub &'static str);

/// Reads fields of a message body in order.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Over a body.
    pub fn new(body: &'a [u8]) -> Fields<'a> {
        Fields { rest: body }
    }

    /// Bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, ProtocolViolation> {
        Ok(self.bytes(1)?[0])
    }

    /// A 16-bit integer, big-endian.
    pub fn int16(&mut self) -> Result<i16, ProtocolViolation> {
        let bytes = self.bytes(2)?;
        Ok(i16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A 32-bit integer, big-endian.
    pub fn int32(&mut self) -> Result<i32, ProtocolViolation> {
        let bytes = self.bytes(4)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A count that may not be negative, and not higher than what the rest of the body can hold at
    /// `size_min` bytes each: nothing is reserved for a count that lies.
    pub fn count16(&mut self, size_min: usize) -> Result<usize, ProtocolViolation> {
        // The protocol's Int16 counts go to 65,535 in practice: drivers send them unsigned.
        let count = usize::from(self.int16()? as u16);
        if count * size_min > self.rest.len() {
            return Err(ProtocolViolation("insufficient data left in message"));
        }
        Ok(count)
    }

    /// A fixed number of bytes.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], ProtocolViolation> {
        if length > self.rest.len() {
            return Err(ProtocolViolation("insufficient data left in message"));
        }
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }

    /// Text up to a zero byte, which is taken too.
    pub fn text(&mut self) -> Result<&'a str, ProtocolViolation> {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let end = end.ok_or(ProtocolViolation("invalid string in message"))?;
        let bytes = self.bytes(end)?;
        self.rest = &self.rest[1..];
        std::str::from_utf8(bytes)
            .map_err(|_| ProtocolViolation("invalid byte sequence for encoding \"UTF8\""))
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), ProtocolViolation> {
        if self.rest.is_empty() { Ok(()) } else { Err(ProtocolViolation("invalid message format")) }
    }
}
