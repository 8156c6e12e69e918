//! A terminal: the deck of its transactions, tries again, keying and think times, and what came of it.

use super::options::Options;
use super::random::{Constants, Draw};
use super::session::{Failure, Session};
use super::statements as sql;
use super::transactions::{Ended, Input, NewOrder, Payment};
use crate::report::latency::Latency;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The five, in the order of the specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 2.4.
    NewOrder,
    /// 2.5.
    Payment,
    /// 2.6.
    OrderStatus,
    /// 2.7.
    Delivery,
    /// 2.8.
    StockLevel,
}

/// With their names, cards of a hundred (5.2.3), keying time and mean think time in seconds (5.2.5.7).
pub const KINDS: [(Kind, &str, usize, u64, u64); 5] = [
    (Kind::NewOrder, "New-Order", 45, 18, 12),
    (Kind::Payment, "Payment", 43, 3, 12),
    (Kind::OrderStatus, "Order-Status", 4, 2, 10),
    (Kind::Delivery, "Delivery", 4, 2, 5),
    (Kind::StockLevel, "Stock-Level", 4, 2, 5),
];

/// A transaction that was tried so often is given up; with row locks in one order for all, two tries are rare.
const TRIES_MAX: u32 = 100;
/// The server asks for another try with these.
const RETRIED: [&str; 2] = ["40001", "40P01"];

/// What came of the transactions of one kind.
#[derive(Clone, Debug, Default)]
pub struct Of {
    /// Response times of those that were begun in the measured time, tries included.
    pub latency: Latency,
    /// Ended well within it, the wanted rollbacks included.
    pub count: u64,
    /// The wanted rollbacks of New-Order.
    pub rolled_back: u64,
    /// Districts that a Delivery found nothing in.
    pub skipped: u64,
}

/// What came of one terminal, or of several.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In the order of [`KINDS`].
    pub of: [Of; 5],
    /// Tries again, by SQLSTATE, the ramp included.
    pub retries: BTreeMap<String, u64>,
    /// Transactions that failed, by what was said, the ramp included.
    pub errors: BTreeMap<String, u64>,
}

impl Outcome {
    /// Takes in another's.
    pub fn add(&mut self, other: Outcome) {
        for (own, other) in self.of.iter_mut().zip(other.of) {
            own.latency.add(&other.latency);
            own.count += other.count;
            own.rolled_back += other.rolled_back;
            own.skipped += other.skipped;
        }
        for (own, other) in [(&mut self.retries, other.retries), (&mut self.errors, other.errors)] {
            other.into_iter().for_each(|(what, count)| *own.entry(what).or_default() += count);
        }
    }
}

/// When it is measured.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The ramp is over.
    pub begin: Instant,
    /// Nothing is begun any more.
    pub end: Instant,
}

impl Times {
    fn has(&self, at: Instant) -> bool {
        (self.begin..self.end).contains(&at)
    }
}

/// One terminal.
pub struct Terminal<'a> {
    options: &'a Options,
    warehouse: u32,
    district: u32,
    draw: Draw,
    /// Cards that are left.
    deck: Vec<usize>,
    outcome: Outcome,
}

impl<'a> Terminal<'a> {
    /// Number `number`, from 0: warehouses have terminals in turn, and a warehouse's terminals its districts.
    pub fn new(options: &'a Options, number: u32) -> Terminal<'a> {
        let draw = Draw::new(options.seed, u64::from(number) + 1, Constants::of_run(options.seed));
        let (warehouses, district) = (options.warehouses, number / options.warehouses % 10 + 1);
        let warehouse = number % warehouses + 1;
        Terminal { options, warehouse, district, draw, deck: Vec::new(), outcome: Outcome::default() }
    }

    /// Runs transactions until the time is over, or the connection.
    pub async fn run(mut self, mut session: Session, times: Times) -> Outcome {
        while Instant::now() < times.end {
            let kind = self.next_kind();
            let (_, _, _, keying_s, thinking_s) = KINDS[kind];
            if self.pause(Duration::from_secs(keying_s), times).await {
                break;
            }
            let input = self.input(KINDS[kind].0);
            let begun = Instant::now();
            match self.try_until_through(&input, &mut session).await {
                Ok(ended) => self.count(kind, ended, begun, times),
                Err(failure) => {
                    *self.outcome.errors.entry(format!("{}: {failure}", KINDS[kind].1)).or_default() += 1;
                    if matches!(failure, Failure::Lost(_)) {
                        break;
                    }
                }
            }
            let thinking_s = self.think_s(thinking_s);
            if self.pause(Duration::from_secs_f64(thinking_s), times).await {
                break;
            }
        }
        self.outcome
    }

    /// Of a deck of a hundred cards, drawn to its end and shuffled anew.
    fn next_kind(&mut self) -> usize {
        if self.deck.is_empty() {
            let cards = KINDS.iter().enumerate().flat_map(|(kind, (_, _, cards, ..))| vec![kind; *cards]);
            self.deck = cards.collect();
            self.draw.shuffle(&mut self.deck);
        }
        self.deck.pop().expect("it was filled")
    }

    fn input(&mut self, kind: Kind) -> Input {
        let (draw, warehouse, warehouses) = (&mut self.draw, self.warehouse, self.options.warehouses);
        match kind {
            Kind::NewOrder => Input::NewOrder(NewOrder::draw(draw, warehouse, warehouses)),
            Kind::Payment => Input::Payment(Payment::draw(draw, warehouse, warehouses)),
            Kind::OrderStatus => Input::order_status(draw, warehouse),
            Kind::Delivery => Input::delivery(draw, warehouse),
            Kind::StockLevel => Input::stock_level(draw, warehouse, self.district),
        }
    }

    async fn try_until_through(&mut self, input: &Input, session: &mut Session) -> Result<Ended, Failure> {
        for _ in 1..TRIES_MAX {
            let failure = match input.run(session).await {
                Ok(ended) => return Ok(ended),
                Err(failure) => failure,
            };
            if session.is_in_block() && !matches!(failure, Failure::Lost(_)) {
                session.ask(sql::ROLLBACK.name, &[]);
                session.answers().await?;
            }
            match failure {
                Failure::Refused(refusal) if RETRIED.contains(&refusal.code.as_str()) => {
                    *self.outcome.retries.entry(refusal.code).or_default() += 1;
                }
                failure => return Err(failure),
            }
        }
        input.run(session).await
    }

    fn count(&mut self, kind: usize, ended: Ended, begun: Instant, times: Times) {
        let now = Instant::now();
        let of = &mut self.outcome.of[kind];
        if times.has(begun) {
            of.latency.record(now - begun);
        }
        if !times.has(now) {
            return;
        }
        of.count += 1;
        match ended {
            Ended::Committed => {}
            Ended::RolledBack => of.rolled_back += 1,
            Ended::Delivered { skipped } => of.skipped += u64::from(skipped),
        }
    }

    /// Negative exponential, at most ten times its mean (5.2.5.4).
    fn think_s(&mut self, mean_s: u64) -> f64 {
        let drawn = -(1.0 - self.draw.fraction()).ln();
        drawn.min(10.0) * mean_s as f64
    }

    /// Keying or thinking, if the options have it. Whether the time is over.
    async fn pause(&self, pause: Duration, times: Times) -> bool {
        if self.options.think {
            let until = (Instant::now() + pause).min(times.end);
            tokio::time::sleep_until(until.into()).await;
        }
        Instant::now() >= times.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Command, FromArgMatches};

    fn options() -> Options {
        let command = Options::augment_args(Command::new("tpcc"));
        let matches = command.get_matches_from(["tpcc", "run", "--warehouses", "4"]);
        Options::from_arg_matches(&matches).expect("valid")
    }

    #[test]
    fn a_deck_has_the_mix_of_the_specification() {
        let options = options();
        let mut terminal = Terminal::new(&options, 5);
        assert_eq!((terminal.warehouse, terminal.district), (2, 2));
        for round in 0..3 {
            let mut counts = [0; 5];
            (0..100).for_each(|_| counts[terminal.next_kind()] += 1);
            assert_eq!(counts, [45, 43, 4, 4, 4], "round {round}");
        }
    }

    #[test]
    fn think_times_have_their_mean_and_their_bound() {
        let options = options();
        let mut terminal = Terminal::new(&options, 0);
        let drawn: Vec<f64> = (0..100_000).map(|_| terminal.think_s(12)).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((11.8..12.2).contains(&mean), "{mean}");
        assert!(drawn.iter().all(|think| (0.0..=120.0).contains(think)));
    }
}
