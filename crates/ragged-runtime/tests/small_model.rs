//! A small model against what `ragged predict` has written, on every target that Rust compiles for.
//!
//! `fixtures/small-model.safetensors` is a run's `best.safetensors`: two LSTM layers with trained initial states, the
//! mean of all steps, three transforms. `fixtures/sequences.jsonl` was given to `ragged predict`, which wrote
//! `fixtures/predictions.jsonl`.

use ragged_runtime::{Model, Scratch, Session, Targets, softmax};
use serde_json::Value;

const MODEL: &[u8] = include_bytes!("fixtures/small-model.safetensors");
const SEQUENCES: &str = include_str!("fixtures/sequences.jsonl");
const PREDICTIONS: &str = include_str!("fixtures/predictions.jsonl");

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The values of the sequences; a missing one is NaN.
fn sequences() -> Vec<Vec<f64>> {
    let values = |line: &Value| -> Vec<f64> {
        let steps = line["sequence"].as_array().unwrap().iter();
        steps.flat_map(|s| s.as_array().unwrap()).map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
    };
    lines(SEQUENCES).iter().map(values).collect()
}

#[test]
fn predictions_are_those_of_the_trainer() {
    let model = Model::from_bytes(MODEL).unwrap();
    let labels = ["rise", "fall", "rest"].map(String::from);
    let Targets::Classes(found) = model.targets() else { panic!("{:?}", model.targets()) };
    assert!(labels.iter().all(|label| found.contains(label)) && found.len() == 3, "{found:?}");
    let sequences = sequences();
    let slices: Vec<&[f64]> = sequences.iter().map(Vec::as_slice).collect();
    let predictions = model.predict(&slices).unwrap();
    let expected = lines(PREDICTIONS);
    assert_eq!(predictions.len(), expected.len());
    for (logits, expected) in predictions.iter().zip(&expected) {
        assert_eq!(model.targets().label(logits), expected["label"].as_str());
        for (label, p) in found.iter().zip(softmax(logits)) {
            let expected = expected["probabilities"][label].as_f64().unwrap();
            assert!((p - expected).abs() < 1e-5, "{label}: {p}, expected {expected}");
        }
    }
}

/// Steps of all sequences at once have the bits of whole sequences, on this target too.
#[test]
fn steps_have_the_bits_of_whole_sequences() {
    let model = Model::from_bytes(MODEL).unwrap();
    let sequences = sequences();
    let slices: Vec<&[f64]> = sequences.iter().map(Vec::as_slice).collect();
    let whole = model.predict(&slices).unwrap();
    let mut scratch = Scratch::default();
    let mut sessions: Vec<Session> = sequences.iter().map(|_| model.session().unwrap()).collect();
    let longest = sequences.iter().map(Vec::len).max().unwrap() / model.features();
    for step in 0..longest {
        let (mut rows, mut x, mut ends) = (vec![], vec![], vec![]);
        for (index, (session, sequence)) in sessions.iter_mut().zip(&sequences).enumerate() {
            let mut steps = sequence.chunks_exact(model.features()).skip(step);
            if let Some(values) = steps.next() {
                rows.push(session);
                x.extend_from_slice(values);
                ends.push((index, steps.next().is_none()));
            }
        }
        let mut y = vec![0.0; rows.len() * model.outputs()];
        let refused = model.step(&mut rows, &x, &mut y, &mut scratch).unwrap();
        assert!(refused.is_empty(), "{refused:?}");
        for (y, (index, _)) in y.chunks_exact(model.outputs()).zip(ends).filter(|(_, end)| end.1) {
            assert_eq!(y, whole[index], "sequence {index}");
        }
    }
}
