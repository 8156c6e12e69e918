//! The binary `hexalog-bench`: see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    hexalog_bench::main_with_args(std::env::args_os())
}
