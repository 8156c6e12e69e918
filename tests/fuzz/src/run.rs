//! Runs a target: mutants of valid inputs until time is up or a property breaks.

use crate::corpus;
use crate::mutate::mutate;
use crate::random::Random;
use crate::target::Target;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Inputs kept for mutation; beyond that a new one replaces an old one. Guess: many more than a decoder has answers.
const POOL_MAX: usize = 1024;
/// Attempts at making a breaking input smaller.
const SHORTENINGS_MAX: usize = 20_000;

/// What a run came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Report {
    /// Inputs tried.
    pub inputs: u64,
    /// Different answers of the decoder.
    pub answers: usize,
}

/// An input that breaks a property.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// As short as it was found to get.
    pub input: Vec<u8>,
    /// The panic's message, or what was allocated.
    pub what: String,
}

/// The last panic's message: the hook has it, `catch_unwind` does not.
static PANIC: Mutex<String> = Mutex::new(String::new());

thread_local! {
    static IS_CHECKING: Cell<bool> = const { Cell::new(false) };
}

/// Keeps panics of checks off the terminal; to be called once, before the first [`run`].
pub fn hush_panics() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if IS_CHECKING.get() {
            *PANIC.lock().expect("no panic while held") = info.to_string();
        } else {
            shown(info);
        }
    }));
}

/// Mutates and checks for so long, in an order that the seed decides.
pub fn run(target: &Target, seed: u64, duration: Duration) -> Result<Report, Finding> {
    let mut random = Random(seed);
    let mut pool: Vec<Vec<u8>> = (target.seeds)().into_iter().map(|(_, bytes)| bytes).collect();
    pool.extend(corpus::read(target).into_iter().map(|(_, bytes)| bytes));
    let mut answers: BTreeSet<&'static str> = BTreeSet::new();
    let mut inputs = 0;
    for input in &pool {
        answers.insert(tried(target, input)?);
        inputs += 1;
    }
    let end = Instant::now() + duration;
    while Instant::now() < end {
        let mut input = pool[random.below(pool.len())].clone();
        mutate(&mut input, &pool, &mut random);
        if !random.one_in(8) {
            (target.mend)(&mut input);
        }
        let answer = tried(target, &input)?;
        inputs += 1;
        // What was taken although it was changed leads on, too.
        if answers.insert(answer) || random.one_in(1024) {
            if pool.len() < POOL_MAX {
                pool.push(input);
            } else {
                let at = random.below(POOL_MAX);
                pool[at] = input;
            }
        }
    }
    Ok(Report { inputs, answers: answers.len() })
}

fn tried(target: &Target, input: &[u8]) -> Result<&'static str, Finding> {
    try_once(target, input).map_err(|what| shorten(target, input, what))
}

/// The decoder's answer, or what broke.
pub fn try_once(target: &Target, input: &[u8]) -> Result<&'static str, String> {
    let (answer, mut allocated) = measured(target, input)?;
    let allowed = (target.allocated_bytes_max)(input.len());
    // What other threads of the process allocate counts too; an input that breaks the bound does so each time.
    for _ in 0..2 {
        if allocated > allowed {
            allocated = allocated.min(measured(target, input)?.1);
        }
    }
    if allocated > allowed {
        return Err(format!("{allocated} bytes allocated for {} bytes: over {allowed}", input.len()));
    }
    Ok(answer)
}

/// The decoder's answer and the bytes that were allocated meanwhile, or with what it panicked.
fn measured(target: &Target, input: &[u8]) -> Result<(&'static str, usize), String> {
    let region = Region::new(&INSTRUMENTED_SYSTEM);
    IS_CHECKING.set(true);
    let answer = panic::catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    IS_CHECKING.set(false);
    let change = region.change();
    let answer = answer.map_err(|_| PANIC.lock().expect("no panic while held").clone())?;
    let allocated = change.bytes_allocated + usize::try_from(change.bytes_reallocated.max(0)).unwrap_or(0);
    Ok((answer, allocated))
}

/// Cuts pieces out and makes bytes zero for as long as the input breaks something.
fn shorten(target: &Target, input: &[u8], what: String) -> Finding {
    let mut found = Finding { input: input.to_vec(), what };
    let mut tries = 0;
    let mut size = found.input.len().next_power_of_two();
    while size > 0 && tries < SHORTENINGS_MAX {
        let mut at = 0;
        while at < found.input.len() && tries < SHORTENINGS_MAX {
            let end = found.input.len().min(at + size);
            let mut cut = found.input.clone();
            cut.drain(at..end);
            let mut zeroed = found.input.clone();
            zeroed[at..end].fill(0);
            let smaller = [cut, zeroed].into_iter().find_map(|mut candidate| {
                tries += 1;
                (target.mend)(&mut candidate);
                let is_smaller = weight(&candidate) < weight(&found.input);
                let what = if is_smaller { try_once(target, &candidate).err() } else { None };
                what.map(|what| Finding { input: candidate, what })
            });
            match smaller {
                Some(smaller) => found = smaller,
                None => at = end,
            }
        }
        size /= 2;
    }
    found
}

/// What shortening makes less.
fn weight(input: &[u8]) -> (usize, usize) {
    (input.len(), input.iter().filter(|byte| **byte != 0).count())
}
