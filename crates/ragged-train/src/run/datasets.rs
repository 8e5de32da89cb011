//! From the `[data]` section of a configuration to data sets: those of a run, and others for its model.

use std::path::Path;
use std::sync::Arc;

use ragged_datasets::formats::{self, Column, Schema};
use ragged_datasets::synthetic::{Synthetic, SyntheticConfig};
use ragged_datasets::tokens::TokenEncoder;
use ragged_datasets::transforms::{Pipeline, Transformed, fit};
use ragged_datasets::{
    Augmented, Dataset, FixedLengthSums, FixedLengthSumsConfig, Forecast, InMemory, TargetKind,
    VariableLengthSums, VariableLengthSumsConfig, split,
};
use ragged_sequence::random::derive_seed;

use crate::atomic_file::create_directory;
use crate::config::sections::DataSection;
use crate::config::synthetic_sections::SumsSection;
use crate::error::{Error, Result};
use crate::run::data_files::{check_exists, check_unchanged, find, is_path, paths};
use crate::run::data_fingerprint::DataFingerprints;
use crate::run::forecast_data::{input_format, open_forecast, test_windows};
use crate::run::input_check::check_inputs;
use crate::run::source::{NewIndex, Source};
use crate::run::tokenizer::with_tokenizer;
use crate::run::tokens::{encode_tokens, fit_tokens, vocabulary_notes};

/// A data set of any type.
pub type AnyDataset = Arc<dyn Dataset>;

/// The training, validation and test data of a run, with the same transforms.
///
/// ```
/// use ragged_train::ExperimentConfig;
/// use ragged_train::run::Datasets;
///
/// let config = ExperimentConfig::parse("[data.sums]\nnum_samples = 30\nheld_out = 10\n", &[])?;
/// let datasets = Datasets::open(&config.data, config.seed)?;
/// assert_eq!((datasets.train.len(), datasets.test.len()), (30, 10));
/// # Ok::<(), ragged_train::Error>(())
/// ```
pub struct Datasets {
    /// The training data.
    pub train: AnyDataset,
    /// The validation data, which determine the best epoch, if there are any.
    pub valid: Option<AnyDataset>,
    /// The test data, used once at the end.
    pub test: AnyDataset,
    /// The transforms, fitted to the training data only.
    pub transforms: Pipeline,
    /// The vocabularies of tokens, fitted to the training data only.
    pub encoder: TokenEncoder,
    /// The kind of targets and the names of the features, by which later files are read.
    pub schema: Schema,
    /// For forecasts, the windows of the test data before the transforms.
    pub forecast: Option<Arc<Forecast>>,
    /// The content of the files.
    pub fingerprints: DataFingerprints,
    /// What the columns of the training file are read as; none for generated data and forecasts.
    pub columns: Vec<Column>,
    /// Notes on how the files were read: what is predicted, and for instance columns that were left out.
    pub notes: Vec<String>,
    /// What is known of streamed files and not saved yet.
    indexes: Vec<NewIndex>,
}

impl Datasets {
    /// Reads or generates the data.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] and [`Error::MissingDataset`] for a file that is missing, [`Error::Data`] for a
    /// file that is malformed.
    pub fn open(section: &DataSection, seed: u64) -> Result<Self> {
        Self::open_with(&*with_tokenizer(section)?, false, seed)
    }

    /// Reads or generates the data. `characters` is whether tokens are also read character by character. The file of
    /// the tokenizer has been read.
    pub(crate) fn open_with(section: &DataSection, characters: bool, seed: u64) -> Result<Self> {
        let opened = Opened::of(section, seed)?;
        let Opened { splits, past, forecast, files } = opened;
        let Files { mut fingerprints, mut notes, columns, indexes } = files;
        fingerprints.tokenizer = section.read.tokenizer_file.as_ref().map(|file| file.sha256());
        let (train, valid, test) = splits;
        let schema = Schema::of(&train);
        let fitted_to = past.as_ref().unwrap_or(&train);
        let configs = section.transforms.as_deref().unwrap_or_default();
        let pipeline = Arc::new(fit(configs, fitted_to)?);
        let encoder = Arc::new(fit_tokens(section, characters, fitted_to)?);
        notes.extend(vocabulary_notes(&encoder));
        let mut prepared = |data: AnyDataset, part: Option<&str>| -> Result<AnyDataset> {
            let data = Arc::new(Transformed::new(data, pipeline.clone())?);
            encode_tokens(data, &encoder, part, &mut notes)
        };
        // A vocabulary that was fitted to the training data has all of their tokens, unless they are rare.
        let given = section.read.tokenizer_file.is_some().then_some("training data");
        let mut train = prepared(train, given)?;
        let valid = valid.map(|valid| prepared(valid, Some("validation data"))).transpose()?;
        let test = prepared(test, Some("test data"))?;
        if !section.generates_held_out() {
            let mut parts: Vec<(_, &dyn Dataset)> = vec![(Some("training data"), &train)];
            parts
                .extend(valid.iter().map(|valid| (Some("validation data"), valid as &dyn Dataset)));
            parts.push((Some("test data"), &test));
            check_inputs(&parts)?;
        }
        if !section.augment.is_none() {
            train = Arc::new(Augmented::new(train, section.augment, seed)?);
        }
        let (transforms, encoder) = ((*pipeline).clone(), (*encoder).clone());
        Ok(Self {
            train,
            valid,
            test,
            transforms,
            encoder,
            schema,
            forecast,
            fingerprints,
            columns,
            notes,
            indexes,
        })
    }

    /// Saves what is known of streamed files in the folder of a run, so that later commands need not read them to open
    /// them.
    pub(crate) fn write_indexes(&self, folder: &Path) -> Result<()> {
        if !self.indexes.is_empty() {
            create_directory(folder)?;
        }
        self.indexes.iter().try_for_each(|index| index.write(folder))
    }

    /// Returns the kind of targets.
    pub fn targets(&self) -> &TargetKind {
        self.train.target_kind()
    }
}

impl std::fmt::Debug for Datasets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datasets")
            .field("train", &self.train.len())
            .field("valid", &self.valid.as_ref().map(|valid| valid.len()))
            .field("test", &self.test.len())
            .field("targets", self.targets())
            .field("transforms", &self.transforms)
            .finish()
    }
}

/// The data of a run before the transforms.
struct Opened {
    splits: Splits,
    /// The data to which transforms and vocabularies are fitted, if they are not the training examples.
    past: Option<AnyDataset>,
    forecast: Option<Arc<Forecast>>,
    files: Files,
}

impl Opened {
    fn of(section: &DataSection, seed: u64) -> Result<Self> {
        if let Some(config) = &section.forecast {
            let (parts, fingerprints, notes) = open_forecast(section, config, seed)?;
            let valid = parts.valid.map(|valid| Arc::new(valid) as AnyDataset);
            let test = Arc::new(parts.test);
            let splits: Splits = (Arc::new(parts.train), valid, test.clone());
            let (past, forecast) = (Some(Arc::new(parts.past) as AnyDataset), Some(test));
            let files = Files { fingerprints, notes, ..Files::default() };
            return Ok(Self { splits, past, forecast, files });
        }
        let (splits, files) = match section.is_generated() {
            true => (generated(section, seed)?, Files::default()),
            false => files(section, seed)?,
        };
        Ok(Self { splits, past: None, forecast: None, files })
    }
}

/// Returns the test data of a run before the transforms, with targets of the kind it was trained on. They must have
/// the content that is `expected`.
pub(crate) fn test_data(
    section: &DataSection,
    seed: u64,
    schema: &Schema,
    expected: &DataFingerprints,
) -> Result<AnyDataset> {
    if let Some(config) = &section.forecast {
        return Ok(Arc::new(test_windows(section, config, seed, schema, expected)?));
    }
    if section.is_generated() {
        return Ok(generated(section, seed)?.2);
    }
    match paths(section)? {
        (_, Some(path)) => {
            let test = Source::open(section, TEST_INDEX, &path, Some(schema))?;
            check_unchanged("test data", expected.test.as_ref(), Some(&test.fingerprint))
                .map_err(Error::in_file(&path))?;
            Ok(test.data)
        }
        (path, None) => {
            let whole = Source::open(section, TRAIN_INDEX, &path, Some(schema))?;
            let got = Some(&whole.fingerprint);
            check_unchanged("training and test data", expected.train.as_ref(), got)
                .map_err(Error::in_file(&path))?;
            Ok(hold_out(whole.data, seed)?.1)
        }
    }
}

/// Returns all examples of another file or directory, the test examples of another set of the archive,
/// or newly generated examples. Of series that are forecast, it returns the windows of their test parts.
pub(crate) fn other_data(
    section: &DataSection,
    dataset: &str,
    seed: u64,
    schema: &Schema,
) -> Result<AnyDataset> {
    let section = DataSection { dataset: dataset.into(), ..section.clone() };
    if section.is_generated() || section.forecast.is_some() || !is_path(dataset) {
        return test_data(&section, seed, schema, &DataFingerprints::default());
    }
    check_exists(Path::new(dataset), None)?;
    Ok(Source::open(&section, OTHER_INDEX, Path::new(dataset), Some(schema))?.data)
}

/// Returns the sequences of a file or directory without their targets.
pub(crate) fn input_data(path: &Path, section: &DataSection, schema: &Schema) -> Result<InMemory> {
    check_exists(path, None)?;
    let (read, schema) = input_format(section, schema);
    Ok(formats::read_as(path, &read, schema)?)
}

/// Training, validation and test data.
type Splits = (AnyDataset, Option<AnyDataset>, AnyDataset);

/// The indices from which the seeds of the parts of a data set are derived.
const TRAIN: usize = 0;
const VALID: usize = 1;
const TEST: usize = 2;

/// Generates training, validation and test data, each from its own seed.
fn generated(section: &DataSection, seed: u64) -> Result<Splits> {
    if let Some(section) = section.synthetic.as_ref().filter(|_| !section.is_sums()) {
        let held_out_lengths = section.held_out_lengths.unwrap_or(section.lengths);
        let generate = |part: usize, num_samples: usize, redraw: bool| -> Result<AnyDataset> {
            let lengths = if part == TRAIN { section.lengths } else { held_out_lengths };
            let (task, seed) = (section.task, derive_seed(seed, part));
            let config = SyntheticConfig { task, num_samples, lengths, seed, redraw };
            Ok(Arc::new(Synthetic::new(config)?))
        };
        let held_out = section.held_out;
        let train = generate(TRAIN, section.num_samples, section.redraw)?;
        return Ok((
            train,
            Some(generate(VALID, held_out, false)?),
            generate(TEST, held_out, false)?,
        ));
    }
    let variable = section.dataset == "variable-sums";
    let section = section.sums.clone().unwrap_or_default();
    let SumsSection { seq_length, input_size, held_out, .. } = section;
    let generate = |part: usize, num_samples: usize, redraw: bool| -> Result<AnyDataset> {
        let seed = derive_seed(seed, part);
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
    let train = generate(TRAIN, section.num_samples, section.redraw)?;
    Ok((train, Some(generate(VALID, held_out, false)?), generate(TEST, held_out, false)?))
}

/// The names of the indexes of streamed files.
const TRAIN_INDEX: &str = "train";
const VALID_INDEX: &str = "valid";
const TEST_INDEX: &str = "test";
/// Of data that are not those of the run, whose index is never saved.
const OTHER_INDEX: &str = "other";

/// The fraction of a file that is held out for the test, where there is no `_TEST` file.
const TEST_FRACTION: f64 = 0.2;

/// The files of a run as they were read.
#[derive(Default)]
struct Files {
    fingerprints: DataFingerprints,
    /// How they were read.
    notes: Vec<String>,
    /// The columns of the training file.
    columns: Vec<Column>,
    indexes: Vec<NewIndex>,
}

/// Reads the files.
fn files(section: &DataSection, seed: u64) -> Result<(Splits, Files)> {
    let (path, test) = paths(section)?;
    let mut files = Files::default();
    let train = Source::open(section, TRAIN_INDEX, &path, None)?;
    files.notes.push(train.target_summary);
    files.notes.extend(train.cache_note);
    files.notes.extend_from_slice(train.data.notes());
    files.columns = train.columns;
    files.fingerprints.train = Some(train.fingerprint);
    files.indexes.extend(train.index);
    let (train, test) = match test {
        Some(path) => {
            // The classes keep the indices of the training file, and the features its order.
            let test = other_part(section, TEST_INDEX, &path, &train.data)?;
            let notes = test.data.notes().iter();
            files.notes.extend(notes.filter(|note| !train.data.notes().contains(note)).cloned());
            files.fingerprints.test = Some(test.fingerprint);
            files.indexes.extend(test.index);
            (train.data, test.data)
        }
        None => hold_out(train.data, seed)?,
    };
    if let Some(valid) = &section.valid {
        let path = find(section, valid);
        check_exists(&path, None)?;
        let valid = other_part(section, VALID_INDEX, &path, &train)?;
        files.fingerprints.valid = Some(valid.fingerprint);
        files.indexes.extend(valid.index);
        return Ok(((train, Some(valid.data), test), files));
    }
    if section.valid_fraction == 0.0 {
        return Ok(((train, None, test), files));
    }
    let (train, valid) = split(train, 1.0 - section.valid_fraction, derive_seed(seed, VALID))?;
    Ok(((Arc::new(train), Some(Arc::new(valid)), test), files))
}

/// Reads a file of examples that are not trained on, which must have the features of those that are.
fn other_part(
    section: &DataSection,
    part: &'static str,
    path: &Path,
    train: &AnyDataset,
) -> Result<Source> {
    let source = Source::open(section, part, path, Some(&Schema::of(train)))?;
    let (expected, got) = (train.features(), source.data.features());
    match got == expected {
        true => Ok(source),
        false => Err(Error::in_file(path)(Error::Features { expected, got })),
    }
}

/// Splits the examples of one file into training and test data.
fn hold_out(whole: AnyDataset, seed: u64) -> Result<(AnyDataset, AnyDataset)> {
    let (train, test) = split(whole, 1.0 - TEST_FRACTION, derive_seed(seed, TEST))?;
    Ok((Arc::new(train), Arc::new(test)))
}
