//! Whether the targets of a table change within a series.

use crate::error::{Error, Result};
use crate::formats::field::{Evidence, Field};

/// The errors of targets that are not as many as the decided kind has, found while the rows are read.
///
/// With one target per series, the rows of a series must have the same one; with one per step, each row must have one.
#[derive(Debug, Default)]
pub(super) struct SeriesChanges {
    /// The first row whose target is not that of the rows before in its series.
    change: Option<At>,
    /// The first empty cell.
    empty: Option<At>,
    /// Whether a target changes between rows in which it is not missing.
    present: bool,
}

/// An error, and where it is.
#[derive(Debug)]
struct At {
    file: usize,
    error: Error,
}

impl SeriesChanges {
    /// Adds the rows of a series. Returns whether each of its columns has a target.
    pub(super) fn add(&mut self, file: usize, rows: &[Vec<Field>]) -> bool {
        let mut all = true;
        // The first error of the series, by its row and column, unless there was one before.
        let mut change: Option<((usize, usize), &Field, &Field)> = None;
        let mut empty: Option<((usize, usize), &Field)> = None;
        for k in 0..rows.first().map_or(0, Vec::len) {
            let (mut first, mut present, mut previous) = (None, None, None);
            for (t, row) in rows.iter().enumerate() {
                let Some(field) = row.get(k) else { continue };
                if previous
                    .replace(field)
                    .is_some_and(|before: &Field| before.value.is_written_as(&field.value))
                {
                    continue;
                }
                if field.is_empty() {
                    if self.empty.is_none() && empty.is_none_or(|(before, _)| (t, k) < before) {
                        empty = Some(((t, k), field));
                    }
                    continue;
                }
                let first = *first.get_or_insert(field);
                if self.change.is_none()
                    && change.is_none_or(|(before, ..)| (t, k) < before)
                    && !first.same(field)
                {
                    change = Some(((t, k), first, field));
                }
                if !self.present && field.evidence() != Evidence::Missing {
                    self.present = !present.get_or_insert(field).same(field);
                }
            }
            all &= first.is_some();
        }
        if let Some((_, first, field)) = change {
            let (first, got) = (first.shown(), field.shown());
            let reason = format!("expected one target for the whole series, got {first} and {got}");
            self.change = Some(At { file, error: field.location.error(reason) });
        }
        if let Some((_, field)) = empty {
            let error = field.location.error("expected a target, got an empty cell");
            self.empty = Some(At { file, error });
        }
        all
    }

    /// Whether any target changes, also from or to a missing value.
    pub(super) fn any(&self) -> bool {
        self.change.is_some()
    }

    /// Whether any target changes between values that are not missing.
    pub(super) fn any_present(&self) -> bool {
        self.present
    }

    /// Checks that there is one target for each step, or else that it is the same in all rows of a series.
    ///
    /// # Errors
    ///
    /// The index of the file, and the error of the first row for which this does not hold.
    pub(super) fn check(&mut self, per_step: bool) -> Result<(), (usize, Error)> {
        let found = if per_step { &mut self.empty } else { &mut self.change };
        found.take().map_or(Ok(()), |At { file, error }| Err((file, error)))
    }
}
