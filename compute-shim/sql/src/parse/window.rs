//! Windows: OVER, the WINDOW clause and frames, from the parser crate's tree into ours.
//!
//! The crate knows no EXCLUDE. [`respell_exclusions`] hides it in the frame's last bound, as names that no one can write,
//! and the bound's lowering finds it there. And it takes a string at the beginning of a bound for an interval, behind which
//! nothing may stand: [`respell_bounds`].

use super::place::is_word;
use super::tree::{Frame, FrameBound, FrameExclusion, FrameUnit, NamedWindow, Over, WindowSpec};
use super::{Lower, at, refuse};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Names that stand for EXCLUDE; no one can write them.
const EXCLUSIONS: [(&str, FrameExclusion); 4] = [
    ("EXCLUDE\0CURRENT", FrameExclusion::CurrentRow),
    ("EXCLUDE\0GROUP", FrameExclusion::Group),
    ("EXCLUDE\0TIES", FrameExclusion::Ties),
    ("EXCLUDE\0NO", FrameExclusion::NoOthers),
];
/// In front of one of those: what the bound was.
const CURRENT_ROW: &str = "CURRENT\0";
const UNBOUNDED: &str = "UNBOUNDED\0";

/// Words that a frame begins with.
const UNITS: [&str; 3] = ["rows", "range", "groups"];

/// Puts a string that begins a frame's bound into parentheses, where it is an expression like any other.
pub(super) fn respell_bounds(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_any = |token: &Token, words: &[&str]| words.iter().any(|word| is_word(token, word));
    if !tokens.iter().any(|token| is_any(&token.token, &UNITS)) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 4);
    let mut depth = 0usize;
    // How deep the last frame stands: an AND in a function's arguments is none of its own.
    let mut frame = None;
    let mut begins_bound = false;
    for token in tokens {
        match token.token {
            Token::Whitespace(_) => {
                out.push(token);
                continue;
            }
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_unit = is_any(&token.token, &UNITS);
        if is_unit {
            frame = Some(depth);
        }
        let is_string = matches!(token.token, Token::SingleQuotedString(_));
        let begins_next = is_unit || (frame == Some(depth) && is_any(&token.token, &["between", "and"]));
        if begins_bound && is_string {
            let parenthesis = |side| TokenWithSpan { token: side, span: token.span };
            out.extend([parenthesis(Token::LParen), token.clone(), parenthesis(Token::RParen)]);
        } else {
            out.push(token);
        }
        begins_bound = begins_next;
    }
    out
}

/// Rewrites `bound EXCLUDE …` into a bound that the crate can parse.
pub(super) fn respell_exclusions(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "exclude")) {
        return tokens;
    }
    let tokens: Vec<TokenWithSpan> =
        tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match exclusion(&tokens[at..]) {
            Some((marker, length)) if hide(&mut out, token, marker) => at += length,
            _ => {
                out.push(token.clone());
                at += 1;
            }
        }
    }
    out
}

/// The marker of an EXCLUDE clause that begins here, and its number of tokens.
fn exclusion(tokens: &[TokenWithSpan]) -> Option<(&'static str, usize)> {
    let words = |words: &[&str]| {
        tokens.len() >= words.len()
            && tokens.iter().zip(words).all(|(token, word)| is_word(&token.token, word))
    };
    let forms: [&[&str]; 4] = [
        &["exclude", "current", "row"],
        &["exclude", "group"],
        &["exclude", "ties"],
        &["exclude", "no", "others"],
    ];
    let form = forms.iter().position(|form| words(form))?;
    Some((EXCLUSIONS[form].0, forms[form].len()))
}

/// Puts a marker into the bound that ends the tokens so far; false if there is no bound.
fn hide(out: &mut Vec<TokenWithSpan>, exclude: &TokenWithSpan, marker: &str) -> bool {
    let is = |out: &[TokenWithSpan], back: usize, word: &str| {
        out.len().checked_sub(back).is_some_and(|at| is_word(&out[at].token, word))
    };
    let name = |value: String| TokenWithSpan {
        token: Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword }),
        span: exclude.span,
    };
    let word = |value: &str, keyword: Keyword| TokenWithSpan {
        token: Token::Word(Word { value: value.to_owned(), quote_style: None, keyword }),
        span: exclude.span,
    };
    if is(out, 1, "row") && is(out, 2, "current") {
        out.truncate(out.len() - 2);
        out.push(name(format!("{CURRENT_ROW}{marker}")));
        out.push(word("PRECEDING", Keyword::PRECEDING));
        return true;
    }
    if !is(out, 1, "preceding") && !is(out, 1, "following") {
        return false;
    }
    let direction = out.pop().expect("looked at above");
    if is(out, 1, "unbounded") {
        out.pop();
        out.push(name(format!("{UNBOUNDED}{marker}")));
    } else {
        // No operator binds weaker.
        out.push(word("OR", Keyword::OR));
        out.push(name(marker.to_owned()));
    }
    out.push(direction);
    true
}

/// The exclusion that a name stands for, with what is left of it.
fn hidden_in(ident: &ast::Ident) -> Option<(&str, FrameExclusion)> {
    EXCLUSIONS
        .iter()
        .find_map(|(marker, exclusion)| ident.value.strip_suffix(marker).map(|rest| (rest, *exclusion)))
}

/// What is wrong with a frame's bounds, and whether it is the first one.
fn frame_fault(start: &FrameBound, end: &FrameBound, is_shorthand: bool) -> Option<(&'static str, bool)> {
    use FrameBound as B;
    match (start, end) {
        (B::UnboundedFollowing, _) => Some(("frame start cannot be UNBOUNDED FOLLOWING", true)),
        (_, B::UnboundedPreceding) => Some(("frame end cannot be UNBOUNDED PRECEDING", false)),
        (B::CurrentRow, B::Preceding(_)) => {
            Some(("frame starting from current row cannot have preceding rows", false))
        }
        (B::Following(_), B::CurrentRow) if is_shorthand => {
            Some(("frame starting from following row cannot end with current row", true))
        }
        (B::Following(_), B::Preceding(_) | B::CurrentRow) => {
            Some(("frame starting from following row cannot have preceding rows", false))
        }
        _ => None,
    }
}

impl Lower<'_> {
    /// OVER; `start` is where the call begins.
    pub(super) fn over(&mut self, over: ast::WindowType, start: u32) -> Result<Over> {
        match over {
            ast::WindowType::NamedWindow(ident) => {
                let position = self.lines.position(ident.span.start);
                Ok(Over::Name { name: self.column_id(ident)?, position })
            }
            ast::WindowType::WindowSpec(spec) => {
                let over = self.take_after(start, |token| is_word(token, "over"));
                let position = self.take_after(over, |token| *token == Token::LParen);
                self.window_spec(spec, position).map(|spec| Over::Spec(Box::new(spec)))
            }
        }
    }

    pub(super) fn named_windows(
        &mut self,
        windows: Vec<ast::NamedWindowDefinition>,
    ) -> Result<Vec<NamedWindow>> {
        let mut named = Vec::with_capacity(windows.len());
        for ast::NamedWindowDefinition(ident, window) in windows {
            let position = self.lines.position(ident.span.start);
            let name = self.column_id(ident)?;
            let ast::NamedWindowExpr::WindowSpec(spec) = window else {
                return Err(self.unexpected_behind(position));
            };
            let opening = self.take_after(position, |token| *token == Token::LParen);
            named.push(NamedWindow { name, spec: self.window_spec(spec, opening)? });
        }
        Ok(named)
    }

    fn window_spec(&mut self, spec: ast::WindowSpec, position: u32) -> Result<WindowSpec> {
        let ast::WindowSpec { window_name, partition_by, order_by, window_frame } = spec;
        Ok(WindowSpec {
            base: window_name.map(|ident| self.column_id(ident)).transpose()?,
            partition_by: self.exprs(partition_by)?,
            order_by: self.order_items(order_by)?,
            frame: window_frame.map(|frame| self.frame(frame, position)).transpose()?,
            position,
        })
    }

    fn frame(&mut self, frame: ast::WindowFrame, start: u32) -> Result<Frame> {
        let ast::WindowFrame { units, start_bound, end_bound } = frame;
        let (unit, word) = match units {
            ast::WindowFrameUnits::Rows => (FrameUnit::Rows, "rows"),
            ast::WindowFrameUnits::Range => (FrameUnit::Range, "range"),
            ast::WindowFrameUnits::Groups => (FrameUnit::Groups, "groups"),
        };
        let position = self.take_after(start, |token| is_word(token, word));
        let is_shorthand = end_bound.is_none();
        let (start, mut exclusion) = self.frame_bound(start_bound)?;
        let end = match end_bound {
            None => FrameBound::CurrentRow,
            Some(bound) => {
                let (end, excluded) = self.frame_bound(bound)?;
                exclusion = excluded;
                end
            }
        };
        match frame_fault(&start, &end, is_shorthand) {
            Some((message, is_start)) => {
                let between = self.behind(position);
                let first = if is_shorthand { between } else { self.behind(between) };
                let position = if is_start || is_shorthand {
                    first
                } else {
                    let and = self.take_after(first, |token| is_word(token, "and"));
                    self.behind(and)
                };
                let error = SqlError::new(SqlState::WINDOWING_ERROR, message);
                Err(at(error, position))
            }
            None => Ok(Frame { unit, start, end, exclusion }),
        }
    }

    fn frame_bound(&mut self, bound: ast::WindowFrameBound) -> Result<(FrameBound, FrameExclusion)> {
        let (offset, is_preceding) = match bound {
            ast::WindowFrameBound::CurrentRow => {
                return Ok((FrameBound::CurrentRow, FrameExclusion::NoOthers));
            }
            ast::WindowFrameBound::Preceding(offset) => (offset, true),
            ast::WindowFrameBound::Following(offset) => (offset, false),
        };
        let mut exclusion = FrameExclusion::NoOthers;
        let unbounded =
            if is_preceding { FrameBound::UnboundedPreceding } else { FrameBound::UnboundedFollowing };
        let mut offset = match offset {
            Some(offset) => *offset,
            None => return Ok((unbounded, exclusion)),
        };
        if let ast::Expr::Identifier(ident) = &offset
            && let Some((rest, found)) = hidden_in(ident)
        {
            return match rest {
                CURRENT_ROW => Ok((FrameBound::CurrentRow, found)),
                UNBOUNDED => Ok((unbounded, found)),
                _ => Err(refuse("this frame bound")),
            };
        }
        if let ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Or, right } = offset {
            let hidden = match &*right {
                ast::Expr::Identifier(ident) => hidden_in(ident).map(|(_, found)| found),
                _ => None,
            };
            match hidden {
                Some(found) => {
                    exclusion = found;
                    offset = *left;
                }
                None => offset = ast::Expr::BinaryOp { left, op: ast::BinaryOperator::Or, right },
            }
        }
        let offset = Box::new(self.expr(offset)?);
        Ok((
            if is_preceding { FrameBound::Preceding(offset) } else { FrameBound::Following(offset) },
            exclusion,
        ))
    }
}
