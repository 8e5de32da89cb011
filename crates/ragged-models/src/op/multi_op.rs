//! Operations with any number of inputs and outputs in candle's graph.
//!
//! A candle operation takes at most three tensors and returns one. Here the inputs and outputs are
//! stored in a common [`Node`], and candle's graph consists of *tokens*: tensors of a few elements
//! that carry the order of the operations and nothing else.
//!
//! ```text
//! input 0      input 1              input n
//!    |            |                    |
//! [Input] --> [Input] --> .. --> [Input] --> [Run] --+--> [Output] --> output 0
//!                                                    +--> [Output] --> output 1
//! ```
//!
//! In the backward pass, each graph node stores its gradients in the common [`Node`] under a key
//! that has not been used before, and passes the key on as the gradient of its token. An output that
//! takes no part in the loss has no key and therefore no cost. Every backward pass uses keys of its
//! own, so several passes over one graph, sequential or concurrent, do not interfere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use candle_core::op::BackpropOp;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, Device, Layout, Result, Shape, Storage, Tensor, bail,
};

/// An operation on the CPU with any number of inputs and outputs.
pub(crate) trait MultiOp: Send + Sync + 'static {
    /// The name of the operation in error messages.
    fn name(&self) -> &'static str;

    /// Computes the outputs. If `record` is set, [`backward`](Self::backward) may follow, and the
    /// operation keeps in `self` what that needs besides the inputs and outputs.
    fn forward(&mut self, inputs: &[Tensor], record: bool) -> Result<Vec<(CpuStorage, Shape)>>;

    /// Computes the gradients of the inputs that are `wanted`, in the order of the inputs, from the
    /// gradients of the outputs (`cotangents`); `None` means zero in both. It may be called several
    /// times, also concurrently.
    fn backward(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        cotangents: &[Option<Tensor>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Tensor>>>;
}

/// Runs an operation. If `record` is set, its outputs are differentiable with respect to those
/// inputs that are variables or depend on variables.
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
    build_graph(&node, inputs, outputs)
}

/// Builds the graph from the inputs whose gradients are wanted to the outputs.
fn build_graph(
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
    // Detached, because the graph would otherwise hold a reference to itself.
    node.outputs.get_or_init(|| outputs.iter().map(Tensor::detach).collect());
    Ok(outputs)
}

/// The data that the tokens of one call share.
struct Node {
    op: Box<dyn MultiOp>,
    inputs: Vec<Tensor>,
    outputs: OnceLock<Vec<Tensor>>,
    wanted: Vec<bool>,
    /// The number of outputs.
    count: usize,
    exchange: Mutex<Exchange>,
}

/// Gradients in transit between two tokens, by key.
#[derive(Default)]
struct Exchange {
    /// The last key in use. The `f64` of a token represents keys up to 2^53 exactly.
    last_key: u64,
    cotangents: HashMap<u64, Tensor>,
    gradients: HashMap<u64, Vec<Option<Tensor>>>,
}

impl Exchange {
    fn new_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }
}

impl Node {
    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn token(keys: Vec<f64>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (CpuStorage::F64(keys), shape.into())
}

/// Connects one input to the token, and gives the input its gradient in the backward pass.
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
        key_token: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let key = key_token.to_scalar::<f64>()? as u64;
        let mut exchange = self.node.exchange();
        let gradients = exchange.gradients.get_mut(&key);
        let gradient = gradients.and_then(|gradients| gradients[self.index].take());
        let first = !before.track_op();
        if first {
            // The backward pass visits this node last.
            exchange.gradients.remove(&key);
        }
        // Candle panics if a tensor on the path has no gradient.
        let gradient = gradient.map_or_else(|| input.zeros_like(), Ok)?;
        Ok(((!first).then(|| key_token.clone()), Some(gradient)))
    }
}

/// Computes the gradients of the inputs from those of the outputs.
struct Run(Arc<Node>);

impl CustomOp1 for Run {
    fn name(&self) -> &'static str {
        self.0.op.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token(vec![0.0; self.0.count], self.0.count))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, keys: &Tensor) -> Result<Option<Tensor>> {
        let Node { op, inputs, outputs, wanted, .. } = &*self.0;
        let Some(outputs) = outputs.get() else {
            bail!("{}: backward pass before the forward pass", op.name())
        };
        let keys = keys.to_vec1::<f64>()?;
        let cotangents: Vec<Option<Tensor>> = {
            let mut exchange = self.0.exchange();
            keys.iter().map(|&key| exchange.cotangents.remove(&(key as u64))).collect()
        };
        let gradients = op.backward(inputs, outputs, &cotangents, wanted)?;
        if gradients.len() != inputs.len() {
            bail!("{}: {} gradients for {} inputs", op.name(), gradients.len(), inputs.len());
        }
        let mut exchange = self.0.exchange();
        let key = exchange.new_key();
        exchange.gradients.insert(key, gradients);
        Ok(Some(Tensor::new(key as f64, &Device::Cpu)?))
    }
}

/// Puts one output into the graph, and takes up its gradient in the backward pass.
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
        let Some(value) = value else { bail!("{}: forward pass run twice", self.node.op.name()) };
        Ok(value)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, cotangent: &Tensor) -> Result<Option<Tensor>> {
        let mut exchange = self.node.exchange();
        let key = exchange.new_key();
        exchange.cotangents.insert(key, cotangent.clone());
        let mut keys = vec![0.0; self.node.count];
        keys[self.index] = key as f64;
        Ok(Some(Tensor::from_vec(keys, self.node.count, &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests;
