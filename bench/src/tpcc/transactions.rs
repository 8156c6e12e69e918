//! The five transactions of clause 2: what a terminal draws, and what it then asks.
//!
//! Each function runs one transaction once, from BEGIN to COMMIT or the ROLLBACK that the specification wants. Whoever calls
//! rolls back what fails. Statements whose parameters hang on no earlier answer are asked together.

use super::random::{DISTRICTS, Draw, ITEMS, last_name};
use super::session::{Answer, Failure, Session};
use super::statements::{self as sql, BEGIN, Statement, new_order_stock};

/// How a transaction ended, if well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// COMMIT.
    Committed,
    /// The ROLLBACK of a New-Order with an item that there is not.
    RolledBack,
    /// COMMIT of a Delivery: districts that had nothing to deliver.
    Delivered {
        /// Of ten.
        skipped: u32,
    },
}

/// What a terminal has drawn for a transaction; drawn once, however often it is tried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// 2.4.1.
    NewOrder(NewOrder),
    /// 2.5.1.
    Payment(Payment),
    /// 2.6.1.
    OrderStatus {
        /// Whose order.
        customer: Customer,
    },
    /// 2.7.1.
    Delivery {
        /// The terminal's.
        warehouse: u32,
        /// Who carries.
        carrier: u32,
    },
    /// 2.8.1.
    StockLevel {
        /// The terminal's.
        warehouse: u32,
        /// The terminal's, too.
        district: u32,
        /// What is little.
        threshold: u32,
    },
}

/// A customer, by number or by last name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Customer {
    warehouse: u32,
    district: u32,
    by: By,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum By {
    Number(u32),
    LastName(String),
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOrder {
    warehouse: u32,
    district: u32,
    customer: u32,
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Line {
    item: u32,
    supplier: u32,
    quantity: u32,
}

/// A payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    warehouse: u32,
    district: u32,
    customer: Customer,
    cents: u32,
}

impl Customer {
    /// Of this district: in 60 % of the cases by last name.
    fn draw(draw: &mut Draw, warehouse: u32, district: u32) -> Customer {
        let by = match draw.percent(60) {
            true => By::LastName(last_name(draw.last_name_number())),
            false => By::Number(draw.customer()),
        };
        Customer { warehouse, district, by }
    }

    fn ask(&self, session: &mut Session, by_name: Statement, by_number: Statement) {
        let (warehouse, district) = (self.warehouse.to_string(), self.district.to_string());
        match &self.by {
            By::LastName(name) => session.ask(by_name.name, &[&warehouse, &district, name]),
            By::Number(number) => session.ask(by_number.name, &[&warehouse, &district, &number.to_string()]),
        }
    }

    /// Of several of a name the one in the middle, rounded up (2.5.2.2).
    fn chosen(answer: &Answer) -> usize {
        answer.rows.len().div_ceil(2).saturating_sub(1)
    }
}

/// A warehouse other than `own`, if there is one.
fn other_warehouse(draw: &mut Draw, own: u32, warehouses: u32) -> u32 {
    if warehouses == 1 {
        return own;
    }
    let drawn = draw.uniform(1, warehouses - 1);
    if drawn >= own { drawn + 1 } else { drawn }
}

impl NewOrder {
    /// 2.4.1: 1 % of the lines come from another warehouse, 1 % of the orders end with an item that there is not.
    pub fn draw(draw: &mut Draw, warehouse: u32, warehouses: u32) -> NewOrder {
        let (district, customer) = (draw.uniform(1, DISTRICTS), draw.customer());
        let count = draw.uniform(5, 15);
        let is_wrong = draw.percent(1);
        let line = |number| {
            let item = if is_wrong && number == count { ITEMS + 1 } else { draw.item() };
            let is_remote = draw.percent(1);
            let supplier = if is_remote { other_warehouse(draw, warehouse, warehouses) } else { warehouse };
            Line { item, supplier, quantity: draw.uniform(1, 10) }
        };
        NewOrder { warehouse, district, customer, lines: (1..=count).map(line).collect() }
    }

    async fn run(&self, session: &mut Session) -> Result<Ended, Failure> {
        let (warehouse, district) = (self.warehouse.to_string(), self.district.to_string());
        let (customer, count) = (self.customer.to_string(), self.lines.len().to_string());
        session.ask(BEGIN, &[]);
        session.ask(sql::NEW_ORDER_CUSTOMER.name, &[&warehouse, &district, &customer]);
        session.ask(sql::NEW_ORDER_DISTRICT.name, &[&warehouse, &district]);
        for line in &self.lines {
            session.ask(sql::NEW_ORDER_ITEM.name, &[&line.item.to_string()]);
        }
        let begun = session.answers().await?;
        let [_, of_customer, of_district, items @ ..] = begun.as_slice() else {
            return Err(Failure::Wrong("fewer answers than statements".to_owned()));
        };
        of_customer.value(0)?;
        let order = of_district.number(0)?.to_string();

        let is_local = self.lines.iter().all(|line| line.supplier == self.warehouse);
        let all_local = if is_local { "1" } else { "0" };
        session
            .ask(sql::NEW_ORDER_ORDER.name, &[&order, &district, &warehouse, &customer, &count, all_local]);
        session.ask(sql::NEW_ORDER_NEW.name, &[&order, &district, &warehouse]);
        // In one order for all, so that no two wait for each other.
        let mut by_stock: Vec<usize> =
            (0..self.lines.len()).filter(|at| !items[*at].rows.is_empty()).collect();
        by_stock.sort_by_key(|at| (self.lines[*at].supplier, self.lines[*at].item));
        let statement = new_order_stock(self.district);
        for at in &by_stock {
            let line = &self.lines[*at];
            let is_remote = if line.supplier == self.warehouse { "0" } else { "1" };
            let (supplier, item) = (line.supplier.to_string(), line.item.to_string());
            session.ask(&statement, &[&supplier, &item, &line.quantity.to_string(), is_remote]);
        }
        let stocked = session.answers().await?;

        for (at, stock) in by_stock.iter().zip(&stocked[2..]) {
            let line = &self.lines[*at];
            let amount = money(cents(items[*at].value(0)?)? * u64::from(line.quantity));
            let (number, item) = ((at + 1).to_string(), line.item.to_string());
            let (supplier, quantity) = (line.supplier.to_string(), line.quantity.to_string());
            let of_district = stock.value(1)?;
            session.ask(
                sql::NEW_ORDER_LINE.name,
                &[&order, &district, &warehouse, &number, &item, &supplier, &quantity, &amount, of_district],
            );
        }
        if by_stock.len() < self.lines.len() {
            session.ask(sql::ROLLBACK.name, &[]);
            session.answers().await?;
            return Ok(Ended::RolledBack);
        }
        commit(session, by_stock.len()).await?;
        Ok(Ended::Committed)
    }
}

impl Payment {
    /// 2.5.1: 15 % of the customers are another warehouse's.
    pub fn draw(draw: &mut Draw, warehouse: u32, warehouses: u32) -> Payment {
        let district = draw.uniform(1, DISTRICTS);
        let (of_warehouse, of_district) = match warehouses > 1 && draw.percent(15) {
            true => (other_warehouse(draw, warehouse, warehouses), draw.uniform(1, DISTRICTS)),
            false => (warehouse, district),
        };
        let customer = Customer::draw(draw, of_warehouse, of_district);
        Payment { warehouse, district, customer, cents: draw.uniform(100, 500_000) }
    }

    /// What all payments of a warehouse change is changed last, and together with the commit: names and addresses, which nothing
    /// changes, are read before.
    async fn run(&self, session: &mut Session) -> Result<Ended, Failure> {
        let (warehouse, district) = (self.warehouse.to_string(), self.district.to_string());
        let amount = money(u64::from(self.cents));
        session.ask(BEGIN, &[]);
        session.ask(sql::PAYMENT_WAREHOUSE.name, &[&warehouse]);
        session.ask(sql::PAYMENT_DISTRICT.name, &[&warehouse, &district]);
        self.customer.ask(session, sql::PAYMENT_BY_NAME, sql::PAYMENT_BY_ID);
        let begun = session.answers().await?;
        let (of_warehouse, of_district, customers) = (&begun[1], &begun[2], &begun[3]);

        let chosen = Customer::chosen(customers);
        let number = customers.value_of(chosen, 0)?;
        let Customer { warehouse: c_warehouse, district: c_district, .. } = &self.customer;
        let (c_warehouse, c_district) = (c_warehouse.to_string(), c_district.to_string());
        if customers.value_of(chosen, 1)? == "BC" {
            let data = format!("{number} {c_district} {c_warehouse} {district} {warehouse} {amount}|");
            session.ask(sql::PAYMENT_BAD.name, &[&c_warehouse, &c_district, number, &amount, &data]);
        } else {
            session.ask(sql::PAYMENT_GOOD.name, &[&c_warehouse, &c_district, number, &amount]);
        }
        session.answers().await?[0].value(0)?;

        let data = format!("{}    {}", of_warehouse.value(0)?, of_district.value(0)?);
        session.ask(
            sql::PAYMENT_HISTORY.name,
            &[number, &c_district, &c_warehouse, &district, &warehouse, &amount, &data],
        );
        session.ask(sql::PAYMENT_DISTRICT_YTD.name, &[&warehouse, &district, &amount]);
        session.ask(sql::PAYMENT_WAREHOUSE_YTD.name, &[&warehouse, &amount]);
        commit(session, 3).await?;
        Ok(Ended::Committed)
    }
}

impl Input {
    /// Order-Status.
    pub fn order_status(draw: &mut Draw, warehouse: u32) -> Input {
        let district = draw.uniform(1, DISTRICTS);
        Input::OrderStatus { customer: Customer::draw(draw, warehouse, district) }
    }

    /// Delivery.
    pub fn delivery(draw: &mut Draw, warehouse: u32) -> Input {
        Input::Delivery { warehouse, carrier: draw.uniform(1, 10) }
    }

    /// Stock-Level.
    pub fn stock_level(draw: &mut Draw, warehouse: u32, district: u32) -> Input {
        Input::StockLevel { warehouse, district, threshold: draw.uniform(10, 20) }
    }

    /// Runs it once.
    pub async fn run(&self, session: &mut Session) -> Result<Ended, Failure> {
        match self {
            Input::NewOrder(order) => order.run(session).await,
            Input::Payment(payment) => payment.run(session).await,
            Input::OrderStatus { customer } => order_status(session, customer).await,
            Input::Delivery { warehouse, carrier } => delivery(session, *warehouse, *carrier).await,
            Input::StockLevel { warehouse, district, threshold } => {
                stock_level(session, *warehouse, *district, *threshold).await
            }
        }
    }
}

/// Asks COMMIT behind what was asked last, which brings nothing that could speak against it: `changes` statements that change a
/// row each. One that fails takes COMMIT along.
async fn commit(session: &mut Session, changes: usize) -> Result<(), Failure> {
    session.ask(sql::COMMIT.name, &[]);
    let answers = session.answers().await?;
    let changed = answers.iter().filter(|answer| answer.count == 1).count();
    match changed == changes {
        true => Ok(()),
        false => Err(Failure::Wrong(format!("{changed} of {changes} rows were changed"))),
    }
}

async fn order_status(session: &mut Session, customer: &Customer) -> Result<Ended, Failure> {
    let (warehouse, district) = (customer.warehouse.to_string(), customer.district.to_string());
    session.ask(sql::BEGIN_ORDER_STATUS.name, &[]);
    customer.ask(session, sql::STATUS_BY_NAME, sql::STATUS_BY_ID);
    let found = session.answers().await?;
    let number = found[1].value_of(Customer::chosen(&found[1]), 0)?;
    session.ask(sql::STATUS_ORDER.name, &[&warehouse, &district, number]);
    let orders = session.answers().await?;
    session.ask(sql::STATUS_LINES.name, &[&warehouse, &district, orders[0].value(0)?]);
    let lines = session.answers().await?;
    lines[0].value(0)?;
    commit(session, 0).await?;
    Ok(Ended::Committed)
}

/// All ten districts in one database transaction (2.7.2 leaves one to ten).
async fn delivery(session: &mut Session, warehouse: u32, carrier: u32) -> Result<Ended, Failure> {
    let (warehouse, carrier) = (warehouse.to_string(), carrier.to_string());
    session.ask(BEGIN, &[]);
    let taken = take_oldest(session, &warehouse).await?;
    for (district, order) in &taken {
        session.ask(sql::DELIVERY_ORDER.name, &[&warehouse, district, order, &carrier]);
        session.ask(sql::DELIVERY_LINES.name, &[&warehouse, district, order]);
    }
    let changed = session.answers().await?;
    for ((district, _), changed) in taken.iter().zip(changed.chunks(2)) {
        let customer = changed[0].value(0)?;
        let mut total = 0;
        for line in 0..changed[1].rows.len() {
            total += cents(changed[1].value_of(line, 0)?)?;
        }
        session.ask(sql::DELIVERY_CUSTOMER.name, &[&warehouse, district, customer, &money(total)]);
    }
    commit(session, taken.len()).await?;
    Ok(Ended::Delivered { skipped: DISTRICTS - taken.len() as u32 })
}

/// Takes the oldest order of each district out of NEW-ORDER: district and order. Where another Delivery was quicker with that
/// one, the next is looked for.
async fn take_oldest(session: &mut Session, warehouse: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut open: Vec<String> = (1..=DISTRICTS).map(|district| district.to_string()).collect();
    let (mut taken, mut is_first) = (Vec::new(), true);
    while !open.is_empty() {
        open.iter().for_each(|district| session.ask(sql::DELIVERY_OLDEST.name, &[warehouse, district]));
        let mut found = session.answers().await?;
        if std::mem::take(&mut is_first) {
            // BEGIN's.
            found.remove(0);
        }
        let mut wanted = Vec::new();
        for (district, oldest) in open.drain(..).zip(&found) {
            if !oldest.rows.is_empty() {
                wanted.push((district, oldest.value(0)?.to_owned()));
            }
        }
        for (district, order) in &wanted {
            session.ask(sql::DELIVERY_TAKE.name, &[warehouse, district, order]);
        }
        let counts = session.answers().await?;
        for (one, answer) in wanted.into_iter().zip(counts) {
            match answer.count {
                1 => taken.push(one),
                _ => open.push(one.0),
            }
        }
    }
    Ok(taken)
}

async fn stock_level(
    session: &mut Session,
    warehouse: u32,
    district: u32,
    threshold: u32,
) -> Result<Ended, Failure> {
    let (warehouse, district) = (warehouse.to_string(), district.to_string());
    session.ask(sql::BEGIN_STOCK_LEVEL.name, &[]);
    session.ask(sql::LEVEL_DISTRICT.name, &[&warehouse, &district]);
    let begun = session.answers().await?;
    let next = begun[1].value(0)?;
    session.ask(sql::LEVEL_COUNT.name, &[&warehouse, &district, next, &threshold.to_string()]);
    session.answers().await?[0].value(0)?;
    commit(session, 0).await?;
    Ok(Ended::Committed)
}

/// An amount with two decimals, in cents.
fn cents(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::Wrong(format!("\"{text}\" is not an amount"));
    let (whole, rest) = text.split_once('.').ok_or_else(wrong)?;
    let (whole, rest): (u64, u64) = (whole.parse().map_err(|_| wrong())?, rest.parse().map_err(|_| wrong())?);
    if rest > 99 { Err(wrong()) } else { Ok(whole * 100 + rest) }
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::super::random::Constants;
    use super::*;

    fn draw() -> Draw {
        Draw::new(1, 1, Constants::of_run(1))
    }

    #[test]
    fn amounts_are_cents() {
        for cents_ in [0, 1, 99, 100, 123_456] {
            assert_eq!(cents(&money(cents_)), Ok(cents_));
        }
        assert!(cents("1").is_err() && cents("1.234").is_err() && cents("-1.00").is_err());
    }

    #[test]
    fn of_customers_of_one_name_the_middle_one_is_chosen() {
        for (count, expected) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)] {
            let answer = Answer { rows: vec![vec![None]; count], count: 0 };
            assert_eq!(Customer::chosen(&answer), expected, "of {count}");
        }
    }

    #[test]
    fn orders_are_as_often_wrong_and_remote_as_they_should_be() {
        let mut draw = draw();
        let orders: Vec<_> = (0..50_000).map(|_| NewOrder::draw(&mut draw, 2, 4)).collect();
        let wrong = orders.iter().filter(|order| order.lines.iter().any(|line| line.item > ITEMS)).count();
        assert!((400..600).contains(&wrong), "{wrong} of 50,000 with an item that there is not");
        let lines: Vec<&Line> = orders.iter().flat_map(|order| &order.lines).collect();
        assert!((490_000..510_000).contains(&lines.len()), "ten lines each: {}", lines.len());
        let remote = lines.iter().filter(|line| line.supplier != 2).count();
        assert!((4_600..5_400).contains(&remote), "{remote} remote lines of about 500,000");
        let is_last = |order: &NewOrder| order.lines.iter().rposition(|line| line.item > ITEMS);
        assert!(
            orders.iter().filter_map(|order| Some(is_last(order)? + 1 == order.lines.len())).all(|last| last)
        );
    }

    #[test]
    fn payments_are_as_often_remote_and_by_name_as_they_should_be() {
        let mut draw = draw();
        let payments: Vec<_> = (0..50_000).map(|_| Payment::draw(&mut draw, 2, 4)).collect();
        let count = |is: &dyn Fn(&Payment) -> bool| payments.iter().filter(|payment| is(payment)).count();
        let remote = count(&|payment| payment.customer.warehouse != 2);
        assert!((7_100..7_900).contains(&remote), "{remote} remote of 50,000");
        let by_name = count(&|payment| matches!(payment.customer.by, By::LastName(_)));
        assert!((29_400..30_600).contains(&by_name), "{by_name} by name of 50,000");
        assert!(payments.iter().all(|payment| (100..=500_000).contains(&payment.cents)));
        assert_eq!(Payment::draw(&mut draw, 1, 1).customer.warehouse, 1, "one warehouse has no other");
    }
}
