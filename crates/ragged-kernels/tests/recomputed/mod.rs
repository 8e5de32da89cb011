//! Passes whose activations are computed once more have the bits of those that keep them.

use std::num::NonZeroUsize;

use ragged_kernels::*;

/// A pass over all steps at once, and its results.
pub(crate) struct Whole<'a, T: Element> {
    pub(crate) cell: CellKind,
    pub(crate) shape: &'a PackedShape<'a>,
    pub(crate) weights: &'a Weights<'a, T>,
    pub(crate) input: &'a Input<'a, T>,
    pub(crate) output_gradients: &'a OutputGradients<'a, T>,
    pub(crate) result: &'a Output<T>,
    pub(crate) gradients: &'a Gradients<Option<Vec<T>>>,
}

impl<T: Element + PartialEq> Whole<'_, T> {
    /// Compares with segments of `steps` steps, with the outputs of all steps and without; `bits` are those of an
    /// element.
    pub(crate) fn check(&self, steps: usize, bits: impl Fn(T) -> u64 + Copy) {
        let Self { cell, shape, weights, input, output_gradients, result, gradients } = *self;
        let bits = |values: &[T]| values.iter().map(|&value| bits(value)).collect::<Vec<_>>();
        let of_option = |values: &Option<Vec<T>>| values.as_deref().map(bits);
        let options = ForwardOptions::default().with_recompute(NonZeroUsize::new(steps));
        let options = options.with_cell_states(result.cell_states.is_some());
        for options in [options, options.with_final_states_only(true)] {
            let (found, tape) = forward(cell, shape, weights, input, options).unwrap();
            assert_eq!(tape.elements(), self.kept_elements(steps), "{steps} steps");
            let without_tape = infer(cell, shape, weights, input, options).unwrap();
            for found in [&found, &without_tape] {
                match options.final_states_only {
                    true => assert!(found.output.is_empty()),
                    false => assert_eq!(bits(&found.output), bits(&result.output), "{steps} steps"),
                }
                assert_eq!(bits(&found.h_n), bits(&result.h_n), "{steps} steps");
                assert_eq!(of_option(&found.c_n), of_option(&result.c_n), "{steps} steps");
                assert_eq!(of_option(&found.cell_states), of_option(&result.cell_states));
            }
            let wanted = Gradients::all(cell, shape);
            let output = &found.output;
            let found =
                backward(shape, weights, input, output, &tape, output_gradients, &wanted).unwrap();
            for ((name, found), (_, expected)) in fields(&found).into_iter().zip(fields(gradients))
            {
                let (found, expected) = (of_option(found), of_option(expected));
                assert_eq!(found, expected, "{cell:?} d {name} with {steps} steps");
            }
        }
    }
}

impl<T: Element> Whole<'_, T> {
    /// The elements of a tape: the states before each segment of the sequences that have begun, as many as take both
    /// steps around it.
    fn kept_elements(&self, steps: usize) -> usize {
        let sizes = self.shape.batch_sizes();
        let borders = (steps..sizes.len()).step_by(steps).map(|k| match self.shape.direction() {
            Direction::Forward => sizes[k],
            Direction::Reverse => sizes[sizes.len() - k],
        });
        let cells = if self.cell.has_cell_state() { self.shape.hidden_size() } else { 0 };
        borders.sum::<usize>() * (self.shape.output_size() + cells)
    }
}

fn fields<G>(gradients: &Gradients<G>) -> [(&'static str, &G); 15] {
    [
        ("x", &gradients.x),
        ("weight_ih", &gradients.weight_ih),
        ("weight_hh", &gradients.weight_hh),
        ("bias_ih", &gradients.bias_ih),
        ("bias_hh", &gradients.bias_hh),
        ("weight_hr", &gradients.weight_hr),
        ("weight_ci", &gradients.weight_ci),
        ("weight_cf", &gradients.weight_cf),
        ("weight_co", &gradients.weight_co),
        ("ln_ih_weight", &gradients.ln_ih_weight),
        ("ln_hh_weight", &gradients.ln_hh_weight),
        ("ln_c_weight", &gradients.ln_c_weight),
        ("ln_c_bias", &gradients.ln_c_bias),
        ("h_0", &gradients.h_0),
        ("c_0", &gradients.c_0),
    ]
}
