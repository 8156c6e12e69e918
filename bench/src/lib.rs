//! fio-style storage benchmark: how fast records and commits become durable, and how fast pages come back.
//!
//! Owns the options ([`options`]), the load ([`targets`], one module for what is measured) and the report
//! ([`report`]). Only durable acknowledgements count. The target `node` speaks the wire protocol alone; the target
//! `volume` uses compute's own volume client over six daemons.

// A benchmark owns clocks and sockets; the bans are for the cores.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cpu;
pub mod options;
pub mod report;
pub mod shard;
pub mod targets;

use options::{Options, Target};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one benchmark and prints its report.
pub fn main_with_args(args: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match Options::parse_and_check(args) {
        Ok(options) => options,
        Err(error) => {
            // Help goes to standard output with code 0, mistakes to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let measured = match options.target {
        Target::Node => targets::node::run(&options),
        Target::Volume => std::env::current_exe()
            .map_err(|error| format!("cannot find the own binary: {error}"))
            .and_then(|program| targets::volume::run(&options, &program)),
    };
    match measured {
        Ok(run) => {
            print!("{}", report::text(&run));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("hexalog-bench: {message}");
            ExitCode::FAILURE
        }
    }
}
