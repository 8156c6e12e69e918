//! Finding a cluster that exists: its metadata, what is in it, and errors in words.

use crate::cli::ClusterArgs;
use crate::exit::{Code, Failure};
use crate::local::METADATA;
use hexalog_cluster::catalog::{Catalog, ChangeError};
use hexalog_cluster::{Location, MetadataError, Opening};
use hexalog_protocol::VolumeId;

impl ClusterArgs {
    /// The metadata that is meant.
    pub fn metadata(&self) -> Location {
        self.metadata.clone().unwrap_or_else(|| Location::Sqlite(self.data_dir.join(METADATA)))
    }
}

/// Refuses a file that is not there; where it would be made is named, since mostly the directory is another one.
pub fn check_metadata(metadata: &Location) -> Result<(), Failure> {
    let Some(file) = metadata.file() else { return Ok(()) };
    if file.try_exists().unwrap_or(true) {
        return Ok(());
    }
    let message = format!(
        "there is no cluster: {} does not exist. `hexalog local` makes one; --data-dir names the directory of another",
        file.display()
    );
    Err(Failure::new(Code::Metadata, message))
}

/// Opens the metadata of a cluster that exists, and finds a volume.
pub fn open_volume(metadata: &Location, name: &str) -> Result<(Catalog, VolumeId), Failure> {
    check_metadata(metadata)?;
    let catalog = Catalog::new(metadata.open(Opening::Existing).map_err(metadata_failure)?);
    // Records of a newer program are not to be read as if they were known.
    catalog.cluster().map_err(metadata_failure)?;
    let id = catalog.volume_id(name).map_err(|error| match error {
        ChangeError::Store(error) => metadata_failure(error),
        other => Failure::new(Code::Volume, other.to_string()),
    })?;
    Ok((catalog, id))
}

/// A metadata error in words.
pub fn metadata_failure(error: MetadataError) -> Failure {
    Failure::new(metadata_code(&error), error.to_string())
}

/// The exit code of a metadata error.
pub fn metadata_code(error: &MetadataError) -> Code {
    match error {
        MetadataError::PermissionDenied(_) => Code::PermissionDenied,
        _ => Code::Metadata,
    }
}
