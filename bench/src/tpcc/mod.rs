//! `hexalog-bench tpcc`: TPC-C (revision 5.11) on any PostgreSQL server.
//!
//! `schema` and `rows` are what is loaded, `load` how; `statements` and `transactions` are what `terminal`s run, one connection
//! each, all on one thread; `conditions` is what must hold afterwards. bench/README.md says where this is not the specification.

mod conditions;
mod load;
pub mod options;
mod random;
mod report;
mod rows;
mod schema;
mod session;
mod statements;
mod terminal;
mod transactions;

use crate::report::Form;
use conditions::When;
use options::{Action, Options};
use report::Report;
use session::Session;
use std::time::Instant;
use terminal::{Outcome, Terminal, Times};

/// Loads, runs or checks, and reports. Whether all went well.
pub fn run(options: &Options) -> Result<bool, String> {
    options.check()?;
    let mut report = Report::default();
    let when = match options.action {
        Action::Load => {
            load::load(options)?;
            When::Loaded
        }
        Action::Run => {
            check_warehouses(options)?;
            report.outcome = Some(run_terminals(options)?);
            When::Later
        }
        Action::Check => When::Later,
    };
    if !options.no_check || options.action == Action::Check {
        report.findings = conditions::check(&mut load::connect(options)?, when)?;
    }
    match options.output_format {
        Form::Normal => print!("{}", report.text(options)),
        Form::Json => println!("{}", report.json(options)),
    }
    Ok(report.is_good())
}

/// A run with other warehouses than were loaded would leave some alone, or find none.
fn check_warehouses(options: &Options) -> Result<(), String> {
    let rows = load::run(&mut load::connect(options)?, "select count(*) from warehouse");
    let rows = rows.map_err(|error| format!("{error}\nhexalog-bench tpcc load makes the tables"))?;
    let loaded: Option<u32> = rows.iter().flatten().flatten().next().and_then(|count| count.parse().ok());
    match loaded {
        Some(loaded) if loaded == options.warehouses => Ok(()),
        _ => Err(format!(
            "{} warehouses are loaded and --warehouses is {}: give the same, or load again",
            loaded.unwrap_or(0),
            options.warehouses
        )),
    }
}

/// All terminals on this thread: they wait nearly all of the time, and the server shall have the other cores.
fn run_terminals(options: &Options) -> Result<Outcome, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    let local = tokio::task::LocalSet::new();
    let options = std::rc::Rc::new(options.clone());
    local.block_on(&runtime, async {
        let mut sessions = Vec::new();
        for _ in 0..options.clients() {
            sessions.push(Session::start(&options).await.map_err(|failure| failure.to_string())?);
        }
        let begin = Instant::now() + options.ramp;
        let times = Times { begin, end: begin + options.runtime };
        let run = |(number, session)| {
            let options = std::rc::Rc::clone(&options);
            tokio::task::spawn_local(async move { Terminal::new(&options, number).run(session, times).await })
        };
        let running: Vec<_> = (0..).zip(sessions).map(run).collect();
        let mut sum = Outcome::default();
        for terminal in running {
            sum.add(terminal.await.map_err(|_| "a terminal panicked".to_owned())?);
        }
        Ok(sum)
    })
}
