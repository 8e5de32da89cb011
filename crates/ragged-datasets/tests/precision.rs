//! Values that 32 bits cannot hold keep their differences until a transform reduces them.

use ragged_datasets::formats::{self, Format, ReadOptions, Schema};
use ragged_datasets::transforms::{Transform, TransformConfig, Transformed, fit};
use ragged_datasets::{Dataset, InMemory};

/// Two series of Unix seconds with a spread of 40 s.
const SECONDS: &str = "series_id,time,stamp,a\n\
    s,0,1700000000,0.1\ns,1,1700000020,0.2\nt,0,1700000010,0.3\nt,1,1700000040,0.5\n";

fn csv(text: &str, schema: Option<&Schema>) -> InMemory {
    formats::parse(text.as_bytes(), Format::Csv, &ReadOptions::default(), schema).unwrap()
}

/// The first feature of an example after a transform that is fitted to `train`.
fn transformed(config: TransformConfig, train: &InMemory, data: &InMemory) -> Vec<f32> {
    let pipeline = fit(&[config], train).unwrap();
    let data = Transformed::new(data.clone(), pipeline).unwrap();
    let example = data.get(0, 0).unwrap();
    example.sequence.steps().map(|step| step[0]).collect()
}

#[test]
fn a_large_offset_keeps_its_spread() {
    let data = csv(SECONDS, None);
    let note = "feature `stamp`: values from 1700000000 to 1700000040 cannot be kept apart in 32-bit \
                floats without a transform that reduces them, such as standardize or difference";
    assert_eq!(data.notes(), [note]);
    let exact = data.examples()[0].sequence.exact_values().unwrap();
    assert_eq!(exact, [1_700_000_000.0, 0.1, 1_700_000_020.0, 0.2]);

    // Mean 1700000017.5, variance (17.5² + 2.5² + 7.5² + 22.5²) / 4 = 218.75.
    let pipeline = fit(&[TransformConfig::Standardize], &data).unwrap();
    let Transform::Standardize(scale) = &pipeline.transforms()[0] else { panic!("standardize") };
    assert_eq!(scale.mean[0], 1_700_000_017.5);
    assert!((scale.std[0] - 218.75f64.sqrt()).abs() < 1e-9, "{}", scale.std[0]);
    let deviation = 218.75f64.sqrt();
    let expected = [-17.5 / deviation, 2.5 / deviation].map(|value| value as f32);
    assert_eq!(transformed(TransformConfig::Standardize, &data, &data), expected);
    let min_max = TransformConfig::MinMax { low: 0.0, high: 1.0 };
    assert_eq!(transformed(min_max, &data, &data), [0.0, 0.5]);
    assert_eq!(transformed(TransformConfig::Difference, &data, &data), [0.0, 20.0]);
}

#[test]
fn a_pipeline_of_filling_and_scaling_keeps_the_spread() {
    let holes = SECONDS.replace("1700000020", "");
    let data = csv(&holes, None);
    let configs = [
        TransformConfig::Clip { low: 0.0, high: 2e9 },
        TransformConfig::MeanFill,
        TransformConfig::Standardize,
    ];
    let pipeline = fit(&configs, &data).unwrap();
    let data = Transformed::new(data, pipeline).unwrap();
    let first = data.get(0, 0).unwrap().sequence;
    // The mean is filled in, which becomes 0.
    assert_eq!(first.row(1).unwrap()[0], 0.0);
    assert!((-1.2..-1.0).contains(&first.row(0).unwrap()[0]), "{first:?}");
}

/// One row has no spread that could tell whether 32 bits suffice.
#[test]
fn a_later_file_is_as_exact_as_the_training_data() {
    let train = csv("stamp\n1013.250\n1013.251\n1013.252\n1013.253\n", None);
    assert!(train.examples()[0].sequence.exact_values().is_some());
    let schema = Schema::of(&train);
    assert!(schema.exact);
    let later = csv("stamp\n1013.2515\n", Some(&schema));
    let scaled = transformed(TransformConfig::Standardize, &train, &later);
    assert!(scaled[0].abs() < 1e-6, "{scaled:?}");
    let saved = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&saved).unwrap(), schema);
}

#[test]
fn ordinary_values_are_kept_in_32_bits() {
    let data = csv("x,z\n0.1,14.62\n0.7,14.62\n", None);
    assert_eq!(data.examples()[0].sequence.exact_values(), None);
    assert_eq!(data.notes(), ["feature `z` has the same value in every step"]);
    assert!(!Schema::of(&data).exact);
}

#[test]
fn exact_values_survive_a_round_trip_in_every_format() {
    let data = csv(SECONDS, None);
    for format in Format::ALL {
        let bytes = formats::to_bytes(&data, format).unwrap();
        let again = formats::parse(&bytes, format, &ReadOptions::default(), None).unwrap();
        for (a, b) in data.examples().iter().zip(again.examples()) {
            assert_eq!(a.sequence.exact_values(), b.sequence.exact_values(), "{format:?}");
        }
    }
}

#[test]
fn doubles_of_arrays_and_integers_are_not_rounded() {
    let lines = "{\"sequence\": [[9007199254740991], [9007199254740990]]}\n";
    let data = formats::parse(lines.as_bytes(), Format::JsonLines, &ReadOptions::default(), None);
    let data = data.unwrap();
    assert_eq!(transformed(TransformConfig::Difference, &data, &data), [0.0, -1.0]);
}
