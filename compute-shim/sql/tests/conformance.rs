//! The scripts under `conformance/`, replayed and compared with the answers that PostgreSQL 15 gave.
//!
//! `conformance/record.py` says how a script is written and makes the `.out` files. Everything a client sees is compared:
//! columns with their types, rows, tags, notices, errors with all their fields, the transaction's status. Rows come in any
//! order if the statement has no ORDER BY. What we refuse on purpose is listed in `conformance/exceptions.txt`: there the
//! answer must be SQLSTATE 0A000, and an entry that is not needed fails the test as well. One thing is not asked for: the
//! description of columns when an error comes instead of rows (PostgreSQL computes some things while planning, we while
//! executing).
//!
//! Every script runs three times, with one set of expected answers: as clients have it; without direct routes; and with a
//! cache that is emptied between any two rows, so that every page access may have to wait (nothing may happen twice then).
//! To run some scripts only: `CONFORMANCE_SCRIPTS=joins,copy cargo test -p hexalog-sql --test conformance`.

mod harness;

use harness::{Client, Cluster};
use hexalog_engine::Need;
use hexalog_sql::{
    CancelReason, ColumnDescription, Completion, DatabaseOptions, Flow, QueryProgress, Session, Severity,
    Sink, Step, Stop,
};
use hexalog_sql_types::types::format_type;
use hexalog_sql_types::{Datum, EvalEnv, SqlError, TypeId, Typmod, text};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One step of a script.
enum Action {
    /// The name, and the database of a new one.
    Session(String, Option<String>),
    End(String),
    /// From here on everything is refused.
    Unsupported,
    Query {
        data: Vec<u8>,
    },
    Bind {
        values: Vec<Option<String>>,
    },
    /// Begins a statement that must wait for a lock.
    Start,
    /// Goes on with it.
    Finish,
}

struct Message {
    line: usize,
    text: String,
    action: Action,
}

/// The steps of a script, by the rules that `record.py` states.
fn steps(script: &str) -> Vec<Message> {
    let lines: Vec<&str> = script.lines().collect();
    let (mut at, mut steps, mut statement) = (0, Vec::<Message>::new(), String::new());
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        let start = at;
        if line.trim().is_empty() || line.starts_with("--") {
            continue;
        }
        if let Some(name) = line.strip_prefix("\\session ") {
            let (name, database) = match name.trim().split_once(' ') {
                Some((name, database)) => (name, Some(database.trim().to_owned())),
                None => (name.trim(), None),
            };
            let action = Action::Session(name.to_owned(), database);
            steps.push(Message { line: start, text: String::new(), action });
        } else if let Some(name) = line.strip_prefix("\\end ") {
            let action = Action::End(name.trim().to_owned());
            steps.push(Message { line: start, text: String::new(), action });
        } else if line.starts_with("\\unsupported") {
            steps.push(Message { line: start, text: String::new(), action: Action::Unsupported });
        } else if line == "\\waits" {
            steps.pop();
            steps.push(Message { line: start, text: statement.clone(), action: Action::Start });
        } else if line == "\\finish" {
            steps.push(Message { line: start, text: statement.clone(), action: Action::Finish });
        } else if let Some(rest) = line.strip_prefix("\\bind") {
            let rest = rest.trim();
            let split = rest.split('|').map(str::trim);
            let values = if rest.is_empty() { Vec::new() } else { split.collect() };
            let values = values.into_iter().map(|value| (value != "\\N").then(|| value.to_owned())).collect();
            if steps.last().is_some_and(|step| matches!(step.action, Action::Query { .. })) {
                steps.pop();
            }
            steps.push(Message { line: start, text: statement.clone(), action: Action::Bind { values } });
        } else {
            statement = line.to_owned();
            while !statement.trim_end().ends_with(';') {
                write!(statement, "\n{}", lines[at]).expect("strings take everything");
                at += 1;
            }
            let mut data = Vec::new();
            if takes_data(&statement) {
                while lines[at] != "\\." {
                    copy_bytes(lines[at], &mut data);
                    at += 1;
                }
                at += 1;
            }
            steps.push(Message { line: start, text: statement.clone(), action: Action::Query { data } });
        }
    }
    steps
}

fn takes_data(statement: &str) -> bool {
    let words: Vec<String> = statement.split_whitespace().map(str::to_lowercase).collect();
    let copy = words.iter().any(|word| word == "copy");
    copy && words.windows(2).any(|pair| pair[0] == "from" && pair[1].starts_with("stdin"))
}

/// The recorded answers by line of the script.
fn recorded(answers: &str) -> BTreeMap<usize, Vec<String>> {
    let mut found = BTreeMap::<usize, Vec<String>>::new();
    let mut current = 0;
    for line in answers.lines() {
        match line.strip_prefix("@ ") {
            Some(number) => {
                current = number.parse().expect("a line number");
                found.insert(current, Vec::new());
            }
            None => found.get_mut(&current).expect("behind its line").push(line.to_owned()),
        }
    }
    found
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    value.replace('\t', "\\t").replace('|', "\\|")
}

/// A sink that writes down answers as the recorder does.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
    /// The extended protocol has described the columns before.
    is_described: bool,
    is_pausing: bool,
    is_binary_copy: bool,
}

fn copy_format(columns: u16, is_binary: bool) -> String {
    format!("{columns} columns{}", if is_binary { ", binary" } else { "" })
}

/// The bytes of a line of COPY's data.
fn copy_bytes(line: &str, data: &mut Vec<u8>) {
    let Some(digits) = line.strip_prefix("\\hex ") else {
        data.extend_from_slice(line.as_bytes());
        data.push(b'\n');
        return;
    };
    let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    data.extend(digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")));
}

/// A type as the recorder shows it, who does not know those of users.
fn shown_type(id: TypeId, typmod: Typmod) -> String {
    match id.info() {
        Some(_) => format_type(id, Some(typmod)),
        None => "???".to_owned(),
    }
}

impl Lines {
    fn columns(&mut self, columns: &[ColumnDescription]) {
        let column = |column: &ColumnDescription| {
            format!("{} {}", escaped(&column.name), shown_type(column.type_id, column.typmod))
        };
        self.lines.push(format!("columns: {}", columns.iter().map(column).collect::<Vec<_>>().join(" | ")));
    }

    fn report(&mut self, word: &str, error: &SqlError) {
        let fields = error.fields();
        self.lines.push(format!("{word}{} {}", fields.sqlstate, escaped(&fields.message)));
        let position = fields.position.map(|position| position.to_string());
        for (label, value) in [
            ("detail", &fields.detail),
            ("hint", &fields.hint),
            ("position", &position),
            ("context", &fields.context),
            ("schema", &fields.schema),
            ("table", &fields.table),
            ("column", &fields.column),
            ("constraint", &fields.constraint),
            ("type", &fields.data_type),
        ] {
            if let Some(value) = value {
                self.lines.push(format!("  {label}: {}", escaped(value)));
            }
        }
    }

    fn flow(&self) -> Flow {
        if self.is_pausing { Flow::Pause } else { Flow::Continue }
    }
}

impl Sink for Lines {
    fn row_description(&mut self, columns: &Arc<[ColumnDescription]>, _: &[i16]) {
        if !self.is_described {
            self.columns(columns);
        }
    }

    fn row(
        &mut self,
        env: &EvalEnv<'_>,
        values: &[Datum],
        columns: &[ColumnDescription],
        _: &[i16],
    ) -> Result<Flow, SqlError> {
        let value = |(value, column): (&Datum, &ColumnDescription)| match value {
            Datum::Null => "\\N".to_owned(),
            value => escaped(&text::output_string(env, column.type_id, value)),
        };
        let row: Vec<String> = values.iter().zip(columns).map(value).collect();
        self.lines.push(format!("row: {}", row.join(" | ")));
        Ok(self.flow())
    }

    fn notice(&mut self, severity: Severity, notice: &SqlError) {
        self.report(&format!("notice: {} ", severity.as_str()), notice);
    }

    fn copy_out_start(&mut self, columns: u16, is_binary: bool) {
        self.is_binary_copy = is_binary;
        self.lines.push(format!("copy out: {}", copy_format(columns, is_binary)));
    }

    fn copy_out_data(&mut self, data: &[u8]) -> Flow {
        if self.is_binary_copy {
            let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            self.lines.push(format!("bytes: {digits}"));
        } else {
            let line = String::from_utf8_lossy(data);
            self.lines.push(format!("data: {}", escaped(line.strip_suffix('\n').expect("whole lines"))));
        }
        self.flow()
    }

    fn copy_out_end(&mut self) {}
}

/// How a script is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    AsClients,
    WithoutDirectRoutes,
    ColdPages,
}

/// Drives sessions of one cluster through a script.
struct Player<'a> {
    cluster: &'a Cluster,
    way: Way,
    sink: Lines,
    needs: u64,
    lock_timeout_ms: u64,
    /// The statement waits for a lock, as it should.
    waits: bool,
    /// What statements that wait have answered so far, by session.
    waiting: BTreeMap<String, Vec<String>>,
    /// Where the running statement counts as one that does not end.
    needs_max: u64,
}

/// More than any statement of the scripts needs.
const NEEDS_MAX: u64 = 200_000;

impl Player<'_> {
    /// Meets needs until a step answers; on the cold way pages go while it waits.
    fn run<T>(&mut self, mut step: impl FnMut(&mut Lines) -> Step<T>) -> Result<T, SqlError> {
        loop {
            match step(&mut self.sink) {
                Ok(answer) => return Ok(answer),
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Need(need)) => {
                    self.needs += 1;
                    assert!(self.needs < self.needs_max, "waits without end, now for {need:?}");
                    // An operation needs several pages at once, so not every wait may take them all away.
                    if self.way == Way::ColdPages && (need == Need::Yield || self.needs.is_multiple_of(5)) {
                        self.cluster.engine.evict_pages();
                    }
                    if !self.cluster.meet(&need) {
                        assert!(matches!(need, Need::Lock(_)), "cannot meet {need:?}");
                        return Err(self.wait_for_lock(&need));
                    }
                }
            }
        }
    }

    /// Only another session can end this wait: `lock_timeout` passes, or the script says when.
    fn wait_for_lock(&mut self, need: &Need) -> SqlError {
        let error = CancelReason::LockTimeout.error();
        if self.lock_timeout_ms > 0 {
            self.cluster.engine.cancel_need(need);
        } else {
            self.waits = true;
        }
        error
    }

    fn query(&mut self, session: &mut Session, text: &str, data: &[u8]) -> Result<(), SqlError> {
        session.query_start(text)?;
        self.sink.is_described = false;
        self.go_on(session, data)
    }

    fn go_on(&mut self, session: &mut Session, data: &[u8]) -> Result<(), SqlError> {
        let mut data = Some(data);
        loop {
            match self.run(|sink| session.query_step(sink))? {
                QueryProgress::Finished => return Ok(()),
                QueryProgress::Statement(completion) => self.completion(session, completion, &mut data)?,
            }
        }
    }

    fn completion(
        &mut self,
        session: &mut Session,
        completion: Completion,
        data: &mut Option<&[u8]>,
    ) -> Result<(), SqlError> {
        match completion {
            Completion::Paused => {}
            Completion::EmptyQuery => self.sink.lines.push("empty query".to_owned()),
            Completion::Suspended => unreachable!("no row limit was given"),
            Completion::Tag(tag) => self.sink.lines.push(format!("tag: {tag}")),
            Completion::CopyIn(format) => {
                self.sink.lines.push(format!("copy in: {}", copy_format(format.columns, format.is_binary)));
                let mut rest = data.take().unwrap_or_default();
                while !rest.is_empty() {
                    let taken = self.run(|_| session.copy_data(rest))?;
                    rest = &rest[taken..];
                }
                let done = self.run(|_| session.copy_done())?;
                self.completion(session, done, data)?;
            }
        }
        Ok(())
    }

    fn extended(
        &mut self,
        session: &mut Session,
        text: &str,
        values: &[Option<String>],
    ) -> Result<(), SqlError> {
        session.parse("", text.trim_end().trim_end_matches(';'), &[])?;
        let described = session.describe_statement("")?;
        let types = described.parameters.iter().map(|&id| shown_type(id, Typmod::NONE));
        self.sink.lines.push(format!("parameters: {}", types.collect::<Vec<_>>().join(", ")));
        if let Some(columns) = &described.columns {
            self.sink.columns(columns);
        }
        self.sink.is_described = true;
        let values: Vec<_> = values.iter().map(|value| value.as_deref().map(str::as_bytes)).collect();
        session.bind("", "", &[], &values, &[])?;
        session.sync_follows();
        loop {
            match self.run(|sink| session.execute("", 0, sink))? {
                Completion::Paused => {}
                other => return self.completion(session, other, &mut None),
            }
        }
    }

    /// The lines of one step's answer.
    fn answer(&mut self, name: &str, client: &mut Client<'_>, step: &Message) -> Vec<String> {
        if self.way == Way::ColdPages {
            self.cluster.engine.evict_pages();
        }
        self.needs_max = self.needs + NEEDS_MAX;
        let session = &mut client.session;
        self.lock_timeout_ms = session.lock_timeout_ms();
        let result = match &step.action {
            Action::Query { data } => self.query(session, &step.text, data),
            Action::Bind { values } => self.extended(session, &step.text, values),
            Action::Start => self.query(session, &step.text, &[]),
            Action::Finish => {
                self.sink.lines = self.waiting.remove(name).expect("a statement waits in this session");
                self.go_on(session, &[])
            }
            Action::Session(..) | Action::End(_) | Action::Unsupported => unreachable!("not for the server"),
        };
        if std::mem::take(&mut self.waits) {
            self.waiting.insert(name.to_owned(), std::mem::take(&mut self.sink.lines));
            return vec!["waits".to_owned()];
        }
        if let Err(error) = result {
            self.run(|_| session.fail(&error)).expect("rolls back");
            self.sink.report("error: ", &error);
        }
        if matches!(step.action, Action::Bind { .. })
            && let Err(error) = self.run(|_| session.sync())
        {
            self.run(|_| session.fail(&error)).expect("rolls back");
            self.sink.report("error: ", &error);
        }
        if session.transaction_status() != b'I' {
            let status = char::from(session.transaction_status());
            self.sink.lines.push(format!("status: {status}"));
        }
        client.make_durable();
        std::mem::take(&mut self.sink.lines)
    }
}

/// Whether an answer is as recorded, but for what is not asked for.
fn agrees(statement: &str, wanted: &[String], got: &[String]) -> bool {
    comparable(statement, wanted) == comparable(statement, got)
}

/// Whether a statement has an ORDER BY of its own: one in parentheses orders nothing but what is inside.
fn is_ordered(statement: &str) -> bool {
    let mut depth = 0usize;
    let outside = statement.chars().filter(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    let outside: String = outside.collect();
    one_line(&outside.to_lowercase()).contains("order by")
}

/// Rows without a wanted order are put in one.
fn comparable(statement: &str, lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = lines.to_vec();
    let is_head = |line: &str| line.starts_with("columns: ") || line.starts_with("copy out: ");
    while let Some(at) = lines.windows(2).position(|pair| is_head(&pair[0]) && pair[1].starts_with("error: "))
    {
        lines.remove(at);
    }
    if !is_ordered(statement) {
        let is_row = |line: &String| line.starts_with("row: ") || line.starts_with("data: ");
        lines.chunk_by_mut(|a, b| is_row(a) && is_row(b)).for_each(<[String]>::sort);
    }
    lines
}

fn refused(lines: &[String]) -> bool {
    lines.iter().any(|line| line.starts_with("error: 0A000 "))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Exception {
    /// The answer must be 0A000.
    Refused,
    /// It differs as the comment in the list says.
    Differs,
}

/// A script and a statement of it, blanks made one.
type Key = (String, String);

/// Statements that are answered otherwise on purpose.
fn exceptions() -> BTreeMap<Key, Exception> {
    let text = std::fs::read_to_string(folder().join("exceptions.txt")).expect("the list of exceptions");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.strip_prefix("~ ") {
            Some(rest) => (rest, Exception::Differs),
            None => (line, Exception::Refused),
        })
        .map(|(line, exception)| {
            let (script, statement) = line.split_once(": ").expect("script: statement");
            ((script.to_owned(), one_line(statement)), exception)
        })
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cluster(way: Way) -> Cluster {
    match way {
        Way::AsClients => Cluster::new(),
        Way::WithoutDirectRoutes => {
            Cluster::with_options(DatabaseOptions { direct_routes: false, ..DatabaseOptions::default() })
        }
        Way::ColdPages => {
            Cluster::with_options(DatabaseOptions { rows_per_yield: 1, ..DatabaseOptions::default() })
        }
    }
}

/// What differs in one script.
#[derive(Default)]
struct Outcome {
    messages: usize,
    differences: Vec<String>,
    excepted: BTreeSet<Key>,
}

fn play(name: &str, way: Way, exceptions: &BTreeMap<Key, Exception>) -> Outcome {
    let script = std::fs::read_to_string(folder().join(format!("{name}.sql"))).expect("a script");
    let answers = std::fs::read_to_string(folder().join(format!("{name}.out"))).expect("its answers");
    let answers = recorded(&answers);
    let cluster = cluster(way);
    let mut clients = BTreeMap::<String, Client<'_>>::new();
    let sink = Lines { is_pausing: way == Way::ColdPages, ..Lines::default() };
    let mut player = Player {
        cluster: &cluster,
        way,
        sink,
        needs: 0,
        lock_timeout_ms: 0,
        waits: false,
        waiting: BTreeMap::new(),
        needs_max: 0,
    };
    let (mut session, mut is_unsupported) = ("a".to_owned(), false);
    let mut database_of_new = None;
    let mut outcome = Outcome::default();
    for step in steps(&script) {
        match &step.action {
            Action::Session(name, database) => {
                session.clone_from(name);
                database_of_new = database.clone();
            }
            Action::End(name) => drop(clients.remove(name)),
            Action::Unsupported => is_unsupported = true,
            Action::Query { .. } | Action::Bind { .. } | Action::Start | Action::Finish => {
                outcome.messages += 1;
                let client = clients.entry(session.clone()).or_insert_with(|| {
                    let database = database_of_new.as_deref().unwrap_or("postgres");
                    let parameters = [("application_name", "conformance")];
                    cluster.connect_as("postgres", database, &parameters).expect("connects")
                });
                // A panic is shown with its statement; the sessions are of no use after it.
                let answer = catch_unwind(AssertUnwindSafe(|| player.answer(&session, client, &step)));
                let Ok(answer) = answer else {
                    outcome.differences.push(shown(name, &step, &[], &["panic".to_owned()]));
                    std::mem::forget(clients);
                    return outcome;
                };
                let key = (name.to_owned(), one_line(&step.text));
                let wanted = &answers[&step.line];
                let exception = exceptions.get(&key).or(is_unsupported.then_some(&Exception::Refused));
                if let Some(exception) = exception {
                    if *exception == Exception::Refused && !refused(&answer) {
                        outcome.differences.push(shown(name, &step, &["error: 0A000 …".to_owned()], &answer));
                    }
                    if !agrees(&step.text, wanted, &answer) {
                        outcome.excepted.insert(key);
                    }
                } else if !agrees(&step.text, wanted, &answer) {
                    outcome.differences.push(shown(name, &step, wanted, &answer));
                }
            }
        }
    }
    outcome
}

fn shown(name: &str, step: &Message, wanted: &[String], got: &[String]) -> String {
    let mut out = format!("=== {name}.sql:{}\n{}\n", step.line, step.text);
    if let Action::Bind { values } = &step.action {
        let _ = writeln!(out, "\\bind {values:?}");
    }
    let common = wanted.iter().zip(got).take_while(|(a, b)| a == b).count();
    for line in &wanted[..common] {
        let _ = writeln!(out, "  {line}");
    }
    for line in &wanted[common..] {
        let _ = writeln!(out, "- {line}");
    }
    for line in &got[common..] {
        let _ = writeln!(out, "+ {line}");
    }
    out
}

fn scripts() -> Vec<String> {
    let wanted = std::env::var("CONFORMANCE_SCRIPTS").ok();
    let entries = std::fs::read_dir(folder()).expect("the folder of scripts");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| wanted.as_ref().is_none_or(|wanted| wanted.split(',').any(|one| one == name)))
        .collect();
    names.sort();
    names
}

fn replay(way: Way) {
    let exceptions = exceptions();
    let (mut messages, mut differences) = (0, Vec::new());
    let mut needless: BTreeSet<Key> = exceptions.keys().cloned().collect();
    let scripts = scripts();
    for name in &scripts {
        let outcome = play(name, way, &exceptions);
        eprintln!("{way:?} {name}: {} of {} differ", outcome.differences.len(), outcome.messages);
        messages += outcome.messages;
        differences.extend(outcome.differences);
        needless.retain(|(script, statement)| {
            scripts.contains(script) && !outcome.excepted.contains(&(script.clone(), statement.clone()))
        });
    }
    for difference in &differences {
        eprintln!("{difference}");
    }
    assert!(needless.is_empty(), "no statement needs these exceptions: {needless:#?}");
    assert!(differences.is_empty(), "{} of {messages} answers differ", differences.len());
}

#[test]
fn as_clients_have_it() {
    replay(Way::AsClients);
}

#[test]
fn without_direct_routes() {
    replay(Way::WithoutDirectRoutes);
}

#[test]
fn with_cold_pages() {
    replay(Way::ColdPages);
}
