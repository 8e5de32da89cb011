//! Single steps of many sessions at once.

use ragged_kernels::StepState;
use ragged_transforms::{PipelineState, Values};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::predict::{check_prediction, push_inputs};
use crate::readout::Pooled;
use crate::sequence::Statics;
use crate::session::Session;

/// Room for the intermediate results of [`Model::step`], which the caller keeps from step to step. It belongs to no
/// session, and any model can use it.
///
/// As long as the number of sessions and the model stay the same, a step allocates nothing, except for indicators of
/// missing values, for sessions that are refused, and for the threads of a large head with many sessions.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The checksum of the model's checkpoint.
    fingerprint: [u8; 32],
    /// The states of the rows that step, for each layer.
    states: Vec<StepState<f32>>,
    /// The sessions that step.
    rows: Vec<usize>,
    /// The input of the layers, `[rows, input_size]`.
    x: Vec<f32>,
    /// The input of the head, `[B, head_features]`.
    read: Vec<f32>,
    /// A copy of the pooled outputs of one session.
    pooled: Pooled,
    /// The values of one step on their way through the transforms.
    values: Values,
    /// The states of transforms after the step, for each row.
    transforms: Vec<PipelineState>,
    /// The cell states of one layer, `[rows, H]`.
    cell: Vec<f32>,
    refused: Vec<Refused>,
}

/// A session that a step has left unchanged, since its input or its prediction cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused {
    /// The index of the session, from 0.
    pub session: usize,
    /// Why it was refused.
    pub error: Error,
}

impl Model {
    /// Creates a session before its first step.
    ///
    /// # Errors
    ///
    /// [`Error::Stepwise`] for a bidirectional model, whose second direction begins at the end, for attention, whose
    /// weights need the scores of all steps, for a CRF, and for a model of tokens; [`Error::Statics`] for a model
    /// with static values, which [`session_with`](Self::session_with) takes; [`Error::Transforms`] for transforms
    /// that need the whole sequence.
    pub fn session(&self) -> Result<Session> {
        self.session_with(Statics::default())
    }

    /// Creates a session of a sequence with static values, as [`session`](Self::session).
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session); [`Error::Statics`] and [`Error::StaticNumber`] for static values that do not fit.
    ///
    /// ```no_run
    /// use ragged_runtime::{Model, Statics};
    ///
    /// let model = Model::open("runs/sites".as_ref())?;
    /// let session = model.session_with(Statics { numbers: &[350.0], categories: &["north"] })?;
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn session_with(&self, statics: Statics<'_>) -> Result<Session> {
        self.check_stepwise()?;
        self.session_of(self.embed_statics(vec![statics])?.pop().unwrap_or_default())
    }

    /// Creates a session of a sequence with these features of static values.
    pub(crate) fn session_of(&self, statics: Vec<f32>) -> Result<Session> {
        self.check_stepwise()?;
        let mut states = self.layers.initial.clone();
        if let Some(part) = &self.statics {
            part.set_states(std::slice::from_ref(&statics), &mut states)?;
        }
        Ok(Session {
            states,
            pooled: Pooled::new(self.layers.config.output_features()),
            statics,
            transforms: self.transforms.state()?,
            fingerprint: self.fingerprint,
        })
    }

    fn check_stepwise(&self) -> Result<()> {
        if self.reads_tokens() {
            return Err(Error::Stepwise { name: "tokens", expected: "a model of features" });
        }
        if self.layers.config.bidirectional {
            return Err(Error::Stepwise { name: "bidirectional", expected: "false" });
        }
        if self.crf.is_some() {
            return Err(Error::Stepwise {
                name: "crf",
                expected: "none, whose path needs all steps",
            });
        }
        if self.attention.is_some() {
            let expected =
                "another one than attention, which weighs each step by the scores of all";
            return Err(Error::Stepwise { name: "readout", expected });
        }
        Ok(())
    }

    /// Runs one step of each session: `x` is `[B, I]`, and `y` `[B, O]` receives the predictions for all steps so far,
    /// or those for this step if the model is [per step](Self::is_per_step).
    ///
    /// Sessions may differ from call to call, in number and in order. Those whose input or prediction is not finite, and
    /// those beyond the truncation of a model that is [per step](Self::is_per_step), are refused: they stay as they are,
    /// and their predictions are NaN. The others step as usual.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for an `x` or `y` of another size, [`Error::Session`] for a session of another model. All
    /// sessions are unchanged then.
    ///
    /// ```no_run
    /// use ragged_runtime::{Model, Scratch};
    ///
    /// let model = Model::open("runs/gestures".as_ref())?;
    /// let (mut left, mut right) = (model.session()?, model.session()?);
    /// let mut scratch = Scratch::default();
    /// let mut y = vec![0.0; 2 * model.outputs()];
    /// let x = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    /// let refused = model.step(&mut [&mut left, &mut right], &x, &mut y, &mut scratch)?;
    /// assert!(refused.is_empty());
    /// # Ok::<(), ragged_runtime::Error>(())
    /// ```
    pub fn step<'s, T: Copy + Into<f64>>(
        &self,
        sessions: &mut [&mut Session],
        x: &[T],
        y: &mut [f32],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [Refused]> {
        let (count, features) = (sessions.len(), self.features());
        check_len("x", "B x I", x.len(), count * features)?;
        check_len("y", "B x O", y.len(), count * self.outputs())?;
        self.check_sessions(sessions, count)?;
        self.take_inputs(sessions, x, scratch)?;
        self.step_layers(sessions, scratch)?;
        self.read_predictions(sessions, y, scratch)?;
        self.commit(sessions, y, scratch);
        Ok(&scratch.refused)
    }

    /// Transforms the inputs, and finds the sessions that step and those that are refused.
    fn take_inputs<T: Copy + Into<f64>>(
        &self,
        sessions: &[&mut Session],
        x: &[T],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Scratch { rows, x: inputs, values, transforms, refused, .. } = scratch;
        rows.clear();
        inputs.clear();
        refused.clear();
        for (index, (session, x)) in
            sessions.iter().zip(x.chunks_exact(self.features())).enumerate()
        {
            let (row, before) = (rows.len(), inputs.len());
            match transforms.get_mut(row) {
                Some(state) => state.clone_from(&session.transforms),
                None => transforms.push(session.transforms.clone()),
            }
            values.refill(x, self.features(), self.exact)?;
            self.transforms.apply_next(values, &mut transforms[row])?;
            let refusal = match push_inputs(index, values, inputs) {
                Ok(()) if inputs.len() > before => {
                    rows.push(index);
                    None
                }
                // A step beyond the truncation changes nothing, but has no prediction of its own.
                Ok(()) => self.is_per_step().then_some(Error::Truncated { sequence: index + 1 }),
                Err(Error::Input { sequence, feature, got, .. }) => {
                    Some(Error::Input { sequence, step: session.next_step(), feature, got })
                }
                Err(other) => return Err(other),
            };
            refused.extend(refusal.map(|error| Refused { session: index, error }));
        }
        Ok(())
    }

    /// Runs the layers for the sessions that step.
    fn step_layers(&self, sessions: &[&mut Session], scratch: &mut Scratch) -> Result<()> {
        let Scratch { fingerprint, states, rows, x, .. } = scratch;
        let room = states.first().map_or(0, StepState::rows);
        if room != rows.len() || *fingerprint != self.fingerprint {
            *states = self.layers.step_states(rows.len())?;
            *fingerprint = self.fingerprint;
        }
        for (row, &session) in rows.iter().enumerate() {
            let from = &sessions[session].states;
            for (layer, state) in states.iter_mut().enumerate() {
                let c = from.cell.get(layer).map_or(&[][..], Vec::as_slice);
                state.set_row(row, &from.hidden[layer], c)?;
            }
        }
        self.layers.step(x, states)
    }

    /// Computes the predictions of all sessions.
    fn read_predictions(
        &self,
        sessions: &[&mut Session],
        y: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<()> {
        let Scratch { states, rows, read, pooled, .. } = scratch;
        let features = self.layers.config.output_features();
        let joined = self.head_statics().is_some();
        let width = self.head.input_size();
        read.resize(sessions.len() * width, 0.0);
        let mut stepped = rows.iter().enumerate().peekable();
        for (index, (session, to)) in sessions.iter().zip(read.chunks_exact_mut(width)).enumerate()
        {
            let (to, of_statics) = to.split_at_mut(features);
            if joined {
                of_statics.copy_from_slice(&session.statics);
            }
            let last = &session.states.hidden[session.states.hidden.len() - 1];
            match stepped.next_if(|(_, session)| **session == index) {
                None => session.pooled.read(self.readout, last, to),
                Some((row, _)) => {
                    let hidden = states.last().map_or(&[][..], StepState::hidden);
                    let hidden = &hidden[row * features..(row + 1) * features];
                    // Only a copy may change before the predictions are checked.
                    pooled.copy_from(&session.pooled);
                    pooled.add(self.readout, hidden);
                    pooled.read(self.readout, hidden, to);
                }
            }
        }
        self.head.forward(read, y)?;
        self.predictions.apply(y);
        Ok(())
    }

    /// Gives the sessions that have stepped their new states, unless the prediction is not finite.
    fn commit(&self, sessions: &mut [&mut Session], y: &mut [f32], scratch: &mut Scratch) {
        let Scratch { states, rows, transforms, cell, refused, .. } = scratch;
        let (outputs, h) = (self.outputs(), self.layers.config.hidden_size);
        for (layer, state) in states.iter().enumerate() {
            cell.resize(state.rows() * h, 0.0);
            let has_cells = state.copy_cell_states(cell).is_ok();
            let p = self.layers.config.output_size();
            for (row, &session) in rows.iter().enumerate() {
                if check_prediction(session, &y[session * outputs..][..outputs]).is_err() {
                    continue;
                }
                let to = &mut sessions[session].states;
                to.hidden[layer].copy_from_slice(&state.hidden()[row * p..(row + 1) * p]);
                if has_cells {
                    to.cell[layer].copy_from_slice(&cell[row * h..(row + 1) * h]);
                }
            }
        }
        for (row, &index) in rows.iter().enumerate() {
            if let Err(error) = check_prediction(index, &y[index * outputs..][..outputs]) {
                refused.push(Refused { session: index, error });
                continue;
            }
            let features = self.layers.config.output_features();
            let hidden = states.last().map_or(&[][..], StepState::hidden);
            let session = &mut *sessions[index];
            session.pooled.add(self.readout, &hidden[row * features..(row + 1) * features]);
            std::mem::swap(&mut session.transforms, &mut transforms[row]);
        }
        for refused in refused.iter() {
            y[refused.session * outputs..][..outputs].fill(f32::NAN);
        }
    }

    /// Sets a session back to the state before its first step.
    ///
    /// # Errors
    ///
    /// As [`session`](Self::session); [`Error::Session`] for a session of another model.
    pub fn reset(&self, session: &mut Session) -> Result<()> {
        self.check_sessions(&[&mut *session], 1)?;
        *session = self.session_of(session.statics.clone())?;
        Ok(())
    }
}

fn check_len(name: &'static str, shape: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::Length { name, shape, expected, got })
}
