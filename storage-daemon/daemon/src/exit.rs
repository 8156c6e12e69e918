//! Why the daemon ends: one exit code for each reason that a script or an operator may want to tell apart.
//!
//! Codes 0 to 13 are the same numbers as those of `hexalog`; what only a storage daemon can meet starts at 30.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Declares the codes with their explanations, so that `--help` and the code cannot differ.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)+) => {
        /// How the daemon ended.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Code { $(#[doc = $text] $name = $code),+ }

        const CODES: &[(u8, &str)] = &[$(($code, $text)),+];
    };
}

codes! {
    Stopped = 0, "stopped cleanly by SIGTERM or SIGINT, or formatted";
    Failed = 1, "anything without a code of its own; the message says what";
    Usage = 2, "the command line makes no sense";
    AddressInUse = 10, "a port is in use";
    DirectoryInUse = 11, "a directory or block device is in use by another process or holds something else";
    PermissionDenied = 12, "a permission is missing";
    Insecure = 13, "an address beyond loopback without --insecure-no-auth";
    OtherDevice = 30, "the device was formatted for another node, or with other sizes, or has shrunk";
    NoDirectIo = 31, "the file system does not support O_DIRECT (see --buffered)";
    NoIoUring = 32, "the kernel has no io_uring, or forbids it";
    MemoryLock = 33, "RLIMIT_MEMLOCK is too low";
    NoSpace = 34, "no space left on the file system, or the block device is too small";
    DeviceFailed = 35, "no shard could go on: its device failed or cannot be read";
    Unclean = 36, "told to stop, but the device or a client did not let it finish in time";
    Bug = 37, "a thread panicked, which is a bug";
    NotFormatted = 38, "there is no device: it is not mounted, or was never formatted";
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// The table of codes, for `--help`.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n");
    for (code, meaning) in CODES {
        writeln!(text, "  {code:>3}  {meaning}").expect("writing to a string does not fail");
    }
    text
}

/// Why the daemon cannot go on.
#[derive(Debug)]
pub struct Failure {
    /// For scripts.
    pub code: Code,
    /// For people: what failed, and what to do.
    pub message: String,
}

impl Failure {
    /// With a code of its own.
    pub fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    /// An error of the file system at `path`.
    pub fn io(action: &str, path: &Path, error: &io::Error) -> Failure {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::PermissionDenied,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::NoSpace,
            _ => Code::Failed,
        };
        Failure::new(code, format!("cannot {action} {}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_in_the_help() {
        let distinct: BTreeSet<u8> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(distinct.len(), CODES.len());
        for (code, meaning) in CODES {
            assert!(help().contains(&format!("{code:>3}  {meaning}")));
        }
    }

    #[test]
    fn errors_of_the_file_system_get_their_code() {
        for (errno, code) in [
            (13, Code::PermissionDenied),
            (30, Code::PermissionDenied),
            (28, Code::NoSpace),
            (5, Code::Failed),
        ] {
            let failure = Failure::io("write", Path::new("/x"), &io::Error::from_raw_os_error(errno));
            assert_eq!(failure.code, code, "errno {errno}");
        }
    }
}
