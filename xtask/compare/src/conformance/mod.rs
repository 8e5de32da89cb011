//! `cargo xtask conformance DIR...`: PyTorch's numbers, case by case.
//!
//! A case is a `.safetensors` file with inputs, weights and what PyTorch made of them; the JSON in
//! its metadata key `case` says what to run (`validation/generate_fixtures.py` writes such files).

mod case;
mod layer;
mod pack;
mod train;

use std::path::{Path, PathBuf};

use case::{Case, Comparison, Outcome};
use ragged_models::{GruCell, LstmCell, Nonlinearity, RnnCell};

use crate::failure::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders with cases, one a .safetensors file
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
        match judge(&file) {
            Ok(Comparison { worst, tensor, tolerance }) if worst <= tolerance => {
                passed += 1;
                println!("pass  {name:<38} {worst:>8.1e}  {tensor}");
            }
            Ok(Comparison { worst, tensor, tolerance }) => {
                failed += 1;
                println!("FAIL  {name:<38} {worst:>8.1e}  {tensor} (tolerance {tolerance:.0e})");
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

/// The cases of a folder, by name.
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
    if files.is_empty() { Err(fail("no .safetensors file in it")) } else { Ok(files) }
}

/// Runs one case and compares everything that PyTorch left in it.
fn judge(file: &Path) -> Outcome<Comparison> {
    let case = Case::read(file)?;
    match case.text("op")? {
        "lstm" => layer::judge::<LstmCell>(&case, Nonlinearity::Tanh),
        "gru" => layer::judge::<GruCell>(&case, Nonlinearity::Tanh),
        "rnn_tanh" => layer::judge::<RnnCell>(&case, Nonlinearity::Tanh),
        "rnn_relu" => layer::judge::<RnnCell>(&case, Nonlinearity::Relu),
        "pack" => pack::judge(&case),
        "train" => train::judge(&case),
        other => Err(format!("unknown kind {other:?}").into()),
    }
}
