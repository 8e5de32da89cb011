//! The state of one sequence between its steps.

use ragged_transforms::PipelineState;

use crate::layers::States;
use crate::readout::Pooled;

/// One sequence whose steps arrive one after another: the states of the layers, of the readout and of the transforms.
///
/// [`Model::session`](crate::Model::session) creates it. A session is small and owns all that it needs: it can be
/// moved to another thread, cloned, and saved as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub(crate) states: States,
    pub(crate) pooled: Pooled,
    /// The features of the static values; empty for a model without any.
    pub(crate) statics: Vec<f32>,
    pub(crate) transforms: PipelineState,
    /// The checksum of the model's checkpoint.
    pub(crate) fingerprint: [u8; 32],
}

impl Session {
    /// Returns the number of steps so far that the model has read; those beyond a truncation do not count.
    pub fn steps(&self) -> u64 {
        self.pooled.steps
    }

    /// The number of the next step, from 1.
    pub(crate) fn next_step(&self) -> usize {
        usize::try_from(self.steps()).map_or(usize::MAX, |steps| steps.saturating_add(1))
    }
}

/// Joins the states of sessions, one row each.
pub(crate) fn gather(sessions: &[&mut Session]) -> States {
    let join = |part: fn(&States) -> &Vec<Vec<f32>>| {
        let cells = sessions.first().map_or(0, |session| part(&session.states).len());
        let rows = |cell: usize| sessions.iter().flat_map(move |s| part(&s.states)[cell].clone());
        (0..cells).map(|cell| rows(cell).collect()).collect()
    };
    States { hidden: join(|states| &states.hidden), cell: join(|states| &states.cell) }
}

/// Gives each session its row of the states.
pub(crate) fn scatter(states: &States, sessions: &mut [&mut Session]) {
    for (row, session) in sessions.iter_mut().enumerate() {
        let parts = [
            (&states.hidden, &mut session.states.hidden),
            (&states.cell, &mut session.states.cell),
        ];
        for (from, to) in parts {
            for (from, to) in from.iter().zip(to) {
                let size = to.len();
                to.copy_from_slice(&from[row * size..(row + 1) * size]);
            }
        }
    }
}
