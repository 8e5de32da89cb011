//! Zoneout (Krueger et al. 2017): units that keep their previous state.

/// The fraction of its previous state that each unit keeps in a step: 0 takes the new state and 1 keeps the old one.
///
/// ```text
/// h' = h_new + kept (h - h_new)        c' = c_new + kept (c - c_new)
/// ```
///
/// As in the paper, `h_new` is that of the plain cell: of an LSTM, `o tanh(c_new)`. With a projection, `h_new` is the
/// projected state.
///
/// In training, the fractions are drawn, 1 with the probability of zoneout and otherwise 0; at inference, all are
/// that probability.
///
/// ```
/// use ragged_kernels::{Kept, Zoneout};
///
/// // One LSTM with one hidden unit, three packed rows.
/// let training = Zoneout::new(Kept::Rows(&[0.0f32, 1.0, 0.0])).with_cell(Kept::Rows(&[1.0, 0.0, 0.0]));
/// let inference = Zoneout::new(Kept::All(0.05f32)).with_cell(Kept::All(0.5));
/// assert_ne!(training, inference);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Zoneout<'a, T> {
    /// Of the hidden states, `[N, P]`.
    pub hidden: Kept<'a, T>,
    /// Of the cell states of an LSTM, `[N, H]`; none is kept where `None`.
    pub cell: Option<Kept<'a, T>>,
}

/// The fractions of the previous states that are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kept<'a, T> {
    /// The same for all units and steps.
    All(T),
    /// One per packed row and unit.
    Rows(&'a [T]),
}

impl<'a, T> Zoneout<'a, T> {
    /// Keeps fractions of the hidden states.
    pub fn new(hidden: Kept<'a, T>) -> Self {
        Self { hidden, cell: None }
    }

    /// Keeps fractions of the cell states as well; only for an LSTM.
    pub fn with_cell(self, cell: Kept<'a, T>) -> Self {
        Self { cell: Some(cell), ..self }
    }
}
