//! A compute process: the production engine and SQL layer over the production volume client, with its clients.
//!
//! Owns what `compute-shim/server` owns between a volume that has opened and sessions that are served: the engine made or
//! opened, the catalog bootstrapped and loaded, background slices, needs waited for with real wakers. One more session ends what
//! the others have prepared ([`manager`]). Each piece of work
//! is a task; a wake, like a timer, makes the world run it at a moment of its own, so sessions meet in every order.

pub mod audit;
pub mod client;
mod commits;
pub mod manager;
pub mod session;
pub mod volume;

use crate::history::History;
use crate::random::Random;
use crate::workload::{IS_SET_UP, SET_UP, Script, Workload};
use audit::Audit;
use client::{Client, Next};
use commits::Commits;
use hexalog_engine::{Budget, Cursor, Direction, Engine, Isolation, Need, Options, RowBuffer, Transaction};
use hexalog_engine_volume::EngineVolume;
use hexalog_sql::{Database, DatabaseOptions, Step, Stop};
use hexalog_volume::SharedClient;
use manager::Manager;
use session::{Message, Progress, Reply, ServerSession, SessionWorld};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};
use volume::{AppendedRecord, Handle};

/// Names a piece of work of a compute process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TaskId(pub usize);

/// Opens engine and catalog; audits at the end.
pub const OPENER: TaskId = TaskId(0);
/// Rollback of losers, purge.
pub const BACKGROUND: TaskId = TaskId(1);
/// The first session; others follow.
const SESSION_FIRST: usize = 2;

/// Pause of the background work when it found nothing.
const BACKGROUND_PAUSE_US: u64 = 5_000;
/// As many pauses in a row without work, and what nobody waits for is handed to storage.
const IDLE_PAUSES: u32 = 8;
/// Stands for the statement that ends a set-up which was refused its rows.
const GOES_BACK: usize = SET_UP.len() + 1;
/// How long to wait with it.
const SET_UP_AGAIN_US: u64 = 10_000;
/// How often the transaction manager looks for what it has to do.
const MANAGER_PAUSE_US: u64 = 1_000;
/// Longest pause between two statements of a client.
const THINK_US_MAX: u64 = 400;

/// Sizes of a compute process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ComputeSizes {
    /// Frames of the cache.
    pub frames: u32,
    /// Undo streams of a volume that it creates.
    pub undo_streams: u16,
    /// Sessions, each with a client.
    pub sessions: usize,
    /// Rows after which a statement lets others run.
    pub rows_per_yield: u32,
    /// Mini-transactions in a slice of background work.
    pub slice: u32,
    /// How long what was read may be unconfirmed before it is told.
    pub stale_read_max_us: u64,
    /// One wait for a page, a frame or log space out of so many is given up by its client.
    pub waits_per_loss: u64,
}

type Woken = Arc<Mutex<BTreeSet<TaskId>>>;

struct TaskWaker {
    task: TaskId,
    woken: Woken,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).insert(self.task);
    }
}

/// What a step of a task may use of the world.
pub struct Context<'a> {
    /// The process's clock.
    pub now_us: u64,
    /// Chance.
    pub random: &'a mut Random,
    /// What clients do.
    pub workload: &'a mut Workload,
    /// What they were told.
    pub history: &'a mut History,
    /// Tasks to run later: (delay, task).
    pub timers: &'a mut Vec<(u64, TaskId)>,
    /// Lines of the trace.
    pub notes: &'a mut Vec<String>,
    /// No new transactions are begun.
    pub is_quiet: bool,
    waits_per_loss: u64,
    task: TaskId,
    waker: Waker,
}

impl Context<'_> {
    /// Has this task run again after a time.
    pub fn wake_in(&mut self, in_us: u64) {
        self.timers.push((in_us, self.task));
    }

    /// How long a client waits for this before it gives up; mostly for ever.
    fn draw_patience_us(&mut self, need: &Need) -> u64 {
        let waits = if matches!(need, Need::Lock(_)) { 8 } else { self.waits_per_loss };
        let is_tested = !self.is_quiet && self.random.one_in(waits);
        let patience_us = if is_tested { self.random.range(1, 20_000) } else { u64::MAX };
        // Whoever sets up waits.
        if self.task == OPENER { u64::MAX } else { patience_us }
    }
}

/// What all sessions of the process share.
pub struct ServerState {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The SQL layer.
    pub database: Arc<Database>,
    shared: Handle,
    stale_read_max_us: u64,
    contact_us: u64,
    confirming: Mutex<Vec<Waker>>,
}

impl ServerState {
    fn poll_need(&self, need: &Need, context: &Context<'_>) -> bool {
        match need {
            // The gate asks for VDL itself: a fenced engine calls every need met.
            Need::Durable(lsn) => {
                self.engine.poll_need(need, &context.waker);
                self.engine.volume().vdl() >= *lsn
            }
            _ => self.engine.poll_need(need, &context.waker),
        }
    }

    /// Whether a recovery read quorum of some group has stood by this writer lately; asks if not.
    fn is_confirmed(&self, asked_us: &mut Option<u64>, context: &mut Context<'_>) -> bool {
        let oldest_us = asked_us.unwrap_or(context.now_us).saturating_sub(self.stale_read_max_us);
        if self.contact_us >= oldest_us {
            return true;
        }
        asked_us.get_or_insert(context.now_us);
        self.shared.client().want_contact();
        self.shared.kick();
        self.confirming.lock().unwrap_or_else(PoisonError::into_inner).push(context.waker.clone());
        context.wake_in(self.stale_read_max_us);
        false
    }
}

/// How far the process has come.
enum Stage {
    /// Whether the volume has a first page.
    Probing,
    Creating,
    Opening,
    Looking(Box<(Transaction, Cursor)>),
    Bootstrapping,
    Loading,
    SettingUp {
        session: Box<ServerSession>,
        statement: usize,
        is_sent: bool,
    },
    Serving,
    Auditing(Box<Audit>),
    Audited,
}

struct SessionTask {
    server: ServerSession,
    client: Client,
    is_sent: bool,
    think_until_us: u64,
}

/// The session that ends what others have prepared; the last one.
struct ManagerTask {
    server: ServerSession,
    manager: Manager,
    /// When it looks again.
    look_us: u64,
}

/// A compute process whose volume is open.
pub struct Compute {
    sizes: ComputeSizes,
    /// File systems below the devices may be full.
    may_lack_space: bool,
    /// Its process ends: there was no room for a volume.
    pub has_ended: bool,
    run: u64,
    shared: Handle,
    engine: Arc<Engine>,
    server: Option<ServerState>,
    stage: Stage,
    need: Option<Need>,
    background_need: Option<Need>,
    /// Pauses of background work since there was some.
    idle_pauses: u32,
    sessions: Vec<SessionTask>,
    manager: Option<ManagerTask>,
    commits: Commits,
    woken: Woken,
    wakers: Vec<Waker>,
    clock_us: Arc<AtomicU64>,
}

impl Compute {
    /// Process number `run`, which begins with the volume just opened; run [`OPENER`] next.
    pub fn new(shared: &Handle, run: u64, sizes: ComputeSizes, may_lack_space: bool) -> Compute {
        let epoch = shared.client().history().last().expect("an opened volume has a history").writer.epoch;
        let options = Options {
            frames: sizes.frames,
            undo_streams: sizes.undo_streams,
            snapshots: 2 * sizes.sessions as u32 + 8,
        };
        let engine = Arc::new(Engine::new(Arc::new(EngineVolume::new(shared.clone(), epoch)), options));
        let woken = Woken::default();
        let waker = |task| Waker::from(Arc::new(TaskWaker { task: TaskId(task), woken: Arc::clone(&woken) }));
        let wakers = (0..=SESSION_FIRST + sizes.sessions).map(waker).collect();
        Compute {
            sizes,
            may_lack_space,
            has_ended: false,
            run,
            shared: shared.clone(),
            engine,
            server: None,
            stage: Stage::Probing,
            need: None,
            background_need: None,
            idle_pauses: 0,
            sessions: Vec::new(),
            manager: None,
            commits: Commits::default(),
            woken,
            wakers,
            clock_us: Arc::new(AtomicU64::new(0)),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// After any call into the engine, with what it appended.
    ///
    /// # Panics
    /// If a commit is not known where it stands, or the engine holds more than it may.
    pub fn check_engine(&mut self, appended: &[Vec<AppendedRecord>]) {
        self.commits.check(&self.engine, appended);
        for (name, used, most) in self.engine.bounds() {
            assert!(used <= most, "compute {} holds {used} {name}, and may hold {most}", self.run);
        }
    }

    /// Whether the first page, asked for before the engine could ask, is awaited.
    pub fn is_probing(&self) -> bool {
        matches!(self.stage, Stage::Probing)
    }

    /// The answer to the first page.
    pub fn probed(&mut self, is_empty: bool) {
        self.stage = if is_empty { Stage::Creating } else { Stage::Opening };
    }

    /// Storage has stood by this writer at that time.
    pub fn contacted(&mut self, contact_us: u64) {
        let Some(server) = &mut self.server else { return };
        server.contact_us = contact_us;
        let confirming = std::mem::take(server.confirming.get_mut().unwrap_or_else(PoisonError::into_inner));
        confirming.into_iter().for_each(Waker::wake);
    }

    /// Tasks that were woken since this was asked last.
    pub fn take_woken(&self) -> BTreeSet<TaskId> {
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What every task waits for, for whoever looks.
    pub fn describe(&self) -> Vec<String> {
        let sessions = self.sessions.iter().map(|task| {
            format!("client {} sent {}: {}", task.client.id, task.is_sent, task.server.waits_for())
        });
        let manager = self.manager.as_ref().map(|task| task.server.waits_for());
        let own = [
            format!("opener {:?}, background {:?}", self.need, self.background_need),
            format!("manager {manager:?}"),
        ];
        own.into_iter().chain(sessions).collect()
    }

    /// Whether clients are served and none has a transaction under way.
    pub fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Serving | Stage::Audited)
            && self.sessions.iter().all(|task| !task.client.is_busy())
            && self.manager.as_ref().is_none_or(|task| !task.manager.is_busy())
    }

    /// The process is gone: its clients know what they know.
    pub fn die(&mut self, now_us: u64, history: &mut History) {
        self.sessions.iter_mut().for_each(|task| task.client.cut_off(now_us, history));
    }

    /// Has the first client run a script, whatever it drew next.
    pub fn run_script(&mut self, script: Script, now_us: u64, history: &mut History) -> TaskId {
        let task = &mut self.sessions[0];
        task.client.begin(script, self.run, now_us, history);
        TaskId(SESSION_FIRST)
    }

    /// Begins the audit of all trees and pages; run [`OPENER`] next.
    pub fn begin_audit(&mut self) {
        assert!(matches!(self.stage, Stage::Serving), "what serves can be audited");
        let server = self.server.as_ref().expect("it serves");
        self.stage = Stage::Auditing(Box::new(Audit::new(server)));
    }

    /// Whether the audit is through.
    pub fn is_audited(&self) -> bool {
        matches!(self.stage, Stage::Audited)
    }

    /// Runs a task until it waits.
    #[expect(clippy::too_many_arguments, reason = "the parts of the world that a context is made of")]
    pub fn run_task(
        &mut self,
        task: TaskId,
        now_us: u64,
        is_quiet: bool,
        random: &mut Random,
        workload: &mut Workload,
        history: &mut History,
        timers: &mut Vec<(u64, TaskId)>,
        notes: &mut Vec<String>,
    ) {
        self.clock_us.store(now_us, Ordering::Relaxed);
        let waker = self.wakers[task.0].clone();
        let waits_per_loss = self.sizes.waits_per_loss;
        let mut context = Context {
            now_us,
            random,
            workload,
            history,
            timers,
            notes,
            is_quiet,
            waits_per_loss,
            task,
            waker,
        };
        match task {
            OPENER => self.run_opener(&mut context),
            BACKGROUND => self.run_background(&mut context),
            TaskId(index) if index == SESSION_FIRST + self.sizes.sessions => self.run_manager(&mut context),
            TaskId(index) => self.run_session(index - SESSION_FIRST, &mut context),
        }
    }

    fn run_opener(&mut self, context: &mut Context<'_>) {
        loop {
            if let Some(need) = &self.need {
                if !self.engine.poll_need(need, &context.waker) {
                    return;
                }
                self.need = None;
            }
            match self.advance(context) {
                Ok(true) => {}
                Ok(false) => return,
                Err(Stop::Need(Need::Yield)) => return context.wake_in(1),
                Err(Stop::Need(need)) => {
                    if let Need::Durable(lsn) = need {
                        self.engine.volume().seal_through(lsn);
                    }
                    self.need = Some(need);
                }
                Err(Stop::Error(error)) => {
                    // A volume that is there opens however full its devices are; one that is not takes some room.
                    let is_made = !matches!(self.stage, Stage::Creating | Stage::Bootstrapping);
                    let lacks_space = self.may_lack_space && error.sqlstate().to_string() == client::NO_SPACE;
                    assert!(lacks_space && !is_made, "compute {} cannot open: {error:?}", self.run);
                    context.notes.push(format!("compute {} finds no room for a volume, and ends", self.run));
                    self.has_ended = true;
                    return;
                }
            }
        }
    }

    /// One step towards serving. False: there is nothing to do now.
    fn advance(&mut self, context: &mut Context<'_>) -> Step<bool> {
        match &mut self.stage {
            Stage::Probing | Stage::Serving | Stage::Audited => return Ok(false),
            Stage::Creating => {
                self.engine.create()?;
                self.begin_looking();
            }
            Stage::Opening => {
                self.engine.open()?;
                self.begin_looking();
            }
            Stage::Looking(looking) => {
                let (transaction, cursor) = &mut **looking;
                let mut row = RowBuffer::new();
                if transaction.snapshot().is_none() {
                    self.engine.begin_statement(transaction)?;
                }
                let is_found = self.engine.cursor_next(transaction, cursor, &mut row)?;
                self.engine.commit(transaction)?;
                self.stage = if is_found { Stage::Loading } else { Stage::Bootstrapping };
            }
            Stage::Bootstrapping => {
                self.database()?.bootstrap()?;
                self.stage = Stage::Loading;
            }
            Stage::Loading => {
                self.database()?.load()?;
                context.notes.push(format!("compute {} has its catalog", self.run));
                let world = SessionWorld::new(Arc::clone(&self.clock_us), context.random.bits());
                let server = self.server.as_ref().expect("it was made to load");
                let session = Box::new(ServerSession::new(server, world, 1));
                self.stage = Stage::SettingUp { session, statement: 0, is_sent: false };
                context.timers.push((BACKGROUND_PAUSE_US, BACKGROUND));
            }
            Stage::SettingUp { .. } => return Ok(self.set_up(context)),
            Stage::Auditing(audit) => {
                let server = self.server.as_ref().expect("it serves");
                audit.step(server)?;
                self.stage = Stage::Audited;
            }
        }
        Ok(true)
    }

    fn begin_looking(&mut self) {
        let transaction = self.engine.begin(Isolation::ReadCommitted, true);
        let cursor =
            Cursor::new(self.engine.catalog_tree(), Bound::Unbounded, Bound::Unbounded, Direction::Forward);
        self.stage = Stage::Looking(Box::new((transaction, cursor)));
    }

    /// The SQL layer, made when it is first wanted.
    fn database(&mut self) -> Step<&Arc<Database>> {
        let server = self.server.get_or_insert_with(|| {
            let options = DatabaseOptions { rows_per_yield: self.sizes.rows_per_yield, ..Default::default() };
            ServerState {
                engine: Arc::clone(&self.engine),
                database: Database::new(Arc::clone(&self.engine), options),
                shared: self.shared.clone(),
                stale_read_max_us: self.sizes.stale_read_max_us,
                contact_us: 0,
                confirming: Mutex::default(),
            }
        });
        Ok(&server.database)
    }

    /// Makes the workload's tables unless they are there. False: it waits.
    fn set_up(&mut self, context: &mut Context<'_>) -> bool {
        let Stage::SettingUp { session, statement, is_sent } = &mut self.stage else {
            unreachable!("it sets up")
        };
        let server = self.server.as_ref().expect("it has loaded");
        if !*is_sent {
            let text = match *statement {
                0 => IS_SET_UP,
                GOES_BACK => "ROLLBACK",
                nth => SET_UP[nth - 1],
            };
            session.send(Message::Simple(text.to_owned()), false);
            *is_sent = true;
        }
        let reply: Reply = match session.step(server, context) {
            Progress::Waits => return false,
            Progress::Again => {
                context.wake_in(1);
                return false;
            }
            Progress::Replied(reply) => reply,
        };
        *is_sent = false;
        if self.may_lack_space && reply.error.as_ref().is_some_and(|(state, _)| state == client::NO_SPACE) {
            // There will be space again.
            *statement = GOES_BACK;
            context.timers.push((SET_UP_AGAIN_US, OPENER));
            return false;
        }
        assert!(reply.error.is_none(), "setting up: {:?}", reply.error);
        if *statement == GOES_BACK {
            *statement = 0;
            return true;
        }
        let is_there = *statement == 0 && !reply.rows.is_empty();
        *statement += 1;
        if is_there || *statement > SET_UP.len() {
            self.begin_serving(context);
        }
        true
    }

    fn begin_serving(&mut self, context: &mut Context<'_>) {
        self.stage = Stage::Serving;
        context.notes.push(format!("compute {} serves", self.run));
        let server = self.server.as_ref().expect("it has loaded");
        for index in 0..self.sizes.sessions {
            let world = SessionWorld::new(Arc::clone(&self.clock_us), context.random.bits());
            let server = ServerSession::new(server, world, index as i32 + 2);
            let client = Client::new(self.run as usize * 100 + index, self.may_lack_space);
            self.sessions.push(SessionTask { server, client, is_sent: false, think_until_us: 0 });
            context.timers.push((context.random.range(1, THINK_US_MAX), TaskId(SESSION_FIRST + index)));
        }
        let world = SessionWorld::new(Arc::clone(&self.clock_us), context.random.bits());
        let last = self.sizes.sessions;
        let server = ServerSession::new(server, world, last as i32 + 2);
        self.manager = Some(ManagerTask { server, manager: Manager::default(), look_us: 0 });
        context.timers.push((MANAGER_PAUSE_US, TaskId(SESSION_FIRST + last)));
    }

    fn run_manager(&mut self, context: &mut Context<'_>) {
        let Some(task) = &mut self.manager else { return };
        let server = self.server.as_ref().expect("sessions are served");
        if task.manager.is_busy() {
            match task.server.step(server, context) {
                Progress::Waits => return,
                Progress::Again => return context.wake_in(1),
                Progress::Replied(reply) => {
                    context.notes.push(format!("the manager is told {reply}"));
                    task.manager.answered(&reply, self.may_lack_space, context.now_us, context.history);
                }
            }
        }
        let (now_us, is_quiet) = (context.now_us, context.is_quiet);
        if now_us < task.look_us {
            return;
        }
        match task.manager.next(self.run, now_us, is_quiet, context.history, context.random) {
            None => {
                task.look_us = now_us + MANAGER_PAUSE_US;
                context.wake_in(MANAGER_PAUSE_US);
            }
            Some(message) => {
                context.notes.push(format!("the manager sends {message:?}"));
                task.server.send(message, true);
                context.wake_in(1);
            }
        }
    }

    fn run_background(&mut self, context: &mut Context<'_>) {
        loop {
            if let Some(need) = &self.background_need {
                if !self.engine.poll_need(need, &context.waker) {
                    return;
                }
                self.background_need = None;
            }
            match self.engine.background(Budget { mini_transactions: self.sizes.slice }) {
                Ok(true) => {
                    self.idle_pauses = 0;
                    let in_us = context.random.range(1, 200);
                    return context.wake_in(in_us);
                }
                Ok(false) => {
                    self.idle_pauses += 1;
                    if self.idle_pauses >= IDLE_PAUSES {
                        self.engine.seal_appended();
                    }
                    return context.wake_in(BACKGROUND_PAUSE_US);
                }
                Err(hexalog_engine::Stop::Need(Need::Yield)) => return context.wake_in(1),
                // Looks at once whether it has come meanwhile.
                Err(hexalog_engine::Stop::Need(need)) => self.background_need = Some(need),
                Err(hexalog_engine::Stop::Fail(error)) => panic!("background work fails: {error}"),
            }
        }
    }

    fn run_session(&mut self, index: usize, context: &mut Context<'_>) {
        let Some(task) = self.sessions.get_mut(index) else { return };
        let server = self.server.as_ref().expect("sessions are served");
        loop {
            if task.is_sent {
                match task.server.step(server, context) {
                    Progress::Waits => return,
                    Progress::Again => {
                        let in_us = context.random.range(1, 50);
                        return context.wake_in(in_us);
                    }
                    Progress::Replied(reply) => {
                        task.is_sent = false;
                        context.notes.push(format!("client {} is told {reply}", task.client.id));
                        task.client.answered(&reply, context.history);
                    }
                }
                let think_us = context.random.range(1, THINK_US_MAX);
                task.think_until_us = context.now_us + think_us;
                return context.wake_in(think_us);
            }
            if context.now_us < task.think_until_us {
                return;
            }
            if !task.client.is_busy() {
                if context.is_quiet {
                    return;
                }
                let script = match task.client.take_next() {
                    Some(script) => script,
                    None => context.workload.draw(context.random),
                };
                task.client.begin(script, self.run, context.now_us, context.history);
            }
            match task.client.next(context.now_us, context.history, context.random) {
                Next::Send(message, is_alone) => {
                    context.notes.push(format!("client {} sends {message:?}", task.client.id));
                    task.server.send(message, is_alone);
                    task.is_sent = true;
                }
                Next::Over(outcome) => {
                    context.notes.push(format!("client {}: {outcome:?}", task.client.id));
                }
            }
        }
    }
}
