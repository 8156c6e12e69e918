//! Joins the engine and the volume client, which know nothing of each other: the engine's [`Volume`] over a
//! [`SharedClient`], and the client's answers in the engine's words.
//!
//! Owns no state beyond what is fixed while the volume is open. A core: the server runs it over the tokio driver's handle,
//! the simulator over its own. Why a crate of its own: `docs/decisions/0003-volume-adapter.md`.

use hexalog_engine::{FetchFailure, LogFull, Reservation, ReservationLedger, Volume};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, PageId, VolumeEpoch, VolumeId};
use hexalog_volume::SharedClient;
use hexalog_volume::effects::ReadFailure;
use std::sync::Arc;

/// The engine's view of a volume.
pub struct EngineVolume<C> {
    client: C,
    ledger: Arc<dyn ReservationLedger>,
    volume: VolumeId,
    geometry: Geometry,
    epoch: VolumeEpoch,
}

struct Ledger<C>(C);

impl<C: SharedClient + Send + Sync> ReservationLedger for Ledger<C> {
    fn give_back(&self, records: u32, bytes: u32) {
        self.0.unreserve(records, bytes);
    }
}

impl<C: SharedClient + Clone + Send + Sync + 'static> EngineVolume<C> {
    /// Over a volume that a writer of this epoch opens; appends are taken once it is open.
    pub fn new(client: C, epoch: VolumeEpoch) -> EngineVolume<C> {
        let (volume, geometry) = {
            let locked = client.client();
            (locked.config().volume, locked.config().geometry)
        };
        let ledger = Arc::new(Ledger(client.clone()));
        EngineVolume { client, ledger, volume, geometry, epoch }
    }
}

impl<C: SharedClient + Send + Sync> Volume for EngineVolume<C> {
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
        self.client.vdl()
    }

    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull> {
        self.client.reserve(records, bytes).map_err(|_| LogFull)?;
        Ok(Reservation::new(records, bytes, Arc::clone(&self.ledger)))
    }

    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        self.client.append(mtr, reservation.consume(), publish)
    }

    fn seal_through(&self, lsn: Lsn) {
        self.client.want(lsn);
    }

    fn is_full(&self) -> bool {
        self.client.is_full()
    }

    fn fetch(&self, page: PageId, read_point: Lsn) {
        self.client.read(page, read_point);
    }

    /// Row versions go back by undo: the horizon bounds the engine's own purge. Storage collects page versions by PGMRPL,
    /// which the volume client derives from the fetches under way.
    fn set_purge_horizon(&self, horizon: Lsn) {
        assert!(horizon <= self.client.vdl(), "the purge horizon stays at or below VDL");
    }
}

/// What the engine is told when a page does not come.
pub fn fetch_failure(failure: ReadFailure) -> FetchFailure {
    match failure {
        ReadFailure::NeverWritten => FetchFailure::NeverWritten,
        ReadFailure::Fenced => FetchFailure::Closed,
    }
}
