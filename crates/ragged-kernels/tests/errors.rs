//! Errors name the argument that does not fit, or that the cell does not have.

use ragged_kernels::*;

#[test]
fn slices_of_the_wrong_length_are_named() {
    let shape = PackedShape::new(2, &[2, 1], 3, 4, Direction::Forward).unwrap();
    let zeros = [0f32; 64];
    let none: Option<&[f32]> = None;
    let weights = Weights::new(&zeros[..48], &zeros);
    let run = |cell: CellKind, weights: &Weights<f32>, rows: usize, c_0: Option<&[f32]>| {
        let x = &zeros[..rows * 3];
        let mut input = Input::new(x).with_h_0(&zeros[..8]);
        input.c_0 = c_0;
        let result = infer(cell, &shape, weights, &input, ForwardOptions::default());
        result.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(run(CellKind::Lstm, &weights, 3, Some(&zeros[..8])), Ok(()));
    assert_eq!(run(CellKind::Lstm, &weights, 3, none), Ok(()));
    let message = |text: &str| Err(text.to_string());
    let text = "x: expected 9 elements (N x I), got 12";
    assert_eq!(run(CellKind::Lstm, &weights, 4, none), message(text));
    let text = "c_0: expected 8 elements (B x H), got 4";
    assert_eq!(run(CellKind::Lstm, &weights, 3, Some(&zeros[..4])), message(text));
    let mut bad = weights;
    bad.bias_hh = Some(&zeros[..5]);
    let text = "bias_hh: expected 16 elements (G H), got 5";
    assert_eq!(run(CellKind::Lstm, &bad, 3, none), message(text));
    let gru = Weights::new(&zeros[..36], &zeros[..48]);
    assert_eq!(run(CellKind::Gru, &gru, 3, none), Ok(()));
    let text = "c_0: expected none for this cell and shape";
    assert_eq!(run(CellKind::Gru, &gru, 3, Some(&zeros[..8])), message(text));
    let text = "weight_ih: expected 36 elements (G H x I), got 48";
    assert_eq!(run(CellKind::Gru, &weights, 3, none), message(text));
}

#[test]
fn outputs_that_a_cell_does_not_have_are_refused() {
    let shape = PackedShape::new(2, &[2, 1], 3, 4, Direction::Forward).unwrap();
    let zeros = [0f32; 48];
    let weights = Weights::new(&zeros[..36], &zeros);
    let input = Input::new(&zeros[..9]);
    let options = ForwardOptions::default();
    let cell_states = options.with_cell_states(true);
    let error = infer(CellKind::Gru, &shape, &weights, &input, cell_states).unwrap_err();
    assert_eq!(error.to_string(), "cell_states was requested, but this cell and shape have none");
    let (result, tape) = forward(CellKind::Gru, &shape, &weights, &input, options).unwrap();
    type Field = fn(&mut Gradients<bool>) -> &mut bool;
    let fields: [(Field, _); 2] = [
        (|wanted| &mut wanted.c_0, "gradient of c_0"),
        (|wanted| &mut wanted.weight_hr, "gradient of weight_hr"),
    ];
    for (field, name) in fields {
        let mut wanted = Gradients::default();
        *field(&mut wanted) = true;
        let (output, output_gradients) = (&result.output, &OutputGradients::default());
        let got = backward(&shape, &weights, &input, output, &tape, output_gradients, &wanted);
        assert_eq!(got, Err(Error::Unavailable { name }));
    }
}

#[test]
fn a_tape_of_another_shape_is_refused() {
    let new = |sizes, h| PackedShape::new(2, sizes, 3, h, Direction::Forward).unwrap();
    let zeros = [0f32; 64];
    let (shape, options) = (new(&[2, 1], 4), ForwardOptions::default());
    let (input, weights) = (Input::new(&zeros[..9]), Weights::new(&zeros[..12], &zeros[..16]));
    let (result, tape) = forward(CellKind::RnnTanh, &shape, &weights, &input, options).unwrap();
    let wanted = Gradients::all(CellKind::RnnTanh, &shape);
    for (shape, name, expected, got) in [(new(&[2], 4), "N", 2, 3), (new(&[2, 1], 5), "H", 5, 4)] {
        let output_gradients = OutputGradients::default();
        let error =
            backward(&shape, &weights, &input, &result.output, &tape, &output_gradients, &wanted);
        assert_eq!(error, Err(Error::Tape { name, expected, got }));
    }
}
