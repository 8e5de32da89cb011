//! The judge: recurrent cells written as they are defined, one number at a time, in f64.

mod arithmetic;
mod layer_norm;

use arithmetic::{add_outer, add_transposed, mix, sigmoid, take, times};
use layer_norm::{gates_back, normalize, normalize_back, normalize_gates};
use ragged_kernels::{CellKind, Direction};

/// One layer and direction: sizes, parameters, inputs and cotangents.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) cell: CellKind,
    pub(crate) batch: usize,
    pub(crate) batch_sizes: Vec<usize>,
    pub(crate) input: usize,
    pub(crate) hidden: usize,
    /// P; H without a projection.
    pub(crate) width: usize,
    /// The steps of a segment, for the passes whose activations are computed once more.
    pub(crate) segment_steps: usize,
    pub(crate) direction: Direction,
    pub(crate) biased: bool,
    pub(crate) masked: bool,
    pub(crate) zoneout: Zoned,
    pub(crate) weight_ih: Vec<f64>,
    pub(crate) weight_hh: Vec<f64>,
    pub(crate) bias_ih: Vec<f64>,
    pub(crate) bias_hh: Vec<f64>,
    pub(crate) weight_hr: Vec<f64>,
    pub(crate) weight_ci: Vec<f64>,
    pub(crate) weight_cf: Vec<f64>,
    pub(crate) weight_co: Vec<f64>,
    pub(crate) ln_ih_weight: Vec<f64>,
    pub(crate) ln_hh_weight: Vec<f64>,
    pub(crate) ln_c_weight: Vec<f64>,
    pub(crate) ln_c_bias: Vec<f64>,
    pub(crate) x: Vec<f64>,
    pub(crate) h_0: Vec<f64>,
    pub(crate) c_0: Vec<f64>,
    pub(crate) mask: Vec<f64>,
    /// The fractions of zoneout, `[N, P]` and `[N, H]`; see [`Zoned`].
    pub(crate) kept_h: Vec<f64>,
    pub(crate) kept_c: Vec<f64>,
    pub(crate) d_output: Vec<f64>,
    pub(crate) d_h_n: Vec<f64>,
    pub(crate) d_c_n: Vec<f64>,
    pub(crate) d_cells: Vec<f64>,
}

/// How much of the previous states a step keeps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Zoned {
    /// Nothing.
    None,
    /// The fractions of `kept_h` and `kept_c`.
    Rows,
    /// The same fraction everywhere: of h, and of c.
    All(f64, f64),
}

/// Everything that both passes write, by name.
pub(crate) type Results = Vec<(&'static str, Vec<f64>)>;

/// One step: what the backward pass needs.
struct Step {
    /// As the product saw it.
    hidden: Vec<f64>,
    /// h for the GRU, c for the LSTM.
    carry: Vec<f64>,
    /// The products of both sides before their normalisation, if they have one.
    products: [Vec<f64>; 2],
    /// The products of both sides, with their biases.
    ih: Vec<f64>,
    hh: Vec<f64>,
    /// h before its projection.
    units: Vec<f64>,
    cell: Vec<f64>,
}

impl Case {
    /// The packed rows of a sequence, in the order in which the direction takes them.
    pub(crate) fn rows_of(&self, sequence: usize) -> Vec<usize> {
        let mut rows = vec![];
        let mut start = 0;
        for &running in &self.batch_sizes {
            if sequence < running {
                rows.push(start + sequence);
            }
            start += running;
        }
        if self.direction == Direction::Reverse {
            rows.reverse();
        }
        rows
    }

    /// The weights of a unit's peepholes: of i, f and o.
    fn peepholes(&self, u: usize) -> [f64; 3] {
        match self.cell.has_peepholes() {
            true => [self.weight_ci[u], self.weight_cf[u], self.weight_co[u]],
            false => [0.0; 3],
        }
    }

    /// The fractions of h and c that are kept by the step of a row.
    fn kept(&self, row: usize) -> (Vec<f64>, Vec<f64>) {
        let (h, p) = (self.hidden, self.width);
        match self.zoneout {
            Zoned::None => (vec![0.0; p], vec![0.0; h]),
            Zoned::Rows => {
                let kept_c = self.kept_c[row * h..(row + 1) * h].to_vec();
                (self.kept_h[row * p..(row + 1) * p].to_vec(), kept_c)
            }
            Zoned::All(of_h, of_c) => (vec![of_h; p], vec![of_c; h]),
        }
    }

    fn step(&self, x: &[f64], h: &[f64], c: &[f64], mask: &[f64]) -> Step {
        let n = self.hidden;
        let hidden: Vec<f64> = match self.masked {
            true => h.iter().zip(mask).map(|(h, m)| h * m).collect(),
            false => h.to_vec(),
        };
        let (mut ih, mut hh) = (times(&self.weight_ih, x), times(&self.weight_hh, &hidden));
        let products = [ih.clone(), hh.clone()];
        if self.cell.normalizes() {
            for (sums, weight) in [(&mut ih, &self.ln_ih_weight), (&mut hh, &self.ln_hh_weight)] {
                let normalized = normalize_gates(self.cell, sums, n);
                *sums = normalized.iter().zip(weight).map(|(v, w)| v * w).collect();
            }
        }
        if self.biased {
            ih.iter_mut().zip(&self.bias_ih).for_each(|(a, b)| *a += b);
            hh.iter_mut().zip(&self.bias_hh).for_each(|(a, b)| *a += b);
        }
        let sums: Vec<f64> = ih.iter().zip(&hh).map(|(ih, hh)| ih + hh).collect();
        let a = |gate: usize, u: usize| sums[gate * n + u];
        let mut cell = vec![];
        let units: Vec<f64> = match self.cell {
            CellKind::Lstm | CellKind::PeepholeLstm => {
                cell.extend(c.iter().enumerate().map(|(u, &c)| {
                    let [ci, cf, _] = self.peepholes(u);
                    let (i, f) = (sigmoid(a(0, u) + ci * c), sigmoid(a(1, u) + cf * c));
                    f * c + i * a(2, u).tanh()
                }));
                let o = |u: usize| sigmoid(a(3, u) + self.peepholes(u)[2] * cell[u]);
                (0..n).map(|u| o(u) * cell[u].tanh()).collect()
            }
            CellKind::LayerNormLstm => {
                let new = |u: usize| sigmoid(a(1, u)) * c[u] + sigmoid(a(0, u)) * a(2, u).tanh();
                cell.extend((0..n).map(new));
                let y = self.scaled_cell(&cell);
                (0..n).map(|u| sigmoid(a(3, u)) * y[u].tanh()).collect()
            }
            CellKind::Gru | CellKind::LayerNormGru => (0..n)
                .map(|u| {
                    let (r, z) = (sigmoid(a(0, u)), sigmoid(a(1, u)));
                    let new = (ih[2 * n + u] + r * hh[2 * n + u]).tanh();
                    (1.0 - z) * new + z * h[u]
                })
                .collect(),
            CellKind::ResetBeforeGru => {
                let r: Vec<f64> = (0..n).map(|u| sigmoid(a(0, u))).collect();
                let z: Vec<f64> = (0..n).map(|u| sigmoid(a(1, u))).collect();
                let reset: Vec<f64> = r.iter().zip(&hidden).map(|(r, h)| r * h).collect();
                let product = times(&self.weight_hh[2 * n * n..], &reset);
                for u in 0..n {
                    hh[2 * n + u] =
                        product[u] + if self.biased { self.bias_hh[2 * n + u] } else { 0.0 };
                }
                let new = |u: usize| (ih[2 * n + u] + hh[2 * n + u]).tanh();
                (0..n).map(|u| (1.0 - z[u]) * new(u) + z[u] * h[u]).collect()
            }
            CellKind::RnnTanh => (0..n).map(|u| a(0, u).tanh()).collect(),
            CellKind::RnnRelu => (0..n).map(|u| a(0, u).max(0.0)).collect(),
        };
        let carry = if self.cell.has_cell_state() { c.to_vec() } else { h.to_vec() };
        Step { hidden, carry, products, ih, hh, units, cell }
    }

    /// The normalised cell state with its weight and bias.
    fn scaled_cell(&self, cell: &[f64]) -> Vec<f64> {
        let normalized = normalize(cell).0;
        let scaled = |u: usize| normalized[u] * self.ln_c_weight[u] + self.ln_c_bias[u];
        (0..cell.len()).map(scaled).collect()
    }

    /// The gradient with respect to the normalised and scaled cell state.
    fn scaled_cell_back(&self, step: &Step, dh: &[f64]) -> Vec<f64> {
        let (n, y) = (self.hidden, self.scaled_cell(&step.cell));
        let o = |u: usize| sigmoid(step.ih[3 * n + u] + step.hh[3 * n + u]);
        (0..n).map(|u| dh[u] * o(u) * (1.0 - y[u].tanh().powi(2))).collect()
    }

    /// The derivatives by both products and by the carried state.
    fn back(&self, step: &Step, dh: &[f64], dc: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let n = self.hidden;
        let rows = self.cell.gates() * n;
        let (mut ih, mut hh, mut carry) = (vec![0.0; rows], vec![0.0; rows], vec![0.0; n]);
        let (mut y, mut d_cells) = (vec![], vec![]);
        if self.cell == CellKind::LayerNormLstm {
            y = self.scaled_cell(&step.cell);
            let dy = self.scaled_cell_back(step, dh);
            let d: Vec<f64> = dy.iter().zip(&self.ln_c_weight).map(|(d, w)| d * w).collect();
            d_cells = normalize_back(&step.cell, &d);
        }
        for u in 0..n {
            let a = |gate: usize| step.ih[gate * n + u] + step.hh[gate * n + u];
            match self.cell {
                CellKind::Lstm | CellKind::PeepholeLstm => {
                    let ([ci, cf, co], c) = (self.peepholes(u), step.carry[u]);
                    let (i, f) = (sigmoid(a(0) + ci * c), sigmoid(a(1) + cf * c));
                    let (g, o) = (a(2).tanh(), sigmoid(a(3) + co * step.cell[u]));
                    let tanh = step.cell[u].tanh();
                    let da_o = dh[u] * tanh * o * (1.0 - o);
                    let d_cell = dc[u] + dh[u] * o * (1.0 - tanh * tanh) + da_o * co;
                    ih[u] = d_cell * g * i * (1.0 - i);
                    ih[n + u] = d_cell * step.carry[u] * f * (1.0 - f);
                    ih[2 * n + u] = d_cell * i * (1.0 - g * g);
                    ih[3 * n + u] = da_o;
                    carry[u] = d_cell * f + ih[u] * ci + ih[n + u] * cf;
                }
                CellKind::LayerNormLstm => {
                    let (i, f, g, o) = (sigmoid(a(0)), sigmoid(a(1)), a(2).tanh(), sigmoid(a(3)));
                    let d_cell = dc[u] + d_cells[u];
                    ih[u] = d_cell * g * i * (1.0 - i);
                    ih[n + u] = d_cell * step.carry[u] * f * (1.0 - f);
                    ih[2 * n + u] = d_cell * i * (1.0 - g * g);
                    ih[3 * n + u] = dh[u] * y[u].tanh() * o * (1.0 - o);
                    carry[u] = d_cell * f;
                }
                CellKind::Gru | CellKind::LayerNormGru => {
                    let (r, z) = (sigmoid(a(0)), sigmoid(a(1)));
                    let new = (step.ih[2 * n + u] + r * step.hh[2 * n + u]).tanh();
                    let d_new = dh[u] * (1.0 - z) * (1.0 - new * new);
                    ih[u] = d_new * step.hh[2 * n + u] * r * (1.0 - r);
                    ih[n + u] = dh[u] * (step.carry[u] - new) * z * (1.0 - z);
                    ih[2 * n + u] = d_new;
                    hh[2 * n + u] = d_new * r;
                    carry[u] = dh[u] * z;
                }
                CellKind::ResetBeforeGru => {
                    let (z, new) = (sigmoid(a(1)), a(2).tanh());
                    ih[n + u] = dh[u] * (step.carry[u] - new) * z * (1.0 - z);
                    ih[2 * n + u] = dh[u] * (1.0 - z) * (1.0 - new * new);
                    carry[u] = dh[u] * z;
                }
                CellKind::RnnTanh => ih[u] = dh[u] * (1.0 - step.units[u] * step.units[u]),
                _ => ih[u] = if a(0) > 0.0 { dh[u] } else { 0.0 },
            }
        }
        if self.cell == CellKind::ResetBeforeGru {
            let mut d_reset = vec![0.0; n];
            add_transposed(&self.weight_hh[2 * n * n..], &ih[2 * n..], &mut d_reset);
            for u in 0..n {
                let r = sigmoid(step.ih[u] + step.hh[u]);
                ih[u] = d_reset[u] * step.hidden[u] * r * (1.0 - r);
            }
        }
        let gru = matches!(self.cell, CellKind::Gru | CellKind::LayerNormGru);
        let same = if gru { 2 * n } else { rows };
        hh[..same].copy_from_slice(&ih[..same]);
        (ih, hh, carry)
    }

    /// Forward and backward, sequence by sequence.
    pub(crate) fn run(&self) -> Results {
        let (i, h, p) = (self.input, self.hidden, self.width);
        let (n, lstm) = (self.batch_sizes.iter().sum::<usize>(), self.cell.has_cell_state());
        let projects = p != h;
        let (mut output, mut cells) = (vec![0.0; n * p], vec![0.0; n * h]);
        let (mut h_n, mut c_n) = (self.h_0.clone(), self.c_0.clone());
        let mut dx = vec![0.0; n * i];
        let rows = self.cell.gates() * h;
        let (mut d_ih, mut d_hh) = (vec![0.0; rows * i], vec![0.0; rows * p]);
        let (mut d_bias_ih, mut d_bias_hh) = (vec![0.0; rows], vec![0.0; rows]);
        let mut d_hr = vec![0.0; if projects { p * h } else { 0 }];
        let mut d_peepholes = [vec![0.0; h], vec![0.0; h], vec![0.0; h]];
        let mut d_norms = [vec![0.0; rows], vec![0.0; rows], vec![0.0; h], vec![0.0; h]];
        let (mut dh_0, mut dc_0) = (self.d_h_n.clone(), self.d_c_n.clone());
        for b in 0..self.batch {
            let rows = self.rows_of(b);
            let (hidden, cell) = (b * p..(b + 1) * p, b * h..(b + 1) * h);
            let mask = &self.mask[hidden.clone()];
            let mut steps = vec![];
            for &row in &rows {
                let x = &self.x[row * i..(row + 1) * i];
                let step = self.step(x, &h_n[hidden.clone()], &c_n[cell.clone()], mask);
                let new = match projects {
                    true => times(&self.weight_hr, &step.units),
                    false => step.units.clone(),
                };
                let (kept_h, kept_c) = self.kept(row);
                let new = mix(&kept_h, &h_n[hidden.clone()], &new);
                output[row * p..(row + 1) * p].copy_from_slice(&new);
                h_n[hidden.clone()].copy_from_slice(&new);
                if lstm {
                    let new = mix(&kept_c, &c_n[cell.clone()], &step.cell);
                    c_n[cell.clone()].copy_from_slice(&new);
                    cells[row * h..(row + 1) * h].copy_from_slice(&new);
                }
                steps.push(step);
            }
            let mut dh = dh_0[hidden.clone()].to_vec();
            let mut dc = dc_0[cell.clone()].to_vec();
            for (step, &row) in steps.iter().zip(&rows).rev() {
                let d_output = &self.d_output[row * p..(row + 1) * p];
                dh.iter_mut().zip(d_output).for_each(|(dh, d)| *dh += d);
                if lstm {
                    let d_cells = &self.d_cells[row * h..(row + 1) * h];
                    dc.iter_mut().zip(d_cells).for_each(|(dc, d)| *dc += d);
                }
                let (kept_h, kept_c) = self.kept(row);
                let (passed_h, passed_c) = (take(&kept_h, &mut dh), take(&kept_c, &mut dc));
                let mut d_units = dh.clone();
                if projects {
                    add_outer(&dh, &step.units, &mut d_hr);
                    d_units = vec![0.0; h];
                    add_transposed(&self.weight_hr, &dh, &mut d_units);
                }
                let (mut ih, mut hh, carry) = self.back(step, &d_units, &dc);
                d_bias_ih.iter_mut().zip(&ih).for_each(|(d, a)| *d += a);
                d_bias_hh.iter_mut().zip(&hh).for_each(|(d, a)| *d += a);
                if self.cell.normalizes() {
                    let weights = [&self.ln_ih_weight, &self.ln_hh_weight];
                    for (side, d) in [&mut ih, &mut hh].into_iter().enumerate() {
                        let normalized = normalize_gates(self.cell, &step.products[side], h);
                        for k in 0..d.len() {
                            d_norms[side][k] += d[k] * normalized[k];
                            d[k] *= weights[side][k];
                        }
                        *d = gates_back(self.cell, &step.products[side], d, h);
                    }
                    if lstm {
                        let normalized = normalize(&step.cell).0;
                        for (u, dy) in self.scaled_cell_back(step, &d_units).iter().enumerate() {
                            d_norms[2][u] += dy * normalized[u];
                            d_norms[3][u] += dy;
                        }
                    }
                }
                if self.cell.has_peepholes() {
                    let [d_ci, d_cf, d_co] = &mut d_peepholes;
                    for u in 0..h {
                        d_ci[u] += ih[u] * step.carry[u];
                        d_cf[u] += ih[h + u] * step.carry[u];
                        d_co[u] += ih[3 * h + u] * step.cell[u];
                    }
                }
                let x = &self.x[row * i..(row + 1) * i];
                add_outer(&ih, x, &mut d_ih);
                if self.cell == CellKind::ResetBeforeGru {
                    // The last rows of the weight multiply r h.
                    let (first, last) = d_hh.split_at_mut(2 * h * h);
                    let r = |u: usize| sigmoid(step.ih[u] + step.hh[u]);
                    let reset: Vec<f64> = (0..h).map(|u| r(u) * step.hidden[u]).collect();
                    add_outer(&hh[..2 * h], &step.hidden, first);
                    add_outer(&hh[2 * h..], &reset, last);
                } else {
                    add_outer(&hh, &step.hidden, &mut d_hh);
                }
                add_transposed(&self.weight_ih, &ih, &mut dx[row * i..(row + 1) * i]);
                dh.fill(0.0);
                if self.cell == CellKind::ResetBeforeGru {
                    let mut d_reset = vec![0.0; h];
                    add_transposed(&self.weight_hh[2 * h * h..], &hh[2 * h..], &mut d_reset);
                    add_transposed(&self.weight_hh[..2 * h * h], &hh[..2 * h], &mut dh);
                    for u in 0..h {
                        dh[u] += d_reset[u] * sigmoid(step.ih[u] + step.hh[u]);
                    }
                } else {
                    add_transposed(&self.weight_hh, &hh, &mut dh);
                }
                if self.masked {
                    dh.iter_mut().zip(mask).for_each(|(dh, m)| *dh *= m);
                }
                if self.cell.gates() == 3 {
                    dh.iter_mut().zip(&carry).for_each(|(dh, c)| *dh += c);
                }
                dc = carry;
                dh.iter_mut().zip(&passed_h).for_each(|(d, passed)| *d += passed);
                dc.iter_mut().zip(&passed_c).for_each(|(d, passed)| *d += passed);
            }
            dh_0[hidden].copy_from_slice(&dh);
            dc_0[cell].copy_from_slice(&dc);
        }
        let of_peepholes =
            |values: Vec<f64>| if self.cell.has_peepholes() { values } else { vec![] };
        let [d_ci, d_cf, d_co] = d_peepholes.map(of_peepholes);
        let normalizes = self.cell.normalizes();
        let of_norm = |values: Vec<f64>, has: bool| if has { values } else { vec![] };
        let [d_ln_ih, d_ln_hh, d_ln_c, d_ln_c_bias] = d_norms;
        let of_lstm = |values: Vec<f64>| if lstm { values } else { vec![] };
        vec![
            ("output", output),
            ("h_n", h_n),
            ("c_n", of_lstm(c_n)),
            ("cells", of_lstm(cells)),
            ("dx", dx),
            ("d weight_ih", d_ih),
            ("d weight_hh", d_hh),
            ("d bias_ih", d_bias_ih),
            ("d bias_hh", d_bias_hh),
            ("d weight_hr", d_hr),
            ("d h_0", dh_0),
            ("d c_0", of_lstm(dc_0)),
            ("d weight_ci", d_ci),
            ("d weight_cf", d_cf),
            ("d weight_co", d_co),
            ("d ln_ih_weight", of_norm(d_ln_ih, normalizes)),
            ("d ln_hh_weight", of_norm(d_ln_hh, normalizes)),
            ("d ln_c_weight", of_norm(d_ln_c, normalizes && lstm)),
            ("d ln_c_bias", of_norm(d_ln_c_bias, normalizes && lstm)),
        ]
    }
}
