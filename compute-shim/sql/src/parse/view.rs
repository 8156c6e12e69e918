//! CREATE VIEW and ALTER VIEW, and the text of a view's query: kept as written, with some places of it rewritten.
//!
//! Owns [`edited`]: what stands at a position gives way to another text. The binder knows the places (`bind/view.rs`).

use super::respell::is_word;
use super::statement::setting_word;
use super::tree::{AlterViewAction, CheckOption, CreateView, Query, Statement};
use super::{Lines, Reader, refuse, tokenize_plain};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::{Result, SqlState};
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Bytes that the columns of one row that is spread may take in a view's text: each of them holds the row, and a row in a row so
/// multiplies.
const SPREAD_BYTES_MAX: usize = 1 << 20;

/// What is behind CREATE [OR REPLACE] [TEMPORARY] VIEW.
pub(super) fn create_view(reader: &mut Reader<'_>, or_replace: bool, temporary: bool) -> Result<Statement> {
    let name = reader.name()?;
    let columns = match reader.parser.peek_token_ref().token {
        Token::LParen => reader.column_list()?,
        _ => Vec::new(),
    };
    let option = match reader.eat(&["with"]) {
        true => options(reader)?,
        false => None,
    };
    reader.expect("as")?;
    let position = reader.position();
    if ["insert", "update", "delete"].iter().any(|word| reader.peek_words(&[word])) {
        return Err(reader.unexpected());
    }
    let query = reader.query()?;
    let text = reader.text_since(position);
    let clause = check_option(reader)?;
    if option.is_some() && clause.is_some() {
        return Err(SqlError::invalid_parameter("parameter \"check_option\" specified more than once"));
    }
    let check_option = option.or(clause).unwrap_or_default();
    let create = CreateView { name, temporary, or_replace, columns, query, text, position, check_option };
    Ok(Statement::CreateView(create))
}

/// `WITH [CASCADED | LOCAL] CHECK OPTION`.
fn check_option(reader: &mut Reader<'_>) -> Result<Option<CheckOption>> {
    if !reader.eat(&["with"]) {
        return Ok(None);
    }
    let is_local = reader.eat(&["local"]);
    if !is_local {
        let _ = reader.eat(&["cascaded"]);
    }
    reader.expect("check")?;
    reader.expect("option")?;
    Ok(Some(if is_local { CheckOption::Local } else { CheckOption::Cascaded }))
}

/// `(check_option = local, …)`, of which there is no other that is supported.
fn options(reader: &mut Reader<'_>) -> Result<Option<CheckOption>> {
    let mut found = None;
    reader.expect_token(&Token::LParen)?;
    loop {
        option_name(reader)?;
        let value = match reader.eat_token(&Token::Eq) {
            true => setting_word(reader)?,
            false => "true".to_owned(),
        };
        let option = match &*value.to_lowercase() {
            "local" => CheckOption::Local,
            "cascaded" => CheckOption::Cascaded,
            _ => {
                let message = format!("invalid value for enum option \"check_option\": {value}");
                let error = SqlError::invalid_parameter(message);
                return Err(error.with_detail("Valid values are \"local\" and \"cascaded\"."));
            }
        };
        if found.replace(option).is_some() {
            return Err(SqlError::invalid_parameter("parameter \"check_option\" specified more than once"));
        }
        if !reader.eat_token(&Token::Comma) {
            break;
        }
    }
    reader.expect_token(&Token::RParen)?;
    Ok(found)
}

/// The name of an option of a view: `check_option`.
fn option_name(reader: &mut Reader<'_>) -> Result<()> {
    match &*reader.word()? {
        "check_option" => Ok(()),
        name @ ("security_barrier" | "security_invoker") => Err(refuse(format!("the view option {name}"))),
        name => Err(SqlError::invalid_parameter(format!("unrecognized parameter \"{name}\""))),
    }
}

/// The names behind RESET.
fn reset_options(reader: &mut Reader<'_>) -> Result<()> {
    reader.expect_token(&Token::LParen)?;
    option_name(reader)?;
    while reader.eat_token(&Token::Comma) {
        option_name(reader)?;
    }
    reader.expect_token(&Token::RParen)
}

/// What is behind ALTER VIEW.
pub(super) fn alter_view(reader: &mut Reader<'_>) -> Result<Statement> {
    let if_exists = reader.eat(&["if", "exists"]);
    let name = reader.name()?;
    let action = if reader.eat(&["rename", "to"]) {
        AlterViewAction::RenameView(reader.identifier()?)
    } else if reader.eat(&["rename"]) {
        let _ = reader.eat(&["column"]);
        let from = reader.identifier()?;
        reader.expect("to")?;
        AlterViewAction::RenameColumn { from, to: reader.identifier()? }
    } else if reader.eat(&["set", "schema"]) {
        AlterViewAction::SetSchema(reader.identifier()?)
    } else if reader.eat(&["owner", "to"]) {
        AlterViewAction::OwnerTo(reader.word()?)
    } else if reader.eat(&["set"]) {
        AlterViewAction::SetCheckOption(options(reader)?.unwrap_or_default())
    } else if reader.eat(&["reset"]) {
        reset_options(reader)?;
        AlterViewAction::SetCheckOption(CheckOption::None)
    } else {
        return Err(match reader.peek_word_nth(0) {
            Some(word) => refuse(format!("ALTER VIEW {}", word.to_uppercase())),
            None => reader.unexpected(),
        });
    };
    Ok(Statement::AlterView { name, if_exists, action })
}

/// The query of a view from its text.
pub(crate) fn query(text: &str) -> Result<Query> {
    match super::statements(text)?.pop() {
        Some(Statement::Query(query)) => Ok(query),
        _ => Err(SqlError::internal("the text of a view is one query")),
    }
}

/// What an edit takes away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// A literal, with what continues it on further lines.
    Literal,
    /// A name with all its parts.
    Name,
    /// `*`, or a name and `.*`.
    Star,
    /// `(row).*`, whose row's expression begins there: each of these columns is taken of it.
    Fields(Vec<String>),
    /// Nothing: these columns are named behind a name and its alias. A list that stands there goes first, and keeps its names.
    Columns(Vec<String>),
}

/// A text that takes the place of what stands at a position (1-based, in characters).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edit {
    pub position: u32,
    pub extent: Extent,
    pub text: String,
}

/// A text after its edits, each of them once; what is within a row that is spread stands in each of its columns. 0A000 if what an
/// edit takes away does not stand where it should.
pub(crate) fn edited(text: &str, edits: &[Edit]) -> Result<String> {
    let lines = Lines::new(text);
    let mut tokens = tokenize_plain(text, &lines)?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    // Byte where each character begins, and where the last one ends.
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let byte = |position: u32| starts[(position as usize - 1).min(starts.len() - 1)];
    let mut replaced = Vec::with_capacity(edits.len());
    let mut spread = Vec::new();
    // Rows that are spread come before what is within them, which is edited with each row, and not here.
    let mut edits = edits.to_vec();
    edits.sort_by_key(|edit| (edit.position, !matches!(edit.extent, Extent::Fields(_))));
    for Edit { position, extent, text: replacement } in &edits {
        let at = byte(*position);
        if spread.iter().any(|&(from, to)| from < at && at < to) {
            continue;
        }
        let first = tokens.iter().position(|token| lines.position(token.span.start) == *position);
        let last = first.and_then(|first| last_token(&tokens, first, extent));
        let Some(last) = last else {
            return Err(refuse("this form of a literal, name or * in a view"));
        };
        let end = byte(lines.position(tokens[last].span.end));
        replaced.push(match extent {
            Extent::Columns(columns) => {
                let (at, list) = named_behind(&tokens, last, columns);
                let at = at.map_or(end, |at| byte(lines.position(tokens[at].span.start)));
                (at, at, list)
            }
            Extent::Fields(columns) => {
                let [open, close] = first.and_then(|first| row_of(&tokens, first)).expect("found above");
                let open = lines.position(tokens[open].span.start);
                let (from, to) = (open + 1, lines.position(tokens[close].span.start));
                let row = edited(&text[byte(from)..byte(to)], &within(&edits, from, to, *position))?;
                if row.len() * columns.len() > SPREAD_BYTES_MAX {
                    return Err(too_long());
                }
                let fields: Vec<String> = columns.iter().map(|column| format!("({row}).{column}")).collect();
                spread.push((byte(open), end));
                (byte(open), end, fields.join(", "))
            }
            _ => (byte(*position), end, replacement.clone()),
        });
    }
    replaced.sort();
    replaced.dedup();
    let (mut out, mut done) = (String::with_capacity(text.len() * 2), 0);
    for (start, end, replacement) in replaced {
        if start < done {
            return Err(SqlError::internal("two edits of one place"));
        }
        out.push_str(&text[done..start]);
        out.push_str(&replacement);
        done = end;
    }
    out.push_str(&text[done..]);
    Ok(out)
}

fn too_long() -> SqlError {
    let message = "a row that is spread into its columns makes the view's text too long";
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message)
}

/// Edits of a part of a text, but for the spreading of the row that begins there.
fn within(edits: &[Edit], from: u32, to: u32, row: u32) -> Vec<Edit> {
    let inner = edits.iter().filter(|edit| {
        let is_own = edit.position == row && matches!(edit.extent, Extent::Fields(_));
        (from..to).contains(&edit.position) && !is_own
    });
    inner.map(|edit| Edit { position: edit.position - from + 1, ..edit.clone() }).collect()
}

/// The parentheses around a row that is spread, whose expression begins at a token.
fn row_of(tokens: &[TokenWithSpan], first: usize) -> Option<[usize; 2]> {
    let is = |at: usize, wanted: Token| tokens.get(at).is_some_and(|token| token.token == wanted);
    let opened = (0..=first).rev().skip_while(|&at| at == first && !is(at, Token::LParen));
    for open in opened.take_while(|&at| is(at, Token::LParen)) {
        let mut depth = 0_usize;
        let close = (open..tokens.len()).find(|&at| {
            match tokens[at].token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            depth == 0
        })?;
        if is(close + 1, Token::Period) && is(close + 2, Token::Mul) {
            return Some([open, close]);
        }
    }
    None
}

/// How columns are named behind an alias, which is this token: at the end of the list that is there, or in one of their own.
fn named_behind(tokens: &[TokenWithSpan], alias: usize, columns: &[String]) -> (Option<usize>, String) {
    let behind = &tokens[alias + 1..];
    if behind.first().is_none_or(|token| token.token != Token::LParen) {
        return (None, format!("({})", columns.join(", ")));
    }
    let list = behind.iter().take_while(|token| token.token != Token::RParen);
    let named = list.clone().filter(|token| matches!(token.token, Token::Word(_))).count();
    let further = columns.iter().skip(named).map(|column| format!(", {column}")).collect();
    (Some(alias + 1 + list.count()), further)
}

/// The last token of what begins at a token.
fn last_token(tokens: &[TokenWithSpan], first: usize, extent: &Extent) -> Option<usize> {
    let token = |at: usize| tokens.get(at).map(|token| &token.token);
    let mut at = first;
    if let Extent::Fields(_) = extent {
        return row_of(tokens, first).map(|[_, close]| close + 2);
    }
    if *extent == Extent::Literal {
        let is_literal = matches!(
            token(at)?,
            Token::SingleQuotedString(_) | Token::EscapedStringLiteral(_) | Token::DollarQuotedString(_)
        );
        while matches!(token(at + 1), Some(Token::SingleQuotedString(_))) {
            at += 1;
        }
        return is_literal.then_some(at);
    }
    if *extent == Extent::Star && *token(at)? == Token::Mul {
        return Some(at);
    }
    if !matches!(token(at)?, Token::Word(_)) {
        return None;
    }
    while token(at + 1) == Some(&Token::Period) && matches!(token(at + 2), Some(Token::Word(_))) {
        at += 2;
    }
    match extent {
        Extent::Star => {
            let is_star = token(at + 1) == Some(&Token::Period) && token(at + 2) == Some(&Token::Mul);
            is_star.then_some(at + 2)
        }
        Extent::Columns(_) => {
            let alias = at + if token(at + 1).is_some_and(|token| is_word(token, "as")) { 2 } else { 1 };
            matches!(token(alias)?, Token::Word(_)).then_some(alias)
        }
        _ => Some(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_rewritten() {
        let edit = |position, extent, text: &str| Edit { position, extent, text: text.to_owned() };
        let text = "SELECT é.*, * FROM a . b, 'x'\n 'y'";
        let edits = [
            edit(8, Extent::Star, "p"),
            edit(13, Extent::Star, "q, r"),
            edit(20, Extent::Name, "s.t"),
            edit(27, Extent::Literal, "'z'"),
            edit(27, Extent::Literal, "'z'"),
        ];
        assert_eq!(edited(text, &edits).unwrap(), "SELECT p, q, r FROM s.t, 'z'");
        assert!(edited("SELECT 1", &[edit(8, Extent::Name, "x")]).is_err());
        let columns = |names: &[&str]| Extent::Columns(names.iter().map(|&name| name.to_owned()).collect());
        let edits = [edit(15, columns(&["c"]), ""), edit(15, Extent::Name, "t")];
        assert_eq!(edited("SELECT x FROM a AS b, d", &edits).unwrap(), "SELECT x FROM t AS b(c), d");
        assert_eq!(edited("SELECT x FROM a b", &edits).unwrap(), "SELECT x FROM t b(c)");
        assert_eq!(edited("SELECT x FROM a b (x), d", &edits).unwrap(), "SELECT x FROM t b (x), d");
        let fields = |names: &[&str]| Extent::Fields(names.iter().map(|&name| name.to_owned()).collect());
        let edits =
            [edit(11, fields(&["f", "g"]), ""), edit(16, fields(&["a"]), ""), edit(16, Extent::Name, "u")];
        assert_eq!(edited("SELECT 1, (t).*", &[edit(12, fields(&["p"]), "")]).unwrap(), "SELECT 1, (t).p");
        assert_eq!(
            edited("SELECT 1, ROW((t).*)", &[edit(16, fields(&["p", "q"]), "")]).unwrap(),
            "SELECT 1, ROW((t).p, (t).q)"
        );
        let nested = "SELECT (( ROW((t).*, 2))).*, ((x).y).*";
        assert_eq!(
            edited(nested, &edits).unwrap(),
            "SELECT (( ROW((u).a, 2))).f, (( ROW((u).a, 2))).g, ((x).y).*"
        );
        assert_eq!(edited("SELECT ((x).y).*", &[edit(10, fields(&["z"]), "")]).unwrap(), "SELECT ((x).y).z");
        assert!(edited("SELECT (t).a", &[edit(9, fields(&["p"]), "")]).is_err());
        let edits = [edit(15, columns(&["c", "\"d, e\"", "f"]), "")];
        let listed = "SELECT x FROM a AS b ( x ) WHERE x";
        assert_eq!(edited(listed, &edits).unwrap(), "SELECT x FROM a AS b ( x , \"d, e\", f) WHERE x");
    }
}
