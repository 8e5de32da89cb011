//! `cargo xtask conformance DIR...`: comparisons with results of PyTorch, case by case.
//!
//! A case is a `.safetensors` file with inputs, weights and the results of PyTorch. The JSON under its
//! metadata key `case` describes the operation (`validation/generate_fixtures.py` writes such files).

mod case;
mod layer;
mod pack;
mod train;

use std::path::{Path, PathBuf};

use ragged_models::{GruCell, LstmCell, Nonlinearity, RnnCell};

use crate::conformance::case::{Case, CaseResult, Comparison};
use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders of cases, which are .safetensors files
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut files = vec![];
    for folder in &args.folders {
        files.extend(cases(folder)?);
    }
    let (mut passed, mut failed) = (0, 0);
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match compare(&file) {
            Ok(Comparison { max_error, tensor, tolerance }) if max_error <= tolerance => {
                passed += 1;
                println!("pass  {name:<38} {max_error:>8.1e}  {tensor}");
            }
            Ok(Comparison { max_error, tensor, tolerance }) => {
                failed += 1;
                println!(
                    "FAIL  {name:<38} {max_error:>8.1e}  {tensor} (tolerance {tolerance:.0e})"
                );
            }
            Err(error) => {
                failed += 1;
                let text = error.to_string();
                println!("FAIL  {name:<38}           {}", text.lines().next().unwrap_or_default());
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Failed("conformance: 1 case failed".into())),
        _ => Err(Failure::Failed(format!("conformance: {failed} cases failed"))),
    }
}

/// Returns the case files of a folder, sorted by name.
fn cases(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |reason: &str| Failure::Failed(format!("{}: {reason}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(|error| fail(&error.to_string()))?;
    let mut files = vec![];
    for entry in entries {
        let path = entry.map_err(|error| fail(&error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() { Err(fail("expected .safetensors files, got none")) } else { Ok(files) }
}

/// Runs one case and compares every result in it.
fn compare(file: &Path) -> CaseResult<Comparison> {
    let case = Case::read(file)?;
    match case.text("op")? {
        "lstm" => layer::compare::<LstmCell>(&case, Nonlinearity::Tanh),
        "gru" => layer::compare::<GruCell>(&case, Nonlinearity::Tanh),
        "rnn_tanh" => layer::compare::<RnnCell>(&case, Nonlinearity::Tanh),
        "rnn_relu" => layer::compare::<RnnCell>(&case, Nonlinearity::Relu),
        "pack" => pack::compare(&case),
        "train" => train::compare(&case),
        other => Err(format!("unknown kind {other:?}").into()),
    }
}
