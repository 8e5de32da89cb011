//! Checkpoints that PyTorch wrote, in all their forms, and files that are damaged or hold no tensors.
//!
//! `validation/generate_fixtures.py` writes `tests/checkpoints`.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use ragged_models::{
    Differences, LoadOptions, Lstm, Parameters, RecurrentConfig, Result, read_state_dict,
};

const CPU: &Device = &Device::Cpu;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints").join(name)
}

/// The parameters of an LSTM with the configuration of the fixtures and other values.
fn parameters(config: &RecurrentConfig) -> Parameters {
    let parameters = Parameters::new(5);
    Lstm::new(config, parameters.builder(DType::F32, CPU)).unwrap();
    parameters
}

fn config() -> RecurrentConfig {
    RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(2, 3) }
}

fn values(parameters: &Parameters) -> Vec<(String, Vec<f32>)> {
    let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1().unwrap();
    parameters.state_dict().into_iter().map(|(name, t)| (name, flat(t))).collect()
}

fn nested() -> LoadOptions {
    let key = Some("model_state_dict".to_string());
    LoadOptions { key, prefix: "encoder.".into(), strict: true }
}

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T>, file: &Path, message: &str) {
    let error = result.unwrap_err().to_string();
    assert_eq!(error, format!("{}: {message}", file.display()));
}

#[test]
fn every_form_of_a_checkpoint_gives_the_same_values() {
    let want = parameters(&config());
    want.load(&file("lstm.safetensors")).unwrap();
    let plain = parameters(&config());
    assert_ne!(values(&plain), values(&want));
    plain.load(&file("lstm.pt")).unwrap();
    assert_eq!(values(&plain), values(&want));
    let deep = parameters(&config());
    assert_eq!(deep.load_with(&file("nested.pth"), &nested()).unwrap(), Differences::default());
    assert_eq!(values(&deep), values(&want));
}

/// Transposed and strided storage, parameters and half precision.
#[test]
fn odd_tensors_are_read_by_their_strides() {
    let (plain, odd) = (parameters(&config()), parameters(&config()));
    plain.load(&file("lstm.pt")).unwrap();
    odd.load(&file("odd.pt")).unwrap();
    for ((name, want), (_, got)) in values(&plain).into_iter().zip(values(&odd)) {
        let want = match name.as_str() {
            "bias_ih_l0" => (0..12).map(|k| 2.0 * k as f32).collect(),
            "bias_hh_l0" => (0..12).map(|k| k as f32 / 4.0).collect(),
            _ => want,
        };
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn all_differences_are_listed_at_once() {
    let wider = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(5, 3) };
    let parameters = parameters(&wider);
    let before = values(&parameters);
    let path = file("lstm.pt");
    let message = "state dict does not fit: weight_ih_l0 has shape [12, 2], expected [12, 5]; \
                   missing bias_hh_l1 [12]; missing bias_ih_l1 [12]; missing weight_hh_l1 [12, 3]; \
                   missing weight_ih_l1 [12, 3]; unexpected bias_hh_l0_reverse; \
                   unexpected bias_ih_l0_reverse; unexpected weight_hh_l0_reverse; \
                   unexpected weight_ih_l0_reverse";
    check(parameters.load(&path), &path, message);
    // Shapes must fit even if the options are not strict.
    let loose = LoadOptions { strict: false, ..Default::default() };
    let message = "state dict does not fit: weight_ih_l0 has shape [12, 2], expected [12, 5]";
    check(parameters.load_with(&path, &loose), &path, message);
    assert_eq!(values(&parameters), before);
}

#[test]
fn non_strict_loading_sets_the_common_names() {
    let narrower = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(2, 3) };
    let (parameters, whole) = (parameters(&narrower), parameters(&config()));
    whole.load(&file("lstm.pt")).unwrap();
    let before = parameters.state_dict();
    let loose = LoadOptions { strict: false, ..Default::default() };
    let differences = parameters.load_with(&file("lstm.pt"), &loose).unwrap();
    assert_eq!(
        differences.missing,
        ["bias_hh_l1", "bias_ih_l1", "weight_hh_l1", "weight_ih_l1"].map(String::from)
    );
    assert_eq!(differences.unexpected.len(), 4);
    let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for (name, got) in parameters.state_dict() {
        let kept = name.ends_with("l1");
        let want = if kept { before[&name].clone() } else { whole.state_dict()[&name].clone() };
        assert_eq!(flat(&got), flat(&want), "{name}");
    }
}

#[test]
fn a_file_without_tensors_is_an_error() {
    let read = |name: &str, options: &LoadOptions| read_state_dict(&file(name), options);
    let top = LoadOptions::default();
    check(read("nothing.pt", &top), &file("nothing.pt"), "the file holds no tensor");
    let message = "no tensor at the top level: there are tensors under model_state_dict";
    check(read("nested.pth", &top), &file("nested.pth"), message);
    let key = |key: &str| LoadOptions { key: Some(key.into()), ..Default::default() };
    let message = "no key model: the keys are epoch, model_state_dict, optimizer_state_dict";
    check(read("nested.pth", &key("model")), &file("nested.pth"), message);
    check(read("nested.pth", &key("epoch")), &file("nested.pth"), "epoch is not a dictionary");
    let message = "key x: only PyTorch checkpoints have keys";
    check(read("lstm.safetensors", &key("x")), &file("lstm.safetensors"), message);
    let wrong = LoadOptions { prefix: "decoder.".into(), ..nested() };
    let message = "no name begins with decoder.: the first name is encoder.bias_hh_l0";
    check(read("nested.pth", &wrong), &file("nested.pth"), message);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.safetensors");
    let none: Vec<(&str, Tensor)> = vec![];
    std::fs::write(&path, safetensors::serialize(none, None).unwrap()).unwrap();
    check(read_state_dict(&path, &top), &path, "the file holds no tensor");
}

#[test]
fn damaged_files_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.pt");
    let read = || read_state_dict(&path, &LoadOptions::default()).map(|_| ());
    check(read(), &path, "No such file or directory (os error 2)");
    std::fs::write(&path, b"\x80\x02\x8a\x0a").unwrap();
    let message = "a pickle without a zip archive: \
                   expected a file that torch.save of PyTorch 1.6 or later wrote";
    check(read(), &path, message);
    let whole = std::fs::read(file("odd.pt")).unwrap();
    // Truncated anywhere, or with any byte of the pickle changed: an error or a tensor, no panic.
    for cut in (0..whole.len()).step_by(97) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(read().is_err(), "cut at {cut}");
    }
    for at in 0..700 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        let _ = read();
    }
}

#[test]
fn saved_parameters_load() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.safetensors");
    let (ours, back) = (Parameters::new(1), parameters(&config()));
    Lstm::new(&config(), ours.builder(DType::F32, CPU)).unwrap();
    ours.save(&path).unwrap();
    back.load(&path).unwrap();
    assert_eq!(values(&ours), values(&back));
}
