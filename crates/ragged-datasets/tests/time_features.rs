//! Features that are made of times.

use std::f64::consts::TAU;

use ragged_datasets::formats::{self, CsvColumns, Format, ReadOptions, Schema, TimeFeature};
use ragged_datasets::{Dataset, InMemory};

fn options(features: &[TimeFeature]) -> ReadOptions {
    let csv = CsvColumns { time_features: features.to_vec(), ..Default::default() };
    ReadOptions { csv, ..Default::default() }
}

fn read(text: &str, options: &ReadOptions, schema: Option<&Schema>) -> Result<InMemory, String> {
    formats::parse(text.as_bytes(), Format::Csv, options, schema).map_err(|e| e.to_string())
}

/// The rows of the first sequence, in 64 bits if they are kept.
fn rows(data: &InMemory) -> Vec<Vec<f64>> {
    let sequence = &data.examples()[0].sequence;
    let values = match sequence.exact_values() {
        Some(values) => values.to_vec(),
        None => sequence.values().iter().map(|&value| value.into()).collect(),
    };
    values.chunks(sequence.features()).map(<[f64]>::to_vec).collect()
}

const ALL: [TimeFeature; 4] =
    [TimeFeature::Difference, TimeFeature::Position, TimeFeature::Hour, TimeFeature::Weekday];

#[test]
fn dates_give_differences_positions_hours_and_weekdays() {
    // 28 November 2026 is a Saturday; the rows are not in order.
    let table = "time,x,target\n2026-11-29T06:00:00Z,2,a\n2026-11-28T19:00:00+01:00,1,a\n\
                 2026-11-29T06:00:00.25Z,3,a\n";
    let data = read(table, &options(&ALL), None).unwrap();
    let names = ["x", "time_difference", "time_position", "time_hour_sin", "time_hour_cos"];
    assert_eq!(data.feature_names().unwrap()[..5], names);
    let angle = |part: f64| [(TAU * part).sin(), (TAU * part).cos()];
    for (t, (row, (difference, hour, weekday))) in rows(&data)
        .into_iter()
        .zip([(0.0, 18.0, 5.0), (43_200.0, 6.0, 6.0), (0.25, 6.0 + 0.25 / 3600.0, 6.0)])
        .enumerate()
    {
        let t = t as f64;
        let want = [
            vec![t + 1.0, difference, t],
            angle(hour / 24.0).to_vec(),
            angle(weekday / 7.0).to_vec(),
        ];
        for (got, want) in row.iter().zip(want.concat()) {
            assert!((got - want).abs() < 1e-6, "{row:?}");
        }
    }
    assert_eq!(
        data.columns()[0].to_string(),
        "time: dates and times with a time zone, of which the features time_difference, time_position, \
         time_hour_sin, time_hour_cos, time_weekday_sin, time_weekday_cos are made"
    );
    // Later files have the columns in any order.
    let later = "x,time\n5,2026-11-28\n";
    let schema = Schema::of(&data).without_targets();
    assert_eq!(rows(&read(later, &options(&ALL), Some(&schema)).unwrap())[0][..3], [5.0, 0.0, 0.0]);
}

#[test]
fn large_times_keep_their_differences() {
    let table = "time,x\n1700000000000000001,1\n1700000000000000002,1\n1700000000000000005,1\n";
    let data = read(table, &options(&[TimeFeature::Difference]), None).unwrap();
    assert_eq!(rows(&data), [[1.0, 0.0], [1.0, 1.0], [1.0, 3.0]]);
    let table = "time,x\n2024-01-01T00:00:00.000000001Z,1\n2024-01-01T00:00:00.000000003Z,1\n";
    let data = read(table, &options(&[TimeFeature::Difference]), None).unwrap();
    assert!((rows(&data)[1][1] - 2e-9).abs() < 1e-15);
}

#[test]
fn what_the_times_do_not_give_is_refused() {
    let numbers = "time,x\n1,1\n2,1\n";
    let message = "line 2, column 1: csv.time_features has `hour`: expected dates";
    assert_eq!(read(numbers, &options(&[TimeFeature::Hour]), None).unwrap_err(), message);
    let message =
        "line 1, column 1: csv.time_features has `difference`: expected a column of times";
    assert_eq!(read("x\n1\n2\n", &options(&ALL), None).unwrap_err(), message);
    let data = read("x\n1\n2\n", &options(&[TimeFeature::Position]), None).unwrap();
    assert_eq!(rows(&data), [[1.0, 0.0], [2.0, 1.0]]);
    let twice = "time,time_position\n1,1\n";
    let message = "line 1, column 1: feature `time_position` occurs twice";
    let error = read(twice, &options(&[TimeFeature::Position]), None).unwrap_err();
    assert_eq!(error, message);
    assert_eq!(data.feature_names().unwrap(), ["x", "time_position"]);
}
