//! Regular expression operators: PostgreSQL's advanced regular expressions (ARE) on the crate `regex`.
//!
//! Owns the translation of the syntax and a small cache of compiled patterns per thread (a memo: it changes no result). What
//! the engine cannot do in linear time (back references, lookaround) answers 0A000. Read next: `regex/search.rs`,
//! `regex/bracket.rs`, `like.rs`.

mod bracket;
mod cases;
mod escape;
pub(crate) mod machine;
pub(crate) mod search;
pub(crate) mod searched;
pub(crate) mod simulation;

use std::cell::RefCell;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

use self::escape::Escape;
use self::search::Pattern;
use self::searched::Searched;
use crate::datum::Datum;
use crate::env::{EvalEnv, Watch, look_soon};
use crate::error::{Result, SqlError, SqlState};

/// Compiled patterns kept per thread: as many as PostgreSQL keeps per session.
const CACHE_PATTERNS_MAX: usize = 32;

/// What a pattern may take when it is compiled: classes that know all alphabets are large, and `[[:alpha:]]{1,255}` has 255 of one.
/// At most one beyond [`ORDINARY_BYTES_MAX`] is kept per thread.
pub(crate) const LARGE_BYTES_MAX: usize = 32 << 20;

/// What the crate `regex` gives a pattern.
pub(crate) const ORDINARY_BYTES_MAX: usize = 10 << 20;

/// Longest pattern: the crate reads it before it knows whether it is too large, which takes up to 0.6 us a byte and cannot be
/// stopped.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Longest translation. Most of those beyond it would not fit [`LARGE_BYTES_MAX`].
const TRANSLATION_BYTES_MAX: usize = 4 << 20;

/// Most classes that know an alphabet, of which the crate reads one in some 20 us. A thousand of them that stand apart do not fit
/// [`LARGE_BYTES_MAX`].
const ALPHABETS_MAX: usize = 8 << 10;

/// What flags and embedded options say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub ignore_case: bool,
    /// A dot and a negated bracket match no newline.
    pub breaks_lines: bool,
    /// `^` and `$` match at the ends of lines.
    pub anchors_lines: bool,
    /// Blanks and comments in the pattern do not count.
    pub expanded: bool,
    /// The pattern is a text.
    pub literal: bool,
}

struct Cached {
    pattern: String,
    options: Options,
    is_large: bool,
    compiled: Arc<Pattern>,
}

thread_local! {
    static CACHE: RefCell<Vec<Cached>> = const { RefCell::new(Vec::new()) };
}

/// The compiled form of an ARE. 2201B for a pattern that is none.
pub(crate) fn compile(pattern: &str, options: Options) -> Result<Arc<Pattern>> {
    let hit = CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|entry| entry.options == options && entry.pattern == pattern)?;
        // Most recently used first.
        cache[..=at].rotate_right(1);
        Some(cache[0].compiled.clone())
    });
    if let Some(compiled) = hit {
        return Ok(compiled);
    }
    let (compiled, is_large) = build_sized(pattern, &translate(pattern, options)?)?;
    look_soon();
    let compiled = Arc::new(compiled);
    CACHE.with_borrow_mut(|cache| {
        cache.retain(|entry| !(is_large && entry.is_large));
        cache.truncate(CACHE_PATTERNS_MAX - 1);
        let pattern = pattern.to_owned();
        cache.insert(0, Cached { pattern, options, is_large, compiled: compiled.clone() });
    });
    Ok(compiled)
}

/// Compiles what a pattern was translated to; whether that is large.
fn build_sized(pattern: &str, translated: &Translation) -> Result<(Pattern, bool)> {
    let text = &translated.text;
    if text.len() > TRANSLATION_BYTES_MAX || text.matches("\\p{").count() > ALPHABETS_MAX {
        return Err(too_complex());
    }
    let (built, is_large) = match Pattern::new(translated, ORDINARY_BYTES_MAX) {
        Err(error) if error.size_limit().is_some() => (Pattern::new(translated, LARGE_BYTES_MAX), true),
        built => (built, false),
    };
    let compiled = built.map_err(|error| match error.syntax_error() {
        None => too_complex(),
        // The crate has no kind for it.
        Some(why) if why.to_string().contains("exceed the maximum number of nested") => too_complex(),
        Some(_) => invalid(reason(pattern)),
    })?;
    Ok((compiled, is_large))
}

/// A pattern in the syntax of the crate, and what decides which of several matches ARE takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Translation {
    pub text: String,
    pub captures: usize,
    /// The first quantifier wants as little as can be.
    pub is_shortest: bool,
    pub has_quantifier: bool,
    pub has_non_greedy: bool,
    pub has_alternation: bool,
    pub has_repeated_group: bool,
    /// Why the crate's groups may differ from those of ARE, if they may.
    pub unsure_groups: Option<&'static str>,
}

/// 2201B `invalid regular expression: <reason>`.
fn invalid(reason: &str) -> SqlError {
    let message = format!("invalid regular expression: {reason}");
    SqlError::new(SqlState::INVALID_REGULAR_EXPRESSION, message)
}

/// 2201B for a pattern that takes too much.
pub(crate) fn too_complex() -> SqlError {
    invalid("regular expression is too complex")
}

/// PostgreSQL's words for the commonest mistakes.
fn reason(pattern: &str) -> &'static str {
    let (mut depth, mut escaped, mut bracket) = (0i32, false, false);
    for character in pattern.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => bracket = true,
            ']' => bracket = false,
            '(' if !bracket => depth += 1,
            ')' if !bracket => depth -= 1,
            _ => {}
        }
    }
    if bracket {
        "brackets [] not balanced"
    } else if depth != 0 {
        "parentheses () not balanced"
    } else if escaped {
        "invalid escape \\ sequence"
    } else {
        "quantifier operand invalid"
    }
}

/// Rewrites an ARE in the syntax of the crate.
pub(crate) fn translate(pattern: &str, mut options: Options) -> Result<Translation> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(too_complex());
    }
    // A text that is meant as it stands has no directors.
    let (rest, literal) = match pattern.strip_prefix("***").filter(|_| !options.literal) {
        Some(rest) if rest.starts_with('=') => (&rest[1..], true),
        Some(rest) if rest.starts_with(':') => (&rest[1..], false),
        Some(_) => return Err(invalid("invalid regular expression (starts with ***)")),
        None => (pattern, false),
    };
    let rest = match literal || options.literal {
        true => rest,
        false => options.take_embedded(rest)?,
    };
    if literal || options.literal {
        let options = Options { expanded: false, ..options };
        let text = options.flags() + &literal_text(rest, options.ignore_case);
        return Ok(Translation { text, ..Translation::default() });
    }
    let mut translator = Translator {
        rest: rest.chars().peekable(),
        out: options.flags(),
        previous: Previous::Nothing,
        options,
        facts: Translation::default(),
        groups: vec![Group::default()],
        is_first_quantifier: true,
        closed: None,
        never_starts: Vec::new(),
    };
    translator.run()?;
    let outermost = translator.groups.pop().unwrap_or_default();
    translator.leave(&outermost);
    Ok(Translation { text: translator.text(), ..translator.facts })
}

/// A text as a pattern that matches it alone.
fn literal_text(text: &str, ignore_case: bool) -> String {
    if !ignore_case {
        return regex::escape(text);
    }
    text.chars().map(|character| bracket::single(character.into(), true)).collect()
}

/// A level of parentheses while it is read.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Where it begins in what is written.
    start: usize,
    captures: bool,
    greedy: bool,
    non_greedy: bool,
    /// The alternatives so far: the text of each that is plain, and how it begins.
    alternatives: Vec<Alternative>,
    current: Alternative,
}

#[derive(Clone, Debug)]
struct Alternative {
    plain: Option<String>,
    first: Option<char>,
    is_empty: bool,
}

impl Default for Alternative {
    fn default() -> Alternative {
        Alternative { plain: Some(String::new()), first: None, is_empty: true }
    }
}

impl Alternative {
    fn push(&mut self, literal: Option<char>) {
        if self.is_empty {
            self.first = literal;
            self.is_empty = false;
        }
        match (literal, &mut self.plain) {
            (Some(literal), Some(plain)) => plain.push(literal),
            _ => self.plain = None,
        }
    }

    /// A quantifier makes the last atom one that may be missing.
    fn quantify(&mut self) {
        if self.plain.as_ref().is_some_and(|plain| plain.chars().count() <= 1) {
            self.first = None;
        }
        self.plain = None;
    }
}

impl Group {
    /// Whether no two alternatives can match texts of which one begins with the other: they begin otherwise, or are plain and
    /// none of them goes on from another. In order, those that could be so stand side by side.
    fn is_decided(&self) -> bool {
        let mut all = Vec::with_capacity(self.alternatives.len() + 1);
        for alternative in self.alternatives.iter().chain([&self.current]) {
            // Empty, or of any beginning.
            let Some(first) = alternative.first else { return self.alternatives.is_empty() };
            let first = first.to_lowercase().next().unwrap_or(first);
            // Character by character: a text's last sigma has a small letter of its own.
            let lower = |plain: &String| plain.chars().flat_map(char::to_lowercase).collect::<String>();
            all.push((first, alternative.plain.as_ref().map(lower)));
        }
        all.sort_unstable();
        all.windows(2).all(|pair| {
            let [(first, plain), (next_first, next_plain)] = pair else { unreachable!("windows of two") };
            let plain_apart = match (plain, next_plain) {
                (Some(plain), Some(next)) => !next.starts_with(plain.as_str()),
                _ => false,
            };
            first != next_first || plain_apart
        })
    }
}

impl Options {
    /// The crate's flags. `$` is written out, since it has no flag of its own, and so are the cases of characters.
    fn flags(self) -> String {
        let mut flags = String::from("(?");
        flags.push_str(if self.breaks_lines { "" } else { "s" });
        flags.push_str(if self.anchors_lines { "m" } else { "" });
        flags.push_str(if self.expanded { "x" } else { "" });
        match flags.len() {
            2 => String::new(),
            _ => flags + ")",
        }
    }
}

impl Options {
    /// Embedded options `(?i)` at the very beginning; what is behind them.
    fn take_embedded<'a>(&mut self, pattern: &'a str) -> Result<&'a str> {
        let Some(inner) = pattern.strip_prefix("(?").filter(|inner| inner.starts_with(char::is_alphabetic))
        else {
            return Ok(pattern);
        };
        let bad = || invalid("invalid embedded option");
        let end = inner.find(|c: char| !c.is_alphabetic()).ok_or_else(bad)?;
        // The last one of those that say what kind of expression this is.
        let mut kind = None;
        for option in inner[..end].chars() {
            match option {
                'b' | 'e' | 'q' => kind = Some(option),
                option if self.set(option) => {}
                _ => return Err(bad()),
            }
        }
        match kind {
            Some(kind @ ('b' | 'e')) => {
                return Err(SqlError::unsupported(format!("regular expression option \"{kind}\"")));
            }
            kind => self.literal |= kind.is_some(),
        }
        inner[end..].strip_prefix(')').ok_or_else(bad)
    }

    /// Sets one option that flags and embedded options share; false if it is none.
    pub(crate) fn set(&mut self, option: char) -> bool {
        match option {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'n' | 'm' => (self.breaks_lines, self.anchors_lines) = (true, true),
            's' => (self.breaks_lines, self.anchors_lines) = (false, false),
            'p' => (self.breaks_lines, self.anchors_lines) = (true, false),
            'w' => (self.breaks_lines, self.anchors_lines) = (false, true),
            'x' => self.expanded = true,
            't' => self.expanded = false,
            _ => return false,
        }
        true
    }
}

/// Character classes and their members inside brackets, as the C library has them for UTF-8: digits of other scripts are
/// letters, what is visible and neither is punctuation.
const CLASSES: &[(&str, &str)] = &[
    ("alnum", ALNUM),
    ("alpha", "\\p{Alphabetic}[\\p{Nd}--[0-9]]"),
    ("blank", "\\x20\\t"),
    ("cntrl", "\\x00-\\x1f\\x7f-\\x9f"),
    ("digit", DIGIT),
    ("graph", "^\\s\\p{Cc}\\p{Cn}--[\\x{a0}\\x{2007}\\x{202f}]"),
    ("lower", "\\p{Lowercase}"),
    ("print", "^\\p{Cc}\\p{Cn}\\x{2028}\\x{2029}"),
    ("punct", "[^\\p{Z}\\p{Cc}\\p{Cn}\\p{Alphabetic}\\p{Nd}][\\x{a0}\\x{2007}\\x{202f}]"),
    ("space", SPACE),
    ("upper", "\\p{Uppercase}\\p{Lt}"),
    ("xdigit", "0-9A-Fa-f"),
    ("word", WORD),
];

const ALNUM: &str = "\\p{Alphabetic}\\p{Nd}";
const DIGIT: &str = "0-9";
const SPACE: &str = "\\s--[\\x{85}\\x{a0}\\x{2007}\\x{202f}]";
const WORD: &str = "\\p{Alphabetic}\\p{Nd}_";

/// Members of the class that `\d`, `\s` or `\w` stands for.
fn shorthand(character: char) -> &'static str {
    match character {
        'd' => DIGIT,
        's' => SPACE,
        'w' => WORD,
        other => unreachable!("\\{other} is no class"),
    }
}

/// Largest count in a bound.
const REPETITIONS_MAX: u32 = 255;

/// What a quantifier would apply to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Previous {
    /// The beginning, an anchor or an alternative's bar: nothing.
    Nothing,
    /// An atom.
    Atom,
    /// A quantifier, which may still be made non-greedy.
    Quantifier,
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    previous: Previous,
    options: Options,
    facts: Translation,
    /// The parentheses that are open, the whole pattern first.
    groups: Vec<Group>,
    is_first_quantifier: bool,
    /// The group whose closing parenthesis was just read.
    closed: Option<Group>,
    /// Where in what is written a parenthesis is still to be opened, in any order: each was once put in at once, which took the
    /// square of the pattern's length.
    never_starts: Vec<usize>,
}

impl Translator<'_> {
    /// What is written, with the parentheses that are still to be opened.
    fn text(&mut self) -> String {
        self.never_starts.sort_unstable();
        let (mut text, mut from) = (String::with_capacity(self.out.len() + 3 * self.never_starts.len()), 0);
        for &start in &self.never_starts {
            text.push_str(&self.out[from..start]);
            text.push_str("(?:");
            from = start;
        }
        text + &self.out[from..]
    }

    fn group_now(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the pattern itself is a group")
    }

    /// Notes what a group that ends says of the whole.
    fn leave(&mut self, group: &Group) {
        if !group.alternatives.is_empty() && !group.is_decided() {
            self.facts.unsure_groups = Some("alternatives of which one may begin as another does");
        }
    }

    /// A closing parenthesis.
    fn close(&mut self) {
        if self.groups.len() < 2 {
            return;
        }
        let group = self.groups.pop().expect("counted above");
        self.leave(&group);
        if group.greedy && group.non_greedy {
            self.facts.unsure_groups = Some("greedy and non-greedy quantifiers in one group");
        }
        let outer = self.group_now();
        outer.greedy |= group.greedy;
        outer.non_greedy |= group.non_greedy;
        outer.captures |= group.captures;
        outer.current.push(None);
        self.closed = Some(group);
    }

    /// Notes a quantifier; `{m}` has no preference.
    fn quantified(&mut self, is_greedy: bool, is_variable: bool) {
        self.facts.has_quantifier = true;
        if let Some(group) = self.closed.take() {
            self.facts.has_repeated_group = true;
            if group.captures && (group.greedy || group.non_greedy || !group.alternatives.is_empty()) {
                self.facts.unsure_groups = Some("a repeated group of variable length");
            }
        }
        let group = self.group_now();
        group.current.quantify();
        if is_variable {
            group.greedy |= is_greedy;
            group.non_greedy |= !is_greedy;
            self.facts.has_non_greedy |= !is_greedy;
            if std::mem::take(&mut self.is_first_quantifier) {
                self.facts.is_shortest = !is_greedy;
            }
        }
    }

    fn run(&mut self) -> Result<()> {
        while let Some(character) = self.rest.next() {
            if character == '(' && self.take_comment() {
                continue;
            }
            if !matches!(character, '*' | '+' | '?' | '{') {
                self.closed = None;
            }
            let mut now = Previous::Atom;
            self.note(character);
            match character {
                '\\' => now = self.escape()?,
                '[' => now = self.bracket()?,
                '(' => {
                    if self.rest.peek() == Some(&'?') {
                        self.group()?;
                    } else {
                        let start = self.out.len();
                        self.out.push('(');
                        self.facts.captures += 1;
                        self.groups.push(Group { start, captures: true, ..Group::default() });
                    }
                    now = Previous::Nothing;
                }
                '*' | '+' | '?' => now = self.quantifier(character)?,
                '{' if self.rest.peek().is_some_and(char::is_ascii_digit) => now = self.bound()?,
                // Not the beginning of a bound: itself.
                '{' => self.out.push_str("\\{"),
                ')' => {
                    self.out.push(')');
                    self.close();
                }
                '$' => {
                    self.out.push_str(if self.options.anchors_lines { "$" } else { "\\z" });
                    now = Previous::Nothing;
                }
                '^' | '|' => {
                    self.out.push(character);
                    now = Previous::Nothing;
                }
                other if self.options.ignore_case => match cases::others(other.into(), other.into()).next() {
                    Some(_) => self.out.push_str(&self.single(other.into())),
                    None => self.out.push(other),
                },
                other => self.out.push(other),
            }
            self.previous = now;
        }
        Ok(())
    }

    /// Takes the rest of `(?#…)`, which says nothing: what stands before it and behind it belongs together. It need not end.
    fn take_comment(&mut self) -> bool {
        let is_comment = self.rest_starts_with("?#");
        if is_comment {
            self.rest.by_ref().find(|&character| character == ')');
        }
        is_comment
    }

    /// Notes what an alternative goes on with.
    fn note(&mut self, character: char) {
        match character {
            '*' | '+' | '?' | '{' | '(' | ')' | '^' | '$' => {}
            '|' => {
                self.facts.has_alternation = true;
                let group = self.group_now();
                let alternative = std::mem::take(&mut group.current);
                group.alternatives.push(alternative);
            }
            '.' | '[' | '\\' => self.group_now().current.push(None),
            ' ' | '\t' | '\n' | '#' if self.options.expanded => {}
            literal => self.group_now().current.push(Some(literal)),
        }
    }

    fn quantifier(&mut self, character: char) -> Result<Previous> {
        if self.previous != Previous::Atom {
            return Err(invalid("quantifier operand invalid"));
        }
        self.out.push(character);
        let is_greedy = self.is_greedy();
        self.quantified(is_greedy, true);
        Ok(Previous::Quantifier)
    }

    /// A question mark behind a quantifier belongs to it.
    fn is_greedy(&mut self) -> bool {
        let is_greedy = self.rest.next_if_eq(&'?').is_none();
        if !is_greedy {
            self.out.push('?');
        }
        is_greedy
    }

    /// `{m}`, `{m,}` or `{m,n}`, behind its opening brace.
    fn bound(&mut self) -> Result<Previous> {
        if self.previous != Previous::Atom {
            return Err(invalid("quantifier operand invalid"));
        }
        let low = self.repetitions()?.ok_or_else(|| invalid("braces {} not balanced"))?;
        let comma = self.rest.next_if_eq(&',').is_some();
        let high = if comma { self.repetitions()? } else { Some(low) };
        if self.rest.next() != Some('}') {
            return Err(invalid("braces {} not balanced"));
        }
        if high == Some(0)
            && let Some(group) = self.closed.take()
        {
            self.rest.next_if_eq(&'?');
            self.never(&group);
            return Ok(Previous::Quantifier);
        }
        match high {
            Some(high) if high < low => return Err(invalid("invalid repetition count(s)")),
            Some(high) => self.out.push_str(&format!("{{{low},{high}}}")),
            None => self.out.push_str(&format!("{{{low},}}")),
        }
        let is_greedy = self.is_greedy();
        self.quantified(is_greedy, high != Some(low));
        Ok(Previous::Quantifier)
    }

    /// A group that is there no times. The crate would forget that there are groups in it, which are counted with the others and
    /// match nothing: it may be there, with something behind it that no text has.
    fn never(&mut self, group: &Group) {
        self.facts.has_quantifier = true;
        self.never_starts.push(group.start);
        self.out.push_str(bracket::NONE);
        self.out.push_str(")?");
        self.group_now().current.quantify();
    }

    fn repetitions(&mut self) -> Result<Option<u32>> {
        let mut value = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            let next = value.unwrap_or(0) * 10 + digit;
            if next > REPETITIONS_MAX {
                return Err(invalid("invalid repetition count(s)"));
            }
            value = Some(next);
        }
        Ok(value)
    }

    fn group(&mut self) -> Result<()> {
        self.rest.next();
        match self.rest.next() {
            Some(':') => {
                let start = self.out.len();
                self.out.push_str("(?:");
                self.groups.push(Group { start, ..Group::default() });
            }
            Some('=' | '!' | '<') => return Err(SqlError::unsupported("lookaround in regular expressions")),
            _ => return Err(invalid("quantifier operand invalid")),
        }
        Ok(())
    }

    /// A backslash and what it escapes.
    fn escape(&mut self) -> Result<Previous> {
        match self.read_escape()? {
            Escape::Character(code) => self.out.push_str(&self.single(code)),
            Escape::Class(members, false) => self.out.push_str(&format!("[{members}]")),
            Escape::Class(members, true) => self.out.push_str(&format!("[^{members}]")),
            Escape::Constraint(constraint) => {
                self.out.push_str(constraint);
                return Ok(Previous::Nothing);
            }
            Escape::BackReference => {
                return Err(SqlError::unsupported("back reference in regular expressions"));
            }
        }
        Ok(Previous::Atom)
    }
}

fn test(env: &EvalEnv<'_>, operands: &[Datum], ignore_case: bool) -> Result<bool> {
    match operands {
        [Datum::Text(text), Datum::Text(pattern)] => {
            let options = Options { ignore_case, ..Options::default() };
            compile(pattern, options)?.is_match(&mut Watch::new(env), &Searched::new(text))
        }
        _ => panic!("a pattern operator was given values of other types: {operands:?}"),
    }
}

pub(super) fn matches(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    test(env, operands, false).map(Datum::Bool)
}

pub(super) fn not_matches(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    test(env, operands, false).map(|matched| Datum::Bool(!matched))
}

pub(super) fn imatches(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    test(env, operands, true).map(Datum::Bool)
}

pub(super) fn not_imatches(env: &EvalEnv<'_>, operands: &[Datum]) -> Result<Datum> {
    test(env, operands, true).map(|matched| Datum::Bool(!matched))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_postgresql() {
        for (text, pattern, expected) in [
            ("pg_class", "^(pg_class)$", true),
            ("pg_classes", "^(pg_class)$", false),
            ("abc\ndef", "c.d", true),
            ("abc\ndef", "^def", false),
            ("abc\n", "c$", false),
            ("a{b", "a{b", true),
            ("foo bar", "\\mbar\\M", true),
            ("foobar", "\\mbar", false),
            ("foo bar", "[[:<:]]bar", true),
            ("a]b", "[]]", true),
            ("a&b", "[&&]", true),
            ("x-y", "[a-]", true),
            ("7", "[[:digit:]]", true),
            ("AbC", "(?i)abc", true),
            ("a.c", "***=a.c", true),
            ("abc", "***=a.c", false),
            ("a\\b", "a\\\\b", true),
            ("", "", true),
            ("aaa", "^a{3}$", true),
        ] {
            let operands = [Datum::from(text), Datum::from(pattern)];
            assert_eq!(
                test(&EvalEnv::without_session(), &operands, false).expect(pattern),
                expected,
                "{text} ~ {pattern}"
            );
        }
        for (pattern, expected) in [
            ("(", "ERROR 2201B: invalid regular expression: parentheses () not balanced"),
            ("[a", "ERROR 2201B: invalid regular expression: brackets [] not balanced"),
            ("*a", "ERROR 2201B: invalid regular expression: quantifier operand invalid"),
            ("(a)\\1", "ERROR 0A000: back reference in regular expressions is not supported"),
        ] {
            assert_eq!(compile(pattern, Options::default()).expect_err(pattern).to_string(), expected);
        }
    }
}
