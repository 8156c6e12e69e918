//! Rows of the TPC-H benchmark as COPY reads them, by the rules of its specification (TPC-H 3.0.1, clause 4.2.3).
//!
//! `tpch_rows TABLE SCALE [SEED]` writes one table to standard output: `region`, `nation`, `supplier`, `customer`, `part`,
//! `partsupp`, `orders` or `lineitem`, fields between `|`. `tpch_rows facts ROWS [SEED]` writes what the scan of
//! `bench/scripts/tpch.sh` reads. A row rests on seed, table and key alone, so that `orders` and `lineitem` agree though they are written by two runs.
//!
//! As in the specification: number of rows, keys (of orders, eight in each 32), which customers have orders, every range and
//! distribution of numbers and dates, and what follows from other columns (prices, states, flags). Not as there: comments and
//! addresses are words of a short list, of the lengths that it names, and the random numbers are not those of `dbgen`; so answers
//! are not its validation answers. Never opens a connection; `bench/scripts/tpch.sh` is who asks.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::process::ExitCode;

const REGIONS: [&str; 5] = ["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"];
/// Name and region, in order of keys.
const NATIONS: [(&str, u32); 25] = [
    ("ALGERIA", 0),
    ("ARGENTINA", 1),
    ("BRAZIL", 1),
    ("CANADA", 1),
    ("EGYPT", 4),
    ("ETHIOPIA", 0),
    ("FRANCE", 3),
    ("GERMANY", 3),
    ("INDIA", 2),
    ("INDONESIA", 2),
    ("IRAN", 4),
    ("IRAQ", 4),
    ("JAPAN", 2),
    ("JORDAN", 4),
    ("KENYA", 0),
    ("MOROCCO", 0),
    ("MOZAMBIQUE", 0),
    ("PERU", 1),
    ("CHINA", 2),
    ("ROMANIA", 3),
    ("SAUDI ARABIA", 4),
    ("VIETNAM", 2),
    ("RUSSIA", 3),
    ("UNITED KINGDOM", 3),
    ("UNITED STATES", 1),
];
const SEGMENTS: [&str; 5] = ["AUTOMOBILE", "BUILDING", "FURNITURE", "MACHINERY", "HOUSEHOLD"];
const PRIORITIES: [&str; 5] = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
const INSTRUCTIONS: [&str; 4] = ["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"];
const MODES: [&str; 7] = ["REG AIR", "AIR", "RAIL", "SHIP", "TRUCK", "MAIL", "FOB"];
const TYPES: [&[&str]; 3] = [
    &["STANDARD", "SMALL", "MEDIUM", "LARGE", "ECONOMY", "PROMO"],
    &["ANODIZED", "BURNISHED", "PLATED", "POLISHED", "BRUSHED"],
    &["TIN", "NICKEL", "BRASS", "STEEL", "COPPER"],
];
const CONTAINERS: [&[&str]; 2] =
    [&["SM", "LG", "MED", "JUMBO", "WRAP"], &["CASE", "BOX", "BAG", "JAR", "PKG", "PACK", "CAN", "DRUM"]];
/// Half of the specification's colours: names of parts take five.
const COLOURS: [&str; 46] = [
    "almond",
    "aquamarine",
    "azure",
    "beige",
    "black",
    "blue",
    "brown",
    "burlywood",
    "chartreuse",
    "chocolate",
    "coral",
    "cream",
    "cyan",
    "dark",
    "dim",
    "drab",
    "firebrick",
    "forest",
    "gainsboro",
    "ghost",
    "gold",
    "green",
    "honeydew",
    "indian",
    "ivory",
    "khaki",
    "lace",
    "lavender",
    "lemon",
    "lime",
    "linen",
    "magenta",
    "maroon",
    "mint",
    "navy",
    "olive",
    "orange",
    "orchid",
    "peach",
    "plum",
    "red",
    "rose",
    "salmon",
    "sienna",
    "snow",
    "tan",
];
const WORDS: [&str; 32] = [
    "carefully",
    "final",
    "deposits",
    "sleep",
    "furiously",
    "regular",
    "packages",
    "haggle",
    "quickly",
    "express",
    "requests",
    "above",
    "the",
    "ironic",
    "accounts",
    "nag",
    "slyly",
    "pending",
    "theodolites",
    "are",
    "across",
    "even",
    "foxes",
    "use",
    "blithely",
    "bold",
    "instructions",
    "wake",
    "among",
    "special",
    "pinto",
    "beans",
];

/// Days from 1992-01-01, the first date of an order, to 1995-06-17, which the specification calls today.
const TODAY: i64 = 1_263;
/// Last day on which an order may be made: 151 days before 1998-12-31.
const ORDER_DAY_MAX: i64 = 2_405;
/// Days from 1970-01-01 to 1992-01-01.
const FIRST_DAY: i64 = 8_035;

/// SplitMix64: a stream for each row.
struct Random(u64);

impl Random {
    fn of(seed: u64, table: u64, key: u64) -> Random {
        let mut random = Random(seed ^ table.wrapping_mul(0xd6e8_feb8_6659_fd93));
        random.0 = random.next() ^ key.wrapping_mul(0xa076_1d64_78bd_642f);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform between both, themselves among them. The bias of the multiplication is below 2^-40 for all ranges here.
    fn within(&mut self, least: i64, most: i64) -> i64 {
        let count = u128::from((most - least).unsigned_abs()) + 1;
        least + i64::try_from((u128::from(self.next()) * count) >> 64).expect("below the count")
    }

    fn of_list<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[usize::try_from(self.within(0, list.len() as i64 - 1)).expect("not negative")]
    }

    /// Words, cut to a length that is uniform between both.
    fn text(&mut self, least: i64, most: i64) -> String {
        let length = usize::try_from(self.within(least, most)).expect("not negative");
        let mut text = String::new();
        while text.len() < length {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.of_list(&WORDS));
        }
        text.truncate(length);
        // COPY keeps blanks at the end, and whoever compares answers by eye does not see them.
        match text.ends_with(' ') {
            true => text.trim_end().to_owned() + ".",
            false => text,
        }
    }

    fn phone(&mut self, nation: i64) -> String {
        let (a, b, c) = (self.within(100, 999), self.within(100, 999), self.within(1000, 9999));
        format!("{}-{a}-{b}-{c}", nation + 10)
    }
}

/// Cents as a decimal.
fn money(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// A day since 1992-01-01 as a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(day: i64) -> String {
    let shifted = day + FIRST_DAY + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Price of a part in cents.
fn retail_price(part: i64) -> i64 {
    90_000 + part / 10 % 20_001 + 100 * (part % 1_000)
}

/// One of the four suppliers of a part.
fn supplier_of(part: i64, which: i64, suppliers: i64) -> i64 {
    (part + which * (suppliers / 4 + (part - 1) / suppliers)) % suppliers + 1
}

struct Tables {
    seed: u64,
    /// In thousandths, so that the numbers of rows are exact.
    scale_milli: i64,
}

/// A line of an order.
struct Line {
    part: i64,
    supplier: i64,
    quantity: i64,
    price: i64,
    discount: i64,
    tax: i64,
    shipped: i64,
    committed: i64,
    received: i64,
    returned: char,
    instructions: &'static str,
    mode: &'static str,
    comment: String,
}

impl Line {
    fn is_open(&self) -> bool {
        self.shipped > TODAY
    }
}

struct Order {
    key: i64,
    customer: i64,
    day: i64,
    priority: &'static str,
    clerk: i64,
    comment: String,
    lines: Vec<Line>,
}

impl Tables {
    /// Rows of a table that has so many at scale 1.
    fn count(&self, at_one: i64) -> i64 {
        (at_one * self.scale_milli / 1_000).max(1)
    }

    fn order(&self, number: i64) -> Order {
        let random = &mut Random::of(self.seed, 6, number.unsigned_abs());
        let customers = self.count(150_000);
        // A third of the customers have no orders.
        let customer = loop {
            let customer = random.within(1, customers);
            if customer % 3 != 0 {
                break customer;
            }
        };
        let day = random.within(0, ORDER_DAY_MAX);
        let priority = random.of_list(&PRIORITIES);
        let clerk = random.within(1, self.count(1_000));
        let comment = random.text(19, 78);
        let count = random.within(1, 7);
        let lines = (0..count).map(|_| self.line(random, day)).collect();
        // Eight keys of each 32 are used.
        let key = (number - 1) / 8 * 32 + (number - 1) % 8 + 1;
        Order { key, customer, day, priority, clerk, comment, lines }
    }

    fn line(&self, random: &mut Random, day: i64) -> Line {
        let part = random.within(1, self.count(200_000));
        let supplier = supplier_of(part, random.within(0, 3), self.count(10_000));
        let quantity = random.within(1, 50);
        let (discount, tax) = (random.within(0, 10), random.within(0, 8));
        let shipped = day + random.within(1, 121);
        let committed = day + random.within(30, 90);
        let received = shipped + random.within(1, 30);
        let returned = match received <= TODAY {
            true if random.within(0, 1) == 0 => 'R',
            true => 'A',
            false => 'N',
        };
        Line {
            part,
            supplier,
            quantity,
            price: quantity * retail_price(part),
            discount,
            tax,
            shipped,
            committed,
            received,
            returned,
            instructions: random.of_list(&INSTRUCTIONS),
            mode: random.of_list(&MODES),
            comment: random.text(10, 43),
        }
    }

    fn orders(&self, number: i64, out: &mut String) -> std::fmt::Result {
        let order = self.order(number);
        let open = order.lines.iter().filter(|line| line.is_open()).count();
        let status = match open {
            0 => 'F',
            _ if open == order.lines.len() => 'O',
            _ => 'P',
        };
        // In millionths of a dollar, rounded to cents as a sum.
        let line = |line: &Line| line.price * (100 + line.tax) * (100 - line.discount);
        let total = (order.lines.iter().map(line).sum::<i64>() + 5_000) / 10_000;
        let (key, customer, priority, clerk) = (order.key, order.customer, order.priority, order.clerk);
        let (total, day) = (money(total), date(order.day));
        writeln!(
            out,
            "{key}|{customer}|{status}|{total}|{day}|{priority}|Clerk#{clerk:09}|0|{}",
            order.comment
        )
    }

    fn lineitem(&self, number: i64, out: &mut String) -> std::fmt::Result {
        let order = self.order(number);
        for (at, line) in order.lines.iter().enumerate() {
            let status = if line.is_open() { 'O' } else { 'F' };
            let (key, number) = (order.key, at + 1);
            write!(out, "{key}|{}|{}|{number}|{}.00|", line.part, line.supplier, line.quantity)?;
            let (discount, tax) = (money(line.discount), money(line.tax));
            write!(out, "{}|{discount}|{tax}|{}|{status}|", money(line.price), line.returned)?;
            let (shipped, committed, received) =
                (date(line.shipped), date(line.committed), date(line.received));
            write!(out, "{shipped}|{committed}|{received}|{}|{}|", line.instructions, line.mode)?;
            writeln!(out, "{}", line.comment)?;
        }
        Ok(())
    }

    fn customer(&self, key: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 4, key.unsigned_abs());
        let (address, nation) = (random.text(10, 40), random.within(0, 24));
        let (phone, balance) = (random.phone(nation), money(random.within(-99_999, 999_999)));
        let (segment, comment) = (random.of_list(&SEGMENTS), random.text(29, 116));
        writeln!(out, "{key}|Customer#{key:09}|{address}|{nation}|{phone}|{balance}|{segment}|{comment}")
    }

    fn supplier(&self, key: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 3, key.unsigned_abs());
        let (address, nation) = (random.text(10, 40), random.within(0, 24));
        let (phone, balance) = (random.phone(nation), money(random.within(-99_999, 999_999)));
        writeln!(out, "{key}|Supplier#{key:09}|{address}|{nation}|{phone}|{balance}|{}", random.text(25, 100))
    }

    fn part(&self, key: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 5, key.unsigned_abs());
        let name = (0..5).map(|_| random.of_list(&COLOURS)).collect::<Vec<_>>().join(" ");
        let maker = random.within(1, 5);
        let brand = maker * 10 + random.within(1, 5);
        let kind = TYPES.map(|list| random.of_list(list)).join(" ");
        let size = random.within(1, 50);
        let container = CONTAINERS.map(|list| random.of_list(list)).join(" ");
        let (price, comment) = (money(retail_price(key)), random.text(5, 22));
        writeln!(
            out,
            "{key}|{name}|Manufacturer#{maker}|Brand#{brand}|{kind}|{size}|{container}|{price}|{comment}"
        )
    }

    fn partsupp(&self, part: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 7, part.unsigned_abs());
        for which in 0..4 {
            let supplier = supplier_of(part, which, self.count(10_000));
            let (available, cost) = (random.within(1, 9_999), money(random.within(100, 100_000)));
            writeln!(out, "{part}|{supplier}|{available}|{cost}|{}", random.text(49, 198))?;
        }
        Ok(())
    }

    fn nation(&self, number: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 2, number.unsigned_abs());
        let (name, region) = NATIONS[usize::try_from(number - 1).expect("from 1")];
        writeln!(out, "{}|{name}|{region}|{}", number - 1, random.text(31, 114))
    }

    fn region(&self, number: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 1, number.unsigned_abs());
        let name = REGIONS[usize::try_from(number - 1).expect("from 1")];
        writeln!(out, "{}|{name}|{}", number - 1, random.text(31, 115))
    }

    /// Key, group of a hundred, measure of a thousand, amount in cents, ratio, text.
    fn facts(&self, key: i64, out: &mut String) -> std::fmt::Result {
        let random = &mut Random::of(self.seed, 8, key.unsigned_abs());
        let (group, measure) = (random.within(0, 99), random.within(0, 999));
        let (amount, ratio) = (money(random.within(0, 1_000_000)), random.within(0, 1 << 20));
        // A dyadic fraction: sums of it are exact in any order, so that both servers answer alike.
        let ratio = ratio as f64 / 1_024.0;
        writeln!(out, "{key}|{group}|{measure}|{amount}|{ratio}|{}", random.text(10, 30))
    }
}

type WriteRow = fn(&Tables, i64, &mut String) -> std::fmt::Result;

/// How a table's n-th row, from 1, is written, and how many there are.
fn table(name: &str, tables: &Tables, rows: i64) -> Option<(WriteRow, i64)> {
    Some(match name {
        "region" => (Tables::region as WriteRow, 5),
        "nation" => (Tables::nation, 25),
        "supplier" => (Tables::supplier, tables.count(10_000)),
        "customer" => (Tables::customer, tables.count(150_000)),
        "part" => (Tables::part, tables.count(200_000)),
        "partsupp" => (Tables::partsupp, tables.count(200_000)),
        "orders" => (Tables::orders, tables.count(1_500_000)),
        "lineitem" => (Tables::lineitem, tables.count(1_500_000)),
        "facts" => (Tables::facts, rows),
        _ => return None,
    })
}

fn run() -> Result<(), String> {
    let usage = "tpch_rows TABLE SCALE [SEED], or tpch_rows facts ROWS [SEED]";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(name), Some(size)) = (arguments.first(), arguments.get(1)) else {
        return Err(usage.to_owned());
    };
    let size: f64 = size.parse().map_err(|_| format!("{size} is no number; {usage}"))?;
    // Four suppliers of a part are four only where there are four.
    if !(0.001..=1_000_000_000.0).contains(&size) {
        return Err(format!("{size} is not between 0.001 and a billion"));
    }
    let seed = match arguments.get(2) {
        Some(seed) => seed.parse().map_err(|_| format!("{seed} is no seed; {usage}"))?,
        None => 1,
    };
    let tables = Tables { seed, scale_milli: (size * 1_000.0).round() as i64 };
    let (write_row, count) = table(name, &tables, size as i64).ok_or(format!("no table {name}; {usage}"))?;
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut row = String::new();
    for number in 1..=count {
        row.clear();
        write_row(&tables, number, &mut row).expect("a string takes what is written");
        out.write_all(row.as_bytes()).map_err(|error| error.to_string())?;
    }
    out.flush().map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("tpch_rows: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_the_specification() {
        let tables = Tables { seed: 1, scale_milli: 10 };
        assert_eq!(
            (date(0), date(TODAY), date(ORDER_DAY_MAX)),
            ("1992-01-01".into(), "1995-06-17".into(), "1998-08-02".into())
        );
        let orders: Vec<Order> = (1..=15_000).map(|number| tables.order(number)).collect();
        assert_eq!(orders[8].key, 33, "eight keys of 32");
        assert!(orders.iter().all(|order| order.customer % 3 != 0 && (1..=7).contains(&order.lines.len())));
        let lines: Vec<&Line> = orders.iter().flat_map(|order| &order.lines).collect();
        // Four lines an order, within half a percent.
        assert!((59_700..60_300).contains(&lines.len()), "{}", lines.len());
        let open = lines.iter().filter(|line| line.is_open()).count() as f64 / lines.len() as f64;
        assert!((0.49..0.53).contains(&open), "half of the lines are open: {open}");
        assert!(lines.iter().all(|line| line.price == line.quantity * retail_price(line.part)));
        // The four suppliers of a part are four, and a line's is one of them.
        for line in &lines {
            let of_part = [0, 1, 2, 3].map(|which| supplier_of(line.part, which, 100));
            assert!(of_part.contains(&line.supplier));
            assert_eq!(of_part.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        }
    }

    #[test]
    fn a_seed_says_all() {
        let rows = |seed| {
            let (tables, mut out) = (Tables { seed, scale_milli: 1 }, String::new());
            (1..=100).for_each(|number| tables.lineitem(number, &mut out).unwrap());
            out
        };
        assert_eq!(rows(1), rows(1));
        assert_ne!(rows(1), rows(2));
    }
}
