//! Exit codes: each reason that a script may want to tell apart has its own. Those of the storage daemon are the
//! same numbers up to 13; what only a daemon can meet starts at 30. What to do about each: `docs/operations.md`.

use std::fmt::Write;
use std::process::ExitCode;

/// Declares the codes with their explanations, so that `--help` and the code cannot differ.
macro_rules! codes {
    ($($name:ident = $code:literal, $text:literal;)+) => {
        /// How a command ended.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Code { $(#[doc = $text] $name = $code),+ }

        impl Code {
            /// All of them.
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(Code::$name => $text),+ }
            }
        }
    };
}

codes! {
    Ok = 0, "ended as asked";
    Failed = 1, "anything without a code of its own; the message says what";
    Usage = 2, "the command line makes no sense, or contradicts what is fixed";
    AddressInUse = 10, "an address is in use";
    DirectoryInUse = 11, "a directory or block device is in use by another process or holds something else";
    PermissionDenied = 12, "a permission is missing";
    Insecure = 13, "an address beyond loopback without --insecure-no-auth";
    Metadata = 14, "metadata cannot be read or is not ours";
    Volume = 15, "no such volume, or its content cannot be used";
    Fenced = 16, "fenced: another compute opened the volume";
    Unreachable = 17, "no connection to the server, or it was lost";
    StatementFailed = 18, "a statement failed";
    Degraded = 19, "something is wrong with the cluster; the output names it";
    Bug = 37, "a thread panicked, which is a bug";
}

/// Codes of `hexalog compute`.
pub const OF_COMPUTE: &[Code] = &[
    Code::Ok,
    Code::Failed,
    Code::Usage,
    Code::AddressInUse,
    Code::PermissionDenied,
    Code::Insecure,
    Code::Metadata,
    Code::Volume,
    Code::Fenced,
    Code::Bug,
];
/// Codes of `hexalog local` itself.
pub const OF_LOCAL: &[Code] = &[
    Code::Ok,
    Code::Failed,
    Code::Usage,
    Code::AddressInUse,
    Code::DirectoryInUse,
    Code::PermissionDenied,
    Code::Insecure,
    Code::Metadata,
];
/// Codes of `hexalog sql`.
pub const OF_SQL: &[Code] = &[
    Code::Ok,
    Code::Usage,
    Code::PermissionDenied,
    Code::Metadata,
    Code::Volume,
    Code::Unreachable,
    Code::StatementFailed,
];
/// Codes of `hexalog status`.
pub const OF_STATUS: &[Code] =
    &[Code::Ok, Code::Usage, Code::PermissionDenied, Code::Metadata, Code::Volume, Code::Degraded];

/// A table of codes, for `--help`.
pub fn help(codes: &[Code]) -> String {
    let mut text = String::from("Exit codes:\n");
    for code in codes {
        writeln!(text, "  {:>3}  {}", *code as u8, code.meaning())
            .expect("writing to a string does not fail");
    }
    text
}

/// The table of `hexalog local`: its own codes, and those of a child that does not start.
pub fn help_local() -> String {
    help(OF_LOCAL)
        + "       a child that does not start: that child's own code (see `hexalog daemon --help`)\n"
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// Why a command ends early: what to say, and the code.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub code: u8,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code: code as u8, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Code and meaning of each table row of the operator's manual that begins with a number.
    fn documented() -> Vec<(u8, String)> {
        let manual = include_str!("../../docs/operations.md");
        let rows = manual.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let code = cells.next()?.trim().parse().ok()?;
            let (meaning, what_to_do) = (cells.next()?, cells.next()?);
            assert!(what_to_do.len() > 3, "{line}: what to do about it");
            Some((code, meaning.replace('`', "")))
        });
        rows.collect()
    }

    /// The daemon's codes, from its own help.
    fn of_daemon() -> Vec<(u8, String)> {
        let help = hexalogd::exit::help();
        let rows = help.lines().filter_map(|line| line.trim().split_once("  "));
        rows.filter_map(|(code, meaning)| Some((code.parse().ok()?, meaning.to_owned()))).collect()
    }

    #[test]
    fn the_manual_lists_every_code_of_every_binary() {
        let documented = documented();
        for code in Code::ALL {
            let expected = (*code as u8, code.meaning().to_owned());
            assert!(
                documented.contains(&expected),
                "{expected:?} is not in docs/operations.md: {documented:?}"
            );
        }
        let of_daemon = of_daemon();
        assert!(of_daemon.len() > 10, "{of_daemon:?}");
        for (code, meaning) in of_daemon.into_iter().filter(|(code, _)| *code >= 30) {
            let expected = (code, meaning.replace(" (see --buffered)", ""));
            assert!(
                documented.contains(&expected),
                "{expected:?} is not in docs/operations.md: {documented:?}"
            );
        }
    }
}
