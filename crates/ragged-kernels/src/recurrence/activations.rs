//! The activations that the forward pass saves for the backward pass.

use crate::layer_norm::statistics::SAVED;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::sync_ptr::SyncPtr;

/// What the forward loop writes and the backward loop reads: the parts of one buffer, in this order. A part that
/// the cell or the call does not need is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activations<P> {
    /// What each cell saves of its four slots (see [`CellStep::forward`]), `[block][row][slot][lane]`.
    ///
    /// [`CellStep::forward`]: crate::cell::step::CellStep::forward
    pub(crate) gates: P,
    /// The carry after each step, `[vector][row][lane]`.
    pub(crate) carries: P,
    /// The hidden state before its projection, `[vector][row][lane]`.
    pub(crate) unprojected: P,
    /// The hidden state times the mask, as the next step's product reads it, `[N, P]`.
    pub(crate) masked: P,
    /// The hidden state before each step, masked and times the reset gate, `[N, P]`.
    pub(crate) reset: P,
    /// With layer normalisation: the products with the hidden states, before their normalisation,
    /// `[block][row][slot][lane]`.
    pub(crate) products: P,
    /// The same for the products with the inputs.
    pub(crate) inputs: P,
    /// The statistics of each row, `[SAVED][N]`; see [`SAVED`](crate::layer_norm::statistics::SAVED).
    pub(crate) moments: P,
}

impl Activations<usize> {
    /// The number of elements of each part of a tape.
    pub(crate) fn of_tape(layout: &KernelLayout, with_mask: bool) -> Self {
        let carries = if layout.cell.has_carry() { layout.row_vectors_len() } else { 0 };
        Self { carries, ..Self::without_tape(layout, true, with_mask) }
    }

    /// The number of elements of each part that a forward pass needs that saves nothing.
    pub(crate) fn without_tape(layout: &KernelLayout, with_gates: bool, with_mask: bool) -> Self {
        let resets = layout.cell.resets_before();
        let normalizes = layout.cell.normalizes();
        Self {
            // A cell that resets first passes its gates from the first part of a step to the second.
            gates: if with_gates || resets { layout.gates_len() } else { 0 },
            carries: 0,
            unprojected: if layout.has_projection() { layout.row_vectors_len() } else { 0 },
            masked: if with_mask { layout.rows * layout.output_size } else { 0 },
            reset: if resets { layout.rows * layout.output_size } else { 0 },
            products: if normalizes { layout.gates_len() } else { 0 },
            inputs: if normalizes { layout.gates_len() } else { 0 },
            moments: if normalizes { layout.rows * SAVED } else { 0 },
        }
    }

    /// The number of elements of all parts.
    pub(crate) fn len(&self) -> usize {
        let Self { gates, carries, unprojected, masked, reset, products, inputs, moments } = self;
        gates + carries + unprojected + masked + reset + products + inputs + moments
    }

    /// Divides memory into the parts; it has at least [`len`](Self::len) elements.
    pub(crate) fn split<T>(self, memory: &[T]) -> Activations<&[T]> {
        let (gates, memory) = memory.split_at(self.gates);
        let (carries, memory) = memory.split_at(self.carries);
        let (unprojected, memory) = memory.split_at(self.unprojected);
        let (masked, memory) = memory.split_at(self.masked);
        let (reset, memory) = memory.split_at(self.reset);
        let (products, memory) = memory.split_at(self.products);
        let (inputs, memory) = memory.split_at(self.inputs);
        let moments = &memory[..self.moments];
        Activations { gates, carries, unprojected, masked, reset, products, inputs, moments }
    }

    /// As [`split`](Self::split), for several threads to write.
    pub(crate) fn split_mut<T>(self, memory: &mut [T]) -> Activations<SyncPtr<T>> {
        let (gates, memory) = memory.split_at_mut(self.gates);
        let (carries, memory) = memory.split_at_mut(self.carries);
        let (unprojected, memory) = memory.split_at_mut(self.unprojected);
        let (masked, memory) = memory.split_at_mut(self.masked);
        let (reset, memory) = memory.split_at_mut(self.reset);
        let (products, memory) = memory.split_at_mut(self.products);
        let (inputs, memory) = memory.split_at_mut(self.inputs);
        Activations {
            gates: SyncPtr::new(gates),
            carries: SyncPtr::new(carries),
            unprojected: SyncPtr::new(unprojected),
            masked: SyncPtr::new(masked),
            reset: SyncPtr::new(reset),
            products: SyncPtr::new(products),
            inputs: SyncPtr::new(inputs),
            moments: SyncPtr::new(&mut memory[..self.moments]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::kind::CellKind;
    use crate::shape::{Direction, PackedShape};
    use crate::simd::level::SimdLevel;

    #[test]
    fn the_parts_cover_the_memory_in_order() {
        let shape = PackedShape::new(2, &[2, 1], 1, 5, Direction::Forward).unwrap();
        let shape = shape.with_projection(3).unwrap();
        let layout = KernelLayout::new::<f32>(CellKind::Lstm, &shape, SimdLevel::Portable);
        let parts = Activations::of_tape(&layout, true);
        let (gates, carries, unprojected, masked) = (3 * 32, 3 * 8, 3 * 8, 9);
        let (reset, products, inputs, moments) = (0, 0, 0, 0);
        let expected =
            Activations { gates, carries, unprojected, masked, reset, products, inputs, moments };
        assert_eq!(parts, expected);
        let mut memory: Vec<usize> = (0..parts.len()).collect();
        let Activations { gates, carries, unprojected, masked, .. } = parts.split(&memory);
        assert_eq!([gates, carries, unprojected, masked].concat(), memory);
        let starts = [0, gates.len(), gates.len() + carries.len(), masked[0]];
        let Activations { gates, carries, unprojected, masked, .. } = parts.split_mut(&mut memory);
        // SAFETY: each part has an element, and nothing else accesses the memory.
        let found = [gates, carries, unprojected, masked].map(|part| unsafe { *part.get() });
        assert_eq!(found, starts);
    }
}
