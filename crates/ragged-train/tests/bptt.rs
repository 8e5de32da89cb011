//! Truncated backpropagation through time: the state passes from chunk to chunk, the gradient does not.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Module, Tensor};
use ragged_datasets::{
    Collate, DataLoader, Example, InMemory, LoaderConfig, Sequence, Target, TargetKind,
};
use ragged_models::{
    Lstm, Mode, Model, ModelConfig, ModelKind, Parameters, Readout, RecurrentConfig,
};
use ragged_sequence::pack_sequence;
use ragged_sequence::random::Generator;
use ragged_train::fit::{EpochRecord, TrainState};
use ragged_train::objective::{Loss, Targets};
use ragged_train::optim::NamedGradients;
use ragged_train::{Criterion, Observer, Result, TrainConfig, Trainer, evaluate};

fn series(index: usize, length: usize) -> Sequence {
    let value = |k: usize| ((index * 17 + k * 5) as f32 * 0.3).sin();
    Sequence::new((0..length).map(value).collect(), 1).unwrap()
}

/// Returns series of these lengths. The target of a time step is the sum so far, that of a series the
/// sum of all its values.
fn data(lengths: &[usize], per_step: bool) -> InMemory {
    let example = |(index, &length): (usize, &usize)| {
        let sequence = series(index, length);
        let mut sum = 0.0;
        let sums: Vec<f32> = sequence
            .values()
            .iter()
            .map(|v| {
                sum += v;
                sum
            })
            .collect();
        let target = if per_step {
            Target::StepValues(Sequence::new(sums, 1).unwrap())
        } else {
            Target::Values(vec![sum])
        };
        Example::new(sequence, target)
    };
    let kind = if per_step { TargetKind::StepValues(1) } else { TargetKind::Values(1) };
    InMemory::new(lengths.iter().enumerate().map(example).collect(), kind).unwrap()
}

fn model(readout: Readout) -> (Model, Parameters) {
    let parameters = Parameters::new(2);
    let config = ModelConfig::new(ModelKind::Variable, RecurrentConfig::new(1, 5), 1);
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    (Model::new(&ModelConfig { readout, ..config }, vb).unwrap(), parameters)
}

fn config(text: &str) -> TrainConfig {
    let common = "epochs = 1\nclip_grad_norm = 0\nlr = 0.5\nschedule = { name = \"constant\" }\n";
    toml::from_str(&format!("{common}optimizer = {{ name = \"sgd\" }}\n{text}")).unwrap()
}

/// With frozen parameters, training in chunks measures the same metrics as an evaluation on whole
/// series, for every readout.
#[test]
fn chunks_with_frozen_parameters_equal_whole_series() {
    let lengths = [9, 3, 0, 14, 1, 6, 6, 2];
    for readout in [Readout::Final, Readout::Mean, Readout::Max, Readout::Steps] {
        let (model, parameters) = model(readout);
        let data = data(&lengths, readout == Readout::Steps);
        let loader = DataLoader::new(data, LoaderConfig::new(3)).unwrap();
        let want = evaluate(&model, &loader, &Criterion::Mse).unwrap().finish();
        for steps in [1, 4, 100] {
            let frozen = "groups = [{ parameters = \"*\", lr_scale = 0 }]";
            let config = config(&format!("bptt_steps = {steps}\n{frozen}"));
            let mut trainer =
                Trainer::new(&model, parameters.named(), &Criterion::Mse, config, 0).unwrap();
            let mut record = None;
            struct Keep<'a>(&'a mut Option<EpochRecord>);
            impl Observer for Keep<'_> {
                fn epoch(&mut self, record: &EpochRecord, _: &TrainState) -> Result<()> {
                    *self.0 = Some(record.clone());
                    Ok(())
                }
            }
            let valid = None::<&DataLoader<InMemory>>;
            trainer.fit(&loader, valid, &mut Keep(&mut record)).unwrap();
            let got = record.unwrap().train;
            assert!((got.loss - want.loss).abs() < 1e-6, "{readout:?}, chunks of {steps}");
            assert!((got.r2().unwrap() - want.r2().unwrap()).abs() < 1e-5, "{readout:?}");
        }
    }
}

/// The update of the second chunk uses the gradient through its own time steps only.
#[test]
fn gradients_end_where_the_chunk_starts() {
    let (model, parameters) = model(Readout::Final);
    let before: BTreeMap<String, Tensor> = parameters.state_dict();
    let before: BTreeMap<_, _> =
        before.into_iter().map(|(name, t)| (name, t.copy().unwrap())).collect();
    // The reference with the same parameters: 4 time steps, a detached state, then 3 time steps.
    let vb = parameters.builder(DType::F32, &Device::Cpu);
    let lstm = Lstm::new(&RecurrentConfig::new(1, 5), vb.pp("lstm")).unwrap();
    let linear = candle_nn::linear(5, 1, vb.pp("linear")).unwrap();
    let whole = Tensor::from_slice(series(0, 7).values(), (7, 1), &Device::Cpu).unwrap();
    let pack =
        |from, count| pack_sequence(&[whole.narrow(0, from, count).unwrap()], false).unwrap();
    let rng = &mut Generator::seed(0);
    let (_, mut state) = lstm.forward_packed(&pack(0, 4), None, Mode::Inference).unwrap();
    (state.h, state.c) = (state.h.detach(), state.c.detach());
    let (_, state) = lstm.forward_packed(&pack(4, 3), Some(&state), Mode::Train(rng)).unwrap();
    let prediction = linear.forward(&state.h.squeeze(0).unwrap()).unwrap();
    let data = data(&[7], false);
    let target = Collate::Packed.collate(&[(0, data.examples()[0].clone())], &Device::Cpu).unwrap();
    let loss = Criterion::Mse.value(&prediction, &Targets::of(&target).unwrap()).unwrap();
    let gradients = NamedGradients::new(&parameters.named(), loss.backward().unwrap());

    let loader = DataLoader::new(data, LoaderConfig::new(1)).unwrap();
    let config = config("bptt_steps = 4");
    let mut trainer = Trainer::new(&model, parameters.named(), &Criterion::Mse, config, 0).unwrap();
    trainer.fit(&loader, None::<&DataLoader<InMemory>>, &mut ()).unwrap();
    assert_eq!(trainer.progress.updates, 1, "the first chunk has no target");
    for (name, after) in parameters.state_dict() {
        let want =
            (&before[&name] - (gradients.get(&name).unwrap().elements() * 0.5).unwrap()).unwrap();
        let far = (after - want).unwrap().abs().unwrap().flatten_all().unwrap();
        assert!(far.max(D::Minus1).unwrap().to_scalar::<f32>().unwrap() < 1e-6, "{name}");
    }
}

/// Series of 3000 time steps with one target per time step are learnt in chunks of 50.
#[test]
fn long_series_are_learnt_in_chunks() {
    let (model, parameters) = model(Readout::Steps);
    let loader = DataLoader::new(data(&[3000, 2500, 1000], true), LoaderConfig::new(2)).unwrap();
    let before = evaluate(&model, &loader, &Criterion::Mse).unwrap().finish().loss;
    let text = "epochs = 3\nbptt_steps = 50\nlr = 0.02\nclip_grad_norm = 1";
    let mut trainer =
        Trainer::new(&model, parameters.named(), &Criterion::Mse, toml::from_str(text).unwrap(), 0)
            .unwrap();
    trainer.fit(&loader, None::<&DataLoader<InMemory>>, &mut ()).unwrap();
    let after = evaluate(&model, &loader, &Criterion::Mse).unwrap().finish().loss;
    assert!(after < before / 2.0, "{before} before, {after} after");
    // 3000 and 2500 + 1000 time steps in two lanes: 50 + 20 chunks per epoch.
    assert_eq!(trainer.progress.updates, 3 * 70);
}
