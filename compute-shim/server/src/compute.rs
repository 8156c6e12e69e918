//! The compute process from its start to its end: claim the volume, open it, load the catalog, serve.
//!
//! Owns the order of these steps and the reasons to end. The order matters: the port is bound before the volume
//! is claimed, since a claim fences the writer before; and no client is answered before the volume is open.
//! A fenced process ends with a reason of its own and never opens the volume again by itself.

use crate::background;
use crate::control::{ServerControl, StopState};
use crate::engine_listener::{EngineListener, ListenerHandle};
use crate::listener::{ServerOptions, serve};
use crate::read_only;
use crate::status::StatusSource;
use crate::temporary_files::TemporaryFiles;
use hexalog_cluster::catalog::{self, Catalog, ChangeError};
use hexalog_cluster::{Location, MetadataError, Opening, VolumeRecord};
use hexalog_engine::{Budget, Cursor, Direction, Engine, Isolation, Need, RowBuffer};
use hexalog_engine_volume::EngineVolume;
use hexalog_protocol::ids::WriterId;
use hexalog_protocol::quorum::QuorumModel;
use hexalog_protocol::{Incarnation, PAGE_SIZE};
use hexalog_sql::{Database, DatabaseOptions, Stop};
use hexalog_volume::Client;
use hexalog_volume::SharedClient;
use hexalog_volume::config::{Lal, VolumeConfig};
use hexalog_volume_driver::{Handle, State, drive};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How often a start that waits for storage says so.
const OPENING_REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Sessions of the process itself, and room: they analyse, purge and bring definitions about.
const OWN_SESSIONS: usize = 64;
/// More than any process has descriptors for; 8 bytes each.
const SNAPSHOTS_MAX: u32 = 1 << 21;

/// How often a writer makes sure that it still is one.
const CONTACT_INTERVAL: Duration = Duration::from_secs(1);

/// What a compute process is told at its start.
#[derive(Clone, Debug)]
pub struct ComputeOptions {
    /// Where the cluster's metadata is.
    pub metadata: Location,
    /// Name of the volume to open.
    pub volume: String,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Memory for cached pages.
    pub cache_bytes: u64,
    /// What temporary files of all sessions may come to; `None`: half of what is free at the start.
    pub temporary_bytes_max: Option<u64>,
    /// Sessions and workers.
    pub server: ServerOptions,
}

/// Why a compute process ended other than by being told to.
#[derive(Debug)]
pub enum ComputeError {
    /// The port is taken.
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    Listen(SocketAddr, std::io::Error),
    /// Metadata could not be read or written.
    Metadata(MetadataError),
    /// Metadata has no such volume.
    UnknownVolume(String),
    /// Another writer has the volume.
    Fenced,
    /// The volume's content cannot be used.
    Volume(String),
    /// Something that the operating system refused.
    System(String),
}

impl fmt::Display for ComputeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ComputeError::AddressInUse(address) => write!(
                f,
                "{address} is in use by another process; stop that one, or choose another address with --listen"
            ),
            ComputeError::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            ComputeError::Metadata(error) => error.fmt(f),
            ComputeError::UnknownVolume(name) => write!(f, "metadata has no volume \"{name}\""),
            ComputeError::Fenced => write!(
                f,
                "fenced: another compute process has opened the volume; this one can never write again and ends. \
                 Start a new one only if that other writer is gone or unwanted"
            ),
            ComputeError::Volume(why) => write!(f, "the volume cannot be used: {why}"),
            ComputeError::System(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ComputeError {}

impl From<ChangeError> for ComputeError {
    fn from(error: ChangeError) -> ComputeError {
        match error {
            ChangeError::Store(error) => ComputeError::Metadata(error),
            ChangeError::UnknownVolume(name) => ComputeError::UnknownVolume(name),
            ChangeError::Overtaken(_) => ComputeError::Fenced,
            ChangeError::NameTaken(name) => ComputeError::Volume(format!("name {name} is taken")),
        }
    }
}

impl From<MetadataError> for ComputeError {
    fn from(error: MetadataError) -> ComputeError {
        ComputeError::Metadata(error)
    }
}

/// Runs a compute process on the calling thread, which becomes worker 0, until it is told to stop by SIGTERM or
/// SIGINT or cannot go on.
pub fn run(options: &ComputeOptions) -> Result<(), ComputeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| ComputeError::System(format!("cannot start: {error}")))?;
    raise_descriptor_limit();
    runtime.block_on(serve_volume(options))
}

/// Raises the soft limit of descriptors to the hard one: connections and temporary files count against it.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Without it there are fewer of them, and what finds none says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn serve_volume(options: &ComputeOptions) -> Result<(), ComputeError> {
    let control = ServerControl::new();
    stop_on_signals(&control)?;
    let listener = bind(options.listen).await?;
    let temporary_files = open_temporary_files(options)?;
    let claimed = claim(options)?;
    let mut reader = read_only::Reader::new(options, &claimed.config, &temporary_files, &listener)?;
    let opened = tokio::select! {
        opened = open_volume(options, temporary_files, claimed) => opened.map(Some),
        never = reader.serve_meanwhile() => match never {},
        () = control.stopped(StopState::Stopping) => Ok(None),
    };
    reader.stop().await;
    let Some(OpenVolume { handle, database }) = opened? else { return Ok(()) };
    let listener = into_tokio(listener)?;
    let engine = Arc::clone(database.engine());
    let source = StatusSource::new(handle.clone(), Arc::clone(&engine), Arc::clone(&control));
    control.set_status(source);
    watch_for_fencing(&handle, &control);
    tokio::spawn(background::run(engine, Arc::clone(&control)));
    eprintln!("hexalog compute: ready on {}", options.listen);
    let served =
        serve(listener, database, options.server.clone(), Some(handle.clone()), Arc::clone(&control)).await;
    let is_fenced = handle.state() == State::Fenced;
    handle.close();
    served.map_err(|error| ComputeError::System(format!("cannot serve: {error}")))?;
    if is_fenced {
        return Err(ComputeError::Fenced);
    }
    eprintln!("hexalog compute: stopped");
    Ok(())
}

fn stop_on_signals(control: &Arc<ServerControl>) -> Result<(), ComputeError> {
    let cannot = |error| ComputeError::System(format!("cannot handle signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let control = Arc::clone(control);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        eprintln!("hexalog compute: stopping");
        control.stop(StopState::Stopping);
    });
    Ok(())
}

/// Where sessions put what is too much for memory. A directory that cannot be used is no reason not to serve all other statements.
fn open_temporary_files(options: &ComputeOptions) -> Result<Arc<TemporaryFiles>, ComputeError> {
    let files = TemporaryFiles::open(std::env::temp_dir(), options.temporary_bytes_max);
    let files = files.map_err(|error| ComputeError::System(format!("cannot start: {error}")))?;
    let directory = files.directory().display();
    match files.check() {
        Ok(()) => eprintln!(
            "hexalog compute: temporary files in {directory}, at most {} of {} MiB together",
            files.files_max(),
            files.bytes_max() >> 20
        ),
        Err(error) => eprintln!(
            "hexalog compute: cannot make temporary files in {directory}: {error}; statements that need one will fail. Have \
             TMPDIR name a directory that is there and that this user may write to"
        ),
    }
    Ok(files)
}

async fn bind(address: SocketAddr) -> Result<std::net::TcpListener, ComputeError> {
    let bound = TcpListener::bind(address).await.and_then(TcpListener::into_std);
    bound.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ComputeError::AddressInUse(address),
        _ => ComputeError::Listen(address, error),
    })
}

pub(crate) fn into_tokio(listener: std::net::TcpListener) -> Result<TcpListener, ComputeError> {
    TcpListener::from_std(listener).map_err(|error| ComputeError::System(format!("cannot listen: {error}")))
}

/// A volume that metadata has given to this process.
struct Claimed {
    config: VolumeConfig,
    writer: WriterId,
}

fn claim(options: &ComputeOptions) -> Result<Claimed, ComputeError> {
    let catalog = Catalog::new(options.metadata.open(Opening::Existing)?);
    catalog.upgrade()?;
    let id = catalog.volume_id(&options.volume)?;
    let incarnation = Incarnation(crate::session::random_u64() | 1);
    let record = catalog.claim_volume(id, incarnation)?;
    eprintln!("hexalog compute: volume \"{}\", epoch {}", options.volume, record.epoch);
    let config = volume_config(&catalog, &record)?;
    catalog.put_compute(&record, options.listen)?;
    Ok(Claimed { config, writer: record.writer() })
}

/// What the volume client must know, from metadata.
pub fn volume_config(catalog: &Catalog, record: &VolumeRecord) -> Result<VolumeConfig, MetadataError> {
    let nodes = catalog.nodes()?;
    let members = catalog.members(record)?;
    let groups = members.iter().map(|group| catalog::membership(group, &nodes)).collect::<Result<_, _>>()?;
    Ok(VolumeConfig {
        volume: record.volume,
        geometry: record.geometry(),
        geometry_epoch: record.geometry_epoch,
        quorum: QuorumModel::FOUR_OF_SIX,
        groups,
        lal: Lal { records: record.lal_records, bytes: record.lal_bytes },
    })
}

struct OpenVolume {
    handle: Handle,
    database: Arc<Database>,
}

async fn open_volume(
    options: &ComputeOptions,
    temporary_files: Arc<TemporaryFiles>,
    claimed: Claimed,
) -> Result<OpenVolume, ComputeError> {
    let started = Instant::now();
    let Claimed { config, writer } = claimed;
    let handle = Handle::new(Client::open(config, writer));
    let listener = EngineListener::new();
    tokio::spawn(drive(handle.clone(), ListenerHandle(Arc::clone(&listener))));
    wait_until_open(&handle).await?;
    // A page that is asked for after the fence is answered by nobody, and an engine that is made after it is not told.
    let database = tokio::select! {
        database = open_database(options, temporary_files, &handle, &listener, writer) => database?,
        state = handle.ended() => return Err(match state {
            State::Fenced => ComputeError::Fenced,
            _ => ComputeError::Volume("it was closed while it was opened".to_owned()),
        }),
    };
    let elapsed_ms = started.elapsed().as_millis();
    eprintln!("hexalog compute: volume open at LSN {} after {elapsed_ms} ms", handle.vdl());
    Ok(OpenVolume { handle, database })
}

/// The engine and the SQL layer over a volume that is open.
async fn open_database(
    options: &ComputeOptions,
    temporary_files: Arc<TemporaryFiles>,
    handle: &Handle,
    listener: &Arc<EngineListener>,
    writer: WriterId,
) -> Result<Arc<Database>, ComputeError> {
    let is_empty = listener.is_empty_volume(handle).await.ok_or(ComputeError::Fenced)?;
    let volume = Arc::new(EngineVolume::new(handle.clone(), writer.epoch));
    let engine = Arc::new(Engine::new(volume, engine_options(options)));
    listener.set_engine(Arc::clone(&engine));
    if is_empty {
        run_engine_step(&engine, || engine.create()).await?;
    } else {
        run_engine_step(&engine, || engine.open()).await?;
        run_engine_step(&engine, || engine.upgrade()).await?;
        tell_of_prepared(&engine);
    }
    let database = Database::new(Arc::clone(&engine), database_options(options, temporary_files));
    if is_catalog_empty(&engine).await? {
        run_sql_step(&engine, || database.bootstrap()).await?;
    }
    run_sql_step(&engine, || database.load()).await?;
    run_sql_step(&engine, || database.drop_temporary()).await?;
    Ok(database)
}

/// Someone may have forgotten them.
fn tell_of_prepared(engine: &Engine) {
    let prepared = engine.stats().prepared_transactions;
    if prepared > 0 {
        eprintln!(
            "hexalog compute: prepared transactions that hold their locks until COMMIT PREPARED or ROLLBACK PREPARED: {prepared}; \
             see pg_prepared_xacts"
        );
    }
}

pub(crate) fn database_options(
    options: &ComputeOptions,
    temporary_files: Arc<TemporaryFiles>,
) -> DatabaseOptions {
    let prepared_max = options.server.prepared_transactions_max;
    DatabaseOptions { spill: temporary_files, prepared_max, ..DatabaseOptions::default() }
}

/// Whether the first start died before the catalog's first rows were committed.
async fn is_catalog_empty(engine: &Engine) -> Result<bool, ComputeError> {
    let mut transaction = engine.begin(Isolation::ReadCommitted, true);
    let mut row = RowBuffer::new();
    run_engine_step(engine, || engine.begin_statement(&mut transaction)).await?;
    let mut cursor =
        Cursor::new(engine.catalog_tree(), Bound::Unbounded, Bound::Unbounded, Direction::Forward);
    let is_found =
        run_engine_step(engine, || engine.cursor_next(&mut transaction, &mut cursor, &mut row)).await?;
    run_engine_step(engine, || engine.commit(&mut transaction)).await?;
    Ok(!is_found)
}

/// The smallest page cache: what one operation may hold at a time, with room to spare.
pub const CACHE_BYTES_MIN: u64 = hexalog_engine::Options::FRAMES_MIN as u64 * PAGE_SIZE as u64;

/// As many as transactions of all clients may have at once, and of the process itself besides; never fewer than `least`.
fn snapshots(options: &ComputeOptions, least: u32) -> u32 {
    let sessions = options.server.connections_max.saturating_add(OWN_SESSIONS);
    let most = sessions.saturating_mul(hexalog_engine::Options::SNAPSHOTS_OF_TRANSACTION);
    u32::try_from(most).unwrap_or(u32::MAX).clamp(least, SNAPSHOTS_MAX)
}

pub(crate) fn engine_options(options: &ComputeOptions) -> hexalog_engine::Options {
    let frames = u32::try_from(options.cache_bytes / PAGE_SIZE as u64).unwrap_or(u32::MAX);
    let fixed = hexalog_engine::Options::default();
    hexalog_engine::Options { frames, snapshots: snapshots(options, fixed.snapshots), ..fixed }
}

/// Waits for fencing and recovery, saying from time to time what is missing.
async fn wait_until_open(handle: &Handle) -> Result<(), ComputeError> {
    loop {
        match tokio::time::timeout(OPENING_REPORT_INTERVAL, handle.opened()).await {
            Ok(State::Open) => return Ok(()),
            Ok(State::Fenced) => return Err(ComputeError::Fenced),
            Ok(State::Opening | State::Closed) => {
                return Err(ComputeError::Volume("closed while opening".to_owned()));
            }
            Err(_) => {
                let why = handle.client().quorum_lost();
                let why = why.unwrap_or_else(|| "storage has not answered yet".to_owned());
                eprintln!("hexalog compute: opening the volume waits: {why}");
            }
        }
    }
}

pub(crate) async fn run_engine_step<T>(
    engine: &Engine,
    mut step: impl FnMut() -> hexalog_engine::Step<T>,
) -> Result<T, ComputeError> {
    run_sql_step(engine, || step().map_err(Stop::from)).await
}

pub(crate) async fn run_sql_step<T>(
    engine: &Engine,
    mut step: impl FnMut() -> hexalog_sql::Step<T>,
) -> Result<T, ComputeError> {
    loop {
        match step() {
            Ok(done) => return Ok(done),
            Err(Stop::Error(error)) => return Err(ComputeError::Volume(error.to_string())),
            Err(Stop::Need(Need::Yield)) => tokio::task::yield_now().await,
            Err(Stop::Need(Need::Grow { .. })) => {
                // While a volume is opened nothing runs yet that would purge it.
                // By its trait: of its own type, this function would be called for ever more types of steps.
                let purge: &mut (dyn FnMut() -> hexalog_sql::Step<bool> + Send) =
                    &mut || engine.background(Budget::default()).map_err(Stop::from);
                Box::pin(run_sql_step(engine, purge)).await?;
                tokio::task::yield_now().await;
            }
            Err(Stop::Need(need)) => {
                if let Need::Durable(lsn) = need {
                    engine.volume().seal_through(lsn);
                }
                std::future::poll_fn(|cx| match engine.poll_need(&need, cx.waker()) {
                    true => std::task::Poll::Ready(()),
                    false => std::task::Poll::Pending,
                })
                .await;
            }
        }
    }
}

/// A fenced volume ends the process: sessions are told, nothing more is written.
fn watch_for_fencing(handle: &Handle, control: &Arc<ServerControl>) {
    let (handle, control) = (handle.clone(), Arc::clone(control));
    let asking = handle.clone();
    tokio::spawn(async move {
        // An idle writer hears nothing from storage: it asks, so that one that was replaced ends by itself.
        while asking.state() == State::Open {
            tokio::time::sleep(CONTACT_INTERVAL).await;
            asking.confirm_fresh(CONTACT_INTERVAL / 2).await;
        }
    });
    tokio::spawn(async move {
        if handle.ended().await == State::Fenced {
            eprintln!("hexalog compute: fenced: another writer has opened the volume");
            control.stop(StopState::Fenced);
        }
    });
}
