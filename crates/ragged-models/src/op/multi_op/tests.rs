//! A toy operation with five inputs and three outputs.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Var;

use super::*;

/// `[a b + c, b d^2, c e]` element by element.
struct Toy {
    /// The cotangents that the last backward pass received, one bit per output.
    given: Arc<AtomicUsize>,
    /// Whether to leave out the gradient of `a`, as an operation may.
    lazy: bool,
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

impl MultiOp for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn forward(&mut self, inputs: &[Tensor], _: bool) -> Result<Vec<(CpuStorage, Shape)>> {
        let [a, b, c, d, e] = inputs else { bail!("five inputs") };
        let outputs = [((a * b)? + c)?, (b * d.sqr()?)?, (c * e)?];
        Ok(outputs.map(|o| (CpuStorage::F64(values(&o)), o.shape().clone())).into())
    }

    fn backward(
        &self,
        inputs: &[Tensor],
        outputs: &[Tensor],
        cotangents: &[Option<Tensor>],
        wanted: &[bool],
    ) -> Result<Vec<Option<Tensor>>> {
        assert_eq!(outputs.len(), 3);
        let given = (0..3).filter(|&k| cotangents[k].is_some()).map(|k| 1 << k).sum();
        self.given.store(given, Ordering::SeqCst);
        let [a, b, c, d, e] = inputs else { bail!("five inputs") };
        let zero = a.zeros_like()?;
        let [x, y, z] = [0, 1, 2].map(|k| cotangents[k].clone().unwrap_or(zero.clone()));
        let gradients = [
            (&x * b)?,
            ((&x * a)? + (&y * d.sqr()?)?)?,
            (&x + (&z * e)?)?,
            ((y * b)? * (d * 2.0)?)?,
            (z * c)?,
        ];
        let gradients = gradients.into_iter().enumerate();
        Ok(gradients.map(|(k, g)| (wanted[k] && !(self.lazy && k == 0)).then_some(g)).collect())
    }
}

fn variables() -> Vec<Var> {
    let value = |k: usize, i: usize| ((k * 7 + i * 3) as f64).sin() + 0.2;
    let var = |k| Var::from_vec((0..4).map(|i| value(k, i)).collect(), (2, 2), &Device::Cpu);
    (0..5).map(|k| var(k).unwrap()).collect()
}

/// The outputs of the toy, and the cotangents that it receives; the count of references to them says
/// whether the toy is still alive.
fn toy(inputs: &[Tensor], lazy: bool) -> (Vec<Tensor>, Arc<AtomicUsize>) {
    let given = Arc::new(AtomicUsize::new(0));
    (apply(Toy { given: given.clone(), lazy }, inputs, true).unwrap(), given)
}

fn tensors(vars: &[Var]) -> Vec<Tensor> {
    vars.iter().map(|var| var.as_tensor().clone()).collect()
}

/// A loss of those outputs whose bits are set.
fn loss(outputs: &[Tensor], chosen: usize) -> Tensor {
    let parts = outputs.iter().enumerate().filter(|(k, _)| chosen >> k & 1 == 1);
    let parts = parts.map(|(k, output)| (output.sqr()? * (k + 1) as f64)?.sum_all());
    parts.reduce(|a, b| a? + b?).unwrap().unwrap()
}

/// The gradients of all variables.
fn gradients(loss: &Tensor, vars: &[Var]) -> Vec<Vec<f64>> {
    let store = loss.backward().unwrap();
    vars.iter().map(|var| values(store.get(var).unwrap())).collect()
}

#[test]
fn gradients_agree_with_finite_differences() {
    for chosen in 1..8 {
        let vars = variables();
        let (outputs, given) = toy(&tensors(&vars), false);
        let got = gradients(&loss(&outputs, chosen), &vars);
        assert_eq!(given.load(Ordering::SeqCst), chosen, "unexpected cotangents");
        for (k, var) in vars.iter().enumerate() {
            let before = values(var);
            for i in 0..4 {
                let moved = |by: f64| {
                    let mut values = before.clone();
                    values[i] += by;
                    var.set(&Tensor::from_vec(values, (2, 2), &Device::Cpu).unwrap()).unwrap();
                    let loss = loss(&toy(&tensors(&vars), false).0, chosen);
                    loss.to_scalar::<f64>().unwrap()
                };
                let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                moved(0.0);
                assert!((got[k][i] - want).abs() < 1e-8, "{chosen} {k} {i}: {want}");
            }
        }
    }
}

#[test]
fn passes_over_one_graph_do_not_interfere() {
    let vars = variables();
    let (outputs, _) = toy(&tensors(&vars), false);
    let fresh = |chosen| gradients(&loss(&toy(&tensors(&vars), false).0, chosen), &vars);
    let want: Vec<_> = (1..8).map(fresh).collect();
    let losses: Vec<_> = (1..8).map(|chosen| loss(&outputs, chosen)).collect();
    for _ in 0..2 {
        for (loss, want) in losses.iter().zip(&want) {
            assert_eq!(&gradients(loss, &vars), want);
        }
    }
    std::thread::scope(|scope| {
        for (loss, want) in losses.iter().zip(&want) {
            let vars = &vars;
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(&gradients(loss, vars), want);
                }
            });
        }
    });
}

/// Only some inputs are tracked; one is passed twice, and one is the result of another operation.
#[test]
fn inputs_may_be_constant_shared_or_computed() {
    let vars = variables();
    let constant = vars[0].as_detached_tensor();
    let computed = (vars[1].as_tensor() * 3.0).unwrap();
    let shared = vars[2].as_tensor().clone();
    let inputs = [constant.clone(), computed.clone(), shared.clone(), shared.clone(), constant];
    let plain = {
        let [a, b, c, d, e] = &inputs;
        [((a * b).unwrap() + c).unwrap(), (b * d.sqr().unwrap()).unwrap(), (c * e).unwrap()]
    };
    let (outputs, _) = toy(&inputs, false);
    let (got, want) = (loss(&outputs, 7), loss(&plain, 7));
    let (got, want) = (gradients(&got, &vars[1..3]), gradients(&want, &vars[1..3]));
    for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
        assert!((got - want).abs() < 1e-12, "{got} against {want}");
    }
}

#[test]
fn a_gradient_left_out_is_zero() {
    let vars = variables();
    let mut inputs = tensors(&vars);
    // The result of another operation, for which candle panics without a gradient.
    inputs[0] = (&inputs[0] * 2.0).unwrap();
    let (outputs, _) = toy(&inputs, true);
    assert_eq!(gradients(&loss(&outputs, 7), &vars)[0], [0.0; 4]);
}

#[test]
fn the_graph_frees_its_memory() {
    let vars = variables();
    let inputs = tensors(&vars);
    let mut op = Toy { given: Arc::default(), lazy: false };
    let given = op.given.clone();
    let outputs = op.forward(&inputs, true).unwrap();
    let node = Arc::new(Node {
        op: Box::new(op),
        inputs: inputs.iter().map(Tensor::detach).collect(),
        outputs: OnceLock::new(),
        wanted: vec![true; 5],
        count: 3,
        exchange: Mutex::default(),
    });
    let outputs = build_graph(&node, &inputs, outputs).unwrap();
    for chosen in 1..8 {
        gradients(&loss(&outputs, chosen), &vars);
        let exchange = node.exchange();
        assert!(exchange.cotangents.is_empty() && exchange.gradients.is_empty());
    }
    drop(node);
    let last = outputs[2].clone();
    drop(outputs);
    assert_eq!(Arc::strong_count(&given), 2, "the graph uses the operation");
    drop(last);
    assert_eq!(Arc::strong_count(&given), 1, "the graph holds a reference to itself");
}

#[test]
fn without_recording_there_is_no_graph() {
    let vars = variables();
    let constants: Vec<_> = vars.iter().map(|var| var.as_detached_tensor()).collect();
    for (inputs, record) in [(constants, true), (tensors(&vars), false)] {
        let given = Arc::default();
        let op = Toy { given: Arc::clone(&given), lazy: false };
        let outputs = apply(op, &inputs, record).unwrap();
        assert!(outputs.iter().all(|output| !output.track_op()));
        assert_eq!(Arc::strong_count(&given), 1);
    }
}
