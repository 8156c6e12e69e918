//! What a volume may take of the room that all volumes of a shard share: the append that is being filled, log, memory for records
//! that are in no version, page reads.
//!
//! The rule is that of a switch whose ports share one buffer (dynamic thresholds; Choudhury and Hahne, "Dynamic Queue Length
//! Thresholds for Shared-Memory Packet Switches", 1998): a volume may hold no more than so many times what is left. Who is alone gets
//! nearly all; n that want more get the same each; and something is left whatever they do, for one that holds little. Nobody
//! needs to know who is there or at what rate. Each kind of room is counted and kept by its owner (`log`, `pending`,
//! `pages::reads`); what does not come from a writer is not held to shares.

use alloc::vec::Vec;
use hexalog_protocol::VolumeId;

/// Of the append, of memory and of page reads a volume gets four times what is left: four fifths alone, four ninths each of two. A
/// guess between what the first loses and what the others find.
pub(crate) const SHARE: u64 = 4;
/// Of the log sixteen times: one volume alone must be able to fill it as far as that is told as full (`room`, 14 sixteenths).
pub(crate) const LOG_SHARE: u64 = 16;

/// Whether a volume that holds `before` may hold `after`, with which `left` is left. One that holds nothing yet may take whatever
/// there is room for: a share of little could be less than a batch.
pub(crate) fn is_fair(before: u64, after: u64, left: u64, share: u64) -> bool {
    assert!(before <= after);
    before == 0 || after <= left.saturating_mul(share)
}

/// How much of something each volume holds.
#[derive(Debug, Default)]
pub(crate) struct ByVolume {
    /// By volume; who holds nothing is not in it. A vector keeps its memory, and there are few that hold something.
    held: Vec<(VolumeId, u64)>,
}

impl ByVolume {
    pub fn get(&self, volume: VolumeId) -> u64 {
        self.place(volume).map_or(0, |at| self.held[at].1)
    }

    pub fn add(&mut self, volume: VolumeId, count: u64) {
        if count == 0 {
            return;
        }
        match self.place(volume) {
            Ok(at) => self.held[at].1 += count,
            Err(at) => self.held.insert(at, (volume, count)),
        }
    }

    pub fn remove(&mut self, volume: VolumeId, count: u64) {
        if count == 0 {
            return;
        }
        let at = self.place(volume).expect("who lets go of something holds it");
        let held = &mut self.held[at].1;
        assert!(*held >= count, "no more than it holds");
        *held -= count;
        if *held == 0 {
            self.held.remove(at);
        }
    }

    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// Of `before` only `after` is left, and it is not known whose the rest was: as if each had the same part of it.
    pub fn scale(&mut self, before: u64, after: u64) {
        assert!(after <= before);
        for (_, held) in &mut self.held {
            // It was no more than `before`.
            *held = (u128::from(*held) * u128::from(after) / u128::from(before.max(1))) as u64;
        }
        self.held.retain(|(_, held)| *held > 0);
    }

    pub fn sum(&self) -> u64 {
        self.held.iter().map(|(_, held)| held).sum()
    }

    fn place(&self, volume: VolumeId) -> Result<usize, usize> {
        self.held.binary_search_by_key(&volume, |(volume, _)| *volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All take one by one, in turns, until nobody may take one more: what each has, and what is left.
    fn fill(volumes: usize, all: u64, share: u64) -> (Vec<u64>, u64) {
        let (mut held, mut left) = (alloc::vec![0; volumes], all);
        loop {
            let before = left;
            for held in &mut held {
                if left > 0 && is_fair(*held, *held + 1, left - 1, share) {
                    *held += 1;
                    left -= 1;
                }
            }
            if left == before {
                return (held, left);
            }
        }
    }

    #[test]
    fn who_wants_all_gets_as_much_as_the_next_and_leaves_some() {
        for (volumes, share, expected, expected_left) in [
            (1, SHARE, 800, 200),
            (2, SHARE, 444, 112),
            (8, SHARE, 121, 32),
            (1, LOG_SHARE, 941, 59),
            (2, LOG_SHARE, 484, 32),
        ] {
            let (held, left) = fill(volumes, 1000, share);
            let is_even = held.iter().all(|held| (expected..=expected + 1).contains(held));
            assert!(is_even, "{volumes} at {share}: {held:?}");
            assert!((expected_left - 1..=expected_left).contains(&left), "{volumes} at {share}: {left}");
        }
        assert!(is_fair(0, 100, 0, SHARE), "the first batch needs no share");
        assert!(!is_fair(1, 100, 24, SHARE));
    }

    #[test]
    fn what_is_let_go_of_is_forgotten() {
        let [a, b] = [1, 2].map(|byte| VolumeId([byte; 16]));
        let mut held = ByVolume::default();
        held.add(b, 7);
        held.add(a, 100);
        held.add(a, 0);
        held.remove(a, 40);
        assert_eq!((held.get(a), held.get(b), held.sum()), (60, 7, 67));
        held.scale(70, 7);
        assert_eq!((held.get(a), held.get(b), held.sum()), (6, 0, 6));
        held.remove(a, 6);
        assert!(held.held.is_empty());
        held.scale(0, 0);
    }
}
