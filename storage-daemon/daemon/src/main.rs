//! The binary `hexalogd`: see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    hexalogd::main_with_args(std::env::args_os())
}
