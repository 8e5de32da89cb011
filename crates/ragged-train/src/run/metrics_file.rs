//! `metrics.jsonl`: one line of JSON per epoch.
//!
//! The checkpoints contain the records too. So the file can be checked and written anew when a run resumes.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::atomic_file::{read_regular, write_atomically};
use crate::error::{Error, Result};
use crate::fit::record::EpochRecord;

/// Appends the records of epochs to `metrics.jsonl`.
#[derive(Debug)]
pub(crate) struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Opens the file with the lines of the records in it. Lines after them were written after the
    /// checkpoint from which the run resumes, and will be written again.
    pub(crate) fn open(path: PathBuf, records: &[EpochRecord]) -> Result<Self> {
        let expected = text(records)?;
        let intact = read(&path)?.starts_with(expected.as_bytes());
        if !intact {
            write_atomically(&path, expected.as_bytes())?;
        }
        let failed = Error::io(&path);
        let file = File::options().create(true).append(true).open(&path).map_err(&failed)?;
        let bytes = expected.len() as u64;
        if file.metadata().map_err(&failed)?.len() > bytes {
            file.set_len(bytes).map_err(&failed)?;
        }
        drop(failed);
        Ok(Self { path, file })
    }

    /// Appends a line.
    pub(crate) fn append(&mut self, record: &EpochRecord) -> Result<()> {
        let line = line(record)?;
        self.file.write_all(line.as_bytes()).map_err(Error::io(&self.path))
    }

    /// Waits until all lines are on disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))
    }
}

/// Returns the number of the first line of the file, from 1, that is not the one of its record.
pub(crate) fn first_damaged_line(path: &Path, records: &[EpochRecord]) -> Result<Option<usize>> {
    let found = read(path)?;
    let mut found = found.split_inclusive(|&byte| byte == b'\n');
    for (k, record) in records.iter().enumerate() {
        if found.next() != Some(line(record)?.as_bytes()) {
            return Ok(Some(k + 1));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    if path.exists() { read_regular(path) } else { Ok(vec![]) }
}

fn line(record: &EpochRecord) -> Result<String> {
    Ok(serde_json::to_string(record)? + "\n")
}

fn text(records: &[EpochRecord]) -> Result<String> {
    records.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::metrics::Metrics;

    fn record(epoch: usize) -> EpochRecord {
        let loss = 0.1 * epoch as f64;
        let train = Metrics { loss, others: vec![("r2".into(), f64::NAN)] };
        let (lr, grad_norm, largest_grad_norm) = (0.01, f64::INFINITY, 2.0);
        let updates = epoch as u64;
        EpochRecord { epoch, updates, lr, grad_norm, largest_grad_norm, train, valid: None }
    }

    /// A flipped bit once cost the run its result, and a shorter file could not be resumed.
    #[test]
    fn a_damaged_file_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let records: Vec<EpochRecord> = (1..=3).map(record).collect();
        let whole = text(&records).unwrap();
        let later = whole.clone() + &line(&record(4)).unwrap();
        let flipped = whole.replacen("epoch", "eqoch", 1);
        let cases = [
            (later.as_str(), None),
            (&whole, None),
            (&whole[..whole.len() - 9], Some(3)),
            (&flipped, Some(1)),
            ("", Some(1)),
        ];
        for (content, damaged) in cases {
            std::fs::write(&path, content).unwrap();
            assert_eq!(first_damaged_line(&path, &records).unwrap(), damaged, "{content}");
            let mut file = MetricsFile::open(path.clone(), &records).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), whole, "{content}");
            file.append(&record(4)).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), later);
        }
        std::fs::remove_file(&path).unwrap();
        MetricsFile::open(path.clone(), &records).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    }
}
