//! The effect of each transform, its errors, and saved pipelines.

use TransformConfig::*;
use proptest::prelude::*;
use ragged_datasets::transforms::{Keep, Pipeline, TransformConfig, Transformed, fit};
use ragged_datasets::{Dataset, Example, InMemory, Sequence, Target, TargetKind};

const NAN: f32 = f32::NAN;

fn data(features: usize, sequences: &[&[f32]]) -> InMemory {
    let example = |values: &&[f32]| {
        Example::new(Sequence::new(values.to_vec(), features).unwrap(), Target::Values(vec![]))
    };
    InMemory::new(sequences.iter().map(example).collect(), TargetKind::NONE).unwrap()
}

/// Fits a pipeline to all examples and returns the values of each example after it.
fn transformed(
    configs: &[TransformConfig],
    features: usize,
    sequences: &[&[f32]],
) -> Vec<Vec<f32>> {
    let data = data(features, sequences);
    let pipeline = fit(configs, &data).unwrap();
    let data = Transformed::new(data, pipeline).unwrap();
    (0..data.len())
        .map(|index| {
            let example = data.get(0, index).unwrap();
            assert_eq!(example.sequence.features(), data.features());
            assert_eq!(example.sequence.len(), data.length(0, index).unwrap());
            example.sequence.values().to_vec()
        })
        .collect()
}

#[track_caller]
fn check(configs: &[TransformConfig], features: usize, input: &[&[f32]], expected: &[&[f32]]) {
    let bits = |v: &[f32]| -> Vec<u32> {
        v.iter().map(|v| if v.is_nan() { u32::MAX } else { (v + 0.0).to_bits() }).collect()
    };
    let got = transformed(configs, features, input);
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(bits(got), bits(expected), "{got:?} is not {expected:?}");
    }
    assert_eq!(got.len(), expected.len());
}

#[test]
fn scaling_is_fitted_to_all_real_steps_without_missing_values() {
    // Feature 0 is 1, 2, 6 over two sequences of different lengths; feature 1 is constant.
    let input: &[&[f32]] = &[&[1.0, 5.0, 2.0, 5.0], &[6.0, NAN], &[]];
    let deviation = (14f32 / 3.0).sqrt();
    let scaled = [-2.0 / deviation, 0.0, -1.0 / deviation, 0.0];
    check(&[Standardize], 2, input, &[&scaled, &[3.0 / deviation, NAN], &[]]);
    let low_high = MinMax { low: -1.0, high: 1.0 };
    check(&[low_high], 2, input, &[&[-1.0, -1.0, -0.6, -1.0], &[1.0, NAN], &[]]);
    // A feature that is always missing stays missing and does not affect others.
    check(&[Standardize], 2, &[&[1.0, NAN, 3.0, NAN]], &[&[-1.0, NAN, 1.0, NAN]]);
    check(&[MinMax { low: 0.0, high: 1.0 }], 2, &[&[1.0, NAN, 3.0, NAN]], &[&[0.0, NAN, 1.0, NAN]]);
    let wide: &[&[f32]] = &[&[f32::MAX, f32::MIN, 0.0]];
    check(&[MinMax { low: 0.0, high: 1.0 }], 1, wide, &[&[1.0, 0.0, 0.5]]);
}

#[test]
fn missing_values_are_filled_and_indicated() {
    let input: &[&[f32]] = &[&[NAN, 1.0, 2.0, NAN, NAN, 5.0], &[4.0, 3.0]];
    check(&[ForwardFill], 2, input, &[&[NAN, 1.0, 2.0, 1.0, 2.0, 5.0], &[4.0, 3.0]]);
    check(&[MeanFill], 2, input, &[&[3.0, 1.0, 2.0, 3.0, 3.0, 5.0], &[4.0, 3.0]]);
    // No value is carried from one sequence to the next.
    check(&[ForwardFill], 1, &[&[7.0], &[NAN, 1.0]], &[&[7.0], &[NAN, 1.0]]);
    let told: &[&[f32]] = &[&[NAN, 1.0, 1.0, 2.0, NAN, 0.0], &[4.0, 3.0, 0.0]];
    check(
        &[MissingIndicator],
        2,
        &[&[NAN, 1.0, 2.0, 3.0], &[4.0, 3.0]],
        &[&[NAN, 1.0, 1.0, 2.0, 3.0, 0.0], told[1]],
    );
    let all = [MissingIndicator, ForwardFill, MeanFill];
    check(
        &all,
        1,
        &[&[NAN, 2.0, NAN], &[4.0]],
        &[&[8.0 / 3.0, 1.0, 2.0, 0.0, 2.0, 1.0], &[4.0, 0.0]],
    );
}

#[test]
fn each_transform_is_fitted_to_the_output_of_those_before_it() {
    // Clipped to 0..2 first, so the mean is 1 and the standard deviation 1.
    let clip = Clip { low: 0.0, high: 2.0 };
    check(&[clip.clone(), Standardize], 1, &[&[-9.0, 9.0]], &[&[-1.0, 1.0]]);
    check(&[clip], 1, &[&[-9.0, NAN, 1.0, 9.0]], &[&[0.0, NAN, 1.0, 2.0]]);
    check(
        &[Difference],
        2,
        &[&[1.0, 5.0, 4.0, 5.0, 2.0, 7.0], &[3.0, NAN]],
        &[&[0.0, 0.0, 3.0, 0.0, -2.0, 2.0], &[0.0, NAN]],
    );
}

#[test]
fn truncation_removes_steps_and_their_targets() {
    let target = Target::StepClasses(vec![0, 1, 1]);
    let example = Example::new(Sequence::new(vec![1.0, 2.0, 3.0], 1).unwrap(), target);
    let kind = TargetKind::StepClasses(vec!["a".into(), "b".into()]);
    let data = InMemory::new(vec![example], kind).unwrap();
    for (keep, values, classes) in
        [(Keep::First, [1.0, 2.0], vec![0, 1]), (Keep::Last, [2.0, 3.0], vec![1, 1])]
    {
        let pipeline = fit(&[Truncate { max_length: 2, keep }], &data).unwrap();
        let cut = Transformed::new(data.clone(), pipeline).unwrap();
        let example = cut.get(0, 0).unwrap();
        assert_eq!(example.sequence.values(), values);
        assert_eq!(example.target, Target::StepClasses(classes));
        assert_eq!(cut.length(0, 0).unwrap(), 2);
    }
}

#[test]
fn invalid_options_are_refused() {
    #[track_caller]
    fn check(config: TransformConfig, message: &str) {
        let error = fit(&[config], &data(1, &[&[1.0]])).unwrap_err().to_string();
        assert_eq!(error, message);
    }
    let expected = "expected two finite numbers, the lower one first";
    check(Clip { low: 1.0, high: 1.0 }, &format!("clip is 1 to 1: {expected}"));
    check(Clip { low: NAN, high: 1.0 }, &format!("clip is NaN to 1: {expected}"));
    check(MinMax { low: 2.0, high: 1.0 }, &format!("min-max is 2 to 1: {expected}"));
    let message = "max_length is 0: expected at least 1";
    check(Truncate { max_length: 0, keep: Keep::First }, message);
    let pipeline = fit(&[], &data(1, &[&[1.0]])).unwrap();
    let error = Transformed::new(data(2, &[&[1.0, 2.0]]), pipeline).unwrap_err().to_string();
    assert_eq!(error, "pipeline is for 1 features: expected 2");
}

/// A damaged file must not become a pipeline that cannot be applied.
#[test]
fn a_saved_pipeline_is_checked() {
    let pipeline = fit(&[Standardize], &data(2, &[&[1.0, 2.0]])).unwrap();
    let text = serde_json::to_string(&pipeline).unwrap();
    #[track_caller]
    fn check(text: &str, message: &str) {
        let error = serde_json::from_str::<Pipeline>(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    check(
        &text.replace("\"std\":[1.0,1.0]", "\"std\":[1.0,0.0]"),
        "standardize has [2.0, 0.0] for feature 1",
    );
    check(
        &text.replace("\"std\":[1.0,1.0]", "\"std\":[1.0]"),
        "standardize is for 1 features: expected 2",
    );
    check(
        &text.replace("\"features\":2", "\"features\":3"),
        "standardize is for 2 features: expected 3",
    );
    check(&text.replace("\"features\":2", "\"feature\":2"), "unknown field");
    check(&text.replace("standardize", "normalize"), "unknown variant `normalize`");
    let config = r#"{"name": "clip", "low": 0, "high": 1, "hi": 2}"#;
    assert!(serde_json::from_str::<TransformConfig>(config).is_err());
}

proptest! {
    #[test]
    fn a_saved_pipeline_computes_the_same_bits(
        sequences in prop::collection::vec(prop::collection::vec(prop_oneof![5 => -1e6f32..1e6, 1 => Just(NAN)], 0..8), 1..6),
    ) {
        let features = 1;
        let sequences: Vec<&[f32]> = sequences.iter().map(Vec::as_slice).collect();
        let data = data(features, &sequences);
        let configs = [
            Difference,
            MissingIndicator,
            ForwardFill,
            MeanFill,
            Standardize,
            MinMax { low: -1.0, high: 1.0 },
            Clip { low: -0.5, high: 0.75 },
            Truncate { max_length: 5, keep: Keep::Last },
        ];
        let pipeline = fit(&configs, &data).unwrap();
        let again: Pipeline = serde_json::from_str(&serde_json::to_string(&pipeline).unwrap()).unwrap();
        prop_assert_eq!(&again, &pipeline);
        for index in 0..data.len() {
            let apply = |p: &Pipeline| {
                Transformed::new(data.clone(), p.clone()).unwrap().get(0, index).unwrap()
            };
            let (a, b) = (apply(&pipeline), apply(&again));
            prop_assert_eq!(a.sequence.values(), b.sequence.values());
            prop_assert!(a.sequence.values().iter().all(|v| (-0.5..=0.75).contains(v)));
        }
    }
}
