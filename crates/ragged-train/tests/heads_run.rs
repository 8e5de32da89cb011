//! Runs with several heads, from a table and from JSON lines, per sequence and per step: what they learn, save and
//! predict, and what does not fit.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ragged_runtime::{Model, Scratch, Session, softmax};
use ragged_train::config::Override;
use ragged_train::fit::{Observer, StepRecord, TrainState};
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{Experiment, ExperimentConfig, Predictor, Result, RunDir};

const GAIT: &str = "
seed = 1
[data]
dataset = \"FILE\"
valid_fraction = 0.2
read.csv.targets = [\"activity\", \"speed\"]
[model]
hidden_size = 8
[train]
epochs = 25
batch_size = 8
lr = 0.03
monitor = \"activity.accuracy\"
[train.heads.activity]
loss = { name = \"cross-entropy\", label_smoothing = 0.1 }
class_weights = \"balanced\"
[train.heads.speed]
loss = \"huber\"
weight = 0.5
";

/// A series of steps: two features, the activity, and the speed, which is missing in some.
type Steps = Vec<Step>;
type Step = ([f64; 2], &'static str, Option<f64>);

/// The activity follows from the sign of the first feature, and the speed from the second. Without `per_step`, both are
/// those of the whole series.
fn series(count: usize, per_step: bool) -> Vec<Steps> {
    let one = |k: usize| -> Steps {
        let steps = 2 + k % 4;
        let step = |t: usize| {
            let at = if per_step { k * 7 + t * 3 } else { k * 7 };
            let kind = at % 3;
            let x = kind as f64 - 1.0 + 0.1 * ((t * 5 + k) % 3) as f64;
            let y = ((at * 11) % 13) as f64 * 0.1;
            let speed = 250.0 + 100.0 * y;
            ([x, y], ["run", "stand", "walk"][kind], (!k.is_multiple_of(5)).then_some(speed))
        };
        (0..steps).map(step).collect()
    };
    (0..count).map(one).collect()
}

fn table(folder: &Path, name: &str, series: &[Steps]) -> PathBuf {
    let mut text = "series_id,time,x,y,speed,activity\n".to_string();
    for (k, steps) in series.iter().enumerate() {
        for (t, ([x, y], activity, speed)) in steps.iter().enumerate() {
            let speed = speed.map_or(String::new(), |speed| speed.to_string());
            writeln!(text, "s{k},{t},{x},{y},{speed},{activity}").unwrap();
        }
    }
    let path = folder.join(format!("{name}.csv"));
    std::fs::write(&path, text).unwrap();
    path
}

fn json_lines(folder: &Path, name: &str, series: &[Steps], per_step: bool) -> PathBuf {
    let mut text = String::new();
    for (k, steps) in series.iter().enumerate() {
        let column = |of: &dyn Fn(&Step) -> String| {
            let all: Vec<String> = steps.iter().map(of).collect();
            if per_step { format!("[{}]", all.join(", ")) } else { all[0].clone() }
        };
        let activity = column(&|step| format!("\"{}\"", step.1));
        let speed = column(&|step| step.2.map_or("null".into(), |speed| speed.to_string()));
        let feature = |k: usize| {
            let all: Vec<String> = steps.iter().map(|step| step.0[k].to_string()).collect();
            all.join(", ")
        };
        writeln!(
            text,
            "{{\"id\": \"s{k}\", \"sequence\": {{\"x\": [{}], \"y\": [{}]}}, \"target\": {{\"speed\": {speed}, \
             \"activity\": {activity}}}}}",
            feature(0),
            feature(1)
        )
        .unwrap();
    }
    let path = folder.join(format!("{name}.jsonl"));
    std::fs::write(&path, text).unwrap();
    path
}

fn experiment(file: &Path, overrides: &[(&str, &str)]) -> Result<Experiment> {
    let text = GAIT.replace("FILE", file.to_str().unwrap());
    let overrides: Vec<_> =
        overrides.iter().map(|&(key, value)| Override::set(key, value)).collect();
    Experiment::new(ExperimentConfig::parse(&text, &overrides)?)
}

fn create(path: &Path, experiment: &Experiment) -> RunDir {
    RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap()
}

#[track_caller]
fn finish(run: &RunDir, experiment: &Experiment) -> RunSummary {
    match experiment.run(run, &mut ()).unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

/// Stops after some updates.
struct Stop(usize);

impl Observer for Stop {
    fn update(&mut self, _: &StepRecord, _: &TrainState) -> Result<ControlFlow<()>> {
        self.0 -= 1;
        Ok(if self.0 == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// The values of a series as the runtime takes them.
fn flat(steps: &Steps) -> Vec<f64> {
    steps.iter().flat_map(|step| step.0).collect()
}

/// Checks a finished run: metrics, predictions, evaluation, and the runtime.
fn check_run(run: &RunDir, summary: &RunSummary, later: &Path, series: &[Steps], per_step: bool) {
    assert!(summary.test.get("activity.accuracy").unwrap() > 0.9, "{:?}", summary.test);
    assert!(summary.test.get("speed.r2").unwrap() > 0.5, "{:?}", summary.test);
    assert_eq!(
        summary.minimised,
        "0.5 x Huber loss of standardised targets of speed + cross-entropy in nats of activity"
    );
    let classes: Vec<_> = summary.classes.iter().map(|class| class.label.as_str()).collect();
    assert_eq!(classes, ["run", "stand", "walk"]);
    assert!(summary.classes.iter().all(|class| class.head.as_deref() == Some("activity")));
    for file in ["loss.svg", "confusion-activity.txt", "confusion-activity.svg"] {
        assert!(run.path().join(file).exists(), "{file}");
    }
    let predictor = Predictor::open(run.path()).unwrap();
    let again = predictor.evaluate(None, None).unwrap();
    assert_eq!(again.metrics, summary.test);
    assert_eq!(again.confusions[0].head.as_deref(), Some("activity"));
    // Another file, whose targets are in another order.
    let other = predictor.evaluate(later.to_str(), None).unwrap();
    assert_eq!(other.examples, series.len());
    assert!(other.metrics.get("activity.accuracy").unwrap() > 0.9);
    // Predictions, and those of the runtime with the same bits.
    let predictions = predictor.predict(later).unwrap();
    let model = Model::open(run.path()).unwrap();
    let heads: Vec<_> = model.heads().map(|(part, range)| (part.name.clone(), range)).collect();
    assert_eq!(heads, [("speed".to_string(), 0..1), ("activity".to_string(), 1..4)]);
    assert_eq!(
        model.output_names(),
        ["speed.value_1", "activity.run", "activity.stand", "activity.walk"]
    );
    let values: Vec<Vec<f64>> = series.iter().map(flat).collect();
    let values: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let outputs = model.predict(&values).unwrap();
    let probabilities = |row: &[f32]| -> Vec<u64> {
        let wide = row[..1].iter().map(|value| f64::from(*value));
        wide.chain(softmax(&row[1..])).map(f64::to_bits).collect()
    };
    let mut right = 0;
    for ((row, outputs), steps) in predictions.rows.iter().zip(&outputs).zip(series) {
        let expected: Vec<Vec<u64>> = row
            .values
            .iter()
            .map(|values| values.iter().map(|value| value.to_bits()).collect())
            .collect();
        let got: Vec<Vec<u64>> = outputs.chunks_exact(4).map(probabilities).collect();
        assert_eq!(got, expected);
        let (part, range) = model.heads().nth(1).unwrap();
        right += usize::from(
            part.label(&outputs[outputs.len() - 4..][range]) == Some(steps[steps.len() - 1].1),
        );
        // Step by step.
        let (mut session, mut scratch) = (model.session().unwrap(), Scratch::default());
        let mut y = vec![0.0; 4];
        let mut stepped = vec![];
        for (x, ..) in steps {
            let mut sessions: [&mut Session; 1] = [&mut session];
            model.step(&mut sessions, x, &mut y, &mut scratch).unwrap();
            stepped.push(y.clone());
        }
        let stepped = if per_step { stepped.concat() } else { y };
        assert_eq!(&stepped, outputs);
    }
    assert!(right * 10 > series.len() * 9, "{right}");
    let csv = predictions.to_csv().unwrap();
    let step = if per_step { ",step" } else { "" };
    let header = format!(
        "series,id{step},speed.value_1,activity.label,activity.p(run),activity.p(stand),activity.p(walk)"
    );
    assert_eq!(csv.lines().next().unwrap(), header);
    let rows = if per_step { series.iter().map(Vec::len).sum() } else { series.len() };
    assert_eq!(csv.lines().count(), 1 + rows);
    let lines = predictions.to_json_lines();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let value = &first["heads"]["speed"]["values"];
    let label = &first["heads"]["activity"]["label"];
    match per_step {
        true => assert_eq!(
            (value.as_array().unwrap().len(), label[0].as_str()),
            (2, Some(series[0][0].1))
        ),
        false => assert_eq!(
            (value[0].as_f64(), label.as_str()),
            (Some(predictions.rows[0].values[0][0]), Some(series[0][0].1))
        ),
    }
    assert_eq!(predictions.heads()[1].1.to_csv().unwrap().lines().count(), 1 + rows);
}

#[test]
fn heads_learn_resume_and_predict_in_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for per_step in [false, true] {
        let name = if per_step { "steps" } else { "series" };
        let all = series(90, per_step);
        // The order of the columns differs from that of the configuration, which decides.
        let targets = [("data.read.csv.targets", "[\"speed\", \"activity\"]")];
        let csv = table(dir, name, &all);
        let csv = experiment(&csv, &targets).unwrap();
        let json = experiment(&json_lines(dir, name, &all, per_step), &targets).unwrap();
        assert_eq!(csv.notes()[0], json.notes()[0]);
        let run = create(&dir.join(format!("{name}-csv")), &csv);
        let summary = finish(&run, &csv);
        let other = create(&dir.join(format!("{name}-json")), &json);
        assert_eq!(finish(&other, &json).test, summary.test);
        assert_eq!(std::fs::read(run.metrics()).unwrap(), std::fs::read(other.metrics()).unwrap());
        let some = series(20, per_step);
        check_run(&run, &summary, &table(dir, "later", &some), &some, per_step);
        let lines = json_lines(dir, "later", &some, per_step);
        check_run(&other, &summary, &lines, &some, per_step);

        // Interrupted in the middle of an epoch, with groups of batches.
        let accumulate = [targets[0], ("train.accumulate", "3"), ("train.epochs", "4")];
        let file = dir.join(format!("{name}.csv"));
        let whole =
            create(&dir.join(format!("{name}-whole")), &experiment(&file, &accumulate).unwrap());
        let expected = finish(&whole, &experiment(&file, &accumulate).unwrap());
        let part = experiment(&file, &accumulate).unwrap();
        let run = create(&dir.join(format!("{name}-part")), &part);
        let outcome = part.run(&run, &mut Stop(4)).unwrap();
        assert!(matches!(outcome, RunOutcome::Interrupted(_)));
        let resumed = Experiment::resume(&run).unwrap();
        assert!(resumed.differences.is_empty());
        let got = finish(&run, &resumed.experiment);
        assert_eq!((&got.test, got.updates), (&expected.test, expected.updates));
        for of in [RunDir::last, RunDir::best, RunDir::metrics] {
            assert_eq!(std::fs::read(of(&run)).unwrap(), std::fs::read(of(&whole)).unwrap());
        }
    }
}

#[test]
fn heads_without_a_section_have_the_usual_losses() {
    let folder = tempfile::tempdir().unwrap();
    let file = table(folder.path(), "gait", &series(20, false));
    let text = format!(
        "[data]\ndataset = {:?}\nread.csv.targets = [\"activity\", \"speed\"]\n[train]\nepochs = 2\n",
        file.to_str().unwrap()
    );
    let plain = Experiment::new(ExperimentConfig::parse(&text, &[]).unwrap()).unwrap();
    let resolved = plain.config().to_toml().unwrap();
    let names = |experiment: &Experiment| -> Vec<(String, &str, f64)> {
        let heads = experiment.objective().heads().iter();
        heads.map(|h| (h.name.clone(), h.objective.criterion().name(), h.weight)).collect()
    };
    let expected = [("activity".to_string(), "cross-entropy", 1.0), ("speed".into(), "mse", 1.0)];
    assert_eq!(names(&plain), expected);
    // The resolved configuration has them, and is itself again.
    assert!(resolved.contains("[train.heads.speed]"), "{resolved}");
    let again = Experiment::new(ExperimentConfig::parse(&resolved, &[]).unwrap()).unwrap();
    assert_eq!(again.config().to_toml().unwrap(), resolved);
    let run = create(&folder.path().join("run"), &plain);
    finish(&run, &plain);
    let Ok(resumed) = Experiment::resume(&run) else { panic!("the run has not changed") };
    assert!(resumed.differences.is_empty());
    // Numbers alone have heads if a section says so.
    let known: Vec<Steps> = series(20, false).into_iter().filter(|s| s[0].2.is_some()).collect();
    let known = table(folder.path(), "known", &known);
    let numbers = text.replace("[\"activity\", \"speed\"]", "[\"speed\"]");
    let numbers = numbers.replace(file.to_str().unwrap(), known.to_str().unwrap());
    let one = Experiment::new(ExperimentConfig::parse(&numbers, &[]).unwrap()).unwrap();
    assert!(one.objective().heads().is_empty());
    let numbers = format!("{numbers}[train.heads.speed]\nloss = \"quantile\"\n");
    let one = Experiment::new(ExperimentConfig::parse(&numbers, &[]).unwrap()).unwrap();
    assert_eq!(names(&one), [("speed".to_string(), "quantile", 1.0)]);
    assert_eq!(one.objective().heads()[0].outputs, 0..3);
}

#[test]
fn what_does_not_fit_is_one_line_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let file = table(folder.path(), "gait", &series(20, true));
    #[track_caller]
    fn refused(file: &Path, overrides: &[(&str, &str)], message: &str) {
        let error = match experiment(file, overrides) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("expected: {message}"),
        };
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
    let of = |overrides: &[(&str, &str)], message: &str| refused(&file, overrides, message);
    of(
        &[("train.heads.spead.weight", "1")],
        "train.heads.spead is no target: expected some of activity, speed",
    );
    for (weight, shown) in [("-1", "-1"), ("nan", "NaN"), ("inf", "inf")] {
        let message =
            format!("train.heads.speed.weight is {shown}: expected a number of at least 0");
        of(&[("train.heads.speed.weight", weight)], &message);
    }
    let zeros = [("train.heads.speed.weight", "0"), ("train.heads.activity.weight", "0")];
    of(&zeros, "train.heads has the weight 0 for all heads: expected one above 0");
    of(
        &[("train.heads.speed.loss", "cross-entropy")],
        "train.heads.speed.loss is cross-entropy, but the targets are numbers: expected another loss, or a column of \
         the type target-category",
    );
    of(
        &[("train.heads.activity", "{ loss = \"ctc\" }")],
        "train.heads.activity.loss is ctc, but the targets are classes: expected cross-entropy, or a column of the \
         type target-number",
    );
    of(
        &[("train.heads.activity", "{ class_weights = { swim = 2.0 } }")],
        "train.heads.activity.class_weights has the label \"swim\": expected some of run, stand, walk",
    );
    of(
        &[("train.heads.speed.loss", "{ name = \"huber\", delta = 0.0 }")],
        "train.heads.speed.loss.delta is 0: expected a number above 0",
    );
    of(
        &[("train.heads.speed.los", "\"mse\"")],
        "unknown key `train.heads.speed.los`; did you mean `train.heads.speed.loss`?",
    );
    of(&[("train.heads.speed.loss", "bce")], "train.heads.speed.loss is bce, but a target of the");
    of(
        &[("train.loss", "mse")],
        "train.loss is given, but there are several heads: expected it in their sections, as \
         train.heads.activity.loss",
    );
    of(
        &[("train.class_weights", "balanced")],
        "train.class_weights is given, but there are several heads: expected it in their sections",
    );
    of(&[("model.crf", "true")], "model.crf is true, but the targets are those of several heads");
    of(
        &[("data.read.csv.types", "{ activity = \"target-number\" }")],
        "target `activity`: expected a number, got `run` (data.read.csv.types says that it is a target-number)",
    );
    of(
        &[("train.monitor", "activity.r2")],
        "train.monitor is activity.r2: expected loss, activity.accuracy,",
    );
    of(
        &[("train.monitor", "activity.top5")],
        "train.monitor is activity.top5, but there are no more than five classes",
    );
    of(&[("train.monitor", "speed.auc")], "train.monitor is speed.auc: expected loss,");
    of(
        &[("data.read.csv.targets", "[\"activity\", \"speedy\"]")],
        "expected a column `speedy`, got series_id, time, x, y, speed, activity",
    );
    of(&[("data.order", "balanced")], "target values");
    // Targets without names.
    let unnamed = folder.path().join("unnamed.jsonl");
    std::fs::write(&unnamed, "{\"sequence\": [1], \"target\": 1.5}\n".repeat(9)).unwrap();
    refused(&unnamed, &[], "expected targets with names, which the columns of a table and");
    let error =
        Experiment::new(ExperimentConfig::parse("[train.heads.speed]\nweight = 1\n", &[]).unwrap());
    let message = "train.heads is given, but the targets have no names: expected a table or objects in JSON lines";
    assert_eq!(error.unwrap_err().to_string(), message);
}

#[test]
fn heads_train_in_chunks_and_are_exported() {
    let folder = tempfile::tempdir().unwrap();
    let file = table(folder.path(), "gait", &series(30, true));
    let chunks = [("train.bptt_steps", "2"), ("train.epochs", "3")];
    let experiment = experiment(&file, &chunks).unwrap();
    let run = create(&folder.path().join("run"), &experiment);
    let summary = finish(&run, &experiment);
    assert!(summary.test.loss.is_finite());
    let onnx = Predictor::open(run.path()).unwrap().to_onnx().unwrap();
    for name in ["prediction.activity", "prediction.speed"] {
        assert!(onnx.windows(name.len()).any(|window| window == name.as_bytes()), "{name}");
    }
}
