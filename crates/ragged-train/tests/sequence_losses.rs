//! The CTC loss and the CRF compared with PyTorch and the package pytorch-crf.
//!
//! The fixtures come from `validation/generate_fixtures.py`.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use ragged_models::{Crf, CrfConstraints, Parameters};
use ragged_sequence::{
    PackedSequence, Padding, lengths_from_tensor, pack_padded_sequence, pad_packed_sequence,
};
use ragged_train::objective::{CtcOptions, CtcReduction, ctc_loss};

fn read(name: &str) -> (serde_json::Value, HashMap<String, Tensor>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/loss_fixtures").join(name);
    let bytes = std::fs::read(path).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let case = &metadata.metadata().as_ref().unwrap()["case"];
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
    (serde_json::from_str(case).unwrap(), tensors)
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

#[track_caller]
fn check(what: &str, got: &Tensor, want: &Tensor) {
    assert_eq!(got.dims(), want.dims(), "{what}");
    let tolerance = if got.dtype() == DType::F32 { 2e-5 } else { 1e-9 };
    for (got, want) in flat(got).into_iter().zip(flat(want)) {
        let close = (got - want).abs() <= tolerance * want.abs().max(1.0);
        let equal = got == want || got.is_nan() && want.is_nan();
        assert!(close || equal, "{what}: {got} against {want}");
    }
}

/// Each loss times its number from 1 on, summed, so that every sequence has a gradient of its own.
fn weighted_sum(losses: &Tensor) -> Tensor {
    let count = losses.elem_count();
    let weights = Tensor::arange(1.0, 1.0 + count as f64, &Device::Cpu).unwrap();
    let weights = weights.to_dtype(losses.dtype()).unwrap().reshape(losses.dims()).unwrap();
    (losses * weights).unwrap().sum_all().unwrap()
}

/// The packed rows of a padded variable.
fn packed(padded: &Var, lengths: &[usize]) -> PackedSequence {
    pack_padded_sequence(padded.as_tensor(), lengths, false).unwrap()
}

#[test]
fn ctc_loss_is_pytorchs() {
    let (case, tensors) = read("ctc.safetensors");
    let lengths = lengths_from_tensor(&tensors["lengths"]).unwrap();
    for (name, targets) in case["targets"].as_object().unwrap() {
        let targets: Vec<Vec<u32>> = serde_json::from_value(targets.clone()).unwrap();
        for dtype in [DType::F32, DType::F64] {
            for (infinity, zero_infinity) in [("infinity", false), ("zero", true)] {
                for (reduction, reduce) in [
                    ("none", CtcReduction::None),
                    ("mean", CtcReduction::Mean),
                    ("sum", CtcReduction::Sum),
                ] {
                    let logits = tensors[&format!("{name}.logits")].to_dtype(dtype).unwrap();
                    let logits = Var::from_tensor(&logits).unwrap();
                    let options = CtcOptions { zero_infinity, reduction: reduce, blank: 0 };
                    let loss = ctc_loss(&packed(&logits, &lengths), &targets, options).unwrap();
                    let key = format!("{name}.{infinity}.{reduction}");
                    check(&key, &loss, &tensors[&key]);
                    let gradients = weighted_sum(&loss).backward().unwrap();
                    // The gradient of an impossible target is NaN in all of its steps, there and here, and that of
                    // the padding is zero.
                    let got = gradients.get(&logits).unwrap();
                    let key = format!("{key}.grad");
                    check_gradient(&key, got, &tensors[&key], &lengths);
                }
            }
        }
    }
}

/// Compares the steps that are not padding.
#[track_caller]
fn check_gradient(what: &str, got: &Tensor, want: &Tensor, lengths: &[usize]) {
    for (b, &length) in lengths.iter().enumerate() {
        let own = |tensor: &Tensor| tensor.get(b).unwrap().narrow(0, 0, length).unwrap();
        check(&format!("{what} of sequence {b}"), &own(got), &own(want));
    }
}

#[test]
fn ctc_loss_refuses_what_does_not_fit() {
    let logits = Var::zeros((2, 3, 4), DType::F32, &Device::Cpu).unwrap();
    let logits = packed(&logits, &[2, 3]);
    let error = |targets: &[Vec<u32>]| {
        ctc_loss(&logits, targets, CtcOptions::default()).unwrap_err().to_string()
    };
    assert_eq!(error(&[vec![1]]), "targets: expected shape [2], got [1]");
    // The position is that of the caller, although the second sequence is the longer one.
    let message = "targets[0][0]: expected a class below 4 other than the blank, 0, got 4";
    assert!(error(&[vec![4], vec![1]]).contains(message), "{}", error(&[vec![4], vec![1]]));
}

#[test]
fn crf_is_that_of_pytorch_crf() {
    let (_, tensors) = read("crf.safetensors");
    let lengths = lengths_from_tensor(&tensors["lengths"]).unwrap();
    let tags: Vec<Vec<u32>> = lengths
        .iter()
        .enumerate()
        .map(|(b, &length)| {
            let tags = tensors["tags"].get(b).unwrap().to_vec1::<i64>().unwrap();
            tags[..length].iter().map(|&tag| tag as u32).collect()
        })
        .collect();
    for dtype in [DType::F32, DType::F64] {
        let parameters = Parameters::new(0);
        let crf = Crf::new(6, parameters.builder(dtype, &Device::Cpu)).unwrap();
        let names = ["transitions", "start_transitions", "end_transitions"];
        let values = names.map(|name| (name.to_string(), tensors[name].clone()));
        parameters.load_state_dict(&values.into()).unwrap();
        let emissions = Var::from_tensor(&tensors["emissions"].to_dtype(dtype).unwrap()).unwrap();
        let rows = packed(&emissions, &lengths);
        let losses = crf.negative_log_likelihood(&rows, &tags).unwrap();
        check("losses", &losses, &tensors["losses"]);
        let gradients = weighted_sum(&losses).backward().unwrap();
        let gradient = gradients.get(&emissions).unwrap();
        check_gradient("emissions", gradient, &tensors["grad.emissions"], &lengths);
        for (name, var) in parameters.named() {
            check(&name, gradients.get(&var).unwrap(), &tensors[&format!("grad.{name}")]);
        }
        let best: Vec<i64> = crf
            .decode(&rows)
            .unwrap()
            .into_iter()
            .flat_map(|(tags, _)| tags.into_iter().map(i64::from))
            .collect();
        assert_eq!(best, tensors["best"].to_vec1::<i64>().unwrap());
        // Marginals are the gradient of the log of the sum over all paths.
        let marginals = crf.marginals(&rows).unwrap();
        let (padded, _) = pad_packed_sequence(&marginals, &Padding::default()).unwrap();
        for (b, tags) in tags.iter().enumerate() {
            for (t, &tag) in tags.iter().enumerate() {
                let step = |tensor: &Tensor| flat(&tensor.get(b).unwrap().get(t).unwrap());
                let (p, gradient) = (step(&padded), step(&tensors["grad.emissions"]));
                for class in 0..6 {
                    let one = if class == tag as usize { 1.0 } else { 0.0 };
                    let want = gradient[class] / (b + 1) as f64 + one;
                    assert!((p[class] - want).abs() < 1e-5, "{} for {want}", p[class]);
                }
            }
        }
    }
}

#[test]
fn constraints_hold_in_decoding_and_in_training() {
    let parameters = Parameters::new(3);
    let labels = ["O", "B-A", "I-A", "B-B", "I-B"];
    let crf = Crf::new(5, parameters.builder(DType::F64, &Device::Cpu)).unwrap();
    let crf = crf.with_constraints(CrfConstraints::bio(&labels)).unwrap();
    let values: Vec<f64> = (0..4 * 30 * 5).map(|k| ((k * k) as f64 * 0.7).sin() * 4.0).collect();
    let emissions = Tensor::from_vec(values, (4, 30, 5), &Device::Cpu).unwrap();
    let emissions = Var::from_tensor(&emissions).unwrap();
    let rows = packed(&emissions, &[30, 7, 0, 19]);
    let allowed = |tags: &[u32]| {
        let ok = |pair: &[u32]| crf.constraints().allows(pair[0] as usize, pair[1] as usize);
        tags.first().is_none_or(|&tag| crf.constraints().allows_start(tag as usize))
            && tags.windows(2).all(ok)
    };
    let best = crf.decode(&rows).unwrap();
    assert!(best.iter().all(|(tags, _)| allowed(tags)));
    let tags: Vec<Vec<u32>> = best.into_iter().map(|(tags, _)| tags).collect();
    let losses = crf.negative_log_likelihood(&rows, &tags).unwrap();
    assert_eq!(flat(&losses)[2], 0.0);
    let gradients = losses.sum_all().unwrap().backward().unwrap();
    for (name, var) in parameters.named() {
        let gradient = flat(gradients.get(&var).unwrap());
        assert!(gradient.iter().all(|g| g.is_finite()), "{name}");
        if name == "transitions" {
            for (k, gradient) in gradient.iter().enumerate() {
                assert_eq!(*gradient == 0.0, !crf.constraints().allows(k / 5, k % 5), "{k}");
            }
        }
    }
    let mut wrong = tags.clone();
    wrong[1][3..5].copy_from_slice(&[1, 4]);
    let error = crf.negative_log_likelihood(&rows, &wrong).unwrap_err().to_string();
    assert_eq!(error, "tags[1][4]: expected a tag below 5 that may follow 1, got 4");
    wrong[1][0] = 2;
    let error = crf.negative_log_likelihood(&rows, &wrong).unwrap_err().to_string();
    assert_eq!(error, "tags[1][0]: expected a tag below 5 that may begin a sequence, got 2");
    let error = crf.negative_log_likelihood(&rows, &tags[..3]).unwrap_err().to_string();
    assert!(error.contains("tags"), "{error}");
}
