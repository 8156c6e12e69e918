//! A client's messages, decoded in place: names, texts and values borrow from the receive buffer.

use super::{Fields, ProtocolViolation};

/// Bytes before a body: the type and the length.
pub const HEADER_BYTES: usize = 5;

/// Longest message. Room for a large literal; what a connection can make the server hold is bounded by it. The
/// receive buffer grows as bytes arrive, never by what a length field promises.
pub const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// The message at the front of a buffer: its type and how many bytes its body has. `None` while the header is
/// incomplete.
pub fn header(buffer: &[u8]) -> Result<Option<(u8, usize)>, ProtocolViolation> {
    let Some(&[kind, a, b, c, d]) = buffer.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let length = i32::from_be_bytes([a, b, c, d]);
    match usize::try_from(length) {
        Ok(length) if (4..=MESSAGE_BYTES_MAX).contains(&length) => Ok(Some((kind, length - 4))),
        _ => Err(ProtocolViolation("invalid message length")),
    }
}

/// Parse: a statement's text under a name.
#[derive(Debug)]
pub struct Parse<'a> {
    /// Name; empty for the unnamed statement.
    pub name: &'a str,
    /// The SQL text.
    pub text: &'a str,
    /// Oids of the first parameters' types, big-endian; 0 leaves one to be inferred.
    type_oids: &'a [u8],
}

impl<'a> Parse<'a> {
    /// Decodes a body.
    pub fn decode(body: &'a [u8]) -> Result<Parse<'a>, ProtocolViolation> {
        let mut fields = Fields::new(body);
        let (name, text) = (fields.text()?, fields.text()?);
        let count = fields.count16(4)?;
        let type_oids = fields.bytes(count * 4)?;
        fields.finish()?;
        Ok(Parse { name, text, type_oids })
    }

    /// The oids.
    pub fn type_oids(&self) -> impl Iterator<Item = u32> + '_ {
        self.type_oids.chunks_exact(4).map(|oid| u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]))
    }
}

/// Bind: a portal of a statement with its parameters' values.
#[derive(Debug)]
pub struct Bind<'a> {
    /// Portal's name; empty for the unnamed one.
    pub portal: &'a str,
    /// Statement's name.
    pub statement: &'a str,
    /// How many values there are.
    pub parameter_count: usize,
    parameter_formats: &'a [u8],
    parameters: Fields<'a>,
    result_formats: &'a [u8],
}

impl<'a> Bind<'a> {
    /// Decodes a body, walking over every value once to check it.
    pub fn decode(body: &'a [u8]) -> Result<Bind<'a>, ProtocolViolation> {
        let mut fields = Fields::new(body);
        let (portal, statement) = (fields.text()?, fields.text()?);
        let format_count = fields.count16(2)?;
        let parameter_formats = fields.bytes(format_count * 2)?;
        let parameter_count = fields.count16(4)?;
        let parameters = fields;
        for _ in 0..parameter_count {
            value(&mut fields)?;
        }
        let result_count = fields.count16(2)?;
        let result_formats = fields.bytes(result_count * 2)?;
        fields.finish()?;
        Ok(Bind { portal, statement, parameter_count, parameter_formats, parameters, result_formats })
    }

    /// The values; `None` is NULL.
    pub fn parameters(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut fields = self.parameters;
        (0..self.parameter_count).map(move |_| value(&mut fields).expect("walked over by decode"))
    }

    /// Format codes of the values: none, one for all, or one each.
    pub fn parameter_formats(&self) -> impl ExactSizeIterator<Item = i16> + use<'a> {
        formats(self.parameter_formats)
    }

    /// Format codes wanted for the result: none, one for all, or one each.
    pub fn result_formats(&self) -> impl ExactSizeIterator<Item = i16> + use<'a> {
        formats(self.result_formats)
    }
}

fn formats(bytes: &[u8]) -> impl ExactSizeIterator<Item = i16> + use<'_> {
    bytes.chunks_exact(2).map(|format| i16::from_be_bytes([format[0], format[1]]))
}

fn value<'a>(fields: &mut Fields<'a>) -> Result<Option<&'a [u8]>, ProtocolViolation> {
    match fields.int32()? {
        -1 => Ok(None),
        length => {
            let length =
                usize::try_from(length).map_err(|_| ProtocolViolation("invalid parameter length"))?;
            fields.bytes(length).map(Some)
        }
    }
}

/// What Describe and Close are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// A prepared statement.
    Statement(&'a str),
    /// A portal.
    Portal(&'a str),
}

impl<'a> Target<'a> {
    /// Decodes a body of Describe or Close.
    pub fn decode(body: &'a [u8]) -> Result<Target<'a>, ProtocolViolation> {
        let mut fields = Fields::new(body);
        let kind = fields.byte()?;
        let name = fields.text()?;
        fields.finish()?;
        match kind {
            b'S' => Ok(Target::Statement(name)),
            b'P' => Ok(Target::Portal(name)),
            _ => Err(ProtocolViolation("invalid message subtype")),
        }
    }
}

/// Decodes Execute: the portal and its row limit, 0 for all.
pub fn execute(body: &[u8]) -> Result<(&str, u32), ProtocolViolation> {
    let mut fields = Fields::new(body);
    let portal = fields.text()?;
    // PostgreSQL takes a limit below zero as none.
    let limit = u32::try_from(fields.int32()?).unwrap_or(0);
    fields.finish()?;
    Ok((portal, limit))
}

/// Decodes a body that is one text: Query, CopyFail.
pub fn single_text(body: &[u8]) -> Result<&str, ProtocolViolation> {
    let mut fields = Fields::new(body);
    let text = fields.text()?;
    fields.finish()?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bind_decodes_and_every_cut_is_refused() {
        let mut body = b"p\0s\0".to_vec();
        body.extend([0, 1, 0, 1]);
        body.extend([0, 3]);
        body.extend([0, 0, 0, 2, b'4', b'2', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        body.extend([0, 2, 0, 0, 0, 1]);
        let bind = Bind::decode(&body).expect("whole");
        assert_eq!((bind.portal, bind.statement), ("p", "s"));
        assert_eq!(bind.parameters().collect::<Vec<_>>(), [Some(&b"42"[..]), None, Some(&b""[..])]);
        assert_eq!(bind.parameter_formats().collect::<Vec<_>>(), [1]);
        assert_eq!(bind.result_formats().collect::<Vec<_>>(), [0, 1]);
        for cut in 0..body.len() {
            assert!(Bind::decode(&body[..cut]).is_err(), "cut at {cut}");
        }
        body.push(0);
        assert!(Bind::decode(&body).is_err());
    }

    #[test]
    fn parse_decodes_and_lying_counts_are_refused() {
        let parse = Parse::decode(b"n\0SELECT $1\0\0\x01\0\0\0\x17").expect("whole");
        assert_eq!((parse.name, parse.text), ("n", "SELECT $1"));
        assert_eq!(parse.type_oids().collect::<Vec<_>>(), [23]);
        assert!(Parse::decode(b"n\0SELECT 1\0\xff\xff").is_err());
        assert!(Parse::decode(b"n\0\xff\xfe\0\0\0").is_err(), "not UTF-8");
    }

    #[test]
    fn headers() {
        assert_eq!(header(b"Q\0\0\0"), Ok(None));
        assert_eq!(header(b"S\0\0\0\x04"), Ok(Some((b'S', 0))));
        assert!(header(b"S\0\0\0\x03").is_err());
        assert!(header(b"S\x7f\0\0\0").is_err());
    }

    #[test]
    fn targets_and_execute() {
        assert_eq!(Target::decode(b"Sx\0"), Ok(Target::Statement("x")));
        assert_eq!(Target::decode(b"P\0"), Ok(Target::Portal("")));
        assert!(Target::decode(b"Zx\0").is_err());
        assert_eq!(execute(b"p\0\0\0\0\x05"), Ok(("p", 5)));
        assert_eq!(execute(b"p\0\xff\xff\xff\xff"), Ok(("p", 0)));
    }
}
