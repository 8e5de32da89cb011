//! Pipelines that are applied step by step, and their parameters.

use proptest::prelude::*;
use ragged_transforms::{
    Error, Keep, MinMax, Pipeline, PipelineState, Standardize, Transform, Values,
};

/// A number that may be missing.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -100.0..100.0f64, 1 => Just(f64::NAN), 1 => 1.6e9..1.7e9f64]
}

/// A transform of `features` features that can be applied step by step.
fn transform(features: usize) -> impl Strategy<Value = Transform> {
    let means = prop::collection::vec(-10.0..10.0f64, features);
    let stds = prop::collection::vec(0.1..10.0f64, features);
    prop_oneof![
        (means.clone(), stds.clone())
            .prop_map(|(mean, std)| Transform::Standardize(Standardize { mean, std })),
        (means.clone(), stds).prop_map(|(min, width)| {
            let max = min.iter().zip(width).map(|(min, width)| min + width).collect();
            Transform::MinMax(MinMax { min, max, low: -1.0, high: 2.0 })
        }),
        Just(Transform::ForwardFill),
        means.prop_map(|mean| Transform::MeanFill { mean }),
        Just(Transform::Clip { low: -50.0, high: 50.0 }),
        Just(Transform::Difference),
        (1usize..8).prop_map(|max_length| Transform::Truncate { max_length, keep: Keep::First }),
    ]
}

fn bits(values: &[f64]) -> Vec<u64> {
    // NaNs differ in bits that mean nothing.
    values.iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect()
}

proptest! {
    #[test]
    fn chunks_give_the_bits_of_the_whole_sequence(
        (features, transforms, rows) in (1usize..4).prop_flat_map(|features| {
            let row = prop::collection::vec(value(), features);
            (
                Just(features),
                prop::collection::vec(transform(features), 0..5),
                prop::collection::vec(row, 0..12),
            )
        }),
        cuts in prop::collection::vec(1usize..5, 12),
        exact: bool,
        indicator: bool,
    ) {
        let mut pipeline = Pipeline::new(features, transforms).unwrap();
        if indicator {
            pipeline.push(Transform::MissingIndicator { columns: vec![0] }).unwrap();
            pipeline.push(Transform::ForwardFill).unwrap();
        }
        let values = |rows: &[Vec<f64>]| {
            let values = rows.concat();
            match exact {
                true => Values::exact(values, features).unwrap(),
                false => Values::rounded(&values, features).unwrap(),
            }
        };
        let whole = pipeline.apply(values(&rows)).unwrap();
        let features = pipeline.output_features();
        let kept = pipeline.kept_steps(rows.len());
        prop_assert_eq!(whole.as_slice().len(), kept.len() * features);

        let mut state = pipeline.state().unwrap();
        let (mut rest, mut parts) = (&rows[..], vec![]);
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            let mut next = values(chunk);
            pipeline.apply_next(&mut next, &mut state).unwrap();
            parts.extend(next.into_vec());
            // A state that was saved goes on as if it had not been.
            state = PipelineState::from_slice(&pipeline, state.as_slice()).unwrap();
            rest = after;
        }
        prop_assert_eq!(bits(&parts), bits(whole.as_slice()));
    }
}

#[test]
fn what_needs_the_whole_sequence_is_named() {
    let last = Transform::Truncate { max_length: 2, keep: Keep::Last };
    let pipeline = Pipeline::new(1, vec![last]).unwrap();
    let values = Values::rounded(&[1.0, 2.0, 3.0], 1).unwrap();
    assert_eq!(pipeline.apply(values).unwrap().as_slice(), [2.0, 3.0]);
    let error = pipeline.state().unwrap_err().to_string();
    assert!(error.starts_with("truncate with keep = \"last\" needs the whole sequence"), "{error}");
}

#[test]
fn values_and_states_that_do_not_fit_change_nothing() {
    let pipeline = Pipeline::new(2, vec![Transform::Difference]).unwrap();
    let mut state = pipeline.state().unwrap();
    let before = state.clone();
    let mut values = Values::rounded(&[1.0, 2.0, 3.0], 3).unwrap();
    let error = pipeline.apply_next(&mut values, &mut state).unwrap_err();
    assert_eq!(error, Error::Features { expected: 2, got: 3 });
    assert_eq!(state, before);
    let error = PipelineState::from_slice(&pipeline, &[0.0]).unwrap_err();
    assert_eq!(error.to_string(), "state of transforms: expected 3 numbers, got 1");
    let error = Values::rounded(&[1.0; 5], 2).unwrap_err();
    assert_eq!(error.to_string(), "5 values do not form steps of 2 features");
    let zero = Transform::Truncate { max_length: 0, keep: Keep::First };
    let error = Pipeline::new(1, vec![zero]).unwrap_err();
    assert_eq!(error.to_string(), "max_length is 0: expected at least 1");
}

/// Numbers that no data have once overflowed, or asked for all memory.
#[test]
fn absurd_numbers_are_refused() {
    let text = |features: &str| {
        format!(
            "{{\"features\":{features},\"transforms\":[{{\"name\":\"forward-fill\"}},\
             {{\"name\":\"missing-indicator\",\"columns\":[0,1]}}]}}"
        )
    };
    let read = |features| serde_json::from_str::<Pipeline>(&text(features));
    assert!(read("2").is_ok());
    for features in ["18446744073709551615", "16777217", "16777216"] {
        let error = read(features).unwrap_err().to_string();
        assert!(error.contains("features: expected at most 16777216"), "{error}");
    }
    let error = Pipeline::new(1, vec![Transform::ForwardFill; 1001]).unwrap_err().to_string();
    assert_eq!(error, "transforms: expected at most 1000, got 1001");
    let truncate = Transform::Truncate { max_length: 3, keep: Keep::First };
    let pipeline = Pipeline::new(1, vec![truncate]).unwrap();
    let mut state = PipelineState::from_slice(&pipeline, &[1e300]).unwrap();
    let mut values = Values::rounded(&[1.0], 1).unwrap();
    pipeline.apply_next(&mut values, &mut state).unwrap();
    assert!(values.as_slice().is_empty());
}
