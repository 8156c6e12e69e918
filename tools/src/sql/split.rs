//! Splitting typed input into statements: a semicolon ends one, unless it stands inside something.

/// Where a statement ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatementEnd {
    /// Behind a semicolon, at this byte.
    At(usize),
    /// Not in this text: more is needed, or there is nothing but white space and comments.
    NotYet,
}

/// What the scan stands in.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Inside {
    Code,
    /// A quoted name or text; escapes with backslashes count in `E'…'`.
    Quoted {
        quote: u8,
        has_escapes: bool,
    },
    /// `$tag$ … $tag$`.
    Dollar(String),
    LineComment,
    /// Comments nest in SQL.
    BlockComment(u32),
}

/// Finds the ends of statements in text that grows line by line.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: String,
}

impl Splitter {
    /// Adds text.
    pub fn push(&mut self, text: &str) {
        self.buffer.push_str(text);
    }

    /// Takes the next whole statement, its semicolon included.
    pub fn next_statement(&mut self) -> Option<String> {
        match find_end(&self.buffer) {
            StatementEnd::At(end) => {
                let rest = self.buffer.split_off(end);
                Some(std::mem::replace(&mut self.buffer, rest))
            }
            StatementEnd::NotYet => None,
        }
    }

    /// What is left when no more input comes: a last statement without its semicolon, if there is one.
    pub fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.buffer);
        (!is_blank(&rest)).then_some(rest)
    }

    /// Whether a statement has begun and not ended.
    pub fn is_inside(&self) -> bool {
        !is_blank(&self.buffer)
    }

    /// Takes the rest of what was pushed, for COPY data that follows a statement.
    pub fn take_rest(&mut self) -> String {
        std::mem::take(&mut self.buffer)
    }
}

/// The end of the first statement of `text`.
pub fn find_end(text: &str) -> StatementEnd {
    let bytes = text.as_bytes();
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < bytes.len() {
        if inside == Inside::Code && bytes[at] == b';' {
            return StatementEnd::At(at + 1);
        }
        at += step(text, at, &mut inside);
    }
    StatementEnd::NotYet
}

/// Whether `text` holds nothing but white space and comments.
fn is_blank(text: &str) -> bool {
    let mut inside = Inside::Code;
    let mut at = 0;
    while at < text.len() {
        let was_code = inside == Inside::Code;
        let here = text.as_bytes()[at];
        let width = step(text, at, &mut inside);
        if was_code && inside == Inside::Code && !here.is_ascii_whitespace() {
            return false;
        }
        if matches!(inside, Inside::Quoted { .. } | Inside::Dollar(_)) {
            return false;
        }
        at += width;
    }
    true
}

/// Moves over what stands at `at`; returns how many bytes that is.
fn step(text: &str, at: usize, inside: &mut Inside) -> usize {
    let rest = &text.as_bytes()[at..];
    match inside {
        Inside::Code => step_code(text, at, inside),
        Inside::Quoted { quote, has_escapes } => match rest {
            [b'\\', _, ..] if *has_escapes => 2,
            [first, second, ..] if first == quote && second == quote => 2,
            [first, ..] if first == quote => {
                *inside = Inside::Code;
                1
            }
            _ => 1,
        },
        Inside::Dollar(tag) => {
            if rest.starts_with(tag.as_bytes()) {
                let width = tag.len();
                *inside = Inside::Code;
                return width;
            }
            1
        }
        Inside::LineComment => {
            if rest[0] == b'\n' {
                *inside = Inside::Code;
            }
            1
        }
        Inside::BlockComment(depth) => match rest {
            [b'/', b'*', ..] => {
                *depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                *depth -= 1;
                if *depth == 0 {
                    *inside = Inside::Code;
                }
                2
            }
            _ => 1,
        },
    }
}

fn step_code(text: &str, at: usize, inside: &mut Inside) -> usize {
    let bytes = text.as_bytes();
    match &bytes[at..] {
        [quote @ (b'\'' | b'"'), ..] => {
            let before = at.checked_sub(1).map(|before| bytes[before]);
            let has_escapes = *quote == b'\'' && matches!(before, Some(b'e' | b'E'));
            *inside = Inside::Quoted { quote: *quote, has_escapes };
            1
        }
        [b'-', b'-', ..] => {
            *inside = Inside::LineComment;
            2
        }
        [b'/', b'*', ..] => {
            *inside = Inside::BlockComment(1);
            2
        }
        [b'$', ..] => {
            let follows_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
            match dollar_tag(&text[at..]).filter(|_| !follows_name) {
                Some(tag) => {
                    *inside = Inside::Dollar(tag.to_owned());
                    tag.len()
                }
                None => 1,
            }
        }
        _ => 1,
    }
}

/// `$tag$` at the front of `text`.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 1;
    let tag = &text[1..end];
    let is_name = |tag: &str| {
        tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit())
    };
    is_name(tag).then(|| &text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_they_should() {
        let check = |text: &str, expected: &[&str]| {
            let mut splitter = Splitter::default();
            splitter.push(text);
            let mut found = Vec::new();
            while let Some(statement) = splitter.next_statement() {
                found.push(statement.trim().to_owned());
            }
            found.extend(splitter.finish().map(|rest| rest.trim().to_owned()));
            assert_eq!(found, expected, "{text}");
        };
        check("", &[]);
        check(" -- nothing;\n /* ; /* ; */ ; */ ", &[]);
        check("select 1; select 2", &["select 1;", "select 2"]);
        check("select ';', \";\" ;", &["select ';', \";\" ;"]);
        check("select 'it''s;'; x", &["select 'it''s;';", "x"]);
        check(r"select E'\';'; x", &[r"select E'\';';", "x"]);
        check(r"select '\'; x", &[r"select '\';", "x"]);
        check("do $$ a; b $$; do $x$ $$; $x$;", &["do $$ a; b $$;", "do $x$ $$; $x$;"]);
        check("select $1; select a$b$c; x", &["select $1;", "select a$b$c;", "x"]);
        check("select 1 -- one;\n; x", &["select 1 -- one;\n;", "x"]);
        check("select 'ü;'; 'x", &["select 'ü;';", "'x"]);
    }
}
