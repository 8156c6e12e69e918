//! Accepting connections and the workers that serve them.
//!
//! Owns the runtimes: worker 0 is the caller's (the volume client runs on it too), the others are threads of
//! their own. A connection is given to the worker with the fewest sessions and stays there for life.

use crate::autoanalyze;
use crate::control::{ServerControl, StopState};
use crate::durability::DurabilityQueue;
use crate::session;
use crate::snapshot_watch;
use hexalog_sql::{Database, Environment, PREPARED_MAX};
use hexalog_volume_driver::Handle;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle as RuntimeHandle;

/// How the server is run.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Single-threaded runtimes.
    pub workers: usize,
    /// Sessions at once; one more is told "sorry, too many clients already".
    pub connections_max: usize,
    /// Transactions that may be prepared at once: `max_prepared_transactions`.
    pub prepared_transactions_max: u32,
    /// How long a client may take from connecting to the end of its start-up packet. PostgreSQL's
    /// `authentication_timeout` has the same default.
    pub startup_timeout: Duration,
    /// How long a stopping server waits for commits that were appended and for sessions to end.
    pub stop_grace: Duration,
    /// An answer that rests on data is sent only if storage has confirmed this writer within this time: how
    /// stale a read of a writer can be that was paused and has been replaced; see docs/operations.md, "Sessions".
    pub stale_read_max: Duration,
    /// The volume is open for reading only: whatever needs room in the log fails with 25006.
    pub is_read_only: bool,
    /// How long to wait between two looks for tables whose statistics are stale; `None`: nobody looks.
    pub analyse_pause: Option<Duration>,
    /// A session that holds purge back by a snapshot of this age is ended; `None`: however old it is.
    pub old_snapshot_threshold: Option<Duration>,
    /// What is put around each session's view of the world; tests have it do what no world does.
    pub environment: fn(Box<dyn Environment>) -> Box<dyn Environment>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions {
            workers: 1,
            connections_max: 1_000,
            prepared_transactions_max: PREPARED_MAX,
            startup_timeout: Duration::from_secs(60),
            stop_grace: Duration::from_secs(5),
            stale_read_max: Duration::from_secs(1),
            is_read_only: false,
            // PostgreSQL looks once a minute; here a look costs next to nothing.
            analyse_pause: Some(Duration::from_secs(10)),
            old_snapshot_threshold: None,
            environment: |environment| environment,
        }
    }
}

/// What the sessions of one worker share.
pub(crate) struct Worker {
    pub database: Arc<Database>,
    pub control: Arc<ServerControl>,
    pub durability: Arc<DurabilityQueue>,
    pub options: ServerOptions,
    /// Asked whether this writer still has the volume; none where there is nothing to be fenced from.
    pub volume: Option<Handle>,
    pub sessions: AtomicUsize,
    /// Sessions within a statement that has had to give way to others.
    long_statements: AtomicUsize,
}

/// Held by a session while its statement, which had to give way, runs on.
pub(crate) struct LongStatement(Arc<Worker>);

impl Drop for LongStatement {
    fn drop(&mut self) {
        self.0.long_statements.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Worker {
    /// Counts a statement that gives way for the first time.
    pub(crate) fn long_statement(self: &Arc<Worker>) -> LongStatement {
        self.long_statements.fetch_add(1, Ordering::Relaxed);
        LongStatement(Arc::clone(self))
    }

    /// Whether a session that is polled once more after all that are ready now soon has its turn: others are there to be
    /// ready, and none of them holds the worker for as long as a step may take.
    pub(crate) fn has_short_turns(&self) -> bool {
        self.sessions.load(Ordering::Relaxed) > 1 && self.long_statements.load(Ordering::Relaxed) == 0
    }

    fn new(
        database: &Arc<Database>,
        control: &Arc<ServerControl>,
        options: &ServerOptions,
        volume: &Option<Handle>,
    ) -> Arc<Worker> {
        Arc::new(Worker {
            database: Arc::clone(database),
            control: Arc::clone(control),
            durability: DurabilityQueue::new(Arc::clone(database.engine())),
            options: options.clone(),
            volume: volume.clone(),
            sessions: AtomicUsize::new(0),
            long_statements: AtomicUsize::new(0),
        })
    }
}

/// A worker with the runtime that it runs on.
struct Seat {
    worker: Arc<Worker>,
    handle: RuntimeHandle,
}

/// Serves until `control` is told to stop, then until every session has ended or the grace period is over.
/// Must be called on a current-thread runtime, which becomes worker 0. With a `volume`, answers that rest on
/// data wait until storage has confirmed this writer within [`ServerOptions::stale_read_max`].
pub async fn serve(
    listener: TcpListener,
    database: Arc<Database>,
    options: ServerOptions,
    volume: Option<Handle>,
    control: Arc<ServerControl>,
) -> std::io::Result<()> {
    assert!(options.workers > 0, "at least the caller's runtime");
    let mut seats = Vec::with_capacity(options.workers);
    let mut threads = Vec::new();
    for index in 0..options.workers {
        let worker = Worker::new(&database, &control, &options, &volume);
        let handle = if index == 0 {
            RuntimeHandle::current()
        } else {
            let (handle, thread) = start_worker_thread(index, &control)?;
            threads.push(thread);
            handle
        };
        // The volume client runs on the first worker: analyses are kept from it where there is another.
        if index + 1 == options.workers
            && !options.is_read_only
            && let Some(pause) = options.analyse_pause
        {
            handle.spawn(autoanalyze::run(Arc::clone(&worker), pause));
        }
        if index == 0 {
            let (engine, control) = (Arc::clone(database.engine()), Arc::clone(&control));
            handle.spawn(snapshot_watch::run(engine, control, options.old_snapshot_threshold));
        }
        let durability = Arc::clone(&worker.durability);
        handle.spawn(async move { durability.run().await });
        seats.push(Seat { worker, handle });
    }
    accept_until_stopped(&listener, &seats, &control).await;
    drop(listener);
    let drained = tokio::time::timeout(options.stop_grace, control.drained()).await;
    if drained.is_err() {
        control.stop(StopState::Aborting);
        // What is left has nothing to wait for any more; a second is plenty to say good-bye.
        let _ = tokio::time::timeout(Duration::from_secs(1), control.drained()).await;
    }
    control.stop(StopState::Aborting);
    for thread in threads {
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
    Ok(())
}

fn start_worker_thread(
    index: usize,
    control: &Arc<ServerControl>,
) -> std::io::Result<(RuntimeHandle, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let control = Arc::clone(control);
    let (started_in, started) = mpsc::channel();
    let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        let _ = started_in.send(());
        runtime.block_on(async {
            control.stopped(StopState::Aborting).await;
            // Sessions see the state at their next poll; let them run to their end.
            let _ = tokio::time::timeout(Duration::from_secs(1), control.drained()).await;
        });
    })?;
    started.recv().map_err(|_| std::io::Error::other("a worker thread did not start"))?;
    Ok((handle, thread))
}

async fn accept_until_stopped(listener: &TcpListener, seats: &[Seat], control: &ServerControl) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = control.stopped(StopState::Stopping) => return,
        };
        match accepted {
            Ok((stream, _)) => seat_session(stream, seats),
            Err(error) => {
                // Out of file descriptors, most likely: existing sessions go on, new ones wait in the backlog.
                eprintln!("hexalog compute: cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn seat_session(stream: TcpStream, seats: &[Seat]) {
    let fewest = |seat: &&Seat| seat.worker.sessions.load(Ordering::Relaxed);
    let seat = seats.iter().min_by_key(fewest).expect("there is always worker 0");
    let worker = Arc::clone(&seat.worker);
    worker.sessions.fetch_add(1, Ordering::Relaxed);
    if std::ptr::eq(seat, &seats[0]) {
        seat.handle.spawn(session::run(stream, worker));
        return;
    }
    // The socket must be registered with the runtime that serves it.
    match stream.into_std() {
        Ok(stream) => {
            seat.handle.spawn(async move {
                match TcpStream::from_std(stream) {
                    Ok(stream) => session::run(stream, worker).await,
                    Err(_) => session::forget(&worker),
                }
            });
        }
        Err(_) => session::forget(&worker),
    }
}
