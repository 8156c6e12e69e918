//! The server's side of one connection: a SQL session, stepped, waited for and gated as the server does it.
//!
//! Owns what `compute-shim/server`'s session loop owns, without sockets: rows, errors and ends of transactions leave only
//! when VDL covers what they rest on and storage has confirmed the writer lately; tags inside an open block leave at
//! once. Never decides what is asked: [`super::client`] does.

use super::{Context, ServerState};
use hexalog_engine::Need;
use hexalog_protocol::Lsn;
use hexalog_sql::{
    CancelReason, ColumnDescription, Completion, Environment, Flow, QueryProgress, Session, Severity, Sink,
    Startup, Stop,
};
use hexalog_sql_types::{Datum, EvalEnv, SqlError, text};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rows after which a full buffer is sent in the midst of an answer: few, so that it happens.
const ROWS_PER_SEND: usize = 7;

/// The world as a session sees it.
pub struct SessionWorld {
    clock_us: Arc<AtomicU64>,
    random: AtomicU64,
}

impl SessionWorld {
    /// Random numbers begin at `seed`.
    pub fn new(clock_us: Arc<AtomicU64>, seed: u64) -> SessionWorld {
        SessionWorld { clock_us, random: AtomicU64::new(seed) }
    }
}

impl Environment for SessionWorld {
    fn wall_clock_us(&self) -> i64 {
        self.clock_us.load(Ordering::Relaxed) as i64
    }

    fn random_u64(&self) -> u64 {
        let before = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        (before ^ before >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    fn cancelled(&self) -> Option<CancelReason> {
        None
    }
}

/// What a client sends.
#[derive(Clone, Debug)]
pub enum Message {
    /// Query.
    Simple(String),
    /// Parse unless it is prepared, Bind, Execute, Sync.
    Extended(String, Vec<String>),
}

/// What a client was told.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Rows as text.
    pub rows: Vec<Vec<Option<String>>>,
    /// The command tag.
    pub tag: String,
    /// SQLSTATE and message.
    pub error: Option<(String, String)>,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some((state, message)) => write!(f, "{state}: {message}"),
            None => write!(f, "{} {:?}", self.tag, self.rows),
        }
    }
}

/// How far a step came.
pub enum Progress {
    /// Nothing to do before it is woken.
    Waits,
    /// To be stepped again, after others.
    Again,
    /// The client has its answer.
    Replied(Reply),
}

#[derive(Default)]
struct Output {
    reply: Reply,
    unsent_rows: usize,
    is_gated: bool,
}

impl Sink for Output {
    fn row_description(&mut self, _: &Arc<[ColumnDescription]>, _: &[i16]) {}

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        values: &[Datum],
        columns: &[ColumnDescription],
        _: &[i16],
    ) -> Result<Flow, SqlError> {
        let text = |(value, column): (&Datum, &ColumnDescription)| match value {
            Datum::Null => None,
            value => Some(text::output_string(env, column.type_id, value)),
        };
        self.reply.rows.push(values.iter().zip(columns).map(text).collect());
        self.is_gated = true;
        self.unsent_rows += 1;
        Ok(if self.unsent_rows >= ROWS_PER_SEND { Flow::Pause } else { Flow::Continue })
    }

    fn notice(&mut self, _: Severity, _: &SqlError) {
        self.is_gated = true;
    }

    fn copy_out_start(&mut self, _: u16, _: bool) {}

    fn copy_out_data(&mut self, _: &[u8]) -> Flow {
        Flow::Continue
    }

    fn copy_out_end(&mut self) {}
}

enum Phase {
    /// Between messages.
    Idle,
    Running(Message),
    /// The extended protocol's Sync.
    Syncing,
    Failing(SqlError),
    /// Waits until VDL covers the LSN, then until the writer is confirmed; then sends.
    Sending {
        lsn: Lsn,
        /// When confirmation was asked for.
        asked_us: Option<u64>,
        then: After,
    },
}

#[derive(Clone)]
enum After {
    /// The answer goes on.
    Run(Message),
    /// ReadyForQuery was in it.
    Ready,
}

struct Wait {
    need: Need,
    /// When the client gives up.
    until_us: u64,
}

/// One connection.
pub struct ServerSession {
    session: Session,
    phase: Phase,
    wait: Option<Wait>,
    output: Output,
    prepared: BTreeSet<String>,
}

impl ServerSession {
    /// A session of user and database `postgres`.
    pub fn new(server: &ServerState, world: SessionWorld, process_id: i32) -> ServerSession {
        let startup = Startup {
            user: "postgres".to_owned(),
            database: "postgres".to_owned(),
            parameters: Vec::new(),
            process_id,
        };
        let session = Session::new(Arc::clone(&server.database), startup, Box::new(world))
            .expect("the first role and database are there");
        ServerSession {
            session,
            phase: Phase::Idle,
            wait: None,
            output: Output::default(),
            prepared: BTreeSet::new(),
        }
    }

    /// The client sends its next message.
    pub fn send(&mut self, message: Message, is_alone: bool) {
        assert!(matches!(self.phase, Phase::Idle), "a client waits for its answer");
        self.output = Output::default();
        let begun = match &message {
            Message::Simple(text) => self.session.query_start(text),
            Message::Extended(text, parameters) => self.bind(text, parameters, is_alone),
        };
        self.phase = match begun {
            Ok(()) => Phase::Running(message),
            Err(error) => Phase::Failing(error),
        };
    }

    fn bind(&mut self, text: &str, parameters: &[String], is_alone: bool) -> Result<(), SqlError> {
        if !self.prepared.contains(text) {
            self.session.parse(text, text, &[])?;
            self.prepared.insert(text.to_owned());
        }
        let values: Vec<Option<&[u8]>> = parameters.iter().map(|value| Some(value.as_bytes())).collect();
        self.session.bind("", text, &[], &values, &[])?;
        if is_alone {
            self.session.sync_follows();
        }
        Ok(())
    }

    /// What it waits for, for whoever looks.
    pub fn waits_for(&self) -> String {
        let need = self.wait.as_ref().map(|wait| format!(" for {:?}", wait.need)).unwrap_or_default();
        match &self.phase {
            Phase::Idle => "idle".to_owned(),
            Phase::Running(message) => format!("runs {message:?}{need}"),
            Phase::Syncing => format!("syncs{need}"),
            Phase::Failing(error) => format!("fails with {error:?}{need}"),
            Phase::Sending { lsn, asked_us, .. } => format!("sends at {lsn:?}, asked {asked_us:?}"),
        }
    }

    /// Goes on until it waits or the client has its answer.
    pub fn step(&mut self, server: &ServerState, context: &mut Context<'_>) -> Progress {
        loop {
            if !self.is_met(server, context) {
                return Progress::Waits;
            }
            let stepped = match &self.phase {
                Phase::Idle => return Progress::Waits,
                Phase::Sending { .. } => match self.poll_sending(server, context) {
                    Some(progress) => return progress,
                    None => continue,
                },
                Phase::Running(_) => self.run(),
                Phase::Syncing => self.session.sync().map(|()| self.ready()),
                Phase::Failing(error) => {
                    let error = error.clone();
                    self.session.fail(&error).map(|()| self.failed(&error))
                }
            };
            match stepped {
                Ok(()) => {}
                Err(Stop::Need(need)) => {
                    let is_yield = need == Need::Yield;
                    let patience_us = context.draw_patience_us(&need);
                    if patience_us < u64::MAX {
                        context.wake_in(patience_us);
                    }
                    let until_us = context.now_us.saturating_add(patience_us);
                    self.wait = Some(Wait { need, until_us });
                    if is_yield {
                        return Progress::Again;
                    }
                }
                Err(Stop::Error(error)) => {
                    assert!(!matches!(self.phase, Phase::Failing(_)), "undoing fails: {error:?}");
                    self.phase = Phase::Failing(error);
                }
            }
        }
    }

    /// Whether what it waits for has come, or was given up.
    fn is_met(&mut self, server: &ServerState, context: &mut Context<'_>) -> bool {
        let Some(wait) = &self.wait else { return true };
        if server.poll_need(&wait.need, context) {
            self.wait = None;
            return true;
        }
        if context.now_us < wait.until_us || !matches!(self.phase, Phase::Running(_)) {
            return false;
        }
        context.notes.push(format!("a client gives up waiting for {:?}", wait.need));
        server.engine.cancel_need(&wait.need);
        self.wait = None;
        self.phase = Phase::Failing(CancelReason::Request.error());
        true
    }

    fn run(&mut self) -> Result<(), Stop> {
        let Phase::Running(message) = &self.phase else { unreachable!("it runs") };
        let message = message.clone();
        let completion = match &message {
            Message::Simple(_) => match self.session.query_step(&mut self.output)? {
                QueryProgress::Finished => {
                    self.ready();
                    return Ok(());
                }
                QueryProgress::Statement(completion) => completion,
            },
            Message::Extended(..) => self.session.execute("", 0, &mut self.output)?,
        };
        match completion {
            Completion::Tag(tag) => {
                self.output.reply.tag = tag.to_string();
                self.output.is_gated |= self.session.transaction_status() != b'T' || tag.tells_of_data();
                if matches!(message, Message::Extended(..)) {
                    self.phase = Phase::Syncing;
                }
            }
            Completion::Paused => self.begin_sending(After::Run(message)),
            other => panic!("no statement of the workload ends with {other:?}"),
        }
        Ok(())
    }

    /// ReadyForQuery.
    fn ready(&mut self) {
        self.output.is_gated |= self.session.transaction_status() != b'T';
        self.begin_sending(After::Ready);
    }

    fn failed(&mut self, error: &SqlError) {
        let fields = error.fields();
        self.output.reply.error = Some((fields.sqlstate.to_string(), fields.message.to_string()));
        self.output.is_gated = true;
        self.ready();
    }

    fn begin_sending(&mut self, then: After) {
        let lsn = if self.output.is_gated { self.session.answer_lsn() } else { Lsn::ZERO };
        self.phase = Phase::Sending { lsn, asked_us: None, then };
    }

    /// `None`: sent, go on.
    fn poll_sending(&mut self, server: &ServerState, context: &mut Context<'_>) -> Option<Progress> {
        let Phase::Sending { lsn, asked_us, then } = &mut self.phase else { unreachable!("it sends") };
        if !server.poll_need(&Need::Durable(*lsn), context) {
            return Some(Progress::Waits);
        }
        if self.output.is_gated && !server.is_confirmed(asked_us, context) {
            return Some(Progress::Waits);
        }
        self.output.is_gated = false;
        self.output.unsent_rows = 0;
        match then.clone() {
            After::Run(message) => {
                self.phase = Phase::Running(message);
                None
            }
            After::Ready => {
                self.phase = Phase::Idle;
                Some(Progress::Replied(std::mem::take(&mut self.output.reply)))
            }
        }
    }
}
