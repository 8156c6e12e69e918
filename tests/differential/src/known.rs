//! Differences that are meant, each with its reason. What stands here is passed over; nothing else is.

/// A difference: parts of the statement and of either server's message, both of which have to be there, and why it is.
pub struct Known {
    /// What its statement contains; nothing if the message says enough.
    pub statement: &'static str,
    /// What a message contains; nothing if both answer, and otherwise.
    pub message: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All of them.
pub const KNOWN: &[Known] = &[
    Known {
        statement: "",
        message: "BETWEEN SYMMETRIC is not supported",
        reason: "the parser's tree cannot say it",
    },
    Known { statement: "", message: "a named argument is not supported", reason: "not built yet" },
    Known { statement: "", message: "a bit string is not supported", reason: "bit strings are not built" },
    Known {
        statement: "",
        message: "GROUPING SETS, CUBE or ROLLUP is not supported",
        reason: "not built yet",
    },
    Known {
        statement: "",
        message: "ordering or grouping by a row of unknown columns is not supported",
        reason: "not built yet",
    },
    Known { statement: "", message: "MERGE is not supported", reason: "not built yet" },
    Known {
        statement: "",
        message: "what groups match in a regular expression with",
        reason: "which of several matches the groups are of is a rule of PostgreSQL's own engine",
    },
    Known {
        statement: "",
        message: "generate_series from an infinite timestamp is not supported",
        reason: "it never ends",
    },
    Known {
        statement: "",
        message: "back reference in regular expressions is not supported",
        reason: "automata cannot look back",
    },
    Known {
        statement: "",
        message: "lookaround in regular expressions is not supported",
        reason: "automata cannot look around",
    },
    Known {
        statement: "",
        message: "a non-greedy quantifier beside alternatives or repeated groups in a regular expression is not supported",
        reason: "which of several matches PostgreSQL prefers there is a rule of its own engine",
    },
    Known {
        statement: "",
        message: "regular expression option \"",
        reason: "expressions of other kinds than advanced ones",
    },
    Known {
        statement: "",
        message: "FULL JOIN is only supported with merge-joinable",
        reason: "other conditions are joined by here",
    },
    Known {
        statement: "",
        message: "function trunc(unknown) is not unique",
        reason: "PostgreSQL's is ambiguous through types that there are not",
    },
    Known { statement: "cbrt(27)", message: "", reason: "the last digit of the C library's" },
    Known {
        statement: "AT TIME ZONE",
        message: "syntax error at or near \"AT\"",
        reason: "the parser takes it behind BETWEEN",
    },
    Known {
        statement: "SELECT char(",
        message: "syntax error at or near",
        reason: "the parser takes a type for a function",
    },
];

/// The reason for a difference, if it is meant.
pub fn reason(statement: &str, messages: &[&str]) -> Option<&'static str> {
    let is_it = |known: &&Known| {
        statement.contains(known.statement) && messages.iter().any(|message| message.contains(known.message))
    };
    KNOWN.iter().find(is_it).map(|known| known.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_passed_over_by_its_message_only_with_its_statement() {
        let of_at = "syntax error at or near \"AT\"";
        assert!(reason("SELECT a BETWEEN b AT TIME ZONE c AND d", &[of_at, ""]).is_some());
        assert!(reason("SELECT a AT TIME ZONE c", &["", ""]).is_none());
        assert!(reason("SELECT 1 AT", &[of_at, ""]).is_none());
        assert!(reason("SELECT cbrt(27)", &["", ""]).is_some());
        assert!(reason("SELECT 1", &["", ""]).is_none());
    }
}
