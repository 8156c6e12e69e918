//! Hashes of texts: `hashtext` and `hashtextextended`.
//!
//! Owns Bob Jenkins' lookup3 as PostgreSQL runs it (`hash_bytes` of its `hashfn.c`), on little-endian machines. Their
//! manual does not speak of these functions, but clients make keys of advisory locks with them: a program that takes
//! its locks here and one that computes the keys elsewhere must agree.

use super::str_at;
use crate::datum::Datum;
use crate::env::EvalEnv;
use crate::error::Result;

/// What the three words begin with, besides the length.
const START: u32 = 0x9e37_79b9_u32.wrapping_add(3_923_095);
/// Bytes that one round takes in.
const ROUND_BYTES: usize = 12;

struct Words {
    a: u32,
    b: u32,
    c: u32,
}

impl Words {
    fn mix(&mut self) {
        let Words { a, b, c } = self;
        *a = a.wrapping_sub(*c) ^ c.rotate_left(4);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(6);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(8);
        *b = b.wrapping_add(*a);
        *a = a.wrapping_sub(*c) ^ c.rotate_left(16);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(19);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(4);
        *b = b.wrapping_add(*a);
    }

    fn finish(&mut self) {
        let Words { a, b, c } = self;
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(14));
        *a = (*a ^ *c).wrapping_sub(c.rotate_left(11));
        *b = (*b ^ *a).wrapping_sub(a.rotate_left(25));
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(16));
        *a = (*a ^ *c).wrapping_sub(c.rotate_left(4));
        *b = (*b ^ *a).wrapping_sub(a.rotate_left(14));
        *c = (*c ^ *b).wrapping_sub(b.rotate_left(24));
    }
}

/// Up to four bytes as a number.
fn word(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

fn hash(bytes: &[u8], seed: u64) -> Words {
    // Modulo 2^32: no value is that long.
    let start = START.wrapping_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let mut words = Words { a: start, b: start, c: start };
    if seed != 0 {
        let half = |half: u64| u32::try_from(half & u64::from(u32::MAX)).expect("32 bits");
        words.a = words.a.wrapping_add(half(seed >> 32));
        words.b = words.b.wrapping_add(half(seed));
        words.mix();
    }
    let mut rounds = bytes.chunks_exact(ROUND_BYTES);
    for round in &mut rounds {
        words.a = words.a.wrapping_add(word(&round[..4]));
        words.b = words.b.wrapping_add(word(&round[4..8]));
        words.c = words.c.wrapping_add(word(&round[8..]));
        words.mix();
    }
    let rest = rounds.remainder();
    let part = |from: usize, to: usize| rest.get(from..to.min(rest.len())).map_or(0, word);
    words.a = words.a.wrapping_add(part(0, 4));
    words.b = words.b.wrapping_add(part(4, 8));
    // The lowest byte of the last word belongs to the length.
    words.c = words.c.wrapping_add(part(8, 11) << 8);
    words.finish();
    words
}

pub(super) fn text(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Datum::Int4(hash(str_at(args, 0).as_bytes(), 0).c.cast_signed()))
}

pub(super) fn text_extended(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let Datum::Int8(seed) = args[1] else { panic!("the seed should be a bigint: {args:?}") };
    let Words { b, c, .. } = hash(str_at(args, 0).as_bytes(), seed.cast_unsigned());
    Ok(Datum::Int8((u64::from(b) << 32 | u64::from(c)).cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of PostgreSQL 15: keys of advisory locks are told to programs that compute them there.
    #[test]
    #[rustfmt::skip]
    fn hashes_are_postgresqls() {
        const SEEDS: [i64; 3] = [0, 1, -4_294_967_297];
        for (value, plain, extended) in [
            ("", -1_477_818_771, [-6_939_563_903_564_495_251, -150_071_773_020_461_347, 641_225_873_880_670_358]),
            ("a", 1_075_015_857, [3_591_986_179_850_072_241, 3_325_245_193_489_759_299, -5_049_439_853_307_376_185]),
            ("migrations", 331_260_518, [4_637_455_633_556_087_398, -4_139_360_221_673_797_907, 5_594_006_278_651_692_617]),
            ("eleven byte", 1_185_542_870, [-1_446_953_353_892_728_106, -566_271_446_871_883_698, -176_731_874_783_710_594]),
            ("twelve bytes", 652_846_557, [-7_123_776_401_673_968_163, -5_759_064_703_759_875_684, -4_715_271_366_943_672_262]),
            ("thirteen byte", -1_367_827_268, [-1_147_533_121_609_491_268, -5_185_534_450_367_748_998, -1_008_024_170_603_564_490]),
            ("exactly twenty-four byte", 91_118_986, [164_148_384_514_334_090, 8_652_355_619_730_501_862, -3_066_942_585_037_958_027]),
            ("über und über, mehr als zwei Runden lang", -588_687_963, [3_034_511_663_822_362_021, -3_384_869_483_460_144_343, -817_504_528_652_287_959]),
        ] {
            let env = EvalEnv::without_session();
            let found = text(&env, &[Datum::text(value)]).expect("computes");
            assert_eq!(found.as_i64(), Some(plain), "{value}");
            for (seed, expected) in SEEDS.into_iter().zip(extended) {
                let found = text_extended(&env, &[Datum::text(value), Datum::Int8(seed)]).expect("computes");
                assert_eq!(found.as_i64(), Some(expected), "{value} with {seed}");
            }
        }
    }
}
