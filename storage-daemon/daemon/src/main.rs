//! The binary `hexalogd`: see the library of the same name.

use std::process::ExitCode;

#[global_allocator]
static MEMORY: hexalog_page_memory::PageMemory = hexalog_page_memory::PageMemory;

fn main() -> ExitCode {
    hexalogd::main_with_args(std::env::args_os())
}
