//! Training, evaluation or inference: how a forward pass runs.

use std::fmt;

use rand::RngCore;

/// How a layer or model runs: whether dropout is on, and whether gradients are recorded.
///
/// | mode                | dropout | gradients                                 | in PyTorch                              |
/// |---------------------|---------|-------------------------------------------|-----------------------------------------|
/// | [`Train`]           | on      | recorded for inputs and parameters (`Var`) | `model.train()`                         |
/// | [`Eval`]            | off     | recorded for inputs and parameters (`Var`) | `model.eval()`                          |
/// | [`Inference`]       | off     | not recorded                              | `model.eval()` under `torch.no_grad()`  |
///
/// Recording keeps the activations of every time step in memory until the result is dropped;
/// [`Inference`] keeps none. [`Eval`] is for gradients without dropout: saliency maps, gradient
/// checks, or fine-tuning a model whose dropout is to stay off.
///
/// [`Train`]: Mode::Train
/// [`Eval`]: Mode::Eval
/// [`Inference`]: Mode::Inference
///
/// ```
/// use candle_core::{DType, Device, Var};
/// use ragged_models::{Lstm, Mode, Parameters, RecurrentConfig};
///
/// let parameters = Parameters::new(1);
/// let lstm = Lstm::new(&RecurrentConfig::new(3, 4), parameters.builder(DType::F32, &Device::Cpu))?;
/// let input = Var::ones((2, 5, 3), DType::F32, &Device::Cpu)?;
///
/// // Which input values matter for the output? No generator is needed.
/// let (output, _) = lstm.forward(&input, None, Mode::Eval)?;
/// let gradients = output.sum_all()?.backward()?;
/// assert_eq!(gradients.get(&input).unwrap().dims(), [2, 5, 3]);
///
/// let (output, _) = lstm.forward(&input, None, Mode::Inference)?;
/// assert!(!output.track_op());
/// # Ok::<(), ragged_models::Error>(())
/// ```
pub enum Mode<'a> {
    /// Dropout draws from this generator, and gradients are recorded.
    Train(&'a mut dyn RngCore),
    /// Dropout is off, and gradients are recorded wherever the input or a parameter is a candle
    /// `Var` or depends on one.
    Eval,
    /// Dropout is off, and no gradients are recorded.
    Inference,
}

impl Mode<'_> {
    /// Reborrows the mode, so that several parts of a model can use it in turn.
    ///
    /// ```
    /// # use ragged_models::Mode;
    /// fn two_parts(mut mode: Mode) -> [bool; 2] {
    ///     let part = |mode: Mode| mode.records_gradients();
    ///     [part(mode.reborrow()), part(mode)]
    /// }
    /// assert_eq!(two_parts(Mode::Eval), [true, true]);
    /// ```
    pub fn reborrow(&mut self) -> Mode<'_> {
        match self {
            Self::Train(rng) => Mode::Train(*rng),
            Self::Eval => Mode::Eval,
            Self::Inference => Mode::Inference,
        }
    }

    /// Returns whether gradients are recorded.
    ///
    /// ```
    /// # use ragged_models::Mode;
    /// assert!(Mode::Eval.records_gradients());
    /// assert!(!Mode::Inference.records_gradients());
    /// ```
    pub fn records_gradients(&self) -> bool {
        !matches!(self, Self::Inference)
    }
}

impl fmt::Debug for Mode<'_> {
    /// Writes the name of the mode; a generator need not be `Debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train(_) => "Train(..)",
            Self::Eval => "Eval",
            Self::Inference => "Inference",
        })
    }
}
