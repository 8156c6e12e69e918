//! The label of a block device: what makes a raw device one of ours, and says how it is divided.
//!
//! | bytes | field |
//! |---|---|
//! | 0..8 | magic "HXLABEL1" |
//! | 8..12 | CRC32C of the text |
//! | 12..16 | length of the text |
//! | 16.. | text: the geometry, as a directory's `hexalogd.json` has it |
//!
//! It stands at the device's beginning and once more at [`LABEL_COPY_AT`]. It is written last when a device is formatted and
//! never changed, so that either copy will do.

use alloc::vec::Vec;
use core::str;
use hexalog_protocol::codec::{Malformed, Put, Reader};

/// Bytes of a label: two blocks hold the geometry of the largest number of shards with room to spare.
pub const LABEL_BYTES: usize = 16 << 10;
/// Where its copy stands.
pub const LABEL_COPY_AT: u64 = 64 << 10;

const MAGIC: [u8; 8] = *b"HXLABEL1";
const HEAD_BYTES: usize = 16;

/// A label with this text; `None` if it is too long.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    if text.len() > LABEL_BYTES - HEAD_BYTES {
        return None;
    }
    let mut out = Vec::with_capacity(LABEL_BYTES);
    out.extend_from_slice(&MAGIC);
    out.put_u32(crc32c::crc32c(text.as_bytes()));
    out.put_u32(text.len() as u32);
    out.extend_from_slice(text.as_bytes());
    out.resize(LABEL_BYTES, 0);
    Some(out)
}

/// The text of a label.
pub fn decode(bytes: &[u8]) -> Result<&str, Malformed> {
    let mut reader = Reader::new(bytes);
    if reader.array("label magic")? != MAGIC {
        return Err(Malformed { what: "label magic" });
    }
    let (crc, length) = (reader.u32("label checksum")?, reader.u32("label length")?);
    let text = reader.bytes(length as usize, "label text")?;
    if crc32c::crc32c(text) != crc {
        return Err(Malformed { what: "label checksum" });
    }
    str::from_utf8(text).map_err(|_| Malformed { what: "label text" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_back_and_nothing_else_is_one() {
        let label = encode("{\"node\": 1}").expect("short");
        assert_eq!(label.len(), LABEL_BYTES);
        assert_eq!(decode(&label), Ok("{\"node\": 1}"));
        for (at, why) in [(0, "magic"), (9, "checksum"), (12, "length"), (20, "text")] {
            let mut damaged = label.clone();
            damaged[at] ^= 0x40;
            assert!(decode(&damaged).is_err(), "{why}");
        }
        assert!(decode(&label[..20]).is_err());
        assert!(decode(&[0; LABEL_BYTES]).is_err());
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let text = "x".repeat(LABEL_BYTES - HEAD_BYTES);
        assert_eq!(decode(&encode(&text).expect("just fits")), Ok(text.as_str()));
        assert_eq!(encode(&(text + "x")), None);
    }
}
