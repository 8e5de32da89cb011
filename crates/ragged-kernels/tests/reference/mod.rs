//! The judge: an LSTM written as it is defined, one number at a time, in f64.

use ragged_kernels::Direction;

/// One layer and direction: sizes, parameters, inputs and cotangents.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) batch: usize,
    pub(crate) batch_sizes: Vec<usize>,
    pub(crate) input: usize,
    pub(crate) hidden: usize,
    pub(crate) direction: Direction,
    pub(crate) biased: bool,
    pub(crate) weight_ih: Vec<f64>,
    pub(crate) weight_hh: Vec<f64>,
    pub(crate) bias_ih: Vec<f64>,
    pub(crate) bias_hh: Vec<f64>,
    pub(crate) x: Vec<f64>,
    pub(crate) h_0: Vec<f64>,
    pub(crate) c_0: Vec<f64>,
    pub(crate) d_output: Vec<f64>,
    pub(crate) d_h_n: Vec<f64>,
    pub(crate) d_c_n: Vec<f64>,
}

/// Everything that both passes write, by name.
pub(crate) type Results = Vec<(&'static str, Vec<f64>)>;

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

    /// Forward and backward, sequence by sequence.
    pub(crate) fn run(&self) -> Results {
        let (i, h) = (self.input, self.hidden);
        let n: usize = self.batch_sizes.iter().sum();
        let mut output = vec![0.0; n * h];
        let (mut h_n, mut c_n) = (self.h_0.clone(), self.c_0.clone());
        let mut dx = vec![0.0; n * i];
        let (mut d_ih, mut d_hh) = (vec![0.0; 4 * h * i], vec![0.0; 4 * h * h]);
        let mut d_bias = vec![0.0; 4 * h];
        let (mut dh_0, mut dc_0) = (self.d_h_n.clone(), self.d_c_n.clone());
        for b in 0..self.batch {
            let rows = self.rows_of(b);
            let state = b * h..(b + 1) * h;
            let mut states = vec![(h_n[state.clone()].to_vec(), c_n[state.clone()].to_vec())];
            let mut gates = vec![];
            for &row in &rows {
                let (hidden, cell) = states.last().unwrap();
                let x = &self.x[row * i..(row + 1) * i];
                let a: Vec<f64> = (0..4 * h)
                    .map(|j| {
                        let dot = |w: &[f64], v: &[f64]| -> f64 {
                            w.iter().zip(v).map(|(w, v)| w * v).sum()
                        };
                        let bias =
                            if self.biased { self.bias_ih[j] + self.bias_hh[j] } else { 0.0 };
                        bias + dot(&self.weight_ih[j * i..(j + 1) * i], x)
                            + dot(&self.weight_hh[j * h..(j + 1) * h], hidden)
                    })
                    .collect();
                let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
                let gate: Vec<[f64; 4]> = (0..h)
                    .map(|u| {
                        let [i, f, g, o] = [0, 1, 2, 3].map(|k| a[k * h + u]);
                        [sigmoid(i), sigmoid(f), g.tanh(), sigmoid(o)]
                    })
                    .collect();
                let cell: Vec<f64> =
                    gate.iter().zip(cell).map(|([i, f, g, _], c)| f * c + i * g).collect();
                let hidden: Vec<f64> =
                    gate.iter().zip(&cell).map(|([_, _, _, o], c)| o * c.tanh()).collect();
                output[row * h..(row + 1) * h].copy_from_slice(&hidden);
                gates.push(gate);
                states.push((hidden, cell));
            }
            let (hidden, cell) = states.last().unwrap();
            h_n[state.clone()].copy_from_slice(hidden);
            c_n[state.clone()].copy_from_slice(cell);

            let mut dh = dh_0[state.clone()].to_vec();
            let mut dc = dc_0[state.clone()].to_vec();
            for (k, &row) in rows.iter().enumerate().rev() {
                let (hidden, cell) = &states[k];
                let mut da = vec![0.0; 4 * h];
                for u in 0..h {
                    let [i, f, g, o] = gates[k][u];
                    let d_hidden = dh[u] + self.d_output[row * h + u];
                    let tanh = states[k + 1].1[u].tanh();
                    let d_cell = dc[u] + d_hidden * o * (1.0 - tanh * tanh);
                    da[u] = d_cell * g * i * (1.0 - i);
                    da[h + u] = d_cell * cell[u] * f * (1.0 - f);
                    da[2 * h + u] = d_cell * i * (1.0 - g * g);
                    da[3 * h + u] = d_hidden * tanh * o * (1.0 - o);
                    dc[u] = d_cell * f;
                }
                dh.fill(0.0);
                for (j, &da) in da.iter().enumerate() {
                    for u in 0..h {
                        dh[u] += self.weight_hh[j * h + u] * da;
                        d_hh[j * h + u] += da * hidden[u];
                    }
                    for u in 0..i {
                        dx[row * i + u] += self.weight_ih[j * i + u] * da;
                        d_ih[j * i + u] += da * self.x[row * i + u];
                    }
                    d_bias[j] += da;
                }
            }
            dh_0[state.clone()].copy_from_slice(&dh);
            dc_0[state].copy_from_slice(&dc);
        }
        vec![
            ("output", output),
            ("h_n", h_n),
            ("c_n", c_n),
            ("dx", dx),
            ("d weight_ih", d_ih),
            ("d weight_hh", d_hh),
            ("d bias", d_bias),
            ("d h_0", dh_0),
            ("d c_0", dc_0),
        ]
    }
}
