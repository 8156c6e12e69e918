//! fio-style storage benchmark: how fast records become durable, and how fast pages come back.
//!
//! Owns the options ([`options`]), the load ([`targets`], one module for what is measured) and the report
//! ([`report`]). Only durable acknowledgements count. It speaks the wire protocol alone and knows nothing of how a
//! daemon works.

// A benchmark owns clocks and sockets; the bans are for the cores.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cpu;
pub mod options;
pub mod report;
pub mod targets;

use clap::Parser;
use options::{Options, Target};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one benchmark and prints its report.
pub fn main_with_args(args: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match Options::try_parse_from(args) {
        Ok(options) => options,
        Err(error) => {
            // Help goes to standard output with code 0, mistakes to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let measured = match options.target {
        Target::Node => targets::node::run(&options),
    };
    match measured {
        Ok(run) => {
            print!("{}", report::text(&options, &run));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("hexalog-bench: {message}");
            ExitCode::FAILURE
        }
    }
}
