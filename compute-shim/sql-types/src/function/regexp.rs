//! The `regexp_…` functions and their kin.
//!
//! ARE takes the leftmost match and of those the longest, or the shortest if the pattern's first quantifier is non-greedy; the
//! crate `regex` takes the first that its alternatives and quantifiers come to. So `regex` finds where a match begins, and the
//! machine of `regex-automata` that keeps all matches finds its end and groups. Patterns whose groups could still come out
//! otherwise than in PostgreSQL are refused. Read next: `operator/regex.rs`.

use super::{i32_at, str_at};
use crate::datum::{Array, Datum};
use crate::env::EvalEnv;
use crate::error::{Result, SqlError, SqlState};
use crate::operator::regex::{Options, Translation, build_translated, translate};
use crate::types::TypeId;
use regex::Regex;
use regex_automata::nfa::thompson::{self, pikevm};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Most bytes of a compiled pattern, as the crate `regex` has it.
const PROGRAM_BYTES_MAX: usize = 10 << 20;

/// Programs kept per thread.
const CACHE_PROGRAMS_MAX: usize = 8;

/// A pattern ready to find matches as ARE does.
struct Program {
    starts: Regex,
    ends: pikevm::PikeVM,
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
    let starts = build_translated(pattern, &facts.text)?;
    let ends = pikevm::PikeVM::builder()
        .configure(pikevm::Config::new().match_kind(MatchKind::All))
        .syntax(syntax::Config::new())
        .thompson(thompson::Config::new().nfa_size_limit(Some(PROGRAM_BYTES_MAX)))
        .build(&facts.text)
        .map_err(|_| {
            let message = "invalid regular expression: regular expression is too complex";
            SqlError::new(SqlState::INVALID_REGULAR_EXPRESSION, message)
        })?;
    let program = Rc::new(Program { starts, ends, facts });
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
    fn find(&self, text: &str, from: usize) -> Option<Found> {
        if from > text.len() {
            return None;
        }
        let start = self.starts.find_at(text, from)?.start();
        let input = Input::new(text).range(start..).anchored(Anchored::Yes).earliest(self.facts.is_shortest);
        let mut captures = self.ends.create_captures();
        self.ends.search(&mut self.ends.create_cache(), &input, &mut captures);
        let whole = captures.get_match().expect("a match begins here").range();
        let groups =
            (1..captures.group_len()).map(|group| captures.get_group(group).map(|span| span.range()));
        Some(Found { whole, groups: groups.collect() })
    }

    /// All matches from a place on, each behind the one before.
    fn find_all(&self, text: &str, from: usize) -> Vec<Found> {
        let (mut all, mut at) = (Vec::new(), from);
        while let Some(found) = self.find(text, at) {
            at = next_search(text, &found.whole);
            all.push(found);
        }
        all
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
pub(super) fn regexp_match(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_match", flags_at(args, 2))?)?;
    program.check_groups()?;
    Ok(program.find(text, 0).map_or(Datum::Null, |found| texts(text, &found)))
}

/// The rows of `regexp_matches(text, pattern [, flags])`.
pub fn regexp_matches(args: &[Datum]) -> Result<Vec<Datum>> {
    let text = str_at(args, 0);
    let (options, global) = options(flags_at(args, 2).unwrap_or_default())?;
    let program = program(str_at(args, 1), options)?;
    program.check_groups()?;
    let found = match global {
        true => program.find_all(text, 0),
        false => program.find(text, 0).into_iter().collect(),
    };
    Ok(found.iter().map(|found| texts(text, found)).collect())
}

/// The pieces of `regexp_split_to_table` and `regexp_split_to_array`. Empty matches at the ends, or right behind another match,
/// split nothing.
fn split(function: &str, args: &[Datum]) -> Result<Vec<Datum>> {
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of(function, flags_at(args, 2))?)?;
    let (mut pieces, mut at, mut previous_end) = (Vec::new(), 0, 0);
    for Found { whole, .. } in program.find_all(text, 0) {
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
pub(super) fn regexp_split_to_array(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    Ok(Array::from_values(TypeId::TEXT, split("regexp_split_to_array", args)?).into())
}

/// The rows of `regexp_split_to_table(text, pattern [, flags])`.
pub fn regexp_split_to_table(args: &[Datum]) -> Result<Vec<Datum>> {
    split("regexp_split_to_table", args)
}

/// `regexp_like(text, pattern [, flags])`.
pub(super) fn regexp_like(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let options = options_of("regexp_like", flags_at(args, 2))?;
    let pattern = str_at(args, 1);
    let regex = build_translated(pattern, &translate(pattern, options)?.text)?;
    Ok(Datum::Bool(regex.is_match(str_at(args, 0))))
}

/// `regexp_count(text, pattern [, start [, flags]])`.
pub(super) fn regexp_count(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let start = integer_or(args, 2, 1);
    check_argument("start", start, 1)?;
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_count", flags_at(args, 3))?)?;
    let count = program.find_all(text, offset(text, start)).len();
    Ok(Datum::Int4(i32::try_from(count).expect("texts are shorter than 1 GB")))
}

/// The match of this number and in it the group of this number (0: all of it).
fn nth(program: &Program, text: &str, start: i32, number: i32, group: i32) -> Result<Option<Range<usize>>> {
    if group > 0 {
        program.check_groups()?;
    }
    let number = usize::try_from(number - 1).expect("checked to be no less than 1");
    let found = program.find_all(text, offset(text, start)).into_iter().nth(number);
    Ok(found.and_then(|found| match usize::try_from(group - 1) {
        Err(_) => Some(found.whole),
        Ok(group) => found.groups.get(group).cloned().flatten(),
    }))
}

/// `regexp_instr(text, pattern [, start [, n [, endoption [, flags [, subexpr]]]]])`: 0 if there is no such match.
pub(super) fn regexp_instr(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
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
    let found = nth(&program, text, start, number, group)?;
    let place = found.map_or(0, |range| {
        let at = if end == 1 { range.end } else { range.start };
        text[..at].chars().count() + 1
    });
    Ok(Datum::Int4(i32::try_from(place).expect("texts are shorter than 1 GB")))
}

/// `regexp_substr(text, pattern [, start [, n [, flags [, subexpr]]]])`.
pub(super) fn regexp_substr(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (start, number, group) = (integer_or(args, 2, 1), integer_or(args, 3, 1), integer_or(args, 5, 0));
    check_argument("start", start, 1)?;
    check_argument("n", number, 1)?;
    check_argument("subexpr", group, 0)?;
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), options_of("regexp_substr", flags_at(args, 4))?)?;
    Ok(nth(&program, text, start, number, group)?.map_or(Datum::Null, |range| Datum::from(&text[range])))
}

/// `substring(text, pattern)`: the first group if there is one.
pub(super) fn substring(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let text = str_at(args, 0);
    let program = program(str_at(args, 1), Options::default())?;
    program.check_groups()?;
    let found = program.find(text, 0).and_then(|found| match found.groups.first() {
        None => Some(found.whole),
        Some(group) => group.clone(),
    });
    Ok(found.map_or(Datum::Null, |range| Datum::from(&text[range])))
}

/// `regexp_replace(text, pattern, replacement [, flags])`: the first match, or all with `g`.
pub(super) fn regexp_replace(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let flags = flags_at(args, 3).unwrap_or_default();
    if let Some(digit) = flags.chars().next().filter(char::is_ascii_digit) {
        let message = format!("invalid regular expression option: \"{digit}\"");
        return Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_hint(
            "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.",
        ));
    }
    let (options, global) = options(flags)?;
    replace(args, options, 1, i32::from(!global))
}

/// `regexp_replace(text, pattern, replacement, start [, n [, flags]])`; n of 0 is all.
pub(super) fn regexp_replace_nth(_: &EvalEnv<'_>, args: &[Datum]) -> Result<Datum> {
    let (options, global) = options(flags_at(args, 5).unwrap_or_default())?;
    // Without a number, `g` would decide; there are no flags then.
    let number = if args.len() > 4 { i32_at(args, 4) } else { i32::from(!global) };
    let start = i32_at(args, 3);
    check_argument("start", start, 1)?;
    check_argument("n", number, 0)?;
    replace(args, options, start, number)
}

fn replace(args: &[Datum], options: Options, start: i32, number: i32) -> Result<Datum> {
    let (text, replacement) = (str_at(args, 0), str_at(args, 2));
    let program = program(str_at(args, 1), options)?;
    let reads_group = |pair: &[u8]| pair[0] == b'\\' && pair[1].is_ascii_digit();
    if replacement.as_bytes().windows(2).any(reads_group) {
        program.check_groups()?;
    }
    let (mut out, mut copied, mut count) = (String::new(), 0, 0);
    let mut at = offset(text, start);
    while let Some(found) = program.find(text, at) {
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
