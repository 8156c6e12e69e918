//! `hexalog local`: a whole cluster on one machine.
//!
//! Owns a data directory ([`data_dir`]), makes the cluster in it at the first start ([`creation`]) and runs its
//! processes ([`child`], [`supervise`]). It only supervises: each part is a process of its own that could be
//! started by hand, and no request of a client passes through here.

mod child;
mod creation;
mod data_dir;
mod supervise;

use crate::cli::{LocalArgs, check_loopback};
use crate::exit::{Code, Failure};
use data_dir::DataDir;
pub use data_dir::METADATA;

/// Name of the one volume.
pub const VOLUME: &str = "main";

/// Runs the cluster until it is told to stop.
pub fn run(arguments: &LocalArgs) -> Result<Code, Failure> {
    check_loopback(arguments.listen, arguments.insecure_no_auth)?;
    if !DataDir::has_metadata(&arguments.data_dir) {
        creation::check_sizes(arguments)?;
    }
    let data_dir = DataDir::lock(&arguments.data_dir)?;
    creation::check_port_is_free(arguments.listen)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Code::Failed, format!("cannot start: {error}")))?;
    runtime.block_on(supervise::run(arguments, &data_dir))
}
