//! SQL/JSON path: the language of type `jsonpath`.
//!
//! Owns the tree. `lex.rs` and `parse.rs` read it, `print.rs` prints it, `evaluate.rs` runs it with `method.rs`, `compare.rs`
//! and `keyvalue.rs`. The meaning is that of PostgreSQL 15, to the order of its results and the words of its errors.

mod compare;
mod evaluate;
mod keyvalue;
mod lex;
mod method;
mod moment;
mod parse;
mod print;

pub use evaluate::{Call, exists, matches, query};

use crate::numeric::Numeric;
use crate::operator::regex::search::Pattern;
use std::sync::Arc;

/// A path expression.
#[derive(Clone, Debug)]
pub struct JsonPath {
    /// Structural errors are no errors, and arrays unwrap by themselves.
    pub(crate) lax: bool,
    pub(crate) root: Item,
}

/// One item of a chain: `$`, `.a`, `[*]`, an operator with its operands; what follows applies to what it gives.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub kind: Kind,
    pub next: Option<Box<Item>>,
}

impl Item {
    pub(crate) fn new(kind: Kind) -> Item {
        Item { kind, next: None }
    }

    /// Hangs a further item at the end of the chain.
    pub(crate) fn append(&mut self, last: Item) {
        let mut end = self;
        while end.next.is_some() {
            end = end.next.as_mut().expect("just seen");
        }
        end.next = Some(Box::new(last));
    }
}

/// Levels of `.**`: `u32::MAX` is `last`.
pub(crate) const LAST_LEVEL: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Numeric),
    String(Box<str>),
    Variable(Box<str>),
    Root,
    Current,
    Last,
    Binary {
        op: Binary,
        left: Box<Item>,
        right: Box<Item>,
    },
    Unary {
        op: Sign,
        operand: Box<Item>,
    },
    Not(Box<Item>),
    IsUnknown(Box<Item>),
    Exists(Box<Item>),
    LikeRegex {
        operand: Box<Item>,
        pattern: Box<str>,
        flags: RegexFlags,
        regex: Arc<Pattern>,
    },
    Key(Box<str>),
    AnyKey,
    AnyArray,
    /// Subscripts, each perhaps up to another.
    Index(Vec<(Item, Option<Item>)>),
    /// `.**{first to last}`.
    Any {
        first: u32,
        last: u32,
    },
    Filter(Box<Item>),
    Method(Method),
    Datetime(Option<Box<str>>),
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    And,
    Or,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    StartsWith,
}

impl Binary {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Binary::And => "&&",
            Binary::Or => "||",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::Greater => ">",
            Binary::LessOrEqual => "<=",
            Binary::GreaterOrEqual => ">=",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Modulo => "%",
            Binary::StartsWith => "starts with",
        }
    }

    pub(crate) fn is_arithmetic(self) -> bool {
        matches!(self, Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo)
    }
}

/// A sign in front of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

/// Methods without arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Type,
    Size,
    Abs,
    Floor,
    Ceiling,
    Double,
    KeyValue,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Type => "type",
            Method::Size => "size",
            Method::Abs => "abs",
            Method::Floor => "floor",
            Method::Ceiling => "ceiling",
            Method::Double => "double",
            Method::KeyValue => "keyvalue",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Method> {
        let all = [
            Method::Type,
            Method::Size,
            Method::Abs,
            Method::Floor,
            Method::Ceiling,
            Method::Double,
            Method::KeyValue,
        ];
        all.into_iter().find(|method| method.name() == name)
    }
}

/// Flags of `like_regex`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RegexFlags {
    pub ignore_case: bool,
    /// A dot matches a newline.
    pub dot_all: bool,
    pub anchors_lines: bool,
    pub expanded: bool,
    pub literal: bool,
}
