//! Every SIMD level of the machine against the plain reference, and the promises that hold beside.

mod recomputed;
mod reference;

use proptest::prelude::*;
use ragged_kernels::*;
use recomputed::Whole;
use reference::{Case, Results, Zoned};

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

/// The bits of each element, which tell NaNs and zeros apart.
fn bits<T: Narrow>(elements: &[T]) -> Vec<u64> {
    elements.iter().map(|element| element.wide().to_bits()).collect()
}

/// Steps through the batch one time step after the other: the bits of `infer`.
fn check_steps<T: Narrow>(
    case: &Case,
    prepared: &PreparedWeights<T>,
    input: &Input<T>,
    expected: &Output<T>,
) {
    let (p, h) = (case.width, if case.cell.has_cell_state() { case.hidden } else { 0 });
    let mut states: Vec<(Vec<T>, Vec<T>)> = (0..case.batch)
        .map(|b| {
            let h_0 = input.h_0.unwrap()[b * p..(b + 1) * p].to_vec();
            (h_0, input.c_0.map_or(vec![], |c_0| c_0[b * h..(b + 1) * h].to_vec()))
        })
        .collect();
    let mut start = 0;
    for &rows in &case.batch_sizes {
        // Sequences that have ended leave; the others are rows of a new state.
        let mut state = prepared.state(rows).unwrap();
        for (row, (h, c)) in states.iter().take(rows).enumerate() {
            state.set_row(row, h, c).unwrap();
        }
        let x = &input.x[start * case.input..(start + rows) * case.input];
        prepared.step(x, &mut state).unwrap();
        let output = &expected.output[start * p..(start + rows) * p];
        assert_eq!(bits(state.hidden()), bits(output), "a step");
        let mut cells = vec![T::of(0.0); rows * h];
        if h > 0 {
            state.copy_cell_states(&mut cells).unwrap();
        }
        for (row, to) in states.iter_mut().take(rows).enumerate() {
            let h_of_row = state.hidden()[row * p..(row + 1) * p].to_vec();
            *to = (h_of_row, cells[row * h..(row + 1) * h].to_vec());
        }
        start += rows;
    }
    let (h_n, c_n): (Vec<_>, Vec<_>) = states.into_iter().unzip();
    assert_eq!(bits(&h_n.concat()), bits(&expected.h_n));
    assert_eq!(bits(&c_n.concat()), bits(expected.c_n.as_deref().unwrap_or_default()));
}

/// Both passes through the kernels.
fn run<T: Narrow>(case: &Case, level: SimdLevel) -> Results {
    let shape =
        PackedShape::new(case.batch, &case.batch_sizes, case.input, case.hidden, case.direction);
    let mut shape = shape.unwrap().with_simd(level);
    let projects = case.width != case.hidden;
    if projects {
        shape = shape.with_projection(case.width).unwrap();
    }
    assert_eq!(shape.simd(), level);
    let (lstm, peepholes) = (case.cell.has_cell_state(), case.cell.has_peepholes());
    let narrow = |v: &[f64]| v.iter().map(|&v| T::of(v)).collect::<Vec<T>>();
    let (weight_ih, weight_hh) = (narrow(&case.weight_ih), narrow(&case.weight_hh));
    let (bias_ih, bias_hh) = (narrow(&case.bias_ih), narrow(&case.bias_hh));
    let weight_hr = narrow(&case.weight_hr);
    let mut weights = Weights::new(&weight_ih, &weight_hh);
    if case.biased {
        weights = weights.with_biases(&bias_ih, &bias_hh);
    }
    weights.weight_hr = projects.then_some(&weight_hr);
    let (weight_ci, weight_cf) = (narrow(&case.weight_ci), narrow(&case.weight_cf));
    let weight_co = narrow(&case.weight_co);
    if peepholes {
        weights = weights.with_peepholes(&weight_ci, &weight_cf, &weight_co);
    }
    let (ln_ih_weight, ln_hh_weight) = (narrow(&case.ln_ih_weight), narrow(&case.ln_hh_weight));
    let (ln_c_weight, ln_c_bias) = (narrow(&case.ln_c_weight), narrow(&case.ln_c_bias));
    if case.cell.normalizes() {
        weights = weights.with_layer_norm(&ln_ih_weight, &ln_hh_weight);
        if lstm {
            weights = weights.with_cell_layer_norm(&ln_c_weight, &ln_c_bias);
        }
    }
    let (x, h_0, c_0) = (narrow(&case.x), narrow(&case.h_0), narrow(&case.c_0));
    let mask = narrow(&case.mask);
    let mut input = Input::new(&x).with_h_0(&h_0);
    input.c_0 = lstm.then_some(&c_0);
    input.hidden_mask = case.masked.then_some(&mask);
    let (kept_h, kept_c) = (narrow(&case.kept_h), narrow(&case.kept_c));
    input.zoneout = match case.zoneout {
        Zoned::None => None,
        Zoned::Rows => {
            let zoneout = Zoneout::new(Kept::Rows(&kept_h));
            Some(if lstm { zoneout.with_cell(Kept::Rows(&kept_c)) } else { zoneout })
        }
        Zoned::All(of_h, of_c) => {
            let zoneout = Zoneout::new(Kept::All(T::of(of_h)));
            Some(if lstm { zoneout.with_cell(Kept::All(T::of(of_c))) } else { zoneout })
        }
    };
    let options = ForwardOptions::default();
    let with_cell_states = options.with_cell_states(lstm);
    let (result, tape) = forward(case.cell, &shape, &weights, &input, with_cell_states).unwrap();
    let again = infer(case.cell, &shape, &weights, &input, options).unwrap();
    assert_eq!(bits(&result.output), bits(&again.output), "inference differs");
    assert_eq!(bits(&result.h_n), bits(&again.h_n));
    assert_eq!((again.c_n.is_some(), &again.cell_states), (lstm, &None));
    let mut prepared = PreparedWeights::new(case.cell, &shape, &weights).unwrap();
    assert_eq!(prepared.simd(), level);
    let mut to_prepared = input;
    if let Zoned::All(of_h, of_c) = case.zoneout {
        prepared = prepared.with_zoneout(T::of(of_h), lstm.then_some(T::of(of_c))).unwrap();
        to_prepared.zoneout = None;
    }
    let from_prepared = prepared.infer(&shape, &to_prepared, options).unwrap();
    assert_eq!(bits(&from_prepared.output), bits(&again.output), "prepared weights differ");
    assert_eq!(bits(&from_prepared.h_n), bits(&again.h_n));
    assert_eq!(from_prepared.c_n.as_deref().map(bits), again.c_n.as_deref().map(bits));
    let by_rows = case.masked || case.zoneout == Zoned::Rows;
    if case.direction == Direction::Forward && !by_rows {
        check_steps(case, &prepared, &input, &again);
    }

    let (d_output, d_h_n) = (narrow(&case.d_output), narrow(&case.d_h_n));
    let (d_c_n, d_cells) = (narrow(&case.d_c_n), narrow(&case.d_cells));
    let mut output_gradients = OutputGradients::default().with_output(&d_output).with_h_n(&d_h_n);
    if lstm {
        output_gradients = output_gradients.with_c_n(&d_c_n).with_cell_states(&d_cells);
    }
    // Twice: the tape is only read. Gradients that are not requested are absent.
    let back = |wanted: Gradients<bool>| {
        let output = &result.output;
        backward(&shape, &weights, &input, output, &tape, &output_gradients, &wanted).unwrap()
    };
    let all = Gradients::all(case.cell, &shape);
    let got = back(all);
    assert_eq!(back(Gradients::default()), Gradients::default());
    let mut all_but_x = all;
    all_but_x.x = false;
    let without_x = back(all_but_x);
    let whole = Whole {
        cell: case.cell,
        shape: &shape,
        weights: &weights,
        input: &input,
        output_gradients: &output_gradients,
        result: &result,
        gradients: &got,
    };
    whole.check(case.segment_steps, |element| element.wide().to_bits());
    let bits = |v: &Option<Vec<T>>| v.as_deref().map(bits);
    assert_eq!((without_x.x, bits(&without_x.weight_hh)), (None, bits(&got.weight_hh)));
    let wide = |v: Vec<T>| v.into_iter().map(T::wide).collect::<Vec<f64>>();
    let found = |v: Option<Vec<T>>| wide(v.unwrap_or_default());
    vec![
        ("output", wide(result.output)),
        ("h_n", wide(result.h_n)),
        ("c_n", found(result.c_n)),
        ("cells", found(result.cell_states)),
        ("dx", found(got.x)),
        ("d weight_ih", found(got.weight_ih)),
        ("d weight_hh", found(got.weight_hh)),
        ("d bias_ih", found(got.bias_ih)),
        ("d bias_hh", found(got.bias_hh)),
        ("d weight_hr", found(got.weight_hr)),
        ("d h_0", found(got.h_0)),
        ("d c_0", found(got.c_0)),
        ("d weight_ci", found(got.weight_ci)),
        ("d weight_cf", found(got.weight_cf)),
        ("d weight_co", found(got.weight_co)),
        ("d ln_ih_weight", found(got.ln_ih_weight)),
        ("d ln_hh_weight", found(got.ln_hh_weight)),
        ("d ln_c_weight", found(got.ln_c_weight)),
        ("d ln_c_bias", found(got.ln_c_bias)),
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
        &mut rounded.d_cells,
        &mut rounded.weight_hr,
        &mut rounded.weight_ci,
        &mut rounded.weight_cf,
        &mut rounded.weight_co,
        &mut rounded.ln_ih_weight,
        &mut rounded.ln_hh_weight,
        &mut rounded.ln_c_weight,
        &mut rounded.ln_c_bias,
        &mut rounded.mask,
        &mut rounded.kept_h,
        &mut rounded.kept_c,
    ] {
        values.iter_mut().for_each(|v| *v = T::of(*v).wide());
    }
    if let Zoned::All(of_h, of_c) = rounded.zoneout {
        rounded.zoneout = Zoned::All(T::of(of_h).wide(), T::of(of_c).wide());
    }
    let wanted = rounded.run();
    for level in SimdLevel::available() {
        for ((name, got), (_, want)) in run::<T>(case, level).iter().zip(&wanted) {
            assert_eq!(got.len(), want.len(), "{name}");
            let scale = want.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            for (k, (got, want)) in got.iter().zip(want).enumerate() {
                let error = (got - want).abs() / scale;
                let cell = case.cell;
                // A row of few or similar elements has a small deviation, which is a divisor.
                let tolerance = T::TOLERANCE * if cell.normalizes() { 100.0 } else { 1.0 };
                assert!(error <= tolerance, "{cell:?} {level:?} {name}[{k}]: {got} for {want}");
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

/// Turns numbers from -1 to 1 into fractions: many are 0 or 1, as in training.
fn fractions(numbers: Vec<f64>) -> Vec<f64> {
    numbers.into_iter().map(|v| (2.0 * v + 0.5).clamp(0.0, 1.0)).collect()
}

fn case(batch_sizes: Vec<usize>, empty: usize, input: usize, hidden: usize, seed: u64) -> Case {
    case_of(CellKind::Lstm, batch_sizes, empty, input, hidden, hidden, seed)
}

fn case_of(
    cell: CellKind,
    batch_sizes: Vec<usize>,
    empty: usize,
    input: usize,
    hidden: usize,
    width: usize,
    seed: u64,
) -> Case {
    let batch = batch_sizes.first().copied().unwrap_or(0) + empty;
    let (n, h, p): (usize, usize, usize) = (batch_sizes.iter().sum(), hidden, width);
    let mut part = 0;
    let mut next = |count: usize, scale: f64| -> Vec<f64> {
        part += 1;
        numbers(seed * 100 + part, count).into_iter().map(|v| v * scale).collect()
    };
    let (spread, rows) = (1.0 / (p as f64).sqrt(), cell.gates() * h);
    Case {
        cell,
        batch,
        batch_sizes,
        input,
        hidden,
        width,
        segment_steps: 1 + seed as usize % LONGEST,
        direction: Direction::Forward,
        biased: true,
        masked: false,
        zoneout: Zoned::None,
        weight_ih: next(rows * input, 1.0 / (input as f64).sqrt()),
        weight_hh: next(rows * p, spread),
        bias_ih: next(rows, 1.0),
        bias_hh: next(rows, 1.0),
        x: next(n * input, 1.0),
        h_0: next(batch * p, 1.0),
        c_0: next(batch * h, 1.0),
        d_output: next(n * p, 1.0),
        d_h_n: next(batch * p, 1.0),
        d_c_n: next(batch * h, 1.0),
        d_cells: next(n * h, 1.0),
        weight_hr: next(p * h, 1.0 / (h as f64).sqrt()),
        mask: next(batch * p, 1.0).into_iter().map(|v| if v < 0.0 { 0.0 } else { 2.0 }).collect(),
        weight_ci: next(h, 1.0),
        weight_cf: next(h, 1.0),
        weight_co: next(h, 1.0),
        kept_h: fractions(next(n * p, 1.0)),
        kept_c: fractions(next(n * h, 1.0)),
        ln_ih_weight: next(rows, 0.5).into_iter().map(|v| v + 1.0).collect(),
        ln_hh_weight: next(rows, 0.5).into_iter().map(|v| v + 1.0).collect(),
        ln_c_weight: next(h, 0.5).into_iter().map(|v| v + 1.0).collect(),
        ln_c_bias: next(h, 0.5),
    }
}

const ZONEOUTS: [Zoned; 3] = [Zoned::None, Zoned::Rows, Zoned::All(0.1, 0.4)];

const CELLS: [CellKind; 8] = [
    CellKind::Lstm,
    CellKind::PeepholeLstm,
    CellKind::Gru,
    CellKind::ResetBeforeGru,
    CellKind::LayerNormLstm,
    CellKind::LayerNormGru,
    CellKind::RnnTanh,
    CellKind::RnnRelu,
];

/// Those that can have a projection.
const WITH_PROJECTION: [CellKind; 2] = [CellKind::Lstm, CellKind::PeepholeLstm];

/// The longest sequence and the most sequences, and the most hidden units: fewer where Miri counts
/// every step.
const LONGEST: usize = if cfg!(miri) { 4 } else { 12 };
const HIDDEN: usize = if cfg!(miri) { 18 } else { 70 };

/// Batch sizes that shrink in all ways.
fn batch_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..LONGEST, 0..LONGEST).prop_map(|lengths| {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        (0..longest).map(|t| lengths.iter().filter(|&&length| length > t).count()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 160 }))]
    #[test]
    fn every_level_agrees_with_the_reference(
        sizes in batch_sizes(),
        empty in 0..3usize,
        input in 1..=40usize,
        hidden in 1..=HIDDEN,
        projection in 1..HIDDEN,
        cell in 0..CELLS.len() + WITH_PROJECTION.len(),
        reverse: bool,
        biased: bool,
        masked: bool,
        zoneout in 0..3usize,
        seed in 0..1000u64,
    ) {
        // The last ones: with a projection, where there is room for one.
        let cells = [&CELLS[..], &WITH_PROJECTION].concat();
        let projects = cell >= CELLS.len() && hidden > 1;
        let width = if projects { 1 + projection % (hidden - 1) } else { hidden };
        let mut case = case_of(cells[cell], sizes, empty, input, hidden, width, seed);
        (case.biased, case.masked) = (biased, masked);
        case.zoneout = ZONEOUTS[zoneout];
        if reverse {
            case.direction = Direction::Reverse;
        }
        check::<f32>(&case);
        check::<f64>(&case);
    }
}

/// More blocks of units and panels of columns than the property reaches, and weights that are shared
/// by units: too large for a cache, or with too few sequences for the threads.
#[test]
fn wide_layers_agree_with_the_reference() {
    for cell in CELLS {
        check::<f32>(&case_of(cell, vec![7, 7, 3], 1, 130, 150, 150, 1));
        check::<f64>(&case_of(cell, vec![13, 2, 2, 1], 0, 33, 97, 97, 2));
        check::<f32>(&case_of(cell, vec![2, 2, 1], 0, 9, 270, 270, 3));
    }
    check::<f32>(&case_of(CellKind::Lstm, vec![7, 7, 3], 1, 130, 150, 70, 1));
    check::<f32>(&case(vec![9, 2], 0, 8, 400, 3));
}

/// More rows than one chunk of any product takes, also in a segment that is computed once more.
#[test]
fn long_sequences_agree_with_the_reference() {
    let long = case([vec![3; 200], vec![1; 100]].concat(), 0, 40, 5, 3);
    let reverse = Case { direction: Direction::Reverse, segment_steps: 130, ..long.clone() };
    check::<f32>(&Case { segment_steps: 70, ..long });
    check::<f32>(&reverse);
    check::<f64>(&case([vec![9; 40], vec![8; 40]].concat(), 0, 2, 9, 4));
}

/// The reference's own gradients, by central differences.
#[test]
fn the_reference_differentiates_itself() {
    let loss = |case: &Case| -> f64 {
        let results = case.run();
        let dot =
            |k: usize, w: &[f64]| -> f64 { results[k].1.iter().zip(w).map(|(a, b)| a * b).sum() };
        dot(0, &case.d_output) + dot(1, &case.d_h_n) + dot(2, &case.d_c_n) + dot(3, &case.d_cells)
    };
    type Field = fn(&mut Case) -> &mut Vec<f64>;
    let fields: [Field; 15] = [
        |c| &mut c.x,
        |c| &mut c.weight_ih,
        |c| &mut c.weight_hh,
        |c| &mut c.bias_ih,
        |c| &mut c.bias_hh,
        |c| &mut c.weight_hr,
        |c| &mut c.h_0,
        |c| &mut c.c_0,
        |c| &mut c.weight_ci,
        |c| &mut c.weight_cf,
        |c| &mut c.weight_co,
        |c| &mut c.ln_ih_weight,
        |c| &mut c.ln_hh_weight,
        |c| &mut c.ln_c_weight,
        |c| &mut c.ln_c_bias,
    ];
    let cells =
        CELLS.map(|cell| (cell, 3)).into_iter().chain(WITH_PROJECTION.map(|cell| (cell, 2)));
    let cells = cells.flat_map(|cell| ZONEOUTS.map(|zoneout| (cell, zoneout)));
    for ((cell, width), zoneout) in cells {
        let mut case = case_of(cell, vec![3, 2, 2, 1], 1, 2, 3, width, 5);
        (case.masked, case.zoneout) = (true, zoneout);
        for ((name, gradient), field) in case.run()[4..].iter().zip(fields) {
            for (k, got) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut case = case.clone();
                    field(&mut case)[k] += by;
                    loss(&case)
                };
                // Of fourth order: the curvature of a normalisation by a small deviation is large.
                let difference = |step: f64| moved(step) - moved(-step);
                let want = (8.0 * difference(1e-5) - difference(2e-5)) / 12e-5;
                assert!((got - want).abs() < 1e-8, "{cell:?} {name}[{k}]: {got} against {want}");
            }
        }
    }
}

fn result_bits(results: &Results) -> Vec<(&'static str, Vec<u64>)> {
    let bits = |values: &Vec<f64>| values.iter().map(|v| v.to_bits()).collect();
    results.iter().map(|(name, values)| (*name, bits(values))).collect()
}

/// One test for all that sets the number of threads, which is the process's.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut cases = vec![case(vec![40; 9], 0, 50, 33, 7), case(vec![5, 4, 1], 0, 9, 270, 8)];
    for cell in CELLS {
        cases.push(case_of(cell, vec![23, 17, 17, 5, 1], 2, 7, 37, 37, 6));
        let zoned = case_of(cell, vec![5, 4, 1], 0, 9, 270, 270, 8);
        cases.push(Case { zoneout: Zoned::Rows, ..zoned });
    }
    cases.push(case_of(CellKind::Lstm, vec![23, 17, 17, 5, 1], 2, 7, 37, 20, 6));
    for case in &cases {
        for level in SimdLevel::available() {
            set_num_threads(1);
            let one = result_bits(&run::<f32>(case, level));
            for threads in [2, 3, 8] {
                set_num_threads(threads);
                assert_eq!(
                    result_bits(&run::<f32>(case, level)),
                    one,
                    "{level:?}, {threads} threads"
                );
            }
            set_num_threads(0);
        }
    }
}

/// A sequence alone gives the bits that it gives among others: outputs, states, input gradient.
#[test]
fn a_sequence_does_not_see_its_batch() {
    let with_projection =
        CELLS.map(|cell| (cell, 37)).into_iter().chain(WITH_PROJECTION.map(|cell| (cell, 20)));
    let ways = [
        (Direction::Forward, Zoned::None),
        (Direction::Reverse, Zoned::None),
        (Direction::Reverse, Zoned::Rows),
    ];
    for (cell, width, (direction, zoneout)) in
        with_projection.flat_map(|(cell, width)| ways.map(|way| (cell, width, way)))
    {
        for level in SimdLevel::available() {
            let mut many = case_of(cell, vec![9, 9, 8, 5, 5, 2, 1], 1, 6, 37, width, 8);
            (many.direction, many.zoneout) = (direction, zoneout);
            let all = run::<f32>(&many, level);
            for b in 0..many.batch {
                let mut rows = many.rows_of(b);
                rows.sort_unstable();
                let pick = |values: &[f64], width: usize, rows: &[usize]| -> Vec<f64> {
                    rows.iter().flat_map(|&r| values[r * width..(r + 1) * width].to_vec()).collect()
                };
                let (i, h, p) = (many.input, many.hidden, many.width);
                let alone = Case {
                    batch: 1,
                    batch_sizes: vec![1; rows.len()],
                    x: pick(&many.x, i, &rows),
                    h_0: pick(&many.h_0, p, &[b]),
                    c_0: pick(&many.c_0, h, &[b]),
                    mask: pick(&many.mask, p, &[b]),
                    kept_h: pick(&many.kept_h, p, &rows),
                    kept_c: pick(&many.kept_c, h, &rows),
                    d_output: pick(&many.d_output, p, &rows),
                    d_h_n: pick(&many.d_h_n, p, &[b]),
                    d_c_n: pick(&many.d_c_n, h, &[b]),
                    d_cells: pick(&many.d_cells, h, &rows),
                    ..many.clone()
                };
                let got = run::<f32>(&alone, level);
                for (k, width, rows) in [
                    (0, p, &rows[..]),
                    (1, p, &[b]),
                    (2, h, &[b]),
                    (3, h, &rows),
                    (4, i, &rows),
                    (10, p, &[b]),
                    (11, h, &[b]),
                ] {
                    if !all[k].1.is_empty() {
                        let want = pick(&all[k].1, width, rows);
                        assert_eq!(got[k].1, want, "{cell:?} {level:?}: {} of {b}", got[k].0);
                    }
                }
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
            for (k, width) in [(0, 21), (4, 5)] {
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
