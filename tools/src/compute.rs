//! `hexalog compute`: command line to compute process, its errors to exit codes.

use crate::cli::{ComputeArgs, check_loopback};
use crate::cluster::{check_metadata, metadata_code};
use crate::exit::{Code, Failure};
use hexalog_server::ServerOptions;
use hexalog_server::compute::{ComputeError, ComputeOptions};
use hexalog_server::isolation::end_process_on_panic;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Runs until it is told to stop or is fenced.
pub fn run(arguments: &ComputeArgs) -> Result<Code, Failure> {
    check_loopback(arguments.listen, arguments.insecure_no_auth)?;
    let metadata = arguments.cluster.metadata();
    check_metadata(&metadata)?;
    end_process_on_panic(i32::from(Code::Bug as u8));
    let workers = arguments.workers.map_or_else(cores, NonZeroUsize::get);
    let options = ComputeOptions {
        metadata,
        volume: arguments.cluster.volume.clone(),
        listen: arguments.listen,
        cache_bytes: arguments.cache_bytes,
        temporary_bytes_max: arguments.temporary_bytes,
        server: ServerOptions {
            workers,
            connections_max: arguments.max_connections.get(),
            old_snapshot_threshold: arguments
                .old_snapshot_threshold
                .map(|seconds| Duration::from_secs(u64::from(seconds.get()))),
            prepared_transactions_max: arguments.max_prepared_transactions,
            ..ServerOptions::default()
        },
    };
    match hexalog_server::compute::run(&options) {
        Ok(()) => Ok(Code::Ok),
        Err(error) => Err(Failure::new(code_of(&error), error.to_string())),
    }
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn code_of(error: &ComputeError) -> Code {
    match error {
        ComputeError::AddressInUse(_) => Code::AddressInUse,
        ComputeError::Listen(_, error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Code::PermissionDenied
        }
        ComputeError::Listen(..) | ComputeError::System(_) => Code::Failed,
        ComputeError::Metadata(error) => metadata_code(error),
        ComputeError::UnknownVolume(_) | ComputeError::Volume(_) => Code::Volume,
        ComputeError::Fenced => Code::Fenced,
    }
}
