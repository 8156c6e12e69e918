//! Exit codes: each reason that a script may want to tell apart has its own. Those of the storage daemon are the
//! same numbers.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Code {
    /// All went well.
    Ok = 0,
    /// Anything without a code of its own.
    Failed = 1,
    /// The command line makes no sense (clap's own code).
    Usage = 2,
    /// A port is taken by another process.
    AddressInUse = 10,
    /// The directory is used by another process or another cluster.
    DirectoryInUse = 11,
    /// The user may not read or write what is needed.
    PermissionDenied = 12,
    /// The command refused to listen beyond the loopback interface without `--insecure-no-auth`.
    Insecure = 13,
    /// Metadata cannot be used.
    Metadata = 14,
    /// The volume does not exist or its content cannot be used.
    Volume = 15,
    /// Another compute process has opened the volume. Never restarted by itself.
    Fenced = 16,
    /// A server could not be reached.
    Unreachable = 17,
    /// A statement of `hexalog sql` failed.
    StatementFailed = 18,
    /// `hexalog status`: something is wrong with the cluster (a daemon is missing, a quorum is lost).
    Degraded = 19,
    /// A thread panicked, which is a bug.
    Bug = 37,
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
