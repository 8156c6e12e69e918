//! Runs a script on both servers and finds the first statement that comes to something else.

use crate::known;
use crate::script::{Statement, clean_up};
use hexalog_sql_client::{ClientError, Connection, Event};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a server may take to let a client in.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Rows of a side that a report shows.
const SHOWN_MAX: usize = 8;
/// Rows of a result that are kept and compared. A series may well go to the end of `bigint`.
const ROWS_MAX: usize = 100_000;
/// Ends statements on both; who is ended by it has said nothing.
const STATEMENT_TIMEOUT: &str = "SET statement_timeout = '20s'";
const QUERY_CANCELED: &str = "57014";

/// A server to compare.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// User and database.
    pub user: String,
}

/// What a statement came to.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// Types of the columns, rows as text, the tag.
    Done(Vec<u32>, Vec<Vec<Option<String>>>, String),
    /// SQLSTATE and message.
    Refused(String, String),
    /// The connection broke.
    Broken(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done(types, rows, tag) => {
                write!(f, "{tag}, types {types:?}, {} rows", rows.len())?;
                for row in rows.iter().take(SHOWN_MAX) {
                    let values: Vec<&str> =
                        row.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect();
                    write!(f, "\n    {}", values.join(" | "))?;
                }
                Ok(())
            }
            Outcome::Refused(code, message) => write!(f, "{code} {message}"),
            Outcome::Broken(why) => write!(f, "the connection broke: {why}"),
        }
    }
}

/// A statement that comes to something else.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The seed of its script.
    pub seed: u64,
    /// All that must have run before, and the statement.
    pub script: Vec<Statement>,
    /// PostgreSQL's and ours.
    pub outcomes: [Outcome; 2],
}

impl Difference {
    /// Whether another one is of the same kind: leaving out the table of a query makes a difference too, but not this one.
    fn is_like(&self, other: &Difference) -> bool {
        self.outcomes.iter().zip(&other.outcomes).all(|pair| match pair {
            (Outcome::Done(..), Outcome::Done(..)) | (Outcome::Broken(_), Outcome::Broken(_)) => true,
            (Outcome::Refused(a, _), Outcome::Refused(b, _)) => a == b,
            _ => false,
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}:", self.seed)?;
        for statement in &self.script {
            writeln!(f, "{};", statement.text)?;
        }
        writeln!(f, "  PostgreSQL: {}", self.outcomes[0])?;
        write!(f, "  Hexalog:    {}", self.outcomes[1])
    }
}

/// What a number of scripts came to.
#[derive(Clone, Default, Debug)]
pub struct Tally {
    /// Statements that ran on both.
    pub statements: u64,
    /// Of these, refused by both with the same SQLSTATE.
    pub refused: u64,
    /// Of a foreign dialect, refused by both with another SQLSTATE.
    pub refused_otherwise: u64,
    /// Refused by one alone for a value on some row: which rows are looked at first is not determined. Or not run to its end.
    pub undetermined: u64,
    /// Differences that are meant.
    pub known: u64,
}

pub(crate) fn connect(server: &Server, database: &str) -> Result<Connection, ClientError> {
    let connected =
        Connection::connect(server.address, &server.user, database, "differential", Some(CONNECT_MAX));
    let mut connection = connected?;
    run(&mut connection, STATEMENT_TIMEOUT);
    Ok(connection)
}

/// Runs one statement to its end.
pub(crate) fn run(connection: &mut Connection, text: &str) -> Outcome {
    let mut outcome = Outcome::Done(Vec::new(), Vec::new(), String::new());
    if let Err(error) = connection.send_query(text) {
        return Outcome::Broken(error.to_string());
    }
    loop {
        match (connection.next_event(), &mut outcome) {
            (Ok(Event::Ready), _) => return outcome,
            (Ok(Event::Columns(columns)), Outcome::Done(types, rows, _)) => {
                *types = columns.iter().map(|column| column.type_oid).collect();
                rows.clear();
            }
            (Ok(Event::Row(row)), Outcome::Done(_, rows, _)) if rows.len() < ROWS_MAX => rows.push(row),
            (Ok(Event::Complete(done)), Outcome::Done(_, _, tag)) => *tag = done,
            (Ok(Event::Error(message)), _) => outcome = Outcome::Refused(message.code, message.message),
            (Ok(_), _) => {}
            (Err(error), _) => return Outcome::Broken(error.to_string()),
        }
    }
}

fn has_same_rows(mut a: Vec<Vec<Option<String>>>, mut b: Vec<Vec<Option<String>>>, is_ordered: bool) -> bool {
    if !is_ordered {
        a.sort();
        b.sort();
    }
    a == b
}

pub(crate) enum Verdict {
    Same,
    SameRefusal,
    /// A value on some row, class 22 or 23505 and the like on one side alone.
    Undetermined,
    Known,
    Different,
}

/// What two outcomes of a statement say of the servers.
pub(crate) fn judge(statement: &Statement, theirs: &Outcome, ours: &Outcome) -> Verdict {
    let Statement { text, is_ordered, is_certain, .. } = statement;
    // Values, and constraints: of rows that break two, which is met first is no one's business.
    let is_data = |code: &str| !is_certain && (code.starts_with("22") || code.starts_with("23"));
    let is_cut_off =
        |outcome: &Outcome| matches!(outcome, Outcome::Refused(code, _) if code == QUERY_CANCELED);
    if is_cut_off(theirs) || is_cut_off(ours) {
        return Verdict::Undetermined;
    }
    let verdict = match (theirs, ours) {
        (Outcome::Done(types, rows, tag), Outcome::Done(our_types, our_rows, our_tag)) => {
            let is_same = types == our_types
                && tag == our_tag
                && has_same_rows(rows.clone(), our_rows.clone(), *is_ordered);
            if is_same { Verdict::Same } else { Verdict::Different }
        }
        (Outcome::Refused(code, _), Outcome::Refused(our_code, _)) if code == our_code => {
            Verdict::SameRefusal
        }
        (Outcome::Refused(code, _), Outcome::Refused(our_code, _)) if is_data(code) && is_data(our_code) => {
            Verdict::Undetermined
        }
        (Outcome::Refused(code, _), Outcome::Done(..)) | (Outcome::Done(..), Outcome::Refused(code, _))
            if is_data(code) =>
        {
            Verdict::Undetermined
        }
        _ => Verdict::Different,
    };
    let message = |outcome: &Outcome| match outcome {
        Outcome::Refused(_, message) => message.clone(),
        _ => String::new(),
    };
    let messages = [message(theirs), message(ours)];
    match verdict {
        Verdict::Different if known::reason(text, &[&messages[0], &messages[1]]).is_some() => Verdict::Known,
        verdict => verdict,
    }
}

/// Runs a script on both. The first difference ends it, with the statements so far.
fn run_script(
    servers: &[Server; 2],
    seed: u64,
    script: &[Statement],
    tally: &mut Tally,
) -> Result<Option<Difference>, ClientError> {
    let mut connections = [connect(&servers[0], "postgres")?, connect(&servers[1], "postgres")?];
    let leaves_something = script.iter().any(|statement| statement.is_change);
    let clean_up = |connections: &mut [Connection; 2]| {
        if leaves_something {
            connections.iter_mut().for_each(|connection| drop(run(connection, &clean_up())));
        }
    };
    clean_up(&mut connections);
    for (at, statement) in script.iter().enumerate() {
        let [theirs, ours] = connections.each_mut().map(|connection| run(connection, &statement.text));
        tally.statements += 1;
        match judge(statement, &theirs, &ours) {
            Verdict::Same => {}
            Verdict::SameRefusal => tally.refused += 1,
            // From here on the two are not of one state, if it was a change.
            Verdict::Undetermined => {
                tally.undetermined += 1;
                if statement.is_change
                    || connections[0].transaction_status() != connections[1].transaction_status()
                {
                    break;
                }
            }
            Verdict::Known => {
                tally.known += 1;
                if statement.is_change
                    || connections[0].transaction_status() != connections[1].transaction_status()
                {
                    break;
                }
            }
            Verdict::Different => {
                let script = script[..=at].to_vec();
                return Ok(Some(Difference { seed, script, outcomes: [theirs, ours] }));
            }
        }
    }
    clean_up(&mut connections);
    Ok(None)
}

/// Runs the script of a seed on both; a difference comes back with as few statements as show it.
pub fn compare(
    servers: &[Server; 2],
    seed: u64,
    script: &[Statement],
    tally: &mut Tally,
) -> Result<Option<Difference>, ClientError> {
    let Some(mut found) = run_script(servers, seed, script, tally)? else { return Ok(None) };
    // What rests on nothing before it stands alone.
    let last = found.script.last().filter(|statement| statement.is_certain).cloned();
    if let Some(alone) = last
        && let Some(again) = run_script(servers, seed, &[alone], &mut Tally::default())?
    {
        return Ok(Some(again));
    }
    // Leave out what is not needed, from the end, the statement itself stays.
    let mut at = found.script.len().saturating_sub(1);
    while at > 0 {
        at -= 1;
        let mut fewer = found.script.clone();
        fewer.remove(at);
        let last = fewer.last().map(|statement| statement.text.clone());
        let again = run_script(servers, seed, &fewer, &mut Tally::default());
        if let Ok(Some(again)) = again
            && again.script.last().map(|statement| statement.text.clone()) == last
            && again.is_like(&found)
        {
            found = again;
            at = at.min(found.script.len().saturating_sub(1));
        }
    }
    Ok(Some(found))
}
