//! Joins the engine and the volume driver: the engine's [`Volume`] over a driver [`Handle`], and the driver's
//! [`Listener`] over an [`Engine`].
//!
//! Owns nothing but the two references. Start with [`EngineVolume::new`], give the engine to
//! [`EngineListener::set_engine`] before the volume is opened.

use hexalog_engine::Engine;
use hexalog_engine::volume::{FetchFailure, LogFull, Reservation, ReservationLedger, Volume};
use hexalog_protocol::geometry::Geometry;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::mtr::Mtr;
use hexalog_protocol::{Lsn, Page, PageId, VolumeEpoch, VolumeId};
use hexalog_volume::effects::ReadFailure;
use hexalog_volume_driver::{Handle, Listener};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::oneshot;

/// The engine's view of an open volume.
pub struct EngineVolume {
    handle: Handle,
    ledger: Arc<dyn ReservationLedger>,
    volume: VolumeId,
    geometry: Geometry,
    epoch: VolumeEpoch,
}

struct Ledger(Handle);

impl ReservationLedger for Ledger {
    fn give_back(&self, records: u32, bytes: u32) {
        self.0.unreserve(records, bytes);
    }
}

impl EngineVolume {
    /// Over a volume that `writer` opens; appends are taken once it is open.
    pub fn new(handle: Handle, writer: WriterId) -> EngineVolume {
        let (volume, geometry) = {
            let client = handle.client();
            (client.config().volume, client.config().geometry)
        };
        let ledger = Arc::new(Ledger(handle.clone()));
        EngineVolume { handle, ledger, volume, geometry, epoch: writer.epoch }
    }
}

impl Volume for EngineVolume {
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
        self.handle.vdl()
    }

    fn reserve(&self, records: u32, bytes: u32) -> Result<Reservation, LogFull> {
        self.handle.reserve(records, bytes).map_err(|_| LogFull)?;
        Ok(Reservation::new(records, bytes, Arc::clone(&self.ledger)))
    }

    fn append(&self, mtr: &mut Mtr, reservation: Reservation, publish: &mut dyn FnMut(Lsn, Lsn)) -> Lsn {
        self.handle.append(mtr, reservation.consume(), publish)
    }

    fn seal_through(&self, lsn: Lsn) {
        self.handle.want(lsn);
    }

    fn is_full(&self) -> bool {
        self.handle.is_full()
    }

    fn fetch(&self, page: PageId, read_point: Lsn) {
        self.handle.read(page, read_point);
    }

    fn set_purge_horizon(&self, _horizon: Lsn) {
        // Row versions go back by undo: the horizon bounds the engine's own purge. Storage collects page versions by
        // PGMRPL, which the volume client derives from the fetches under way.
    }
}

/// Tells the engine what the volume does.
#[derive(Default)]
pub struct EngineListener {
    engine: OnceLock<Arc<Engine>>,
    /// Who waits for the first page before there is an engine.
    probe: Mutex<Option<oneshot::Sender<Result<(), ReadFailure>>>>,
}

impl EngineListener {
    /// Without an engine yet: what comes before it is dropped, and nothing comes that an engine would need.
    pub fn new() -> Arc<EngineListener> {
        Arc::new(EngineListener::default())
    }

    /// Whether nothing was ever written to the volume: its first page has no record. To be asked once it is open
    /// and before it has an engine. `None`: fenced or closed meanwhile.
    pub async fn is_empty_volume(&self, handle: &Handle) -> Option<bool> {
        assert!(self.engine.get().is_none(), "page answers go to the engine once there is one");
        let (answer_in, answer) = oneshot::channel();
        *self.probe.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer_in);
        handle.read(PageId(0), handle.vdl());
        match answer.await.ok()? {
            Ok(()) => Some(false),
            Err(ReadFailure::NeverWritten) => Some(true),
            Err(ReadFailure::Fenced) => None,
        }
    }

    /// Who is told from now on.
    pub fn set_engine(&self, engine: Arc<Engine>) {
        let was_unset = self.engine.set(engine).is_ok();
        assert!(was_unset, "a volume has one engine");
    }
}

/// What is handed to [`hexalog_volume_driver::drive`].
pub struct ListenerHandle(pub Arc<EngineListener>);

impl Listener for ListenerHandle {
    fn page(&self, page: PageId, _read_point: Lsn, image: Result<Page, ReadFailure>) {
        if let Some(engine) = self.0.engine.get() {
            engine.page_loaded(
                page,
                image.map_err(|failure| match failure {
                    ReadFailure::NeverWritten => FetchFailure::NeverWritten,
                    ReadFailure::Fenced => FetchFailure::Closed,
                }),
            );
            return;
        }
        let probe = self.0.probe.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(probe) = probe {
            // Whoever asked may have given up.
            let _ = probe.send(image.map(|_| ()));
        }
    }

    fn vdl_advanced(&self, vdl: Lsn) {
        if let Some(engine) = self.0.engine.get() {
            engine.vdl_advanced(vdl);
        }
    }

    fn log_space_freed(&self) {
        if let Some(engine) = self.0.engine.get() {
            engine.log_space_freed();
        }
    }

    fn fenced(&self, _by: WriterId) {
        if let Some(engine) = self.0.engine.get() {
            engine.fenced();
        }
    }

    fn log(&self, text: &str) {
        eprintln!("volume: {text}");
    }
}
