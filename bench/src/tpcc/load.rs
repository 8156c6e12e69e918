//! The initial population: tables made anew, filled by COPY over several connections, then indexes.

use super::options::Options;
use super::rows::Part;
use super::schema;
use crate::options::server::Server;
use hexalog_sql_client::{ClientError, Connection, Event, Row};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Makes tables and rows.
pub fn load(options: &Options) -> Result<(), String> {
    let begun = Instant::now();
    let mut session = connect(options)?;
    for table in schema::TABLES {
        run(&mut session, &format!("drop table if exists {table}"))?;
    }
    for statement in schema::CREATE {
        run(&mut session, statement)?;
    }
    let now = run(&mut session, "select localtimestamp(0)")?;
    let now = now.into_iter().flatten().flatten().next().ok_or("the server does not say what time it is")?;
    fill(options, &now)?;
    eprintln!("rows of {} warehouses after {:.1} s", options.warehouses, begun.elapsed().as_secs_f64());
    for statement in schema::INDEXES {
        run(&mut session, statement)?;
    }
    let keys: &[&str] = if options.foreign_keys { &schema::FOREIGN_KEYS } else { &[] };
    for statement in keys {
        run(&mut session, statement)?;
    }
    for table in schema::TABLES {
        run(&mut session, &format!("vacuum analyze {table}"))?;
    }
    eprintln!("indexes and statistics after {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Connects as the options say.
pub fn connect(options: &Options) -> Result<Connection, String> {
    let Server { connect, user, dbname } = &options.server;
    let connected = Connection::connect(*connect, user, dbname, "hexalog-bench", Some(CONNECT_MAX));
    connected.map_err(|error| format!("{connect}: {error}"))
}

/// Runs a statement; an error names it.
pub fn run(session: &mut Connection, text: &str) -> Result<Vec<Row>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{error}\nin: {text}");
    match session.query(text) {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(refused)) => Err(told(&refused)),
        Err(broken) => Err(told(&broken)),
    }
}

/// Each loader takes the next part until none is left, or one has failed.
fn fill(options: &Options, now: &str) -> Result<(), String> {
    let mut parts = Part::all(options.warehouses);
    parts.reverse();
    let parts = Mutex::new(parts);
    let next = || parts.lock().ok().and_then(|mut parts| parts.pop());
    let load_parts = || -> Result<(), String> {
        let mut session = connect(options)?;
        while let Some(part) = next() {
            copy(&mut session, part, options.seed, now).map_err(|error| format!("{part:?}: {error}"))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let loaders: Vec<_> = (0..options.loaders).map(|_| scope.spawn(load_parts)).collect();
        let ended = loaders
            .into_iter()
            .map(|loader| loader.join().unwrap_or_else(|_| Err("a loader panicked".to_owned())));
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

fn copy(session: &mut Connection, part: Part, seed: u64, now: &str) -> Result<(), String> {
    let broken = |error: ClientError| error.to_string();
    session.send_query(&format!("copy {} from stdin", part.target())).map_err(broken)?;
    loop {
        match session.next_event().map_err(broken)? {
            Event::CopyIn => {
                part.rows(seed, now, |rows| session.copy_data(rows.as_bytes())).map_err(broken)?;
                session.copy_done().map_err(broken)?;
            }
            Event::Error(refused) => return Err(refused.to_string()),
            Event::Ready => return Ok(()),
            _ => {}
        }
    }
}
