//! The rows of the initial population (4.3.3.1), as text for COPY.
//!
//! Each part of a table has a stream of random values of its own, so that the rows are the same however many connections load
//! them; all but the time of the load follows from the seed.

use super::random::{CUSTOMERS, Constants, DISTRICTS, Draw, ITEMS, last_name};
use std::fmt::Write;

/// Orders that are there, and the first of them that is not delivered.
const ORDERS: u32 = 3_000;
const FIRST_NEW: u32 = 2_101;

/// A part of the population that one COPY brings.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// All of ITEM.
    Items,
    /// A row of WAREHOUSE.
    Warehouse(u32),
    /// Its ten of DISTRICT.
    Districts(u32),
    /// Its STOCK.
    Stock(u32),
    /// CUSTOMER of a warehouse and district.
    Customers(u32, u32),
    /// HISTORY.
    History(u32, u32),
    /// ORDER.
    Orders(u32, u32),
    /// ORDER-LINE.
    OrderLines(u32, u32),
    /// NEW-ORDER.
    NewOrders(u32, u32),
}

impl Part {
    /// All parts for so many warehouses, large ones first among those of a warehouse.
    pub fn all(warehouses: u32) -> Vec<Part> {
        let mut parts = vec![Part::Items];
        for warehouse in 1..=warehouses {
            parts.extend([Part::Stock(warehouse), Part::Warehouse(warehouse), Part::Districts(warehouse)]);
            for make in [Part::Customers, Part::OrderLines, Part::Orders, Part::History, Part::NewOrders] {
                parts.extend((1..=DISTRICTS).map(|district| make(warehouse, district)));
            }
        }
        parts
    }

    /// The table, with the columns of a row in their order.
    pub fn target(self) -> &'static str {
        match self {
            Part::Items => "item",
            Part::Warehouse(_) => "warehouse",
            Part::Districts(_) => "district",
            Part::Stock(_) => "stock",
            Part::Customers(..) => "customer",
            Part::History(..) => "history",
            Part::Orders(..) => "orders",
            Part::OrderLines(..) => "order_line",
            Part::NewOrders(..) => "new_order",
        }
    }

    /// Its stream of random values. ORDER and ORDER-LINE of a district share one: they speak of the same orders.
    fn stream(self) -> u64 {
        let of = |table: u64, warehouse: u32, district: u32| {
            1 + (u64::from(warehouse) * 16 + u64::from(district)) * 16 + table
        };
        match self {
            Part::Items => of(0, 0, 0),
            Part::Warehouse(warehouse) => of(1, warehouse, 0),
            Part::Districts(warehouse) => of(2, warehouse, 0),
            Part::Stock(warehouse) => of(3, warehouse, 0),
            Part::Customers(warehouse, district) => of(4, warehouse, district),
            Part::History(warehouse, district) => of(5, warehouse, district),
            Part::Orders(warehouse, district)
            | Part::OrderLines(warehouse, district)
            | Part::NewOrders(warehouse, district) => of(6, warehouse, district),
        }
    }

    /// Hands its rows on, some at a time. `now` is the time of the load.
    pub fn rows<E>(self, seed: u64, now: &str, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let mut draw = Draw::new(seed, self.stream(), Constants::of_load(seed));
        let mut rows = String::new();
        // Enough for a message of COPY data; not so much that memory would matter.
        const ROWS_BYTES: usize = 64 << 10;
        let mut flush = |rows: &mut String, least: usize| {
            if rows.len() >= least && !rows.is_empty() {
                each(rows)?;
                rows.clear();
            }
            Ok(())
        };
        match self {
            Part::Items => {
                for item in 1..=ITEMS {
                    item_row(&mut draw, &mut rows, item);
                    flush(&mut rows, ROWS_BYTES)?;
                }
            }
            Part::Warehouse(warehouse) => warehouse_row(&mut draw, &mut rows, warehouse),
            Part::Districts(warehouse) => {
                (1..=DISTRICTS).for_each(|district| district_row(&mut draw, &mut rows, warehouse, district));
            }
            Part::Stock(warehouse) => {
                for item in 1..=ITEMS {
                    stock_row(&mut draw, &mut rows, warehouse, item);
                    flush(&mut rows, ROWS_BYTES)?;
                }
            }
            Part::Customers(warehouse, district) => {
                for customer in 1..=CUSTOMERS {
                    customer_row(&mut draw, &mut rows, (warehouse, district, customer), now);
                    flush(&mut rows, ROWS_BYTES)?;
                }
            }
            Part::History(warehouse, district) => {
                for customer in 1..=CUSTOMERS {
                    history_row(&mut draw, &mut rows, (warehouse, district, customer), now);
                    flush(&mut rows, ROWS_BYTES)?;
                }
            }
            Part::Orders(warehouse, district)
            | Part::OrderLines(warehouse, district)
            | Part::NewOrders(warehouse, district) => {
                for order in Order::all(&mut draw) {
                    match self {
                        Part::Orders(..) => order.row(&mut rows, (warehouse, district), now),
                        Part::OrderLines(..) => order.lines(&mut draw, &mut rows, (warehouse, district), now),
                        _ => order.new_order(&mut rows, (warehouse, district)),
                    }
                    flush(&mut rows, ROWS_BYTES)?;
                }
            }
        }
        flush(&mut rows, 0)
    }
}

/// What nobody can fail at: a String takes all.
const TAKES_ALL: &str = "a string takes all";

fn item_row(draw: &mut Draw, out: &mut String, item: u32) {
    write!(out, "{item}\t{}\t", draw.uniform(1, 10_000)).expect(TAKES_ALL);
    draw.letters(out, 14, 24);
    write!(out, "\t{}\t", cents(draw.uniform(100, 10_000))).expect(TAKES_ALL);
    draw.data(out);
    out.push('\n');
}

fn warehouse_row(draw: &mut Draw, out: &mut String, warehouse: u32) {
    write!(out, "{warehouse}\t").expect(TAKES_ALL);
    draw.letters(out, 6, 10);
    address(draw, out);
    writeln!(out, "\t{}\t300000.00", ten_thousandths(draw.uniform(0, 2_000))).expect(TAKES_ALL);
}

fn district_row(draw: &mut Draw, out: &mut String, warehouse: u32, district: u32) {
    write!(out, "{district}\t{warehouse}\t").expect(TAKES_ALL);
    draw.letters(out, 6, 10);
    address(draw, out);
    let tax = ten_thousandths(draw.uniform(0, 2_000));
    writeln!(out, "\t{tax}\t30000.00\t{}", ORDERS + 1).expect(TAKES_ALL);
}

/// Two streets, city, state, zip code.
fn address(draw: &mut Draw, out: &mut String) {
    for (least, most) in [(10, 20), (10, 20), (10, 20), (2, 2)] {
        out.push('\t');
        draw.letters(out, least, most);
    }
    out.push('\t');
    draw.digits(out, 4);
    out.push_str("11111");
}

fn stock_row(draw: &mut Draw, out: &mut String, warehouse: u32, item: u32) {
    write!(out, "{item}\t{warehouse}\t{}", draw.uniform(10, 100)).expect(TAKES_ALL);
    for _ in 0..DISTRICTS {
        out.push('\t');
        draw.letters(out, 24, 24);
    }
    out.push_str("\t0\t0\t0\t");
    draw.data(out);
    out.push('\n');
}

fn customer_row(draw: &mut Draw, out: &mut String, key: (u32, u32, u32), now: &str) {
    let (warehouse, district, customer) = key;
    write!(out, "{customer}\t{district}\t{warehouse}\t").expect(TAKES_ALL);
    draw.letters(out, 8, 16);
    // Every name is there; beyond that they are as terminals ask for them.
    let name = if customer <= 1_000 { customer - 1 } else { draw.last_name_number() };
    write!(out, "\tOE\t{}", last_name(name)).expect(TAKES_ALL);
    address(draw, out);
    out.push('\t');
    draw.digits(out, 16);
    let credit = if draw.percent(10) { "BC" } else { "GC" };
    let discount = ten_thousandths(draw.uniform(0, 5_000));
    write!(out, "\t{now}\t{credit}\t50000.00\t{discount}\t-10.00\t10.00\t1\t0\t").expect(TAKES_ALL);
    draw.letters(out, 300, 500);
    out.push('\n');
}

fn history_row(draw: &mut Draw, out: &mut String, key: (u32, u32, u32), now: &str) {
    let (warehouse, district, customer) = key;
    write!(out, "{customer}\t{district}\t{warehouse}\t{district}\t{warehouse}\t{now}\t10.00\t")
        .expect(TAKES_ALL);
    draw.letters(out, 12, 24);
    out.push('\n');
}

/// What ORDER, ORDER-LINE and NEW-ORDER of one order have in common.
struct Order {
    id: u32,
    customer: u32,
    carrier: u32,
    lines: u32,
}

impl Order {
    /// Those of a district: each customer has one.
    fn all(draw: &mut Draw) -> Vec<Order> {
        let customers = draw.permutation(CUSTOMERS);
        let order = |(id, customer)| {
            let (carrier, lines) = (draw.uniform(1, 10), draw.uniform(5, 15));
            Order { id, customer, carrier, lines }
        };
        (1..).zip(customers).map(order).collect()
    }

    fn is_delivered(&self) -> bool {
        self.id < FIRST_NEW
    }

    fn row(&self, out: &mut String, (warehouse, district): (u32, u32), now: &str) {
        let Order { id, customer, carrier, lines } = self;
        write!(out, "{id}\t{district}\t{warehouse}\t{customer}\t{now}\t").expect(TAKES_ALL);
        match self.is_delivered() {
            true => write!(out, "{carrier}").expect(TAKES_ALL),
            false => out.push_str("\\N"),
        }
        writeln!(out, "\t{lines}\t1").expect(TAKES_ALL);
    }

    fn lines(&self, draw: &mut Draw, out: &mut String, (warehouse, district): (u32, u32), now: &str) {
        for number in 1..=self.lines {
            let (id, item) = (self.id, draw.uniform(1, ITEMS));
            let (delivered, amount) = match self.is_delivered() {
                true => (now, 0),
                false => ("\\N", draw.uniform(1, 999_999)),
            };
            let amount = cents(amount);
            write!(
                out,
                "{id}\t{district}\t{warehouse}\t{number}\t{item}\t{warehouse}\t{delivered}\t5\t{amount}\t"
            )
            .expect(TAKES_ALL);
            draw.letters(out, 24, 24);
            out.push('\n');
        }
    }

    fn new_order(&self, out: &mut String, (warehouse, district): (u32, u32)) {
        if !self.is_delivered() {
            writeln!(out, "{}\t{district}\t{warehouse}", self.id).expect(TAKES_ALL);
        }
    }
}

fn cents(value: u32) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

fn ten_thousandths(value: u32) -> String {
    format!("0.{value:04}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn rows(part: Part, seed: u64) -> Vec<Vec<String>> {
        let mut text = String::new();
        let Ok(()) = part.rows::<Infallible>(seed, "now", |rows| {
            text.push_str(rows);
            Ok(())
        });
        let columns = |line: &str| line.split('\t').map(str::to_owned).collect();
        text.lines().map(columns).collect()
    }

    #[test]
    fn a_seed_says_which_rows() {
        let part = Part::Customers(2, 3);
        assert_eq!(rows(part, 1), rows(part, 1));
        assert_ne!(rows(part, 1), rows(part, 2));
        assert_ne!(rows(part, 1)[0][3], rows(Part::Customers(2, 4), 1)[0][3]);
    }

    #[test]
    fn the_population_is_the_specifications() {
        let customers = rows(Part::Customers(1, 1), 1);
        assert_eq!(customers.len(), 3_000);
        assert!(customers.iter().all(|row| row.len() == 21 && (300..=500).contains(&row[20].len())));
        assert_eq!(customers[371][5], "PRICALLYOUGHT");
        let bad = customers.iter().filter(|row| row[13] == "BC").count();
        assert!((240..360).contains(&bad), "{bad} with bad credit of 3,000");

        let orders = rows(Part::Orders(1, 1), 1);
        assert_eq!(orders.len(), 3_000);
        let open = orders.iter().filter(|row| row[5] == "\\N").count();
        assert_eq!((open, rows(Part::NewOrders(1, 1), 1).len()), (900, 900));
        let mut buyers: Vec<u32> = orders.iter().map(|row| row[3].parse().expect("a number")).collect();
        buyers.sort_unstable();
        assert!(buyers.into_iter().eq(1..=3_000), "each customer has one order");

        let lines = rows(Part::OrderLines(1, 1), 1);
        let counted: usize = orders.iter().map(|row| row[6].parse::<usize>().expect("a number")).sum();
        assert_eq!(lines.len(), counted, "ORDER says how many lines there are");
        for row in &lines {
            let is_delivered = row[0].parse::<u32>().expect("a number") < 2_101;
            assert_eq!((row[6] == "now", row[8] == "0.00"), (is_delivered, is_delivered), "{row:?}");
        }
        assert_eq!(rows(Part::Stock(1), 1)[0].len(), 17);
        assert_eq!(rows(Part::Items, 1).len(), 100_000);
        assert_eq!(rows(Part::Districts(1), 1).len(), 10);
        assert_eq!(rows(Part::Warehouse(1), 1)[0].len(), 9);
    }

    #[test]
    fn every_part_is_there_once() {
        let parts = Part::all(2);
        let mut unique = parts.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!((parts.len(), unique.len()), (107, 107));
    }
}
