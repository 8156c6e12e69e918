//! What each session is doing, for other sessions to see: `pg_stat_activity`, and sums of it in `pg_stat_database`.
//!
//! Owns [`Sessions`], the register of a process, and [`SessionActivity`], which a session holds and says what it does; when it is
//! dropped the session is gone, and what it has come to is its database's. A session says something where a statement
//! begins and where the client is told that it is ready: one short lock each, its own. Waits and the number of
//! the statement are single words. Never reads a clock.

use crate::catalog::object::Oid;
use crate::statement_statistics::BlocksUsed;
use hexalog_engine::Need;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU8, Ordering};

/// As `pg_stat_activity.state` has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SessionState {
    Idle,
    Active,
    IdleInTransaction,
    IdleInFailedTransaction,
    /// The session does not want to be seen.
    Disabled,
}

impl SessionState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            SessionState::Idle => "idle",
            SessionState::Active => "active",
            SessionState::IdleInTransaction => "idle in transaction",
            SessionState::IdleInFailedTransaction => "idle in transaction (aborted)",
            SessionState::Disabled => "disabled",
        }
    }
}

/// What a session waits for, by PostgreSQL's names for the like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SessionWait {
    /// It runs, or is idle.
    Nothing,
    /// A page is on its way from storage.
    Page,
    /// A lock that another session has.
    Lock,
    /// A commit, or what it rests on, is not durable yet.
    Durable,
    /// Storage is behind with what was written.
    LogSpace,
    /// No frame of the cache is free.
    Frame,
    /// Purge must free a page first.
    Space,
    /// A temporary file.
    Spill,
    /// A time that the statement itself has named.
    Sleep,
    /// Serializable transactions must end before a deferrable one can begin.
    SafeSnapshot,
}

impl SessionWait {
    const ALL: [SessionWait; 10] = [
        SessionWait::Nothing,
        SessionWait::Page,
        SessionWait::Lock,
        SessionWait::Durable,
        SessionWait::LogSpace,
        SessionWait::Frame,
        SessionWait::Space,
        SessionWait::Spill,
        SessionWait::Sleep,
        SessionWait::SafeSnapshot,
    ];

    /// `wait_event_type` and `wait_event`. Of a lock the event says what is locked, which the lock table knows.
    pub(crate) fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            SessionWait::Nothing => None,
            SessionWait::Page => Some(("IO", "DataFileRead")),
            SessionWait::Lock => Some(("Lock", "transactionid")),
            SessionWait::Durable => Some(("IO", "WALSync")),
            SessionWait::LogSpace => Some(("IO", "WALWrite")),
            SessionWait::Frame => Some(("BufferPin", "BufferPin")),
            SessionWait::Space => Some(("IO", "DataFileExtend")),
            SessionWait::Spill => Some(("IO", "BufFileWrite")),
            SessionWait::Sleep => Some(("Timeout", "PgSleep")),
            SessionWait::SafeSnapshot => Some(("IPC", "SafeSnapshot")),
        }
    }

    fn of(need: &Need) -> SessionWait {
        match need {
            Need::Page { .. } => SessionWait::Page,
            Need::Lock(_) | Need::Stream(_) => SessionWait::Lock,
            Need::Durable(_) => SessionWait::Durable,
            Need::LogSpace { .. } => SessionWait::LogSpace,
            Need::Frame { .. } => SessionWait::Frame,
            Need::Spill(_) => SessionWait::Spill,
            Need::Grow { .. } => SessionWait::Space,
            Need::SafeSnapshot { .. } => SessionWait::SafeSnapshot,
            Need::Yield => SessionWait::Nothing,
        }
    }
}

/// How a session ends, if not by its client's good-bye.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SessionEnd {
    /// The client said good-bye.
    Normal,
    /// The client has gone without.
    Abandoned,
    /// By an error.
    Fatal,
    /// Somebody has ended it.
    Killed,
}

/// What sessions of a database have come to.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct DatabaseCounters {
    pub commits: u64,
    pub rollbacks: u64,
    pub used: BlocksUsed,
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
    pub temporary_files: u64,
    pub deadlocks: u64,
    pub session_us: u64,
    pub active_us: u64,
    pub idle_in_transaction_us: u64,
    pub sessions: u64,
    pub abandoned: u64,
    pub fatal: u64,
    pub killed: u64,
}

impl DatabaseCounters {
    pub(crate) fn add(&mut self, other: &DatabaseCounters) {
        self.commits += other.commits;
        self.rollbacks += other.rollbacks;
        self.used.add(&other.used);
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.temporary_files += other.temporary_files;
        self.deadlocks += other.deadlocks;
        self.session_us += other.session_us;
        self.active_us += other.active_us;
        self.idle_in_transaction_us += other.idle_in_transaction_us;
        self.sessions += other.sessions;
        self.abandoned += other.abandoned;
        self.fatal += other.fatal;
        self.killed += other.killed;
    }
}

/// What a session says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub state: SessionState,
    pub application_name: Arc<str>,
    pub transaction_us: Option<i64>,
    pub query_us: Option<i64>,
    pub changed_us: i64,
    /// Nothing before the first.
    pub query: Option<Arc<str>>,
    pub counters: DatabaseCounters,
}

/// One session as others see it.
#[derive(Debug)]
pub struct SessionActivity {
    pub(crate) process_id: i32,
    pub(crate) database: Oid,
    pub(crate) user: Oid,
    pub(crate) begun_us: i64,
    said: Mutex<Said>,
    wait: AtomicU8,
    query_id: AtomicI64,
    /// 0 if there is none.
    client_port: AtomicI32,
    is_background: AtomicBool,
    end: AtomicU8,
    register: Arc<Register>,
}

#[derive(Default, Debug)]
struct Register {
    sessions: Mutex<BTreeMap<i32, std::sync::Weak<SessionActivity>>>,
    /// What sessions that are gone have come to, by database.
    ended: Mutex<BTreeMap<Oid, DatabaseCounters>>,
}

/// The sessions of a process.
#[derive(Default)]
pub(crate) struct Sessions {
    register: Arc<Register>,
}

impl Sessions {
    /// A session begins.
    pub(crate) fn begin(
        &self,
        process_id: i32,
        database: Oid,
        user: Oid,
        now_us: i64,
        application_name: Arc<str>,
    ) -> Arc<SessionActivity> {
        let counters = DatabaseCounters { sessions: 1, ..DatabaseCounters::default() };
        let said = Said {
            state: SessionState::Idle,
            application_name,
            transaction_us: None,
            query_us: None,
            changed_us: now_us,
            query: None,
            counters,
        };
        let session = Arc::new(SessionActivity {
            process_id,
            database,
            user,
            begun_us: now_us,
            said: Mutex::new(said),
            wait: AtomicU8::new(SessionWait::Nothing as u8),
            query_id: AtomicI64::new(0),
            client_port: AtomicI32::new(0),
            is_background: AtomicBool::new(false),
            end: AtomicU8::new(SessionEnd::Normal as u8),
            register: self.register.clone(),
        });
        self.register.sessions.lock().insert(process_id, Arc::downgrade(&session));
        session
    }

    /// Those that there are, by their numbers.
    pub(crate) fn shown(&self) -> Vec<Arc<SessionActivity>> {
        let sessions = self.register.sessions.lock();
        sessions.values().filter_map(std::sync::Weak::upgrade).collect()
    }

    /// The session of this number.
    pub(crate) fn find(&self, process_id: i32) -> Option<Arc<SessionActivity>> {
        self.register.sessions.lock().get(&process_id).and_then(std::sync::Weak::upgrade)
    }

    /// What the sessions of each database have come to, and how many there are.
    pub(crate) fn by_database(&self, now_us: i64) -> BTreeMap<Oid, (usize, DatabaseCounters)> {
        // Held until the others are counted: one that leaves meanwhile would be in neither.
        let ended = self.register.ended.lock();
        let mut sums: BTreeMap<Oid, (usize, DatabaseCounters)> =
            ended.iter().map(|(database, counters)| (*database, (0, *counters))).collect();
        for session in self.shown() {
            let (count, counters) = sums.entry(session.database).or_default();
            *count += 1;
            counters.add(&session.said.lock().counters);
            counters.session_us += elapsed_us(session.begun_us, now_us);
        }
        sums
    }

    /// A database is gone.
    pub(crate) fn forget(&self, database: Oid) {
        self.register.ended.lock().remove(&database);
    }
}

fn elapsed_us(since_us: i64, now_us: i64) -> u64 {
    u64::try_from(now_us - since_us).unwrap_or(0)
}

impl SessionActivity {
    /// What it said last.
    pub(crate) fn said(&self) -> Said {
        self.said.lock().clone()
    }

    /// A statement begins. With `None` for a query the session does not want to be seen.
    pub(crate) fn run(
        &self,
        query: Option<&Arc<str>>,
        application_name: &Arc<str>,
        now_us: i64,
        transaction_us: Option<i64>,
    ) {
        let mut said = self.said.lock();
        if matches!(said.state, SessionState::IdleInTransaction | SessionState::IdleInFailedTransaction) {
            said.counters.idle_in_transaction_us += elapsed_us(said.changed_us, now_us);
        }
        if !Arc::ptr_eq(&said.application_name, application_name) {
            said.application_name = application_name.clone();
        }
        match query {
            None => {
                said.state = SessionState::Disabled;
                (said.transaction_us, said.query_us, said.query) = (None, None, None);
            }
            Some(query) => {
                // Several messages of one statement are one activity.
                if said.state != SessionState::Active {
                    (said.state, said.changed_us) = (SessionState::Active, now_us);
                }
                (said.transaction_us, said.query_us) = (transaction_us, Some(now_us));
                said.query = Some(query.clone());
            }
        }
    }

    /// The client is told that the session is ready.
    pub(crate) fn rest(
        &self,
        state: SessionState,
        has_transaction: bool,
        application_name: &Arc<str>,
        now_us: i64,
        counters: &DatabaseCounters,
    ) {
        self.wait.store(SessionWait::Nothing as u8, Ordering::Relaxed);
        let mut said = self.said.lock();
        said.counters.add(counters);
        if !Arc::ptr_eq(&said.application_name, application_name) {
            said.application_name = application_name.clone();
        }
        if said.state == SessionState::Active {
            said.counters.active_us += elapsed_us(said.changed_us, now_us);
        }
        if said.state != SessionState::Disabled {
            (said.state, said.changed_us) = (state, now_us);
            if !has_transaction {
                said.transaction_us = None;
            }
        }
    }

    /// It waits for this.
    pub fn wait(&self, wait: SessionWait) {
        self.wait.store(wait as u8, Ordering::Relaxed);
    }

    pub(crate) fn wait_for(&self, need: &Need) {
        self.wait(SessionWait::of(need));
    }

    pub(crate) fn waits(&self) -> SessionWait {
        SessionWait::ALL[usize::from(self.wait.load(Ordering::Relaxed))]
    }

    pub(crate) fn set_query_id(&self, query_id: i64) {
        self.query_id.store(query_id, Ordering::Relaxed);
    }

    /// 0 if there is none.
    pub(crate) fn query_id(&self) -> i64 {
        self.query_id.load(Ordering::Relaxed)
    }

    /// The port that the client has called from.
    pub fn set_client_port(&self, port: u16) {
        self.client_port.store(i32::from(port), Ordering::Relaxed);
    }

    pub(crate) fn client_port(&self) -> Option<i32> {
        Some(self.client_port.load(Ordering::Relaxed)).filter(|port| *port != 0)
    }

    /// The process itself has begun it.
    pub fn set_background(&self) {
        self.is_background.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_background(&self) -> bool {
        self.is_background.load(Ordering::Relaxed)
    }

    /// Says how it is about to end.
    pub fn set_end(&self, end: SessionEnd) {
        self.end.store(end as u8, Ordering::Relaxed);
    }

    /// The session has ended.
    pub(crate) fn leave(&self, now_us: i64, counters: &DatabaseCounters) {
        let mut ended = self.register.ended.lock();
        // Another one may have got its number by now.
        let mut sessions = self.register.sessions.lock();
        if sessions.get(&self.process_id).is_none_or(|other| std::ptr::eq(other.as_ptr(), self)) {
            sessions.remove(&self.process_id);
        }
        drop(sessions);
        let mut sum = self.said.lock().counters;
        sum.add(counters);
        sum.session_us += elapsed_us(self.begun_us, now_us);
        let end = self.end.load(Ordering::Relaxed);
        sum.abandoned += u64::from(end == SessionEnd::Abandoned as u8);
        sum.fatal += u64::from(end == SessionEnd::Fatal as u8);
        sum.killed += u64::from(end == SessionEnd::Killed as u8);
        ended.entry(self.database).or_default().add(&sum);
    }
}
