//! A transaction manager: ends what other clients have prepared, which process it was in or not.
//!
//! Owns [`Doubt`], a transaction between its PREPARE and its end, and the checker that none is lost. What is to become of one
//! is decided as it is prepared, and stays decided: who was cut off while it asked for that asks again, and learns by 42704 that it
//! had come to pass. A transaction that was told of as prepared and is not there then, though nobody has asked for its end,
//! is a bug.

use super::session::{Message, Reply};
use crate::history::{History, Outcome, TxnId};
use crate::random::Random;

/// Longest time that one is left alone, mostly and at times: many processes die meanwhile.
const LEFT_US_MAX: u64 = 20_000;
const LEFT_LONG_US_MAX: u64 = 400_000;

/// A transaction that was prepared, or perhaps was.
#[derive(Clone, Debug)]
pub struct Doubt {
    id: TxnId,
    /// The process that it was prepared in: older ones need not know of it.
    run: u64,
    commits: bool,
    /// Its client was told that it is prepared.
    is_told: bool,
    /// Its end was asked for, and no answer has come.
    is_tried: bool,
    due_us: u64,
}

impl Doubt {
    /// Draws what is to become of it, and when.
    pub fn draw(id: TxnId, run: u64, now_us: u64, random: &mut Random) -> Doubt {
        let longest_us = if random.one_in(4) { LEFT_LONG_US_MAX } else { LEFT_US_MAX };
        let due_us = now_us + random.range(0, longest_us);
        Doubt { id, run, commits: !random.one_in(3), is_told: false, is_tried: false, due_us }
    }

    /// The same, once its client was told.
    pub fn told(self, is_told: bool) -> Doubt {
        Doubt { is_told, ..self }
    }
}

/// The name of a prepared transaction.
pub fn identifier(id: TxnId) -> String {
    format!("transaction {id}")
}

/// One connection of the manager.
#[derive(Default)]
pub struct Manager {
    /// What it asks for, and whether that had been asked for before.
    asked: Option<(TxnId, bool)>,
}

impl Manager {
    /// Whether an answer is awaited.
    pub fn is_busy(&self) -> bool {
        self.asked.is_some()
    }

    /// The next end that it asks for in a process, if one is due.
    pub fn next(
        &mut self,
        run: u64,
        now_us: u64,
        is_quiet: bool,
        history: &mut History,
        random: &mut Random,
    ) -> Option<Message> {
        let is_due = |doubt: &&mut Doubt| doubt.run <= run && (is_quiet || doubt.due_us <= now_us);
        let mut due: Vec<&mut Doubt> = history.doubts.iter_mut().filter(is_due).collect();
        if due.is_empty() {
            return None;
        }
        let at = random.range(0, due.len() as u64) as usize;
        let doubt = &mut due[at];
        let verb = if doubt.commits { "COMMIT" } else { "ROLLBACK" };
        let text = format!("{verb} PREPARED '{}'", identifier(doubt.id));
        self.asked = Some((doubt.id, doubt.is_tried));
        doubt.is_tried = true;
        Some(if random.one_in(2) { Message::Simple(text) } else { Message::Extended(text, Vec::new()) })
    }

    /// Its answer came.
    ///
    /// # Panics
    /// If a transaction that was prepared is not there.
    pub fn answered(&mut self, reply: &Reply, may_lack_space: bool, now_us: u64, history: &mut History) {
        let (id, was_tried) = self.asked.take().expect("an answer belongs to a question");
        // A process that comes later may have been told meanwhile.
        let Some(at) = history.doubts.iter().position(|doubt| doubt.id == id) else { return };
        let doubt = &history.doubts[at];
        let decided = if doubt.commits { Outcome::Ok } else { Outcome::Fail };
        let outcome = match reply.error.as_ref().map(|(state, _)| state.as_str()) {
            None => decided,
            Some("42704") if was_tried && doubt.is_told => decided,
            // It was never prepared, or has ended as it should.
            Some("42704") if was_tried && doubt.commits => Outcome::Unknown,
            Some("42704") if was_tried || !doubt.is_told => Outcome::Fail,
            Some("42704") => {
                panic!("prepared: transaction {id} was told of as prepared, and is gone: {doubt:?}")
            }
            Some("57014") => return history.doubts[at].is_tried = was_tried,
            Some(super::client::NO_SPACE) if may_lack_space => {
                return history.doubts[at].is_tried = was_tried;
            }
            Some(_) => panic!("the end of a prepared transaction is told {reply}"),
        };
        history.doubts.remove(at);
        history.end(id, outcome, now_us);
    }
}
