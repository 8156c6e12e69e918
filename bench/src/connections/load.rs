//! What active connections ask: pgbench's transactions, a statement at a time, prepared.

use super::options::Load;
use crate::load::pattern::Random;
use crate::wire;

/// Rows of pgbench_accounts for each unit of scale.
const ACCOUNTS: u64 = 100_000;

/// A statement that each connection prepares, by a name that says which it is.
struct Statement {
    name: &'static str,
    text: &'static str,
}

const READ: Statement =
    Statement { name: "read", text: "SELECT abalance FROM pgbench_accounts WHERE aid = $1::integer" };
const BEGIN: Statement = Statement { name: "begin", text: "BEGIN" };
const UPDATE: Statement = Statement {
    name: "update",
    text: "UPDATE pgbench_accounts SET abalance = abalance + $2::integer WHERE aid = $1::integer",
};
const INSERT: Statement = Statement {
    name: "insert",
    text: "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES \
           ($3::integer, $4::integer, $1::integer, $2::integer, CURRENT_TIMESTAMP)",
};
const END: Statement = Statement { name: "end", text: "END" };
const ROLLBACK: Statement = Statement { name: "rollback", text: "ROLLBACK" };

impl Load {
    fn statements(self) -> &'static [Statement] {
        match self {
            Load::Select => &[READ],
            Load::Simple => &[BEGIN, UPDATE, READ, INSERT, END, ROLLBACK],
        }
    }

    /// Statements of a transaction, in order.
    pub fn steps(self) -> usize {
        match self {
            Load::Select => 1,
            Load::Simple => 5,
        }
    }

    /// Whether a step brings a row.
    pub fn is_read(self, step: usize) -> bool {
        self.statements()[step].name == READ.name
    }

    /// Prepares all of them.
    pub fn prepare(self, out: &mut Vec<u8>) {
        for statement in self.statements() {
            wire::parse(out, statement.name, statement.text);
        }
        wire::sync(out);
    }
}

/// Parameters of one transaction.
#[derive(Clone, Copy, Default, Debug)]
pub struct Draw {
    account: u64,
    delta: i64,
    teller: u64,
    branch: u64,
}

impl Draw {
    /// The next one.
    pub fn new(random: &mut Random, scale: u64) -> Draw {
        Draw {
            account: 1 + random.below(ACCOUNTS * scale),
            delta: random.below(10_001) as i64 - 5_000,
            teller: 1 + random.below(10 * scale),
            branch: 1 + random.below(scale),
        }
    }

    /// Step number `step` of the transaction.
    pub fn ask(&self, load: Load, step: usize, out: &mut Vec<u8>) {
        let account = self.account.to_string();
        let statement = &load.statements()[step];
        let name = statement.name;
        if name == READ.name {
            wire::bind_execute(out, name, &[Some(&account)]);
        } else if name == UPDATE.name {
            wire::bind_execute(out, name, &[Some(&account), Some(&self.delta.to_string())]);
        } else if name == INSERT.name {
            let (delta, teller) = (self.delta.to_string(), self.teller.to_string());
            let branch = self.branch.to_string();
            wire::bind_execute(out, name, &[Some(&account), Some(&delta), Some(&teller), Some(&branch)]);
        } else {
            wire::bind_execute(out, name, &[]);
        }
        wire::sync(out);
    }
}

/// What an idle connection runs once, prepared: the read of row 1.
pub fn once(out: &mut Vec<u8>) {
    wire::parse(out, READ.name, READ.text);
    wire::bind_execute(out, READ.name, &[Some("1")]);
    wire::sync(out);
}

/// Leaves a transaction that has failed.
pub fn rollback(out: &mut Vec<u8>) {
    wire::bind_execute(out, ROLLBACK.name, &[]);
    wire::sync(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of the statements that a buffer of Bind messages runs.
    fn bound(bytes: &[u8]) -> Vec<String> {
        let (mut at, mut names) = (0, Vec::new());
        while let Some((message, length)) = wire::message(&bytes[at..]).expect("sound") {
            if message.kind == b'B' {
                let name = message.body[1..].split(|byte| *byte == 0).next().expect("a name");
                names.push(String::from_utf8_lossy(name).into_owned());
            }
            at += length;
        }
        names
    }

    #[test]
    fn a_transaction_is_pgbenchs() {
        for (load, expected) in
            [(Load::Select, &["read"][..]), (Load::Simple, &["begin", "update", "read", "insert", "end"])]
        {
            let mut out = Vec::new();
            let draw = Draw::new(&mut Random::new(1, 1), 1);
            (0..load.steps()).for_each(|step| draw.ask(load, step, &mut out));
            assert_eq!(bound(&out), expected);
        }
    }

    #[test]
    fn draws_stay_within_the_scale() {
        let mut random = Random::new(1, 1);
        for _ in 0..10_000 {
            let draw = Draw::new(&mut random, 2);
            assert!((1..=200_000).contains(&draw.account), "{draw:?}");
            assert!((-5_000..=5_000).contains(&draw.delta), "{draw:?}");
            assert!((1..=20).contains(&draw.teller) && (1..=2).contains(&draw.branch), "{draw:?}");
        }
    }
}
