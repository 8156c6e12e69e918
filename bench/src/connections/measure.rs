//! The closed loop of active connections.

use super::load::{self, Draw};
use super::options::Options;
use super::report::Transactions;
use super::sockets::{Sockets, What};
use crate::cpu::{CpuTime, Usage};
use crate::load::pattern::Random;
use std::time::Instant;

/// All active connections, and what they have done.
pub struct Measurement<'a> {
    options: &'a Options,
    random: Random,
    /// By number of their sockets; `None`: not one of them, or it is over.
    clients: Vec<Option<Client>>,
    open: usize,
    begin: Instant,
    end: Instant,
    transactions: Transactions,
    cpu_before: (CpuTime, Option<CpuTime>),
}

struct Client {
    draw: Draw,
    at: At,
    begun: Instant,
    /// Transactions within the measured time.
    done: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// This statement was asked.
    Step(usize),
    /// ROLLBACK was.
    Leaving,
}

impl<'a> Measurement<'a> {
    /// Asks the first statement of each.
    pub fn start(options: &'a Options, active: &[usize], sockets: &mut Sockets) -> Measurement<'a> {
        let begin = Instant::now() + options.ramp;
        let mut measurement = Measurement {
            options,
            random: Random::new(options.seed, 0),
            clients: Vec::new(),
            open: active.len(),
            begin,
            end: begin + options.runtime,
            transactions: Transactions { each: (u64::MAX, 0), ..Transactions::default() },
            cpu_before: cpu(options),
        };
        measurement.clients.resize_with(active.iter().max().map_or(0, |last| last + 1), || None);
        for socket in active {
            measurement.begin_transaction(*socket, 0, sockets);
        }
        measurement
    }

    /// Whether the time is over and nothing is under way any more.
    pub fn is_over(&self) -> bool {
        self.open == 0
    }

    /// What was measured.
    pub fn finish(mut self) -> Transactions {
        let (before, now) = (self.cpu_before, cpu(self.options));
        let server = before.1.zip(now.1).map(|(before, now)| now.since(before));
        self.transactions.cpu = (now.0.since(before.0), server);
        self.transactions
    }

    /// Takes what has come and asks what comes next. An error is for the report.
    pub fn take(&mut self, socket: usize, what: What, sockets: &mut Sockets) -> Result<(), String> {
        let Some(client) = self.clients.get_mut(socket).and_then(Option::as_mut) else {
            return Ok(());
        };
        let (status, rows, refusal) = match what {
            What::Ready { status, rows, refusal } => (status, rows, refusal),
            What::Gone(said) => {
                self.end_client(socket);
                return Err(said);
            }
        };
        let At::Step(step) = client.at else {
            let done = client.done;
            self.begin_transaction(socket, done, sockets);
            return Ok(());
        };
        let failed = match refusal {
            Some(refusal) => Err(refusal.to_string()),
            None if self.options.load.is_read(step) && rows != 1 => {
                Err(format!("a read of one row brought {rows}"))
            }
            None => Ok(()),
        };
        if failed.is_err() && status != b'I' {
            client.at = At::Leaving;
            let mut question = Vec::new();
            load::rollback(&mut question);
            sockets.send(socket, &question);
        } else if failed.is_ok() && step + 1 < self.options.load.steps() {
            client.at = At::Step(step + 1);
            self.ask(socket, sockets);
        } else {
            let done = client.done + u64::from(failed.is_ok() && self.count(socket));
            self.begin_transaction(socket, done, sockets);
        }
        failed
    }

    /// Writes down a transaction that has ended well. Whether it ended within the measured time.
    fn count(&mut self, socket: usize) -> bool {
        let client = self.clients[socket].as_ref().expect("its transaction has just ended");
        let now = Instant::now();
        if (self.begin..self.end).contains(&client.begun) {
            self.transactions.latency.record(now - client.begun);
        }
        self.transactions.count_with_ramp += 1;
        let is_within = (self.begin..self.end).contains(&now);
        self.transactions.count += u64::from(is_within);
        is_within
    }

    /// None is begun after the measured time.
    fn begin_transaction(&mut self, socket: usize, done: u64, sockets: &mut Sockets) {
        let begun = Instant::now();
        let draw = Draw::new(&mut self.random, self.options.scale);
        self.clients[socket] = Some(Client { draw, at: At::Step(0), begun, done });
        if begun >= self.end {
            self.end_client(socket);
        } else {
            self.ask(socket, sockets);
        }
    }

    fn end_client(&mut self, socket: usize) {
        if let Some(client) = self.clients[socket].take() {
            let (least, most) = self.transactions.each;
            self.transactions.each = (least.min(client.done), most.max(client.done));
            self.open -= 1;
        }
    }

    fn ask(&self, socket: usize, sockets: &mut Sockets) {
        if let Some(Client { draw, at: At::Step(step), .. }) = &self.clients[socket] {
            let mut question = Vec::new();
            draw.ask(self.options.load, *step, &mut question);
            sockets.send(socket, &question);
        }
    }
}

/// What this process and the server have used so far.
fn cpu(options: &Options) -> (CpuTime, Option<CpuTime>) {
    (Usage::own().cpu, options.server_pid.and_then(CpuTime::of))
}
