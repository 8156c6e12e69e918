//! A client of the database: runs scripts over its connection and writes down what it was told.
//!
//! Owns what a client can know: which statements it sent, their answers, and how each transaction ended. An error that
//! the workload cannot lead to fails the run at once.

use super::manager::{Doubt, identifier};
use super::session::{Message, Reply};
use crate::history::{Element, History, Level, Op, Outcome, TaggedRow, TxnId};
use crate::random::Random;
use crate::workload::{End, Script, Statement, What, version_of};

/// Errors that concurrent transactions, clients that give up and a full log may lead to.
const EXPECTED: &[&str] = &["40001", "40P01", "23503", "23505", "57014", "25P02"];
/// As many transactions are prepared as may be.
const TOO_MANY_PREPARED: &str = "53400";
/// Rows are refused: two members are full, and a third is full or away.
pub const NO_SPACE: &str = "53100";

/// Which part of a transaction a client is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// BEGIN is to be sent.
    Begin,
    Statements,
    /// COMMIT or ROLLBACK was sent.
    Ending,
}

struct Running {
    id: TxnId,
    script: Script,
    part: Part,
    /// What was sent and is not answered.
    sent: Option<What>,
    /// Index of the operation that `sent` belongs to.
    op: Option<usize>,
    is_failed: bool,
    remembered: Vec<i64>,
    /// Savepoints that were set, with the number of operations before each.
    savepoints: Vec<(u32, usize)>,
    /// What becomes of it once PREPARE was asked for, for another client to see to.
    doubt: Option<Doubt>,
}

/// One client.
pub struct Client {
    /// Its number in the history.
    pub id: usize,
    /// File systems below the devices may be full.
    may_lack_space: bool,
    running: Option<Running>,
    next: Option<Box<Script>>,
}

/// What a client does next.
pub enum Next {
    /// Sends this; true: it is a transaction of its own.
    Send(Message, bool),
    /// Its transaction is over.
    Over(Outcome),
}

impl Client {
    /// A client that has sent nothing.
    pub fn new(id: usize, may_lack_space: bool) -> Client {
        Client { id, may_lack_space, running: None, next: None }
    }

    /// What it goes on with, if its last transaction was one of a chain.
    pub fn take_next(&mut self) -> Option<Script> {
        self.next.take().map(|script| *script)
    }

    /// Whether a transaction is under way.
    pub fn is_busy(&self) -> bool {
        self.running.is_some()
    }

    /// Begins a transaction.
    pub fn begin(&mut self, script: Script, run: u64, now_us: u64, history: &mut History) {
        assert!(self.running.is_none(), "one transaction at a time");
        let id = history.begin(self.id, run, script.level, now_us);
        let part = if script.end == End::Autocommit { Part::Statements } else { Part::Begin };
        let remembered = Vec::new();
        self.running = Some(Running {
            id,
            script,
            part,
            sent: None,
            op: None,
            is_failed: false,
            remembered,
            savepoints: Vec::new(),
            doubt: None,
        });
    }

    /// The next message, or the transaction's end.
    pub fn next(&mut self, now_us: u64, history: &mut History, random: &mut Random) -> Next {
        let running = self.running.as_mut().expect("a transaction is under way");
        assert!(running.sent.is_none(), "a client waits for its answer");
        let statement = match running.next_statement() {
            Ok(statement) => statement,
            Err(outcome) => {
                let id = running.id;
                let chain = running.script.next.take();
                let went_well = outcome == Outcome::Ok || !running.is_failed && outcome == Outcome::Fail;
                self.next = chain.filter(|_| went_well);
                let doubt = running.doubt.take().filter(|_| !running.is_failed);
                self.running = None;
                match doubt {
                    Some(doubt) => history.doubts.push(doubt.told(true)),
                    None => history.end(id, outcome, now_us),
                }
                return Next::Over(history.txns[id].outcome);
            }
        };
        let statement = statement.with_remembered(&running.remembered);
        running.op = running.note_sent(&statement.what, history);
        running.sent = Some(statement.what.clone());
        if statement.what == What::Prepare {
            let run = history.txns[running.id].run;
            running.doubt = Some(Doubt::draw(running.id, run, now_us, random));
        }
        let is_alone = running.script.end == End::Autocommit;
        let is_control = running.part != Part::Statements && statement.what != What::Prepare;
        let message = if random.one_in(2) || is_control {
            Message::Simple(statement.inlined())
        } else {
            Message::Extended(statement.text, statement.parameters)
        };
        Next::Send(message, is_alone)
    }

    /// An answer came.
    pub fn answered(&mut self, reply: &Reply, history: &mut History) {
        let running = self.running.as_mut().expect("an answer belongs to a transaction");
        let what = running.sent.take().expect("an answer belongs to a statement");
        if let Some((state, message)) = &reply.error {
            let is_expected = EXPECTED.contains(&state.as_str())
                || self.may_lack_space && state == NO_SPACE
                || what == What::Prepare && state == TOO_MANY_PREPARED;
            assert!(is_expected, "client {} is told {state}: {message}", self.id);
            running.is_failed = true;
            return;
        }
        running.understand(what, reply, history);
    }

    /// The connection ended without a word.
    pub fn cut_off(&mut self, now_us: u64, history: &mut History) {
        self.next = None;
        let Some(mut running) = self.running.take() else { return };
        if let Some(doubt) = running.doubt.take().filter(|_| !running.is_failed) {
            return history.doubts.push(doubt.told(running.sent.is_none()));
        }
        let is_alone = running.script.end == End::Autocommit;
        let outcome = match &running.sent {
            Some(What::Commit) => Outcome::Unknown,
            Some(_) if is_alone => Outcome::Unknown,
            // The end was answered, and the client had not looked at what comes next.
            None if running.part == Part::Ending => running.outcome(),
            None if is_alone && running.script.statements.is_empty() => running.outcome(),
            Some(_) | None => Outcome::Fail,
        };
        history.end(running.id, outcome, now_us);
    }
}

impl Running {
    fn next_statement(&mut self) -> Result<Statement, Outcome> {
        let plain = |text: &str, what| Statement { text: text.to_owned(), parameters: Vec::new(), what };
        let part = self.part;
        match part {
            Part::Begin => {
                self.part = Part::Statements;
                Ok(plain(
                    match self.script.level {
                        Level::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
                        Level::RepeatableRead => "BEGIN ISOLATION LEVEL REPEATABLE READ",
                        Level::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
                    },
                    What::Plain,
                ))
            }
            Part::Statements if !self.is_failed && !self.script.statements.is_empty() => {
                Ok(self.script.statements.pop_front().expect("looked at"))
            }
            Part::Statements if self.is_failed && self.finds_way_back() => {
                Ok(self.script.statements.pop_front().expect("the way back"))
            }
            Part::Statements if self.script.end == End::Autocommit => Err(self.outcome()),
            Part::Statements => {
                self.part = Part::Ending;
                Ok(match self.script.end {
                    End::Commit if !self.is_failed => plain("COMMIT", What::Commit),
                    End::Prepare if !self.is_failed => {
                        let text = format!("PREPARE TRANSACTION '{}'", identifier(self.id));
                        plain(&text, What::Prepare)
                    }
                    _ => plain("ROLLBACK", What::Rollback),
                })
            }
            Part::Ending => Err(self.outcome()),
        }
    }

    /// Skips what would fail, up to a savepoint that was set and is gone back to.
    fn finds_way_back(&mut self) -> bool {
        let is_set = |number: &u32| self.savepoints.iter().any(|(set, _)| set == number);
        let is_back = |statement: &Statement| matches!(&statement.what, What::RollbackTo(to) if is_set(to));
        let at = self.script.statements.iter().position(is_back);
        self.script.statements.drain(..at.unwrap_or(0));
        at.is_some()
    }

    fn outcome(&self) -> Outcome {
        let is_committed = !self.is_failed && self.script.end != End::Rollback;
        if is_committed { Outcome::Ok } else { Outcome::Fail }
    }

    /// Writes stand in the history before they are sent.
    fn note_sent(&self, what: &What, history: &mut History) -> Option<usize> {
        let op = match what {
            What::Append(key, element) => Op::Append { key: *key, element: *element },
            What::WriteRegister(key, value) => Op::WriteRegister { key: *key, value: *value, replaced: None },
            What::NextValues(_) => Op::NextValue { value: None },
            What::ChangesTags => Op::ChangesTags,
            What::WriteDocument(id, version) => Op::WriteDocument { id: *id, version: *version },
            What::DeleteDocument(id) => Op::DeleteDocument { id: *id },
            What::ChangesFamilies => Op::ChangesFamilies,
            _ => return None,
        };
        let count = if let What::NextValues(count) = what { *count } else { 1 };
        let ops = &mut history.txns[self.id].ops;
        let at = ops.len();
        ops.extend(std::iter::repeat_n(op, count));
        Some(at)
    }

    fn understand(&mut self, what: What, reply: &Reply, history: &mut History) {
        let ops = &mut history.txns[self.id].ops;
        match what {
            What::Plain
            | What::Rollback
            | What::Prepare
            | What::ChangesTags
            | What::WriteDocument(..)
            | What::DeleteDocument(_)
            | What::ChangesFamilies => {}
            // The list is not there: nothing was appended, and nothing of this is to stay.
            What::Append(..) => self.is_failed |= reply.tag == "UPDATE 0",
            What::Savepoint(number) => self.savepoints.push((number, ops.len())),
            What::RollbackTo(number) => {
                let at = self.savepoints.iter().rposition(|(set, _)| *set == number);
                let at = at.expect("one goes back to what was set");
                ops.push(Op::RollbackTo { from: self.savepoints[at].1 });
                self.savepoints.truncate(at + 1);
                self.is_failed = false;
            }
            What::ReadDocuments(from, to) => {
                let rows = reply.rows.iter();
                let documents = rows.map(|row| (number(row, 0) as u32, version_of(&cell(row, 1)))).collect();
                ops.push(Op::ReadDocuments { from, to, documents });
            }
            What::Orphans => ops.push(Op::Orphans { count: number(&reply.rows[0], 0) }),
            What::Commit => {
                assert_eq!(reply.tag, "COMMIT", "a block without an error is committed");
            }
            What::ReadLists(from, to) => {
                let lists = reply.rows.iter().map(|row| (number(row, 0) as u32, elements(row))).collect();
                ops.push(Op::ReadLists { from, to, lists });
            }
            What::WriteRegister(key, value) => match reply.rows.first() {
                // Its row is not there: as for a list.
                None => self.is_failed = true,
                Some(row) => {
                    let at = self.op.expect("it was noted when it was sent");
                    ops[at] = Op::WriteRegister { key, value, replaced: Some(number(row, 0) as u64) };
                }
            },
            What::ReadRegisters(from, to, shelf) => {
                let rows = reply.rows.iter();
                let told = |row: &Vec<Option<String>>| (number(row, 1) as u64, number(row, 2) as u64);
                let found = rows.map(|row| (number(row, 0) as u32, told(row))).collect();
                ops.push(Op::ReadRegisters { from, to, shelf, found });
            }
            What::Sum => ops.push(Op::Sum { total: number(&reply.rows[0], 0) }),
            What::ReadTags(from, to, through_index) => {
                let tagged =
                    |row: &Vec<Option<String>>| TaggedRow { id: number(row, 0) as u32, tag: cell(row, 1) };
                ops.push(Op::ReadTags {
                    from,
                    to,
                    through_index,
                    rows: reply.rows.iter().map(tagged).collect(),
                });
            }
            What::NextValues(count) => {
                let at = self.op.expect("it was noted when it was sent");
                for column in 0..count {
                    ops[at + column] = Op::NextValue { value: Some(number(&reply.rows[0], column)) };
                }
            }
            What::Scratch(rows, sum) => {
                let read = (number(&reply.rows[0], 0), number(&reply.rows[0], 1));
                ops.push(Op::Scratch { expected: (rows, sum), read });
            }
            What::Changes(wanted) => {
                let changed = reply.tag.rsplit(' ').next().and_then(|count| count.parse().ok());
                self.is_failed |= changed != Some(wanted);
            }
            What::Remember(slot) => match reply.rows.first() {
                None => self.is_failed = true,
                Some(row) => {
                    self.remembered.resize(self.remembered.len().max(slot + 1), 0);
                    self.remembered[slot] = number(row, 0);
                }
            },
        }
    }
}

fn cell(row: &[Option<String>], at: usize) -> String {
    row[at].clone().expect("no column of the workload is NULL")
}

fn number(row: &[Option<String>], at: usize) -> i64 {
    let cell = cell(row, at);
    cell.parse().unwrap_or_else(|_| panic!("{cell} is a number"))
}

fn elements(row: &[Option<String>]) -> Vec<Element> {
    let cell = cell(row, 1);
    let parts = cell.split_terminator(',');
    parts.map(|part| part.parse().unwrap_or_else(|_| panic!("{cell} is a list of numbers"))).collect()
}
