//! The linear-chain conditional random field (Lafferty, McCallum and Pereira 2001): likelihood, gradient, marginals and
//! the best path.
//!
//! A path assigns one of C tags to each step. Its score is the sum of the emissions of its tags, the transitions from
//! each tag to the next, and the scores of its first and last tag. Its probability is the exponential of the score,
//! divided by the sum over all paths. A transition of minus infinity is forbidden.
//!
//! In reading order: `entry` has the entry points, `sequence` what is done for each sequence; `potentials` are the
//! exponentials of the parameters, `forward` sums over all paths, `backward` has the posterior probabilities and
//! `viterbi` the best path.

mod backward;
pub(crate) mod entry;
mod forward;
pub(crate) mod potentials;
pub(crate) mod sequence;
mod viterbi;
