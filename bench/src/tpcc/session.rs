//! A terminal's connection: statements are asked, then answered together.
//!
//! Owns the order of sends. With pipelining what was asked goes out in one send with one Sync; without, each statement goes out by
//! itself and is waited for.

use super::options::Options;
use super::statements;
use crate::wire::{self, Refusal};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More of one read than most answers are.
const READ_BYTES: usize = 32 << 10;

/// What a statement brought.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Its rows.
    pub rows: Vec<Vec<Option<String>>>,
    /// What its tag counts.
    pub count: u64,
}

impl Answer {
    /// A value of its first row; an error if it is not there.
    pub fn value(&self, column: usize) -> Result<&str, Failure> {
        self.value_of(0, column)
    }

    /// A value of a row.
    pub fn value_of(&self, row: usize, column: usize) -> Result<&str, Failure> {
        let value = self.rows.get(row).and_then(|row| row.get(column)).and_then(Option::as_deref);
        value.ok_or_else(|| Failure::Wrong(format!("row {row} has no value {column}")))
    }

    /// A whole number of a row.
    pub fn number_of(&self, row: usize, column: usize) -> Result<u32, Failure> {
        let value = self.value_of(row, column)?;
        value.parse().map_err(|_| Failure::Wrong(format!("\"{value}\" is not a whole number")))
    }

    /// A whole number of its first row.
    pub fn number(&self, column: usize) -> Result<u32, Failure> {
        self.number_of(0, column)
    }
}

/// Why a transaction did not come to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The server refused a statement; the session goes on.
    Refused(Refusal),
    /// An answer is not what it must be.
    Wrong(String),
    /// The connection is of no use any more.
    Lost(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Refused(refusal) => refusal.fmt(f),
            Failure::Wrong(what) => write!(f, "wrong answer: {what}"),
            Failure::Lost(why) => write!(f, "connection lost: {why}"),
        }
    }
}

/// One connection.
pub struct Session {
    stream: TcpStream,
    is_pipelined: bool,
    /// Messages of what was asked.
    asked: Vec<u8>,
    /// Where each statement's messages end in them.
    ends: Vec<usize>,
    received: Vec<u8>,
    /// Where the next message begins in what was received.
    at: usize,
    status: u8,
}

impl Session {
    /// Connects and prepares all statements.
    pub async fn start(options: &Options) -> Result<Session, Failure> {
        let lost = |error: std::io::Error| Failure::Lost(format!("{}: {error}", options.server.connect));
        let stream = TcpStream::connect(options.server.connect).await.map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        let mut session = Session {
            stream,
            is_pipelined: !options.no_pipeline,
            asked: Vec::new(),
            ends: Vec::new(),
            received: Vec::new(),
            at: 0,
            status: b'I',
        };
        let mut first = Vec::new();
        wire::startup(&mut first, &options.server.user, &options.server.dbname, "hexalog-bench tpcc");
        session.exchange(&first).await?;
        let mut prepare = Vec::new();
        for (name, text) in statements::all(options.isolation) {
            wire::parse(&mut prepare, &name, &text);
        }
        wire::sync(&mut prepare);
        session.exchange(&prepare).await?;
        Ok(session)
    }

    /// Whether a transaction block is open, failed or not.
    pub fn is_in_block(&self) -> bool {
        self.status != b'I'
    }

    /// Asks a statement; its answer comes with [`Session::answers`].
    pub fn ask(&mut self, name: &str, parameters: &[&str]) {
        let mut values = [None; 16];
        values.iter_mut().zip(parameters).for_each(|(value, parameter)| *value = Some(*parameter));
        wire::bind_execute(&mut self.asked, name, &values[..parameters.len()]);
        self.ends.push(self.asked.len());
    }

    /// Sends what was asked and brings the answers, in order. What comes behind a statement that is refused is not run.
    pub async fn answers(&mut self) -> Result<Vec<Answer>, Failure> {
        let mut asked = std::mem::take(&mut self.asked);
        let ends = std::mem::take(&mut self.ends);
        let answers = if self.is_pipelined {
            wire::sync(&mut asked);
            self.exchange(&asked).await
        } else {
            self.one_by_one(&asked, &ends).await
        };
        asked.clear();
        self.asked = asked;
        let (answers, wanted) = (answers?, ends.len());
        match answers.len() == wanted {
            true => Ok(answers),
            false => Err(Failure::Wrong(format!("{} answers to {wanted} statements", answers.len()))),
        }
    }

    async fn one_by_one(&mut self, asked: &[u8], ends: &[usize]) -> Result<Vec<Answer>, Failure> {
        let (mut answers, mut from) = (Vec::new(), 0);
        for &end in ends {
            let mut one = asked[from..end].to_vec();
            wire::sync(&mut one);
            answers.extend(self.exchange(&one).await?);
            from = end;
        }
        Ok(answers)
    }

    /// Sends, and receives up to ReadyForQuery.
    async fn exchange(&mut self, messages: &[u8]) -> Result<Vec<Answer>, Failure> {
        let lost = |error: std::io::Error| Failure::Lost(error.to_string());
        self.stream.write_all(messages).await.map_err(lost)?;
        let (mut answers, mut answer, mut refused) = (Vec::new(), Answer::default(), None);
        loop {
            let found = wire::message(&self.received[self.at..]).map_err(Failure::Lost)?;
            let Some((message, length)) = found else {
                self.receive().await?;
                continue;
            };
            match message.kind {
                b'D' => answer.rows.push(wire::row(message.body).map_err(Failure::Lost)?),
                b'C' => {
                    answer.count = count(message.body);
                    answers.push(std::mem::take(&mut answer));
                }
                b'R' if message.body != [0; 4] => {
                    return Err(Failure::Lost("the server asks for a password".to_owned()));
                }
                b'E' => {
                    let refusal = Refusal::of(message.body);
                    if refusal.is_fatal {
                        return Err(Failure::Lost(refusal.to_string()));
                    }
                    refused = refused.or(Some(refusal));
                }
                b'Z' => {
                    self.status = message.body.first().copied().unwrap_or(b'I');
                    self.at += length;
                    return refused.map_or(Ok(answers), |refusal| Err(Failure::Refused(refusal)));
                }
                _ => {}
            }
            self.at += length;
        }
    }

    async fn receive(&mut self) -> Result<(), Failure> {
        self.received.drain(..self.at);
        self.at = 0;
        self.received.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.received).await {
            Ok(0) => Err(Failure::Lost("the server has closed the connection".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::Lost(error.to_string())),
        }
    }
}

/// The number at the end of a tag: `UPDATE 1`, `INSERT 0 1`. A tag without one counts nothing.
fn count(tag: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(tag);
    let text = text.trim_end_matches('\0');
    text.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_how_many() {
        for (tag, expected) in [(&b"UPDATE 3\0"[..], 3), (b"INSERT 0 1\0", 1), (b"COMMIT\0", 0)] {
            assert_eq!(count(tag), expected);
        }
    }

    #[test]
    fn a_value_that_is_not_there_is_an_error() {
        let answer = Answer { rows: vec![vec![Some("7".to_owned()), None]], count: 1 };
        assert_eq!(answer.number(0), Ok(7));
        assert!(answer.value(1).is_err() && answer.value(2).is_err() && answer.value_of(1, 0).is_err());
    }
}
