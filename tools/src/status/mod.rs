//! `hexalog status`: how a cluster stands, asked of every process at once.
//!
//! Owns the gathering ([`collect`]), what follows from it ([`report`]) and the two ways to print it ([`render`]).
//! Changes nothing and needs no compute: the daemons know most of it.

mod collect;
mod render;
mod report;

use crate::cli::StatusArgs;
use crate::exit::{Code, Failure};
use crate::output::print;

/// Runs `hexalog status`. The exit code tells whether something is wrong.
pub fn run(arguments: &StatusArgs) -> Result<Code, Failure> {
    let collected = collect::collect(&arguments.cluster.metadata(), &arguments.cluster.volume)?;
    let report = report::build(&collected);
    if arguments.json {
        print(format!("{}\n", render::json(&report, &collected)));
    } else {
        print(render::text(&report, &collected));
    }
    Ok(if report.problems.is_empty() { Code::Ok } else { Code::Degraded })
}
