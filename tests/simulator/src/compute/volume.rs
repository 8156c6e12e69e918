//! The engine's [`Volume`] over the volume client, as the driver's handle is in production.
//!
//! Owns what the driver owns between the two: the client behind a lock, VDL as it was last told, and whether another
//! turn is wanted. Beyond that it keeps a journal of what the engine appended and asked for, which the world takes
//! into its model; the engine cannot see it.

use hexalog_engine::{LogFull, Reservation, ReservationLedger, Volume};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::message::Room;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, PageId, VolumeEpoch, VolumeId};
use hexalog_volume::Client;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// The client, shared by the world (events) and the engine (calls).
pub struct SharedClient {
    client: Mutex<Client>,
    vdl: AtomicU64,
    is_kicked: AtomicBool,
    journal: Mutex<Journal>,
}

impl SharedClient {
    /// Around a client that has begun to open.
    pub fn new(client: Client) -> Arc<SharedClient> {
        Arc::new(SharedClient {
            vdl: AtomicU64::new(client.vdl().0),
            client: Mutex::new(client),
            is_kicked: AtomicBool::new(false),
            journal: Mutex::default(),
        })
    }

    /// The client itself.
    pub fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// VDL as the driver would have told the engine.
    pub fn vdl(&self) -> Lsn {
        Lsn(self.vdl.load(Ordering::Acquire))
    }

    /// The client has told a new VDL.
    pub fn set_vdl(&self, vdl: Lsn) {
        let before = self.vdl.swap(vdl.0, Ordering::AcqRel);
        assert!(before <= vdl.0, "VDL never falls within a run");
    }

    /// Whether a turn is wanted since this was asked last.
    pub fn take_kick(&self) -> bool {
        self.is_kicked.swap(false, Ordering::AcqRel)
    }

    /// A turn is wanted.
    pub fn kick(&self) {
        self.is_kicked.store(true, Ordering::Release);
    }

    /// What the engine did since the last call.
    pub fn take_journal(&self) -> Journal {
        std::mem::take(&mut self.journal.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Ledger(Arc<SharedClient>);

impl ReservationLedger for Ledger {
    fn give_back(&self, records: u32, bytes: u32) {
        self.0.client().unreserve(records, bytes);
    }
}

/// The engine's view of an open volume.
pub struct ComputeVolume {
    shared: Arc<SharedClient>,
    ledger: Arc<dyn ReservationLedger>,
    volume: VolumeId,
    geometry: Geometry,
    epoch: VolumeEpoch,
}

impl ComputeVolume {
    /// Over a volume that was opened under `epoch`.
    pub fn new(shared: &Arc<SharedClient>, epoch: VolumeEpoch) -> ComputeVolume {
        let (volume, geometry) = {
            let client = shared.client();
            (client.config().volume, client.config().geometry)
        };
        let ledger = Arc::new(Ledger(Arc::clone(shared)));
        ComputeVolume { shared: Arc::clone(shared), ledger, volume, geometry, epoch }
    }
}

impl Volume for ComputeVolume {
    fn volume_id(&self) -> VolumeId {
        self.volume
    }

    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn writer_epoch(&self) -> VolumeEpoch {
        self.epoch
    }

    fn vdl(&self) -> Lsn {
        self.shared.vdl()
    }

    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull> {
        if self.shared.client().reserve(records, bytes).is_err() {
            self.shared.kick();
            return Err(LogFull);
        }
        Ok(Reservation::new(records, bytes, Arc::clone(&self.ledger)))
    }

    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        let last = self.shared.client().append(mtr, reservation.consume(), publish);
        let first = Lsn(last.0 + 1 - mtr.records().len() as u64);
        let records = mtr.records().iter().enumerate().map(|(index, record)| AppendedRecord {
            lsn: first.plus(index as u64),
            page: record.page,
            backlink: record.page_backlink,
            operations: mtr.operations_of(record).to_vec(),
        });
        self.shared.journal().appended.push(records.collect());
        last
    }

    fn is_full(&self) -> bool {
        self.shared.client().room() == Room::Full
    }

    fn seal_through(&self, lsn: Lsn) {
        if lsn > self.shared.vdl() {
            self.shared.client().want(lsn);
            self.shared.kick();
        }
    }

    fn fetch(&self, page: PageId, read_point: Lsn) {
        self.shared.journal().fetched.push((page, read_point));
        self.shared.client().read(page, read_point);
        self.shared.kick();
    }

    fn set_purge_horizon(&self, horizon: Lsn) {
        assert!(horizon <= self.shared.vdl(), "the purge horizon stays at or below VDL");
    }
}
