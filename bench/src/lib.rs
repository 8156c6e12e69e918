//! fio-style benchmark: how fast writes and commits become durable, and how fast reads come back.
//!
//! Owns the options, in fio's words ([`options`]), the load ([`load`]: schedule, loop, what is written down), what can be
//! measured ([`targets`]: a device, one storage daemon, the quorum, a PostgreSQL server), the run that brings them together
//! ([`run`](mod@run)), and the reports ([`report`]). Two drivers of whole databases stand beside that: [`tpcc`] and [`connections`], over
//! messages that [`wire`] writes and reads. Only durable acknowledgements count as writes. bench/README.md says how to
//! use it, for people who know fio.

// A benchmark owns clocks and sockets; the bans are for the cores.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod connections;
pub mod cpu;
pub mod load;
pub mod options;
pub mod progress;
pub mod report;
pub mod run;
pub mod shard;
pub mod targets;
pub mod tpcc;
pub mod wire;

use options::command_line::{Format, Invocation, Output, parse};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs jobs and reports, compares two reports, or drives a whole database.
pub fn main_with_args(args: impl Iterator<Item = OsString>) -> ExitCode {
    let invocation = match parse(args) {
        Ok(invocation) => invocation,
        Err(error) => {
            // Help goes to standard output with code 0, mistakes to standard error with code 2.
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    let done = match invocation {
        Invocation::Run { jobs, output } => run_and_report(&jobs, &output).map(|()| true),
        Invocation::Compare { files, plot } => compare(&files, plot.as_deref()).map(|()| true),
        Invocation::Connections(options) => connections::run(&options),
        Invocation::Tpcc(options) => tpcc::run(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        // The report says what went wrong.
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("hexalog-bench: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run_and_report(jobs: &[options::Job], output: &Output) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find the own binary: {error}"))?;
    let runs = run::run(jobs, &program, output.progress)?;
    let mut text = String::new();
    for format in &output.formats {
        match format {
            Format::Normal => text += &report::normal::text(&runs),
            Format::Json => text += &format!("{:#}\n", report::json::report(&runs, false)),
            Format::JsonPlus => text += &format!("{:#}\n", report::json::report(&runs, true)),
        }
    }
    match &output.file {
        Some(file) => write(file, &text)?,
        None => print!("{text}"),
    }
    match &output.plot {
        Some(file) => {
            let title = jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(", ");
            write(file, &report::plot::page(&[(&title, &report::json::report(&runs, true))]))
        }
        None => Ok(()),
    }
}

fn compare(files: &[PathBuf; 2], plot: Option<&Path>) -> Result<(), String> {
    let reports = [report::compare::read(&files[0])?, report::compare::read(&files[1])?];
    let names = files.each_ref().map(|file| file.to_string_lossy().into_owned());
    print!("{}", report::compare::text([&names[0], &names[1]], [&reports[0], &reports[1]]));
    match plot {
        Some(file) => write(file, &report::plot::page(&[(&names[0], &reports[0]), (&names[1], &reports[1])])),
        None => Ok(()),
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
