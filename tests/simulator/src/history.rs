//! What clients asked for and were told, in the order in which it happened: all that the checkers of transactions see.
//!
//! A write stands in the history from the moment it was asked for, a read from the moment its rows were told. How a
//! transaction ended is what its client knows: told of the commit, told of a failure (or it never asked for the commit),
//! or left without an answer.

use crate::compute::manager::Doubt;
use std::collections::BTreeMap;
use std::fmt;

/// Names a transaction of the history.
pub type TxnId = usize;

/// A list of the append workload; rows come and go, lists only grow.
pub type ListKey = u32;

/// One element of a list, appended once in the whole run.
pub type Element = u64;

/// A register of the register workload; rows come and are written over.
pub type RegisterKey = u32;

/// What is written to a register: unlike any other, and any element; 0 is what stands in one without a row.
pub type RegisterValue = Element;

/// What has versions whose order is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// Each element makes one.
    List(ListKey),
    /// Each value is one.
    Register(RegisterKey),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::List(key) => write!(f, "list {key}"),
            Place::Register(key) => write!(f, "register {key}"),
        }
    }
}

/// A version of a document.
pub type DocumentVersion = u64;

/// What a transaction reads at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// A snapshot a statement.
    ReadCommitted,
    /// One snapshot.
    RepeatableRead,
    /// One snapshot, and as if the committed ones of this level had come one after the other.
    Serializable,
}

impl Level {
    /// Whether all statements read at one snapshot.
    pub fn has_one_snapshot(self) -> bool {
        self != Level::ReadCommitted
    }
}

/// What the client knows of a transaction's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has not ended.
    Open,
    /// The client was told that it is committed.
    Ok,
    /// It is certain that it never committed.
    Fail,
    /// The commit was asked for and no answer came.
    Unknown,
}

/// Registers lie in so many shelves, by which they are found through an index that is not unique.
pub const SHELVES: RegisterKey = 3;

/// One row of the table with a unique index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TaggedRow {
    /// Primary key.
    pub id: u32,
    /// Unique.
    pub tag: String,
}

/// A statement of interest, as its client knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Adds an element to a list.
    Append {
        /// Which list.
        key: ListKey,
        /// What.
        element: Element,
    },
    /// Reads all lists with `from <= key < to`: a list without a row is empty.
    ReadLists {
        /// First key.
        from: ListKey,
        /// Key behind the last.
        to: ListKey,
        /// The rows told.
        lists: BTreeMap<ListKey, Vec<Element>>,
    },
    /// Writes over a register.
    WriteRegister {
        /// Which one.
        key: RegisterKey,
        /// What, unlike any other.
        value: RegisterValue,
        /// What stood there before, once told.
        replaced: Option<RegisterValue>,
    },
    /// Reads all registers with `from <= key < to` that lie in the shelf, if one is given: one without a row holds 0.
    ReadRegisters {
        /// First key.
        from: RegisterKey,
        /// Key behind the last.
        to: RegisterKey,
        /// The remainder of the keys by [`SHELVES`].
        shelf: Option<RegisterKey>,
        /// What the rows hold, and what that has replaced.
        found: BTreeMap<RegisterKey, (RegisterValue, RegisterValue)>,
    },
    /// Reads the sum of all accounts.
    Sum {
        /// The sum told.
        total: i64,
    },
    /// All rows with a tag in a range, read through the table or through the index.
    ReadTags {
        /// Lowest tag.
        from: String,
        /// Tag behind the last.
        to: String,
        /// Whether the index was asked.
        through_index: bool,
        /// The rows told.
        rows: Vec<TaggedRow>,
    },
    /// Changes rows with tags.
    ChangesTags,
    /// Writes a document, long or short, whole.
    WriteDocument {
        /// Which one.
        id: u32,
        /// What stands in it follows from this; written once in the whole run.
        version: DocumentVersion,
    },
    /// Deletes one.
    DeleteDocument {
        /// Which one.
        id: u32,
    },
    /// All documents with `from <= id < to`.
    ReadDocuments {
        /// First id.
        from: u32,
        /// Id behind the last.
        to: u32,
        /// The versions told; `None`: not what any version stands for.
        documents: BTreeMap<u32, Option<DocumentVersion>>,
    },
    /// Changes rows that refer to others, or that others refer to.
    ChangesFamilies,
    /// The number of rows that refer to a row that is not there.
    Orphans {
        /// The number told.
        count: i64,
    },
    /// All that was written from this operation on, by its index, was taken back.
    RollbackTo {
        /// Index in the transaction's operations.
        from: usize,
    },
    /// A number from the sequence.
    NextValue {
        /// The number, once told.
        value: Option<i64>,
    },
    /// The number of rows and their sum in a table that one client alone writes.
    Scratch {
        /// What it has written, by its own account.
        expected: (i64, i64),
        /// What it read.
        read: (i64, i64),
    },
}

/// One transaction.
#[derive(Clone, Debug)]
pub struct Txn {
    /// Who ran it; a client runs one at a time.
    pub client: usize,
    /// Which compute process it ran in.
    pub run: u64,
    /// What it reads at.
    pub level: Level,
    /// When its first statement was sent.
    pub began_us: u64,
    /// When its end was known.
    pub ended_us: u64,
    /// Its statements in order.
    pub ops: Vec<Op>,
    /// How it ended.
    pub outcome: Outcome,
}

/// All transactions, by [`TxnId`].
#[derive(Clone, Default, Debug)]
pub struct History {
    /// In the order of their begin.
    pub txns: Vec<Txn>,
    /// Those that were prepared and have not ended yet, as far as anyone was told.
    pub doubts: Vec<Doubt>,
}

impl History {
    /// A client begins.
    pub fn begin(&mut self, client: usize, run: u64, level: Level, now_us: u64) -> TxnId {
        self.txns.push(Txn {
            client,
            run,
            level,
            began_us: now_us,
            ended_us: u64::MAX,
            ops: Vec::new(),
            outcome: Outcome::Open,
        });
        self.txns.len() - 1
    }

    /// A client knows how its transaction ended.
    pub fn end(&mut self, id: TxnId, outcome: Outcome, now_us: u64) {
        let txn = &mut self.txns[id];
        assert_eq!(txn.outcome, Outcome::Open, "a transaction ends once");
        (txn.outcome, txn.ended_us) = (outcome, now_us);
    }

    /// The same, with all that had one snapshot labelled SERIALIZABLE: what snapshots alone allow is wrong then.
    pub fn as_serializable(mut self) -> History {
        let has_snapshot = |txn: &&mut Txn| txn.level.has_one_snapshot();
        self.txns.iter_mut().filter(has_snapshot).for_each(|txn| txn.level = Level::Serializable);
        self
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.txns.iter().filter(|txn| txn.outcome == outcome).count()
    }
}

impl Op {
    /// Whether it reads a place.
    pub fn reads(&self, place: Place) -> bool {
        match (self, place) {
            (Op::ReadLists { from, to, .. }, Place::List(key)) => (*from..*to).contains(&key),
            (Op::ReadRegisters { from, to, shelf, .. }, Place::Register(key)) => {
                (*from..*to).contains(&key) && shelf.is_none_or(|shelf| key % SHELVES == shelf)
            }
            _ => false,
        }
    }
}

impl Txn {
    /// Its operations up to the one with this index; those that it had taken back before that one are marked.
    pub fn ops_before(&self, end: usize) -> impl Iterator<Item = (&Op, bool)> + '_ {
        let mut is_taken_back = vec![false; end];
        for (at, op) in self.ops[..end].iter().enumerate() {
            if let Op::RollbackTo { from } = op {
                is_taken_back[*from..at].fill(true);
            }
        }
        self.ops[..end].iter().zip(is_taken_back)
    }

    /// What it wrote to lists and registers and did not take back, in order.
    pub fn writes(&self) -> impl Iterator<Item = (Place, Element)> + '_ {
        self.writes_before(self.ops.len(), false)
    }

    /// What it wrote to them and took back.
    pub fn writes_taken_back(&self) -> impl Iterator<Item = (Place, Element)> + '_ {
        self.writes_before(self.ops.len(), true)
    }

    /// Those of its writes before an operation that it had not taken back then, or those that it had.
    pub fn writes_before(
        &self,
        end: usize,
        are_taken_back: bool,
    ) -> impl Iterator<Item = (Place, Element)> + '_ {
        self.ops_before(end).filter(move |(_, is_taken_back)| *is_taken_back == are_taken_back).filter_map(
            |(op, _)| match op {
                Op::Append { key, element } => Some((Place::List(*key), *element)),
                Op::WriteRegister { key, value, .. } => Some((Place::Register(*key), *value)),
                _ => None,
            },
        )
    }
}
