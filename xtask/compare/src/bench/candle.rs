//! The LSTM of candle-nn, which steps through padded input with ordinary tensor operations.

use candle_core::{DType, Device, Tensor};
use candle_nn::rnn::{LSTMConfig, RNN};
use candle_nn::{VarBuilder, VarMap};

use crate::bench::problem::{Pass, Problem};
use crate::bench::timing::{Turn, time};
use crate::failure::Failure;

/// The layers and directions of the problem. Both directions get the input in forward order: the
/// amount of work is the same.
pub(super) struct Candle {
    layers: Vec<Vec<candle_nn::LSTM>>,
    head: Tensor,
    x: Tensor,
    target: Tensor,
}

type Result<T> = candle_core::Result<T>;

impl Candle {
    pub(super) fn new(problem: &Problem) -> std::result::Result<Self, Failure> {
        let build = || -> Result<Self> {
            let lstm = &problem.shape.lstm;
            let vars = VarMap::new();
            let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
            let layer = |layer: usize| -> Result<Vec<candle_nn::LSTM>> {
                let i = if layer == 0 { lstm.input_size } else { lstm.output_size() };
                let one = |direction: usize| {
                    let vb = vb.pp(format!("{layer}.{direction}"));
                    candle_nn::lstm(i, lstm.hidden_size, LSTMConfig::default(), vb)
                };
                (0..lstm.directions()).map(one).collect()
            };
            let layers = (0..lstm.num_layers).map(layer).collect::<Result<_>>()?;
            let head = vb.get((lstm.output_size(), 1), "head")?;
            Ok(Self { layers, head, x: problem.x.clone(), target: problem.target.clone() })
        };
        Ok(build().map_err(ragged_train::Error::Candle)?)
    }

    fn predict(&self) -> Result<Tensor> {
        let mut x = self.x.clone();
        for layer in &self.layers {
            let run = |lstm: &candle_nn::LSTM| lstm.states_to_tensor(&lstm.seq(&x)?);
            let outputs = layer.iter().map(run).collect::<Result<Vec<_>>>()?;
            x = Tensor::cat(&outputs, 2)?;
        }
        let last = x.narrow(1, x.dim(1)? - 1, 1)?.squeeze(1)?;
        last.contiguous()?.matmul(&self.head)
    }

    pub(super) fn time(&self, pass: Pass, n: usize) -> Turn {
        time(n, || {
            let prediction = self.predict()?;
            if pass == Pass::Train {
                candle_nn::loss::mse(&prediction, &self.target)?.backward()?;
            }
            Ok(())
        })
    }
}
