//! A transaction as its client will run it: statements, and what their answers mean.

use super::documents::DOCUMENT_IDS;
use crate::history::{DocumentVersion, Element, Level, ListKey, RegisterKey, RegisterValue};
use crate::random::Random;
use std::collections::VecDeque;

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// PREPARE TRANSACTION: another client ends it.
    Prepare,
    /// The one statement is the transaction.
    Autocommit,
}

/// What a statement's answer means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// Nothing but that it went well.
    Plain,
    /// The transaction's end.
    Commit,
    /// The transaction's end, as intended.
    Rollback,
    /// The end of what its client knows of the transaction.
    Prepare,
    /// See [`crate::history::Op::Append`].
    Append(ListKey, Element),
    /// See [`crate::history::Op::ReadLists`].
    ReadLists(ListKey, ListKey),
    /// See [`crate::history::Op::WriteRegister`].
    WriteRegister(RegisterKey, RegisterValue),
    /// See [`crate::history::Op::ReadRegisters`]: from, to, shelf.
    ReadRegisters(RegisterKey, RegisterKey, Option<RegisterKey>),
    /// See [`crate::history::Op::Sum`].
    Sum,
    /// See [`crate::history::Op::ReadTags`]: from, to, through the index.
    ReadTags(String, String, bool),
    /// See [`crate::history::Op::ChangesTags`].
    ChangesTags,
    /// See [`crate::history::Op::NextValue`]; so many of them in one row.
    NextValues(usize),
    /// See [`crate::history::Op::WriteDocument`].
    WriteDocument(u32, DocumentVersion),
    /// See [`crate::history::Op::DeleteDocument`].
    DeleteDocument(u32),
    /// See [`crate::history::Op::ReadDocuments`]: from, to.
    ReadDocuments(u32, u32),
    /// See [`crate::history::Op::ChangesFamilies`].
    ChangesFamilies,
    /// See [`crate::history::Op::Orphans`].
    Orphans,
    /// A savepoint of this number.
    Savepoint(u32),
    /// See [`crate::history::Op::RollbackTo`]: back to the savepoint of this number.
    RollbackTo(u32),
    /// See [`crate::history::Op::Scratch`].
    Scratch(i64, i64),
    /// The transaction makes sense only if this many rows were changed.
    Changes(u64),
    /// One number, for the statements that come; without a row the transaction makes no sense.
    Remember(usize),
}

/// One statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// SQL with `$1`, `$2`, … for the parameters and `{0}`, `{1}` for what was remembered.
    pub text: String,
    /// As text.
    pub parameters: Vec<String>,
    /// What the answer means.
    pub what: What,
}

impl Statement {
    pub(super) fn new(text: impl Into<String>, what: What) -> Statement {
        Statement { text: text.into(), parameters: Vec::new(), what }
    }

    pub(super) fn with(text: &str, parameters: &[&dyn ToString], what: What) -> Statement {
        let parameters = parameters.iter().map(|value| value.to_string()).collect();
        Statement { text: text.to_owned(), parameters, what }
    }

    /// The statement for the simple protocol.
    pub fn inlined(&self) -> String {
        let mut text = self.text.clone();
        for (at, value) in self.parameters.iter().enumerate().rev() {
            let is_number = value.parse::<i64>().is_ok();
            let literal = if is_number { value.clone() } else { format!("'{value}'") };
            text = text.replace(&format!("${}", at + 1), &literal);
        }
        text
    }

    /// Puts in what was remembered.
    pub fn with_remembered(mut self, values: &[i64]) -> Statement {
        for (at, value) in values.iter().enumerate() {
            self.text = self.text.replace(&format!("{{{at}}}"), &value.to_string());
        }
        self
    }

    pub(super) fn append(key: ListKey, element: Element) -> Statement {
        let what = What::Append(key, element);
        let element = format!("{element},");
        Statement::with(
            "INSERT INTO lists VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = lists.v || excluded.v",
            &[&key, &element],
            what,
        )
    }

    /// As [`Statement::append`], to a list that must be there: one row, found by its key, which alone may commit with its own
    /// change.
    pub(super) fn append_to(key: ListKey, element: Element) -> Statement {
        let what = What::Append(key, element);
        let element = format!("{element},");
        Statement::with("UPDATE lists SET v = v || $2 WHERE k = $1", &[&key, &element], what)
    }

    pub(super) fn read_lists(from: ListKey, to: ListKey) -> Statement {
        let what = What::ReadLists(from, to);
        if to == from + 1 {
            return Statement::with("SELECT k, v FROM lists WHERE k = $1", &[&from], what);
        }
        let order = if (from + to).is_multiple_of(3) { "DESC" } else { "ASC" };
        let text = format!("SELECT k, v FROM lists WHERE k >= $1 AND k < $2 ORDER BY k {order}");
        Statement::with(&text, &[&from, &to], what)
    }

    pub(super) fn sum() -> Statement {
        Statement::new("SELECT sum(balance) FROM accounts", What::Sum)
    }

    pub(super) fn transfer(from: u64, to: u64, amount: i64) -> [Statement; 2] {
        let change = |id: u64, amount: i64| {
            let text = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";
            Statement::with(text, &[&amount, &id], What::Changes(1))
        };
        [change(from, -amount), change(to, amount)]
    }

    pub(super) fn transfer_by_reading(from: u64, to: u64, amount: i64) -> [Statement; 4] {
        let read = |id: u64, slot| {
            Statement::with("SELECT balance FROM accounts WHERE id = $1", &[&id], What::Remember(slot))
        };
        let write = |id: u64, slot: usize, amount: i64| {
            let text = format!("UPDATE accounts SET balance = {{{slot}}} + ({amount}) WHERE id = {id}");
            Statement::new(text, What::Changes(1))
        };
        [read(from, 0), read(to, 1), write(from, 0, -amount), write(to, 1, amount)]
    }

    pub(super) fn move_account(from: u64, to: u64) -> Vec<Statement> {
        if (from + to).is_multiple_of(2) {
            let text = "UPDATE accounts SET id = $1 WHERE id = $2";
            return vec![Statement::with(text, &[&to, &from], What::Changes(1))];
        }
        let delete = Statement::with(
            "DELETE FROM accounts WHERE id = $1 RETURNING balance",
            &[&from],
            What::Remember(0),
        );
        let insert = Statement::new(format!("INSERT INTO accounts VALUES ({to}, {{0}})"), What::Changes(1));
        vec![delete, insert]
    }

    pub(super) fn transfer_at_once(from: u64, to: u64, amount: i64) -> Statement {
        let text = format!(
            "UPDATE accounts SET balance = balance + CASE WHEN id = {from} THEN {} ELSE {amount} END WHERE id IN ({from}, {to})",
            -amount
        );
        Statement::new(text, What::Changes(2))
    }

    pub(super) fn insert_tag(id: u32, tag: &str, random: &mut Random) -> Statement {
        // Sometimes a row that no leaf has room for.
        let pad = if random.one_in(6) { 1_500 } else { random.range(0, 60) };
        let text = "INSERT INTO tagged VALUES ($1, $2, repeat('p', $3))";
        Statement::with(text, &[&id, &tag, &pad], What::ChangesTags)
    }

    pub(super) fn change_tag(id: u32, tag: &str) -> Statement {
        Statement::with("UPDATE tagged SET tag = $1 WHERE id = $2", &[&tag, &id], What::ChangesTags)
    }

    pub(super) fn change_tagged_id(id: u32, new: u32) -> Statement {
        Statement::with("UPDATE tagged SET id = $1 WHERE id = $2", &[&new, &id], What::ChangesTags)
    }

    pub(super) fn delete_tag(id: u32) -> Statement {
        Statement::with("DELETE FROM tagged WHERE id = $1", &[&id], What::ChangesTags)
    }

    pub(super) fn read_tags(from: &str, to: &str, through_index: bool) -> Statement {
        let what = What::ReadTags(from.to_owned(), to.to_owned(), through_index);
        // What the planner has no index for is read through the table.
        let column = if through_index { "tag" } else { "(tag || '')" };
        let text = format!("SELECT id, tag FROM tagged WHERE {column} >= $1 AND {column} < $2");
        Statement::with(&text, &[&from, &to], what)
    }

    /// One number, or two in a row: the second may have to wait when the first is drawn already.
    pub(super) fn next_values(count: usize) -> Statement {
        let calls = vec!["nextval('numbers')"; count].join(", ");
        Statement::new(format!("SELECT {calls}"), What::NextValues(count))
    }
}

/// A transaction to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// What it reads at.
    pub level: Level,
    /// How it ends.
    pub end: End,
    /// Its statements, without BEGIN and the end.
    pub statements: VecDeque<Statement>,
    /// What the same client goes on with if this went as intended.
    pub next: Option<Box<Script>>,
}

impl Script {
    pub(super) fn new(level: Level) -> Script {
        Script { level, end: End::Commit, statements: VecDeque::new(), next: None }
    }

    fn of(level: Level, end: End, statements: impl IntoIterator<Item = Statement>) -> Script {
        Script { level, end, statements: statements.into_iter().collect(), next: None }
    }

    pub(super) fn push(&mut self, statement: Statement) {
        self.statements.push_back(statement);
    }

    pub(super) fn push_all(&mut self, statements: impl IntoIterator<Item = Statement>) {
        self.statements.extend(statements);
    }

    /// What reads first and writes what it computed from it is right with one snapshot only.
    pub(super) fn make_repeatable(&mut self) {
        if !self.level.has_one_snapshot() {
            self.level = Level::RepeatableRead;
        }
    }

    /// Puts savepoints between what it does, and goes back to some. A statement that fails behind one is no end then.
    pub(super) fn with_savepoints(mut self, random: &mut Random) -> Script {
        if !random.one_in(3) {
            return self;
        }
        let mut number = 0;
        let mut open: Vec<u32> = Vec::new();
        for statement in std::mem::take(&mut self.statements) {
            if random.one_in(2) {
                number += 1;
                open.push(number);
                self.push(Statement::new(format!("SAVEPOINT s{number}"), What::Savepoint(number)));
            }
            self.push(statement);
            if !open.is_empty() && random.one_in(2) {
                let at = random.range(0, open.len() as u64) as usize;
                let savepoint = open[at];
                if random.one_in(4) {
                    open.truncate(at);
                    self.push(Statement::new(format!("RELEASE s{savepoint}"), What::Plain));
                } else {
                    open.truncate(at + 1);
                    let text = format!("ROLLBACK TO s{savepoint}");
                    self.push(Statement::new(text, What::RollbackTo(savepoint)));
                }
            }
        }
        self
    }

    /// Decides how it ends.
    pub(super) fn finish(mut self, random: &mut Random) -> Script {
        let is_alone = self.statements.len() == 1 && !matches!(self.statements[0].what, What::Changes(_));
        if is_alone && random.one_in(2) {
            (self.end, self.level) = (End::Autocommit, Level::ReadCommitted);
            return self;
        }
        self.finish_block(random)
    }

    /// Decides how it ends, in a block whatever it is.
    pub(super) fn finish_block(mut self, random: &mut Random) -> Script {
        if random.one_in(8) {
            self.end = End::Rollback;
        } else if random.one_in(8) {
            self.end = End::Prepare;
        }
        self
    }

    /// A table of one client's own, through several transactions.
    pub(super) fn scratch(number: u64, random: &mut Random) -> Script {
        let rows = random.range(1, 60) as i64;
        let fewer = random.range(1, 30) as i64;
        let plain = |text: String| Statement::new(text, What::Plain);
        let fill = |rows: i64| {
            plain(format!(
                "INSERT INTO s{number} SELECT g, repeat('x', 400) FROM generate_series(1, {rows}) g"
            ))
        };
        let read = |rows: i64| {
            let text = format!("SELECT count(*), coalesce(sum(a), 0) FROM s{number}");
            Statement::new(text, What::Scratch(rows, rows * (rows + 1) / 2))
        };
        let level = Level::ReadCommitted;
        let create = plain(format!("CREATE TABLE s{number} (a int PRIMARY KEY, pad text)"));
        let empty = if random.one_in(2) { "DROP TABLE" } else { "TRUNCATE" };
        let take_back = plain(format!("{empty} s{number}"));
        let mut scripts = vec![Script::of(level, End::Commit, [create, fill(rows), read(rows)])];
        if random.one_in(2) {
            scripts.push(Script::of(level, End::Rollback, [take_back]));
            scripts.push(Script::of(Level::RepeatableRead, End::Commit, [read(rows)]));
        }
        if random.one_in(2) {
            let empty = plain(format!("TRUNCATE s{number}"));
            scripts.push(Script::of(level, End::Commit, [empty, read(0), fill(fewer)]));
            scripts.push(Script::of(level, End::Autocommit, [read(fewer)]));
        }
        scripts.push(Script::of(level, End::Autocommit, [plain(format!("DROP TABLE s{number}"))]));
        let mut chain = None;
        for mut script in scripts.into_iter().rev() {
            script.next = chain.map(Box::new);
            chain = Some(script);
        }
        chain.expect("there is a first")
    }

    /// All that is left, in one snapshot.
    pub fn read_everything(lists_end: ListKey) -> Script {
        let reads = [
            Statement::read_documents(0, DOCUMENT_IDS as u32),
            Statement::count_orphans("children"),
            Statement::count_orphans("wards"),
            Statement::read_lists(0, lists_end + 1),
            Statement::read_registers(0, RegisterKey::MAX >> 1),
            Statement::sum(),
            Statement::read_tags("", "~", false),
            Statement::read_tags("", "~", true),
        ];
        Script::of(Level::RepeatableRead, End::Commit, reads)
    }
}
