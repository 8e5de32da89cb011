//! Runs from a configuration: reproducible bytes, files, and errors.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use ragged_datasets::{
    Batch, Collate, DataLoader, Dataset, LoaderConfig, VariableLengthSums, VariableLengthSumsConfig,
};
use ragged_models::{LayerKind, Mode, Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
use ragged_sequence::random::Generator;
use ragged_train::config::Override;
use ragged_train::fit::{EpochRecord, Position, StepOptions};
use ragged_train::objective::{Loss, Targets};
use ragged_train::optim::NamedGradients;
use ragged_train::run::{RunOutcome, RunSummary};
use ragged_train::{
    BatchModel, Criterion, Experiment, ExperimentConfig, Optimizer, OptimizerConfig, Predictor,
    Result, RunDir, train_step,
};

/// A small experiment with every kind of randomness: shuffling, generated data, dropout.
const SMALL: &str = "
seed = 3
[model]
hidden_size = 6
num_layers = 2
dropout = 0.3
bidirectional = true
[data.sums]
num_samples = 40
seq_length = 9
input_size = 2
held_out = 20
[train]
epochs = 3
batch_size = 16
clip_grad_norm = 1
";

fn config(text: &str, overrides: &[(&str, &str)]) -> Result<ExperimentConfig> {
    let overrides = overrides.iter().map(|&(key, value)| Override::set(key, value));
    ExperimentConfig::parse(text, &overrides.collect::<Vec<_>>())
}

fn train(path: &Path, overrides: &[(&str, &str)]) -> RunSummary {
    run(path, Experiment::new(config(SMALL, overrides).unwrap()).unwrap())
}

#[track_caller]
fn run(path: &Path, experiment: Experiment) -> RunSummary {
    let run = RunDir::create(path, &experiment.config().to_toml().unwrap()).unwrap();
    match experiment.run(&run, &mut ()).unwrap() {
        RunOutcome::Finished(summary) => *summary,
        RunOutcome::Interrupted(at) => panic!("interrupted at {at:?}"),
    }
}

#[test]
fn the_same_configuration_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let summary = train(&path("a"), &[]);
    train(&path("b"), &[]);
    train(&path("c"), &[("seed", "4")]);
    for file in ["metrics.jsonl", "best.safetensors", "last.safetensors", "config.toml"] {
        let bytes = |run: &str| std::fs::read(path(run).join(file)).unwrap();
        assert_eq!(bytes("a"), bytes("b"), "{file}");
        assert_ne!(bytes("a"), bytes("c"), "{file}");
    }
    // The resolved configuration is enough to repeat the run.
    let text = std::fs::read_to_string(path("a").join("config.toml")).unwrap();
    run(&path("d"), Experiment::new(config(&text, &[]).unwrap()).unwrap());
    let bytes = |run: &str| std::fs::read(path(run).join("last.safetensors")).unwrap();
    assert_eq!(bytes("a"), bytes("d"));

    let metrics = std::fs::read_to_string(path("a").join("metrics.jsonl")).unwrap();
    let records: Vec<EpochRecord> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        records.iter().map(|r| (r.epoch, r.updates)).collect::<Vec<_>>(),
        [(1, 3), (2, 6), (3, 9)]
    );
    assert!(records[0].lr > records[2].lr);
    let evaluation = Predictor::open(&path("a")).unwrap().evaluate(None, None).unwrap();
    assert_eq!((evaluation.metrics, evaluation.epoch), (summary.test, summary.epoch));
}

#[test]
fn a_damaged_run_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let error = |path: &Path| Predictor::open(path).err().unwrap().to_string();
    assert!(error(&path).ends_with("run: not a run directory: it has no config.toml"));
    train(&path, &[]);
    let best = path.join("best.safetensors");
    let bytes = std::fs::read(&best).unwrap();
    std::fs::write(&best, &bytes[..bytes.len() / 2]).unwrap();
    assert!(error(&path).contains("best.safetensors: not a checkpoint"), "{}", error(&path));
    // One bit of a weight.
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&best, &flipped).unwrap();
    let text = error(&path);
    assert!(text.contains("best.safetensors: damaged: its SHA-256 sum is"), "{text}");
    std::fs::remove_file(&best).unwrap();
    assert!(error(&path).contains("best.safetensors: No such file"), "{}", error(&path));
    // The weights of a larger model: the run cannot resume from them.
    let other = folder.path().join("other");
    train(&other, &[("model.hidden_size", "7")]);
    let last = path.join("last.safetensors");
    std::fs::copy(other.join("last.safetensors"), &last).unwrap();
    let run = RunDir::open(&path).unwrap();
    let text = Experiment::resume(&run).unwrap_err().to_string();
    assert!(text.contains("model.hidden_size was 7 and is 6"), "{text}");
    let text = Experiment::resume_changed(&run).unwrap_err().to_string();
    assert!(text.contains("last.safetensors: state dict does not fit"), "{text}");
    assert!(text.contains("lstm.bias_hh_l0 has shape [28], expected [24]"), "{text}");
}

fn write_ts(path: &Path, series: &[&str]) {
    let header = "@univariate true\n@classLabel true a b\n@data\n";
    std::fs::write(path, format!("{header}{}\n", series.join("\n"))).unwrap();
}

#[test]
fn runs_train_on_files_and_errors_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let open = |overrides: &[(&str, &str)]| {
        let dir = format!("{:?}", dir.display().to_string());
        let overrides =
            [&[("data.dir", dir.as_str()), ("data.dataset", "Tiny")], overrides].concat();
        Experiment::new(config("", &overrides)?)
    };
    #[track_caller]
    fn check(result: Result<Experiment>, part: &str) {
        let error = result.expect_err(part).to_string();
        assert!(error.contains(part), "{error:?} lacks {part:?}");
    }
    check(open(&[]), "Tiny_TRAIN.ts: no such file: download the data set Tiny, or set data.dir");
    write_ts(&dir.join("Tiny_TRAIN.ts"), &["1,2,3:a", "4,5:b", "6:a", "7,8:b", "9:a"]);
    check(open(&[]), "Tiny_TEST.ts: no such file");
    write_ts(&dir.join("Tiny_TEST.ts"), &["1,2:a", "3:b"]);
    let summary = run(&dir.join("run"), open(&[("train.epochs", "2")]).unwrap());
    assert_eq!((summary.test_examples, summary.epoch), (2, 2));
    assert!(summary.test.accuracy().is_some());
    let evaluation = Predictor::open(&dir.join("run")).unwrap().evaluate(None, None).unwrap();
    assert_eq!(evaluation.metrics, summary.test);
    let [confusion] = &evaluation.confusions[..] else { panic!("one matrix") };
    assert_eq!((confusion.matrix.classes(), &confusion.head), (2, &None));
    assert_eq!(confusion.labels, ["a", "b"]);

    // Without a test file, a fraction of the file is held out for the test.
    let alone = dir.join("alone.ts");
    std::fs::copy(dir.join("Tiny_TRAIN.ts"), &alone).unwrap();
    let alone = format!("{:?}", alone.display().to_string());
    open(&[("data.dataset", &alone), ("data.valid_fraction", "0.25")]).unwrap();

    check(
        open(&[("model.kind", "fixed")]),
        "model.kind is fixed, but Tiny has sequences of length",
    );
    check(open(&[("data.valid_fraction", "0.01")]), "split fraction is 0.99");
    check(open(&[("data.dataset", "\"nowhere.ts\"")]), "nowhere.ts: no such file");
    let folder = dir.join("folder.ts");
    std::fs::create_dir(&folder).unwrap();
    let folder = format!("{:?}", folder.display().to_string());
    check(open(&[("data.dataset", &folder)]), "folder.ts: expected a file, got an empty folder");
    write_ts(&dir.join("Tiny_TEST.ts"), &["1,2:a", "3:c"]);
    check(open(&[]), "Tiny_TEST.ts: line 5, column 3: expected a label of @classLabel, got `c`");
    // The test file may list the classes in another order, but must have the same features.
    std::fs::write(dir.join("Tiny_TEST.ts"), "@classLabel true b a\n@data\n1:a\n").unwrap();
    open(&[]).unwrap();
    std::fs::write(dir.join("Tiny_TEST.ts"), "@classLabel true b a\n@data\n1:2:a\n").unwrap();
    check(open(&[]), "Tiny_TEST.ts: expected 1 features per step, as in the training data, got 2");
    std::fs::write(dir.join("Tiny_TEST.ts"), "@classLabel true c\n@data\n1:c\n").unwrap();
    let message =
        "Tiny_TEST.ts: line 3, column 3: expected one of the 2 known labels (a, b), got `c`";
    check(open(&[]), message);
    std::fs::write(dir.join("Tiny_TRAIN.ts"), "@classLabel true a\n@data\n").unwrap();
    check(open(&[]), "Tiny_TRAIN.ts: line 3, column 1: expected a series, got the end of the file");
    let fixed = config("", &[("model.kind", "fixed"), ("data.dataset", "variable-sums")]).unwrap();
    check(Experiment::new(fixed), "the lengths of variable-sums vary");
}

#[test]
fn the_order_of_training_examples_can_follow_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    // One of eight is a b.
    let series: Vec<String> =
        (0..64).map(|k| format!("{k}:{}", if k % 8 == 0 { "b" } else { "a" })).collect();
    let series: Vec<&str> = series.iter().map(String::as_str).collect();
    write_ts(&folder.path().join("Few_TRAIN.ts"), &series);
    write_ts(&folder.path().join("Few_TEST.ts"), &series);
    let dir = format!("{:?}", folder.path().display().to_string());
    let of_class_b = |order: &str| -> Vec<usize> {
        let overrides = [
            ("data.dir", dir.as_str()),
            ("data.dataset", "Few"),
            ("data.order", order),
            ("train.batch_size", "16"),
        ];
        let loader =
            Experiment::new(config("", &overrides).unwrap()).unwrap().train_loader().unwrap();
        let batches = loader.epoch(0).map(|batch| batch.unwrap());
        let classes = batches.map(|batch| batch.target.to_vec1::<u32>().unwrap());
        classes.map(|classes| classes.iter().filter(|&&class| class == 1).count()).collect()
    };
    assert_eq!(of_class_b("stratified"), [2, 2, 2, 2]);
    assert_eq!(of_class_b("shuffle").iter().sum::<usize>(), 8);
    let balanced: usize = of_class_b("balanced").iter().sum();
    assert!((20..=44).contains(&balanced), "{balanced} of 64 where half is expected");

    let sums = config("", &[("data.order", "balanced"), ("data.sums.num_samples", "8")]).unwrap();
    let error = Experiment::new(sums).err().unwrap().to_string();
    assert!(error.contains("expected a class"), "{error}");
}

fn model(kind: ModelKind) -> (Model, Parameters) {
    model_of(LayerKind::Lstm, kind)
}

fn model_of(cell: LayerKind, kind: ModelKind) -> (Model, Parameters) {
    // The last time step is the first of the reverse direction, so its recurrent weight has no effect.
    let bidirectional = kind == ModelKind::Variable;
    let layer = RecurrentConfig { num_layers: 2, bidirectional, ..RecurrentConfig::new(7, 5) };
    let config = ModelConfig { cell, ..ModelConfig::new(kind, layer, 1) };
    let parameters = Parameters::new(1);
    (Model::new(&config, parameters.builder(DType::F32, &Device::Cpu)).unwrap(), parameters)
}

fn batch(collate: Collate, change: fn(&mut f32)) -> Batch {
    let sums = VariableLengthSums::new(VariableLengthSumsConfig::default()).unwrap();
    let mut example = sums.get(0, 0).unwrap();
    change(&mut example.sequence.values_mut()[0]);
    collate.collate(&[(0, example)], &Device::Cpu).unwrap()
}

#[test]
fn a_loss_that_is_not_finite_stops_before_the_update() {
    let (model, parameters) = model(ModelKind::Variable);
    let mut optimizer = Optimizer::new(OptimizerConfig::default(), parameters.named()).unwrap();
    let before = parameters.state_dict();
    let batch = batch(Collate::Packed, |value| *value = f32::NAN);
    let options = StepOptions::new(0.1);
    let at = Position { epoch: 4, batch: 6 };
    let rng = &mut Generator::seed(0);
    let error =
        train_step(&model, &batch, &Criterion::Mse, &mut optimizer, options, at, rng).unwrap_err();
    let message = "loss is NaN in epoch 5, batch 7: stopped before the update";
    assert_eq!(error.to_string(), message);
    let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (name, value) in parameters.state_dict() {
        assert_eq!(bits(&value), bits(&before[&name]), "{name}");
    }
}

/// Candle's fused softmax and layer norm do not propagate gradients; no layer here may do the same.
#[test]
fn every_parameter_gets_a_gradient() {
    let cells = [LayerKind::Lstm, LayerKind::Gru, LayerKind::Rnn];
    let kinds = [(ModelKind::Fixed, Collate::Padded), (ModelKind::Variable, Collate::Packed)];
    for (cell, (kind, collate)) in cells.into_iter().flat_map(|c| kinds.map(|kind| (c, kind))) {
        let (model, parameters) = model_of(cell, kind);
        let batch = batch(collate, |_| ());
        let rng = &mut Generator::seed(0);
        let prediction = BatchModel::forward(&model, &batch.input, Mode::Train(rng)).unwrap();
        let loss = Criterion::Mse.value(&prediction, &Targets::of(&batch).unwrap()).unwrap();
        let gradients = NamedGradients::new(&parameters.named(), loss.backward().unwrap());
        for (name, _) in parameters.named() {
            let gradient =
                gradients.get(&name).unwrap_or_else(|| panic!("{cell:?}: {name} has none"));
            let sum =
                gradient.elements().sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(sum > 0.0, "{cell:?}: the gradient of {name} is zero");
        }
    }
}

#[test]
fn inputs_of_the_wrong_kind_are_refused() {
    let forward = |kind, batch: &Batch| {
        BatchModel::forward(&model(kind).0, &batch.input, Mode::Inference).unwrap_err().to_string()
    };
    let message = "input of the fixed-length model: expected a padded batch, got packed";
    assert_eq!(forward(ModelKind::Fixed, &batch(Collate::Packed, |_| ())), message);
    let message = "input of the variable-length model: expected a packed batch, got padded";
    assert_eq!(forward(ModelKind::Variable, &batch(Collate::Padded, |_| ())), message);
    let sums = VariableLengthSums::new(VariableLengthSumsConfig::default()).unwrap();
    let config = LoaderConfig { collate: Collate::Padded, ..LoaderConfig::new(8) };
    let uneven = DataLoader::new(sums, config).unwrap().epoch(0).next().unwrap().unwrap();
    assert!(forward(ModelKind::Fixed, &uneven).contains("expected sequences of one length"));

    // A prepared model would leave every parameter without a gradient.
    let (model, _) = model(ModelKind::Variable);
    let (prepared, batch) = (model.prepare().unwrap(), batch(Collate::Packed, |_| ()));
    let rng = &mut Generator::seed(0);
    let error = BatchModel::forward(&prepared, &batch.input, Mode::Train(rng)).unwrap_err();
    let message =
        "a prepared model records no gradients: train the model from which it was prepared";
    assert_eq!(error.to_string(), message);
}

#[test]
fn optimizer_state_is_named_by_parameter_and_restores() {
    let (model, parameters) = model(ModelKind::Variable);
    let batch = batch(Collate::Packed, |_| ());
    let step = |optimizer: &mut Optimizer| {
        let (options, at) = (StepOptions::new(0.1), Position { epoch: 0, batch: 0 });
        let rng = &mut Generator::seed(0);
        train_step(&model, &batch, &Criterion::Mse, optimizer, options, at, rng).unwrap();
    };
    let values = || -> Vec<Vec<f32>> {
        let state = parameters.state_dict();
        state.values().map(|t| t.flatten_all().unwrap().to_vec1().unwrap()).collect()
    };
    let fresh = || Optimizer::new(OptimizerConfig::default(), parameters.named()).unwrap();
    let mut optimizer = fresh();
    step(&mut optimizer);
    let copy = |t: Tensor| t.copy().unwrap();
    let state = optimizer.state_dict().unwrap();
    assert!(state.contains_key("exp_avg_sq.lstm.weight_hh_l1_reverse"));
    let state = state.into_iter().map(|(n, t)| (n, copy(t))).collect();
    let before = parameters.state_dict().into_iter().map(|(n, t)| (n, copy(t))).collect();
    step(&mut optimizer);
    let want = values();

    parameters.load_state_dict(&before).unwrap();
    let mut restored = fresh();
    restored.load_state_dict(&state).unwrap();
    step(&mut restored);
    assert_eq!(values(), want);
    let error = fresh().load_state_dict(&Default::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "optimizer state exp_avg.linear.bias: expected shape [1], got no such tensor"
    );
}
