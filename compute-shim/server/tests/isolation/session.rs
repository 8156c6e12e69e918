//! A session of a spec: a connection on a thread of its own, one query at a time.

use hexalog_sql_client::{ClientError, Connection, Event, ServerMessage};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long a server may take to let a client in.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// What a query came to.
#[derive(Default)]
pub struct Answer {
    /// Rows, tags, errors and notices, each an indented line.
    pub text: String,
    rows: Vec<String>,
    error: Option<String>,
}

pub struct Session {
    pub pid: String,
    queries: Sender<String>,
    answers: Receiver<Answer>,
}

impl Session {
    /// Opens a session that works in a schema.
    pub fn open(address: SocketAddr, schema: &str) -> Result<Session, String> {
        let connection = Connection::connect(address, "postgres", "postgres", "isolation", Some(CONNECT_MAX));
        let mut connection = connection.map_err(|error| error.to_string())?;
        let (queries, queries_in) = channel::<String>();
        let (answers_in, answers) = channel();
        // It ends with the last query, which ends with the server at the latest.
        std::thread::spawn(move || {
            for query in queries_in {
                if answers_in.send(answer(&mut connection, &query)).is_err() {
                    return;
                }
            }
        });
        let mut session = Session { pid: String::new(), queries, answers };
        // In PostgreSQL who searches first is a deadlock's victim. A spec names one by a short time.
        session.rows(&format!("set search_path = {schema}; set deadlock_timeout = '60s'"), CONNECT_MAX)?;
        session.pid = session.rows("select pg_backend_pid()", CONNECT_MAX)?.concat();
        Ok(session)
    }

    pub fn send(&self, sql: &str) {
        // If the thread is gone, who waits for the answer is told.
        let _ = self.queries.send(sql.to_owned());
    }

    /// The answer to the query that runs; `None` if it is not there in time.
    pub fn answer(&self, within: Duration) -> Option<Answer> {
        match self.answers.recv_timeout(within) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the thread of a session has panicked"),
        }
    }

    /// The rows of a query that must succeed.
    pub fn rows(&self, sql: &str, within: Duration) -> Result<Vec<String>, String> {
        self.send(sql);
        let answer = self.answer(within).ok_or_else(|| format!("no answer within {within:?}: {sql}"))?;
        answer.error.map_or(Ok(answer.rows), |error| Err(format!("{error}: {sql}")))
    }
}

fn answer(connection: &mut Connection, query: &str) -> Answer {
    let mut answer = Answer::default();
    if let Err(error) = take(connection, query, &mut answer) {
        let error = match error {
            ClientError::Fatal(message) => shown(&message),
            other => other.to_string(),
        };
        answer.fails(error);
    }
    answer
}

fn take(connection: &mut Connection, query: &str, answer: &mut Answer) -> Result<(), ClientError> {
    connection.send_query(query)?;
    loop {
        match connection.next_event()? {
            Event::Ready => return Ok(()),
            Event::Columns(_) => {}
            Event::Row(row) => {
                let values = row.into_iter().map(|value| value.unwrap_or_else(|| "NULL".into()));
                let row = values.collect::<Vec<_>>().join("|");
                answer.line(&row);
                answer.rows.push(row);
            }
            Event::Complete(tag) => answer.line(&tag),
            Event::Notice(message) => answer.line(&shown(&message)),
            Event::Error(message) => answer.fails(shown(&message)),
            other => answer.line(&format!("{other:?}")),
        }
    }
}

impl Answer {
    fn line(&mut self, line: &str) {
        self.text.push_str(&format!("  {line}\n"));
    }

    fn fails(&mut self, error: String) {
        self.line(&error);
        self.error = Some(error);
    }
}

/// Severity, SQLSTATE, message, and the detail unless it differs from run to run: that of a deadlock or a conflict of
/// serializable transactions names processes, that of a catalog's index has oids.
fn shown(message: &ServerMessage) -> String {
    let ServerMessage { severity, code, message, detail, .. } = message;
    let differs = code == "40P01" || code == "40001" || message.contains("\"pg_");
    let detail = detail.as_ref().filter(|_| !differs);
    let detail = detail.map(|detail| format!("\n  detail: {detail}")).unwrap_or_default();
    format!("{severity} {code}: {message}{detail}")
}
