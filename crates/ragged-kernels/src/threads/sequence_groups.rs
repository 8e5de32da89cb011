//! Divides the sequences among the threads.

use std::ops::Range;

use crate::gemm::microkernel::next_tile_rows;
use crate::layout::kernel_layout::KernelLayout;

/// Cuts the sequences into at most `parts` contiguous groups that take about the same time each. The cut
/// changes no result.
pub(crate) fn sequence_groups(layout: &KernelLayout, parts: usize) -> Vec<Range<usize>> {
    let active = layout.active_sequences();
    // For every b, the steps whose batch has more than b sequences.
    let mut longer = vec![0; active + 1];
    for step in &layout.steps {
        longer[step.batch_size] += 1;
    }
    let mut left = layout.steps.len();
    for longer in &mut longer {
        left -= *longer;
        *longer = left;
    }
    // The cost of n rows, cut into tiles, in quarters of the cost of a row's sums. For a tile of few rows,
    // reading the weights takes longer than the sums.
    let mut costs = vec![0; active + 1];
    for n in 1..=active {
        let rows = next_tile_rows(layout.tile_rows, n);
        costs[n] = costs[n - rows] + (4 * rows).max(8 + rows);
    }
    let cost = |group: Range<usize>| -> usize {
        let begin = group.start;
        group.map(|b| longer[b] * costs[b + 1 - begin] - longer[b] * costs[b - begin]).sum()
    };
    let mut groups = vec![];
    let mut begin = 0;
    for others in (1..parts.max(1)).rev() {
        // A cut leaves this group and the others; the longest of them is to be as short as possible.
        let longest = |end: usize| cost(begin..end).max(cost(end..active) / others);
        let (mut low, mut high) = (begin, active);
        while low < high {
            let end = (low + high) / 2;
            match cost(begin..end) * others < cost(end..active) {
                true => low = end + 1,
                false => high = end,
            }
        }
        let end = low.saturating_sub(1).max(begin);
        let end = if longest(end) < longest(low) { end } else { low };
        groups.push(begin..end);
        begin = end;
    }
    groups.push(begin..active);
    groups.retain(|group| !group.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::kind::CellKind;
    use crate::shape::{Direction, PackedShape};
    use crate::simd::level::SimdLevel;

    #[test]
    fn groups_cover_all_sequences_with_a_step_once() {
        for sizes in [&[64; 50][..], &[30, 30, 7, 2, 1, 1, 1], &[1; 9], &[5, 4, 3], &[]] {
            let batch = sizes.first().copied().unwrap_or(0) + 2;
            let shape = PackedShape::new(batch, sizes, 3, 20, Direction::Forward).unwrap();
            let layout =
                KernelLayout::new::<f32>(CellKind::Lstm, &shape, SimdLevel::current().unwrap());
            for parts in 1..5 {
                let groups = sequence_groups(&layout, parts);
                assert!(groups.len() <= parts);
                let all: Vec<usize> = groups.into_iter().flatten().collect();
                assert_eq!(all, (0..batch - 2).collect::<Vec<_>>(), "{sizes:?} in {parts}");
            }
        }
    }

    #[test]
    fn groups_take_about_the_same_time() {
        let cost = |sizes: &[usize], group: &Range<usize>| -> usize {
            sizes.iter().map(|&r| r.clamp(group.start, group.end) - group.start).sum()
        };
        let descending: Vec<usize> = (0..50).map(|t| 64 - t * 63 / 49).collect();
        for sizes in [&[64; 50][..], &descending] {
            let shape = PackedShape::new(64, sizes, 3, 20, Direction::Forward).unwrap();
            let layout =
                KernelLayout::new::<f32>(CellKind::Lstm, &shape, SimdLevel::current().unwrap());
            for parts in 2..5 {
                let groups = sequence_groups(&layout, parts);
                let longest = groups.iter().map(|group| cost(sizes, group)).max().unwrap();
                // No group takes more than a sixth longer than the average.
                assert!(longest * parts * 6 <= layout.rows * 7, "{sizes:?}: {groups:?}");
            }
        }
    }
}
