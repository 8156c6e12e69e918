//! Temporary files of statements that work on more than `work_mem`.
//!
//! Owns [`TemporaryFiles`], a directory in which files are made and unlinked at once: they are gone with whoever has them open, however
//! that ends. A process that dies between the two leaves an empty file. Calls block the worker; `hexalog_sql::spill` bounds them.

use hexalog_sql::spill::{SpillError, SpillFile, SpillSpace};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// Makes temporary files in a directory.
#[derive(Debug)]
pub struct TemporaryFiles {
    directory: PathBuf,
}

impl TemporaryFiles {
    /// In this directory, which need not be there before a file is wanted.
    pub fn new(directory: PathBuf) -> TemporaryFiles {
        TemporaryFiles { directory }
    }
}

impl Default for TemporaryFiles {
    /// Where the system has temporary files: `TMPDIR`, or `/tmp`.
    fn default() -> TemporaryFiles {
        TemporaryFiles::new(std::env::temp_dir())
    }
}

struct OpenFile(File);

impl SpillSpace for TemporaryFiles {
    fn create(&self) -> Result<Box<dyn SpillFile>, SpillError> {
        let number = crate::session::random_u64();
        let path = self.directory.join(format!("hexalog-{}-{number:016x}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(spill_error)?;
        std::fs::remove_file(&path).map_err(spill_error)?;
        Ok(Box::new(OpenFile(file)))
    }
}

impl SpillFile for OpenFile {
    fn append(&self, at: u64, bytes: &[u8]) -> Result<(), SpillError> {
        self.0.write_all_at(bytes, at).map_err(spill_error)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<(), SpillError> {
        self.0.read_exact_at(out, at).map_err(spill_error)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn spill_error(error: std::io::Error) -> SpillError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => SpillError::Full,
        _ => SpillError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_no_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = TemporaryFiles::new(directory.path().to_owned());
        let file = files.create().expect("creates");
        file.append(0, b"abc").expect("writes");
        file.append(3, b"def").expect("writes");
        let mut out = [0; 4];
        file.read(1, &mut out).expect("reads");
        assert_eq!(&out, b"bcde");
        assert_eq!(std::fs::read_dir(directory.path()).expect("lists").count(), 0);
        assert!(matches!(file.read(4, &mut out), Err(SpillError::Failed(_))));
    }

    #[test]
    fn a_full_disk_is_told_from_other_errors() {
        let full = OpenFile(OpenOptions::new().write(true).open("/dev/full").expect("opens"));
        assert_eq!(full.append(0, b"x"), Err(SpillError::Full));
        let nowhere = TemporaryFiles::new("/nowhere".into());
        assert!(matches!(nowhere.create(), Err(SpillError::Failed(why)) if why.starts_with("No such file")));
    }
}
