//! The binary `hexalog`. Called as `hexalogd` it is the storage daemon, so that one build runs a whole cluster.

use hexalog::{cli, exit, supervised};
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: hexalog_page_memory::PageMemory = hexalog_page_memory::PageMemory;

fn main() -> ExitCode {
    if let Err(message) = supervised::follow_supervisor() {
        eprintln!("hexalog: {message}");
        return exit::Code::Failed.into();
    }
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    let called_as = arguments.first().map(|name| Path::new(name).file_name().unwrap_or_default().to_owned());
    if called_as.is_some_and(|name| name == "hexalogd") {
        return hexalogd::main_with_args(arguments.into_iter());
    }
    // `hexalog daemon ...` is the same from any shell.
    if arguments.get(1).is_some_and(|word| word == "daemon") {
        arguments.splice(..2, [OsString::from("hexalogd")]);
        return hexalogd::main_with_args(arguments.into_iter());
    }
    cli::run(arguments)
}
