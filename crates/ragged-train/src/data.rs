//! From the data section of a configuration to the three data sets of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ragged_datasets::formats::{self, Format, ReadOptions};
use ragged_datasets::transforms::{Pipeline, TransformConfig, Transformed};
use ragged_datasets::{
    Dataset, FixedLengthSums, FixedLengthSumsConfig, TargetKind, VariableLengthSums,
    VariableLengthSumsConfig, split,
};

use crate::config::{DataSection, SumsSection};
use crate::{Error, Result};

/// A data set of any kind.
pub type AnyDataset = Arc<dyn Dataset>;

/// The examples of a run, scaled alike.
pub struct Datasets {
    /// What the parameters are fitted to.
    pub train: AnyDataset,
    /// What chooses the best epoch, if there is any.
    pub valid: Option<AnyDataset>,
    /// What the result is measured on, once.
    pub test: AnyDataset,
    /// The scaling, fitted to the training examples alone.
    pub standardize: Option<Pipeline>,
}

impl Datasets {
    /// Reads or sets up the examples.
    ///
    /// # Errors
    ///
    /// [`Error::File`] for a file that is missing, with the place where it is to be had;
    /// [`Error::Data`] for one that is malformed.
    pub fn open(section: &DataSection, seed: u64) -> Result<Self> {
        let (train, valid, test) = match section.dataset.as_str() {
            name @ ("variable-sums" | "fixed-sums") => {
                let sums = section.sums.clone().unwrap_or_default();
                sums_of(name == "variable-sums", &sums, seed)?
            }
            _ => files(section, seed)?,
        };
        if section.standardize != Some(true) {
            return Ok(Self { train, valid, test, standardize: None });
        }
        let scale = Arc::new(Pipeline::fit(&[TransformConfig::Standardize], &train)?);
        let scaled = |data: AnyDataset| -> Result<AnyDataset> {
            Ok(Arc::new(Transformed::new(data, scale.clone())?))
        };
        let valid = valid.map(scaled).transpose()?;
        Ok(Self {
            train: scaled(train)?,
            valid,
            test: scaled(test)?,
            standardize: Some((*scale).clone()),
        })
    }

    /// What is predicted.
    pub fn targets(&self) -> &TargetKind {
        self.train.target_kind()
    }
}

type Three = (AnyDataset, Option<AnyDataset>, AnyDataset);

/// Training, validation and test examples from three seeds that no two runs share by accident.
fn sums_of(variable: bool, section: &SumsSection, seed: u64) -> Result<Three> {
    let make = |part: u64, num_samples: usize, redraw: bool| -> Result<AnyDataset> {
        let seed = seed.wrapping_mul(3).wrapping_add(part);
        let (steps, input_size) = (section.seq_length, section.input_size);
        Ok(if variable {
            let max_seq_length = steps;
            let config =
                VariableLengthSumsConfig { num_samples, max_seq_length, input_size, seed, redraw };
            Arc::new(VariableLengthSums::new(config)?)
        } else {
            let seq_length = steps;
            let config =
                FixedLengthSumsConfig { num_samples, seq_length, input_size, seed, redraw };
            Arc::new(FixedLengthSums::new(config)?)
        })
    };
    let held_out = section.held_out;
    let train = make(0, section.num_samples, section.redraw)?;
    Ok((train, Some(make(1, held_out, false)?), make(2, held_out, false)?))
}

/// The share of a file without a `_TEST` file beside it that is held out for the test.
const TEST_SHARE: f64 = 0.2;

fn files(section: &DataSection, seed: u64) -> Result<Three> {
    let (train, test) = paths(section)?;
    let options = ReadOptions::default();
    let train = formats::read(&train, &options)?;
    let (train, test): (AnyDataset, AnyDataset) = match test {
        Some(test) => {
            // The classes keep the indices that they have in the training file.
            let data = formats::read_as(&test, &options, train.target_kind())?;
            if data.features() != train.features() {
                let (expected, got) = (train.features(), data.features());
                let reason = format!("expected {expected} features, as of training, got {got}");
                return Err(Error::file(&test, reason));
            }
            (Arc::new(train), Arc::new(data))
        }
        None => {
            let (train, test) = split(Arc::new(train), 1.0 - TEST_SHARE, seed)?;
            (Arc::new(train), Arc::new(test))
        }
    };
    if section.valid_fraction == 0.0 {
        return Ok((train, None, test));
    }
    let (train, valid) = split(train, 1.0 - section.valid_fraction, seed.wrapping_add(1))?;
    Ok((Arc::new(train), Some(Arc::new(valid)), test))
}

/// The training file, and the test file where there is one.
fn paths(section: &DataSection) -> Result<(PathBuf, Option<PathBuf>)> {
    let dataset = section.dataset.as_str();
    let path = Path::new(dataset);
    if Format::of(path).is_ok() || path.is_dir() {
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
    let source = format!("https://timeseriesclassification.com/aeon-toolkit/{dataset}.zip");
    present(&train, Some(&source))?;
    present(&test, Some(&source))?;
    Ok((train, Some(test)))
}

fn present(path: &Path, source: Option<&str>) -> Result<()> {
    if !path.exists() {
        let hint = source.map_or(String::new(), |url| {
            format!(": unpack {url} there, or name its folder with --data DIR")
        });
        return Err(Error::file(path, format!("no such file{hint}")));
    }
    Ok(())
}
