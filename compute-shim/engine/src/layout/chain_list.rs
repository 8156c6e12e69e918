//! The list of chains at the end of a row's stored body.
//!
//! A cell whose row header has [`super::tree_page::ROW_OVERFLOW`] owns chains. Its body is the row's own body, then for
//! each chain its root page 6 and the value's length 4, then their number 1. Purge takes the first of the list off by
//! lowering the number, so that what is left is always the list's end.

use super::{get_low, low_bytes};
use crate::types::{CHAINS_MAX, Chain};
use hexalog_protocol::PageId;

/// Bytes that one chain takes in its row.
pub(crate) const CHAIN_BYTES: usize = 10;
const _: () = assert!(CHAINS_MAX <= u8::MAX as usize);

/// Appends the list to a row's own body.
pub(crate) fn encode(out: &mut Vec<u8>, chains: &[Chain]) {
    assert!((1..=CHAINS_MAX).contains(&chains.len()), "a row without chains has no list");
    for chain in chains {
        out.extend_from_slice(&low_bytes::<6>(chain.root.0));
        out.extend_from_slice(&chain.bytes.to_le_bytes());
    }
    out.push(chains.len() as u8);
}

/// Bytes of the list.
pub(crate) fn encoded_bytes(chains: usize) -> usize {
    if chains == 0 { 0 } else { chains * CHAIN_BYTES + 1 }
}

/// Where the list of a stored body begins; `None` if the body is too short for what it says.
pub(crate) fn start(stored: &[u8]) -> Option<usize> {
    let (count, rest) = stored.split_last()?;
    rest.len().checked_sub(usize::from(*count) * CHAIN_BYTES)
}

/// The chains of a stored body.
pub(crate) fn decode(stored: &[u8]) -> Option<impl ExactSizeIterator<Item = Chain>> {
    let list = &stored[start(stored)?..stored.len() - 1];
    Some(
        list.chunks_exact(CHAIN_BYTES).map(|entry| Chain {
            root: PageId(get_low::<6>(entry, 0)),
            bytes: get_low::<4>(entry, 6) as u32,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let chains = [Chain { root: PageId(0x0102), bytes: 0x0506 }, Chain { root: PageId(9), bytes: 1 }];
        let mut stored = b"body".to_vec();
        encode(&mut stored, &chains);
        let expected = [2, 1, 0, 0, 0, 0, 6, 5, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!(stored[4..], expected);
        assert_eq!(stored.len() - 4, encoded_bytes(2));
        assert_eq!(start(&stored), Some(4));
        assert!(decode(&stored).expect("decodes").eq(chains));
        *stored.last_mut().expect("a count") = 1;
        assert!(decode(&stored).expect("decodes").eq([chains[1]]));
        assert!(decode(&[3, 0, 0, 9]).is_none());
    }
}
