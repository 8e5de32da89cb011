//! The series of a forecast: from files or generated, split in time.

use std::path::PathBuf;

use ragged_datasets::formats::{self, ReadOptions, Schema};
use ragged_datasets::synthetic::{Synthetic, SyntheticConfig};
use ragged_datasets::{
    Dataset, Example, Forecast, ForecastConfig, ForecastParts, InMemory, Target, TargetKind,
};
use ragged_sequence::random::derive_seed;

use crate::config::error::ConfigError;
use crate::config::sections::DataSection;
use crate::config::validate_forecast::forecast_error;
use crate::error::{Error, Result};
use crate::run::data_files::{check_unchanged, paths};
use crate::run::data_fingerprint::{DataFingerprint, DataFingerprints};

/// Reads or generates the series, splits them in time, and returns the parts, the content of the file, and notes.
pub(crate) fn open_forecast(
    section: &DataSection,
    config: &ForecastConfig,
    seed: u64,
) -> Result<(ForecastParts, DataFingerprints, Vec<String>)> {
    let mut fingerprints = DataFingerprints::default();
    let series = match generated(section, seed)? {
        Some(series) => series,
        None => {
            let series = formats::read(&one_file(section)?, &read_options(section))?;
            fingerprints.train = Some(DataFingerprint::of(&series));
            series
        }
    };
    let mut notes = series.notes().to_vec();
    if series.target_kind() != &TargetKind::NONE {
        let note = "forecast: the targets of the file are not used, but the columns of data.forecast.targets";
        notes.push(note.into());
    }
    let count = series.len();
    let parts = Forecast::split(series, config, section.valid_fraction).map_err(forecast_error)?;
    notes.extend(describe(&parts, config, count));
    notes.extend(parts.notes.iter().cloned());
    notes.extend(note_missing(&parts.past));
    Ok((parts, fingerprints, notes))
}

/// Returns the windows of the test part of the series of a configuration, whose content must be what is expected.
pub(crate) fn test_windows(
    section: &DataSection,
    config: &ForecastConfig,
    seed: u64,
    schema: &Schema,
    expected: &DataFingerprints,
) -> Result<Forecast> {
    let split = |series| Ok(Forecast::split(series, config, section.valid_fraction)?.test);
    if let Some(series) = generated(section, seed)? {
        return split(series);
    }
    let path = one_file(section)?;
    let (read, schema) = input_format(section, schema);
    let series = formats::read_as(&path, &read, schema)?;
    let got = DataFingerprint::of(&series);
    let unchanged = check_unchanged("training and test data", expected.train.as_ref(), Some(&got));
    unchanged.and_then(|()| split(series)).map_err(Error::in_file(&path))
}

/// Returns how files without targets are read: the options, and the schema of their sequences for a run with this
/// schema. The input of a model of forecasts has a feature more than the series.
pub(crate) fn input_format(section: &DataSection, schema: &Schema) -> (ReadOptions, Schema) {
    let mut schema = schema.clone().without_targets();
    if section.forecast.is_some() {
        schema.features.as_mut().map(Vec::pop);
    }
    (read_options(section), schema)
}

/// Returns the options of files. All columns of series to forecast are features.
fn read_options(section: &DataSection) -> ReadOptions {
    let mut read = section.read.clone();
    if section.forecast.is_some() {
        read.csv.targets = Some(vec![]);
    }
    read
}

/// Returns the one file of the series.
fn one_file(section: &DataSection) -> Result<PathBuf> {
    match paths(section)? {
        (path, None) => Ok(path),
        (path, Some(test)) => {
            let message = format!(
                "data.dataset is {} with {} next to it, but data.forecast splits series in time: expected one file",
                path.display(),
                test.display()
            );
            Err(ConfigError::conflict("data.dataset", message).into())
        }
    }
}

/// Generates series, the same in every epoch. `None` if the data are not generated.
fn generated(section: &DataSection, seed: u64) -> Result<Option<InMemory>> {
    // Other data may take the place of those of the configuration.
    let Some(section) = section.synthetic.as_ref().filter(|_| section.dataset == "synthetic")
    else {
        return Ok(None);
    };
    let (task, lengths, num_samples) = (section.task, section.lengths, section.num_samples);
    let seed = derive_seed(seed, 0);
    let config = SyntheticConfig { task, num_samples, lengths, seed, redraw: false };
    let synthetic = Synthetic::new(config)?;
    let series = |index| {
        let sequence = synthetic.get(0, index)?.sequence;
        Ok(Example::new(sequence, Target::Values(vec![])))
    };
    let examples = (0..num_samples).map(series).collect::<Result<_>>()?;
    let names = synthetic.feature_names().map(<[String]>::to_vec);
    let series = InMemory::new(examples, TargetKind::NONE)?.with_feature_names(names)?;
    Ok(Some(series))
}

/// Describes the columns and the windows of each part.
fn describe(parts: &ForecastParts, config: &ForecastConfig, series: usize) -> [String; 2] {
    let list = |names: Vec<String>| match names.is_empty() {
        true => "none".to_string(),
        false => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    };
    let test = &parts.test;
    let columns = format!(
        "forecast: the next {} steps of {} from up to {} steps of history; known in advance: {}; other columns: {}",
        config.horizon,
        list(test.target_names()),
        config.window,
        list(test.known_names()),
        list(test.other_names()),
    );
    let valid = parts.valid.as_ref().map(|valid| format!(", {} for validation", valid.len()));
    let windows = format!(
        "forecast: {} windows for training{}, {} for the test, of {series} series split in time",
        parts.train.len(),
        valid.unwrap_or_default(),
        test.len(),
    );
    [columns, windows]
}

/// Notes missing values in the past of the series, which the transforms fill.
fn note_missing(past: &InMemory) -> Option<String> {
    let values = || past.examples().iter().flat_map(|example| example.sequence.values());
    let missing = values().filter(|value| value.is_nan()).count();
    let all = values().count() / past.features() * (past.features() - 1);
    (missing > 0).then(|| {
        format!("forecast: {missing} of {all} values of the training part are missing; data.transforms fills them")
    })
}
