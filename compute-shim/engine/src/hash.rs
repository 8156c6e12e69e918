//! One fixed 64-bit hash, so that no iteration order and no trace depends on a random seed.
//!
//! Owns the mixing function, the `Hasher` for in-memory maps and the row and key hashes of the lock table.

use crate::types::TreeId;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A hash map whose behaviour is the same in every run.
pub(crate) type FixedMap<K, V> = HashMap<K, V, BuildHasherDefault<FixedHasher>>;

/// A set of the same kind.
pub(crate) type FixedSet<T> = HashSet<T, BuildHasherDefault<FixedHasher>>;

/// Odd constant: 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(state: u64, word: u64) -> u64 {
    let product = u128::from(state ^ word ^ (MULTIPLIER >> 7)) * u128::from(MULTIPLIER);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Hashes integers and bytes without a seed.
#[derive(Clone, Copy, Default)]
pub(crate) struct FixedHasher(u64);

impl Hasher for FixedHasher {
    fn finish(&self) -> u64 {
        mix(self.0, MULTIPLIER)
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = mix(self.0.rotate_left(5), u64::from_le_bytes(word));
        }
        self.0 = mix(self.0, bytes.len() as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0.rotate_left(5), value);
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
}

/// The lock table's name of a key of a tree. A collision costs a needless wait, nothing else.
pub(crate) fn key_hash(tree: TreeId, key: &[u8]) -> u64 {
    let mut hasher = FixedHasher::default();
    hasher.write_u64(tree.0.0);
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hexalog_protocol::PageId;

    #[test]
    fn neighbouring_keys_differ_in_low_and_high_bits() {
        let hashes: Vec<u64> =
            (0u64..4096).map(|key| key_hash(TreeId(PageId(3)), &key.to_be_bytes())).collect();
        for shift in [0, 24, 48] {
            let mut buckets = [0u32; 64];
            hashes.iter().for_each(|hash| buckets[(hash >> shift) as usize % 64] += 1);
            assert!(buckets.iter().all(|count| (20..150).contains(count)), "{buckets:?}");
        }
    }
}
