//! `ragged-runtime` has the bits of the trainer's predictions: for whole sequences, step by step and in chunks.

mod served;

use std::fmt::Write;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use ragged_datasets::Sequence;
use ragged_datasets::formats::Format;
use ragged_runtime::{Error, Model, Scratch, Session};
use ragged_train::Predictor;
use served::as_predicted;

/// Values of two features; NaN is missing.
type Steps = Vec<[f32; 2]>;

/// One JSON line of a sequence, with a target if `labels` names its kind.
fn line(steps: &Steps, target: Option<&str>) -> String {
    let number = |value: &f32| if value.is_nan() { "null".into() } else { value.to_string() };
    let step = |step: &[f32; 2]| format!("[{}, {}]", number(&step[0]), number(&step[1]));
    let all: Vec<String> = steps.iter().map(step).collect();
    let mut text = format!("{{\"sequence\": [{}]", all.join(", "));
    let known = |value: f32| if value.is_nan() { 0.0 } else { value };
    let class = |step: &[f32; 2]| if known(step[0]) > 0.5 { "\"up\"" } else { "\"down\"" };
    let sum: f32 = steps.iter().flatten().copied().map(known).sum();
    match target {
        Some("classes") => {
            let _ =
                write!(text, ", \"target\": {}", if sum > 1.0 { "\"large\"" } else { "\"small\"" });
        }
        Some("values") => {
            let _ = write!(text, ", \"target\": [{sum}, {}]", steps.len());
        }
        Some(_) => {
            let all: Vec<&str> = steps.iter().map(class).collect();
            let _ = write!(text, ", \"target\": [{}]", all.join(", "));
        }
        None => {}
    }
    text + "}\n"
}

/// A configuration of a model that can run step by step or not, and its target.
fn configuration() -> impl Strategy<Value = (String, &'static str, bool)> {
    let cell = prop_oneof![Just("lstm"), Just("gru"), Just("rnn")];
    let readout =
        prop::sample::select(vec!["final", "last", "first", "mean", "max", "sum", "attention"]);
    let target = prop::sample::select(vec!["classes", "values", "steps"]);
    let merge = prop::sample::select(vec!["concat", "sum", "mean"]);
    let transforms = prop::sample::select(vec![
        "{ name = \"mean-fill\" }, { name = \"standardize\" }",
        "{ name = \"missing-indicator\" }, { name = \"forward-fill\" }, { name = \"mean-fill\" }, \
         { name = \"min-max\" }, { name = \"clip\", low = 0.1, high = 0.9 }",
        "{ name = \"forward-fill\" }, { name = \"mean-fill\" }, { name = \"difference\" }",
        "{ name = \"mean-fill\" }, { name = \"truncate\", max_length = 3 }",
        "{ name = \"mean-fill\" }, { name = \"truncate\", max_length = 3, keep = \"last\" }",
    ]);
    let losses = prop::sample::select(vec![
        "",
        "loss = \"huber\"\n",
        "loss = \"gaussian\"\n",
        "loss = { name = \"quantile\", quantiles = [0.25, 0.5, 0.9] }\n",
    ]);
    let layers = (1usize..3, prop::sample::select(vec![1usize, 5, 17]), any::<[bool; 4]>());
    (cell, readout, target, merge, transforms, layers, losses).prop_map(
        |(cell, readout, target, merge, transforms, (num_layers, hidden, flags), loss)| {
            let [bidirectional, projected, trainable, bias] = flags;
            let mut model = format!(
                "cell = {cell:?}\nhidden_size = {hidden}\nnum_layers = {num_layers}\n\
                 bidirectional = {bidirectional}\ntrainable_state = {trainable}\nbias = {bias}\n\
                 merge = {merge:?}\n"
            );
            if target != "steps" {
                let _ = writeln!(model, "readout = {readout:?}");
            }
            let attends = target != "steps" && readout == "attention";
            if attends {
                let _ = writeln!(model, "attention = {{ size = {hidden}, heads = {num_layers} }}");
            }
            if cell == "lstm" && projected && hidden > 1 {
                model += "proj_size = 3\n";
            }
            if bias {
                model += "zoneout_hidden = 0.1\n";
            }
            if cell == "lstm" && trainable {
                model += "zoneout_cell = 0.5\npeepholes = true\n";
            }
            if cell == "gru" && projected {
                model += "reset_after = false\n";
            }
            if cell != "rnn" && !projected && (cell == "gru" || !trainable) && num_layers == 2 {
                model += "layer_norm = true\n";
            }
            if cell == "rnn" && projected {
                model += "nonlinearity = \"relu\"\n";
            }
            let stepwise = !bidirectional && !attends && !transforms.contains("last");
            let text = format!(
                "[model]\n{model}[data]\ntransforms = [{transforms}]\ndataset = DATASET\n\
                 [train]\nepochs = 1\nbatch_size = 4\nlr = 0.1\n{}",
                if target == "values" { loss } else { "" }
            );
            (text, target, stepwise)
        },
    )
}

fn sequences(from: usize) -> impl Strategy<Value = Vec<Steps>> {
    let value = prop_oneof![6 => -2.0..2.0f32, 1 => Just(f32::NAN)];
    prop::collection::vec(prop::collection::vec([value.clone(), value], from..8), 8..12)
}

fn train(folder: &Path, config: &str, data: &[Steps], target: &str) -> Result<Predictor, String> {
    let text: String = data.iter().map(|steps| line(steps, Some(target))).collect();
    served::train(folder, config, ("train.jsonl", &text))
}

/// 40 configurations that are drawn with a fixed seed. A draw whose data cannot be trained on, such as classes of which
/// the training data have one only, is replaced by the next.
#[test]
fn predictions_have_the_bits_of_the_trainer() {
    let mut trained = 0;
    let mut stepped = 0;
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let draw = (configuration(), sequences(1), sequences(0), prop::collection::vec(1usize..4, 16));
    for _ in 0..80 {
        let ((config, target, stepwise), data, later, cuts) =
            draw.new_tree(&mut runner).unwrap().current();
        let folder = tempfile::tempdir().unwrap();
        let Ok(predictor) = train(folder.path(), &config, &data, target) else { continue };
        trained += 1;
        let model = Model::open(&folder.path().join("run")).unwrap();
        let text: String = later.iter().map(|steps| line(steps, None)).collect();
        let want = predictor.predict_bytes(text.as_bytes(), Format::JsonLines).unwrap();
        let in_memory = later.iter().map(|steps| Sequence::new(steps.as_flattened().to_vec(), 2));
        let in_memory: Vec<Sequence> = in_memory.map(Result::unwrap).collect();
        assert_eq!(predictor.predict_sequences(&in_memory, None).unwrap().rows, want.rows);
        let flat: Vec<Vec<f32>> = later.iter().map(|steps| steps.as_flattened().to_vec()).collect();
        let slices: Vec<&[f32]> = flat.iter().map(Vec::as_slice).collect();
        let got = model.predict(&slices).unwrap();
        for (index, (got, want)) in got.iter().zip(&want.rows).enumerate() {
            assert_eq!(as_predicted(&model, got), want.values, "sequence {index} of\n{config}");
        }
        if !stepwise {
            assert!(model.session().is_err() && predictor.session().is_err());
            continue;
        }
        stepped += 1;
        check_sessions(&model, &flat, &got, &cuts, &config);
        for (steps, want) in later.iter().zip(&want.rows) {
            check_predictor_session(&predictor, steps, &want.values, &config);
        }
    }
    assert!(trained >= 40 && stepped >= 15, "{trained} trained, {stepped} of them step by step");
}

/// A session of the trainer has its predictions for whole sequences, and a refused step changes nothing.
fn check_predictor_session(predictor: &Predictor, steps: &Steps, want: &[Vec<f64>], config: &str) {
    let mut session = predictor.session().unwrap();
    let mut rows = vec![];
    for step in steps {
        assert!(session.step(&[0.5]).is_err());
        match session.step(&step.map(f64::from)) {
            Ok(row) => rows.push(row),
            Err(error) => assert!(error.to_string().contains("at most 3 steps"), "{error}"),
        }
    }
    if !predictor.targets().is_per_step() {
        rows.drain(..rows.len().saturating_sub(1));
    }
    if !steps.is_empty() {
        assert_eq!(rows, want, "{config}");
    }
}

/// Sessions that enter one after another and leave at their ends, and sessions that read chunks.
fn check_sessions(
    model: &Model,
    sequences: &[Vec<f32>],
    want: &[Vec<f32>],
    cuts: &[usize],
    config: &str,
) {
    let features = model.features();
    let mut scratch = Scratch::default();
    let mut sessions: Vec<Session> = sequences.iter().map(|_| model.session().unwrap()).collect();
    let mut outputs: Vec<Vec<f32>> = vec![vec![]; sequences.len()];
    for round in 0..20 {
        let now = |index: usize| -> Option<&[f32]> {
            let step = (round + index).checked_sub(sequences.len())?;
            sequences[index].chunks_exact(features).nth(step)
        };
        let active: Vec<usize> = (0..sequences.len()).filter(|&k| now(k).is_some()).collect();
        let x: Vec<f32> = active.iter().filter_map(|&k| now(k)).flatten().copied().collect();
        let mut y = vec![0.0; active.len() * model.outputs()];
        let mut rows: Vec<&mut Session> = sessions
            .iter_mut()
            .enumerate()
            .filter(|(k, _)| active.contains(k))
            .map(|(_, session)| session)
            .collect();
        let refused = model.step(&mut rows, &x, &mut y, &mut scratch).unwrap();
        let truncated = |k: usize| refused.iter().any(|refused| refused.session == k);
        for (row, &k) in active.iter().enumerate() {
            let y = &y[row * model.outputs()..(row + 1) * model.outputs()];
            match model.is_per_step() {
                true if truncated(row) => assert!(y.iter().all(|value| value.is_nan())),
                true => outputs[k].extend(y),
                false => outputs[k] = y.to_vec(),
            }
        }
    }
    for (index, (got, want)) in outputs.iter().zip(want).enumerate() {
        // A session without a step has made no prediction.
        if !sequences[index].is_empty() {
            assert_eq!(got, want, "steps of sequence {index} of\n{config}");
        }
    }

    let mut chunked: Vec<Session> = sequences.iter().map(|_| model.session().unwrap()).collect();
    let mut outputs: Vec<Vec<f32>> = vec![vec![]; sequences.len()];
    let mut rests: Vec<&[f32]> = sequences.iter().map(Vec::as_slice).collect();
    for round in 0..10 {
        let mut chunks = vec![];
        for (k, rest) in rests.iter_mut().enumerate() {
            let count = cuts[(round + k) % cuts.len()] * features;
            let (chunk, after) = rest.split_at(count.min(rest.len()));
            chunks.push(chunk);
            *rest = after;
        }
        let mut rows: Vec<&mut Session> = chunked.iter_mut().collect();
        let predictions = model.chunk(&mut rows, &chunks).unwrap();
        for (output, prediction) in outputs.iter_mut().zip(predictions) {
            if model.is_per_step() {
                output.extend(prediction);
            } else {
                *output = prediction;
            }
        }
        for session in &mut chunked {
            *session = model.restore(&session.to_bytes()).unwrap();
        }
    }
    assert_eq!(outputs, want, "chunks of\n{config}");
    for ((a, b), sequence) in chunked.iter().zip(&sessions).zip(sequences) {
        assert_eq!(a.steps(), b.steps());
        assert!(a.steps() as usize <= sequence.len() / features);
    }
}

const SMALL: &str = "[model]\nhidden_size = 4\n[data]\ndataset = DATASET\n[train]\nepochs = 1\n";

fn small_run(folder: &Path, config: &str) -> Model {
    let data: Vec<Steps> = (0..12).map(|k| vec![[k as f32, 1.0]; 1 + k % 4]).collect();
    train(folder, config, &data, "values").unwrap();
    Model::open(&folder.join("run")).unwrap()
}

/// NaN in one session once would have spoilt all rows of a batch.
#[test]
fn a_bad_value_touches_its_own_session_only() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_run(folder.path(), SMALL);
    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    let (mut scratch, mut y) = (Scratch::default(), vec![0.0; 4]);
    model.step(&mut [&mut a, &mut b], &[1.0, 2.0, 3.0, 4.0], &mut y, &mut scratch).unwrap();
    let before = a.clone();
    let x = [1.0, f32::NAN, 3.0, 4.0];
    let refused = model.step(&mut [&mut a, &mut b], &x, &mut y, &mut scratch).unwrap();
    assert_eq!(refused.len(), 1);
    let message = refused[0].error.to_string();
    assert_eq!(message, "sequence 1, step 2, feature 2 is NaN: expected a finite number");
    assert_eq!(a, before);
    assert!(y[..2].iter().all(|value| value.is_nan()));
    let whole = model.predict(&[&[3.0, 4.0, 3.0, 4.0][..]]).unwrap();
    assert_eq!(y[2..], whole[0]);
    // The refused session goes on with its next value.
    assert!(model.step(&mut [&mut a], &[1.0, 2.0], &mut y[..2], &mut scratch).unwrap().is_empty());
    let error = model.predict(&[&[1.0, f64::INFINITY][..]]).unwrap_err().to_string();
    assert_eq!(error, "sequence 1, step 1, feature 2 is inf: expected a finite number");
    let error = model.step(&mut [&mut a], &[1.0], &mut y, &mut scratch).unwrap_err().to_string();
    assert_eq!(error, "x: expected 2 values (B x I), got 1");
}

#[test]
fn sessions_of_another_model_and_damaged_bytes_are_refused() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let model = small_run(folders[0].path(), SMALL);
    let other = small_run(folders[1].path(), &SMALL.replace("epochs = 1", "epochs = 2"));
    let mut session = model.session().unwrap();
    let (mut scratch, mut y) = (Scratch::default(), vec![0.0; 2]);
    let error = other.step(&mut [&mut session], &[1.0, 2.0], &mut y, &mut scratch).unwrap_err();
    assert!(matches!(error, Error::Session { .. }), "{error}");
    let bytes = session.to_bytes();
    let error = other.restore(&bytes).unwrap_err().to_string();
    let message = "session: expected a session of this model, got one of another model or epoch";
    assert_eq!(error, message);
    for len in 0..bytes.len() {
        assert!(model.restore(&bytes[..len]).is_err());
        let mut flipped = bytes.clone();
        flipped[len] ^= 1;
        assert!(model.restore(&flipped).is_err(), "byte {len}");
    }
    assert_eq!(model.restore(&bytes).unwrap(), session);
}

/// Without validation data, predictions come from the last epoch, though a checkpoint of the best one is there, too.
#[test]
fn the_epoch_is_that_of_the_trainer() {
    for fraction in ["0.0", "0.25"] {
        let mut differ = 0;
        for epochs in 3..9 {
            let folder = tempfile::tempdir().unwrap();
            let run = folder.path().join("run");
            let config = format!(
                "[model]\nhidden_size = 4\n[data]\ndataset = DATASET\nvalid_fraction = {fraction}\n\
                 [train]\nepochs = {epochs}\nbatch_size = 2\nlr = 5.0\n"
            );
            let steps =
                |k: usize| vec![[(k * 7 % 5) as f32 - 2.0, (k * 3 % 4) as f32 - 1.0]; 1 + k % 4];
            let data: Vec<Steps> = (0..16).map(steps).collect();
            let predictor = train(folder.path(), &config, &data, "classes").unwrap();
            let values = [1.0, 2.0, 3.0, 4.0];
            let sequence = Sequence::new(values.to_vec(), 2).unwrap();
            let want = predictor.predict_sequences(&[sequence], None).unwrap();
            let predict = |path: &Path| {
                let model = Model::open(path).unwrap();
                as_predicted(&model, &model.predict(&[&values[..]]).unwrap()[0])
            };
            assert_eq!(predict(&run), want.rows[0].values, "{fraction}, {epochs} epochs");
            let files = [run.join("best.safetensors"), run.join("last.safetensors")];
            differ += usize::from(predict(&files[0]) != predict(&files[1]));
        }
        assert!(differ > 0, "{fraction}: the last epoch is always the best");
    }
}

#[test]
fn calls_without_sessions_and_with_refused_ones_only_are_legal() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_run(folder.path(), SMALL);
    let mut scratch = Scratch::default();
    assert!(model.predict::<f32>(&[]).unwrap().is_empty());
    assert!(model.chunk::<f32>(&mut [], &[]).unwrap().is_empty());
    assert!(model.step::<f32>(&mut [], &[], &mut [], &mut scratch).unwrap().is_empty());
    let (mut a, mut b) = (model.session().unwrap(), model.session().unwrap());
    let (x, mut y) = ([f32::NAN; 4], vec![0.0; 4]);
    let refused = model.step(&mut [&mut a, &mut b], &x, &mut y, &mut scratch).unwrap();
    assert_eq!(refused.len(), 2);
    assert_eq!((a, b), (model.session().unwrap(), model.session().unwrap()));
    assert_eq!(model.targets().label(&y), None);
}

#[test]
fn what_is_no_finished_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| Model::open(path).unwrap_err().to_string();
    let error = open(folder.path());
    assert!(error.contains("best.safetensors or last.safetensors"), "{error}");
    assert!(open(&folder.path().join("missing")).contains("missing: "));
    small_run(folder.path(), SMALL);
    let file = folder.path().join("run/best.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    for (at, len) in [(bytes.len() - 1, bytes.len()), (9, bytes.len()), (0, 100), (0, 0)] {
        let mut damaged = bytes[..len].to_vec();
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= 1;
        }
        assert!(matches!(Model::from_bytes(&damaged), Err(Error::Checkpoint { .. })), "{at} {len}");
    }
}
