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

#[test]
fn prepared_weights_name_what_does_not_fit() {
    let shape = |i, h| PackedShape::new(1, &[1], i, h, Direction::Forward).unwrap();
    let prepare = |cell: CellKind, i, h| {
        let gates = cell.gates() * h;
        let (ih, hh) = (vec![0.5f32; gates * i], vec![0.5; gates * h]);
        PreparedWeights::new(cell, &shape(i, h), &Weights::new(&ih, &hh)).unwrap()
    };
    let lstm = prepare(CellKind::Lstm, 2, 3);
    let mut state = lstm.state(2).unwrap();
    lstm.step(&[1.0; 4], &mut state).unwrap();
    let before = state.hidden().to_vec();
    let message = |error: Error| error.to_string();

    let error = lstm.step(&[1.0; 5], &mut state).unwrap_err();
    assert_eq!(message(error), "x: expected 4 elements (B x I), got 5");
    for other in [prepare(CellKind::Lstm, 2, 4), prepare(CellKind::Gru, 2, 3)] {
        assert_eq!(other.step(&[1.0; 4], &mut state), Err(Error::State));
    }
    assert_eq!(state.set_row(2, &[0.0; 3], &[0.0; 3]), Err(Error::Row { rows: 2, got: 2 }));
    let error = state.set_row(1, &[0.0; 3], &[]).unwrap_err();
    assert_eq!(message(error), "c: expected 3 elements (H), got 0");
    assert_eq!(state.hidden(), before, "the states are unchanged");

    let input = Input::new(&[1.0; 2]);
    let error = lstm.infer(&shape(2, 4), &input, ForwardOptions::default()).unwrap_err();
    assert_eq!(message(error), "shape: expected H = 3, the size of the prepared weights, got 4");
    assert!(matches!(lstm.state(usize::MAX / 8), Err(Error::Size { name: "batch_size", .. })));
    let mut gru = prepare(CellKind::Gru, 2, 3).state(1).unwrap();
    let error = gru.set_row(0, &[0.0; 3], &[0.0; 3]);
    assert_eq!(error, Err(Error::UnexpectedArgument { name: "c" }));
    assert_eq!(gru.copy_cell_states(&mut []), Err(Error::Unavailable { name: "cell state" }));
    // No rows are legal.
    lstm.step(&[], &mut lstm.state(0).unwrap()).unwrap();
}

/// NaN in one row reaches no other.
#[test]
fn rows_of_a_step_are_independent() {
    let shape = PackedShape::new(0, &[], 1, 5, Direction::Forward).unwrap();
    let (ih, hh) = (vec![0.5f32; 20], vec![0.25; 100]);
    let prepared = PreparedWeights::new(CellKind::Lstm, &shape, &Weights::new(&ih, &hh)).unwrap();
    let (mut both, mut alone) = (prepared.state(2).unwrap(), prepared.state(1).unwrap());
    for _ in 0..3 {
        prepared.step(&[f32::NAN, 1.0], &mut both).unwrap();
        prepared.step(&[1.0], &mut alone).unwrap();
    }
    assert!(both.hidden()[..5].iter().all(|h| h.is_nan()));
    assert_eq!(&both.hidden()[5..], alone.hidden());
}

#[test]
fn zoneout_and_peepholes_are_checked() {
    let shape = PackedShape::new(2, &[2, 1], 3, 4, Direction::Forward).unwrap();
    let zeros = [0f32; 64];
    let run = |cell: CellKind, weights: &Weights<f32>, zoneout: Option<Zoneout<f32>>| {
        let mut input = Input::new(&zeros[..9]);
        input.zoneout = zoneout;
        let result = infer(cell, &shape, weights, &input, ForwardOptions::default());
        result.map(drop).map_err(|error| error.to_string())
    };
    let message = |text: &str| Err(text.to_string());
    let lstm = Weights::new(&zeros[..48], &zeros);
    let gru = Weights::new(&zeros[..36], &zeros[..48]);
    let rows = |len: usize| Kept::Rows(&zeros[..len]);
    let text = "zoneout of hidden states: expected 12 elements (N x P), got 11";
    assert_eq!(run(CellKind::Gru, &gru, Some(Zoneout::new(rows(11)))), message(text));
    let text = "zoneout of cell states: expected 12 elements (N x H), got 13";
    let zoneout = Zoneout::new(rows(12)).with_cell(rows(13));
    assert_eq!(run(CellKind::Lstm, &lstm, Some(zoneout)), message(text));
    let text = "zoneout of cell states: expected none for this cell and shape";
    let zoneout = Zoneout::new(rows(12)).with_cell(Kept::All(0.5));
    assert_eq!(run(CellKind::Gru, &gru, Some(zoneout)), message(text));
    let prepared = PreparedWeights::new(CellKind::Gru, &shape, &gru).unwrap();
    let error = prepared.with_zoneout(0.1, Some(0.5)).unwrap_err();
    assert_eq!(error, Error::UnexpectedArgument { name: "zoneout of cell states" });

    let text = "weight_ci: expected 4 elements (H), got 0";
    assert_eq!(run(CellKind::PeepholeLstm, &lstm, None), message(text));
    let peepholes = lstm.with_peepholes(&zeros[..4], &zeros[..4], &zeros[..5]);
    let text = "weight_co: expected 4 elements (H), got 5";
    assert_eq!(run(CellKind::PeepholeLstm, &peepholes, None), message(text));
    let text = "weight_ci: expected none for this cell and shape";
    assert_eq!(run(CellKind::Lstm, &peepholes, None), message(text));
}
