//! Where rows lie: in the volume, or, those of temporary tables, with their session.
//!
//! Owns [`Stores`], which lends a running statement both, and chooses by a tree or a sequence: its number says where it lies.
//! What is true of both: a statement begins in both at once, a transaction ends in both. Read next: `temporary.rs`, and
//! `docs/decisions/0164-temporary-rows-lie-with-their-session.md`.

mod page_file;
mod temporary;

pub(crate) use temporary::{LocalPages, Temporary, TemporarySavepoint};

use crate::stop::Step;
use hexalog_engine::{Engine, SequenceId, Transaction, TreeId};
use hexalog_protocol::Lsn;

/// The engines that a statement uses, and its transactions in them.
pub(crate) struct Stores<'a> {
    /// That of the volume: catalog, permanent tables, locks of relations and of numbers.
    pub engine: &'a Engine,
    pub transaction: &'a mut Transaction,
    pub temporary: &'a mut Temporary,
}

impl Stores<'_> {
    /// The same for a statement within.
    pub fn lend(&mut self) -> Stores<'_> {
        Stores { engine: self.engine, transaction: self.transaction, temporary: self.temporary }
    }

    /// Where a tree lies.
    pub fn of(&mut self, tree: TreeId) -> (&Engine, &mut Transaction) {
        self.of_number(tree.temporary_number())
    }

    /// Where a sequence lies.
    pub fn of_sequence(&mut self, sequence: SequenceId) -> (&Engine, &mut Transaction) {
        self.of_number(sequence.temporary_number())
    }

    fn of_number(&mut self, number: Option<u32>) -> (&Engine, &mut Transaction) {
        match number {
            None => (self.engine, self.transaction),
            Some(number) => self.temporary.store(number).expect("rows of other sessions are not come to"),
        }
    }

    /// Where what is made in a schema comes to lie.
    pub fn of_schema(&mut self, is_temporary: bool) -> (&Engine, &mut Transaction) {
        match is_temporary {
            false => (self.engine, self.transaction),
            true => self.temporary.own_store().expect("made ahead of what is to lie there"),
        }
    }

    /// Where a tree lies that falls. `None`: with another session, or with one that is no more, and it ends with that.
    pub fn of_fallen(&mut self, tree: TreeId) -> Option<(&Engine, &mut Transaction)> {
        match tree.temporary_number() {
            None => Some((self.engine, self.transaction)),
            Some(number) => self.temporary.store(number),
        }
    }

    /// The same of a sequence.
    pub fn of_fallen_sequence(&mut self, sequence: SequenceId) -> Option<(&Engine, &mut Transaction)> {
        self.of_fallen(TreeId(sequence.0))
    }

    /// See [`Engine::begin_statement`].
    pub fn begin_statement(&mut self) -> Step<()> {
        self.engine.begin_statement(self.transaction)?;
        self.temporary.begin_statement(self.transaction.isolation())
    }

    /// See [`Engine::begin_statement_at_newest`]. Nobody else changes what is the session's own.
    pub fn begin_statement_at_newest(&mut self) -> Step<()> {
        self.engine.begin_statement_at_newest(self.transaction)?;
        self.temporary.begin_statement(self.transaction.isolation())
    }

    /// See [`Engine::begin_statement_at_appended`].
    pub fn begin_statement_at_appended(&mut self) -> Step<()> {
        self.engine.begin_statement_at_appended(self.transaction)?;
        self.temporary.begin_statement(self.transaction.isolation())
    }

    /// See [`Engine::keep_snapshot`].
    pub fn keep_snapshots(&mut self) -> Snapshots {
        Snapshots {
            volume: self.engine.keep_snapshot(self.transaction),
            temporary: self.temporary.keep_snapshot(),
        }
    }
}

/// What a statement sees, in either store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Snapshots {
    volume: Lsn,
    temporary: Lsn,
}

impl Snapshots {
    /// Of a tree's rows.
    pub fn of(self, tree: TreeId) -> Lsn {
        match tree.temporary_number() {
            None => self.volume,
            Some(_) => self.temporary,
        }
    }
}
