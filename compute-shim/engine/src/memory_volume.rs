//! A volume in memory, for the tests of the engine and of the layers above it.

use crate::engine::Engine;
use crate::error::{EngineError, Need, Step};
use crate::volume::{LogFull, Reservation, Volume};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, PageId, VolumeEpoch, VolumeId};
use std::sync::Arc;

/// Keeps log and page versions in memory; can hold back VDL, delay fetches and crash.
pub struct MemoryVolume {
    geometry: Geometry,
}

#[expect(unused_variables, reason = "bodies follow")]
impl MemoryVolume {
    /// An empty volume of `geometry` with room for 65,536 records beyond VDL.
    pub fn new(geometry: Geometry) -> Arc<MemoryVolume> {
        Arc::new(MemoryVolume { geometry })
    }

    /// Delivers what is outstanding (page images, VDL unless held back) to the engine.
    pub fn pump(&self, engine: &Engine) {
        unimplemented!()
    }

    /// Calls `step` until it returns something else than a need, pumping this volume in between. Panics if a
    /// need cannot be met that way (a lock held by another transaction).
    pub fn run<T>(&self, engine: &Engine, step: impl FnMut() -> Step<T>) -> Result<T, EngineError> {
        unimplemented!()
    }

    /// Pumps until the need is met; false if it cannot be met by pumping.
    pub fn satisfy(&self, engine: &Engine, need: &Need) -> bool {
        unimplemented!()
    }

    /// While on, VDL stays where it is.
    pub fn hold_vdl(&self, hold: bool) {
        unimplemented!()
    }

    /// Kills the writer: a volume that kept only the whole mini-transactions at or below VDL, opened anew
    /// with the next epoch above a truncation range.
    pub fn crash_and_reopen(&self) -> Arc<MemoryVolume> {
        unimplemented!()
    }
}

#[expect(unused_variables, reason = "bodies follow")]
impl Volume for MemoryVolume {
    fn volume_id(&self) -> VolumeId {
        VolumeId([7; 16])
    }
    fn geometry(&self) -> Geometry {
        self.geometry
    }
    fn writer_epoch(&self) -> VolumeEpoch {
        unimplemented!()
    }
    fn vdl(&self) -> Lsn {
        unimplemented!()
    }
    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull> {
        unimplemented!()
    }
    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        unimplemented!()
    }
    fn seal_through(&self, lsn: Lsn) {
        unimplemented!()
    }
    fn fetch(&self, page: PageId, read_point: Lsn) {
        unimplemented!()
    }
    fn set_purge_horizon(&self, horizon: Lsn) {
        unimplemented!()
    }
}
