//! What the SQL tests share: sessions over an engine and a volume in memory.
//!
//! A [`Cluster`] is one engine with its database; [`Cluster::connect`] makes sessions. [`Client::query`] drives a Query
//! message to its end, meeting every need but a lock that another session holds (that panics). To interleave sessions,
//! use [`Client::start`] and [`Client::go_on`], which show such a wait as [`Progress::Waits`]. Owns no rule of SQL.
#![allow(dead_code, reason = "no test file uses all of it")]

use hexalog_engine::memory_volume::MemoryVolume;
use hexalog_engine::{Engine, Need, Options};
use hexalog_protocol::geometry::Geometry;
use hexalog_sql::answer::format_of;
use hexalog_sql::{
    CancelReason, ColumnDescription, Completion, Database, DatabaseOptions, Environment, Flow, QueryProgress,
    Session, Severity, Sink, Startup, Step, Stop,
};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, TypeId, binary, text};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering};

/// 2020-01-01 00:00 UTC, where the clock of the tests starts.
pub const START_US: i64 = 631_152_000_000_000;

/// The world as the sessions of a cluster see it.
#[derive(Default)]
pub struct World {
    /// How many there have been.
    pub sessions: AtomicI32,
    /// Microseconds since 2000-01-01; rises by one with each look at it.
    pub clock_us: AtomicI64,
    random: AtomicU64,
    /// Statements stop at their next yield point.
    pub is_cancelled: AtomicBool,
    /// How often statements have looked whether they are cancelled.
    pub looks_for_cancel: AtomicU64,
    /// They are when they look for this time; 0: never.
    pub cancel_at_look: AtomicU64,
    /// The session that was told last to end.
    pub terminated: AtomicI32,
    /// A statement has said that it has nothing to do for a while.
    is_pausing: AtomicBool,
}

impl World {
    fn take_pause(&self) -> bool {
        self.is_pausing.swap(false, Ordering::Relaxed)
    }
}

struct WorldView(Arc<World>);

impl Environment for WorldView {
    fn wall_clock_us(&self) -> i64 {
        self.0.clock_us.fetch_add(1, Ordering::Relaxed)
    }

    fn random_u64(&self) -> u64 {
        let before = self.0.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        (before ^ before >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn pause(&self, us: u64) {
        self.0.clock_us.fetch_add(us as i64, Ordering::Relaxed);
        self.0.is_pausing.store(true, Ordering::Relaxed);
    }

    fn terminate(&self, process_id: i32) {
        self.0.terminated.fetch_max(process_id, Ordering::Relaxed);
    }

    fn cancelled(&self) -> Option<CancelReason> {
        let look = self.0.looks_for_cancel.fetch_add(1, Ordering::Relaxed) + 1;
        let is_it = self.0.is_cancelled.load(Ordering::Relaxed)
            || look == self.0.cancel_at_look.load(Ordering::Relaxed);
        is_it.then_some(CancelReason::Request)
    }
}

/// An engine with its volume and database.
pub struct Cluster {
    pub volume: Arc<MemoryVolume>,
    pub engine: Arc<Engine>,
    pub database: Arc<Database>,
    pub world: Arc<World>,
}

impl Cluster {
    /// An empty cluster of 64 MiB with all routes on.
    pub fn new() -> Cluster {
        Cluster::with_options(DatabaseOptions::default())
    }

    pub fn with_options(options: DatabaseOptions) -> Cluster {
        let volume = MemoryVolume::new(Geometry { pages_per_group: 1_024, groups: 8 });
        let engine = Arc::new(Engine::new(volume.clone(), Options { frames: 4_096, ..Options::default() }));
        volume.run(&engine, || engine.create()).expect("creates");
        let database = Database::new(engine.clone(), options);
        let world = Arc::new(World { clock_us: AtomicI64::new(START_US), ..World::default() });
        let cluster = Cluster { volume, engine, database, world };
        cluster.run(|| cluster.database.bootstrap()).expect("bootstraps");
        cluster.run(|| cluster.database.load()).expect("loads");
        cluster
    }

    /// Loses what is beyond VDL, and opens the volume anew.
    pub fn crash(self) -> Cluster {
        let volume = self.volume.crash_and_reopen();
        let engine = Arc::new(Engine::new(volume.clone(), Options { frames: 4_096, ..Options::default() }));
        volume.run(&engine, || engine.open()).expect("opens");
        let database = Database::new(engine.clone(), self.database.options().clone());
        let cluster = Cluster { volume, engine, database, world: self.world };
        cluster.run(|| cluster.database.load()).expect("loads");
        cluster.run(|| cluster.database.drop_temporary()).expect("drops what was temporary");
        cluster
    }

    /// Meets needs until a step answers.
    pub fn run<T>(&self, mut step: impl FnMut() -> Step<T>) -> Result<T, SqlError> {
        loop {
            match step() {
                Ok(answer) => return Ok(answer),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Need(need)) => assert!(self.meet(&need), "cannot meet {need:?}"),
            }
        }
    }

    /// Meets a need, if this volume can.
    pub fn meet(&self, need: &Need) -> bool {
        self.volume.satisfy(&self.engine, need)
    }

    /// A session of `postgres`.
    pub fn connect(&self) -> Client<'_> {
        self.connect_with(&[]).expect("connects")
    }

    pub fn connect_with(&self, parameters: &[(&str, &str)]) -> Result<Client<'_>, SqlError> {
        self.connect_as("postgres", "postgres", parameters)
    }

    pub fn connect_as(
        &self,
        user: &str,
        database: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Client<'_>, SqlError> {
        let startup = Startup {
            user: user.to_owned(),
            database: database.to_owned(),
            parameters: parameters
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            process_id: self.world.sessions.fetch_add(1, Ordering::Relaxed) + 42,
        };
        let session = Session::new(self.database.clone(), startup, Box::new(WorldView(self.world.clone())))?;
        Ok(Client { cluster: self, session, collected: Collected::default(), copy_input: Vec::new() })
    }
}

/// What one statement answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// The command tag; empty for an empty query.
    pub tag: String,
    pub names: Vec<String>,
    pub types: Vec<TypeId>,
    /// Values as text (binary ones in hexadecimal), `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// The lines of COPY TO STDOUT.
    pub copied: String,
}

impl Answer {
    /// Rows as psql -A prints them: `a|b` with `∅` for NULL, one line a row.
    pub fn lines(&self) -> Vec<String> {
        let line = |row: &Vec<Option<String>>| {
            let values: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or("∅")).collect();
            values.join("|")
        };
        self.rows.iter().map(line).collect()
    }
}

/// A sink that keeps everything.
#[derive(Default)]
struct Collected {
    answer: Answer,
    notices: Vec<String>,
    /// Asks for a pause after each row.
    is_pausing: bool,
}

impl Collected {
    fn flow(&self) -> Flow {
        if self.is_pausing { Flow::Pause } else { Flow::Continue }
    }
}

impl Sink for Collected {
    fn row_description(&mut self, columns: &Arc<[ColumnDescription]>, _: &[i16]) {
        self.answer.names = columns.iter().map(|column| column.name.to_string()).collect();
        self.answer.types = columns.iter().map(|column| column.type_id).collect();
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        values: &[Datum],
        columns: &[ColumnDescription],
        formats: &[i16],
    ) -> Result<Flow, SqlError> {
        assert_eq!(values.len(), columns.len(), "a value for each column");
        let mut row = Vec::new();
        for (at, (value, column)) in values.iter().zip(columns).enumerate() {
            row.push(match value {
                Datum::Null => None,
                value if format_of(formats, at) == 1 => {
                    let mut bytes = Vec::new();
                    binary::send(env, column.type_id, value, &mut bytes)?;
                    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
                }
                value => Some(text::output_string(env, column.type_id, value)),
            });
        }
        self.answer.rows.push(row);
        Ok(self.flow())
    }

    fn notice(&mut self, severity: Severity, notice: &SqlError) {
        let fields = notice.fields();
        self.notices.push(format!("{} {}: {}", severity.as_str(), fields.sqlstate, fields.message));
    }

    fn copy_out_start(&mut self, _: u16, _: bool) {}

    fn copy_out_data(&mut self, line: &[u8]) -> Flow {
        self.answer.copied.push_str(std::str::from_utf8(line).expect("UTF-8"));
        self.flow()
    }

    fn copy_out_end(&mut self) {}
}

/// How far a Query message came.
#[derive(Debug)]
pub enum Progress {
    /// Another session has the lock: commit or roll back there, then [`Client::go_on`].
    Waits,
    Done(Result<Vec<Answer>, SqlError>),
}

/// One session and what it has answered.
pub struct Client<'a> {
    pub cluster: &'a Cluster,
    pub session: Session,
    collected: Collected,
    /// Given to COPY FROM STDIN, by pieces.
    copy_input: Vec<Vec<u8>>,
}

/// A Query message under way.
pub struct Running {
    answers: Vec<Answer>,
    waits_for: Option<Need>,
    error: Option<SqlError>,
}

impl Client<'_> {
    /// Runs a Query message to its end; the answers of its statements.
    pub fn try_query(&mut self, text: &str) -> Result<Vec<Answer>, SqlError> {
        let mut running = self.start(text);
        match self.go_on(&mut running) {
            Progress::Done(result) => result,
            Progress::Waits => panic!("{text} waits for a lock"),
        }
    }

    /// As [`Client::try_query`], which must succeed; the last statement's answer.
    pub fn query(&mut self, text: &str) -> Answer {
        let answers = self.try_query(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        answers.into_iter().next_back().unwrap_or_default()
    }

    /// The rows of a Query message as lines.
    pub fn lines(&mut self, text: &str) -> Vec<String> {
        self.query(text).lines()
    }

    /// The tag of the last statement.
    pub fn tag(&mut self, text: &str) -> String {
        self.query(text).tag
    }

    /// The one value of the one row.
    pub fn value(&mut self, text: &str) -> Option<String> {
        let answer = self.query(text);
        assert_eq!(answer.rows.len(), 1, "{text}: one row");
        answer.rows[0][0].clone()
    }

    /// `SQLSTATE message` of a Query message that must fail.
    pub fn error(&mut self, text: &str) -> String {
        let error = self.sql_error(text);
        format!("{} {}", error.fields().sqlstate, error.fields().message)
    }

    /// The error of a Query message that must fail.
    pub fn sql_error(&mut self, text: &str) -> SqlError {
        match self.try_query(text) {
            Ok(answers) => panic!("{text} answered {answers:?}"),
            Err(error) => error,
        }
    }

    /// Data for the COPY FROM STDIN of the next Query message.
    pub fn copy_from(&mut self, pieces: &[&[u8]]) {
        self.copy_input = pieces.iter().map(|piece| piece.to_vec()).collect();
    }

    /// Each row is followed by a pause from now on.
    pub fn pause_after_rows(&mut self, on: bool) {
        self.collected.is_pausing = on;
    }

    /// Notices since the last call: `SEVERITY SQLSTATE: message`.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.collected.notices)
    }

    /// `I`, `T` or `E`.
    pub fn status(&self) -> char {
        char::from(self.session.transaction_status())
    }

    /// Begins a Query message; nothing runs before [`Client::go_on`].
    pub fn start(&mut self, text: &str) -> Running {
        self.collected.answer = Answer::default();
        let error = self.session.query_start(text).err();
        Running { answers: Vec::new(), waits_for: None, error }
    }

    /// Runs a Query message on until it ends or waits for another session.
    pub fn go_on(&mut self, running: &mut Running) -> Progress {
        if let Some(error) = running.error.take() {
            self.fail(&error);
            return Progress::Done(Err(error));
        }
        if let Some(need) = running.waits_for.take()
            && !self.cluster.meet(&need)
        {
            running.waits_for = Some(need);
            return Progress::Waits;
        }
        loop {
            match self.session.query_step(&mut self.collected) {
                Ok(QueryProgress::Finished) => {
                    self.make_durable();
                    return Progress::Done(Ok(std::mem::take(&mut running.answers)));
                }
                Ok(QueryProgress::Statement(completion)) => {
                    if let Err(error) = self.statement(completion, running) {
                        self.fail(&error);
                        return Progress::Done(Err(error));
                    }
                }
                Err(Stop::Error(error)) => {
                    self.fail(&error);
                    return Progress::Done(Err(error));
                }
                Err(Stop::Need(need @ Need::Yield)) if self.cluster.world.take_pause() => {
                    running.waits_for = Some(need);
                    return Progress::Waits;
                }
                Err(Stop::Need(need)) if self.cluster.meet(&need) => {}
                Err(Stop::Need(need)) => {
                    assert!(matches!(need, Need::Lock(_)), "cannot meet {need:?}");
                    running.waits_for = Some(need);
                    return Progress::Waits;
                }
            }
        }
    }

    fn statement(&mut self, completion: Completion, running: &mut Running) -> Result<(), SqlError> {
        let tag = match completion {
            Completion::Paused => return Ok(()),
            Completion::EmptyQuery => String::new(),
            Completion::Tag(tag) => tag.to_string(),
            Completion::CopyIn(_) => self.copy_in()?,
            Completion::Suspended => unreachable!("a Query message has no row limit"),
        };
        running.answers.push(Answer { tag, ..std::mem::take(&mut self.collected.answer) });
        Ok(())
    }

    /// Gives COPY FROM STDIN its data; answers with the tag.
    fn copy_in(&mut self) -> Result<String, SqlError> {
        for piece in std::mem::take(&mut self.copy_input) {
            let taken = self.cluster.run(|| self.session.copy_data(&piece))?;
            assert_eq!(taken, piece.len());
        }
        match self.cluster.run(|| self.session.copy_done())? {
            Completion::Tag(tag) => Ok(tag.to_string()),
            other => panic!("COPY ends with {other:?}"),
        }
    }

    /// What the server does when a statement has failed.
    pub fn fail(&mut self, error: &SqlError) {
        self.cluster.run(|| self.session.fail(error)).expect("rolls back");
        self.collected.answer = Answer::default();
        self.make_durable();
    }

    /// Waits as the server does before it answers, and is ready.
    pub fn make_durable(&mut self) {
        let need = Need::Durable(self.session.answer_lsn());
        assert!(self.cluster.meet(&need), "becomes durable");
        self.session.ready();
    }

    /// Extended protocol: Execute. The rows and the tag, `suspended` for a portal that has more.
    pub fn execute(&mut self, portal: &str, limit: u32) -> Result<Answer, SqlError> {
        self.collected.answer = Answer::default();
        loop {
            let step = || self.session.execute(portal, limit, &mut self.collected);
            let tag = match self.cluster.run(step)? {
                Completion::Paused => continue,
                Completion::Suspended => "suspended".to_owned(),
                Completion::EmptyQuery => String::new(),
                Completion::Tag(tag) => tag.to_string(),
                Completion::CopyIn(_) => self.copy_in()?,
            };
            return Ok(Answer { tag, ..std::mem::take(&mut self.collected.answer) });
        }
    }

    /// Extended protocol: Sync.
    pub fn sync(&mut self) {
        self.cluster.run(|| self.session.sync()).expect("syncs");
        self.make_durable();
    }

    /// Extended protocol as drivers use it: Parse, Bind with parameters as text, Execute, Sync, all unnamed.
    pub fn extended(&mut self, text: &str, parameters: &[Option<&str>]) -> Result<Answer, SqlError> {
        let result = self.extended_steps(text, parameters);
        match &result {
            Ok(_) => self.sync(),
            Err(error) => {
                self.fail(error);
                self.sync();
            }
        }
        result
    }

    fn extended_steps(&mut self, text: &str, parameters: &[Option<&str>]) -> Result<Answer, SqlError> {
        self.session.parse("", text, &[])?;
        let values: Vec<Option<&[u8]>> = parameters.iter().map(|value| value.map(str::as_bytes)).collect();
        self.session.bind("", "", &[], &values, &[])?;
        let described = self.session.describe_portal("")?;
        self.session.sync_follows();
        let mut answer = self.execute("", 0)?;
        if let Some(portal) = described {
            answer.names = portal.columns.iter().map(|column| column.name.to_string()).collect();
            answer.types = portal.columns.iter().map(|column| column.type_id).collect();
        }
        Ok(answer)
    }
}

impl Drop for Client<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.cluster.run(|| self.session.close()).expect("closes");
        }
    }
}

/// A sink that keeps nothing.
pub struct Silent;

impl Sink for Silent {
    fn row_description(&mut self, _: &Arc<[ColumnDescription]>, _: &[i16]) {}

    fn row(
        &mut self,
        _: &EvalEnv<'_>,
        _: &[Datum],
        _: &[ColumnDescription],
        _: &[i16],
    ) -> Result<Flow, SqlError> {
        Ok(Flow::Continue)
    }

    fn notice(&mut self, _: Severity, _: &SqlError) {}

    fn copy_out_start(&mut self, _: u16, _: bool) {}

    fn copy_out_data(&mut self, _: &[u8]) -> Flow {
        Flow::Continue
    }

    fn copy_out_end(&mut self) {}
}
