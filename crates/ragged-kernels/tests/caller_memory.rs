//! Passes that write into the caller's memory have the bits of those that return vectors, and write every element.
#![cfg(feature = "f64")]

use ragged_kernels::*;

/// Three sequences of lengths 4, 2 and 1, and one without steps.
const BATCH_SIZES: [usize; 4] = [3, 2, 1, 1];
const B: usize = 4;
const N: usize = 7;
const H: usize = 19;
const NAN: f64 = f64::NAN;

/// Values that look random, within -1 and 1.
fn values(len: usize, seed: usize) -> Vec<f64> {
    (0..len).map(|k| (((k * 7 + seed * 13) % 101) as f64 * 0.7).sin()).collect()
}

struct Case {
    cell: CellKind,
    direction: Direction,
    /// I: narrow inputs are multiplied in the time loop, wide ones before it.
    input_size: usize,
    proj_size: Option<usize>,
    with_mask: bool,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let cells = [CellKind::Lstm, CellKind::Gru, CellKind::RnnTanh, CellKind::RnnRelu];
        let sizes = [(3, Direction::Forward), (40, Direction::Reverse)];
        cells.into_iter().flat_map(move |cell| {
            sizes.into_iter().flat_map(move |(input_size, direction)| {
                [(None, false), (None, true), (Some(5), false), (Some(5), true)]
                    .into_iter()
                    .filter(move |(proj_size, _)| proj_size.is_none() || cell == CellKind::Lstm)
                    .map(move |(proj_size, with_mask)| Self {
                        cell,
                        direction,
                        input_size,
                        proj_size,
                        with_mask,
                    })
            })
        })
    }

    fn check(&self) {
        let Self { cell, direction, input_size, proj_size, with_mask } = *self;
        let shape = PackedShape::new(B, &BATCH_SIZES, input_size, H, direction).unwrap();
        let shape = proj_size.map_or(shape, |size| shape.with_projection(size).unwrap());
        let (gates, p, lstm) = (cell.gates() * H, shape.output_size(), cell == CellKind::Lstm);
        let (weight_ih, weight_hh) = (values(gates * input_size, 1), values(gates * p, 2));
        let (bias_ih, bias_hh) = (values(gates, 3), values(gates, 4));
        let (weight_hr, x) = (values(p * H, 5), values(N * input_size, 6));
        let (h_0, c_0, mask) = (values(B * p, 7), values(B * H, 8), values(B * p, 9));
        let mut weights = Weights::new(&weight_ih, &weight_hh).with_biases(&bias_ih, &bias_hh);
        weights.weight_hr = proj_size.map(|_| &weight_hr[..]);
        let mut input = Input::new(&x).with_h_0(&h_0);
        input.c_0 = lstm.then_some(&c_0[..]);
        input.hidden_mask = with_mask.then_some(&mask[..]);

        let options = ForwardOptions::default().with_cell_states(lstm);
        let (expected, expected_tape) = forward(cell, &shape, &weights, &input, options).unwrap();
        let len = tape_len::<f64>(cell, &shape, with_mask);
        assert_eq!((len, len % N), (expected_tape.elements(), 0));
        for with_tape in [true, false] {
            let mut tape = vec![NAN; len];
            let (mut output, mut h_n) = (vec![NAN; N * p], vec![NAN; B * p]);
            let (mut c_n, mut cell_states) = (vec![NAN; B * H], vec![NAN; N * H]);
            let mut to = OutputSlices::new(&mut output, &mut h_n);
            if lstm {
                to = to.with_c_n(&mut c_n).with_cell_states(&mut cell_states);
            }
            let tape_memory = with_tape.then_some(&mut tape[..]);
            forward_into(cell, &shape, &weights, &input, to, tape_memory).unwrap();
            assert_eq!((&output, &h_n), (&expected.output, &expected.h_n));
            if lstm {
                assert_eq!(Some(&c_n), expected.c_n.as_ref());
                assert_eq!(Some(&cell_states), expected.cell_states.as_ref());
            }
            if with_tape {
                self.check_backward(&shape, &weights, &input, &output, &tape, &expected_tape);
            }
        }
    }

    fn check_backward(
        &self,
        shape: &PackedShape,
        weights: &Weights<f64>,
        input: &Input<f64>,
        output: &[f64],
        tape: &[f64],
        expected_tape: &Tape<f64>,
    ) {
        let (d_output, d_h_n) = (values(output.len(), 10), values(B * shape.output_size(), 11));
        let loss = OutputGradients::default().with_output(&d_output).with_h_n(&d_h_n);
        let wanted = Gradients::all(self.cell, shape);
        let expected =
            backward(shape, weights, input, output, expected_tape, &loss, &wanted).unwrap();
        let mut found = expected.clone();
        let fields = |gradients: &mut Gradients<Option<Vec<f64>>>| {
            let Gradients {
                x, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, h_0, c_0, ..
            } = std::mem::take(gradients);
            [x, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, h_0, c_0]
        };
        let mut memory = fields(&mut found);
        memory.iter_mut().flatten().for_each(|gradient| gradient.fill(NAN));
        let mut to = Gradients::default();
        let mut slices = memory.iter_mut().map(|gradient| gradient.as_deref_mut());
        for field in [
            &mut to.x,
            &mut to.weight_ih,
            &mut to.weight_hh,
            &mut to.bias_ih,
            &mut to.bias_hh,
            &mut to.weight_hr,
            &mut to.h_0,
            &mut to.c_0,
        ] {
            *field = slices.next().unwrap();
        }
        backward_into(self.cell, shape, weights, input, output, tape, &loss, to).unwrap();
        assert_eq!(memory, fields(&mut expected.clone()));
    }
}

#[test]
fn the_results_are_those_of_the_passes_that_return_vectors() {
    Case::all().for_each(|case| case.check());
}

#[test]
fn memory_of_another_size_is_an_error() {
    let shape = PackedShape::new(1, &[1], 1, 2, Direction::Forward).unwrap();
    let (weight_ih, weight_hh) = (values(8, 1), values(16, 2));
    let (weights, input) = (Weights::new(&weight_ih, &weight_hh), Input::new(&[1.0]));
    let cell = CellKind::Lstm;
    let run = |output: usize, h_n: usize, c_n: Option<usize>, tape: Option<usize>| {
        let (mut output, mut h_n) = (vec![0.0; output], vec![0.0; h_n]);
        let mut c_n = c_n.map(|len| vec![0.0; len]);
        let mut to = OutputSlices::new(&mut output, &mut h_n);
        to.c_n = c_n.as_deref_mut();
        let mut tape = tape.map(|len| vec![0.0; len]);
        let result = forward_into(cell, &shape, &weights, &input, to, tape.as_deref_mut());
        result.map_err(|error| error.to_string())
    };
    let error = |text: &str| Err(text.to_string());
    let len = tape_len::<f64>(cell, &shape, false);
    assert_eq!(run(2, 2, Some(2), Some(len)), Ok(()));
    assert_eq!(run(3, 2, Some(2), None), error("output: expected 2 elements (N x P), got 3"));
    assert_eq!(run(2, 1, Some(2), None), error("h_n: expected 2 elements (B x P), got 1"));
    assert_eq!(run(2, 2, None, None), error("c_n: expected 2 elements (B x H), got 0"));
    let tape = format!("tape: expected {len} elements (tape_len), got {}", len - 1);
    assert_eq!(run(2, 2, Some(2), Some(len - 1)), Err(tape));

    let (output, tape, mut dx) = ([0.0; 2], vec![0.0; len], [0.0; 2]);
    let loss = OutputGradients::default();
    let mut to = Gradients::default();
    to.x = Some(&mut dx[..]);
    let result = backward_into(cell, &shape, &weights, &input, &output, &tape, &loss, to);
    let text = "gradient of x: expected 1 elements (N x I), got 2";
    assert_eq!(result.unwrap_err().to_string(), text);
    let result =
        backward_into(cell, &shape, &weights, &input, &output, &[], &loss, Gradients::default());
    assert!(matches!(result, Err(Error::Length { name: "tape", .. })));
}

/// A mask that the forward pass did not have is an error in the backward pass.
#[test]
fn a_tape_belongs_to_the_masks_of_its_pass() {
    let shape = PackedShape::new(1, &[1], 1, 2, Direction::Forward).unwrap();
    let (weight_ih, weight_hh) = (values(2, 1), values(4, 2));
    let (weights, input) = (Weights::new(&weight_ih, &weight_hh), Input::new(&[1.0]));
    let cell = CellKind::RnnTanh;
    let (result, tape) = forward(cell, &shape, &weights, &input, Default::default()).unwrap();
    let (mask, loss) = ([1.0; 2], OutputGradients::default());
    let (input, wanted) = (input.with_hidden_mask(&mask), Gradients::all(cell, &shape));
    let found = backward(&shape, &weights, &input, &result.output, &tape, &loss, &wanted);
    assert!(matches!(found, Err(Error::Tape { name: "elements", .. })));
}
