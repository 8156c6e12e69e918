//! The storage daemon: options, device, listeners, one thread per shard set, start and stop.
//!
//! Owns the process: what it is told ([`options`]), what it says when it cannot go on ([`exit`]), its device
//! ([`device`], [`formatting`]) and its threads ([`daemon`]). What a shard does is decided in
//! `hexalog_storage_core` and carried out by `hexalog_storage_driver`; nothing here is on a request's way.

// The daemon's process owns clock, threads and files; the bans are for the cores.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod block_device;
pub mod checks;
pub mod daemon;
pub mod device;
pub mod directory;
pub mod exit;
pub mod formatting;
pub mod geometry;
pub mod listeners;
pub mod log;
pub mod options;
pub mod threads;

use clap::{CommandFactory, FromArgMatches};
use exit::Failure;
use options::{FormatOptions, Options};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `hexalogd` with these arguments (the first is the program's name): `format`, or the daemon until it is told to stop.
pub fn main_with_args(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let program = args.next().unwrap_or_default();
    let mut args = args.peekable();
    if args.next_if(|word| word == "format").is_some() {
        let program = OsString::from("hexalogd format");
        return run_with(std::iter::once(program).chain(args), |options: FormatOptions| {
            let node = options.device.node;
            let place = options.device.place().display();
            (node, formatting::format(&options).map(|_| log::line(node, &format!("formatted {place}"))))
        });
    }
    run_with(std::iter::once(program).chain(args), |options: Options| {
        (options.device.node, daemon::run(options))
    })
}

fn run_with<O: CommandFactory + FromArgMatches>(
    args: impl Iterator<Item = OsString>,
    run: impl FnOnce(O) -> (u32, Result<(), Failure>),
) -> ExitCode {
    let command = O::command().after_help(exit::help());
    let parsed = command.try_get_matches_from(args).and_then(|matches| O::from_arg_matches(&matches));
    let options = match parsed {
        Ok(options) => options,
        Err(error) => {
            // Help and version go to standard output with code 0, mistakes to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match run(options) {
        (_, Ok(())) => ExitCode::SUCCESS,
        (node, Err(failure)) => {
            log::line(node, &failure.message);
            failure.code.into()
        }
    }
}
