//! Why an engine call stopped: it waits for something ([`Need`]) or it failed ([`EngineError`]).
//!
//! Owns the two enums and their SQLSTATEs. A [`Need`] is small and cheap to clone; whoever gets one waits
//! with [`crate::Engine::poll_need`] and calls again with the same arguments. Read `waiting` next.

use crate::io_wait::IoWait;
use crate::page_file::FileError;
use crate::serializable::Cycle;
use hexalog_protocol::{Lsn, PageId};
use std::fmt;

/// What every engine call returns: the answer, or why there is none yet or ever.
pub type Step<T> = Result<T, Stop>;

/// Why a call did not return its answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Nothing has changed; wait for this, then call again with the same arguments.
    Need(Need),
    /// Nothing has changed and calling again will not help.
    Fail(EngineError),
}

impl From<Need> for Stop {
    fn from(need: Need) -> Stop {
        Stop::Need(need)
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        Stop::Fail(error)
    }
}

/// Names one wait in a lock or stream queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WaitTicket(pub(crate) u64);

/// The short list of things that a transaction can wait for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// A page is being fetched. `ticket` names the pins that the operation keeps meanwhile (zero: none).
    Page {
        /// The page on its way.
        page: PageId,
        /// Pins held for the retry.
        ticket: u64,
    },
    /// A row, unique key or relation is locked by another transaction.
    Lock(WaitTicket),
    /// Every undo stream has an open transaction.
    Stream(WaitTicket),
    /// VDL must reach this LSN.
    Durable(Lsn),
    /// The log is LAL ahead of VDL; this much room is wanted.
    LogSpace {
        /// Records that could not be reserved.
        records: u32,
        /// Bytes that could not be reserved.
        bytes: u32,
    },
    /// Every frame of the cache is pinned, loading, or newer than VDL. `progress` tells a stale wait from a
    /// fresh one.
    Frame {
        /// The cache's progress count when the frame was wanted.
        progress: u64,
    },
    /// No page is free, and purge has some to give. (Where it has not the call fails with [`EngineError::VolumeFull`]:
    /// volumes have a fixed size yet.)
    Grow {
        /// Pages that had ever been given back when one was wanted.
        freed: u64,
    },
    /// Enough work was done in one call: let others run, then go on.
    Yield,
    /// A temporary file is being written or read. Of engines only one of a volume without a log returns it.
    Spill(IoWait),
    /// A deferrable serializable transaction waits for a safe snapshot.
    SafeSnapshot {
        /// Serializable transactions that had ever ended.
        ends: u64,
    },
}

/// Why a call failed for good. [`EngineError::sqlstate`] gives the SQLSTATE of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EngineError {
    /// 23505: a live row or index entry has the key.
    DuplicateKey,
    /// 40001: with one snapshot for all statements, the row was changed by a transaction that committed after the snapshot.
    SerializationFailure,
    /// 40001: the same of a row that such a transaction has deleted, when it is to be written.
    DeletedSince,
    /// 40001: under SERIALIZABLE, what the transaction and concurrent ones have read and written could not have come of one
    /// after the other.
    NotSerializable(Cycle),
    /// 55P03: another transaction is in the way of a lock that was not to be waited for.
    LockNotAvailable,
    /// 53200: the lock table is full.
    TooManyRowLocks,
    /// 40P01: this wait would close a cycle of waits.
    Deadlock,
    /// 53100: no page is free, and none will be by itself: open transactions and snapshots hold what could be given back.
    VolumeFull,
    /// 53100: the storage daemons are all but full, and what is written would take space.
    StorageFull,
    /// 54000: key (index key and primary key together) above [`crate::KEY_BYTES_MAX`].
    KeyTooLong {
        /// The key's length.
        bytes: usize,
    },
    /// 54000: key and row together above [`crate::CELL_BYTES_MAX`].
    RowTooLarge {
        /// The row's length, key included.
        bytes: usize,
    },
    /// 57P01: another writer has opened the volume; this one can never write again.
    Fenced,
    /// 25006: a write in a read-only transaction.
    ReadOnly,
    /// XX001: a page does not hold what it must.
    Corrupt {
        /// The damaged page.
        page: PageId,
        /// What was wrong.
        what: &'static str,
    },
    /// The file of pages that have left the cache of a volume without a log.
    TemporaryFile(FileError),
    /// 0A000: not supported; names the feature.
    Unsupported(&'static str),
    /// 53300: every snapshot slot is taken.
    TooManySnapshots,
    /// 42710: a prepared transaction has this identifier.
    IdentifierInUse,
    /// 53400: as many transactions are prepared as may be.
    TooManyPrepared,
    /// 42704: no prepared transaction has this identifier.
    NoSuchPrepared,
    /// 55000: another session is ending the prepared transaction.
    PreparedBusy,
    /// 2200H: the sequence has reached its bound and does not cycle.
    SequenceExhausted,
    /// 22003: `setval` outside the sequence's bounds.
    SequenceOutOfBounds,
    /// 55000: the volume's format is newer than this program, or `open` came before `create`.
    WrongFormat(&'static str),
}

impl EngineError {
    /// The SQLSTATE that a client is told.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            EngineError::DuplicateKey => "23505",
            EngineError::SerializationFailure
            | EngineError::DeletedSince
            | EngineError::NotSerializable(_) => "40001",
            EngineError::LockNotAvailable => "55P03",
            EngineError::TooManyRowLocks => "53200",
            EngineError::Deadlock => "40P01",
            EngineError::VolumeFull | EngineError::StorageFull => "53100",
            EngineError::KeyTooLong { .. } | EngineError::RowTooLarge { .. } => "54000",
            EngineError::Fenced => "57P01",
            EngineError::ReadOnly => "25006",
            EngineError::Corrupt { .. } => "XX001",
            EngineError::TemporaryFile(error) => error.sqlstate(),
            EngineError::Unsupported(_) => "0A000",
            EngineError::TooManySnapshots => "53300",
            EngineError::IdentifierInUse => "42710",
            EngineError::TooManyPrepared => "53400",
            EngineError::NoSuchPrepared => "42704",
            EngineError::PreparedBusy => "55000",
            EngineError::SequenceExhausted => "2200H",
            EngineError::SequenceOutOfBounds => "22003",
            EngineError::WrongFormat(_) => "55000",
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::DuplicateKey => write!(f, "duplicate key value violates unique constraint"),
            EngineError::SerializationFailure => {
                write!(f, "could not serialize access due to concurrent update")
            }
            EngineError::DeletedSince => write!(f, "could not serialize access due to concurrent delete"),
            EngineError::NotSerializable(_) => {
                write!(f, "could not serialize access due to read/write dependencies among transactions")
            }
            EngineError::LockNotAvailable => write!(f, "could not obtain lock on row"),
            EngineError::TooManyRowLocks => write!(f, "too many row locks at once"),
            EngineError::Deadlock => write!(f, "deadlock detected"),
            EngineError::VolumeFull => write!(f, "the volume is full"),
            EngineError::StorageFull => write!(f, "could not write to storage: No space left on device"),
            EngineError::KeyTooLong { bytes } => {
                write!(f, "key of {bytes} bytes exceeds the maximum of {}", crate::KEY_BYTES_MAX)
            }
            EngineError::RowTooLarge { bytes } => {
                write!(f, "row of {bytes} bytes exceeds the maximum of {}", crate::CELL_BYTES_MAX)
            }
            EngineError::Fenced => write!(f, "another writer has opened the volume"),
            EngineError::ReadOnly => write!(f, "cannot write in a read-only transaction"),
            EngineError::Corrupt { page, what } => write!(f, "page {page} is damaged: {what}"),
            EngineError::TemporaryFile(error) => write!(f, "could not use a temporary file: {error:?}"),
            EngineError::Unsupported(what) => write!(f, "{what} is not supported"),
            EngineError::TooManySnapshots => write!(f, "too many transactions at once"),
            EngineError::IdentifierInUse => write!(f, "transaction identifier is already in use"),
            EngineError::TooManyPrepared => write!(f, "maximum number of prepared transactions reached"),
            EngineError::NoSuchPrepared => write!(f, "prepared transaction does not exist"),
            EngineError::PreparedBusy => write!(f, "prepared transaction is busy"),
            EngineError::SequenceExhausted => write!(f, "sequence has reached its bound"),
            EngineError::SequenceOutOfBounds => write!(f, "value is out of bounds for sequence"),
            EngineError::WrongFormat(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for EngineError {}
