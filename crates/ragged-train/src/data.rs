//! From the data section of a configuration to data sets: those of a run, and others for its model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ragged_datasets::formats::{self, Format, ReadOptions};
use ragged_datasets::synthetic::{Synthetic, SyntheticConfig};
use ragged_datasets::transforms::{Pipeline, Transformed};
use ragged_datasets::{
    Augmented, Dataset, FixedLengthSums, FixedLengthSumsConfig, TargetKind, VariableLengthSums,
    VariableLengthSumsConfig, split,
};

use crate::config::{DataSection, SumsSection};
use crate::{Error, Result};

/// A data set of any kind.
pub type AnyDataset = Arc<dyn Dataset>;

/// The examples of a run, transformed alike.
pub struct Datasets {
    /// What the parameters are fitted to.
    pub train: AnyDataset,
    /// What chooses the best epoch, if there is any.
    pub valid: Option<AnyDataset>,
    /// What the result is measured on, once.
    pub test: AnyDataset,
    /// The transforms, fitted to the training examples alone.
    pub transforms: Pipeline,
}

impl Datasets {
    /// Reads or sets up the examples.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that is missing, with the place where it is to be had;
    /// [`Error::Data`] for one that is malformed.
    pub fn open(section: &DataSection, seed: u64) -> Result<Self> {
        let (train, valid, test) =
            if section.is_generated() { generated(section, seed)? } else { files(section, seed)? };
        let configs = section.transforms.as_deref().unwrap_or_default();
        let pipeline = Arc::new(Pipeline::fit(configs, &train)?);
        let transformed = |data: AnyDataset| -> Result<AnyDataset> {
            Ok(Arc::new(Transformed::new(data, pipeline.clone())?))
        };
        let valid = valid.map(transformed).transpose()?;
        let (mut train, test) = (transformed(train)?, transformed(test)?);
        if !section.augment.is_none() {
            train = Arc::new(Augmented::new(train, section.augment, seed)?);
        }
        Ok(Self { train, valid, test, transforms: (*pipeline).clone() })
    }

    /// What is predicted.
    pub fn targets(&self) -> &TargetKind {
        self.train.target_kind()
    }
}

/// A run's own test examples as they are in the file, their targets of the kind that the run learnt.
pub(crate) fn test_data(section: &DataSection, seed: u64, kind: &TargetKind) -> Result<AnyDataset> {
    if section.is_generated() {
        return Ok(generated(section, seed)?.2);
    }
    match paths(section)? {
        (_, Some(test)) => Ok(Arc::new(formats::read_as(&test, &section.read, kind)?)),
        (whole, None) => Ok(share(&whole, section, seed, kind)?.1),
    }
}

/// All examples of another file or folder, the test examples of another set of the archive, or sums
/// that the run has not seen.
pub(crate) fn other_data(
    section: &DataSection,
    dataset: &str,
    seed: u64,
    kind: &TargetKind,
) -> Result<AnyDataset> {
    let section = DataSection { dataset: dataset.into(), ..section.clone() };
    if section.is_generated() || !is_path(dataset) {
        return test_data(&section, seed, kind);
    }
    present(Path::new(dataset), None)?;
    Ok(Arc::new(formats::read_as(Path::new(dataset), &section.read, kind)?))
}

/// The sequences of a file or folder, whatever targets it has.
pub(crate) fn input_data(path: &Path, read: &ReadOptions) -> Result<AnyDataset> {
    present(path, None)?;
    Ok(Arc::new(formats::read_as(path, read, &TargetKind::NONE)?))
}

type Three = (AnyDataset, Option<AnyDataset>, AnyDataset);

/// Training, validation and test examples from three seeds that no two runs share by accident.
fn generated(section: &DataSection, seed: u64) -> Result<Three> {
    if let Some(section) = section.synthetic.as_ref().filter(|_| !section.is_sums()) {
        let held_out_lengths = section.held_out_lengths.unwrap_or(section.lengths);
        let make = |part: u64, num_samples: usize, redraw: bool| -> Result<AnyDataset> {
            let lengths = if part == 0 { section.lengths } else { held_out_lengths };
            let (task, seed) = (section.task, seed.wrapping_mul(3).wrapping_add(part));
            let config = SyntheticConfig { task, num_samples, lengths, seed, redraw };
            Ok(Arc::new(Synthetic::new(config)?))
        };
        let held_out = section.held_out;
        let train = make(0, section.num_samples, section.redraw)?;
        return Ok((train, Some(make(1, held_out, false)?), make(2, held_out, false)?));
    }
    let variable = section.dataset == "variable-sums";
    let section = section.sums.clone().unwrap_or_default();
    let SumsSection { seq_length, input_size, held_out, .. } = section;
    let make = |part: u64, num_samples: usize, redraw: bool| -> Result<AnyDataset> {
        let seed = seed.wrapping_mul(3).wrapping_add(part);
        Ok(if variable {
            let max_seq_length = seq_length;
            let config =
                VariableLengthSumsConfig { num_samples, max_seq_length, input_size, seed, redraw };
            Arc::new(VariableLengthSums::new(config)?)
        } else {
            let config =
                FixedLengthSumsConfig { num_samples, seq_length, input_size, seed, redraw };
            Arc::new(FixedLengthSums::new(config)?)
        })
    };
    let train = make(0, section.num_samples, section.redraw)?;
    Ok((train, Some(make(1, held_out, false)?), make(2, held_out, false)?))
}

/// The share of a file without a `_TEST` file beside it that is held out for the test.
const TEST_SHARE: f64 = 0.2;

fn files(section: &DataSection, seed: u64) -> Result<Three> {
    let (path, test) = paths(section)?;
    let (train, test): (AnyDataset, AnyDataset) = match test {
        Some(test) => {
            let train = formats::read(&path, &section.read)?;
            // The classes keep the indices that they have in the training file.
            let data = formats::read_as(&test, &section.read, train.target_kind())?;
            if data.features() != train.features() {
                let (expected, got) = (train.features(), data.features());
                let reason = format!("expected {expected} features, as of training, got {got}");
                return Err(Error::file(&test, reason));
            }
            (Arc::new(train), Arc::new(data))
        }
        None => {
            let kind = formats::read(&path, &section.read)?.target_kind().clone();
            share(&path, section, seed, &kind)?
        }
    };
    if section.valid_fraction == 0.0 {
        return Ok((train, None, test));
    }
    let (train, valid) = split(train, 1.0 - section.valid_fraction, seed.wrapping_add(1))?;
    Ok((Arc::new(train), Some(Arc::new(valid)), test))
}

/// One file as training and test examples.
fn share(
    path: &Path,
    section: &DataSection,
    seed: u64,
    kind: &TargetKind,
) -> Result<(AnyDataset, AnyDataset)> {
    let whole = Arc::new(formats::read_as(path, &section.read, kind)?);
    let (train, test) = split(whole, 1.0 - TEST_SHARE, seed)?;
    Ok((Arc::new(train), Arc::new(test)))
}

/// Whether a data set's name is the path of a file or folder.
fn is_path(dataset: &str) -> bool {
    let path = Path::new(dataset);
    Format::of(path).is_ok() || path.is_dir() || dataset.contains(std::path::MAIN_SEPARATOR)
}

/// The training file, and the test file where there is one.
fn paths(section: &DataSection) -> Result<(PathBuf, Option<PathBuf>)> {
    let dataset = section.dataset.as_str();
    if is_path(dataset) {
        let path = Path::new(dataset);
        present(path, None)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let test = stem.strip_suffix("_TRAIN").map(|stem| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}_TEST.{ending}"))
        });
        return Ok((path.to_path_buf(), test.filter(|test| test.is_file())));
    }
    let file = |part: &str| section.dir.join(format!("{dataset}_{part}.ts"));
    let (train, test) = (file("TRAIN"), file("TEST"));
    present(&train, Some(dataset))?;
    present(&test, Some(dataset))?;
    Ok((train, Some(test)))
}

fn present(path: &Path, name: Option<&str>) -> Result<()> {
    if !path.exists() {
        let hint = name.map_or(String::new(), |name| {
            format!(
                ": fetch it with `cargo xtask download {name}`, or name its folder with --data DIR"
            )
        });
        return Err(Error::file(path, format!("no such file{hint}")));
    }
    Ok(())
}
