//! Serving reads while the volume cannot be opened for writing.
//!
//! Opening for writing needs four of six members of every group, reading needs three. A compute that starts in between
//! serves reads at the highest VDL that any member has heard, refuses writes with 25006, and gives way to the writer
//! as soon as that is open: its sessions are told to come again (57P01).

use crate::compute::{
    ComputeError, ComputeOptions, database_options, engine_options, into_tokio, run_engine_step, run_sql_step,
};
use crate::control::{ServerControl, StopState};
use crate::engine_listener::{EngineListener, ListenerHandle};
use crate::listener::{ServerOptions, serve};
use crate::status::StatusSource;
use crate::temporary_files::TemporaryFiles;
use hexalog_engine::Engine;
use hexalog_engine_volume::EngineVolume;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::{Incarnation, VolumeEpoch};
use hexalog_sql::Database;
use hexalog_volume::Client;
use hexalog_volume::SharedClient;
use hexalog_volume::config::VolumeConfig;
use hexalog_volume_driver::{Handle, State, drive};
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// An opening for writing that takes longer than this misses members: an undisturbed one takes a few round trips and
/// durable writes.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Pause after a try to open for reading that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// What reading sessions get to end when the writer takes over.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// An instance that reads. Does nothing until the opening for writing has taken too long.
pub(crate) struct Reader {
    options: ComputeOptions,
    config: VolumeConfig,
    temporary_files: Arc<TemporaryFiles>,
    listener: TcpListener,
    control: Arc<ServerControl>,
    handle: Option<Handle>,
    serving: Option<JoinHandle<()>>,
}

impl Reader {
    pub(crate) fn new(
        options: &ComputeOptions,
        config: &VolumeConfig,
        temporary_files: &Arc<TemporaryFiles>,
        listener: &TcpListener,
    ) -> Result<Reader, ComputeError> {
        let listener = listener.try_clone();
        Ok(Reader {
            options: options.clone(),
            config: config.clone(),
            temporary_files: Arc::clone(temporary_files),
            listener: listener.map_err(|error| ComputeError::System(format!("cannot listen: {error}")))?,
            control: ServerControl::new(),
            handle: None,
            serving: None,
        })
    }

    /// Opens for reading once patience is over and serves until [`Reader::stop`]. To be dropped when the writer is
    /// open.
    pub(crate) async fn serve_meanwhile(&mut self) -> Infallible {
        tokio::time::sleep(PATIENCE).await;
        loop {
            match self.open().await {
                Ok(database) => self.start_serving(database),
                Err(error) => eprintln!("hexalog compute: cannot serve reads either: {error}"),
            }
            if self.serving.is_some() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn open(&mut self) -> Result<Arc<Database>, ComputeError> {
        let handle = Handle::new(Client::open_read_only(self.config.clone()));
        self.handle = Some(handle.clone());
        let listener = EngineListener::new();
        tokio::spawn(drive(handle.clone(), ListenerHandle(Arc::clone(&listener))));
        if handle.opened().await != State::Open {
            return Err(ComputeError::Volume("it was closed while it was opened for reading".to_owned()));
        }
        if listener.is_empty_volume(&handle).await != Some(false) {
            handle.close();
            return Err(ComputeError::Volume("nothing was ever written to it".to_owned()));
        }
        // Above every epoch that a transaction can carry: whatever is not finished is nobody's any more.
        let nobody = WriterId { epoch: VolumeEpoch(u64::MAX), incarnation: Incarnation::default() };
        let volume = Arc::new(EngineVolume::new(handle.clone(), nobody.epoch));
        let engine = Arc::new(Engine::new(volume, engine_options(&self.options)));
        engine.refuse_serializable();
        listener.set_engine(Arc::clone(&engine));
        run_engine_step(&engine, || engine.open()).await?;
        let database = Database::new(
            Arc::clone(&engine),
            database_options(&self.options, Arc::clone(&self.temporary_files)),
        );
        run_sql_step(&engine, || database.load()).await?;
        self.control.set_status(StatusSource::new(handle.clone(), engine, Arc::clone(&self.control)));
        eprintln!(
            "hexalog compute: no write quorum; serving reads at LSN {} until there is one",
            handle.vdl()
        );
        Ok(database)
    }

    fn start_serving(&mut self, database: Arc<Database>) {
        let options = ServerOptions {
            workers: 1,
            stop_grace: STOP_GRACE,
            is_read_only: true,
            ..self.options.server.clone()
        };
        let control = Arc::clone(&self.control);
        let listener = self.listener.try_clone().map_err(|error| ComputeError::System(error.to_string()));
        match listener.and_then(into_tokio) {
            Ok(listener) => {
                self.serving = Some(tokio::spawn(async move {
                    if let Err(error) = serve(listener, database, options, None, control).await {
                        eprintln!("hexalog compute: serving reads failed: {error}");
                    }
                }));
            }
            Err(error) => eprintln!("hexalog compute: cannot serve reads: {error}"),
        }
    }

    /// Ends reading sessions and the reading instance.
    pub(crate) async fn stop(self) {
        self.control.stop(StopState::Stopping);
        if let Some(serving) = self.serving {
            let _ = serving.await;
        }
        if let Some(handle) = self.handle {
            handle.close();
        }
    }
}
