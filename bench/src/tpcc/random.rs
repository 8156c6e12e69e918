//! Random values as clause 2.1 and clause 4.3 of the specification have them.

use crate::load::pattern::Random;

/// Customers of a district, items, and the values of NURand's constant A that belong to them.
pub const CUSTOMERS: u32 = 3_000;
/// Rows of ITEM, and of STOCK for each warehouse.
pub const ITEMS: u32 = 100_000;
/// Districts of a warehouse.
pub const DISTRICTS: u32 = 10;
const SYLLABLES: [&str; 10] =
    ["BAR", "OUGHT", "ABLE", "PRI", "PRES", "ESE", "ANTI", "CALLY", "ATION", "EING"];
const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The constants C of NURand (2.1.6): one for each A, the same for all terminals of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Constants {
    last_name: u32,
    customer: u32,
    item: u32,
}

impl Constants {
    /// Those of the load.
    pub fn of_load(seed: u64) -> Constants {
        let mut random = Random::new(seed, u64::MAX);
        let last_name = random.below(256) as u32;
        Constants { last_name, customer: random.below(1_024) as u32, item: random.below(8_192) as u32 }
    }

    /// Those of a run on what was loaded with this seed: 2.1.6.1 says how far the one of last names is to be from the load's.
    pub fn of_run(seed: u64) -> Constants {
        let load = Constants::of_load(seed);
        let mut random = Random::new(seed, u64::MAX - 1);
        let last_name = loop {
            let candidate = random.below(256) as u32;
            let delta = candidate.abs_diff(load.last_name);
            if (65..=119).contains(&delta) && delta != 96 && delta != 112 {
                break candidate;
            }
        };
        Constants { last_name, customer: random.below(1_024) as u32, item: random.below(8_192) as u32 }
    }
}

/// Draws values.
pub struct Draw {
    random: Random,
    constants: Constants,
}

impl Draw {
    /// Streams of different numbers differ.
    pub fn new(seed: u64, stream: u64, constants: Constants) -> Draw {
        Draw { random: Random::new(seed, stream), constants }
    }

    /// Of `least..=most`, each as likely.
    pub fn uniform(&mut self, least: u32, most: u32) -> u32 {
        least + self.random.below(u64::from(most - least) + 1) as u32
    }

    /// Whether something happens that does so in `percent` of all cases.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.uniform(1, 100) <= percent
    }

    /// NURand(A, x, y), 2.1.6.
    fn non_uniform(&mut self, a: u32, c: u32, least: u32, most: u32) -> u32 {
        let mixed = self.uniform(0, a) | self.uniform(least, most);
        (mixed + c) % (most - least + 1) + least
    }

    /// A customer's number.
    pub fn customer(&mut self) -> u32 {
        self.non_uniform(1_023, self.constants.customer, 1, CUSTOMERS)
    }

    /// An item's number.
    pub fn item(&mut self) -> u32 {
        self.non_uniform(8_191, self.constants.item, 1, ITEMS)
    }

    /// The number of a last name.
    pub fn last_name_number(&mut self) -> u32 {
        self.non_uniform(255, self.constants.last_name, 0, 999)
    }

    /// Appends a-string [least .. most].
    pub fn letters(&mut self, out: &mut String, least: u32, most: u32) {
        for _ in 0..self.uniform(least, most) {
            let at = self.random.below(ALPHANUMERIC.len() as u64) as usize;
            out.push(char::from(ALPHANUMERIC[at]));
        }
    }

    /// Appends n-string of this length.
    pub fn digits(&mut self, out: &mut String, length: u32) {
        for _ in 0..length {
            out.push(char::from(b'0' + self.uniform(0, 9) as u8));
        }
    }

    /// Appends an a-string [26 .. 50] that holds ORIGINAL in one case of ten (I_DATA, S_DATA).
    pub fn data(&mut self, out: &mut String) {
        const MARK: &str = "ORIGINAL";
        let start = out.len();
        self.letters(out, 26, 50);
        if self.percent(10) {
            let room = (out.len() - start - MARK.len()) as u32;
            let at = start + self.uniform(0, room) as usize;
            out.replace_range(at..at + MARK.len(), MARK);
        }
    }

    /// A permutation of 1 to `count`.
    pub fn permutation(&mut self, count: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = (1..=count).collect();
        self.shuffle(&mut numbers);
        numbers
    }

    /// Any order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.random.below(last as u64 + 1) as usize;
            values.swap(last, other);
        }
    }

    /// Of `0..1`.
    pub fn fraction(&mut self) -> f64 {
        self.random.below(1 << 32) as f64 / (1_u64 << 32) as f64
    }
}

/// C_LAST of a number of three digits (4.3.2.3).
pub fn last_name(number: u32) -> String {
    let syllable = |digit: u32| SYLLABLES[(digit % 10) as usize];
    [syllable(number / 100), syllable(number / 10), syllable(number)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_names_are_the_specifications() {
        // 4.3.2.3 gives the first.
        for (number, expected) in
            [(371, "PRICALLYOUGHT"), (40, "BARPRESBAR"), (0, "BARBARBAR"), (999, "EINGEINGEING")]
        {
            assert_eq!(last_name(number), expected);
        }
    }

    #[test]
    fn the_runs_constant_is_as_far_from_the_loads_as_it_must_be() {
        for seed in 0..500 {
            let delta = Constants::of_run(seed).last_name.abs_diff(Constants::of_load(seed).last_name);
            assert!((65..=119).contains(&delta) && delta != 96 && delta != 112, "{seed}: {delta}");
        }
    }

    #[test]
    fn non_uniform_values_are_within_their_range_and_not_uniform() {
        let mut draw = Draw::new(1, 1, Constants::of_run(1));
        let mut counts = vec![0_u32; CUSTOMERS as usize + 1];
        for _ in 0..300_000 {
            counts[draw.customer() as usize] += 1;
        }
        assert_eq!(counts[0], 0);
        // 100 each if all were as likely; a uniform draw would not come near to 300.
        let most = counts.iter().max().expect("not empty");
        assert!(*most > 300, "{most} of the likeliest");
        assert!((0..100_000).all(|_| (1..=ITEMS).contains(&draw.item()) && draw.last_name_number() <= 999));
    }

    #[test]
    fn one_in_ten_is_original() {
        let mut draw = Draw::new(1, 1, Constants::of_load(1));
        let mut marked = 0;
        for _ in 0..10_000 {
            let mut data = String::new();
            draw.data(&mut data);
            assert!((26..=50).contains(&data.len()), "{data}");
            marked += u32::from(data.contains("ORIGINAL"));
        }
        assert!((850..1_150).contains(&marked), "{marked}");
    }

    #[test]
    fn a_permutation_has_each_once() {
        let mut drawn = Draw::new(1, 1, Constants::of_load(1)).permutation(CUSTOMERS);
        assert!(drawn.iter().zip(1..).any(|(drawn, at)| *drawn != at));
        drawn.sort_unstable();
        assert!(drawn.into_iter().eq(1..=CUSTOMERS));
    }
}
