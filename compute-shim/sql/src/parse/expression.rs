//! Expressions: from the parser crate's tree into ours.
//!
//! Owns one conversion per variant, with PostgreSQL's binding strength where the crate's differs. SQL's special
//! function forms (`substring(x from 1)`, `extract(…)`) become plain calls here, so that the binder sees one form.

use super::keyword;
use super::operator_chain::{give_sums_to_prefix_operators, operator_symbol};
use super::place::{is_operator, is_word};
use super::respell_query::{collation_of, is_mark};
use super::respell_select::unwrapped;
use super::spelling::without_symmetric;
use super::tree::{AnyAllSource, CaseBranch, Expr, FunctionCall, LikeKind, Name, OperatorName, OrderItem};
use super::{Lower, NESTING_MAX, at, refuse, refuse_if, too_deep};
use hexalog_sql_types::error::Result;
use hexalog_sql_types::{SqlError, SqlState};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator, Value};
use sqlparser::tokenizer::Token;

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(op, B::Eq | B::NotEq | B::Lt | B::Gt | B::LtEq | B::GtEq)
}

fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

/// A call of a built-in function that the grammar itself names.
fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let name = Name { parts: vec!["pg_catalog".to_owned(), name.to_owned()], position: 0 };
    Expr::Function(Box::new(FunctionCall::plain(name, arguments)))
}

fn text(value: String) -> Expr {
    Expr::Text { value, position: 0 }
}

impl Lower<'_> {
    #[recursive::recursive]
    pub(super) fn expr(&mut self, expr: ast::Expr) -> Result<Expr> {
        if self.depth >= NESTING_MAX {
            // Dropping what may be a chain of a hundred thousand boxes would overflow the stack.
            std::mem::forget(expr);
            return Err(too_deep());
        }
        self.nested(|lower| lower.expr_variant(expr))
    }

    pub(super) fn boxed(&mut self, expr: ast::Expr) -> Result<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    pub(super) fn exprs(&mut self, exprs: Vec<ast::Expr>) -> Result<Vec<Expr>> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn optional(&mut self, expr: Option<Box<ast::Expr>>) -> Result<Option<Box<Expr>>> {
        expr.map(|expr| self.boxed(*expr)).transpose()
    }

    fn expr_variant(&mut self, expr: ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Identifier(ident) => self.identifier_expr(ident),
            E::CompoundIdentifier(idents) => {
                let position = idents.first().map_or(0, |ident| self.lines.position(ident.span.start));
                Ok(Expr::Column(Name { parts: self.qualified(idents)?, position }))
            }
            E::CompoundFieldAccess { root, access_chain } => self.access(*root, access_chain),
            binary @ E::BinaryOp { .. } => self.binary(binary),
            E::UnaryOp { op, expr } => self.unary(op, *expr),
            E::Interval(interval) => self.interval(interval),
            E::Nested(inner) => self.expr(*inner),
            E::Value(value) => self.value(value),
            E::Function(function) if is_mark(&function) => self.marked(function),
            E::Function(function) => self.function_expr(function),
            E::Case { case_token, end_token: _, operand, conditions, else_result } => {
                let position = self.lines.position(case_token.0.span.start);
                let operand = self.optional(operand)?;
                let mut branches = Vec::with_capacity(conditions.len());
                for ast::CaseWhen { condition, result } in conditions {
                    let (condition, result) = (self.expr(condition)?, self.expr(result)?);
                    let position = self.take_before(condition.start(), |token| is_word(token, "when"));
                    branches.push(CaseBranch { condition, result, position });
                }
                Ok(Expr::Case { operand, branches, otherwise: self.optional(else_result)?, position })
            }
            E::Exists { subquery, negated } => {
                let exists = Expr::Exists(Box::new(self.query(*subquery)?));
                Ok(if negated { Expr::Not(boxed(exists)) } else { exists })
            }
            E::Subquery(query) => {
                let position = self.parenthesis_before(self.query_start(&query));
                Ok(Expr::Subquery { query: Box::new(unwrapped(self.query(*query)?)), position })
            }
            E::Tuple(items) => {
                let items = self.exprs(items)?;
                let position = self.parenthesis_before(items.first().map_or(0, Expr::start));
                Ok(Expr::Row { items, position })
            }
            E::Array(ast::Array { elem, named: _ }) => {
                let items = self.exprs(elem)?;
                let start = items.first().map_or(0, Expr::start);
                let position = match start {
                    0 => self.take_empty_array(),
                    start => self.take_before(start, |token| is_word(token, "array")),
                };
                Ok(Expr::Array { items, position })
            }
            cast @ (E::Cast { .. } | E::TypedString(_)) => self.cast(cast),
            E::Collate { expr, collation } => {
                let collation = self.object_name(collation)?;
                let operand = self.boxed(*expr)?;
                let position = self.take_after(operand.start(), |token| is_word(token, "collate"));
                Ok(Expr::Collate { operand, collation, position })
            }
            E::AtTimeZone { timestamp, time_zone } if collation_of(&time_zone).is_some() => {
                let collation = collation_of(&time_zone).expect("looked at above");
                let collation = self.object_name(collation)?;
                let operand = self.boxed(*timestamp)?;
                let is_mark = |token: &Token| is_word(token, "collate") || is_word(token, "at");
                let position = self.take_after(operand.start(), is_mark);
                Ok(Expr::Collate { operand, collation, position })
            }
            E::AtTimeZone { timestamp, time_zone } => {
                let (operand, zone) = (self.boxed(*timestamp)?, self.boxed(*time_zone)?);
                let position = self.take_after(operand.start(), |token| is_word(token, "at"));
                Ok(Expr::AtTimeZone { operand, zone, position })
            }
            other => self.test(other),
        }
    }

    fn identifier_expr(&mut self, ident: ast::Ident) -> Result<Expr> {
        let position = self.lines.position(ident.span.start);
        if ident.quote_style.is_none() {
            if ident.value.eq_ignore_ascii_case("default") {
                return Ok(Expr::Default { position });
            }
            // Of the key words that stand for a call, the two that the parser crate takes for names.
            for word in ["current_role", "current_schema"] {
                if ident.value.eq_ignore_ascii_case(word) {
                    return Ok(Expr::Keyword { name: word.to_owned(), position });
                }
            }
        }
        if ident.quote_style.is_none() && keyword::starts_call(&ident.value.to_lowercase()) {
            // It is the call's parenthesis that is missing.
            return Err(self.unexpected_behind(position));
        }
        Ok(Expr::Column(Name { parts: vec![self.column_id(ident)?], position }))
    }

    /// The parts of a qualified name: behind a point any word will do.
    fn qualified(&self, idents: Vec<ast::Ident>) -> Result<Vec<String>> {
        let mut parts = Vec::with_capacity(idents.len());
        for ident in idents {
            parts.push(if parts.is_empty() { self.column_id(ident)? } else { self.ident(ident) });
        }
        Ok(parts)
    }

    fn cast(&mut self, expr: ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Cast { kind: ast::CastKind::Cast, expr, data_type, format: None } => {
                let operand = self.boxed(*expr)?;
                let position = self.take_before(operand.start(), |token| is_word(token, "cast"));
                Ok(Expr::Cast { operand, target: self.type_name(data_type)?, position })
            }
            E::Cast { kind: ast::CastKind::DoubleColon, expr, data_type, format: None } => {
                let operand = self.boxed(*expr)?;
                let position = self.take_after(operand.start(), |token| *token == Token::DoubleColon);
                Ok(Expr::Cast { operand, target: self.type_name(data_type)?, position })
            }
            E::Cast { kind: ast::CastKind::TryCast, expr, .. } => {
                let operand = self.boxed(*expr)?;
                Err(self.foreign_word(operand.start(), &["as"]))
            }
            E::TypedString(ast::TypedString { data_type, value, uses_odbc_syntax: false }) => {
                let operand = boxed(self.value(value)?);
                Ok(Expr::Cast { operand, target: self.type_name(data_type)?, position: 0 })
            }
            other => Err(refuse(format!("the expression {}", summary(&other)))),
        }
    }

    /// IS, IN, BETWEEN, LIKE and comparisons with ANY or ALL.
    fn test(&mut self, expr: ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        let is_bool = |lower: &mut Self, operand: ast::Expr, value, negated| {
            Ok(Expr::IsBool { operand: lower.is_operand(operand)?, value, negated })
        };
        match expr {
            E::IsTrue(operand) => is_bool(self, *operand, Some(true), false),
            E::IsNotTrue(operand) => is_bool(self, *operand, Some(true), true),
            E::IsFalse(operand) => is_bool(self, *operand, Some(false), false),
            E::IsNotFalse(operand) => is_bool(self, *operand, Some(false), true),
            E::IsUnknown(operand) => is_bool(self, *operand, None, false),
            E::IsNotUnknown(operand) => is_bool(self, *operand, None, true),
            E::IsNull(operand) => Ok(Expr::IsNull { operand: self.is_operand(*operand)?, negated: false }),
            E::IsNotNull(operand) => Ok(Expr::IsNull { operand: self.is_operand(*operand)?, negated: true }),
            E::IsDistinctFrom(left, right) => self.is_distinct(*left, *right, false),
            E::IsNotDistinctFrom(left, right) => self.is_distinct(*left, *right, true),
            E::InList { expr, list, negated } => {
                let operand = self.like_operand(*expr, "in", negated)?;
                let list = self.exprs(list)?;
                let position = self.take_word_after(operand.start(), "in", negated);
                Ok(Expr::InList { operand, list, negated, position })
            }
            E::InSubquery { expr, subquery, negated } => {
                let operand = self.like_operand(*expr, "in", negated)?;
                let query = Box::new(self.query(*subquery)?);
                let position = self.take_word_after(operand.start(), "in", negated);
                Ok(Expr::InQuery { operand, query, negated, position })
            }
            E::Between { expr, negated, low, high } => {
                let operand = self.like_operand(*expr, "between", negated)?;
                let (low, symmetric) = without_symmetric(*low);
                let (low, high) = (self.boxed(low)?, self.boxed(*high)?);
                let position = self.take_word_after(operand.start(), "between", negated);
                Ok(Expr::Between { operand, low, high, symmetric, negated, position })
            }
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(*expr, *pattern, escape_char, LikeKind::Like, negated)
            }
            E::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(*expr, *pattern, escape_char, LikeKind::ILike, negated)
            }
            E::SimilarTo { negated, expr, pattern, escape_char } => {
                self.like(*expr, *pattern, escape_char, LikeKind::Similar, negated)
            }
            E::AnyOp { left, compare_op, right, is_some: _ } => {
                self.any_all(*left, compare_op, *right, false)
            }
            E::AllOp { left, compare_op, right } => self.any_all(*left, compare_op, *right, true),
            special => self.special_form(special).map(|form| self.placed(form)),
        }
    }

    /// Finds the word that a form begins with.
    fn placed(&mut self, form: Expr) -> Expr {
        const WORDS: [&str; 8] =
            ["ceil", "ceiling", "extract", "floor", "overlay", "position", "substring", "trim"];
        let start = form.start();
        match form {
            Expr::Function(mut call) => {
                call.name.position =
                    self.take_before(start, |token| WORDS.iter().any(|word| is_word(token, word)));
                Expr::Function(call)
            }
            other => other,
        }
    }

    /// SQL's function forms with keywords inside.
    fn special_form(&mut self, expr: ast::Expr) -> Result<Expr> {
        use ast::Expr as E;
        match expr {
            E::Extract { field, syntax: ast::ExtractSyntax::From, expr } => {
                let field = text(field.to_string().trim_matches('\'').to_lowercase());
                Ok(call("extract", vec![field, self.expr(*expr)?]))
            }
            E::Ceil { expr, field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) } => {
                Ok(call("ceil", vec![self.expr(*expr)?]))
            }
            E::Floor { expr, field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime) } => {
                Ok(call("floor", vec![self.expr(*expr)?]))
            }
            E::Position { expr, r#in } => Ok(call("position", vec![self.expr(*r#in)?, self.expr(*expr)?])),
            E::Substring { expr, substring_from, substring_for, special: _, shorthand } => {
                let mut arguments = vec![self.expr(*expr)?];
                match (substring_from, substring_for) {
                    (Some(from), Some(count)) => {
                        arguments.push(self.expr(*from)?);
                        arguments.push(self.expr(*count)?);
                    }
                    (Some(from), None) => arguments.push(self.expr(*from)?),
                    (None, Some(count)) => {
                        arguments.push(Expr::Number { digits: "1".to_owned(), position: 0 });
                        arguments.push(self.expr(*count)?);
                    }
                    (None, None) => {}
                }
                Ok(call(if shorthand { "substr" } else { "substring" }, arguments))
            }
            E::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let name = match trim_where {
                    None | Some(ast::TrimWhereField::Both) => "btrim",
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                };
                let mut arguments = vec![self.expr(*expr)?];
                if let Some(what) = trim_what {
                    arguments.push(self.expr(*what)?);
                }
                Ok(call(name, arguments))
            }
            E::Trim { trim_where: None, trim_what: None, expr, trim_characters: Some(characters) } => {
                let mut arguments = vec![self.expr(*expr)?];
                arguments.extend(self.exprs(characters)?);
                Ok(call("btrim", arguments))
            }
            E::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut arguments =
                    vec![self.expr(*expr)?, self.expr(*overlay_what)?, self.expr(*overlay_from)?];
                if let Some(count) = overlay_for {
                    arguments.push(self.expr(*count)?);
                }
                Ok(call("overlay", arguments))
            }
            // Of BigQuery's structs.
            E::Named { expr, name: _ } => {
                let value = self.boxed(*expr)?;
                Err(self.foreign_word(value.start(), &["as"]))
            }
            other => Err(refuse(format!("the expression {}", summary(&other)))),
        }
    }

    /// The operand of LIKE, BETWEEN, IN and their kin: none of the first two without parentheses, they do not associate.
    fn like_operand(&mut self, operand: ast::Expr, word: &str, negated: bool) -> Result<Box<Expr>> {
        use ast::Expr as E;
        let is_barred =
            matches!(operand, E::Like { .. } | E::ILike { .. } | E::SimilarTo { .. } | E::Between { .. });
        let operand = self.boxed(operand)?;
        if !is_barred {
            return Ok(operand);
        }
        let position = self.take_word_after(operand.start(), word, negated);
        Err(self.syntax_error_at(position))
    }

    /// The operand of IS: no IS DISTINCT FROM, likewise.
    fn is_operand(&mut self, operand: ast::Expr) -> Result<Box<Expr>> {
        let is_barred = matches!(operand, ast::Expr::IsDistinctFrom(..) | ast::Expr::IsNotDistinctFrom(..));
        let operand = self.boxed(operand)?;
        match is_barred {
            true => Err(self.foreign_word(operand.start(), &["is"])),
            false => Ok(operand),
        }
    }

    fn is_distinct(&mut self, left: ast::Expr, right: ast::Expr, negated: bool) -> Result<Expr> {
        let (left, right) = (self.is_operand(left)?, self.boxed(right)?);
        let position = self.take_after(left.start(), |token| is_word(token, "is"));
        Ok(Expr::IsDistinct { left, right, negated, position })
    }

    fn like(
        &mut self,
        operand: ast::Expr,
        pattern: ast::Expr,
        escape: Option<Box<ast::Expr>>,
        kind: LikeKind,
        negated: bool,
    ) -> Result<Expr> {
        let word = match kind {
            LikeKind::Like => "like",
            LikeKind::ILike => "ilike",
            LikeKind::Similar => "similar",
        };
        let operand = self.like_operand(operand, word, negated)?;
        let pattern = self.boxed(pattern)?;
        let escape = self.optional(escape)?;
        let position = self.take_word_after(operand.start(), word, negated);
        Ok(Expr::Like { operand, pattern, escape, kind, negated, position })
    }

    fn any_all(&mut self, left: ast::Expr, op: BinaryOperator, right: ast::Expr, all: bool) -> Result<Expr> {
        let left = self.boxed(left)?;
        let op = self.infix(op, left.start())?;
        let right = match self.expr(right)? {
            Expr::Subquery { query, .. } => AnyAllSource::Query(query),
            array => AnyAllSource::Array(boxed(array)),
        };
        Ok(Expr::AnyAll { left, op, right, all })
    }

    /// A chain of infix operators, taken apart along its left side without recursion: generated statements have
    /// thousands of ORs.
    fn binary(&mut self, expr: ast::Expr) -> Result<Expr> {
        let mut chain = Vec::new();
        let mut first = expr;
        while let ast::Expr::BinaryOp { left, op, right } = first {
            chain.push((op, *right));
            first = *left;
        }
        let deep =
            chain.iter().filter(|(op, _)| !matches!(op, BinaryOperator::And | BinaryOperator::Or)).count();
        if deep > NESTING_MAX {
            return Err(too_deep());
        }
        give_sums_to_prefix_operators(&mut first, &mut chain);
        // PostgreSQL's comparisons do not associate; parentheses would have made one of them a value.
        let unassociated = chain.windows(2).rposition(|pair| pair.iter().all(|(op, _)| is_comparison(op)));
        let mut left = self.expr(first)?;
        while let Some((op, right)) = chain.pop() {
            if unassociated == Some(chain.len()) {
                let position = self.infix(op.clone(), left.start())?.position;
                return Err(at(SqlError::syntax(format!("syntax error at or near \"{op}\"")), position));
            }
            let right = self.expr(right)?;
            left = match (op, left) {
                (BinaryOperator::Overlaps, left) => {
                    let position = self.take_after(left.start(), |token| is_word(token, "overlaps"));
                    overlaps(left, right, position)?
                }
                (BinaryOperator::And, Expr::And(mut items)) => {
                    items.push(right);
                    Expr::And(items)
                }
                (BinaryOperator::And, left) => Expr::And(vec![left, right]),
                (BinaryOperator::Or, Expr::Or(mut items)) => {
                    items.push(right);
                    Expr::Or(items)
                }
                (BinaryOperator::Or, left) => Expr::Or(vec![left, right]),
                (op, left) => {
                    let op = self.infix(op, left.start())?;
                    Expr::Binary { op, left: boxed(left), right: boxed(right) }
                }
            };
        }
        Ok(left)
    }

    fn unary(&mut self, op: UnaryOperator, operand: ast::Expr) -> Result<Expr> {
        match op {
            UnaryOperator::Not => return Ok(Expr::Not(self.boxed(operand)?)),
            UnaryOperator::Minus | UnaryOperator::Plus => {}
            other => {
                let operand = self.boxed(operand)?;
                let op = self.prefix(other, operand.start());
                return Ok(Expr::Unary { op, operand });
            }
        }
        // PostgreSQL's sign binds tighter than ^, the parser crate's weaker: move it to the leftmost base.
        if let ast::Expr::BinaryOp { left, op: power @ BinaryOperator::PGExp, right } = operand {
            let left = self.nested(|lower| lower.unary(op, *left))?;
            let right = self.boxed(*right)?;
            let op = self.infix(power, left.start())?;
            return Ok(Expr::Binary { op, left: boxed(left), right });
        }
        let operand = self.expr(operand)?;
        let op = self.prefix(op, operand.start());
        match operand {
            // A sign before a signed constant takes it away: `-(-2147483648)` is a bigint.
            Expr::Number { digits, .. } if op.symbol == "-" => {
                let digits = match digits.strip_prefix('-') {
                    Some(digits) => digits.to_owned(),
                    None => format!("-{digits}"),
                };
                Ok(Expr::Number { digits, position: op.position })
            }
            operand => Ok(Expr::Unary { op, operand: boxed(operand) }),
        }
    }

    /// An infix operator whose left operand begins at `start`.
    fn infix(&mut self, op: BinaryOperator, start: u32) -> Result<OperatorName> {
        let position = match &op {
            BinaryOperator::PGCustomBinaryOperator(_) => {
                self.take_after(start, |token| is_word(token, "operator"))
            }
            op => {
                let spelled = op.to_string();
                self.take_after(start, |token| is_operator(token, &spelled))
            }
        };
        Ok(OperatorName { symbol: operator_symbol(op)?, position })
    }

    /// A prefix operator whose operand begins at `start`.
    fn prefix(&mut self, op: UnaryOperator, start: u32) -> OperatorName {
        let symbol = op.to_string();
        let position = self.take_before(start, |token| is_operator(token, &symbol));
        OperatorName { symbol, position }
    }

    /// Where a query begins, as far as the crate tells.
    pub(super) fn query_start(&self, query: &ast::Query) -> u32 {
        if let Some(with) = &query.with {
            return self.lines.position(with.with_token.0.span.start);
        }
        let mut body = &*query.body;
        loop {
            body = match body {
                ast::SetExpr::Select(select) => {
                    return self.lines.position(select.select_token.0.span.start);
                }
                ast::SetExpr::SetOperation { left, .. } => left,
                ast::SetExpr::Query(query) => &query.body,
                _ => return 0,
            };
        }
    }

    fn interval(&mut self, interval: ast::Interval) -> Result<Expr> {
        let ast::Interval {
            value,
            leading_field,
            leading_precision,
            last_field,
            fractional_seconds_precision,
        } = interval;
        let words = [leading_field, last_field].into_iter().flatten();
        let fields: Vec<String> = words.map(|field| field.to_string().to_lowercase()).collect();
        let fields = (!fields.is_empty()).then(|| fields.join(" to "));
        // The precision of SECOND stands with it, whether it is the only field or the last.
        let precision = leading_precision.or(fractional_seconds_precision);
        let target = super::type_name::interval(fields.as_deref(), precision)?;
        let operand = self.expr(*value)?;
        Ok(Expr::Cast { operand: boxed(operand), target, position: 0 })
    }

    fn value(&mut self, value: ast::ValueWithSpan) -> Result<Expr> {
        let ast::ValueWithSpan { value, span } = value;
        let position = self.lines.position(span.start);
        match value {
            Value::Number(digits, false) if digits.contains('_') => Err(at(
                SqlError::syntax(format!("trailing junk after numeric literal at or near \"{digits}\"")),
                position,
            )),
            Value::Number(digits, false) => Ok(Expr::Number { digits, position }),
            Value::SingleQuotedString(value)
            | Value::EscapedStringLiteral(value)
            | Value::UnicodeStringLiteral(value)
            | Value::NationalStringLiteral(value) => self.text_value(value, position),
            Value::DollarQuotedString(ast::DollarQuotedString { value, tag: _ }) => {
                self.text_value(value, position)
            }
            Value::Boolean(value) => Ok(Expr::Bool { value, position }),
            Value::Null => Ok(Expr::Null { position }),
            Value::Placeholder(name) => {
                let number = name.strip_prefix('$').and_then(|digits| digits.parse().ok());
                match number {
                    Some(number) if number > 0 => Ok(Expr::Parameter { number, position }),
                    Some(_) => Err(at(
                        SqlError::new(
                            hexalog_sql_types::SqlState::UNDEFINED_PARAMETER,
                            "there is no parameter $0",
                        ),
                        position,
                    )),
                    None => {
                        Err(at(SqlError::syntax(format!("syntax error at or near \"{name}\"")), position))
                    }
                }
            }
            Value::SingleQuotedByteStringLiteral(_) | Value::HexStringLiteral(_) => {
                Err(at(refuse("a bit string"), position))
            }
            other => Err(at(refuse(format!("the literal {other}")), position)),
        }
    }

    fn text_value(&mut self, value: String, position: u32) -> Result<Expr> {
        if value.contains('\0') {
            let message = "invalid byte sequence for encoding \"UTF8\": 0x00";
            return Err(SqlError::new(hexalog_sql_types::SqlState::CHARACTER_NOT_IN_REPERTOIRE, message));
        }
        Ok(Expr::Text { value, position })
    }

    fn function_expr(&mut self, function: ast::Function) -> Result<Expr> {
        if matches!(function.args, ast::FunctionArguments::None) {
            let name = self.function_name(function.name)?;
            return Ok(Expr::Keyword { name: name.last().to_owned(), position: name.position });
        }
        if let ast::FunctionArguments::Subquery(_) = &function.args {
            let ast::Function { name, args, .. } = function;
            let name = self.function_name(name)?;
            let ast::FunctionArguments::Subquery(query) = args else { unreachable!("matched above") };
            return match name.last() {
                "array" => {
                    Ok(Expr::ArrayQuery { query: Box::new(self.query(*query)?), position: name.position })
                }
                other => Err(refuse(format!("a query as the argument list of {other}"))),
            };
        }
        let mut call = self.function_call(function)?;
        if let Some((name, target)) = clock_keyword(&call) {
            let operand = boxed(Expr::Keyword { name: name.to_owned(), position: call.name.position });
            let Some(Expr::Number { digits, .. }) = call.arguments.pop() else {
                unreachable!("seen just now")
            };
            let mut target = super::tree::TypeName::single(target);
            target.modifiers.push(digits.parse().map_err(|_| SqlError::out_of_range("integer"))?);
            return Ok(Expr::Cast { operand, target, position: 0 });
        }
        if call.name.parts.len() == 1 && call.name.last() == "row" {
            return Ok(Expr::Row { items: call.arguments, position: call.name.position });
        }
        Ok(Expr::Function(Box::new(call)))
    }

    pub(super) fn function_call(&mut self, function: ast::Function) -> Result<FunctionCall> {
        let ast::Function {
            name,
            uses_odbc_syntax,
            parameters,
            args,
            within_group,
            filter,
            null_treatment,
            over,
        } = function;
        refuse_if(uses_odbc_syntax, "ODBC function syntax")?;
        refuse_if(!matches!(parameters, ast::FunctionArguments::None), "a parametric aggregate")?;
        let name = self.function_name(name)?;
        if null_treatment.is_some() {
            return Err(self.foreign_word(name.position, &["nulls"]));
        }
        let filter = filter.map(|filter| self.expr(*filter)).transpose()?;
        let mut call = FunctionCall { filter, ..FunctionCall::plain(name, Vec::new()) };
        if let ast::FunctionArguments::List(list) = args {
            self.argument_list(list, &mut call)?;
        }
        // Behind the arguments, as it stands: positions are found in this order.
        if !within_group.is_empty() {
            self.within_group(within_group, &mut call)?;
        }
        if let Some(over) = over {
            call.over = Some(self.over(over, call.name.position)?);
        }
        Ok(call)
    }

    fn argument_list(&mut self, list: ast::FunctionArgumentList, call: &mut FunctionCall) -> Result<()> {
        let ast::FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        call.distinct = matches!(duplicate_treatment, Some(ast::DuplicateTreatment::Distinct));
        for clause in clauses {
            match clause {
                ast::FunctionArgumentClause::OrderBy(items) => call.order_by = self.order_items(items)?,
                ast::FunctionArgumentClause::Limit(_) => {
                    return Err(self.foreign_word(call.name.position, &["limit"]));
                }
                ast::FunctionArgumentClause::IgnoreOrRespectNulls(_) => {
                    return Err(self.foreign_word(call.name.position, &["ignore", "respect"]));
                }
                other => return Err(refuse(format!("{other} inside a function call"))),
            }
        }
        call.star |= self.arguments(args, call)?;
        Ok(())
    }

    fn within_group(&mut self, items: Vec<ast::OrderByExpr>, call: &mut FunctionCall) -> Result<()> {
        let fault = if !call.order_by.is_empty() {
            Some("cannot use multiple ORDER BY clauses with WITHIN GROUP")
        } else if call.distinct {
            Some("cannot use DISTINCT with WITHIN GROUP")
        } else {
            None
        };
        if let Some(fault) = fault {
            let position = self.take_after(call.name.position, |token| is_word(token, "within"));
            return Err(at(SqlError::syntax(fault), position));
        }
        call.order_by = self.order_items(items)?;
        call.within_group = true;
        Ok(())
    }

    /// `None` is `*`.
    pub(super) fn function_argument(&mut self, argument: ast::FunctionArg) -> Result<Option<Expr>> {
        match argument {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => self.expr(expr).map(Some),
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) => Ok(None),
            ast::FunctionArg::Unnamed(other) => Err(refuse(format!("the argument {other}"))),
            ast::FunctionArg::Named { .. } | ast::FunctionArg::ExprNamed { .. } => {
                Err(refuse("a named argument"))
            }
        }
    }

    pub(super) fn order_items(&mut self, items: Vec<ast::OrderByExpr>) -> Result<Vec<OrderItem>> {
        items.into_iter().map(|item| self.order_item(item)).collect()
    }

    /// The direction that an operator orders by.
    fn descends(&self, operator: &ast::ObjectName) -> Result<bool> {
        let schema = operator.0.iter().rev().nth(1).map(ToString::to_string);
        if schema.is_some_and(|schema| schema != "pg_catalog") {
            return Err(refuse("ORDER BY … USING an operator of a schema"));
        }
        match operator.0.last().map(ToString::to_string).as_deref() {
            Some("<") => Ok(false),
            Some(">") => Ok(true),
            other => {
                let message =
                    format!("operator {} is not a valid ordering operator", other.unwrap_or_default());
                Err(SqlError::new(SqlState::WRONG_OBJECT_TYPE, message).with_hint(
                    "Ordering operators must be \"<\" or \">\" members of btree operator families.",
                ))
            }
        }
    }

    /// What a mark was put around.
    fn marked(&mut self, function: ast::Function) -> Result<Expr> {
        let call = self.function_call(function)?;
        let [item] = <[Expr; 1]>::try_from(call.arguments)
            .map_err(|_| SqlError::internal("a mark is put around one item"))?;
        Ok(item)
    }

    fn order_item(&mut self, item: ast::OrderByExpr) -> Result<OrderItem> {
        let ast::OrderByExpr { expr, options, with_fill } = item;
        refuse_if(with_fill.is_some(), "WITH FILL")?;
        let ast::OrderByOptions { sort, nulls_first } = options;
        let descending = match sort {
            None | Some(ast::OrderBySort::Asc) => false,
            Some(ast::OrderBySort::Desc) => true,
            Some(ast::OrderBySort::Using(operator)) => self.descends(&operator)?,
        };
        Ok(OrderItem { expr: self.expr(expr)?, descending, nulls_first })
    }
}

/// `(a, b) OVERLAPS (c, d)` is a call of four arguments.
fn overlaps(left: Expr, right: Expr, position: u32) -> Result<Expr> {
    let pair = |side: Expr, word: &str| match side {
        Expr::Row { items, .. } if items.len() == 2 => Ok(items),
        _ => {
            let message = format!("wrong number of parameters on {word} side of OVERLAPS expression");
            Err(at(SqlError::syntax(message), position))
        }
    };
    let mut arguments = pair(left, "left")?;
    arguments.extend(pair(right, "right")?);
    let name = Name { parts: vec!["pg_catalog".to_owned(), "overlaps".to_owned()], position };
    Ok(Expr::Function(Box::new(FunctionCall::plain(name, arguments))))
}

/// `current_time(3)` and its kin: the key word and the type that takes the precision.
fn clock_keyword(call: &FunctionCall) -> Option<(&'static str, &'static str)> {
    let [name] = call.name.parts.as_slice() else { return None };
    let found = match name.as_str() {
        "current_time" => ("current_time", "timetz"),
        "current_timestamp" => ("current_timestamp", "timestamptz"),
        "localtime" => ("localtime", "time"),
        "localtimestamp" => ("localtimestamp", "timestamp"),
        _ => return None,
    };
    matches!(call.arguments.as_slice(), [Expr::Number { .. }]).then_some(found)
}

/// The beginning of an expression, for an error that names it.
fn summary(expr: &ast::Expr) -> String {
    let text = expr.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
