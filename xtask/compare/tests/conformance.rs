//! `cargo xtask conformance` on the project's own fixtures, which PyTorch wrote, and on files that must
//! fail.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates").join(name).join("tests/fixtures")
}

/// Returns the exit code, stdout and stderr.
fn conformance(folders: &[&Path]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("xtask-compare").unwrap();
    let output = command.arg("conformance").args(folders).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_fixture_passes() {
    let runs = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixtures("ragged-train")).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        // A test of ragged-train covers parameter groups.
        if name != "train-variable-groups.safetensors" {
            std::fs::copy(path, runs.path().join(name)).unwrap();
        }
    }
    let (code, stdout, stderr) = conformance(&[&fixtures("ragged-models"), runs.path()]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let count = stdout.lines().filter(|line| line.starts_with("pass  ")).count();
    assert!(count >= 28, "{stdout}");
    assert!(stdout.ends_with(&format!("{count} passed, 0 failed\n")), "{stdout}");
    for kind in ["lstm-", "gru-", "rnn_tanh-", "rnn_relu-", "pack-", "train-"] {
        assert!(stdout.contains(&format!("pass  {kind}")), "no {kind}: {stdout}");
    }
}

/// Copies a fixture with a changed option or one changed element of a tensor.
fn tamper(from: &Path, to: &Path, option: Option<(&str, &str)>, tensor: Option<&str>) {
    let bytes = std::fs::read(from).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let mut metadata = metadata.metadata().clone().unwrap();
    if let Some((before, after)) = option {
        let case = metadata.get_mut("case").unwrap();
        assert!(case.contains(before), "{case}");
        *case = case.replace(before, after);
    }
    let mut tensors = candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu);
    if let (Some(name), Ok(tensors)) = (tensor, &mut tensors) {
        let whole = tensors.get_mut(name).unwrap();
        let shape = whole.shape().clone();
        let mut values = whole.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        values[0] += 1e-8;
        *whole = candle_core::Tensor::from_vec(values, shape, &candle_core::Device::Cpu).unwrap();
    }
    let bytes = safetensors::serialize(tensors.unwrap(), Some(metadata)).unwrap();
    std::fs::write(to, bytes).unwrap();
}

#[test]
fn a_wrong_case_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.safetensors"));
    let layer = fixtures("ragged-models").join("lstm-packed.safetensors");
    let pack = fixtures("ragged-models").join("pack-numbers.safetensors");
    std::fs::copy(&layer, path("good")).unwrap();
    tamper(&layer, &path("unknown"), Some(("\"op\": \"lstm\"", "\"op\": \"transformer\"")), None);
    tamper(&layer, &path("output"), None, Some("output"));
    tamper(&layer, &path("gradient"), None, Some("grad.weight_hh_l0"));
    tamper(&layer, &path("layers"), Some(("\"num_layers\": 1", "\"num_layers\": 2")), None);
    tamper(&pack, &path("pack"), None, Some("padded_left"));
    std::fs::write(path("noise"), b"no tensors").unwrap();
    let (code, stdout, stderr) = conformance(&[folder.path()]);
    assert_eq!(code, 1);
    assert_eq!(stderr, "error: conformance: 6 cases failed\n");
    assert!(stdout.ends_with("1 passed, 6 failed\n"), "{stdout}");
    for (name, part) in [
        ("unknown", "unknown kind \"transformer\""),
        ("output", "output (tolerance 1e-9)"),
        ("gradient", "grad.weight_hh_l0 (tolerance 1e-9)"),
        ("layers", "missing bias_hh_l1"),
        ("pack", "padded_left (tolerance 0e0)"),
        ("noise", ""),
    ] {
        let line = stdout.lines().find(|line| line.starts_with(&format!("FAIL  {name} ")));
        assert!(line.is_some_and(|line| line.contains(part)), "{name}: {stdout}");
    }
}

#[test]
fn a_folder_without_cases_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = conformance(&[folder.path()]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.contains("expected .safetensors files, got none"), "{stderr}");
    let (code, _, stderr) = conformance(&[&folder.path().join("missing")]);
    assert_eq!(code, 1);
    assert!(stderr.contains("missing: No such file"), "{stderr}");
}
