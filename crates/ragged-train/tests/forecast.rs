//! Forecasts from a configuration: training, prediction after the end of each series, evaluation, and the runtime.

use std::fmt::Write;
use std::path::Path;

use ragged_datasets::formats::Format;
use ragged_datasets::{Dataset, Sequence};
use ragged_runtime::Model;
use ragged_train::run::{Datasets, RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};

const CONFIG: &str = "
name = \"sales\"
[model]
hidden_size = 8
[data]
dataset = DATASET
valid_fraction = 0.2
[data.forecast]
window = 8
horizon = 3
targets = [\"demand\"]
known = [\"price\"]
[train]
epochs = 3
batch_size = 16
loss = { name = \"quantile\", quantiles = [0.1, 0.5, 0.9] }
";

/// The demand follows the price and has a season of four steps. Its unit is thousands, that of the weather is not.
fn demand(k: usize, t: usize) -> f64 {
    250_000.0 + 1000.0 * ((t + k) % 4) as f64 - 500.0 * price(k, t)
}

fn price(k: usize, t: usize) -> f64 {
    ((t * 7 + k * 3) % 5) as f64
}

/// Series `s0`, `s1`, ... with these numbers of steps with a demand, and steps after them.
fn table(lengths: &[(usize, usize)], weather: impl Fn(usize, usize) -> f64) -> String {
    let mut table = "series_id,time,price,demand,weather\n".to_string();
    for (k, &(steps, after)) in lengths.iter().enumerate() {
        for t in 0..steps + after {
            let known = if t < steps { demand(k, t).to_string() } else { String::new() };
            let _ = writeln!(table, "s{k},{t},{},{known},{}", price(k, t), weather(k, t));
        }
    }
    table
}

fn usual(k: usize, t: usize) -> f64 {
    ((t * t + k) % 11) as f64
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn experiment(folder: &Path, config: &str, table: &str) -> Result<Experiment, String> {
    let file = folder.join("sales.csv");
    std::fs::write(&file, table).unwrap();
    let config = config.replace("DATASET", &quoted(&file));
    let parsed = ExperimentConfig::parse(&config, &[]);
    let experiment = parsed.and_then(Experiment::new);
    experiment.map_err(|error| ExperimentConfig::locate(error, &config, &[]).to_string())
}

fn train(folder: &Path, config: &str, table: &str) -> (Predictor, RunSummary) {
    let experiment = experiment(folder, config, table).unwrap();
    let run = RunDir::create(&folder.join("run"), &experiment.config().to_toml().unwrap()).unwrap();
    let RunOutcome::Finished(summary) = experiment.run(&run, &mut ()).unwrap() else {
        panic!("nothing interrupts this run")
    };
    (Predictor::open(run.path()).unwrap(), *summary)
}

#[test]
fn a_run_predicts_the_steps_after_the_end_of_each_series() {
    let folder = tempfile::tempdir().unwrap();
    let lengths = [(40, 0), (30, 3), (12, 0)];
    let (predictor, summary) = train(folder.path(), CONFIG, &table(&lengths, usual));
    let svg = std::fs::read_to_string(folder.path().join("run/forecast.svg")).unwrap();
    for part in ["s0: demand", "s2: demand", "quantiles 0.1 to 0.9", "truth"] {
        assert!(svg.contains(part), "{part}");
    }
    // The test is the same from the saved model, and its metrics are in the units of the file.
    let again = predictor.evaluate(None, None).unwrap();
    assert_eq!((again.metrics, again.examples), (summary.test.clone(), summary.test_examples));
    assert!(summary.test.get("mae").unwrap() > 10.0);
    assert!(summary.test.get("coverage").is_some() && summary.test.get("mase").is_some());

    let later = table(&[(20, 3), (2, 3), (9, 4)], usual);
    let file = folder.path().join("later.csv");
    std::fs::write(&file, &later).unwrap();
    let predictions = predictor.predict(&file).unwrap();
    assert_eq!(predictions.notes.len(), 1, "{:?}", predictions.notes);
    let ids: Vec<_> = predictions.rows.iter().map(|row| row.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["s0", "s1", "s2"]);
    for (k, (row, steps)) in predictions.rows.iter().zip([8, 2, 8]).enumerate() {
        assert_eq!((row.values.len(), row.history.len()), (3, steps), "series {k}");
        assert!(row.values.iter().flatten().all(|value| (200_000.0..300_000.0).contains(value)));
    }
    assert_eq!(predictions.rows[1].history, [[demand(1, 0)], [demand(1, 1)]]);
    let csv = predictions.to_csv().unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), ("series,id,step,q0.1,q0.5,q0.9", 10));
    assert!(lines[1].starts_with("1,s0,1,") && lines[9].starts_with("3,s2,3,"), "{csv}");
    predictor
        .predict(&file)
        .unwrap()
        .write_forecast_svg("later", &folder.path().join("later.svg"))
        .unwrap();
    let svg = std::fs::read_to_string(folder.path().join("later.svg")).unwrap();
    assert!(svg.contains("s1: demand") && !svg.contains("truth"));
}

/// Makes each forecast of the test from a file that ends with its history, and computes the metrics by their definitions.
#[test]
fn the_metrics_of_the_test_are_those_of_single_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let (predictor, summary) = train(folder.path(), CONFIG, &table(&[(40, 0), (30, 0)], usual));
    let (mut errors, mut scaled, mut covered) = (vec![], vec![], 0);
    // The last fifth is for the test; of the 32 and 24 steps before, 6 and 5 are for validation.
    for (k, origins, train_end) in [(0, 32..=37, 26), (1, 24..=27, 19)] {
        let changes = (1..train_end).map(|t| (demand(k, t) - demand(k, t - 1)).abs());
        let naive = changes.sum::<f64>() / (train_end - 1) as f64;
        for origin in origins {
            let mut lengths = vec![(1, 3); k];
            lengths.push((origin, 3));
            let text = table(&lengths, usual);
            let predictions = predictor.predict_bytes(text.as_bytes(), Format::Csv).unwrap();
            for (step, quantiles) in predictions.rows[k].values.iter().enumerate() {
                let truth = demand(k, origin + step);
                errors.push((quantiles[1] - truth).abs());
                scaled.push((quantiles[1] - truth).abs() / naive);
                covered += usize::from((quantiles[0]..=quantiles[2]).contains(&truth));
            }
        }
    }
    assert_eq!((errors.len(), summary.test_examples), (30, 10));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for (name, expected) in
        [("mae", mean(&errors)), ("mase", mean(&scaled)), ("coverage", covered as f64 / 30.0)]
    {
        let got = summary.test.get(name).unwrap();
        assert!(
            (got / expected - 1.0).abs() < 1e-9 || got == expected,
            "{name}: {got}, {expected}"
        );
    }
}

/// A column may have the name that targets have elsewhere, and files need no names at all.
#[test]
fn columns_have_any_names_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let config = CONFIG.replace("\"demand\"", "\"target\"");
    let renamed = |text: String| text.replace("demand", "target");
    let (predictor, _) = train(folder.path(), &config, &renamed(table(&[(40, 0)], usual)));
    let later = renamed(table(&[(20, 3)], usual));
    let predictions = predictor.predict_bytes(later.as_bytes(), Format::Csv).unwrap();
    assert_eq!(predictions.rows[0].values.len(), 3);

    let steps: Vec<String> =
        (0..40).map(|t| format!("[{},{}]", demand(0, t), price(0, t))).collect();
    let lines = format!("{{\"sequence\":[{}]}}\n", steps.join(","));
    std::fs::write(folder.path().join("x.jsonl"), &lines).unwrap();
    let config = CONFIG.replace("[\"demand\"]", "[\"1\"]").replace("[\"price\"]", "[\"2\"]");
    let config = config.replace("DATASET", &quoted(&folder.path().join("x.jsonl")));
    let experiment = Experiment::new(ExperimentConfig::parse(&config, &[]).unwrap()).unwrap();
    let run = RunDir::create(&folder.path().join("x"), &experiment.config().to_toml().unwrap());
    let run = run.unwrap();
    experiment.run(&run, &mut ()).unwrap();
    let predictor = Predictor::open(run.path()).unwrap();
    let line = "{\"id\":\"a\",\"sequence\":[[250000,1],[250500,2],[null,1],[null,2],[null,3]]}";
    let predictions = predictor.predict_bytes(line.as_bytes(), Format::JsonLines).unwrap();
    assert_eq!((predictions.rows[0].values.len(), predictions.names), (3, vec!["1".to_string()]));
}

/// The weather after the end is unknown when the forecast is made, even if the file has it; the price is known.
#[test]
fn predictions_depend_on_known_columns_of_the_future_only() {
    let folder = tempfile::tempdir().unwrap();
    let (predictor, _) = train(folder.path(), CONFIG, &table(&[(40, 0), (30, 0)], usual));
    let predict = |table: &str| {
        let predictions = predictor.predict_bytes(table.as_bytes(), Format::Csv).unwrap();
        predictions.rows.into_iter().map(|row| row.values).collect::<Vec<_>>()
    };
    let text = table(&[(20, 3), (5, 3)], usual);
    let other = table(&[(20, 3), (5, 3)], |k, t| if t >= [20, 5][k] { 1e6 } else { usual(k, t) });
    assert_eq!(predict(&text), predict(&other));
    let known = text.replace(&format!("s0,22,{}", price(0, 22)), "s0,22,9");
    assert_ne!(known, text);
    let (before, after) = (predict(&text), predict(&known));
    assert_eq!((&before[0][..2], &before[1]), (&after[0][..2], &after[1]));
    assert_ne!(before[0][2], after[0][2]);
    // What is older than the window is not read.
    let old = table(&[(20, 3), (5, 3)], |k, t| if k == 0 && t < 12 { -50.0 } else { usual(k, t) });
    assert_eq!(predict(&text), predict(&old));
    // Series in memory are those of a file: price, demand, weather.
    let series = |k: usize, steps: usize| {
        let step = |t: usize| {
            let demand = if t < steps { demand(k, t) as f32 } else { f32::NAN };
            [price(k, t) as f32, demand, usual(k, t) as f32]
        };
        Sequence::new((0..steps + 3).flat_map(step).collect(), 3).unwrap()
    };
    let in_memory = predictor.predict_sequences(&[series(0, 20), series(1, 5)], None).unwrap();
    assert!(in_memory.rows.iter().map(|row| &row.values).eq(before.iter()));
    let narrow = Sequence::new(vec![1.0, 2.0], 2).unwrap();
    let error = predictor.predict_sequences(&[narrow], None).unwrap_err().to_string();
    assert!(error.contains("expected 3"), "{error}");
}

/// The input of the model is a sequence like any other: the history, then the horizon with missing values.
#[test]
fn the_runtime_has_the_bits_of_the_forecast() {
    let folder = tempfile::tempdir().unwrap();
    for cell in ["lstm", "gru"] {
        let folder = folder.path().join(cell);
        std::fs::create_dir(&folder).unwrap();
        let config = CONFIG.replace("hidden_size", &format!("cell = {cell:?}\nhidden_size"));
        let (predictor, _) = train(&folder, &config, &table(&[(40, 0), (30, 0)], usual));
        let later = table(&[(20, 3), (5, 3)], usual);
        let want = predictor.predict_bytes(later.as_bytes(), Format::Csv).unwrap();
        let model = Model::open(&folder.join("run")).unwrap();
        let names = ["price", "demand", "weather", "is future"].map(String::from);
        assert_eq!(model.feature_names(), Some(&names[..]));
        let window = |k: usize, steps: usize| {
            let step = |t: usize| match t < steps {
                true => [price(k, t), demand(k, t), usual(k, t), 0.0],
                false => [price(k, t), f64::NAN, f64::NAN, 1.0],
            };
            (steps.saturating_sub(8)..steps + 3).flat_map(step).collect::<Vec<f64>>()
        };
        let windows = [window(0, 20), window(1, 5)];
        let got = model.predict(&[&windows[0][..], &windows[1][..]]).unwrap();
        for (got, want) in got.iter().zip(&want.rows) {
            let steps: Vec<Vec<f64>> =
                got.chunks_exact(3).map(|row| row.iter().map(|&v| v.into()).collect()).collect();
            assert_eq!(steps[steps.len() - 3..], want.values);
        }
    }
}

#[test]
fn several_targets_and_other_losses() {
    let folder = tempfile::tempdir().unwrap();
    let config = CONFIG.replace("[\"demand\"]", "[\"weather\", \"demand\"]");
    for (loss, names) in [
        ("\"mse\"", "weather,demand"),
        ("\"gaussian\"", "weather_mean,weather_std,demand_mean,demand_std"),
    ] {
        let folder = folder.path().join(loss.trim_matches('"'));
        std::fs::create_dir(&folder).unwrap();
        let from = config.find("{ name = \"quantile\"").unwrap();
        let config = format!("{}{loss}\n", &config[..from]);
        let (predictor, _) = train(&folder, &config, &table(&[(40, 0), (30, 0)], usual));
        let rows = "price,demand,weather\n1,250000,2\n2,250500,\n0,251000,\n1,,\n2,,\n3,,\n";
        let predictions = predictor.predict_bytes(rows.as_bytes(), Format::Csv).unwrap();
        let csv = predictions.to_csv().unwrap();
        assert_eq!(csv.lines().next(), Some(format!("series,step,{names}").as_str()));
        // The series ends where all targets do.
        assert_eq!((csv.lines().count(), predictions.rows[0].history.len()), (4, 3));
        assert!(predictions.rows[0].history[2][0].is_nan());
        let svg = std::fs::read_to_string(folder.join("run/forecast.svg")).unwrap();
        assert!(svg.contains("s0: weather") && svg.contains("s1: demand"));
    }
}

#[test]
fn what_cannot_be_forecast_is_named_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let check = |change: [&str; 2], lengths: &[(usize, usize)], message: &str| {
        let config = CONFIG.replace(change[0], change[1]);
        let error = experiment(folder.path(), &config, &table(lengths, usual)).unwrap_err();
        assert_eq!(error, message);
    };
    let long = [(40, 0), (30, 0)];
    check(
        ["[\"demand\"]", "[\"demnad\"]"],
        &long,
        "line 11, column 11: data.forecast.targets has `demnad`, which is not a column: expected some of price, \
         demand, weather",
    );
    check(
        ["[\"price\"]", "[\"prize\"]"],
        &long,
        "line 12, column 9: data.forecast.known has `prize`, which is not a column: expected some of price, demand, \
         weather",
    );
    check(
        ["horizon = 3", "horizon = 30"],
        &long,
        "line 10, column 11: data.forecast.horizon is 30, but series `s1` has 30 steps up to its last target: expected \
         at least 31",
    );
    check(
        ["horizon = 3", "horizon = 15"],
        &long,
        "line 10, column 11: data.forecast.horizon is 15, but no series has room for a training window: expected \
         longer series or smaller parts",
    );
    check(
        ["[0.1, 0.5, 0.9]", "[0.1, 0.5, 1.5]"],
        &long,
        "line 16, column 41: train.loss.quantiles is 1.5: expected numbers above 0 and below 1",
    );
    check(
        ["hidden_size = 8", "readout = \"mean\""],
        &long,
        "line 4, column 11: model.readout is mean, but there is one target per time step: expected steps",
    );
    check(
        ["hidden_size = 8", "kind = \"fixed\""],
        &long,
        "line 4, column 8: model.kind is fixed, but there is one target per time step: expected variable",
    );
    check(
        ["name = \"quantile\", quantiles = [0.1, 0.5, 0.9]", "name = \"cross-entropy\""],
        &long,
        "line 16, column 8: train.loss is cross-entropy, but the targets are values: expected another loss, or \
         data.read.task classification",
    );
    let (predictor, _) = train(folder.path(), CONFIG, &table(&long, usual));
    let refused = |table: &str, message: &str| {
        let error = predictor.predict_bytes(table.as_bytes(), Format::Csv).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    refused(
        &table(&[(20, 3), (20, 2)], usual),
        "series `s1` has `price` for 2 steps after its end: expected 3, as the column is known in advance",
    );
    refused(
        "price,demand,weather\n1,,2\n1,,2\n",
        "series 1 has no value of `demand`: expected at least one step of history",
    );
    refused(
        "price,weather\n1,2\n",
        "line 1, column 1: expected the features price, demand, weather: missing demand",
    );
    // A file with other series is tested on their last steps; one that is too short is named.
    let other = folder.path().join("other.csv");
    std::fs::write(&other, table(&[(25, 3)], usual)).unwrap();
    let tested = predictor.evaluate(other.to_str(), None).unwrap();
    assert_eq!(tested.examples, 3);
    std::fs::write(&other, table(&[(3, 0)], usual)).unwrap();
    let error = predictor.evaluate(other.to_str(), None).unwrap_err().to_string();
    assert!(error.ends_with("has 3 steps up to its last target: expected at least 4"), "{error}");
    assert!(error.starts_with(&other.display().to_string()), "{error}");
}

/// A split in time needs one file, and its test data must stay those of the training.
#[test]
fn one_file_has_all_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (predictor, _) = train(folder.path(), CONFIG, &table(&[(40, 0), (30, 0)], usual));
    std::fs::write(folder.path().join("sales.csv"), table(&[(40, 0), (31, 0)], usual)).unwrap();
    let error = predictor.evaluate(None, None).unwrap_err().to_string();
    assert!(error.contains("training and test data"), "{error}");
    for part in ["x_TRAIN.csv", "x_TEST.csv"] {
        std::fs::write(folder.path().join(part), table(&[(40, 0)], usual)).unwrap();
    }
    // What is forecast is part of the configuration, which must be that of the training.
    let path = folder.path().join("run/config.toml");
    let saved = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, saved.replace("horizon = 3", "horizon = 4")).unwrap();
    let error = Predictor::open(&folder.path().join("run")).unwrap_err().to_string();
    let message = "the run has changed since this checkpoint: data.forecast.horizon was 3 and is 4";
    assert!(error.ends_with(message), "{error}");
    let config = CONFIG.replace("DATASET", &quoted(&folder.path().join("x_TRAIN.csv")));
    let config = ExperimentConfig::parse(&config, &[]).unwrap();
    let error = Datasets::open(&config.data, 0).unwrap_err().to_string();
    assert!(
        error.contains("but data.forecast splits series in time: expected one file"),
        "{error}"
    );
}

/// Generated series are the same for every part, and the scales are those of the training part.
#[test]
fn generated_series_are_split_in_time() {
    let text = "[data.synthetic]\ntask = { name = \"seasonal\" }\nnum_samples = 3\nredraw = false\n\
                lengths = { distribution = \"uniform\", min = 50, max = 60 }\n\
                [data.forecast]\nwindow = 10\nhorizon = 5\ntargets = [\"demand\"]\nknown = [\"promotion\"]\n";
    let config = ExperimentConfig::parse(text, &[]).unwrap();
    let data = Datasets::open(&config.data, config.seed).unwrap();
    assert!(data.valid.is_none());
    assert_eq!(data.notes.len(), 2, "{:?}", data.notes);
    let note = "forecast: the next 5 steps of `demand` from up to 10 steps of history; known in advance: `promotion`; \
                other columns: none";
    assert_eq!(data.notes[0], note);
    assert!(data.notes[1].ends_with("of 3 series split in time"), "{}", data.notes[1]);
    let example = data.test.get(0, 0).unwrap();
    let last = example.sequence.row(example.sequence.len() - 1).unwrap();
    // The demand of a step to predict is the mean of the training part, which is zero.
    assert!(last[0].abs() < 1e-6 && last[2] == 1.0, "{last:?}");
    let valid = ExperimentConfig::parse(&format!("{text}[data]\nvalid_fraction = 0.2\n"), &[]);
    let valid = valid.unwrap();
    assert!(Datasets::open(&valid.data, valid.seed).unwrap().valid.is_some());
}
