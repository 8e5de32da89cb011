//! What does not fit, or is not there, is named.

use ragged_kernels::*;

#[test]
fn slices_that_do_not_fit_are_named() {
    let shape = PackedShape::new(2, &[2, 1], 3, 4, Direction::Forward).unwrap();
    let zeros = [0f32; 64];
    let none: Option<&[f32]> = None;
    let weights = Weights {
        weight_ih: &zeros[..48],
        weight_hh: &zeros,
        bias_ih: None,
        bias_hh: None,
        weight_hr: None,
    };
    let run = |cell: CellKind, weights: &Weights<f32>, rows: usize, c_0: Option<&[f32]>| {
        let x = &zeros[..rows * 3];
        let input = Input { x, h_0: Some(&zeros[..8]), c_0, hidden_mask: None };
        infer(cell, &shape, weights, &input, false).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(run(CellKind::Lstm, &weights, 3, Some(&zeros[..8])), Ok(()));
    assert_eq!(run(CellKind::Lstm, &weights, 3, none), Ok(()));
    let message = |text: &str| Err(text.to_string());
    let text = "x has 12 elements: expected 9 (N x I)";
    assert_eq!(run(CellKind::Lstm, &weights, 4, none), message(text));
    let text = "c_0 has 4 elements: expected 8 (B x H)";
    assert_eq!(run(CellKind::Lstm, &weights, 3, Some(&zeros[..4])), message(text));
    let bad = Weights { bias_hh: Some(&zeros[..5]), ..weights };
    let text = "bias_hh has 5 elements: expected 16 (G H)";
    assert_eq!(run(CellKind::Lstm, &bad, 3, none), message(text));
    let gru = Weights { weight_ih: &zeros[..36], weight_hh: &zeros[..48], ..weights };
    assert_eq!(run(CellKind::Gru, &gru, 3, none), Ok(()));
    let text = "c_0 is given: expected none for this cell and shape";
    assert_eq!(run(CellKind::Gru, &gru, 3, Some(&zeros[..8])), message(text));
    let text = "weight_ih has 48 elements: expected 36 (G H x I)";
    assert_eq!(run(CellKind::Gru, &weights, 3, none), message(text));
}

#[test]
fn what_a_cell_does_not_have_is_not_handed_out() {
    let shape = PackedShape::new(2, &[2, 1], 3, 4, Direction::Forward).unwrap();
    let zeros = [0f32; 48];
    let weights = Weights {
        weight_ih: &zeros[..36],
        weight_hh: &zeros,
        bias_ih: None,
        bias_hh: None,
        weight_hr: None,
    };
    let input = Input { x: &zeros[..9], h_0: None, c_0: None, hidden_mask: None };
    let error = infer(CellKind::Gru, &shape, &weights, &input, true).unwrap_err();
    assert_eq!(error.to_string(), "cells is asked for: this cell and shape have none");
    let (result, tape) = forward(CellKind::Gru, &shape, &weights, &input, false).unwrap();
    let nothing = Gradients::default();
    for (wanted, name) in [
        (Gradients { c_0: true, ..nothing }, "the gradient of c_0"),
        (Gradients { weight_hr: true, ..nothing }, "the gradient of weight_hr"),
    ] {
        let (output, cotangents) = (&result.output, &Cotangents::default());
        let got = backward(&shape, &weights, &input, output, &tape, cotangents, &wanted);
        assert_eq!(got, Err(Error::Unavailable { name }));
    }
}
