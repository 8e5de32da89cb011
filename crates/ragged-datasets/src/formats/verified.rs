//! Files that are read back before they appear.

use std::path::Path;

use crate::dataset::Dataset;
use crate::error::{Location, Result};
use crate::formats::format::Format;
use crate::formats::options::ReadOptions;
use crate::formats::read::read;
use crate::formats::task::Task;
use crate::formats::write::write_if;
use crate::in_memory::InMemory;

/// Writes a data set as [`write`](crate::formats::write) does, and reads it back before the file appears.
///
/// The file must have the same examples: values, tokens, static values and targets, with the names of the sequences
/// and of the features where the format has them. Returns the task with which they are read, if the file does not say
/// it: a table, for instance, does not tell class names that are numbers from numbers.
///
/// # Errors
///
/// As [`write`](crate::formats::write), and [`Error::Parse`](crate::Error::Parse) if the examples do not come back.
///
/// ```
/// use ragged_datasets::formats::{self, Format, ReadOptions, Task};
///
/// let lines = b"{\"sequence\": [1, 2], \"target\": \"7\"}\n{\"sequence\": [3], \"target\": \"9\"}\n";
/// let data = formats::parse(lines, Format::JsonLines, &ReadOptions::default(), None)?;
/// let folder = tempfile::tempdir()?;
/// let needed = formats::write_verified(&folder.path().join("data.csv"), &data)?;
/// assert_eq!(needed, Some(Task::Classification));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_verified(path: &Path, dataset: &InMemory) -> Result<Option<Task>> {
    write_if(path, dataset, |written, format| {
        let comes_back = |task: Option<Task>| {
            let options = ReadOptions { format: Some(format), task, ..ReadOptions::default() };
            let back = read(written, &options);
            back.is_ok_and(|back| same(&back, dataset, format))
        };
        let task = Task::of(dataset.target_kind());
        if comes_back(None) {
            return Ok(None);
        }
        if task.is_some() && comes_back(task) {
            return Ok(task);
        }
        let format = format.name();
        let reason = format!(
            "the {format} format does not hold these sequences: they are read back differently"
        );
        Err(Location::Whole.error(reason).in_file(path))
    })
}

/// Whether a file has the examples of a data set.
fn same(back: &InMemory, dataset: &InMemory, format: Format) -> bool {
    let holds_names = format != Format::Ts;
    let ids = dataset.ids().filter(|_| holds_names);
    let names = dataset.feature_names().filter(|_| holds_names);
    let same_kind = Task::of(back.target_kind()) == Task::of(dataset.target_kind());
    same_kind
        && ids.is_none_or(|ids| back.ids() == Some(ids))
        && names.is_none_or(|names| back.feature_names() == Some(names))
        && back.fingerprint() == dataset.fingerprint()
}
