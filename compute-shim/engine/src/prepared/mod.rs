//! Prepared transactions: PREPARE TRANSACTION, and its end by whoever knows its identifier.
//!
//! Owns the transactions that have left their sessions and wait for COMMIT PREPARED or ROLLBACK PREPARED, and the order of steps
//! that makes each of these happen wholly or not at all:
//!
//! 1. PREPARE writes the locks and then the identifier as undo records of the transaction. Until here it is ACTIVE, and a loser
//!    should the process end.
//! 2. One byte of its header makes it PREPARED. Whether a serializable one may be is asked in the same critical section.
//! 3. COMMIT PREPARED is the write of a commit LSN into the header, as any commit. ROLLBACK PREPARED makes the header ABORTING:
//!    from there on it is a loser, whose undo may be found under way by the next opening.
//!
//! A prepared transaction is the last of its stream, so opening finds it by the header that it reads there anyway, and its
//! identifier as the last record of the head page. Its locks and its place among the serializable transactions are then made
//! anew ([`restore`]). It holds no snapshot and waits for nothing. Why this and not a table of the catalog:
//! `docs/decisions/0155-prepared-transactions-are-found-in-their-streams.md`.

pub(crate) mod restore;

use crate::access::Access;
use crate::advisory::AdvisoryLocks;
use crate::call::Call;
use crate::engine::Engine;
use crate::error::{EngineError, Need, Step};
use crate::layout::prepared_record::{HeldLock, LOCK_BYTES_MAX, PreparedRecord};
use crate::layout::undo_page::{RECORDS_START, byte_of};
use crate::layout::undo_record::{
    HEADER_STATE, STATE_ABORTING, STATE_PREPARED, encode_locks, encode_prepared,
};
use crate::locks::objects::Owner;
use crate::mini_transaction::MiniTransaction;
use crate::transaction::{State, Transaction};
use crate::types::{LockedObject, TxId};
use crate::undo::OpenState;
use hexalog_protocol::{Lsn, PAGE_SIZE};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Longest identifier, as in PostgreSQL.
pub const IDENTIFIER_BYTES_MAX: usize = 199;

/// Locks of one undo record, which shares its page with others'.
const LOCKS_PER_RECORD: usize = 200;
const _: () = assert!(2 * LOCKS_PER_RECORD * LOCK_BYTES_MAX < PAGE_SIZE - RECORDS_START);

/// Records of locks in one call before others get their turn: some 500 us.
const RECORDS_PER_CALL: usize = 32;

/// No session: its locks are shown without one.
pub(crate) const NO_PROCESS: i32 = 0;

/// What a transaction is prepared as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preparation {
    /// What it is ended by: at most [`IDENTIFIER_BYTES_MAX`] bytes.
    pub identifier: String,
    /// The role that prepares it.
    pub owner: u32,
    /// Where.
    pub database: u32,
    /// When, in microseconds since 2000-01-01 UTC.
    pub prepared_us: i64,
}

/// A transaction that waits for COMMIT PREPARED or ROLLBACK PREPARED.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreparedTransaction {
    /// Names it as long as the volume lives, which its identifier does not.
    pub tx_id: TxId,
    /// As the locks that it holds are shown.
    pub lock_owner: u64,
    /// What it was prepared as.
    pub preparation: Preparation,
}

struct Held {
    tx_id: TxId,
    lock_owner: u64,
    preparation: Preparation,
    /// Locked by the one who ends it; `None`: it has ended.
    transaction: Arc<Mutex<Option<Transaction>>>,
}

#[derive(Default)]
struct Table {
    held: BTreeMap<String, Held>,
    /// Identifiers of those that are being prepared.
    reserved: BTreeSet<String>,
    /// The last of those that have come or gone, in the log.
    changed: Lsn,
}

/// The prepared transactions of one engine.
#[derive(Default)]
pub(crate) struct PreparedTransactions(Mutex<Table>);

impl PreparedTransactions {
    pub fn len(&self) -> usize {
        self.0.lock().held.len()
    }

    fn reserve(&self, identifier: &str, transactions_max: usize) -> Result<(), EngineError> {
        let mut table = self.0.lock();
        if table.held.contains_key(identifier) || table.reserved.contains(identifier) {
            return Err(EngineError::IdentifierInUse);
        }
        if table.held.len() + table.reserved.len() >= transactions_max {
            return Err(EngineError::TooManyPrepared);
        }
        table.reserved.insert(identifier.to_owned());
        Ok(())
    }

    /// A transaction that was to be prepared is not.
    pub fn give_up(&self, identifier: &str) {
        let was_reserved = self.0.lock().reserved.remove(identifier);
        assert!(was_reserved, "an identifier is given up once");
    }

    pub fn is_known(&self, identifier: &str) -> bool {
        self.0.lock().held.contains_key(identifier)
    }

    /// A transaction leaves its session, prepared at this place in the log.
    fn add(&self, preparation: Preparation, transaction: Transaction, at: Lsn) {
        let tx_id = transaction.tx_id.expect("a prepared transaction has a header");
        let identifier = preparation.identifier.clone();
        let lock_owner = transaction.handle;
        let held =
            Held { tx_id, lock_owner, preparation, transaction: Arc::new(Mutex::new(Some(transaction))) };
        let mut table = self.0.lock();
        table.reserved.remove(&identifier);
        table.changed = table.changed.max(at);
        let before = table.held.insert(identifier, held);
        assert!(before.is_none(), "identifiers are reserved");
    }

    fn find(&self, which: &PreparedTransaction) -> Result<Arc<Mutex<Option<Transaction>>>, EngineError> {
        let table = self.0.lock();
        let held = table.held.get(&which.preparation.identifier);
        let held = held.filter(|held| held.tx_id == which.tx_id).ok_or(EngineError::NoSuchPrepared)?;
        Ok(Arc::clone(&held.transaction))
    }

    /// It has ended, at this place in the log.
    fn remove(&self, which: &PreparedTransaction, at: Lsn) {
        let mut table = self.0.lock();
        table.changed = table.changed.max(at);
        let removed = table.held.remove(&which.preparation.identifier);
        assert!(removed.is_some_and(|held| held.tx_id == which.tx_id), "it is ended by one");
    }

    fn list(&self) -> Vec<PreparedTransaction> {
        let table = self.0.lock();
        let public = |held: &Held| {
            let Held { tx_id, lock_owner, preparation, .. } = held;
            PreparedTransaction { tx_id: *tx_id, lock_owner: *lock_owner, preparation: preparation.clone() }
        };
        table.held.values().map(public).collect()
    }
}

/// A PREPARE TRANSACTION under way. Dropped with a transaction that is aborted meanwhile.
#[derive(Debug)]
pub(crate) struct Preparing {
    preparation: Preparation,
    locks: Vec<HeldLock>,
    /// How many of the locks are in the log.
    written: usize,
    /// Where the first record of locks stands.
    locks_offset: Option<u64>,
    is_identifier_written: bool,
}

impl Preparing {
    pub fn identifier(&self) -> &str {
        &self.preparation.identifier
    }
}

impl Engine {
    /// Prepares a transaction and takes it from its session, whose locks for the transaction go with it. Returns its id, and the LSN
    /// that VDL must reach before the client is told. After an error the caller aborts. At most `transactions_max` are prepared at once,
    /// and no more than leave half of the undo streams to others.
    pub fn prepare(
        &self,
        txn: &mut Transaction,
        advisory: &mut AdvisoryLocks,
        preparation: &Preparation,
        transactions_max: usize,
    ) -> Step<(TxId, Lsn)> {
        let _call = Call::enter();
        txn.assert_active();
        if txn.preparing.is_none() {
            self.begin_to_prepare(txn, advisory, preparation, transactions_max)?;
        }
        self.take_stream(txn)?;
        for _ in 0..RECORDS_PER_CALL {
            if self.operate(txn, |access, txn| access.append_preparing(txn))? {
                let lsn = self.operate(txn, |access, txn| access.append_prepared(txn))?;
                return Ok((self.leave_session(txn, advisory, lsn), lsn));
            }
        }
        Err(Need::Yield.into())
    }

    fn begin_to_prepare(
        &self,
        txn: &mut Transaction,
        advisory: &AdvisoryLocks,
        preparation: &Preparation,
        transactions_max: usize,
    ) -> Step<()> {
        assert!(txn.rollback_position.is_none(), "a rollback to a savepoint comes to its end first");
        assert!(!advisory.holds_one_twice(), "refused by the caller");
        assert!(preparation.identifier.len() <= IDENTIFIER_BYTES_MAX, "refused by the caller");
        self.check_fenced()?;
        if self.volume.is_full() {
            return Err(EngineError::StorageFull.into());
        }
        self.drop_parked(std::mem::take(&mut txn.parked_pins));
        self.give_back_turn(txn);
        self.prepared.reserve(&preparation.identifier, transactions_max.min(self.prepared_most()))?;
        txn.commit_with_next_write = false;
        txn.preparing = Some(Box::new(Preparing {
            preparation: preparation.clone(),
            locks: self.held_locks(txn, advisory),
            written: 0,
            locks_offset: None,
            is_identifier_written: false,
        }));
        Ok(())
    }

    /// All that the transaction holds and that is not in its rows.
    fn held_locks(&self, txn: &Transaction, advisory: &AdvisoryLocks) -> Vec<HeldLock> {
        let mut relations: BTreeMap<u32, u8> = BTreeMap::new();
        for (relation, mode) in &txn.relations {
            *relations.entry(*relation).or_default() |= mode;
        }
        let rows: BTreeSet<u64> = txn.row_locks.iter().map(|(hash, _)| *hash).collect();
        let rows = self.locks.row_modes(txn.handle, &rows.into_iter().collect::<Vec<u64>>());
        let mut locks: Vec<HeldLock> = Vec::new();
        locks.extend(relations.into_iter().map(|(relation, modes)| HeldLock::Relation(relation, modes)));
        locks.extend(rows.into_iter().map(|(hash, mode)| HeldLock::Row(hash, mode)));
        locks.extend(advisory.of_transaction().iter().map(|(key, mode)| HeldLock::Advisory(*key, *mode)));
        locks
    }

    /// The transaction is prepared: what is left to its session is one that has ended.
    fn leave_session(&self, txn: &mut Transaction, advisory: &mut AdvisoryLocks, at: Lsn) -> TxId {
        let preparing = txn.preparing.take().expect("it was being prepared");
        self.release_snapshot(txn);
        self.drop_parked(std::mem::take(&mut txn.parked_pins));
        self.give_back_turn(txn);
        txn.set_process_id(NO_PROCESS);
        let relations: BTreeSet<u32> = txn.relations.iter().map(|(relation, _)| *relation).collect();
        let owner = Owner { handle: txn.handle, process_id: NO_PROCESS };
        for relation in relations {
            self.locks.hand_object_over(LockedObject::Relation(relation), txn.handle, owner);
        }
        self.hand_advisory_over(txn, advisory);
        (txn.undo_buffer, txn.body_buffer) = (Vec::new(), Vec::new());
        let mut ended = self.begin(txn.isolation(), txn.is_read_only());
        ended.state = State::Ended;
        ended.pages_used = txn.pages_used;
        let tx_id = txn.tx_id.expect("a prepared transaction has a header");
        self.locks.stream_is_prepared(tx_id.stream());
        self.prepared.add(preparing.preparation, std::mem::replace(txn, ended), at);
        tx_id
    }

    /// As many may be prepared at once, whatever is asked for: half of the undo streams are left to others.
    pub fn prepared_most(&self) -> usize {
        usize::from(self.streams().count() / 2)
    }

    /// The prepared transactions, in the order of their identifiers.
    pub fn prepared_transactions(&self) -> Vec<PreparedTransaction> {
        let _call = Call::enter();
        self.prepared.list()
    }

    /// What a client is told of which transactions are prepared and which are not, looked at before this, rests on this LSN: one
    /// that has ended is prepared again should its end be lost.
    pub fn prepared_changed(&self) -> Lsn {
        let _call = Call::enter();
        self.prepared.0.lock().changed
    }

    /// The transaction has looked at [`Engine::prepared_transactions`].
    pub fn note_prepared_seen(&self, txn: &mut Transaction) {
        txn.depends_on(self.prepared_changed(), self.volume.vdl());
    }

    /// COMMIT PREPARED. Returns the LSN that VDL must reach before the client is told.
    pub fn commit_prepared(&self, which: &PreparedTransaction) -> Step<Lsn> {
        let _call = Call::enter();
        let held = self.prepared.find(which)?;
        let mut held = held.try_lock().ok_or(EngineError::PreparedBusy)?;
        let txn = held.as_mut().ok_or(EngineError::NoSuchPrepared)?;
        // What it waits for is told to no session of its own: it keeps no pins.
        let lsn = self.operate_alone(|access| access.append_commit(txn))?;
        self.release(txn);
        self.prepared.remove(which, lsn);
        *held = None;
        Ok(lsn)
    }

    /// ROLLBACK PREPARED. Returns the LSN that VDL must reach before the client is told.
    pub fn rollback_prepared(&self, which: &PreparedTransaction) -> Step<Lsn> {
        let _call = Call::enter();
        let held = self.prepared.find(which)?;
        let mut held = held.try_lock().ok_or(EngineError::PreparedBusy)?;
        let txn = held.as_mut().ok_or(EngineError::NoSuchPrepared)?;
        let lsn = self.operate_alone(|access| access.append_aborting(txn))?;
        let (tx_id, records) = (which.tx_id, txn.undo_records);
        self.release(txn);
        self.prepared.remove(which, lsn);
        *held = None;
        self.undo_aborted(tx_id, records);
        Ok(lsn)
    }
}

impl Access<'_> {
    /// Writes the next record of those that say what is prepared. True: all are there.
    fn append_preparing(&mut self, txn: &mut Transaction) -> Step<bool> {
        let preparing = txn.preparing.as_ref().expect("it is being prepared");
        if preparing.is_identifier_written {
            return Ok(true);
        }
        let end = preparing.locks.len().min(preparing.written + LOCKS_PER_RECORD);
        let locks = &preparing.locks[preparing.written..end];
        let mut record = Vec::new();
        let is_last = locks.is_empty();
        match is_last {
            true => self.encode_identifier(txn, preparing, &mut record),
            false => encode_locks(&mut record, locks),
        }
        let mut mini = MiniTransaction::begin(self.engine)?;
        let place = self.prepare_undo(&mut mini, txn, record.len())?;
        mini.write(place.slot(), byte_of(place.offset), &record);
        self.commit_write(mini, txn, &place, false)?;
        let preparing = txn.preparing.as_mut().expect("as before");
        preparing.written = end;
        preparing.is_identifier_written = is_last;
        preparing.locks_offset.get_or_insert(place.offset);
        Ok(is_last)
    }

    fn encode_identifier(&self, txn: &Transaction, preparing: &Preparing, record: &mut Vec<u8>) {
        let Preparation { identifier, owner, database, prepared_us } = &preparing.preparation;
        let header = || txn.tx_id.expect("its locks are written").offset();
        let locks_distance = preparing.locks_offset.map_or(0, |offset| offset - header());
        let prepared = PreparedRecord {
            is_serializable: txn.is_watched && !txn.is_read_only_to_its_end(),
            prepared_us: *prepared_us,
            owner: *owner,
            database: *database,
            locks_distance,
            identifier,
        };
        encode_prepared(record, &prepared);
    }

    /// The one byte that prepares the transaction.
    fn append_prepared(&mut self, txn: &mut Transaction) -> Step<Lsn> {
        let tx_id = txn.tx_id.expect("its identifier is written");
        let page = self.exclusive(txn.header_page)?;
        let mut mini = MiniTransaction::begin(self.engine)?;
        let slot = mini.add(page);
        mini.write(slot, byte_of(tx_id.offset()) + HEADER_STATE, &[STATE_PREPARED]);
        let committing = self.engine.serializable.begin_commit(txn)?;
        let lsn = mini.commit(&mut |_, _| {});
        if let Some(committing) = committing {
            committing.prepare(lsn);
        }
        Ok(lsn)
    }

    /// The one byte that makes a prepared transaction one that is undone.
    fn append_aborting(&mut self, txn: &mut Transaction) -> Step<Lsn> {
        let tx_id = txn.tx_id.expect("a prepared transaction has a header");
        let engine = self.engine;
        let page = self.exclusive(txn.header_page)?;
        let mut mini = MiniTransaction::begin(engine)?;
        let slot = mini.add(page);
        mini.write(slot, byte_of(tx_id.offset()) + HEADER_STATE, &[STATE_ABORTING]);
        let lsn = mini.commit(&mut |_, _| {
            let mut stream = engine.streams().stream(tx_id.stream()).lock();
            let open = stream.open.as_mut().expect("a prepared transaction is open");
            assert_eq!((open.offset, open.state), (tx_id.offset(), OpenState::InProgress));
            open.state = OpenState::Undoing;
        });
        engine.counters.aborts.fetch_add(1, Ordering::Relaxed);
        Ok(lsn)
    }
}
