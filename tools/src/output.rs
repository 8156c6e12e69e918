//! Standard output of commands that people pipe into others.

use std::io::{ErrorKind, Write};

/// Prints. If nobody reads any more (`hexalog sql … | head`) the process ends without a word, as SIGPIPE ends other
/// programs; Rust's `println!` would panic.
pub fn print(text: impl AsRef<[u8]>) {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_ref()).and_then(|()| out.flush());
    if let Err(error) = printed {
        if error.kind() != ErrorKind::BrokenPipe {
            eprintln!("hexalog: cannot print: {error}");
        }
        std::process::exit(i32::from(error.kind() != ErrorKind::BrokenPipe));
    }
}
