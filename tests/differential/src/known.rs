//! Differences that are meant, each with its reason. What stands here is passed over; nothing else is.

/// A difference: part of the statement, or of either server's message, and why it is there.
pub struct Known {
    /// What its statement or message contains.
    pub contains: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known { contains: "BETWEEN SYMMETRIC is not supported", reason: "the parser's tree cannot say it" },
    Known { contains: "an array slice is not supported", reason: "not built yet" },
    Known { contains: "a named argument is not supported", reason: "not built yet" },
    Known { contains: "a bit string is not supported", reason: "bit strings are not built" },
    Known { contains: "GROUPING SETS, CUBE or ROLLUP is not supported", reason: "not built yet" },
    Known { contains: "ordering or grouping by a row is not supported", reason: "not built yet" },
    Known { contains: "MERGE is not supported", reason: "not built yet" },
    Known {
        contains: "function substring is not supported",
        reason: "patterns of SQL in substring are not built",
    },
    Known {
        contains: "what groups match in a regular expression with",
        reason: "which of several matches the groups are of is a rule of PostgreSQL's own engine",
    },
    Known {
        contains: "generate_series from an infinite timestamp is not supported",
        reason: "it never ends",
    },
    Known {
        contains: "back reference in regular expressions is not supported",
        reason: "automata cannot look back",
    },
    Known {
        contains: "lookaround in regular expressions is not supported",
        reason: "automata cannot look around",
    },
    Known {
        contains: "a non-greedy quantifier beside alternatives or repeated groups in a regular expression is not supported",
        reason: "which of several matches PostgreSQL prefers there is a rule of its own engine",
    },
    Known {
        contains: "regular expression option \"",
        reason: "expressions of other kinds than advanced ones",
    },
    Known {
        contains: "function bool(smallint) does not exist",
        reason: "bool() is a cast here, and smallint has none; PostgreSQL has a function for integer",
    },
    Known {
        contains: "){0}",
        reason: "a group that is never entered is none to the crate of regular expressions",
    },
    Known {
        contains: "FULL JOIN is only supported with merge-joinable",
        reason: "other conditions are joined by here",
    },
    Known {
        contains: "select trunc(null)",
        reason: "PostgreSQL's is ambiguous through types that there are not",
    },
    Known { contains: "cbrt(27)", reason: "the last digit of the C library's" },
    Known { contains: "AT TIME ZONE", reason: "the parser takes it behind BETWEEN" },
    Known { contains: "SELECT char(", reason: "the parser takes a type for a function" },
];

/// The reason for a difference, if it is meant.
pub fn reason(statement: &str, messages: &[&str]) -> Option<&'static str> {
    let is_it = |known: &&Known| {
        statement.contains(known.contains) || messages.iter().any(|message| message.contains(known.contains))
    };
    KNOWN.iter().find(is_it).map(|known| known.reason)
}
