//! The kernels alone on named configurations, packed and padded, inference and training.
//!
//! `cargo bench -p ragged-kernels` (and, for one, `-- mid/packed`). A product of two 2048 x 2048
//! matrices in the same run says what the machine can do at most; the throughput of all rows is in
//! floating-point operations on real tokens.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ragged_kernels::{
    CellKind, Direction, ForwardOptions, Gradients, Input, Kept, OutputGradients, PackedShape,
    Weights, Zoneout, backward, forward, infer, num_threads,
};

/// Name, B, T, I, H.
const CONFIGURATIONS: [(&str, usize, usize, usize, usize); 6] = [
    ("seed", 64, 50, 7, 15),
    ("seed100", 64, 50, 7, 100),
    ("mid", 64, 50, 64, 256),
    ("big", 32, 100, 256, 512),
    ("long", 16, 1000, 16, 64),
    ("b1", 1, 200, 64, 128),
];

/// Reproducible numbers from -1 to 1.
fn numbers(count: usize, scale: f32) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * scale
    };
    (0..count).map(next).collect()
}

/// How many of `batch` sequences run at each step: lengths uniform in 1 to `steps`, evenly spread so
/// that the longest is there.
fn batch_sizes(batch: usize, steps: usize) -> Vec<usize> {
    let length = |b: usize| (batch - b) * steps / batch;
    (0..steps).map(|t| (0..batch).filter(|&b| length(b) > t).count()).collect()
}

fn peak(c: &mut Criterion) {
    let n = 2048;
    let (a, b, mut out) = (numbers(n * n, 1.0), numbers(n * n, 1.0), vec![0f32; n * n]);
    let mut group = c.benchmark_group("sgemm");
    group.throughput(Throughput::Elements(2 * (n as u64).pow(3))).sample_size(10);
    let parallelism = match num_threads() {
        1 => gemm::Parallelism::None,
        count => gemm::Parallelism::Rayon(count),
    };
    group.bench_function("2048^3", |bench| {
        bench.iter(|| {
            let (rows, columns) = (1, n as isize);
            // SAFETY: all three are n x n, row-major, and `out` overlaps neither of the others.
            unsafe {
                gemm::gemm(
                    n,
                    n,
                    n,
                    out.as_mut_ptr(),
                    rows,
                    columns,
                    false,
                    a.as_ptr(),
                    rows,
                    columns,
                    b.as_ptr(),
                    rows,
                    columns,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    parallelism,
                );
            }
        });
    });
    group.finish();
}

fn lstm(c: &mut Criterion) {
    for (name, batch, steps, input_size, hidden_size) in CONFIGURATIONS {
        let mut group = c.benchmark_group(name);
        let layouts = [("packed", batch_sizes(batch, steps)), ("padded", vec![batch; steps])];
        for (layout, sizes) in layouts {
            let shape =
                PackedShape::new(batch, &sizes, input_size, hidden_size, Direction::Forward)
                    .expect("a named configuration");
            let (n, i, h) = (shape.rows(), input_size, hidden_size);
            let spread = 1.0 / (h as f32).sqrt();
            let (weight_ih, weight_hh) = (numbers(4 * h * i, spread), numbers(4 * h * h, spread));
            let bias = numbers(4 * h, spread);
            let weights = Weights::new(&weight_ih, &weight_hh).with_biases(&bias, &bias);
            let x = numbers(n * i, 1.0);
            let (input, options) = (Input::new(&x), ForwardOptions::default());
            let flops = (8 * n * h * (i + h)) as u64;

            group.throughput(Throughput::Elements(flops));
            group.bench_function(format!("{layout}/infer"), |bench| {
                bench.iter(|| {
                    infer(CellKind::Lstm, &shape, &weights, &input, options)
                        .expect("fitting slices")
                });
            });
            // As in the lecture's model: the loss sees the last hidden states.
            let d_h_n = numbers(batch * h, 1.0);
            let output_gradients = OutputGradients::default().with_h_n(&d_h_n);
            let mut wanted = Gradients::default();
            (wanted.weight_ih, wanted.weight_hh, wanted.bias_ih) = (true, true, true);
            // Forward, backward through time, and the gradients of the weights; the gradient of the input is not
            // requested.
            group.throughput(Throughput::Elements(3 * flops - (8 * n * h * i) as u64));
            group.bench_function(format!("{layout}/train"), |bench| {
                bench.iter(|| {
                    let (result, tape) = forward(CellKind::Lstm, &shape, &weights, &input, options)
                        .expect("fitting slices");
                    let output = &result.output;
                    backward(&shape, &weights, &input, output, &tape, &output_gradients, &wanted)
                        .expect("fitting slices")
                });
            });
        }
        group.finish();
    }
}

/// The other cells and zoneout, on one configuration.
fn cells(c: &mut Criterion) {
    let (batch, steps, i, h) = (64, 50, 64, 256);
    let sizes = batch_sizes(batch, steps);
    let shape =
        PackedShape::new(batch, &sizes, i, h, Direction::Forward).expect("a named configuration");
    let (n, spread) = (shape.rows(), 1.0 / (h as f32).sqrt());
    let (weight_ih, weight_hh) = (numbers(4 * h * i, spread), numbers(4 * h * h, spread));
    let (bias, peepholes) = (numbers(4 * h, spread), numbers(h, spread));
    let scales = vec![1.0; 4 * h];
    let (x, d_h_n) = (numbers(n * i, 1.0), numbers(batch * h, 1.0));
    let output_gradients = OutputGradients::default().with_h_n(&d_h_n);
    let kept: Vec<f32> = numbers(n * h, 1.0).iter().map(|v| f32::from(*v > 0.8)).collect();
    let zoneout = Zoneout::new(Kept::Rows(&kept));
    let mut group = c.benchmark_group("cells");
    for (name, cell, zoneout) in [
        ("lstm", CellKind::Lstm, None),
        ("lstm-zoneout", CellKind::Lstm, Some(zoneout.with_cell(Kept::Rows(&kept)))),
        ("lstm-peepholes", CellKind::PeepholeLstm, None),
        ("gru", CellKind::Gru, None),
        ("gru-zoneout", CellKind::Gru, Some(zoneout)),
        ("gru-reset-before", CellKind::ResetBeforeGru, None),
        ("lstm-layer-norm", CellKind::LayerNormLstm, None),
        ("gru-layer-norm", CellKind::LayerNormGru, None),
    ] {
        let rows = cell.gates() * h;
        let mut weights = Weights::new(&weight_ih[..rows * i], &weight_hh[..rows * h])
            .with_biases(&bias[..rows], &bias[..rows]);
        if cell.has_peepholes() {
            weights = weights.with_peepholes(&peepholes, &peepholes, &peepholes);
        }
        if cell.normalizes() {
            weights = weights.with_layer_norm(&scales[..rows], &scales[..rows]);
            if cell.has_cell_state() {
                weights = weights.with_cell_layer_norm(&scales[..h], &bias[..h]);
            }
        }
        let mut input = Input::new(&x);
        input.zoneout = zoneout;
        let mut wanted = Gradients::all(cell, &shape);
        wanted.x = false;
        group.bench_function(format!("{name}/train"), |bench| {
            bench.iter(|| {
                let (result, tape) =
                    forward(cell, &shape, &weights, &input, ForwardOptions::default())
                        .expect("fitting slices");
                let output = &result.output;
                backward(&shape, &weights, &input, output, &tape, &output_gradients, &wanted)
                    .expect("fitting slices")
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2))
        .sample_size(20);
    targets = peak, lstm, cells
}
criterion_main!(benches);
