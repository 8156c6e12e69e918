//! The volume client as the driver's handle has it in production: [`SharedClient`] in the world.
//!
//! Owns the client behind a lock, what it told last, and whether another turn is wanted. Beyond that it keeps a journal of
//! what the engine appended and asked for, which the world takes into its model; the engine cannot see it.

use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, PageId};
use hexalog_volume::shared::Told;
use hexalog_volume::{Client, SharedClient};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One record as it was appended.
pub struct AppendedRecord {
    /// Its LSN.
    pub lsn: Lsn,
    /// The page it changes.
    pub page: PageId,
    /// The page's record before it.
    pub backlink: Lsn,
    /// Encoded operations.
    pub operations: Vec<u8>,
}

/// What the engine did since the world looked last.
#[derive(Default)]
pub struct Journal {
    /// Mini-transactions in LSN order.
    pub appended: Vec<Vec<AppendedRecord>>,
    /// Pages asked for, with the read point given.
    pub fetched: Vec<(PageId, Lsn)>,
}

struct Shared {
    client: Mutex<Client>,
    told: Told,
    is_kicked: AtomicBool,
    journal: Mutex<Journal>,
}

/// The client, shared by the world (events) and the engine (calls). Cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Around a client that has begun to open.
    pub fn new(client: Client) -> Handle {
        Handle(Arc::new(Shared {
            told: Told::new(&client),
            client: Mutex::new(client),
            is_kicked: AtomicBool::new(false),
            journal: Mutex::default(),
        }))
    }

    /// Whether a turn is wanted since this was asked last.
    pub fn take_kick(&self) -> bool {
        self.0.is_kicked.swap(false, Ordering::AcqRel)
    }

    /// What the engine did since the last call.
    pub fn take_journal(&self) -> Journal {
        std::mem::take(&mut self.journal())
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.0.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedClient for Handle {
    type Locked<'a> = MutexGuard<'a, Client>;

    fn client(&self) -> MutexGuard<'_, Client> {
        self.0.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> &Told {
        &self.0.told
    }

    fn kick(&self) {
        self.0.is_kicked.store(true, Ordering::Release);
    }

    fn append(&self, mtr: &mut Mtr, reserved: (u32, u32), publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        let last = self.client().append(mtr, reserved, publish);
        let first = Lsn(last.0 + 1 - mtr.records().len() as u64);
        let records = mtr.records().iter().enumerate().map(|(index, record)| AppendedRecord {
            lsn: first.plus(index as u64),
            page: record.page,
            backlink: record.page_backlink,
            operations: mtr.operations_of(record).to_vec(),
        });
        self.journal().appended.push(records.collect());
        last
    }

    fn read(&self, page: PageId, read_point: Lsn) {
        self.journal().fetched.push((page, read_point));
        self.client().read(page, read_point);
        self.kick();
    }
}
