//! Every SIMD level of the machine against the plain reference, and the promises that hold beside.

mod reference;

use proptest::prelude::*;
use ragged_kernels::*;
use reference::{Case, Results};

/// Number types, to and from the reference's.
trait Narrow: Element {
    const TOLERANCE: f64;
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
}

impl Narrow for f32 {
    const TOLERANCE: f64 = 2e-5;
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Narrow for f64 {
    const TOLERANCE: f64 = 1e-12;
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

/// Both passes through the kernels.
fn run<T: Narrow>(case: &Case, level: SimdLevel) -> Results {
    let shape =
        PackedShape::new(case.batch, &case.batch_sizes, case.input, case.hidden, case.direction);
    let shape = shape.unwrap().with_simd(level);
    assert_eq!(shape.simd(), level);
    let narrow = |v: &[f64]| v.iter().map(|&v| T::of(v)).collect::<Vec<T>>();
    let (weight_ih, weight_hh) = (narrow(&case.weight_ih), narrow(&case.weight_hh));
    let (bias_ih, bias_hh) = (narrow(&case.bias_ih), narrow(&case.bias_hh));
    let weights = LstmWeights {
        weight_ih: &weight_ih,
        weight_hh: &weight_hh,
        bias_ih: case.biased.then_some(&bias_ih),
        bias_hh: case.biased.then_some(&bias_hh),
    };
    let (x, h_0, c_0) = (narrow(&case.x), narrow(&case.h_0), narrow(&case.c_0));
    let input = LstmInput { x: &x, h_0: &h_0, c_0: &c_0 };
    let (n, b, i, h) = (shape.rows(), case.batch, case.input, case.hidden);
    // What was there before must not matter.
    let junk = |count: usize| vec![T::of(1e30); count];
    let (mut output, mut h_n, mut c_n) = (junk(n * h), junk(b * h), junk(b * h));
    let out = LstmOutput { output: &mut output, h_n: &mut h_n, c_n: &mut c_n };
    let tape = lstm_forward(&shape, &weights, &input, out).unwrap();
    let (mut again, mut h_again, mut c_again) = (junk(n * h), junk(b * h), junk(b * h));
    let out = LstmOutput { output: &mut again, h_n: &mut h_again, c_n: &mut c_again };
    lstm_infer(&shape, &weights, &input, out).unwrap();
    let bits = |v: &[T]| v.iter().map(|v| v.wide().to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&output), bits(&again), "inference differs from the recorded pass");
    assert_eq!(bits(&h_n), bits(&h_again));

    let (d_output, d_h_n, d_c_n) =
        (narrow(&case.d_output), narrow(&case.d_h_n), narrow(&case.d_c_n));
    let cotangents =
        LstmCotangents { output: Some(&d_output), h_n: Some(&d_h_n), c_n: Some(&d_c_n) };
    let (mut dx, mut d_ih, mut d_hh) = (junk(n * i), junk(4 * h * i), junk(4 * h * h));
    let (mut d_bias, mut dh_0, mut dc_0) = (junk(4 * h), junk(b * h), junk(b * h));
    // Twice: the tape is only read.
    for x in [None, Some(&mut dx[..])] {
        let gradients = LstmGradients {
            x,
            weight_ih: &mut d_ih,
            weight_hh: &mut d_hh,
            bias: &mut d_bias,
            h_0: Some(&mut dh_0),
            c_0: Some(&mut dc_0),
        };
        lstm_backward(&shape, &weights, &input, &output, &tape, &cotangents, gradients).unwrap();
    }
    let wide = |v: Vec<T>| v.into_iter().map(T::wide).collect::<Vec<f64>>();
    vec![
        ("output", wide(output)),
        ("h_n", wide(h_n)),
        ("c_n", wide(c_n)),
        ("dx", wide(dx)),
        ("d weight_ih", wide(d_ih)),
        ("d weight_hh", wide(d_hh)),
        ("d bias", wide(d_bias)),
        ("d h_0", wide(dh_0)),
        ("d c_0", wide(dc_0)),
    ]
}

#[track_caller]
fn check<T: Narrow>(case: &Case) {
    // The reference sees the numbers that the kernels see.
    let mut rounded = case.clone();
    for values in [
        &mut rounded.weight_ih,
        &mut rounded.weight_hh,
        &mut rounded.bias_ih,
        &mut rounded.bias_hh,
        &mut rounded.x,
        &mut rounded.h_0,
        &mut rounded.c_0,
        &mut rounded.d_output,
        &mut rounded.d_h_n,
        &mut rounded.d_c_n,
    ] {
        values.iter_mut().for_each(|v| *v = T::of(*v).wide());
    }
    let wanted = rounded.run();
    for level in SimdLevel::available() {
        for ((name, got), (_, want)) in run::<T>(case, level).iter().zip(&wanted) {
            assert_eq!(got.len(), want.len(), "{name}");
            let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            for (k, (got, want)) in got.iter().zip(want).enumerate() {
                let error = (got - want).abs() / scale;
                assert!(error <= T::TOLERANCE, "{level:?} {name}[{k}]: {got} against {want}");
            }
        }
    }
}

/// Reproducible numbers from -1 to 1.
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(next).collect()
}

fn case(batch_sizes: Vec<usize>, empty: usize, input: usize, hidden: usize, seed: u64) -> Case {
    let batch = batch_sizes.first().copied().unwrap_or(0) + empty;
    let (n, h): (usize, usize) = (batch_sizes.iter().sum(), hidden);
    let mut part = 0;
    let mut next = |count: usize, scale: f64| -> Vec<f64> {
        part += 1;
        numbers(seed * 100 + part, count).into_iter().map(|v| v * scale).collect()
    };
    let spread = 1.0 / (hidden as f64).sqrt();
    Case {
        batch,
        batch_sizes,
        input,
        hidden,
        direction: Direction::Forward,
        biased: true,
        weight_ih: next(4 * h * input, 1.0 / (input as f64).sqrt()),
        weight_hh: next(4 * h * h, spread),
        bias_ih: next(4 * h, 1.0),
        bias_hh: next(4 * h, 1.0),
        x: next(n * input, 1.0),
        h_0: next(batch * h, 1.0),
        c_0: next(batch * h, 1.0),
        d_output: next(n * h, 1.0),
        d_h_n: next(batch * h, 1.0),
        d_c_n: next(batch * h, 1.0),
    }
}

/// Batch sizes that shrink in all ways.
fn batch_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..12usize, 0..12).prop_map(|lengths| {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        (0..longest).map(|t| lengths.iter().filter(|&&length| length > t).count()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn every_level_agrees_with_the_reference(
        sizes in batch_sizes(),
        empty in 0..3usize,
        input in 1..=40usize,
        hidden in 1..=70usize,
        reverse: bool,
        biased: bool,
        seed in 0..1000u64,
    ) {
        let mut case = case(sizes, empty, input, hidden, seed);
        case.biased = biased;
        if reverse {
            case.direction = Direction::Reverse;
        }
        check::<f32>(&case);
        check::<f64>(&case);
    }
}

/// More blocks of units and panels of columns than the property reaches.
#[test]
fn wide_layers_agree_with_the_reference() {
    check::<f32>(&case(vec![7, 7, 3], 1, 130, 150, 1));
    check::<f64>(&case(vec![13, 2, 2, 1], 0, 33, 97, 2));
}

/// More rows than one chunk of any product takes.
#[test]
fn long_sequences_agree_with_the_reference() {
    check::<f32>(&case([vec![3; 200], vec![1; 100]].concat(), 0, 40, 5, 3));
    check::<f64>(&case([vec![9; 40], vec![8; 40]].concat(), 0, 2, 9, 4));
}

/// The reference's own gradients, by central differences.
#[test]
fn the_reference_differentiates_itself() {
    let case = case(vec![3, 2, 2, 1], 1, 2, 3, 5);
    let loss = |case: &Case| -> f64 {
        let results = case.run();
        let dot =
            |k: usize, w: &[f64]| -> f64 { results[k].1.iter().zip(w).map(|(a, b)| a * b).sum() };
        dot(0, &case.d_output) + dot(1, &case.d_h_n) + dot(2, &case.d_c_n)
    };
    type Field = fn(&mut Case) -> &mut Vec<f64>;
    let fields: [Field; 6] = [
        |c| &mut c.x,
        |c| &mut c.weight_ih,
        |c| &mut c.weight_hh,
        |c| &mut c.bias_ih,
        |c| &mut c.h_0,
        |c| &mut c.c_0,
    ];
    for ((name, gradient), field) in case.run()[3..].iter().zip(fields) {
        for (k, got) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut case = case.clone();
                field(&mut case)[k] += by;
                loss(&case)
            };
            let want = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((got - want).abs() < 1e-8, "{name}[{k}]: {got} against {want}");
        }
    }
}

fn bits(results: &Results) -> Vec<(&'static str, Vec<u64>)> {
    let bits = |values: &Vec<f64>| values.iter().map(|v| v.to_bits()).collect();
    results.iter().map(|(name, values)| (*name, bits(values))).collect()
}

/// One test for all that sets the number of threads, which is the process's.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let cases = [case(vec![23, 17, 17, 5, 1], 2, 7, 37, 6), case(vec![40; 9], 0, 50, 33, 7)];
    for case in &cases {
        for level in SimdLevel::available() {
            set_threads(1);
            let one = bits(&run::<f32>(case, level));
            for threads in [2, 3, 8] {
                set_threads(threads);
                assert_eq!(bits(&run::<f32>(case, level)), one, "{level:?}, {threads} threads");
            }
            set_threads(0);
        }
    }
}

/// A sequence alone gives the bits that it gives among others: outputs, states, input gradient.
#[test]
fn a_sequence_does_not_see_its_batch() {
    let many = case(vec![9, 9, 8, 5, 5, 2, 1], 1, 6, 37, 8);
    for level in SimdLevel::available() {
        let all = run::<f32>(&many, level);
        for b in 0..many.batch {
            let rows = many.rows_of(b);
            let pick = |values: &[f64], width: usize, rows: &[usize]| -> Vec<f64> {
                rows.iter().flat_map(|&r| values[r * width..(r + 1) * width].to_vec()).collect()
            };
            let (i, h) = (many.input, many.hidden);
            let alone = Case {
                batch: 1,
                batch_sizes: vec![1; rows.len()],
                x: pick(&many.x, i, &rows),
                h_0: pick(&many.h_0, h, &[b]),
                c_0: pick(&many.c_0, h, &[b]),
                d_output: pick(&many.d_output, h, &rows),
                d_h_n: pick(&many.d_h_n, h, &[b]),
                d_c_n: pick(&many.d_c_n, h, &[b]),
                ..many.clone()
            };
            let got = run::<f32>(&alone, level);
            for (k, width, rows) in [
                (0, h, &rows[..]),
                (1, h, &[b]),
                (2, h, &[b]),
                (3, i, &rows),
                (7, h, &[b]),
                (8, h, &[b]),
            ] {
                let want = pick(&all[k].1, width, rows);
                assert_eq!(got[k].1, want, "{level:?}: {} of sequence {b}", got[k].0);
            }
        }
    }
}

/// NaN and infinity stay in their sequence; large inputs saturate.
#[test]
fn extreme_inputs_stay_where_they_are() {
    let clean = case(vec![8, 8, 6, 2], 0, 5, 21, 9);
    for level in SimdLevel::available() {
        let want = run::<f32>(&clean, level);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut spoiled = clean.clone();
            let rows = spoiled.rows_of(3);
            spoiled.x[rows[1] * 5] = odd;
            let got = run::<f32>(&spoiled, level);
            for (k, width) in [(0, 21), (3, 5)] {
                for row in (0..24).filter(|row| !rows.contains(row)) {
                    let row = row * width..(row + 1) * width;
                    assert_eq!(got[k].1[row.clone()], want[k].1[row], "{level:?}: {}", got[k].0);
                }
            }
        }
        let mut large = clean.clone();
        large.x.iter_mut().for_each(|v| *v *= 1e4);
        check::<f32>(&large);
    }
}

/// A cotangent that is left out is zero, and a state's gradient may be left out.
#[test]
fn what_is_left_out_changes_no_number() {
    let case = case(vec![7, 7, 3, 1], 1, 6, 37, 10);
    let (n, b, i, h) = (18, case.batch, case.input, case.hidden);
    let shape = PackedShape::new(b, &case.batch_sizes, i, h, Direction::Forward).unwrap();
    let Case { weight_ih, weight_hh, .. } = &case;
    let weights = LstmWeights { weight_ih, weight_hh, bias_ih: None, bias_hh: None };
    let input = LstmInput { x: &case.x, h_0: &case.h_0, c_0: &case.c_0 };
    let (mut output, mut h_n, mut c_n) = (vec![0.0; n * h], vec![0.0; b * h], vec![0.0; b * h]);
    let out = LstmOutput { output: &mut output, h_n: &mut h_n, c_n: &mut c_n };
    let tape = lstm_forward(&shape, &weights, &input, out).unwrap();
    let backward = |cotangents: LstmCotangents<f64>, states: Option<(&mut [f64], &mut [f64])>| {
        let (mut x, mut bias) = (vec![0.0; n * i], vec![0.0; 4 * h]);
        let (mut weight_ih, mut weight_hh) = (vec![0.0; 4 * h * i], vec![0.0; 4 * h * h]);
        let (h_0, c_0) = states.unzip();
        let gradients = LstmGradients {
            x: Some(&mut x),
            weight_ih: &mut weight_ih,
            weight_hh: &mut weight_hh,
            bias: &mut bias,
            h_0,
            c_0,
        };
        lstm_backward(&shape, &weights, &input, &output, &tape, &cotangents, gradients).unwrap();
        [x, weight_ih, weight_hh, bias]
    };
    let given = |output, h_n, c_n| LstmCotangents { output, h_n, c_n };
    let (rows, states) = (vec![0.0; n * h], vec![0.0; b * h]);
    let (d_output, d_h_n) = (Some(&case.d_output[..]), Some(&case.d_h_n[..]));
    for (short, long) in [
        (given(d_output, None, None), given(d_output, Some(&states), Some(&states))),
        (given(None, d_h_n, None), given(Some(&rows), d_h_n, Some(&states))),
    ] {
        let (mut dh_0, mut dc_0) = (states.clone(), states.clone());
        assert_eq!(backward(short, None), backward(long, Some((&mut dh_0, &mut dc_0))));
    }
}

#[test]
fn slices_that_do_not_fit_are_named() {
    let shape = PackedShape::new(2, &[2, 1], 3, 4, Direction::Forward).unwrap();
    let zeros = [0f32; 64];
    let weights =
        LstmWeights { weight_ih: &zeros[..48], weight_hh: &zeros, bias_ih: None, bias_hh: None };
    let run = |weights: &LstmWeights<f32>, rows: usize, states: usize| {
        let input = LstmInput { x: &zeros[..rows * 3], h_0: &zeros[..8], c_0: &zeros[..states] };
        let (mut output, mut h_n, mut c_n) = ([0.0; 12], [0.0; 8], [0.0; 8]);
        let out = LstmOutput { output: &mut output, h_n: &mut h_n, c_n: &mut c_n };
        lstm_infer(&shape, weights, &input, out).map_err(|error| error.to_string())
    };
    assert_eq!(run(&weights, 3, 8), Ok(()));
    let message = |text: &str| Err(text.to_string());
    assert_eq!(run(&weights, 4, 8), message("x has 12 elements: expected 9 (N x I)"));
    assert_eq!(run(&weights, 3, 4), message("c_0 has 4 elements: expected 8 (B x H)"));
    let bias_hh = Some(&zeros[..5]);
    let text = "bias_hh has 5 elements: expected 16 (4H)";
    assert_eq!(run(&LstmWeights { bias_hh, ..weights }, 3, 8), message(text));
}
