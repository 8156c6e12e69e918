//! The `regexp_…` functions and their kin.
//!
//! ARE takes the leftmost match and of those the longest, or the shortest if the pattern's first quantifier is non-greedy; the
//! crate `regex` takes the first that its alternatives and quantifiers come to. So `regex` finds where a match begins, and the
//! machine of `regex-automata` that keeps all matches finds its end and groups; in a long text, its likes that can be stopped.
//! Patterns whose groups could still come out otherwise than in PostgreSQL are refused. Read next: `operator/regex/search.rs`.

use super::{i32_at, str_at};
use crate::datum::{Array, Datum};
use crate::env::{EvalEnv, Watch, look_soon};
use crate::error::{Result, SqlError, SqlState};
use crate::operator::regex::machine::{Machine, STATES_PER_STEP};
use crate::operator::regex::search::{Pattern, is_short};
use crate::operator::regex::searched::Searched;
use crate::operator::regex::simulation::{NO_PLACE, Simulation};
use crate::operator::regex::{ORDINARY_BYTES_MAX, Options, Translation, compile, too_complex, translate};
use crate::types::TypeId;
use regex_automata::nfa::thompson::{self, pikevm};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

/// Most slots of all states together, of eight bytes each: the machines have them twice.
const SLOTS_MAX: usize = 8 << 20;

/// What a program keeps from one search to the next takes no more. A guess.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Programs kept per thread.
const CACHE_PROGRAMS_MAX: usize = 8;

/// A pattern ready to find matches as ARE does.
struct Program {
    starts: Arc<Pattern>,
    ends: pikevm::PikeVM,
    /// Of the search before, if it is small.
    ends_cache: RefCell<Option<pikevm::Cache>>,
    /// Finds ends in long texts.
    ends_machine: OnceCell<Machine>,
    facts: Translation,
}

type Key = (String, Options);

thread_local! {
    static CACHE: RefCell<Vec<(Key, Rc<Program>)>> = const { RefCell::new(Vec::new()) };
}

/// Where a match stands, and its groups, in bytes.
struct Found {
    whole: Range<usize>,
    groups: Vec<Option<Range<usize>>>,
}

fn program(pattern: &str, options: Options) -> Result<Rc<Program>> {
    let key = (pattern.to_owned(), options);
    let hit = CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|(known, _)| *known == key)?;
        cache[..=at].rotate_right(1);
        Some(cache[0].1.clone())
    });
    if let Some(program) = hit {
        return Ok(program);
    }
    let facts = translate(pattern, options)?;
    if facts.has_non_greedy && (facts.has_alternation || facts.has_repeated_group) {
        let what = "a non-greedy quantifier beside alternatives or repeated groups in a regular expression";
        return Err(SqlError::unsupported(what));
    }
    let starts = compile(pattern, options)?;
    let ends = pikevm::PikeVM::builder()
        .configure(pikevm::Config::new().match_kind(MatchKind::All))
        .syntax(syntax::Config::new())
        .thompson(thompson::Config::new().nfa_size_limit(Some(ORDINARY_BYTES_MAX)))
        .build(&facts.text)
        .map_err(|_| too_complex())?;
    let slot_count = ends.get_nfa().group_info().slot_len();
    if ends.get_nfa().states().len() * slot_count > SLOTS_MAX {
        return Err(too_complex());
    }
    look_soon();
    let (ends_cache, ends_machine) = (RefCell::default(), OnceCell::new());
    let program = Rc::new(Program { starts, ends, ends_cache, ends_machine, facts });
    CACHE.with_borrow_mut(|cache| {
        cache.truncate(CACHE_PROGRAMS_MAX - 1);
        cache.insert(0, (key, program.clone()));
    });
    Ok(program)
}

impl Program {
    /// 0A000 if what the groups match may not be what PostgreSQL says.
    fn check_groups(&self) -> Result<()> {
        match self.facts.unsure_groups {
            Some(why) if self.facts.captures > 0 => {
                Err(SqlError::unsupported(format!("what groups match in a regular expression with {why}")))
            }
            _ => Ok(()),
        }
    }

    /// The first match that begins at `from` or behind it.
    fn find(&self, watch: &mut Watch<'_>, text: &Searched<'_>, from: usize) -> Result<Option<Found>> {
        if from > text.len() {
            return Ok(None);
        }
        let Some(start) = self.starts.start(watch, text, from)? else { return Ok(None) };
        let states = self.ends.get_nfa().states().len();
        if is_short(text.len() - start, states) {
            watch.count(1 + (text.len() - start) * states / STATES_PER_STEP)?;
            return Ok(Some(self.find_from(text, start..text.len())));
        }
        self.find_watched(watch, text, start).map(Some)
    }

    /// The match that begins at `start`.
    fn find_watched(&self, watch: &mut Watch<'_>, text: &Searched<'_>, start: usize) -> Result<Found> {
        let is_short = |length| is_short(length, self.ends.get_nfa().states().len());
        let end = self.end(watch, text, start)?;
        if is_short(end - start) {
            return Ok(self.find_from(text, start..end));
        }
        let groups = self.groups(watch, text, start..end)?;
        Ok(Found { whole: start..end, groups })
    }

    /// The match that begins where the span does.
    fn find_from(&self, text: &str, span: Range<usize>) -> Found {
        let input = Input::new(text).span(span).anchored(Anchored::Yes).earliest(self.facts.is_shortest);
        let mut captures = self.ends.create_captures();
        let mut cache = self.ends_cache.take().unwrap_or_else(|| self.ends.create_cache());
        self.ends.search(&mut cache, &input, &mut captures);
        if cache.memory_usage() <= KEPT_BYTES_MAX {
            self.ends_cache.replace(Some(cache));
        }
        let whole = captures.get_match().expect("a match begins here").range();
        let groups =
            (1..captures.group_len()).map(|group| captures.get_group(group).map(|span| span.range()));
        Found { whole, groups: groups.collect() }
    }

    /// Where the match that begins at `start` ends.
    fn end(&self, watch: &mut Watch<'_>, text: &Searched<'_>, start: usize) -> Result<usize> {
        let machine = self.ends_machine.get_or_init(|| {
            Machine::new(&self.facts.text, MatchKind::All, false, usize::MAX).expect("compiled before")
        });
        let (mut end, is_shortest) = (None, self.facts.is_shortest);
        machine.run(watch, text, start..text.len(), Anchored::Yes, |at| {
            end = Some(at);
            !is_shortest
        })?;
        Ok(end.expect("a match begins here"))
    }

    /// The groups of a match.
    fn groups(
        &self,
        watch: &mut Watch<'_>,
        text: &Searched<'_>,
        whole: Range<usize>,
    ) -> Result<Vec<Option<Range<usize>>>> {
        if self.facts.captures == 0 {
            return Ok(Vec::new());
        }
        let nfa = self.ends.get_nfa();
        let (slot_count, end) = (nfa.group_info().slot_len(), whole.end);
        let mut found = vec![NO_PLACE; slot_count];
        Simulation::new(nfa, text, slot_count).run(watch, whole, true, |at, slots| {
            if at == end {
                found.copy_from_slice(slots);
            }
            true
        })?;
        let (pairs, _) = found.as_chunks::<2>();
        let group = |&[start, end]: &[usize; 2]| (start.max(end) < NO_PLACE).then_some(start..end);
        Ok(pairs[1..].iter().map(group).collect())
    }

    /// All matches from a place on, each behind the one before.
    fn find_all(&self, watch: &mut Watch<'_>, text: &Searched<'_>, from: usize) -> Result<Vec<Found>> {
        let (mut all, mut at) = (Vec::new(), from);
        while let Some(found) = self.find(watch, text, at)? {
            at = next_search(text, &found.whole);
            all.push(found);
        }
        Ok(all)
    }
}

/// Where the search goes on: an empty match is stepped over.
fn next_search(text: &str, found: &Range<usize>) -> usize {
    match found.is_empty() {
        false => found.end,
        true => found.end + text[found.end..].chars().next().map_or(1, char::len_utf8),
    }
}

/// Flags of a function's last argument; whether `g` is among them.
fn options(flags: &str) -> Result<(Options, bool)> {
    let (mut options, mut global) = (Options::default(), false);
    for flag in flags.chars() {
        match flag {
            'g' => global = true,
            'q' => options.literal = true,
            'b' | 'e' => {
                return Err(SqlError::unsupported(format!("regular expression option \"{flag}\"")));
            }
            flag if options.set(flag) => {}
            other => {
                let message = format!("invalid regular expression option: \"{other}\"");
                return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message));
            }
        }
    }
    if options.literal && options.expanded {
        let message = "invalid regular expression: invalid argument to regex function";
        return Err(SqlError::new(SqlState::INVALID_REGULAR_EXPRESSION, message));
    }
    Ok((options, global))
}

/// Flags of a function that does not take `g`.
fn options_of(function: &str, flags: Option<&str>) -> Result<Options> {
    let (options, global) = options(flags.unwrap_or_default())?;
    if !global {
        return Ok(options);
    }
    let message = format!("{function}() does not support the \"global\" option");
    let error = SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message);
    Err(match function {
        "regexp_match" => error.with_hint("Use the regexp_matches function instead."),
        _ => error,
    })
}

pub(super) fn flags_at(args: &[Datum], at: usize) -> Option<&str> {
    args.get(at).and_then(Datum::as_str)
}

fn integer_or(args: &[Datum], at: usize, default: i32) -> i32 {
    if at < args.len() { i32_at(args, at) } else { default }
}

/// 22023 for an argument that must be at least `least`.
fn check_argument(name: &str, value: i32, least: i32) -> Result<()> {
    if value >= least {
        return Ok(());
    }
    Err(invalid_argument(name, value))
}

fn invalid_argument(name: &str, value: i32) -> SqlError {
    SqlError::invalid_parameter(format!("invalid value for parameter \"{name}\": {value}"))
}

/// The byte where the character of this number, from 1, begins; behind the end if there are fewer.
fn offset(text: &str, number: i32) -> usize {
    let before = usize::try_from(number - 1).unwrap_or(0);
    match text.char_indices().nth(before) {
        Some((at, _)) => at,
        None if text.chars().count() == before => text.len(),
        None => text.len() + 1,
    }
}

fn texts(text: &str, found: &Found) -> Datum {
    let groups = match found.groups.is_empty() {
        true => vec![Some(found.whole.clone())],
        false => found.groups.clone(),
    };
    let value = |range: Option<Range<usize>>| range.map_or(Datum::Null, |range| Datum::from(&text[range]));
    Array::from_values(TypeId::TEXT, groups.into_iter().map(value).collect()).into()
}

/// `regexp_match(text, pattern [, flags])`.
pub(super) fn regexp_match(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_match", flags_at(args, 2))?)?;
    program.check_groups()?;
    let found = program.find(&mut Watch::new(env), &Searched::new(text), 0)?;
    Ok(found.map_or(Datum::Null, |found| texts(text, &found)))
}

/// The rows of `regexp_matches(text, pattern [, flags])`.
pub fn regexp_matches(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Vec<Datum>> {
    let text = str_at(args, 0);
    let (options, global) = options(flags_at(args, 2).unwrap_or_default())?;
    let program = program(str_at(args, 1), options)?;
    program.check_groups()?;
    let mut watch = Watch::new(env);
    let found = match global {
        true => program.find_all(&mut watch, &Searched::new(text), 0)?,
        false => program.find(&mut watch, &Searched::new(text), 0)?.into_iter().collect(),
    };
    Ok(found.iter().map(|found| texts(text, found)).collect())
}

/// The pieces of `regexp_split_to_table` and `regexp_split_to_array`. Empty matches at the ends, or right behind another match,
/// split nothing.
fn split(env: &EvalEnv<'_>, function: &str, args: &[Datum]) -> Result<Vec<Datum>> {
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of(function, flags_at(args, 2))?)?;
    let (mut pieces, mut at, mut previous_end) = (Vec::new(), 0, 0);
    for Found { whole, .. } in program.find_all(&mut Watch::new(env), &Searched::new(text), 0)? {
        if whole.start < text.len() && whole.end > previous_end {
            pieces.push(Datum::from(&text[at..whole.start]));
            at = whole.end;
        }
        previous_end = whole.end;
    }
    pieces.push(Datum::from(&text[at..]));
    Ok(pieces)
}

/// `regexp_split_to_array(text, pattern [, flags])`.
pub(super) fn regexp_split_to_array(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Array::from_values(TypeId::TEXT, split(env, "regexp_split_to_array", args)?).into())
}

/// The rows of `regexp_split_to_table(text, pattern [, flags])`.
pub fn regexp_split_to_table(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Vec<Datum>> {
    split(env, "regexp_split_to_table", args)
}

/// `regexp_like(text, pattern [, flags])`.
pub(super) fn regexp_like(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let options = options_of("regexp_like", flags_at(args, 2))?;
    let pattern = compile(str_at(args, 1), options)?;
    pattern.is_match(&mut Watch::new(env), &Searched::new(str_at(args, 0))).map(Datum::Bool)
}

/// `regexp_count(text, pattern [, start [, flags]])`.
pub(super) fn regexp_count(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let start = integer_or(args, 2, 1);
    check_argument("start", start, 1)?;
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_count", flags_at(args, 3))?)?;
    let count = program.find_all(&mut Watch::new(env), &Searched::new(text), offset(text, start))?.len();
    Ok(Datum::Int4(i32::try_from(count).expect("texts are shorter than 1 GB")))
}

/// Which match of those from a place on, and which group in it (0: all of it).
struct Which {
    start: i32,
    number: i32,
    group: i32,
}

fn nth(env: &EvalEnv<'_>, program: &Program, text: &str, which: Which) -> Result<Option<Range<usize>>> {
    if which.group > 0 {
        program.check_groups()?;
    }
    let number = usize::try_from(which.number - 1).expect("checked to be no less than 1");
    let all = program.find_all(&mut Watch::new(env), &Searched::new(text), offset(text, which.start))?;
    Ok(all.into_iter().nth(number).and_then(|found| match usize::try_from(which.group - 1) {
        Err(_) => Some(found.whole),
        Ok(group) => found.groups.get(group).cloned().flatten(),
    }))
}

/// `regexp_instr(text, pattern [, start [, n [, endoption [, flags [, subexpr]]]]])`: 0 if there is no such match.
pub(super) fn regexp_instr(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (start, number, end) = (integer_or(args, 2, 1), integer_or(args, 3, 1), integer_or(args, 4, 0));
    let group = integer_or(args, 6, 0);
    check_argument("start", start, 1)?;
    check_argument("n", number, 1)?;
    if !(0..=1).contains(&end) {
        return Err(invalid_argument("endoption", end));
    }
    check_argument("subexpr", group, 0)?;
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_instr", flags_at(args, 5))?)?;
    let found = nth(env, &program, text, Which { start, number, group })?;
    let place = found.map_or(0, |range| {
        let at = if end == 1 { range.end } else { range.start };
        text[..at].chars().count() + 1
    });
    Ok(Datum::Int4(i32::try_from(place).expect("texts are shorter than 1 GB")))
}

/// `regexp_substr(text, pattern [, start [, n [, flags [, subexpr]]]])`.
pub(super) fn regexp_substr(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (start, number, group) = (integer_or(args, 2, 1), integer_or(args, 3, 1), integer_or(args, 5, 0));
    check_argument("start", start, 1)?;
    check_argument("n", number, 1)?;
    check_argument("subexpr", group, 0)?;
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_substr", flags_at(args, 4))?)?;
    Ok(nth(env, &program, text, Which { start, number, group })?
        .map_or(Datum::Null, |range| Datum::from(&text[range])))
}

/// `substring(text, pattern)`: the first group if there is one.
pub(super) fn substring(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), Options::default())?;
    program.check_groups()?;
    let found = program.find(&mut Watch::new(env), &Searched::new(text), 0)?.and_then(|found| {
        match found.groups.first() {
            None => Some(found.whole),
            Some(group) => group.clone(),
        }
    });
    Ok(found.map_or(Datum::Null, |range| Datum::from(&text[range])))
}

/// `regexp_replace(text, pattern, replacement [, flags])`: the first match, or all with `g`.
pub(super) fn regexp_replace(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let flags = flags_at(args, 3).unwrap_or_default();
    if let Some(digit) = flags.chars().next().filter(char::is_ascii_digit) {
        let message = format!("invalid regular expression option: \"{digit}\"");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(
            "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.",
        ));
    }
    let (options, global) = options(flags)?;
    replace(env, args, options, 1, i32::from(!global))
}

/// `regexp_replace(text, pattern, replacement, start [, n [, flags]])`; n of 0 is all.
pub(super) fn regexp_replace_nth(env: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (options, global) = options(flags_at(args, 5).unwrap_or_default())?;
    // Without a number, `g` would decide; there are no flags then.
    let number = if args.len() > 4 { i32_at(args, 4) } else { i32::from(!global) };
    let start = i32_at(args, 3);
    check_argument("start", start, 1)?;
    check_argument("n", number, 0)?;
    replace(env, args, options, start, number)
}

fn replace(env: &EvalEnv<'_>, args: &[Datum], options: Options, start: i32, number: i32) -> Result<Datum> {
    let (text, replacement) = (str_at(args, 0), str_at(args, 2));
    let program = program(str_at(args, 1), options)?;
    let reads_group = |pair: &[u8]| pair[0] == b'\\' && pair[1].is_ascii_digit();
    if replacement.as_bytes().windows(2).any(reads_group) {
        program.check_groups()?;
    }
    let (mut out, mut copied, mut count) = (String::new(), 0, 0);
    let (searched, mut watch) = (Searched::new(text), Watch::new(env));
    let mut at = offset(text, start);
    while let Some(found) = program.find(&mut watch, &searched, at)? {
        count += 1;
        at = next_search(text, &found.whole);
        if number > 0 && count < number {
            continue;
        }
        out.push_str(&text[copied..found.whole.start]);
        append_replacement(&mut out, replacement, text, &found);
        copied = found.whole.end;
        if number > 0 {
            break;
        }
    }
    out.push_str(&text[copied..]);
    Ok(out.into())
}

/// The replacement with `\1` … `\9` and `\&` filled in.
fn append_replacement(out: &mut String, replacement: &str, text: &str, found: &Found) {
    let mut rest = replacement.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.peek().copied() {
            Some(digit @ '1'..='9') => {
                rest.next();
                let group = digit as usize - '1' as usize;
                if let Some(Some(range)) = found.groups.get(group) {
                    out.push_str(&text[range.clone()]);
                }
            }
            Some('&') => {
                rest.next();
                out.push_str(&text[found.whole.clone()]);
            }
            Some('\\') => {
                rest.next();
                out.push('\\');
            }
            // Anything else stands for itself, the backslash too.
            _ => out.push('\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ways of a long text find what those of a short one find.
    #[test]
    fn watched_or_not() {
        let texts = ["abab", "aab aab", "é abc é", "xay", "12-34", "bbb", "日本 abc", "a\na"];
        let patterns = [
            "(a)(b)?",
            "(a+)(b)",
            "a+?",
            "(a|b)+",
            "(\\w+) (\\w+)",
            "(\\d+)-(\\d+)",
            "\\m(.*)\\M",
            "(x)?a(y)?",
            "(?:(a)|b)*",
            "b{1,2}?",
            "(b*)",
            "(é) (a.*)\\y",
        ];
        let mut watch = Watch::new(&EvalEnv::without_session());
        for pattern in patterns {
            let program = program(pattern, Options::default()).expect(pattern);
            for text in texts {
                let text = &Searched::new(text);
                let Some(start) = program.starts.start(&mut watch, text, 0).expect("not cancelled") else {
                    continue;
                };
                let expected = program.find_from(text, start..text.len());
                let end = program.end(&mut watch, text, start).expect("not cancelled");
                assert_eq!(start..end, expected.whole, "{pattern} in {}", &**text);
                let groups = program.groups(&mut watch, text, start..end).expect("not cancelled");
                assert_eq!(groups, expected.groups, "{pattern} in {}", &**text);
            }
        }
    }

    /// The machines once took all memory there is: each state has all slots.
    #[test]
    fn many_groups_of_many_states() {
        let error = program(&"(a)".repeat(30_000), Options::default()).map(drop).expect_err("too many slots");
        assert_eq!(error.sqlstate(), SqlState::INVALID_REGULAR_EXPRESSION);
    }
}
