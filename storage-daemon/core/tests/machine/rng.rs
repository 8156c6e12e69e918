//! A small seeded generator (splitmix64): the tests' only source of chance.

#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Seeds from `first` on: `count`, or as many times that as `HEXALOG_SEEDS` says.
pub fn seeds(first: u64, count: u64) -> std::ops::Range<u64> {
    let times = std::env::var("HEXALOG_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    first..first + count * times
}
