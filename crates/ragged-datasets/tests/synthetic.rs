//! Compares the generated tasks with simple solutions, and measures their baselines.

use ragged_datasets::synthetic::{Baseline, Lengths, Synthetic, SyntheticConfig, SyntheticTask};
use ragged_datasets::{Dataset, Example, Target, TargetKind};

fn examples(task: SyntheticTask, lengths: Lengths) -> Vec<Example> {
    let config = SyntheticConfig { lengths, num_samples: 2000, ..SyntheticConfig::new(task) };
    let data = Synthetic::new(config).unwrap();
    (0..data.len())
        .map(|index| {
            let example = data.get(0, index).unwrap();
            assert_eq!(data.length(0, index).unwrap(), example.sequence.len());
            assert_eq!(example.sequence.features(), data.features());
            data.target_kind().check(index, example.sequence.len(), &example.target).unwrap();
            example
        })
        .collect()
}

const SHORT: Lengths = Lengths::Uniform { min: 1, max: 60 };

/// Decodes one-hot steps into symbols.
fn symbols(example: &Example) -> Vec<usize> {
    let symbol = |step: &[f32]| {
        assert_eq!(step.iter().sum::<f32>(), 1.0);
        step.iter().position(|&v| v == 1.0).unwrap()
    };
    example.sequence.steps().map(symbol).collect()
}

fn value(example: &Example) -> f64 {
    let Target::Values(values) = &example.target else { panic!("a value") };
    f64::from(values[0])
}

fn class(example: &Example) -> u32 {
    let Target::Class(class) = example.target else { panic!("a class") };
    class
}

/// Checks that the mean squared error of one answer to all examples is close to the baseline.
#[track_caller]
fn check_error(task: SyntheticTask, length: usize, answer: f64) {
    let examples = examples(task, Lengths::Fixed { length });
    let squares = examples.iter().map(|e| (value(e) - answer).powi(2));
    let error = squares.sum::<f64>() / examples.len() as f64;
    let Baseline::MeanSquaredError(expected) = task.baseline(length) else { panic!("an error") };
    assert!((error / expected - 1.0).abs() < 0.1, "{error} is not {expected}");
}

/// Checks that each class has nearly the share of examples that the baseline states.
#[track_caller]
fn check_shares(task: SyntheticTask, lengths: Lengths) {
    let examples = examples(task, lengths);
    let Baseline::Accuracy(share) = task.baseline(50) else { panic!("an accuracy") };
    for k in 0..task.target_kind().outputs() as u32 {
        let got = examples.iter().filter(|e| class(e) == k).count() as f64 / 2000.0;
        assert!((got - share).abs() < 0.05, "class {k} has {got}, not {share}");
    }
}

#[test]
fn adding_is_the_sum_of_one_value_in_each_half() {
    for example in examples(SyntheticTask::Adding, SHORT) {
        let steps: Vec<&[f32]> = example.sequence.steps().collect();
        assert!(steps.iter().all(|step| (0.0..1.0).contains(&step[0])));
        let marked: Vec<usize> = (0..steps.len()).filter(|&t| steps[t][1] == 1.0).collect();
        let [a, b] = marked[..] else { panic!("two steps are marked") };
        assert!(a < steps.len() / 2 && b >= steps.len() / 2);
        assert_eq!(value(&example), f64::from(steps[a][0] + steps[b][0]));
    }
    check_error(SyntheticTask::Adding, 200, 1.0);
}

#[test]
fn sums_are_sums_of_all_values() {
    let task = SyntheticTask::Sum { input_size: 3 };
    for example in examples(task, SHORT) {
        let sum: f64 = example.sequence.values().iter().map(|&v| f64::from(v)).sum();
        assert_eq!(value(&example), f64::from(sum as f32));
    }
    check_error(task, 20, 0.0);
}

#[test]
fn copy_memory_repeats_the_first_symbols() {
    let task = SyntheticTask::CopyMemory { copied: 4, symbols: 3 };
    for example in examples(task, SHORT) {
        let (input, length) = (symbols(&example), example.sequence.len());
        let Target::StepClasses(target) = &example.target else { panic!("a class per step") };
        assert!(length >= 9 && input[..4].iter().all(|&symbol| symbol < 3));
        let waiting = |t: usize| if t == length - 4 { 4 } else { 3 };
        assert!((4..length).all(|t| input[t] == waiting(t)));
        for t in 0..length {
            let expected = if t < length - 4 { 3 } else { input[t + 4 - length] };
            assert_eq!(target[t] as usize, expected);
        }
    }
    // In four of twenty steps, the target is one of three symbols.
    assert_eq!(task.baseline(20), Baseline::CrossEntropy(4.0 * 3f64.ln() / 20.0));
    let TargetKind::StepClasses(labels) = task.target_kind() else { panic!("a class per step") };
    assert_eq!(labels, ["0", "1", "2", "blank"]);
}

#[test]
fn temporal_order_is_the_order_of_the_two_signals() {
    for example in examples(SyntheticTask::TemporalOrder, SHORT) {
        let symbols = symbols(&example);
        let n = symbols.len();
        assert!(n >= 10 && symbols[0] == 6 && symbols[n - 1] == 7);
        let at: Vec<usize> = (0..n).filter(|&t| (4..6).contains(&symbols[t])).collect();
        let [first, second] = at[..] else { panic!("two signals") };
        assert!((n / 10..n / 5).contains(&first) && (n / 2..6 * n / 10).contains(&second));
        assert_eq!(class(&example) as usize, 2 * (symbols[first] - 4) + symbols[second] - 4);
    }
    check_shares(SyntheticTask::TemporalOrder, SHORT);
}

#[test]
fn parity_is_the_parity_of_the_number_of_ones() {
    let count = |steps: &[f32]| (steps.iter().sum::<f32>() as u32) % 2;
    for example in examples(SyntheticTask::Parity { per_step: false }, SHORT) {
        assert_eq!(class(&example), count(example.sequence.values()));
    }
    for example in examples(SyntheticTask::Parity { per_step: true }, SHORT) {
        let values = example.sequence.values();
        let up_to = (1..=values.len()).map(|end| count(&values[..end])).collect();
        assert_eq!(example.target, Target::StepClasses(up_to));
    }
    check_shares(SyntheticTask::Parity { per_step: false }, SHORT);
}

#[test]
fn the_class_says_whether_brackets_match() {
    for kinds in [1, 2, 5] {
        let task = SyntheticTask::Dyck { kinds };
        let mut deepest = 0;
        for example in examples(task, SHORT) {
            let mut open = vec![];
            let mut matches = example.sequence.len().is_multiple_of(2);
            for symbol in symbols(&example) {
                match symbol % 2 {
                    0 => open.push(symbol / 2),
                    _ => matches &= open.pop() == Some(symbol / 2),
                }
                deepest = deepest.max(open.len());
            }
            assert_eq!(class(&example) == 1, matches && open.is_empty());
        }
        assert!(deepest > 5, "no word is nested deeper than {deepest}");
        check_shares(task, SHORT);
    }
}

#[test]
fn the_target_of_the_sine_has_no_noise() {
    let task = SyntheticTask::NoisySine { horizon: 3, noise: 0.0 };
    for example in examples(task, Lengths::Fixed { length: 30 }) {
        let x: Vec<f64> = example.sequence.values().iter().map(|&v| f64::from(v)).collect();
        // Every sine satisfies x(t+1) = 2 cos(w) x(t) - x(t-1). The largest x(t) determines w best.
        let t = (1..29).max_by(|&a, &b| x[a].abs().total_cmp(&x[b].abs())).unwrap();
        let factor = (x[t - 1] + x[t + 1]) / x[t];
        let (mut last, mut next) = (x[28], x[29]);
        for _ in 0..3 {
            (last, next) = (next, factor * next - last);
        }
        assert!((next - value(&example)).abs() < 1e-3, "{next} is not {}", value(&example));
    }
    check_error(task, 40, 0.0);
    let noisy = examples(SyntheticTask::NoisySine { horizon: 1, noise: 0.5 }, SHORT);
    let squares = noisy.iter().flat_map(|e| e.sequence.values()).map(|v| f64::from(v * v));
    let steps: usize = noisy.iter().map(|e| e.sequence.len()).sum();
    assert!((squares.sum::<f64>() / steps as f64 - 0.75).abs() < 0.02);
}

#[test]
fn examples_depend_only_on_the_seed_the_epoch_and_the_index() {
    let data = |seed, redraw| {
        let config =
            SyntheticConfig { seed, redraw, ..SyntheticConfig::new(SyntheticTask::Adding) };
        Synthetic::new(config).unwrap()
    };
    let once = data(1, false).get(0, 5).unwrap();
    assert_eq!(data(1, false).get(9, 5).unwrap(), once);
    assert_ne!(data(2, false).get(0, 5).unwrap(), once);
    assert_ne!(data(1, false).get(0, 6).unwrap(), once);
    let redrawn = data(1, true);
    assert_eq!(redrawn.get(3, 5).unwrap(), redrawn.get(3, 5).unwrap());
    assert_ne!(redrawn.get(3, 5).unwrap(), redrawn.get(4, 5).unwrap());
    assert!(redrawn.get(0, 1000).is_err());
}

#[test]
fn a_configuration_is_read_from_a_file_and_checked() {
    let text = r#"{"task": {"name": "copy-memory"}, "lengths": {"distribution": "log-normal",
                   "median": 60, "sigma": 0.5, "max": 500}}"#;
    let config: SyntheticConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config.task, SyntheticTask::CopyMemory { copied: 10, symbols: 8 });
    let data = Synthetic::new(config).unwrap();
    assert_eq!((data.len(), data.features()), (1000, 10));
    #[track_caller]
    fn check(task: SyntheticTask, message: &str) {
        let error = Synthetic::new(SyntheticConfig::new(task)).unwrap_err().to_string();
        assert_eq!(error, message);
    }
    check(SyntheticTask::Dyck { kinds: 0 }, "kinds is 0: expected 1 to 65536");
    check(
        SyntheticTask::CopyMemory { copied: 0, symbols: 8 },
        "copied is 0: expected 1 to 1048576",
    );
    let noise = SyntheticTask::NoisySine { horizon: 1, noise: f32::NAN };
    check(noise, "noise is NaN: expected a finite number of at least 0");
}

#[test]
fn seasonal_series_have_the_variance_of_their_parts() {
    let task = SyntheticTask::Seasonal { noise: 2.0 };
    assert_eq!(task.feature_names().unwrap(), ["demand", "promotion"]);
    let length = 200;
    let examples = examples(task, Lengths::Fixed { length });
    let demand = examples.iter().flat_map(|example| example.sequence.steps().map(|s| s[0]));
    let demand: Vec<f64> = demand.map(f64::from).collect();
    let mean = demand.iter().sum::<f64>() / demand.len() as f64;
    assert!((mean - 51.8).abs() < 0.5, "{mean}");
    let variance = demand.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / demand.len() as f64;
    let Baseline::MeanSquaredError(expected) = task.baseline(length) else { panic!("an error") };
    assert!((variance / expected - 1.0).abs() < 0.05, "{variance} is not {expected}");
    // Without noise, promotions and the seasons, which repeat after 28 steps, what remains is the trend.
    let task = SyntheticTask::Seasonal { noise: 0.0 };
    for example in self::examples(task, Lengths::Fixed { length }).iter().take(50) {
        let steps: Vec<&[f32]> = example.sequence.steps().collect();
        let pairs = (28..length).filter(|&t| steps[t][1] == steps[t - 28][1]);
        let changes: Vec<f32> = pairs.map(|t| steps[t][0] - steps[t - 28][0]).collect();
        assert!(changes.iter().all(|change| (change - changes[0]).abs() < 1e-3), "{changes:?}");
        assert!(changes[0].abs() <= 28.0 * 0.02 + 1e-3);
    }
}
