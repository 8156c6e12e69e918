//! The storage daemon: options, device directory, listeners, one thread per shard set, start and stop.
//!
//! Owns the process: what it is told ([`options`]), what it says when it cannot go on ([`exit`]), its directory
//! ([`directory`], [`formatting`]) and its threads ([`daemon`]). What a shard does is decided in
//! `hexalog_storage_core` and carried out by `hexalog_storage_driver`; nothing here is on a request's way.

// The daemon's process owns clock, threads and files; the bans are for the cores.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod checks;
pub mod daemon;
pub mod directory;
pub mod exit;
pub mod formatting;
pub mod listeners;
pub mod log;
pub mod options;
pub mod threads;

use clap::{CommandFactory, FromArgMatches};
use options::Options;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the daemon with these arguments (the first is the program's name) until it is told to stop.
pub fn main_with_args(args: impl Iterator<Item = OsString>) -> ExitCode {
    let command = Options::command().after_help(exit::help());
    let parsed = command.try_get_matches_from(args).and_then(|matches| Options::from_arg_matches(&matches));
    let options = match parsed {
        Ok(options) => options,
        Err(error) => {
            // Help and version go to standard output with code 0, mistakes to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let node = options.node;
    match daemon::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::line(node, &failure.message);
            failure.code.into()
        }
    }
}
