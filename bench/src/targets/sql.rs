//! Any PostgreSQL server: transactions that update a row, and point selects, each through a prepared statement.
//!
//! A session does one statement at a time, so each clone is a worker with a connection of its own. The table
//! hexalog_bench is made before and removed afterwards.

use super::{CpuObserver, Prepared};
use crate::load::{Direction, Engine, Observer, Operation, Snapshot};
use crate::options::Job;
use hexalog_sql_client::{ClientError, Connection, Row, ServerMessage};
use std::ops::Range;
use std::time::Duration;

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Rows of one INSERT while the table is filled.
const ROWS_AT_ONCE: u64 = 500;

/// A table that is filled.
pub struct Server<'a> {
    job: &'a Job,
    version: String,
}

/// Makes the table and fills it.
pub fn prepare(job: &Job) -> Result<Server<'_>, String> {
    let mut session = connect(job)?;
    let version = run(session.query("show server_version"))?;
    let version = version.into_iter().flatten().flatten().next().unwrap_or_default();
    run(session.query("drop table if exists hexalog_bench"))?;
    run(session.query("create table hexalog_bench (id integer primary key, filler text not null)"))?;
    let filler = "x".repeat(job.bs() as usize);
    let rows = job.units();
    for first in (0..rows).step_by(ROWS_AT_ONCE as usize) {
        let values: Vec<String> =
            (first..rows.min(first + ROWS_AT_ONCE)).map(|id| format!("({id}, '{filler}')")).collect();
        run(session.query(&format!("insert into hexalog_bench values {}", values.join(", "))))?;
    }
    Ok(Server { job, version })
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let dropped =
            connect(self.job).and_then(|mut session| run(session.query("drop table hexalog_bench")));
        if let Err(complaint) = dropped {
            eprintln!("hexalog-bench: the table hexalog_bench stays: {complaint}");
        }
    }
}

impl Prepared for Server<'_> {
    fn workers(&self) -> usize {
        self.job.numjobs as usize
    }

    fn units(&self) -> u64 {
        self.job.units()
    }

    fn description(&self) -> String {
        format!("{}, server {}, rows={}", self.job.connect, self.version, self.job.units())
    }

    fn unit_name(&self) -> &'static str {
        "commit"
    }

    fn engine(&self, _clones: Range<usize>) -> Result<Box<dyn Engine + '_>, String> {
        let mut session = connect(self.job)?;
        for (name, text) in [
            ("read", "select filler from hexalog_bench where id = $1::integer"),
            ("write", "update hexalog_bench set filler = $2::text where id = $1::integer"),
        ] {
            run(session.prepare(name, text).map(|prepared| prepared.map(|()| Vec::new())))?;
        }
        Ok(Box::new(Session { session, bytes: self.job.bs() as usize, writes: 0, done: None }))
    }

    fn observer(&self) -> Result<Box<dyn Observer + '_>, String> {
        Ok(Box::new(CpuObserver { pids: self.job.server_pid.clone() }))
    }

    fn lines(&self, _: u64, _: &Snapshot, _: &Snapshot) -> Vec<String> {
        Vec::new()
    }
}

/// One clone's connection.
struct Session {
    session: Connection,
    bytes: usize,
    writes: usize,
    done: Option<usize>,
}

impl Engine for Session {
    fn start(&mut self, slot: usize, operation: Operation) -> Result<(), String> {
        let id = operation.unit.to_string();
        match operation.direction {
            Direction::Read => {
                let rows = run(self.session.execute("read", &[&id]))?;
                let length = rows.first().and_then(|row| row.first()?.as_ref()).map(String::len);
                if length != Some(self.bytes) {
                    return Err(format!("row {id} came back with {length:?} bytes, not {}", self.bytes));
                }
            }
            Direction::Write => {
                self.writes += 1;
                // Every write changes the row: one that does not might be cheaper.
                let letter = char::from(b'a' + (self.writes % 26) as u8);
                let filler = letter.to_string().repeat(self.bytes);
                run(self.session.execute("write", &[&id, &filler]))?;
            }
        }
        self.done = Some(slot);
        Ok(())
    }

    fn submit(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn wait(&mut self, timeout: Duration, done: &mut Vec<usize>) -> Result<(), String> {
        match self.done.take() {
            Some(slot) => done.push(slot),
            // Nothing was to be done yet: the schedule's next time comes.
            None => std::thread::sleep(timeout),
        }
        Ok(())
    }

    fn has_submission(&self) -> bool {
        false
    }

    fn finish(&mut self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }
}

fn connect(job: &Job) -> Result<Connection, String> {
    let connected =
        Connection::connect(job.connect, &job.user, &job.dbname, "hexalog-bench", Some(CONNECT_MAX));
    connected.map_err(|error| format!("{}: {error}", job.connect))
}

/// One error of two.
fn run(result: Result<Result<Vec<Row>, ServerMessage>, ClientError>) -> Result<Vec<Row>, String> {
    match result {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(refused)) => Err(refused.to_string()),
        Err(broken) => Err(broken.to_string()),
    }
}
