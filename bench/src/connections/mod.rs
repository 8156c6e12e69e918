//! `hexalog-bench connections`: what a server does with thousands of sessions.
//!
//! One thread, a socket for each session ([`sockets`]), prepared statements one at a time ([`load`]): some connections ask all
//! the time ([`measure`]), the others are there. Any PostgreSQL server that lets the user in without a password; the tables are pgbench's.

mod load;
mod measure;
mod memory;
pub mod options;
mod report;
mod sockets;

use crate::report::Form;
use crate::report::latency::Latency;
use crate::wire;
use measure::Measurement;
use options::Options;
use report::{Connected, Report};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sockets::{Arrival, Sockets, What};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Descriptors besides those of connections.
const DESCRIPTORS_BESIDES: u64 = 32;
/// Sessions before memory is looked at first: they fill pools and pages that all share.
const WARM: usize = 64;
/// From the last change to a look at memory: what the server frees late is freed by then.
const SETTLING: Duration = Duration::from_secs(2);
/// An answer that has not come within this time will not come.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// Connects, measures, and reports. Whether all went well.
pub fn run(options: &Options) -> Result<bool, String> {
    options.check()?;
    allow_descriptors((options.active + options.idle + WARM) as u64 + DESCRIPTORS_BESIDES)?;
    let mut driver = Driver { options, sockets: Sockets::new()?, report: Report::default() };
    driver.run()?;
    let report = driver.report;
    match options.output_format {
        Form::Normal => print!("{}", report.text(options)),
        Form::Json => println!("{}", report.json(options)),
    }
    Ok(report.errors.is_empty())
}

/// Raises the limit of descriptors as far as this process may.
fn allow_descriptors(wanted: u64) -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .map_err(|error| format!("cannot raise the limit of files: {error}"))?;
    match limit.maximum {
        Some(maximum) if maximum < wanted => Err(format!(
            "{wanted} descriptors are needed and {maximum} are allowed: raise the hard limit (ulimit -Hn), or ask for fewer connections"
        )),
        _ => Ok(()),
    }
}

struct Driver<'a> {
    options: &'a Options,
    sockets: Sockets,
    report: Report,
}

impl Driver<'_> {
    fn run(&mut self) -> Result<(), String> {
        if self.options.server_pid.is_some() {
            let warm = self.connect(WARM)?.0;
            self.ask_each(&warm, load::once)?;
            self.look_at_memory("before")?;
        }
        let (idle, connected) = self.connect(self.options.idle)?;
        self.report.idle = connected;
        self.look_at_memory("connected")?;
        if self.options.idle_prepared {
            self.ask_each(&idle, load::once)?;
            self.look_at_memory("with a prepared statement")?;
        }
        let (active, connected) = self.connect(self.options.active)?;
        self.report.active = connected;
        if !active.is_empty() && !self.options.runtime.is_zero() {
            let load = self.options.load;
            self.ask_each(&active, |out| load.prepare(out))?;
            self.measure(&active)?;
        }
        active.into_iter().chain(idle).for_each(|socket| self.sockets.close(socket));
        Ok(())
    }

    /// Makes so many sessions, and says which came to be.
    fn connect(&mut self, count: usize) -> Result<(Vec<usize>, Connected), String> {
        let options = self.options;
        let mut first = Vec::new();
        wire::startup(&mut first, &options.server.user, &options.server.dbname, "hexalog-bench");
        let (mut begun, mut ready) = (BTreeMap::new(), Vec::new());
        let (start, mut latency, mut asked) = (Instant::now(), Latency::default(), 0);
        while asked < count || !begun.is_empty() {
            while asked < count && begun.len() < options.starting {
                let now = Instant::now();
                begun.insert(self.sockets.connect(options.server.connect, &first)?, now);
                asked += 1;
            }
            for Arrival { socket, what } in self.arrivals("a new session is not ready")? {
                match (what, begun.remove(&socket)) {
                    (What::Ready { .. }, Some(at)) => {
                        latency.record(at.elapsed());
                        ready.push(socket);
                    }
                    (What::Ready { .. }, None) => {}
                    (What::Gone(said), _) => self.note(said),
                }
            }
        }
        let connected = Connected { count: ready.len() as u64, elapsed: start.elapsed(), latency };
        Ok((ready, connected))
    }

    /// Asks each of them the same and waits for all answers; some at a time.
    fn ask_each(&mut self, sockets: &[usize], ask: impl Fn(&mut Vec<u8>)) -> Result<(), String> {
        let mut question = Vec::new();
        ask(&mut question);
        for some in sockets.chunks(self.options.starting) {
            some.iter().for_each(|socket| self.sockets.send(*socket, &question));
            let mut open = some.len();
            while open > 0 {
                for Arrival { what, .. } in self.arrivals("a question is not answered")? {
                    open = open.saturating_sub(1);
                    match what {
                        What::Ready { refusal: Some(refusal), .. } => {
                            return Err(format!(
                                "{refusal}; are pgbench's tables there? pgbench -i -s {}",
                                self.options.scale
                            ));
                        }
                        What::Ready { .. } => {}
                        What::Gone(said) => self.note(said),
                    }
                }
            }
        }
        Ok(())
    }

    fn look_at_memory(&mut self, when: &'static str) -> Result<(), String> {
        let Some(pid) = self.options.server_pid else { return Ok(()) };
        std::thread::sleep(SETTLING);
        self.report.memory.push((when, memory::anonymous_bytes(pid)?));
        Ok(())
    }

    fn measure(&mut self, active: &[usize]) -> Result<(), String> {
        let mut measurement = Measurement::start(self.options, active, &mut self.sockets);
        while !measurement.is_over() {
            for Arrival { socket, what } in self.arrivals("a statement is not answered")? {
                if let Err(said) = measurement.take(socket, what, &mut self.sockets) {
                    self.note(said);
                }
            }
        }
        self.report.transactions = Some(measurement.finish());
        Ok(())
    }

    /// What has come, waiting for it.
    fn arrivals(&mut self, missing: &str) -> Result<Vec<Arrival>, String> {
        let mut arrivals = Vec::new();
        self.sockets.wait(ANSWER_MAX, &mut arrivals)?;
        if arrivals.is_empty() {
            return Err(format!("{missing} after {} s", ANSWER_MAX.as_secs()));
        }
        Ok(arrivals)
    }

    fn note(&mut self, said: String) {
        *self.report.errors.entry(said).or_default() += 1;
    }
}
