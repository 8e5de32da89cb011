//! A recurrent layer, forward and backward: outputs, states and every gradient.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use ragged_models::{Cell, Mode, Nonlinearity, Parameters, Recurrent, RecurrentConfig, State};
use ragged_sequence::{Padding, lengths_from_tensor, pack_padded_sequence, pad_packed_sequence};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::conformance::case::{Case, CaseResult, Comparison};

/// Runs a layer of cells `C`; `nonlinearity` matters for the RNN only.
pub(super) fn compare<C: Cell>(case: &Case, nonlinearity: Nonlinearity) -> CaseResult<Comparison> {
    let (dtype, tolerance) = case.precision()?;
    let config = RecurrentConfig {
        num_layers: case.size("num_layers")?,
        bias: case.flag("bias")?,
        bidirectional: case.flag("bidirectional")?,
        proj_size: case.size("proj_size")?,
        nonlinearity,
        ..RecurrentConfig::new(case.size("input_size")?, case.size("hidden_size")?)
    };
    let parameters = Parameters::new(0);
    let layer = Recurrent::<C>::new(&config, parameters.builder(dtype, &Device::Cpu))?;
    let is_weight = |name: &String| name.starts_with("weight_") || name.starts_with("bias_");
    let weights = case.below("").into_iter().filter(|(name, _)| is_weight(name)).collect();
    parameters.load_state_dict(&weights)?;

    let mut leaves: BTreeMap<String, Var> = parameters.named().into_iter().collect();
    for name in ["input", "h_0", "c_0"] {
        if let Some(tensor) = case.find(name) {
            leaves.insert(name.into(), Var::from_tensor(tensor)?);
        }
    }
    let initial = ["h_0", "c_0"].map(|name| leaves.get(name).map(|var| var.as_tensor().clone()));
    let initial: Vec<Tensor> = initial.into_iter().flatten().collect();
    let state = (!initial.is_empty()).then(|| C::State::from_parts(initial));
    let input = batch_first(case, leaves.get("input").ok_or("the case has no tensor input")?)?;
    let mode = Mode::Train(&mut ChaCha8Rng::seed_from_u64(0));
    let (output, last) = match case.text("layout")? {
        "padded" | "unbatched" => layer.forward(&input, state.as_ref(), mode)?,
        "packed" => {
            let lengths = lengths_from_tensor(case.tensor("lengths")?)?;
            let packed = pack_padded_sequence(&input, &lengths, case.flag("enforce_sorted")?)?;
            let (output, last) = layer.forward_packed(&packed, state.as_ref(), mode)?;
            (pad_packed_sequence(&output, &Padding::default())?.0, last)
        }
        other => return Err(format!("unknown layout {other:?}").into()),
    };
    let mut results = vec![("output", batch_first(case, &output)?)];
    results.extend(["h_n", "c_n"].into_iter().zip(last.parts().into_iter().cloned()));

    let mut comparison = Comparison::new(tolerance);
    let mut loss = Tensor::zeros((), dtype, &Device::Cpu)?;
    for (name, got) in &results {
        comparison.add(name, got, case.tensor(name)?)?;
        let cotangent = case.tensor(&format!("cotangent.{name}"))?;
        loss = (loss + (got * cotangent)?.sum_all()?)?;
    }
    let gradients = loss.backward()?;
    for (name, leaf) in &leaves {
        let name = format!("grad.{name}");
        let got = gradients.get(leaf).ok_or_else(|| format!("{name} is missing"))?;
        comparison.add(&name, got, case.tensor(&name)?)?;
    }
    Ok(comparison)
}

/// Swaps the first two dimensions if the case is time-first.
fn batch_first(case: &Case, tensor: &Tensor) -> CaseResult<Tensor> {
    let time_first = !case.flag("batch_first")? && case.text("layout")? != "unbatched";
    Ok(if time_first { tensor.transpose(0, 1)? } else { tensor.clone() })
}
