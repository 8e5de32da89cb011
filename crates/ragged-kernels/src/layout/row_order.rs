//! The order in which sums over rows are taken.

use std::ops::Range;

use crate::shape::Direction;

/// Returns rows, or steps by time, in the order in which backpropagation through time takes them: from the last to the
/// first in the layer's direction.
///
/// All sums over rows are taken in this order, so that they are the same, bit for bit, when they are taken
/// segment by segment while the backward pass goes on.
#[inline(always)]
pub(crate) fn backward_order(
    direction: Direction,
    rows: Range<usize>,
) -> impl Iterator<Item = usize> {
    let first = match direction {
        Direction::Forward => rows.end.wrapping_sub(1),
        Direction::Reverse => rows.start,
    };
    // One formula for both directions, from which the compiler makes one pointer that is increased or decreased.
    (0..rows.len()).map(move |k| first.wrapping_add(rows_ahead(direction, k)))
}

/// Returns what is added, with wrapping, to a row to get the one that comes `count` rows later in this order.
#[inline(always)]
pub(crate) fn rows_ahead(direction: Direction, count: usize) -> usize {
    let step = match direction {
        Direction::Forward => usize::MAX,
        Direction::Reverse => 1,
    };
    count.wrapping_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_of_each_direction_is_first() {
        let order = |direction, rows| backward_order(direction, rows).collect::<Vec<_>>();
        assert_eq!(order(Direction::Forward, 2..5), [4, 3, 2]);
        assert_eq!(order(Direction::Reverse, 2..5), [2, 3, 4]);
        assert_eq!(order(Direction::Forward, 0..0), []);
        assert_eq!(7usize.wrapping_add(rows_ahead(Direction::Forward, 3)), 4);
        assert_eq!(7usize.wrapping_add(rows_ahead(Direction::Reverse, 3)), 10);
    }
}
