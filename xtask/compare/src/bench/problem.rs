//! A configuration with its data and its weights, which all libraries get.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::{DType, Device, Tensor};
use ragged_models::{Model, ModelConfig, ModelKind, Parameters, RecurrentConfig};
use ragged_sequence::random::Generator;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::failure::Failure;

/// The named configurations.
pub(super) const NAMED: [(&str, &str); 6] = [
    ("seed", "B64,T50,I7,H15"),
    ("seed100", "B64,T50,I7,H100"),
    ("mid", "B64,T50,I64,H256"),
    ("big", "B32,T100,I256,H512"),
    ("long", "B16,T1000,I16,H64"),
    ("b1", "B1,T200,I64,H128"),
];

/// Packed rows, or padded sequences of which all steps are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Packed,
    Padded,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(if *self == Self::Packed { "packed" } else { "padded" })
    }
}

/// Forward pass, loss and backward pass; or the forward pass without gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Train,
    Infer,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(if *self == Self::Train { "train" } else { "infer" })
    }
}

/// The sizes of a configuration.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) name: String,
    batch: usize,
    steps: usize,
    /// The expected percentage of real steps; 50 for uniform lengths from 1.
    real: usize,
    pub(super) lstm: RecurrentConfig,
}

impl Shape {
    /// Parses `B64,T50,I7,H15`, optionally with `L2`, `bi` and `R25` (25 % real steps).
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, Failure> {
        let bad = || {
            let expected =
                "expected B, T, I and H with sizes of at least 1, such as B64,T50,I7,H15";
            Failure::Usage(format!("shape {text}: {expected}, and optionally L, R and bi"))
        };
        let mut sizes = BTreeMap::from([('L', 1), ('R', 50)]);
        let mut bidirectional = false;
        for part in text.split(',') {
            if part == "bi" {
                bidirectional = true;
                continue;
            }
            let letter = part.chars().next().filter(|c| "BTIHLR".contains(*c)).ok_or_else(bad)?;
            let size = part[1..].parse().ok().filter(|size| (1..=1 << 20).contains(size));
            sizes.insert(letter, size.ok_or_else(bad)?);
        }
        let size = |letter| sizes.get(&letter).copied().ok_or_else(bad);
        let (num_layers, lstm) = (size('L')?, RecurrentConfig::new(size('I')?, size('H')?));
        let lstm = RecurrentConfig { num_layers, bidirectional, ..lstm };
        let real = Some(size('R')?).filter(|real| *real <= 100).ok_or_else(bad)?;
        Ok(Self { name: name.into(), batch: size('B')?, steps: size('T')?, real, lstm })
    }
}

/// Data and weights, the same for all libraries.
pub(super) struct Problem {
    pub(super) shape: Shape,
    pub(super) parameters: Parameters,
    /// `[B, T, I]`, zero after the end of each sequence.
    pub(super) x: Tensor,
    pub(super) lengths: Vec<usize>,
    /// `[B, 1]`.
    pub(super) target: Tensor,
}

impl Problem {
    pub(super) fn new(shape: &Shape) -> Result<Self, Failure> {
        // With this seed, the mean length of each named configuration is close to the expected one.
        let mut rng = Generator::seed(7);
        let Shape { batch, steps, real, ref lstm, .. } = *shape;
        // Uniform with the expected mean: from 1, or up to T. One sequence has the length T.
        let twice = (2 * real * steps).div_ceil(100);
        let range = match real {
            ..=50 => 1..=twice.max(1),
            _ => (twice - steps).max(1)..=steps,
        };
        let draw = |_| rng.random_range(range.clone());
        let mut lengths: Vec<usize> = (0..batch).map(draw).collect();
        let order: Vec<usize> = (0..batch).collect();
        if let Some(&longest) = order.choose(&mut rng) {
            lengths[longest] = steps;
        }
        let mut x = vec![0f32; batch * steps * lstm.input_size];
        for (row, &length) in x.chunks_exact_mut(steps * lstm.input_size).zip(&lengths) {
            row[..length * lstm.input_size].fill_with(|| rng.random_range(-1.7..1.7));
        }
        let target: Vec<f32> = (0..batch).map(|_| rng.random_range(-1.0..1.0)).collect();
        let tensors = || {
            let x = Tensor::from_vec(x, (batch, steps, lstm.input_size), &Device::Cpu)?;
            Ok((x, Tensor::from_vec(target, (batch, 1), &Device::Cpu)?))
        };
        let (x, target) = tensors().map_err(ragged_train::Error::Candle)?;
        let parameters = Parameters::new(1);
        let problem = Self { shape: shape.clone(), parameters, x, lengths, target };
        problem.model(ModelKind::Variable)?;
        Ok(problem)
    }

    /// Creates either model with the same parameters.
    pub(super) fn model(&self, kind: ModelKind) -> Result<Model, Failure> {
        let config = ModelConfig::new(kind, self.shape.lstm.clone(), 1);
        let vb = self.parameters.builder(DType::F32, &Device::Cpu);
        Ok(Model::new(&config, vb).map_err(ragged_train::Error::Model)?)
    }

    /// The number of steps without padding.
    pub(super) fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    pub(super) fn valid_fraction(&self) -> f64 {
        self.tokens() as f64 / (self.shape.batch * self.shape.steps) as f64
    }

    /// Floating-point operations of the LSTM's matrix products on real steps: 2 x 4H (I + H) forward
    /// per step, layer and direction, and twice that backward, except for the gradient with respect
    /// to the input of the first layer.
    pub(super) fn flops(&self, pass: Pass) -> f64 {
        let lstm = &self.shape.lstm;
        let (h, d) = (lstm.hidden_size, lstm.num_directions());
        let layers = (0..lstm.num_layers).map(|layer| {
            let i = if layer == 0 { lstm.input_size } else { lstm.output_features() };
            let forward = 8 * h * (i + h);
            let no_input_gradient = if layer == 0 { 8 * h * i } else { 0 };
            if pass == Pass::Train { 3 * forward - no_input_gradient } else { forward }
        });
        (self.tokens() * d * layers.sum::<usize>()) as f64
    }

    /// Bytes that a packed training step reads and writes, weights apart, in elements per real step, layer and direction:
    /// forward the input and the state are read, and the state and 5H of the tape written; backward these and the gradient
    /// of the output are read, the gradients of 4H gates written and read for the weights, with the input and the state,
    /// and the gradient of the input written for all layers but the first.
    pub(super) fn bytes(&self) -> f64 {
        let lstm = &self.shape.lstm;
        let (h, d) = (lstm.hidden_size, lstm.num_directions());
        let layers = (0..lstm.num_layers).map(|layer| {
            let i = if layer == 0 { lstm.input_size } else { lstm.output_features() };
            let (forward, backward) = (i + 7 * h, 6 * h + h + 8 * h + i + h);
            forward + backward + if layer == 0 { 0 } else { i }
        });
        4.0 * (self.tokens() * d * layers.sum::<usize>()) as f64
    }
}
