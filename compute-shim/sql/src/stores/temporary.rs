//! A session's own store: rows, indexes and sequences of its temporary tables.
//!
//! Owns [`Temporary`]: an engine over a volume without a log ([`TemporaryVolume`]) and the transaction in it, from the session's
//! first temporary table or sequence until the last is gone. It is a transaction of the same life as the volume's: begun with a
//! statement, ended by the session right behind that one's end. What a transaction leaves to be undone or purged
//! is done before the next one begins, so that no operation here waits for anything but its page file.

use super::page_file::SpilledPages;
use crate::spill::SpillSpace;
use crate::stop::{Step, Stop};
use hexalog_engine::{
    Budget, Engine, Isolation, Need, Options, Savepoint, TEMPORARY_NUMBERS, TemporaryVolume, Transaction,
};
use hexalog_protocol::Lsn;
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};

/// One for the transaction that is open, and some for those that could not be undone while the disk was full.
const UNDO_STREAMS: u16 = 4;
/// A transaction's own, that of an open cursor, and some to spare.
const SNAPSHOTS: u32 = 8;

/// Pages of temporary tables that were used: found in memory, and read from a file.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct LocalPages {
    pub hit: u64,
    pub read: u64,
}

impl LocalPages {
    /// What has been used since it stood at `before`.
    pub fn since(&self, before: &LocalPages) -> LocalPages {
        LocalPages { hit: self.hit - before.hit, read: self.read - before.read }
    }

    pub fn add(&mut self, other: &LocalPages) {
        self.hit += other.hit;
        self.read += other.read;
    }
}

/// The store of a session, if it has one.
#[derive(Default)]
pub(crate) struct Temporary {
    open: Option<Box<Store>>,
    /// What was used of stores that are gone.
    used: LocalPages,
}

struct Store {
    number: u32,
    engine: Engine,
    transaction: Option<Transaction>,
    /// Transactions that are over may have left something to be undone or purged.
    has_rest: bool,
}

/// A place in the store's transaction. `None`: before it began.
pub(crate) type TemporarySavepoint = Option<Savepoint>;

impl Temporary {
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Makes an empty store, with so many pages in memory.
    pub fn open(&mut self, number: u32, frames: u32, space: &dyn SpillSpace) -> Result<()> {
        assert!(self.open.is_none(), "a session has one store");
        if number >= TEMPORARY_NUMBERS {
            let message = format!("more than {TEMPORARY_NUMBERS} sessions with temporary tables");
            return Err(SqlError::new(SqlState::CONFIGURATION_LIMIT_EXCEEDED, message));
        }
        let pages = SpilledPages::new(space.create(), TemporaryVolume::first_page_of(number));
        let volume = TemporaryVolume::new(number, Box::new(pages));
        let engine =
            Engine::new(volume, Options { frames, undo_streams: UNDO_STREAMS, snapshots: SNAPSHOTS });
        match engine.create() {
            Ok(()) => {}
            Err(hexalog_engine::Stop::Fail(error)) => return Err(crate::stop::engine_error(&error)),
            Err(hexalog_engine::Stop::Need(_)) => unreachable!("the first pages fit the cache"),
        }
        self.open = Some(Box::new(Store { number, engine, transaction: None, has_rest: false }));
        Ok(())
    }

    /// The store goes, with all in it.
    pub fn close(&mut self) {
        self.used = self.pages_used();
        if let Some(mut store) = self.open.take() {
            store.abort();
        }
    }

    /// Pages used by the session so far.
    pub fn pages_used(&self) -> LocalPages {
        let mut used = self.used;
        if let Some(store) = &self.open {
            let (hit, read) = store.engine.pages_met();
            used.add(&LocalPages { hit, read });
        }
        used
    }

    /// The store of this number, if that is the session's.
    pub(super) fn store(&mut self, number: u32) -> Option<(&Engine, &mut Transaction)> {
        let store = self.open.as_mut().filter(|store| store.number == number)?;
        Some((&store.engine, store.transaction.as_mut().expect("a statement has begun")))
    }

    pub(super) fn own_store(&mut self) -> Option<(&Engine, &mut Transaction)> {
        let number = self.open.as_ref()?.number;
        self.store(number)
    }

    /// A statement begins, and with it the transaction if there is none. Call again after a need.
    pub fn begin_statement(&mut self, isolation: Isolation) -> Step<()> {
        let Some(store) = &mut self.open else { return Ok(()) };
        if store.transaction.is_none() {
            store.finish_rest()?;
            // Nobody is there whom it could conflict with.
            let isolation = match isolation {
                Isolation::Serializable => Isolation::RepeatableRead,
                other => other,
            };
            // What may be written in a read-only transaction is for the session to say: temporary tables may.
            store.transaction = Some(store.engine.begin(isolation, false));
        }
        let transaction = store.transaction.as_mut().expect("begun above");
        Ok(store.engine.begin_statement(transaction)?)
    }

    /// The statement is over.
    pub fn end_statement(&mut self) {
        if let Some(Store { engine, transaction: Some(transaction), .. }) = self.open.as_deref_mut() {
            engine.end_statement(transaction);
        }
    }

    pub(super) fn keep_snapshot(&mut self) -> Lsn {
        match self.open.as_deref_mut() {
            Some(Store { engine, transaction: Some(transaction), .. }) => engine.keep_snapshot(transaction),
            _ => Lsn::ZERO,
        }
    }

    /// Whether the transaction has changed anything.
    pub fn has_written(&self) -> bool {
        let transaction = self.open.as_ref().and_then(|store| store.transaction.as_ref());
        transaction.is_some_and(Transaction::has_written)
    }

    /// Where the transaction stands.
    pub fn savepoint(&self) -> TemporarySavepoint {
        let store = self.open.as_ref()?;
        Some(store.engine.savepoint(store.transaction.as_ref()?))
    }

    /// Goes back; call again after a need.
    pub fn roll_back_to(&mut self, savepoint: &mut TemporarySavepoint) -> Step<()> {
        if let Some(Store { engine, transaction: Some(transaction), .. }) = self.open.as_deref_mut() {
            engine.rollback_to(transaction, savepoint.get_or_insert_with(Savepoint::at_begin))?;
        }
        Ok(())
    }

    /// Has at hand what the commit needs, so that it cannot fail if nothing else comes between.
    pub fn prepare_to_commit(&mut self) -> Step<()> {
        if let Some(Store { engine, transaction: Some(transaction), .. }) = self.open.as_deref_mut() {
            engine.bring_header(transaction)?;
        }
        Ok(())
    }

    /// The volume's transaction has been committed. Comes right behind [`Temporary::prepare_to_commit`] and that.
    pub fn commit(&mut self) {
        let Some(store) = &mut self.open else { return };
        if let Some(mut transaction) = store.transaction.take() {
            store.has_rest |= transaction.has_written();
            let committed = store.engine.commit(&mut transaction);
            assert!(committed.is_ok(), "a commit that was prepared: {committed:?}");
        }
    }

    /// The volume's transaction has been aborted.
    pub fn abort(&mut self) {
        if let Some(store) = &mut self.open {
            store.abort();
        }
    }
}

impl Store {
    fn abort(&mut self) {
        if let Some(mut transaction) = self.transaction.take() {
            self.has_rest |= transaction.has_written();
            let aborted = self.engine.abort(&mut transaction);
            assert!(aborted.is_ok(), "an abort waits for nothing: {aborted:?}");
        }
    }

    /// Undoes and purges what is over.
    fn finish_rest(&mut self) -> Step<()> {
        while self.has_rest {
            match self.engine.background(Budget::default()) {
                Ok(true) => return Err(Need::Yield.into()),
                Ok(false) => self.has_rest = false,
                // A full disk keeps pages from leaving the cache. Until all streams are taken, another transaction may begin.
                Err(hexalog_engine::Stop::Fail(_))
                    if self.engine.stats().transactions_to_undo + 1 < u64::from(UNDO_STREAMS) =>
                {
                    return Ok(());
                }
                Err(stop) => return Err(Stop::from(stop)),
            }
        }
        Ok(())
    }
}
