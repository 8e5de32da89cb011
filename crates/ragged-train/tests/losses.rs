//! The losses and metrics compared with PyTorch, with scikit-learn and with finite differences.
//!
//! The fixtures come from `validation/generate_fixtures.py`.

use candle_core::{DType, Device, Tensor, Var};
use proptest::prelude::*;
use ragged_datasets::TargetKind;
use ragged_datasets::transforms::Standardize;
use ragged_train::Criterion;
use ragged_train::objective::{Loss, MISSING_CLASS, Objective, Targets};
use serde_json::Value;

fn fixture(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A matrix; `null` is NaN.
fn rows(value: &Value) -> Vec<Vec<f64>> {
    let row = |row: &Value| -> Vec<f64> {
        row.as_array().unwrap().iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
    };
    value.as_array().unwrap().iter().map(row).collect()
}

fn tensor(rows: &[Vec<f64>]) -> Tensor {
    let flat: Vec<f64> = rows.concat();
    Tensor::from_vec(flat, (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

fn target(criterion: &Criterion, rows: &[Vec<f64>]) -> Tensor {
    if !criterion.is_for_classes() {
        return tensor(rows);
    }
    let class = |row: &Vec<f64>| if row[0].is_nan() { MISSING_CLASS } else { row[0] as u32 };
    Tensor::from_vec(rows.iter().map(class).collect::<Vec<u32>>(), rows.len(), &Device::Cpu)
        .unwrap()
}

fn scalar(tensor: &Tensor) -> f64 {
    tensor.to_scalar().unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn close(what: &str, got: f64, want: f64, tolerance: f64) {
    let scale = want.abs().max(1.0);
    assert!((got - want).abs() <= tolerance * scale, "{what}: {got} against {want}");
}

#[test]
fn values_and_gradients_equal_pytorchs() {
    let cases = fixture("losses.json");
    assert_eq!(cases.len(), 17);
    for case in cases {
        let criterion: Criterion = serde_json::from_value(case["loss"].clone()).unwrap();
        let name = case["loss"].to_string();
        let prediction = Var::from_tensor(&tensor(&rows(&case["prediction"]))).unwrap();
        let target = target(&criterion, &rows(&case["target"]));
        let loss = criterion.value(&prediction, &Targets::new(&target)).unwrap();
        close(&name, scalar(&loss), case["value"].as_f64().unwrap(), 1e-9);
        let gradient = loss.backward().unwrap().get(&prediction).unwrap().clone();
        for (got, want) in flat(&gradient).iter().zip(rows(&case["gradient"]).concat()) {
            close(&name, *got, want, 1e-9);
        }
        // In 32 bits, all is computed in 64 bits and rounded at the end.
        let single = prediction.to_dtype(DType::F32).unwrap();
        let loss = criterion.value(&single, &Targets::new(&target)).unwrap();
        let value = f64::from(loss.to_scalar::<f32>().unwrap());
        close(&name, value, case["value"].as_f64().unwrap(), 1e-5);
    }
}

/// The scale of a chain of operations after and before the loss is passed on.
#[test]
fn gradients_equal_finite_differences() {
    for case in fixture("losses.json") {
        let criterion: Criterion = serde_json::from_value(case["loss"].clone()).unwrap();
        let name = case["loss"].to_string();
        let (rows, target) =
            (rows(&case["prediction"]), target(&criterion, &rows(&case["target"])));
        if rows.concat().iter().any(|x| x.abs() > 30.0) {
            continue;
        }
        let value = |x: &Tensor| {
            let x = x.affine(1.5, 0.0).unwrap();
            (criterion.value(&x, &Targets::new(&target)).unwrap() * 3.0).unwrap()
        };
        let variable = Var::from_tensor(&tensor(&rows)).unwrap();
        let gradient = value(&variable).backward().unwrap().get(&variable).unwrap().clone();
        let (flat_rows, step) = (rows.concat(), 1e-6);
        for (index, slope) in flat(&gradient).into_iter().enumerate() {
            let at = |change: f64| {
                let mut moved = flat_rows.clone();
                moved[index] += change;
                scalar(&value(&Tensor::from_vec(moved, variable.shape(), &Device::Cpu).unwrap()))
            };
            close(&name, slope, (at(step) - at(-step)) / (2.0 * step), 1e-6);
        }
    }
}

#[test]
fn metrics_equal_scikit_learns() {
    let cases = fixture("metrics.json");
    assert_eq!(cases.len(), 5);
    for case in cases {
        let criterion = match case["kind"].as_str().unwrap() {
            "values" => Criterion::L1,
            "labels" => Criterion::Bce { pos_weight: vec![] },
            "quantiles" => Criterion::Quantile { quantiles: vec![0.5, 0.9] },
            _ => Criterion::cross_entropy(),
        };
        let prediction = tensor(&rows(&case["prediction"]));
        let target = target(&criterion, &rows(&case["target"]));
        let mut sum = criterion.metrics().with_scores();
        criterion.measure(0.0, &prediction, &Targets::new(&target), &mut sum).unwrap();
        let metrics = sum.finish();
        let wanted = case.as_object().unwrap().iter().filter(|(_, value)| value.is_f64());
        let mut compared = 0;
        for (name, want) in wanted {
            close(name, metrics.get(name).unwrap(), want.as_f64().unwrap(), 1e-6);
            compared += 1;
        }
        assert!(compared >= 2, "{case}");
    }
}

#[test]
fn targets_that_are_missing_do_not_count() {
    let column = |values: &[f64]| tensor(&values.iter().map(|v| vec![*v]).collect::<Vec<_>>());
    let (prediction, missing) = (column(&[1.0, 2.0, 3.0]), column(&[2.0, f64::NAN, f64::NAN]));
    let targets = Targets::new(&missing);
    assert_eq!(Criterion::Mse.weight(&targets).unwrap(), 1.0);
    assert_eq!(scalar(&Criterion::Mse.value(&prediction, &targets).unwrap()), 1.0);
    let mut sum = Criterion::Mse.metrics();
    Criterion::Mse.measure(1.0, &prediction, &targets, &mut sum).unwrap();
    let metrics = sum.finish();
    assert_eq!((metrics.loss, metrics.get("mae")), (1.0, Some(1.0)));
    // R2 of one target is undefined.
    assert!(metrics.r2().unwrap().is_nan());

    let none = column(&[f64::NAN; 3]);
    assert_eq!(Criterion::Mse.weight(&Targets::new(&none)).unwrap(), 0.0);
    let variable = Var::from_tensor(&prediction).unwrap();
    let loss = Criterion::Mse.value(&variable, &Targets::new(&none)).unwrap();
    let gradient = loss.backward().unwrap().get(&variable).unwrap().clone();
    assert_eq!((scalar(&loss), flat(&gradient)), (0.0, vec![0.0; 3]));

    let weighted = Criterion::CrossEntropy { weight: vec![1.0, 4.0], label_smoothing: 0.0 };
    let classes = Tensor::new(&[1u32, MISSING_CLASS, 0], &Device::Cpu).unwrap();
    assert_eq!(weighted.weight(&Targets::new(&classes)).unwrap(), 5.0);
}

/// Targets near 250,000 whose standard deviation is 10.
#[test]
fn a_scaled_objective_measures_in_the_units_of_the_data() {
    let scale = Standardize { mean: vec![250_000.0], std: vec![10.0] };
    let quantiles = Criterion::Quantile { quantiles: vec![0.1, 0.5, 0.9] };
    let objective = Objective::new(quantiles, Some(scale), &TargetKind::Values(1));
    let prediction = tensor(&[vec![-1.0, 0.0, 1.0], vec![-1.0, 0.5, 1.0]]);
    let target = tensor(&[vec![250_000.0], vec![250_020.0]]);
    let mut sum = objective.metrics();
    let targets = Targets::new(&target);
    let loss = scalar(&objective.value(&prediction, &targets).unwrap());
    objective.measure(loss, &prediction, &targets, &mut sum).unwrap();
    let metrics = sum.finish();
    close("mae", metrics.get("mae").unwrap(), 7.5, 1e-12);
    close("coverage", metrics.get("coverage").unwrap(), 0.5, 0.0);
    close("pinball", metrics.get("pinball").unwrap(), 10.0 * loss, 1e-12);
}

/// The mean absolute error of the previous target of the series is 2, that of the model 1.
#[test]
fn the_naive_forecast_stays_within_its_series() {
    use ragged_sequence::PackedLayout;
    // Two series of three and two steps: rows are 0:a 1:b 2:a 3:b 4:a.
    let layout = PackedLayout::from_lengths(&[3, 2]);
    let target = tensor(&[vec![0.0], vec![100.0], vec![2.0], vec![102.0], vec![0.0]]);
    let prediction = target.affine(1.0, 1.0).unwrap();
    let objective = Objective::new(Criterion::Mse, None, &TargetKind::StepValues(1));
    let mut sum = objective.metrics();
    let targets = Targets { layout: Some(&layout), ..Targets::new(&target) };
    objective.measure(1.0, &prediction, &targets, &mut sum).unwrap();
    assert_eq!(sum.finish().get("mase"), Some(0.5));
}

/// Errors of forecasts are compared with those of a naive forecast in the past of each series.
#[test]
fn the_errors_of_forecasts_are_scaled_by_their_series() {
    use ragged_sequence::PackedLayout;
    // A history of one step and two targets, of which one is missing; then one and one.
    let layout = PackedLayout::from_lengths(&[3, 2]);
    let rows = [f64::NAN, f64::NAN, 2.0, 102.0, f64::NAN].map(|y| vec![y]);
    let target = tensor(&rows);
    let prediction = tensor(&[0.0, 0.0, 5.0, 103.0, 0.0].map(|x| vec![x]));
    let objective = Objective::new(Criterion::Mse, None, &TargetKind::StepValues(1));
    let mase = |naive_errors: &[f64]| {
        let mut sum = objective.metrics();
        let (layout, naive_errors) = (Some(&layout), Some(naive_errors));
        let targets = Targets { layout, naive_errors, ..Targets::new(&target) };
        objective.measure(1.0, &prediction, &targets, &mut sum).unwrap();
        sum.finish().get("mase").unwrap()
    };
    // The mean of 3 / 2 and 1 / 4; a series without a naive error does not count.
    assert_eq!(mase(&[2.0, 4.0]), 0.875);
    assert_eq!(mase(&[2.0, f64::NAN]), 1.5);
    assert!(mase(&[0.0, f64::NAN]).is_nan());
}

proptest! {
    /// Metrics depend neither on the order of the rows nor on how they are split into batches.
    #[test]
    fn metrics_do_not_depend_on_order_and_batches(
        cells in prop::collection::vec((-3i32..4, -3i32..4, 0u32..3, 0usize..1000), 3..40),
        cut in 1usize..40,
        kind in 0usize..4,
    ) {
        let criterion = [
            Criterion::Mse,
            Criterion::cross_entropy(),
            Criterion::Bce { pos_weight: vec![] },
            Criterion::Quantile { quantiles: vec![0.5, 0.75] },
        ][kind].clone();
        let measured = |cells: &[(i32, i32, u32, usize)], cut: usize| {
            let mut sum = criterion.metrics().with_scores();
            for part in cells.chunks(cut) {
                let wide = criterion.is_for_classes();
                let x: Vec<Vec<f64>> = part.iter().map(|&(a, b, ..)| {
                    let (a, b) = (f64::from(a) * 0.5, f64::from(b) * 0.5);
                    if wide { vec![a, b, 0.25] } else { vec![a, b] }
                }).collect();
                let y: Vec<Vec<f64>> = part.iter().map(|&(_, b, class, _)| match kind {
                    0 => vec![f64::from(class), f64::from(b)],
                    1 => vec![f64::from(class)],
                    2 => vec![f64::from(class % 2), f64::from(class / 2)],
                    _ => vec![f64::from(class)],
                }).collect();
                let (x, y) = (tensor(&x), target(&criterion, &y));
                let targets = Targets::new(&y);
                let loss = scalar(&criterion.value(&x, &targets).unwrap());
                criterion.measure(loss, &x, &targets, &mut sum).unwrap();
            }
            sum.finish()
        };
        let mut shuffled = cells.clone();
        shuffled.sort_by_key(|cell| cell.3);
        let (whole, parts) = (measured(&cells, cells.len()), measured(&shuffled, cut));
        prop_assert_eq!(whole.others.len(), parts.others.len());
        for ((name, a), (other, b)) in whole.all().zip(parts.all()) {
            prop_assert_eq!(name, other);
            let same = (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-12 * a.abs().max(1.0);
            prop_assert!(same, "{}: {} and {}", name, a, b);
        }
    }
}
