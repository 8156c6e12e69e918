//! `differential`: compares as many scripts as time allows, or one.

#![allow(clippy::disallowed_methods)] // The clock ends the run.

use clap::Parser;
use differential::compare::{Server, Tally, compare};
use differential::corpus;
use differential::postgresql::Postgresql;
use differential::script;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Random statements on PostgreSQL 15 and on Hexalog, side by side.
#[derive(Parser)]
#[command(name = "differential")]
struct Arguments {
    /// Hexalog, for example 127.0.0.1:5433 of `cargo run --release`
    #[arg(long, value_name = "ADDRESS")]
    hexalog: SocketAddr,
    /// PostgreSQL 15 in UTF-8 and C collation; without, one is started
    #[arg(long, value_name = "ADDRESS")]
    postgres: Option<SocketAddr>,
    /// Its user
    #[arg(long, value_name = "NAME", default_value = "postgres")]
    user: String,
    /// Scripts of others in place of random ones: those whose path contains this, all with ""
    #[arg(long, value_name = "PART")]
    corpus: Option<String>,
    /// This seed alone
    #[arg(long)]
    seed: Option<u64>,
    /// First of the seeds
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Stop after so many seconds
    #[arg(long, value_name = "S", default_value_t = 60)]
    seconds: u64,
    /// Statements of a script after its set-up
    #[arg(long, default_value_t = 40)]
    statements: usize,
    /// Calls on constants alone
    #[arg(long)]
    calls: bool,
    /// Stop after so many differences
    #[arg(long, value_name = "N", default_value_t = 20)]
    differences: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let own = match arguments.postgres {
        Some(_) => None,
        None => match Postgresql::start() {
            Ok(server) => Some(server),
            Err(why) => {
                eprintln!("no PostgreSQL to compare with: {why}; name one with --postgres ADDRESS");
                return ExitCode::from(2);
            }
        },
    };
    let theirs = match (&own, arguments.postgres) {
        (Some(own), _) => own.server(),
        (None, address) => Server { address: address.expect("given"), user: arguments.user.clone() },
    };
    let servers = [theirs, Server { address: arguments.hexalog, user: "postgres".into() }];
    if let Some(part) = &arguments.corpus {
        return run_corpora(&servers, part);
    }
    let mut tally = Tally::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let begun = Instant::now();
    let seeds = arguments.seed.map_or(arguments.first..=u64::MAX, |seed| seed..=seed);
    let draw = if arguments.calls { script::calls } else { script::draw };
    let mut scripts = 0;
    for seed in seeds {
        if begun.elapsed() > Duration::from_secs(arguments.seconds) {
            break;
        }
        scripts += 1;
        match compare(&servers, seed, &draw(seed, arguments.statements), &mut tally) {
            Ok(None) => {}
            Ok(Some(difference)) => {
                println!("{difference}\n");
                *seen.entry(difference.outcomes[1].to_string().chars().take(60).collect()).or_default() += 1;
                if seen.values().sum::<usize>() >= arguments.differences {
                    break;
                }
            }
            Err(error) => {
                eprintln!("seed {seed}: {error}");
                return ExitCode::from(2);
            }
        }
    }
    let Tally { statements, refused, undetermined, known, .. } = tally;
    let differences: usize = seen.values().sum();
    println!(
        "{scripts} scripts, {statements} statements: {refused} refused by both alike, {undetermined} by one alone for a value, {known} known differences, {differences} differences"
    );
    if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the scripts of all packages whose path contains `part`.
fn run_corpora(servers: &[Server; 2], part: &str) -> ExitCode {
    let mut tally = Tally::default();
    let mut count = 0;
    for package in corpus::PACKAGES {
        let scripts =
            package.install().and_then(|folder| corpus::scripts(&folder).map_err(|error| error.to_string()));
        let scripts = match scripts {
            Ok(scripts) => scripts,
            Err(why) => {
                eprintln!("{why}");
                return ExitCode::from(2);
            }
        };
        for script in scripts.iter().filter(|script| script.to_string_lossy().contains(part)) {
            let before = (tally.statements, count);
            let compared = corpus::statements(script).and_then(|statements| {
                corpus::compare_script(servers, script, &statements, &mut tally)
                    .map_err(|error| error.to_string())
            });
            match compared {
                Ok(differences) => {
                    count += differences.len();
                    differences.iter().for_each(|difference| println!("{difference}\n"));
                }
                Err(why) => println!("{}: {why}", script.display()),
            }
            eprintln!(
                "{}: {} statements, {} differences",
                script.display(),
                tally.statements - before.0,
                count - before.1
            );
        }
    }
    let Tally { statements, refused, refused_otherwise, undetermined, known } = tally;
    println!(
        "{statements} statements: {refused} refused by both alike, {refused_otherwise} by both otherwise, {undetermined} by one alone for a value, {known} known differences, {count} differences"
    );
    if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
