//! Tells the engine what the volume driver tells: the driver's [`Listener`] over an [`Engine`].
//!
//! Owns the time before there is an engine, when one page is asked for to learn whether the volume was ever written to.
//! The other direction is `compute-shim/engine-volume`.

use hexalog_engine::Engine;
use hexalog_engine_volume::fetch_failure;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::{Lsn, NodeId, Page, PageId};
use hexalog_volume::SharedClient;
use hexalog_volume::effects::ReadFailure;
use hexalog_volume_driver::{Handle, Listener};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::oneshot;

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
    fn page(&self, page: PageId, read_point: Lsn, image: Result<Page, ReadFailure>, from: Option<NodeId>) {
        if let Some(engine) = self.0.engine.get() {
            engine.page_loaded(page, read_point, image.map_err(fetch_failure), from);
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
