//! `simulator`: runs seeds; says which fail, which checker said so, and how to run one again.

use simulator::history::Outcome;
use simulator::minimise::minimise;
use simulator::plan::{KEPT, Plan, Profile};
use simulator::recorded;
use simulator::report::{Failure, run_plan};
use simulator::svg;
use simulator::trace::Trace;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str =
    "usage: simulator [--seed N | --first N --seeds K | --minutes M | --kept | --plan LINE] [options]
  --seed N       this seed alone
  --first N      first of several seeds (default 1)
  --seeds K      how many (default 100)
  --minutes M    as many as this time allows, from the first
  --kept         every seed that failed once, under the plan that it failed under
  --plan LINE    one plan, as a failure prints it
  --history FILE none: checks what real clients have recorded (`tests/torture`)
  --as-serializable
                 holds what they ran at REPEATABLE READ to SERIALIZABLE: write skew is a violation then
options
  --profile P    volume, sql or bulk (default: the seed draws it)
  --with WORDS   these words of a plan in every plan, whatever its seed drew: 'pages=1 rot_us=20000'
  --trace        print every event
  --draw         print the plans and run none
  --minimise     shorten the fault plan of what fails
  --svg FILE     draw the end of the first failure as a space-time diagram";

#[derive(Default)]
struct Options {
    seed: Option<u64>,
    first: u64,
    seeds: u64,
    minutes: Option<u64>,
    is_kept: bool,
    plan: Option<Plan>,
    profile: Option<Profile>,
    with: String,
    is_traced: bool,
    is_drawn_only: bool,
    history: Option<String>,
    is_as_serializable: bool,
    is_minimised: bool,
    svg: Option<String>,
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { first: 1, seeds: 100, ..Options::default() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next();
        match argument.as_str() {
            "--seed" => options.seed = Some(value()?.parse().ok()?),
            "--first" => options.first = value()?.parse().ok()?,
            "--seeds" => options.seeds = value()?.parse().ok()?,
            "--minutes" => options.minutes = Some(value()?.parse().ok()?),
            "--kept" => options.is_kept = true,
            "--plan" => options.plan = Some(Plan::parse(&value()?)?),
            "--profile" => options.profile = Some(Profile::parse(&value()?)?),
            "--with" => options.with = value()?,
            "--trace" => options.is_traced = true,
            "--history" => options.history = Some(value()?),
            "--as-serializable" => options.is_as_serializable = true,
            "--draw" => options.is_drawn_only = true,
            "--minimise" => options.is_minimised = true,
            "--svg" => options.svg = Some(value()?),
            _ => return None,
        }
    }
    Some(options)
}

impl Options {
    /// The plans to be run, without an end if time is their bound.
    fn plans(&self) -> Box<dyn Iterator<Item = Plan>> {
        let profile = self.profile;
        if let Some(plan) = &self.plan {
            return Box::new([plan.clone()].into_iter());
        }
        if self.is_kept {
            return Box::new(KEPT.lines().filter_map(Plan::parse));
        }
        let seeds = match (self.seed, self.minutes) {
            (Some(seed), _) => seed..seed + 1,
            (None, Some(_)) => self.first..u64::MAX,
            (None, None) => self.first..self.first + self.seeds,
        };
        let with = self.with.clone();
        Box::new(seeds.map(move |seed| Plan::draw(seed, profile).with(&with)))
    }
}

#[derive(Default)]
struct Totals {
    runs: u64,
    failed: u64,
    events: u64,
    virtual_us: u64,
    committed: u64,
    write_skews: u64,
}

/// Says what failed, why and how to see it again.
fn report(plan: &Plan, failure: &Failure) {
    let name = if plan.only_faults.is_some() { "shortened" } else { "FAILED" };
    println!("seed {} {name}: {}", plan.seed, failure.what);
    println!("  checker: {}", failure.place);
    println!("  again: cargo run --release -p simulator -- --plan '{plan}' --trace");
}

fn look_closer(options: &Options, plan: &Plan) {
    let plan = if options.is_minimised { minimise(plan) } else { plan.clone() };
    // The same run again, this time with its end kept.
    let (outcome, trace) = run_plan(&plan, Trace::kept());
    let Err(failure) = outcome else {
        return println!("  it does not fail when it is run again: a simulator that is not deterministic");
    };
    println!("last events:");
    trace.last_events().iter().for_each(|event| println!("  {event}"));
    report(&plan, &failure);
    if let Some(file) = &options.svg {
        match std::fs::File::create(file).and_then(|mut out| svg::draw(&trace, &failure.what, &mut out)) {
            Ok(()) => println!("  drawn: {file}"),
            Err(error) => println!("  {file} cannot be written: {error}"),
        }
    }
}

fn check_recorded(file: &str, is_as_serializable: bool) -> ExitCode {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let history = match text.and_then(|text| recorded::parse(&text)) {
        Ok(history) => history,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    };
    let history = if is_as_serializable { history.as_serializable() } else { history };
    let committed = history.count(Outcome::Ok);
    match recorded::check(&history) {
        Ok(()) => {
            println!("{} transactions, {committed} of them committed: no violation", history.txns.len())
        }
        Err(violation) => {
            println!("VIOLATION {violation}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "how long it all took, and when to stop; no run sees it")]
fn main() -> ExitCode {
    let Some(options) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if let Some(file) = &options.history {
        return check_recorded(file, options.is_as_serializable);
    }
    let started = Instant::now();
    let is_over = || options.minutes.is_some_and(|minutes| started.elapsed().as_secs() >= minutes * 60);
    let mut totals = Totals::default();
    for plan in options.plans() {
        if options.is_drawn_only {
            println!("{plan}");
            continue;
        }
        if is_over() {
            break;
        }
        let trace = if options.is_traced { Trace::printed() } else { Trace::hashed() };
        totals.runs += 1;
        match run_plan(&plan, trace).0 {
            Ok(outcome) => {
                totals.events += outcome.events;
                totals.virtual_us += outcome.virtual_us;
                totals.committed += outcome.committed;
                totals.write_skews += u64::from(outcome.has_write_skew);
                println!("seed {}: {outcome}", plan.seed);
            }
            Err(failure) => {
                totals.failed += 1;
                report(&plan, &failure);
                if !options.is_traced && totals.failed == 1 {
                    look_closer(&options, &plan);
                }
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} runs, {} failed; {:.1} s, {:.1} virtual hours an hour, {:.0} events/s, {} transactions committed; \
         write skew at REPEATABLE READ in {} runs",
        totals.runs,
        totals.failed,
        seconds,
        totals.virtual_us as f64 / 1e6 / seconds,
        totals.events as f64 / seconds,
        totals.committed,
        totals.write_skews
    );
    if totals.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
