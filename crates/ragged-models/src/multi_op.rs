//! Operations with any number of inputs and outputs in candle's graph.
//!
//! A candle operation takes at most three tensors and returns one. Here the tensors go beside the
//! graph, which is made of *tokens*, tensors of a few numbers:
//!
//! ```text
//! input 0      input 1              input n
//!    |            |                    |
//! [Input] --> [Input] --> .. --> [Input] --> [Run] --+--> [Output] --> output 0
//!                                                    +--> [Output] --> output 1
//! ```
//!
//! On the way back a node leaves its gradients in the common [`Node`] under a number that was never
//! used before, and the number travels as the token's gradient. What nobody differentiated has no
//! number, so it costs nothing; and as every backward pass has its own numbers, several passes over
//! one graph, one after another or at once, do not meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Storage, Tensor, bail,
};

/// What an operation with any number of inputs and outputs computes, on the CPU.
pub(crate) trait MultiOp: Send + Sync + 'static {
    /// For messages.
    fn name(&self) -> &'static str;

    /// The outputs. `record` says whether [`backward`](Self::backward) may follow; what it needs
    /// besides the inputs and outputs is kept in `self`.
    fn forward(&mut self, inputs: &[Tensor], record: bool) -> Result<Vec<(CpuStorage, Shape)>>;

    /// The gradients of the inputs that are `wanted`, in their order, from those of the outputs;
    /// `None` stands for zero in both. May be called several times, also at once.
    fn backward(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        cotangents: &[Option<Tensor>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Tensor>>>;
}

/// Runs an operation. Where `record` is set, its outputs are differentiable by those inputs that
/// are variables or depend on some.
pub(crate) fn apply(mut op: impl MultiOp, inputs: &[Tensor], record: bool) -> Result<Vec<Tensor>> {
    let wanted: Vec<bool> = inputs.iter().map(|input| record && input.track_op()).collect();
    let record = wanted.contains(&true);
    let outputs = op.forward(inputs, record)?;
    if !record {
        let plain = |(storage, shape)| {
            Tensor::from_storage(Storage::Cpu(storage), shape, BackpropOp::none(), false)
        };
        return Ok(outputs.into_iter().map(plain).collect());
    }
    let node = Arc::new(Node {
        op: Box::new(op),
        inputs: inputs.iter().map(Tensor::detach).collect(),
        outputs: OnceLock::new(),
        wanted,
        count: outputs.len(),
        exchange: Mutex::default(),
    });
    tie(&node, inputs, outputs)
}

/// Makes the graph from the inputs that are wanted to the outputs.
fn tie(
    node: &Arc<Node>,
    inputs: &[Tensor],
    outputs: Vec<(CpuStorage, Shape)>,
) -> Result<Vec<Tensor>> {
    let mut token = Tensor::new(0f64, &Device::Cpu)?;
    for (index, input) in inputs.iter().enumerate() {
        if node.wanted[index] {
            token = token.apply_op2(input, Input { node: node.clone(), index })?;
        }
    }
    let token = token.apply_op1(Run(node.clone()))?;
    let output = |(index, value)| {
        let value = Mutex::new(Some(value));
        token.apply_op1(Output { node: node.clone(), index, value })
    };
    let outputs = outputs.into_iter().enumerate().map(output).collect::<Result<Vec<_>>>()?;
    // Detached, or the graph would hold itself.
    node.outputs.get_or_init(|| outputs.iter().map(Tensor::detach).collect());
    Ok(outputs)
}

/// What the tokens of one call share.
struct Node {
    op: Box<dyn MultiOp>,
    inputs: Vec<Tensor>,
    outputs: OnceLock<Vec<Tensor>>,
    wanted: Vec<bool>,
    /// Outputs.
    count: usize,
    exchange: Mutex<Exchange>,
}

/// Gradients on their way between two tokens.
#[derive(Default)]
struct Exchange {
    /// The last number that was given out. A token's `f64` holds 2^53 of them exactly.
    last: u64,
    cotangents: HashMap<u64, Tensor>,
    gradients: HashMap<u64, Vec<Option<Tensor>>>,
}

impl Exchange {
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Node {
    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token(numbers: Vec<f64>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F64(numbers), shape.into())
}

/// Ties one input to the token: hands it its gradient.
struct Input {
    node: Arc<Node>,
    index: usize,
}

impl CustomOp2 for Input {
    fn name(&self) -> &'static str {
        self.node.op.name()
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(token(vec![0.0], ()))
    }

    fn bwd(
        &self,
        before: &Tensor,
        input: &Tensor,
        _: &Tensor,
        number: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let key = number.to_scalar::<f64>()? as u64;
        let mut exchange = self.node.exchange();
        let gradients = exchange.gradients.get_mut(&key);
        let gradient = gradients.and_then(|gradients| gradients[self.index].take());
        let first = !before.track_op();
        if first {
            // The last node on the way back.
            exchange.gradients.remove(&key);
        }
        // Candle relies on a gradient for every tensor that it differentiates by.
        let gradient = gradient.map_or_else(|| input.zeros_like(), Ok)?;
        Ok(((!first).then(|| number.clone()), Some(gradient)))
    }
}

/// Turns the gradients of the outputs into those of the inputs.
struct Run(Arc<Node>);

impl CustomOp1 for Run {
    fn name(&self) -> &'static str {
        self.0.op.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token(vec![0.0; self.0.count], self.0.count))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, numbers: &Tensor) -> Result<Option<Tensor>> {
        let Node { op, inputs, outputs, wanted, .. } = &*self.0;
        let Some(outputs) = outputs.get() else { bail!("{}: not run yet", op.name()) };
        let keys = numbers.to_vec1::<f64>()?;
        let cotangents: Vec<Option<Tensor>> = {
            let mut exchange = self.0.exchange();
            keys.iter().map(|&key| exchange.cotangents.remove(&(key as u64))).collect()
        };
        let gradients = op.backward(inputs, outputs, &cotangents, wanted)?;
        if gradients.len() != inputs.len() {
            bail!("{}: {} gradients for {} inputs", op.name(), gradients.len(), inputs.len());
        }
        let mut exchange = self.0.exchange();
        let key = exchange.number();
        exchange.gradients.insert(key, gradients);
        Ok(Some(Tensor::new(key as f64, &Device::Cpu)?))
    }
}

/// Brings one output into the graph, and takes its gradient out of it.
struct Output {
    node: Arc<Node>,
    index: usize,
    value: Mutex<Option<(CpuStorage, Shape)>>,
}

impl CustomOp1 for Output {
    fn name(&self) -> &'static str {
        self.node.op.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(value) = value else { bail!("{}: run twice", self.node.op.name()) };
        Ok(value)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, cotangent: &Tensor) -> Result<Option<Tensor>> {
        let mut exchange = self.node.exchange();
        let key = exchange.number();
        exchange.cotangents.insert(key, cotangent.clone());
        let mut numbers = vec![0.0; self.node.count];
        numbers[self.index] = key as f64;
        Ok(Some(Tensor::from_vec(numbers, self.node.count, &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests;
