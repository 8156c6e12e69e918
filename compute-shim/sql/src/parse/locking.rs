//! FOR UPDATE, FOR NO KEY UPDATE, FOR SHARE and FOR KEY SHARE behind a query.
//!
//! The parser crate knows two of the four strengths, one table behind OF, and the clause only behind LIMIT. Owns a pass
//! over a statement's tokens that brings every clause into that form (one clause per table, the strength as the first
//! part of the name behind OF, which the crate takes for any name) and the way from there into our tree. Never decides
//! what may be locked (see `bind`).

use super::place::is_word;
use super::tree::LockClause;
use super::{Lower, at};
use hexalog_engine::{LockWait, RowLockMode};
use hexalog_sql_types::SqlError;
use hexalog_sql_types::error::Result;
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace, Word};

/// The spellings of the strengths, the longest first.
const STRENGTHS: [(&[&str], RowLockMode); 4] = [
    (&["no", "key", "update"], RowLockMode::NoKeyUpdate),
    (&["key", "share"], RowLockMode::KeyShare),
    (&["update"], RowLockMode::Update),
    (&["share"], RowLockMode::Share),
];

/// First part of the name that stands for a strength; no name begins so.
fn mark_of(mode: RowLockMode) -> String {
    format!("\0{}", lock_words(mode))
}

/// The words of a strength, as errors have them.
pub(crate) fn lock_words(mode: RowLockMode) -> &'static str {
    match mode {
        RowLockMode::KeyShare => "FOR KEY SHARE",
        RowLockMode::Share => "FOR SHARE",
        RowLockMode::NoKeyUpdate => "FOR NO KEY UPDATE",
        RowLockMode::Update => "FOR UPDATE",
    }
}

/// Brings the locking clauses of a statement into the parser crate's form.
pub(super) fn respell_locks(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.windows(2).any(|pair| is_word(&pair[0].token, "for")) {
        return tokens;
    }
    let (delayed, in_list) = (vec![Vec::new()], vec![false]);
    let mut pass = Pass { tokens, at: 0, out: Vec::new(), delayed, in_list };
    while pass.at < pass.tokens.len() {
        pass.step();
    }
    pass.flush();
    pass.out
}

struct Pass {
    tokens: Vec<TokenWithSpan>,
    at: usize,
    out: Vec<TokenWithSpan>,
    /// Clauses that stand in front of LIMIT or OFFSET, for each depth of parentheses: put behind.
    delayed: Vec<Vec<TokenWithSpan>>,
    /// For each depth too: whether a select list is open, behind which the crate would take FOR for a label.
    in_list: Vec<bool>,
}

impl Pass {
    fn step(&mut self) {
        if let Some((clause, next)) = self.clause() {
            self.end_list();
            self.at = next;
            let limits = ["limit", "offset", "fetch"];
            let is_before_limit = self.word_at(next).is_some_and(|word| limits.contains(&word.as_str()));
            let delayed = self.delayed.last_mut().expect("one for the outermost depth");
            if is_before_limit || !delayed.is_empty() {
                delayed.extend(clause);
            } else {
                self.out.extend(clause);
            }
            return;
        }
        let token = self.tokens[self.at].clone();
        self.at += 1;
        match &token.token {
            Token::LParen => {
                self.delayed.push(Vec::new());
                self.in_list.push(false);
            }
            Token::RParen => {
                self.flush();
                if self.delayed.len() > 1 {
                    self.delayed.pop();
                    self.in_list.pop();
                }
            }
            other if is_word(other, "returning") || is_word(other, "on") => self.flush(),
            Token::EOF => self.flush(),
            _ => {}
        }
        if let Token::Word(Word { value, quote_style: None, .. }) = &token.token {
            const BEHIND: [&str; 11] = [
                "from", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "union",
                "into",
            ];
            let open = self.in_list.last_mut().expect("one for the outermost depth");
            *open = (*open || value.eq_ignore_ascii_case("select"))
                && !BEHIND.iter().any(|word| value.eq_ignore_ascii_case(word));
        }
        self.out.push(token);
    }

    /// Ends a select list that has nothing behind it: there is nothing to lock then, which is no error.
    fn end_list(&mut self) {
        let open = self.in_list.last_mut().expect("one for the outermost depth");
        if !std::mem::take(open) {
            return;
        }
        let span = self.tokens[self.at].span;
        let blank = || Token::Whitespace(Whitespace::Space);
        let always = [blank(), keyword("WHERE", Keyword::WHERE), blank(), keyword("TRUE", Keyword::TRUE)];
        self.out.extend(always.map(|token| TokenWithSpan { token, span }));
    }

    fn flush(&mut self) {
        let delayed = self.delayed.last_mut().expect("one for the outermost depth");
        self.out.append(delayed);
    }

    /// The place of the first token from `at` on that is no blank.
    fn skip_blanks(&self, mut at: usize) -> usize {
        while self.tokens.get(at).is_some_and(|token| matches!(token.token, Token::Whitespace(_))) {
            at += 1;
        }
        at
    }

    fn word_at(&self, at: usize) -> Option<String> {
        match &self.tokens.get(self.skip_blanks(at))?.token {
            Token::Word(Word { value, quote_style: None, .. }) => Some(value.to_ascii_lowercase()),
            _ => None,
        }
    }

    /// The place behind these words, if they stand at `at`.
    fn behind(&self, mut at: usize, words: &[&str]) -> Option<usize> {
        for word in words {
            if self.word_at(at)? != *word {
                return None;
            }
            at = self.skip_blanks(at) + 1;
        }
        Some(at)
    }

    /// The locking clause at the current place in the crate's form, and the place behind it.
    fn clause(&self) -> Option<(Vec<TokenWithSpan>, usize)> {
        let start = &self.tokens[self.at];
        if !is_word(&start.token, "for") {
            return None;
        }
        let (mode, mut at) = STRENGTHS
            .iter()
            .find_map(|(words, mode)| self.behind(self.at + 1, words).map(|behind| (*mode, behind)))?;
        let mut tables = Vec::new();
        if let Some(behind) = self.behind(at, &["of"]) {
            at = behind;
            loop {
                let (name, behind) = self.name(at)?;
                tables.push(name);
                at = behind;
                let comma = self.skip_blanks(at);
                match self.tokens.get(comma) {
                    Some(token) if token.token == Token::Comma => at = comma + 1,
                    _ => break,
                }
            }
        }
        let (wait, behind) = match (self.behind(at, &["nowait"]), self.behind(at, &["skip", "locked"])) {
            (Some(behind), _) => (vec![keyword("NOWAIT", Keyword::NOWAIT)], behind),
            (_, Some(behind)) => {
                (vec![keyword("SKIP", Keyword::SKIP), keyword("LOCKED", Keyword::LOCKED)], behind)
            }
            _ => (Vec::new(), at),
        };
        let names = if tables.is_empty() { vec![Vec::new()] } else { tables };
        let mut clause = Vec::new();
        for name in names {
            let mark = Word { value: mark_of(mode), quote_style: Some('"'), keyword: Keyword::NoKeyword };
            let plain = [
                keyword("FOR", Keyword::FOR),
                keyword("UPDATE", Keyword::UPDATE),
                keyword("OF", Keyword::OF),
                Token::Word(mark),
            ];
            let blank = || Token::Whitespace(Whitespace::Space);
            for token in plain {
                clause.extend([blank(), token].map(|token| TokenWithSpan { token, span: start.span }));
            }
            for token in name {
                clause.push(token);
            }
            for token in &wait {
                clause
                    .extend([blank(), token.clone()].map(|token| TokenWithSpan { token, span: start.span }));
            }
        }
        clause.push(TokenWithSpan { token: Token::Whitespace(Whitespace::Space), span: start.span });
        Some((clause, behind))
    }

    /// A name with a period in front of each part, and the place behind it.
    fn name(&self, at: usize) -> Option<(Vec<TokenWithSpan>, usize)> {
        let mut at = self.skip_blanks(at);
        let mut parts = Vec::new();
        loop {
            let token = self.tokens.get(at).filter(|token| matches!(token.token, Token::Word(_)))?;
            parts.push(TokenWithSpan { token: Token::Period, span: token.span });
            parts.push(token.clone());
            at += 1;
            match self.tokens.get(at) {
                Some(token) if token.token == Token::Period => at += 1,
                _ => return Some((parts, at)),
            }
        }
    }
}

fn keyword(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: None, keyword })
}

impl Lower<'_> {
    /// The clauses of a query.
    pub(super) fn locks(&mut self, locks: Vec<ast::LockClause>) -> Result<Vec<LockClause>> {
        locks.into_iter().map(|lock| self.lock_clause(lock)).collect()
    }

    fn lock_clause(&mut self, lock: ast::LockClause) -> Result<LockClause> {
        let ast::LockClause { lock_type: _, of, nonblock } = lock;
        let of = of.ok_or_else(|| SqlError::internal("a locking clause without its strength"))?;
        let position = match of.0.get(1) {
            Some(ast::ObjectNamePart::Identifier(ident)) => self.lines.position(ident.span.start),
            _ => 0,
        };
        let mut parts = self.name_of(of, |_| true)?.parts;
        let mark = parts.remove(0);
        let strength = STRENGTHS.iter().find(|(_, mode)| mark == mark_of(*mode));
        let (_, mode) =
            *strength.ok_or_else(|| SqlError::internal("a locking clause without its strength"))?;
        let wait = match nonblock {
            None => LockWait::Wait,
            Some(ast::NonBlock::Nowait) => LockWait::Fail,
            Some(ast::NonBlock::SkipLocked) => LockWait::Skip,
        };
        if parts.len() > 1 {
            let message = format!("{} must specify unqualified relation names", lock_words(mode));
            return Err(at(SqlError::syntax(message), position));
        }
        Ok(LockClause { mode, table: parts.pop(), wait, position })
    }
}
