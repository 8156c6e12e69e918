//! The binary `hexalog-bench`: see the library of the same name. Called as `hexalogd` it is the storage daemon, so that
//! the target `volume` can start six of them without another binary at hand.

use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: hexalog_page_memory::PageMemory = hexalog_page_memory::PageMemory;

fn main() -> ExitCode {
    let called_as = std::env::args_os().next();
    if called_as.is_some_and(|name| Path::new(&name).file_name().is_some_and(|name| name == "hexalogd")) {
        return hexalogd::main_with_args(std::env::args_os());
    }
    hexalog_bench::main_with_args(std::env::args_os())
}
