//! Several steps of many sessions at once.

use ragged_transforms::{PipelineState, Values};

use crate::error::{Error, Result};
use crate::model::Model;
use crate::readout::Pooled;
use crate::session::{Session, gather, scatter};

impl Model {
    /// Makes predictions for the next steps of each session, which may differ in number.
    ///
    /// A prediction is that for all steps of the session so far, or for the new steps if it is
    /// [per step](Self::is_per_step). Steps beyond a truncation of the input have no prediction of their own.
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict), for all sessions if one sequence is bad; [`Error::Sequences`] unless there is one
    /// sequence for each session. All sessions are unchanged then.
    pub fn chunk<T: Copy + Into<f64>>(
        &self,
        sessions: &mut [&mut Session],
        sequences: &[&[T]],
    ) -> Result<Vec<Vec<f32>>> {
        self.check_sessions(sessions, sequences.len())?;
        if sessions.is_empty() {
            return Ok(vec![]);
        }
        let (mut rows, mut transforms): (Vec<Vec<f32>>, Vec<PipelineState>) = (vec![], vec![]);
        for (index, (session, sequence)) in sessions.iter().zip(sequences).enumerate() {
            let mut state = session.transforms.clone();
            let transform = |mut values: Values| {
                self.transforms.apply_next(&mut values, &mut state).map(|()| values)
            };
            rows.push(self.inputs(index, sequence, transform).map_err(|error| match error {
                Error::Input { sequence, step, feature, got } => {
                    let step = step + session.next_step() - 1;
                    Error::Input { sequence, step, feature, got }
                }
                other => other,
            })?);
            transforms.push(state);
        }
        let states = gather(sessions);
        let mut pooled: Vec<Pooled> = sessions.iter().map(|s| s.pooled.clone()).collect();
        let statics: Vec<Vec<f32>> = sessions.iter().map(|s| s.statics.clone()).collect();
        let (states, predictions) = self.run(&rows, &statics, &states, &mut pooled)?;
        scatter(&states, sessions);
        for ((session, pooled), transforms) in sessions.iter_mut().zip(pooled).zip(transforms) {
            (session.pooled, session.transforms) = (pooled, transforms);
        }
        Ok(predictions)
    }

    /// Checks that the model reads features, that there is one sequence for each session, and that the sessions are of
    /// this model.
    pub(crate) fn check_sessions(&self, sessions: &[&mut Session], got: usize) -> Result<()> {
        if self.reads_tokens() {
            return Err(Error::InputKind { expected: "tokens", got: "features" });
        }
        if got != sessions.len() {
            return Err(Error::Sequences { expected: sessions.len(), got });
        }
        match sessions.iter().position(|session| session.fingerprint != self.fingerprint) {
            None => Ok(()),
            Some(index) => Err(Error::Session {
                expected: "a session of this model",
                got: format!("one of another model as session {}", index + 1),
            }),
        }
    }
}
