//! Windows of forecasts against a plain reference, their split in time, and that no future value is an input.

use proptest::prelude::*;
use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions};
use ragged_datasets::transforms::{TransformConfig, Transformed, fit};
use ragged_datasets::{
    Dataset, Example, Forecast, ForecastConfig, InMemory, Sequence, Target, TargetKind,
};

const NAN: f32 = f32::NAN;

/// The columns of the series: `a` and `c` are predicted, `b` is known in advance, `d` is neither.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const KNOWN: [bool; 4] = [false, true, false, false];

type Step = [f32; 4];

fn config(window: usize, horizon: usize, stride: usize) -> ForecastConfig {
    let targets = Some(vec!["a".into(), "c".into()]);
    ForecastConfig {
        stride,
        targets,
        known: vec!["b".into()],
        ..ForecastConfig::new(window, horizon)
    }
}

fn series(all: &[Vec<Step>]) -> InMemory {
    let example = |steps: &Vec<Step>| {
        let sequence = Sequence::new(steps.concat(), 4).unwrap();
        Example::new(sequence, Target::Values(vec![]))
    };
    let data = InMemory::new(all.iter().map(example).collect(), TargetKind::NONE).unwrap();
    data.with_feature_names(Some(NAMES.map(String::from).to_vec())).unwrap()
}

/// A value that says its series, step and column.
fn counted(lengths: &[usize]) -> Vec<Vec<Step>> {
    let step = |k: usize, t: usize| [0, 1, 2, 3].map(|column| (1000 * k + 10 * t + column) as f32);
    lengths.iter().enumerate().map(|(k, &n)| (0..n).map(|t| step(k, t)).collect()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| if v.is_nan() { u32::MAX } else { v.to_bits() }).collect()
}

fn targets(example: &Example) -> &[f32] {
    let Target::StepValues(values) = &example.target else { panic!("values per step") };
    values.values()
}

/// The window that begins its forecast at `origin`, written step by step.
fn reference(steps: &[Step], origin: usize, window: usize, horizon: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut input, mut target) = (vec![], vec![]);
    for (t, step) in steps.iter().enumerate().take(origin + horizon) {
        if t + window < origin {
            continue;
        }
        for column in 0..4 {
            let seen = t < origin || KNOWN[column];
            input.push(if seen { step[column] } else { NAN });
        }
        input.push(if t < origin { 0.0 } else { 1.0 });
        target.extend(if t < origin { [NAN; 2] } else { [step[0], step[2]] });
    }
    (input, target)
}

#[track_caller]
fn check(part: &Forecast, all: &[Vec<Step>], origins: &[(usize, usize)], config: &ForecastConfig) {
    let found: Vec<_> = (0..part.len()).map(|index| part.origin(index).unwrap()).collect();
    assert_eq!(found, origins);
    for (index, &(k, origin)) in origins.iter().enumerate() {
        let example = part.get(0, index).unwrap();
        let (input, target) = reference(&all[k], origin, config.window, config.horizon);
        assert_eq!(bits(example.sequence.values()), bits(&input), "series {k}, origin {origin}");
        assert_eq!(bits(targets(&example)), bits(&target), "series {k}, origin {origin}");
        assert_eq!(part.length(0, index).unwrap(), example.sequence.len());
        part.target_kind().check(index, example.sequence.len(), &example.target).unwrap();
    }
}

#[test]
fn each_part_has_the_windows_whose_forecasts_are_in_it() {
    let all = counted(&[20, 5, 9]);
    let config = config(4, 2, 1);
    let parts = Forecast::split(series(&all), &config, 0.25).unwrap();
    // 20 steps: the test has 4, validation 4 of 16. 5 steps: one horizon each. 9 steps: two, and two of seven.
    let train: Vec<_> =
        (1..=10).map(|origin| (0, origin)).chain([(2, 1), (2, 2), (2, 3)]).collect();
    check(&parts.train, &all, &train, &config);
    let valid = [(0, 12), (0, 13), (0, 14), (1, 1), (2, 5)];
    check(parts.valid.as_ref().unwrap(), &all, &valid, &config);
    check(&parts.test, &all, &[(0, 16), (0, 17), (0, 18), (1, 3), (2, 7)], &config);
    let note =
        "forecast: 1 of 3 series are too short for a training window, first series 2 with 5 steps";
    assert_eq!(parts.notes, [note]);
    // The last window of a part ends with it.
    let strided = ForecastConfig { stride: 3, ..config.clone() };
    let parts = Forecast::split(series(&all), &strided, 0.0).unwrap();
    assert!(parts.valid.is_none());
    let train = [(0, 2), (0, 5), (0, 8), (0, 11), (0, 14), (1, 1), (2, 2), (2, 5)];
    check(&parts.train, &all, &train, &strided);
    assert_eq!(parts.test.feature_names().unwrap(), ["a", "b", "c", "d", "is future"]);
    assert_eq!(
        (parts.test.target_names(), parts.test.known_names()),
        (vec!["a".into(), "c".into()], vec!["b".into()])
    );
    assert_eq!(parts.test.other_names(), ["d"]);
}

#[test]
fn transforms_are_fitted_to_the_training_steps_once_each() {
    let mut all = counted(&[10]);
    // The last two steps are for the test.
    all[0][8..].iter_mut().for_each(|step| *step = [1e6; 4]);
    let parts = Forecast::split(series(&all), &config(4, 2, 1), 0.0).unwrap();
    let example = parts.past.get(0, 0).unwrap();
    assert_eq!((example.sequence.len(), parts.past.features()), (8, 5));
    let pipeline =
        fit(&[TransformConfig::Standardize, TransformConfig::MeanFill], &parts.past).unwrap();
    let test = Transformed::new(parts.test, pipeline).unwrap();
    let first = test.get(0, 0).unwrap();
    // Column a is 0, 10, ..., 70: the mean is 35, and the history begins with 40.
    let deviation = (12.5f64 * 42.0).sqrt();
    let row = first.sequence.row(0).unwrap();
    assert!((f64::from(row[0]) - 5.0 / deviation).abs() < 1e-6, "{row:?}");
    // The indicator stays 0 and 1, and what is not known is zero.
    assert_eq!(row[4], 0.0);
    let future = first.sequence.row(4).unwrap();
    assert_eq!((future[4], future[3].abs() < 1e-6, future[0].abs() < 1e-6), (1.0, true, true));
}

#[test]
fn errors_are_compared_with_the_season_of_the_training_steps() {
    let mut all = counted(&[20]);
    let of = |all: &[Vec<Step>], season: usize| {
        let config = ForecastConfig { season, ..config(4, 2, 1) };
        let parts = Forecast::split(series(all), &config, 0.0).unwrap();
        parts.test.get(0, 0).unwrap().naive_errors.unwrap().to_vec()
    };
    assert_eq!((of(&all, 1), of(&all, 7)), (vec![10.0; 2], vec![70.0; 2]));
    // A missing value has no error, and neither has a step of the test.
    all[0][3][0] = NAN;
    all[0][18][2] = 1e6;
    assert_eq!(of(&all, 1), [10.0; 2]);
}

#[test]
fn series_end_at_their_last_target() {
    let mut all = counted(&[12]);
    all[0][10..].iter_mut().for_each(|step| (step[0], step[2]) = (NAN, NAN));
    let config = config(3, 2, 1);
    let parts = Forecast::split(series(&all), &config, 0.0).unwrap();
    check(&parts.test, &all, &[(0, 8)], &config);
    // A window without a target is left out; one with some is not.
    let mut gap = counted(&[12]);
    gap[0][4..7].iter_mut().for_each(|step| (step[0], step[2]) = (NAN, NAN));
    gap[0][4][2] = 1.0;
    let parts = Forecast::split(series(&gap), &config, 0.0).unwrap();
    let train: Vec<_> = [1, 2, 3, 4, 6, 7, 8].map(|origin| (0, origin)).to_vec();
    check(&parts.train, &gap, &train, &config);
}

#[test]
fn the_future_follows_the_last_target() {
    let mut all = counted(&[8, 3]);
    for (steps, end) in all.iter_mut().zip([6, 1]) {
        steps[end..].iter_mut().for_each(|step| (step[0], step[2]) = (NAN, NAN));
    }
    let config = config(4, 2, 1);
    let future = Forecast::future(series(&all), &config).unwrap();
    check(&future, &all, &[(0, 6), (1, 1)], &config);
    assert_eq!(future.history(1).unwrap(), [[0.0 + 1000.0, 1002.0]]);
    // Without columns that are known in advance, the file may end with the history.
    let without = ForecastConfig { known: vec![], ..config.clone() };
    all.iter_mut().zip([7, 1]).for_each(|(steps, end)| steps.truncate(end));
    let future = Forecast::future(series(&all), &without).unwrap();
    let example = future.get(0, 0).unwrap();
    assert_eq!(example.sequence.len(), 6);
    assert_eq!(
        bits(&example.sequence.values()[20..]),
        bits(&[NAN, NAN, NAN, NAN, 1.0, NAN, NAN, NAN, NAN, 1.0])
    );
    // More steps than the horizon are noted.
    let mut long = counted(&[8]);
    long[0][3..].iter_mut().for_each(|step| (step[0], step[2]) = (NAN, NAN));
    let future = Forecast::future(series(&long), &config).unwrap();
    let note = "forecast: 1 of 1 series have more than 2 steps after their last target, first series 1 with 5: the \
                first 2 are predicted";
    assert_eq!(future.notes(), [note]);
}

#[test]
fn what_cannot_be_forecast_is_named() {
    #[track_caller]
    fn refused(error: ragged_datasets::Error, message: &str, configuration: bool) {
        assert_eq!(
            (error.to_string().as_str(), error.is_configuration()),
            (message, configuration)
        );
    }
    let data = || series(&counted(&[20, 3]));
    let split = |config: ForecastConfig| Forecast::split(data(), &config, 0.0).unwrap_err();
    let good = config(4, 2, 1);
    let named = |name: &str| Some(vec![name.to_string()]);
    let of = |targets| ForecastConfig { targets, ..good.clone() };
    refused(
        split(of(named("x"))),
        "targets has `x`, which is not a column: expected some of a, b, c, d",
        true,
    );
    refused(
        split(of(named("b"))),
        "targets has `b`, which is known in advance: expected one of the two",
        true,
    );
    let twice = Some(vec!["a".into(), "a".into()]);
    refused(split(of(twice)), "targets has `a` twice: expected different columns", true);
    let none = "targets is empty: expected at least one column to predict";
    refused(split(of(Some(vec![]))), none, true);
    let all = NAMES.map(String::from).to_vec();
    refused(split(ForecastConfig { targets: None, known: all, ..good.clone() }), none, true);
    let known = ForecastConfig { known: vec!["e".into()], ..good.clone() };
    refused(
        split(known),
        "known has `e`, which is not a column: expected some of a, b, c, d",
        true,
    );
    let message =
        "horizon is 3, but series 2 has 3 steps up to its last target: expected at least 4";
    refused(split(config(4, 3, 1)), message, true);
    refused(split(config(0, 3, 1)), "window is 0: expected 1 to 268435456", true);
    let share = ForecastConfig { test_fraction: 1.0, ..good.clone() };
    refused(split(share), "test_fraction is 1: expected a number above 0 and below 1", true);
    let short = Forecast::split(series(&counted(&[5, 4])), &config(4, 2, 1), 0.5).unwrap_err();
    let message = "horizon is 2, but no series has room for a training window: expected longer series or smaller parts";
    refused(short, message, true);

    let future = |change: fn(&mut Vec<Step>)| {
        let mut all = counted(&[5]);
        all[0][3..].iter_mut().for_each(|step| (step[0], step[2]) = (NAN, NAN));
        change(&mut all[0]);
        Forecast::future(series(&all), &config(4, 2, 1)).unwrap_err()
    };
    let after = |got| {
        format!(
            "series 1 has `b` for {got} steps after its end: expected 2, as the column is known in advance"
        )
    };
    refused(future(|steps| steps.truncate(4)), &after(1), false);
    refused(future(|steps| steps[3][1] = NAN), &after(0), false);
    let no_history =
        future(|steps| steps.iter_mut().for_each(|step| (step[0], step[2]) = (NAN, NAN)));
    refused(
        no_history,
        "series 1 has no value of `a` or `c`: expected at least one step of history",
        false,
    );
}

#[test]
fn categories_must_be_known_in_advance() {
    let mut table = "demand,kind\n".to_string();
    (0..8).for_each(|t| table += &format!("{t},{}\n", ["a", "b"][t % 2]));
    let csv = CsvColumns {
        targets: Some(vec![]),
        types: [("kind".to_string(), ragged_datasets::formats::ColumnType::Category)].into(),
        ..Default::default()
    };
    let options = ReadOptions { csv, ..Default::default() };
    let read = |text: &str| formats::parse(text.as_bytes(), Format::Csv, &options, None).unwrap();
    let config = ForecastConfig::new(3, 2);
    let message = "known lacks `kind`: expected it, as a column of categories cannot be missing in the steps to \
                   predict";
    assert_eq!(Forecast::split(read(&table), &config, 0.0).unwrap_err().to_string(), message);
    let config = ForecastConfig { known: vec!["kind".into()], ..config };
    let parts = Forecast::split(read(&table), &config, 0.0).unwrap();
    let example = parts.test.get(0, 0).unwrap();
    assert_eq!(example.sequence.tokens().unwrap().ids(), [1, 0, 1, 0, 1]);
    assert_eq!(parts.past.examples()[0].sequence.tokens().unwrap().len(), 6);
    let short = Forecast::future(read(&table), &config).unwrap_err().to_string();
    assert!(
        short.starts_with("series 1 has `kind` for 0 steps after its end: expected 2"),
        "{short}"
    );
    let targets = ForecastConfig { targets: Some(vec!["kind".into()]), ..config };
    let message = "targets has `kind`, a column of categories: expected numbers";
    assert_eq!(Forecast::split(read(&table), &targets, 0.0).unwrap_err().to_string(), message);
}

#[test]
fn values_that_need_64_bits_keep_them() {
    let values: Vec<f64> = (0..8).map(|t| 1.7e9 + f64::from(t)).collect();
    let example = Example::new(Sequence::exact(values, 1).unwrap(), Target::Values(vec![]));
    let data = InMemory::new(vec![example], TargetKind::NONE).unwrap();
    let parts = Forecast::split(data, &ForecastConfig::new(2, 2), 0.0).unwrap();
    let example = parts.test.get(0, 0).unwrap();
    assert_eq!(example.sequence.exact_values().unwrap()[..4], [1.7e9 + 4.0, 0.0, 1.7e9 + 5.0, 0.0]);
    assert!(parts.past.examples()[0].sequence.exact_values().is_some());
    // Columns without names have numbers.
    assert_eq!(parts.train.target_names(), ["1"]);
    assert_eq!(parts.train.feature_names(), None);
}

fn any_series() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let value = prop_oneof![9 => -1e3f32..1e3, 1 => Just(NAN)];
    let step = prop::array::uniform4(value);
    prop::collection::vec(prop::collection::vec(step, 8..30), 1..4)
}

proptest! {
    /// What is changed from a step on is in no input before it, but for the column that is known in advance, and there
    /// only within the horizon.
    #[test]
    fn no_future_value_is_an_input(
        mut all in any_series(),
        (window, horizon, stride) in (1usize..9, 1usize..4, 1usize..4),
        (from, valid) in (1usize..30, prop_oneof![Just(0.0), Just(0.2)]),
    ) {
        // Each series ends with a target, so that the change does not move its end.
        all.iter_mut().for_each(|steps| steps.last_mut().unwrap()[0] = 1.0);
        let config = config(window, horizon, stride);
        let Ok(before) = Forecast::split(series(&all), &config, valid) else { return Ok(()) };
        let mut changed = all.clone();
        for steps in &mut changed {
            for step in steps.iter_mut().skip(from) {
                *step = [step[0] + 7.0, step[1], step[2] - 9.0, step[3] * 2.0 + 1.0];
            }
        }
        let after = Forecast::split(series(&changed), &config, valid).unwrap();
        let parts = [
            (Some(&before.train), Some(&after.train)),
            (before.valid.as_ref(), after.valid.as_ref()),
            (Some(&before.test), Some(&after.test)),
        ];
        for (before, after) in parts {
            let (Some(before), Some(after)) = (before, after) else { continue };
            prop_assert_eq!(before.len(), after.len());
            for index in 0..before.len() {
                let (k, origin) = before.origin(index).unwrap();
                prop_assert_eq!(after.origin(index), Some((k, origin)));
                let (a, b) = (before.get(0, index).unwrap(), after.get(0, index).unwrap());
                // The windows are those of the reference, whatever was changed.
                let (input, target) = reference(&changed[k], origin, window, horizon);
                prop_assert_eq!(bits(b.sequence.values()), bits(&input));
                prop_assert_eq!(bits(targets(&b)), bits(&target));
                if origin <= from {
                    prop_assert_eq!(bits(a.sequence.values()), bits(b.sequence.values()));
                }
            }
        }
        // Neither do the training part and its scales depend on what is held out.
        let (a, b) = (before.past.examples(), after.past.examples());
        for (k, (a, b)) in a.iter().zip(b).enumerate() {
            prop_assert!(a.sequence.len() + horizon <= all[k].len());
            if a.sequence.len() <= from {
                prop_assert_eq!(bits(a.sequence.values()), bits(b.sequence.values()));
            }
        }
    }

    /// Every step to predict belongs to one part, and the parts follow each other.
    #[test]
    fn parts_share_no_target(
        lengths in prop::collection::vec(4usize..60, 1..4),
        (window, horizon, stride) in (1usize..9, 1usize..4, 1usize..4),
        valid in 0.01f64..0.6,
    ) {
        let all = counted(&lengths);
        let config = config(window, horizon, stride);
        let Ok(parts) = Forecast::split(series(&all), &config, valid) else { return Ok(()) };
        let range = |part: &Forecast, series: usize| {
            let origins = (0..part.len()).filter_map(|index| part.origin(index));
            let origins: Vec<usize> =
                origins.filter(|(k, _)| *k == series).map(|(_, origin)| origin).collect();
            (origins.iter().min().copied(), origins.iter().max().map(|origin| origin + horizon))
        };
        for (k, &length) in lengths.iter().enumerate() {
            let (_, train_end) = range(&parts.train, k);
            let (valid_begin, valid_end) = range(parts.valid.as_ref().unwrap(), k);
            let (test_begin, test_end) = range(&parts.test, k);
            prop_assert_eq!(test_end, Some(length));
            prop_assert!(valid_end.unwrap_or(0) <= test_begin.unwrap());
            prop_assert!(train_end.unwrap_or(0) <= valid_begin.unwrap_or(length));
            let past = parts.past.examples()[k].sequence.len();
            prop_assert!(train_end.is_none_or(|end| end == past));
        }
    }
}
