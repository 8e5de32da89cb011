//! Files that are read after the training file: the test file beside it, and files to predict from and to
//! evaluate on. All are read by the names of the training file's columns.

use std::path::Path;

use ragged_train::config::Override;
use ragged_train::predict::Predictions;
use ragged_train::run::RunOutcome;
use ragged_train::{Experiment, ExperimentConfig, Predictor, RunDir};

/// A table of 20 series with two features and one target. `columns` orders them.
fn table(path: &Path, columns: &[&str]) {
    let mut text = format!("series_id,{}\n", columns.join(","));
    for k in 0..40 {
        let (series, a) = (k / 2, f64::from(k % 7));
        let value = |name: &&str| match *name {
            "a" => a.to_string(),
            "b" => f64::from(100 - k).to_string(),
            "target" => f64::from(series).to_string(),
            _ => "1".into(),
        };
        let cells: Vec<String> = columns.iter().map(value).collect();
        text += &format!("s{series},{}\n", cells.join(","));
    }
    std::fs::write(path, text).unwrap();
}

fn config(dataset: &Path) -> ExperimentConfig {
    let text = format!(
        "[data]\ndataset = {:?}\n[model]\nhidden_size = 4\n[train]\nepochs = 2\n",
        dataset.display().to_string()
    );
    ExperimentConfig::parse(&text, &[]).unwrap()
}

fn train(dataset: &Path, run: &Path) -> Predictor {
    let experiment = Experiment::new(config(dataset)).unwrap();
    let dir = RunDir::create(run, &experiment.config().to_toml().unwrap()).unwrap();
    experiment.run(&dir, &mut ()).unwrap();
    Predictor::open(run).unwrap()
}

/// Exchanged columns once changed the predictions without a word.
#[test]
fn columns_are_found_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    table(&path("train.csv"), &["a", "b", "target"]);
    let predictor = train(&path("train.csv"), &path("run"));
    let predict = |columns: &[&str]| -> Result<Predictions, String> {
        table(&path("later.csv"), columns);
        predictor.predict(&path("later.csv")).map_err(|error| error.to_string())
    };
    let expected = predict(&["a", "b"]).unwrap();
    assert_eq!(expected.rows.len(), 20);
    assert_eq!(expected.rows[3].id.as_deref(), Some("s3"));
    assert_eq!(predict(&["b", "a"]).unwrap(), expected);
    let error = predict(&["b", "c"]).unwrap_err();
    assert!(error.contains("missing a") && error.contains("unexpected c"), "{error}");
    let error = predict(&["a"]).unwrap_err();
    assert!(error.contains("missing b"), "{error}");
    // The labelled file again, in another order.
    table(&path("again.csv"), &["target", "b", "a"]);
    table(&path("whole.csv"), &["a", "b", "target"]);
    let evaluate = |name: &str| {
        let name = path(name).display().to_string();
        predictor.evaluate(Some(&name), None).unwrap().metrics
    };
    assert_eq!(evaluate("again.csv"), evaluate("whole.csv"));
}

#[test]
fn the_test_file_is_read_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    table(&path("x_TRAIN.csv"), &["a", "b", "target"]);
    let test_loss = |columns: &[&str]| -> Result<f64, String> {
        table(&path("x_TEST.csv"), columns);
        let experiment =
            Experiment::new(config(&path("x_TRAIN.csv"))).map_err(|e| e.to_string())?;
        let run = tempfile::tempdir().unwrap();
        let dir = RunDir::create(&run.path().join("run"), "").unwrap();
        match experiment.run(&dir, &mut ()).unwrap() {
            RunOutcome::Finished(summary) => Ok(summary.test.loss),
            RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
        }
    };
    let expected = test_loss(&["a", "b", "target"]).unwrap();
    assert_eq!(test_loss(&["target", "b", "a"]).unwrap(), expected);
    let error = test_loss(&["a", "target"]).unwrap_err();
    assert!(error.contains("x_TEST.csv") && error.contains("missing b"), "{error}");
}

#[test]
fn any_file_name_names_a_run() {
    let folder = tempfile::tempdir().unwrap();
    for (file, name) in [("my series.csv", "my-series"), ("donn\u{e9}es.csv", "donn-es")] {
        table(&folder.path().join(file), &["a", "target"]);
        assert_eq!(config(&folder.path().join(file)).name, name);
    }
    // The type of the key decides whether a value is a text.
    for (value, name) in [("2024", "2024"), ("007", "007"), ("1e3", "1e3"), ("\"a\"", "a")] {
        let value = Override::set("name", value);
        assert_eq!(ExperimentConfig::parse("", &[value]).unwrap().name, name);
    }
    let series = [Override::set("data.read.csv.series", "2024-01-01")];
    let config = ExperimentConfig::parse("", &series).unwrap();
    assert_eq!(config.data.read.csv.series.as_deref(), Some("2024-01-01"));
    let wrong = [Override::set("name", "[1]")];
    let error = ExperimentConfig::parse("", &wrong).unwrap_err().to_string();
    assert_eq!(error, "--set name=[1]: name: expected text in quotes, got a list");
}

/// The held-out sequences follow from their number: in a file that had grown, trained ones were tested.
#[test]
fn evaluation_and_resumption_refuse_changed_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    table(&path("train.csv"), &["a", "b", "target"]);
    let predictor = train(&path("train.csv"), &path("run"));
    let run = RunDir::open(&path("run")).unwrap();
    let before = predictor.evaluate(None, None).unwrap().metrics;
    // Another order of the columns is the same content.
    table(&path("train.csv"), &["target", "b", "a"]);
    assert_eq!(predictor.evaluate(None, None).unwrap().metrics, before);
    let text = std::fs::read_to_string(path("train.csv")).unwrap();
    std::fs::write(path("train.csv"), text + "s20,20,1,1\n").unwrap();
    let error = predictor.evaluate(None, None).unwrap_err().to_string();
    let part = "have changed since the training: expected 20 sequences with the SHA-256 sum ";
    let resumed =
        "the run has changed since this checkpoint: the training data was 20 sequences with ";
    assert!(error.contains("train.csv") && error.contains(part), "{error}");
    let error = Experiment::resume(&run).unwrap_err().to_string();
    assert!(error.contains(resumed) && error.contains(" and is 21 sequences "), "{error}");
}
