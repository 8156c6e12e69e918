//! The packets that come before messages have a type byte: start-up, encryption requests, cancel requests.

use super::{Fields, ProtocolViolation};

/// Protocol version 3.0.
pub const PROTOCOL_3_0: i32 = 3 << 16;
const SSL_REQUEST: i32 = 80_877_103;
const GSSENC_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;
/// Not PostgreSQL's: asks for this process's state. From the same range of impossible protocol versions, above
/// those that PostgreSQL has given out.
pub const STATUS_REQUEST: i32 = 80_877_200;

/// Longest start-up packet, as in PostgreSQL (`MAX_STARTUP_PACKET_LENGTH`).
pub const STARTUP_BYTES_MAX: usize = 10_000;

/// What a client may say first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StartupPacket {
    /// Asks for TLS or GSSAPI encryption: answered with one byte `N`, after which the client goes on in clear.
    EncryptionRequest,
    /// Asks to cancel what another connection runs; no answer is ever sent.
    Cancel {
        /// From that connection's BackendKeyData.
        process_id: i32,
        /// Proof of having seen it.
        secret: i32,
    },
    /// `hexalog status` asks: answered with a JSON text, then the connection ends.
    Status,
    /// A session begins.
    Startup {
        /// Minor version asked for: 0 is what this server speaks.
        minor_version: u16,
        /// Names and values in the order sent.
        parameters: Vec<(String, String)>,
    },
}

/// Length of the packet at the front of `buffer`, its length field included; `None` while that is incomplete.
pub fn packet_length(buffer: &[u8]) -> Result<Option<usize>, ProtocolViolation> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(length) if (8..=STARTUP_BYTES_MAX).contains(&length) => Ok(Some(length)),
        _ => Err(ProtocolViolation("invalid length of startup packet")),
    }
}

/// Decodes a whole packet, its length field included.
pub fn decode(packet: &[u8]) -> Result<StartupPacket, ProtocolViolation> {
    let mut fields = Fields::new(packet);
    fields.int32()?;
    let code = fields.int32()?;
    match code {
        SSL_REQUEST | GSSENC_REQUEST => Ok(StartupPacket::EncryptionRequest),
        CANCEL_REQUEST => Ok(StartupPacket::Cancel { process_id: fields.int32()?, secret: fields.int32()? }),
        STATUS_REQUEST => Ok(StartupPacket::Status),
        _ if code >> 16 == PROTOCOL_3_0 >> 16 => {
            let minor_version = (code & 0xffff) as u16;
            Ok(StartupPacket::Startup { minor_version, parameters: decode_parameters(fields)? })
        }
        _ => Err(ProtocolViolation("unsupported frontend protocol: server supports 3.0")),
    }
}

fn decode_parameters(mut fields: Fields<'_>) -> Result<Vec<(String, String)>, ProtocolViolation> {
    let mut parameters = Vec::new();
    loop {
        let name = fields.text()?;
        if name.is_empty() {
            fields.finish()?;
            return Ok(parameters);
        }
        parameters.push((name.to_owned(), fields.text()?.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(code: i32, rest: &[u8]) -> Vec<u8> {
        let mut bytes = (8 + rest.len() as i32).to_be_bytes().to_vec();
        bytes.extend(code.to_be_bytes());
        bytes.extend(rest);
        bytes
    }

    #[test]
    fn packets_decode() {
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let startup = |minor, list| StartupPacket::Startup { minor_version: minor, parameters: pairs(list) };
        for (bytes, expected) in [
            (packet(80877103, b""), Ok(StartupPacket::EncryptionRequest)),
            (packet(80877104, b""), Ok(StartupPacket::EncryptionRequest)),
            (
                packet(80877102, &[0, 0, 0, 7, 0, 0, 1, 0]),
                Ok(StartupPacket::Cancel { process_id: 7, secret: 256 }),
            ),
            (
                packet(3 << 16, b"user\0u\0database\0d\0\0"),
                Ok(startup(0, &[("user", "u"), ("database", "d")])),
            ),
            (packet(3 << 16 | 2, b"\0"), Ok(startup(2, &[]))),
            (packet(3 << 16, b"user\0u\0"), Err(ProtocolViolation("invalid string in message"))),
            (packet(3 << 16, b"\0x"), Err(ProtocolViolation("invalid message format"))),
            (
                packet(2 << 16, b""),
                Err(ProtocolViolation("unsupported frontend protocol: server supports 3.0")),
            ),
        ] {
            assert_eq!(packet_length(&bytes), Ok(Some(bytes.len())));
            assert_eq!(decode(&bytes), expected);
        }
        assert_eq!(packet_length(&[0, 0, 0]), Ok(None));
        assert!(packet_length(&[0, 0, 0, 7]).is_err());
        assert!(packet_length(&[0, 1, 0, 0]).is_err());
        assert!(packet_length(&[0xff; 4]).is_err());
    }
}
