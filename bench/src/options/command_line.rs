//! The command line: job files, or the same options directly; `compare`; and the drivers of whole databases.

use super::{Job, job_file, table};
use crate::{connections, tpcc};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  Durable 4 KiB appends to a file, through the daemon's driver, at depth 1:
    hexalog-bench --target=device --filename=/data/test --size=256m --rw=append
  One shard of a running daemon, 8 connections with 16 records in flight each:
    hexalog-bench --target=node --address=127.0.0.1:7001 --numjobs=8 --iodepth=16
  Commits of 9 records over six daemons that are started for the run, 64 committers:
    hexalog-bench --target=volume --rw=commit --numjobs=64 --records_per_commit=9 --bs=40
  The same at a fixed rate while a daemon dies, with a page of plots:
    hexalog-bench --target=volume --numjobs=8 --rate_iops=50 --runtime=30 --kill-node=3@10s --plot=out.html
  Point selects of any PostgreSQL server:
    hexalog-bench --target=sql --connect=127.0.0.1:5432 --rw=randread --numjobs=16
  A job file, its report as JSON, and two such reports side by side:
    hexalog-bench jobs.ini --output-format=json+ --output=a.json
    hexalog-bench compare a.json b.json --plot=out.html";

/// What to do.
#[derive(Debug)]
pub enum Invocation {
    /// Run jobs.
    Run {
        /// In order.
        jobs: Vec<Job>,
        /// How to tell of it.
        output: Output,
    },
    /// Compare two reports.
    Compare {
        /// Two files with reports in JSON; ours or fio's.
        files: [PathBuf; 2],
        /// Where the page goes.
        plot: Option<PathBuf>,
    },
    /// Many connections.
    Connections(connections::options::Options),
    /// TPC-C.
    Tpcc(tpcc::options::Options),
}

/// Where reports go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// Each once, in order.
    pub formats: Vec<Format>,
    /// Instead of standard output.
    pub file: Option<PathBuf>,
    /// A page of plots.
    pub plot: Option<PathBuf>,
    /// The line that lives while jobs run.
    pub progress: Progress,
}

/// The form of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// fio's text.
    Normal,
    /// fio's JSON.
    Json,
    /// The same with the histograms.
    JsonPlus,
}

/// Whether there is a progress line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// If standard error is a terminal.
    Auto,
    /// Yes.
    Always,
    /// No.
    Never,
}

/// Parses and checks a command line, and the job files that it names.
pub fn parse<I, T>(arguments: I) -> Result<Invocation, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = command();
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    // Options of the drivers are their own.
    let is_job = !arguments.get(1).is_some_and(|word| DRIVERS.iter().any(|driver| word == driver));
    let with_dashes = |argument| if is_job { with_own_dashes(argument) } else { Ok(argument) };
    let arguments = arguments.into_iter().map(with_dashes).collect::<Result<Vec<_>, _>>();
    let arguments = arguments.map_err(|complaint| command.error(ErrorKind::UnknownArgument, complaint))?;
    let matches = command.clone().try_get_matches_from(arguments)?;
    invocation(&matches).map_err(|complaint| command.error(ErrorKind::ValueValidation, complaint))
}

/// Options of the command line alone.
const OWN: [&str; 7] = ["name", "output-format", "output", "plot", "eta", "help", "version"];

/// Subcommands that drive a whole database.
const DRIVERS: [&str; 2] = ["connections", "tpcc"];

/// Options of jobs are written with `_`, as most of fio's; `-` is taken in their names as well.
fn with_own_dashes(argument: OsString) -> Result<OsString, String> {
    let Some(option) = argument.to_str().and_then(|text| text.strip_prefix("--")) else {
        return Ok(argument);
    };
    let name = option.split('=').next().unwrap_or_default();
    if name.is_empty() || OWN.contains(&name) {
        return Ok(argument);
    }
    let own = name.replace('-', "_");
    if !table::all().any(|known| known.name == own) {
        return Err(table::unknown(name));
    }
    Ok(OsString::from(format!("--{own}{}", &option[name.len()..])))
}

fn command() -> Command {
    let mut command = Command::new("hexalog-bench")
        .version(env!("CARGO_PKG_VERSION"))
        .about("fio-style benchmark of Hexalog: how fast writes and commits become durable, how fast reads come back")
        .after_help(EXAMPLES)
        .args_conflicts_with_subcommands(true)
        .arg(Arg::new("files").value_name("JOBFILE").num_args(0..).help("Job files, as fio's: [global], then a section for each job"))
        .arg(argument("name", "NAME", "Begins a job of this name; options before the first one are for all jobs").action(ArgAction::Append))
        .arg(argument("output-format", "FORMAT,...", "normal, json, json+ (with histograms)").default_value("normal"))
        .arg(argument("output", "FILE", "Reports go there, and not to standard output"))
        .arg(argument("plot", "FILE", "A page of its own with percentiles, histograms and a time line"))
        .arg(argument("eta", "WHEN", "Progress line: auto (on a terminal), always, never").default_value("auto"))
        .subcommand(
            Command::new("compare")
                .about("Two reports in JSON side by side, ours or fio's")
                .arg(Arg::new("reports").value_name("FILE").num_args(2).required(true))
                .arg(argument("plot", "FILE", "A page of its own with both")),
        )
        .subcommand(connections::options::Options::augment_args(
            Command::new("connections").about("What a server does with thousands of sessions, active and idle"),
        ))
        .subcommand(tpcc::options::Options::augment_args(
            Command::new("tpcc").about("TPC-C on any PostgreSQL server: load, run, check"),
        ));
    for (heading, options) in table::SECTIONS {
        for option in *options {
            let mut arg = argument(option.name, option.value, option.help).help_heading(*heading);
            if option.value.is_empty() {
                arg = arg.value_name("0|1").num_args(0..=1).require_equals(true).default_missing_value("1");
            }
            command = command.arg(arg.action(ArgAction::Append));
        }
    }
    command
}

fn argument(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn invocation(matches: &ArgMatches) -> Result<Invocation, String> {
    let path = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).map(PathBuf::from);
    if let Some(("compare", compare)) = matches.subcommand() {
        let mut reports = compare.get_many::<String>("reports").into_iter().flatten().map(PathBuf::from);
        let files = [reports.next(), reports.next()].map(|file| file.unwrap_or_default());
        return Ok(Invocation::Compare { files, plot: path(compare, "plot") });
    }
    if let Some(("connections", driver)) = matches.subcommand() {
        let options = connections::options::Options::from_arg_matches(driver);
        return options.map(Invocation::Connections).map_err(|error| error.to_string());
    }
    if let Some(("tpcc", driver)) = matches.subcommand() {
        let options = tpcc::options::Options::from_arg_matches(driver);
        return options.map(Invocation::Tpcc).map_err(|error| error.to_string());
    }
    let output = Output {
        formats: formats(matches.get_one::<String>("output-format").map_or("normal", String::as_str))?,
        file: path(matches, "output"),
        plot: path(matches, "plot"),
        progress: match matches.get_one::<String>("eta").map(String::as_str) {
            None | Some("auto") => Progress::Auto,
            Some("always") => Progress::Always,
            Some("never") => Progress::Never,
            Some(other) => return Err(format!("eta: \"{other}\" is not one of auto, always, never")),
        },
    };
    Ok(Invocation::Run { jobs: jobs(matches)?, output })
}

fn formats(list: &str) -> Result<Vec<Format>, String> {
    let mut formats = Vec::new();
    for name in list.split(',') {
        let format = match name.trim() {
            "normal" => Format::Normal,
            "json" => Format::Json,
            "json+" => Format::JsonPlus,
            other => return Err(format!("output-format: \"{other}\" is not one of normal, json, json+")),
        };
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    Ok(formats)
}

/// Jobs of the files, or those of the command line. With files, options of the command line stand before the
/// files' own.
fn jobs(matches: &ArgMatches) -> Result<Vec<Job>, String> {
    let files: Vec<&String> = matches.get_many::<String>("files").into_iter().flatten().collect();
    let mut global = Job::default();
    let mut jobs: Vec<Job> = Vec::new();
    for (name, value) in in_order(matches) {
        match (name, jobs.last_mut()) {
            ("name", _) if !files.is_empty() => {
                return Err(
                    "name begins a job on the command line; with job files, jobs are theirs".to_owned()
                );
            }
            ("name", _) => jobs.push(Job { name: value.to_owned(), ..global.clone() }),
            (_, Some(job)) => table::set(job, name, value)?,
            (_, None) => table::set(&mut global, name, value)?,
        }
    }
    for file in &files {
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
        jobs.extend(job_file::parse(&text, file, &global)?);
    }
    if jobs.is_empty() {
        jobs.push(global);
    }
    jobs.iter()
        .try_for_each(|job| job.check().map_err(|complaint| format!("job \"{}\": {complaint}", job.name)))?;
    Ok(jobs)
}

/// Options of jobs with their values as they were given.
fn in_order(matches: &ArgMatches) -> Vec<(&'static str, &str)> {
    let names = std::iter::once("name").chain(table::all().map(|option| option.name));
    let mut found = Vec::new();
    for name in names {
        let values = matches.get_many::<String>(name).into_iter().flatten();
        let indices = matches.indices_of(name).into_iter().flatten();
        found.extend(indices.zip(values).map(|(index, value)| (index, name, value.as_str())));
    }
    found.sort_unstable_by_key(|(index, _, _)| *index);
    found.into_iter().map(|(_, name, value)| (name, value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Vec<Job> {
        match parse([&["hexalog-bench"], arguments].concat()) {
            Ok(Invocation::Run { jobs, .. }) => jobs,
            other => panic!("{arguments:?} gave {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn jobs_begin_with_their_name_and_share_what_stands_before() {
        let jobs = run(&["--bs=512", "--name=a", "--iodepth=4", "--name=b", "--iodepth", "8", "--verify"]);
        let seen: Vec<_> =
            jobs.iter().map(|job| (job.name.as_str(), job.bs(), job.iodepth, job.verify)).collect();
        assert_eq!(seen, [("a", 512, 4, false), ("b", 512, 8, true)]);
        let one = run(&["--bs=512", "--bs=1k"]);
        assert_eq!((one.len(), one[0].bs()), (1, 1024), "the last one stands");
    }

    #[test]
    fn a_job_file_takes_what_the_command_line_gives_for_all() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), "[a]\nrw=append\n[b]\niodepth=4\n").expect("writes");
        let path = file.path().to_str().expect("a plain name");
        let jobs = run(&[path, "--iodepth=2"]);
        assert_eq!(jobs.iter().map(|job| job.iodepth).collect::<Vec<_>>(), [2, 4]);
        let refused = parse(["hexalog-bench", path, "--name=c"]).expect_err("jobs are the file's");
        assert!(refused.to_string().contains("job files"), "{refused}");
    }

    #[test]
    fn compare_takes_two_reports() {
        let parsed = parse(["hexalog-bench", "compare", "a.json", "b.json", "--plot=c.html"]);
        let Ok(Invocation::Compare { files, plot }) = parsed else { panic!("{parsed:?}") };
        assert_eq!((files, plot), (["a.json".into(), "b.json".into()], Some("c.html".into())));
        assert!(parse(["hexalog-bench", "compare", "a.json"]).is_err());
    }
}
