//! The results of a pass in vectors of their own.

use crate::gradients::Gradients;
use crate::layout::kernel_layout::KernelLayout;
use crate::memory::sync_ptr::SyncPtr;
use crate::memory::uninit_vec::UninitVec;
use crate::operands::{ForwardOptions, Output};
use crate::passes::element_passes::ElementPasses;
use crate::passes::forward::OutputTargets;
use crate::shape::PackedShape;

/// The memory of an [`Output`].
pub(crate) struct OutputMemory<T> {
    /// Empty if it is not wanted.
    output: UninitVec<T>,
    with_output: bool,
    h_n: Vec<T>,
    c_n: Option<Vec<T>>,
    cell_states: Option<UninitVec<T>>,
}

impl<T: ElementPasses> OutputMemory<T> {
    pub(crate) fn new(layout: &KernelLayout, options: ForwardOptions) -> Self {
        let KernelLayout { rows, batch_size, hidden_size, output_size, .. } = *layout;
        let with_c_n = layout.cell.has_cell_state();
        Self {
            output: UninitVec::new(if options.final_states_only { 0 } else { rows * output_size }),
            with_output: !options.final_states_only,
            h_n: vec![T::default(); batch_size * output_size],
            c_n: with_c_n.then(|| vec![T::default(); batch_size * hidden_size]),
            cell_states: options.cell_states.then(|| UninitVec::new(rows * hidden_size)),
        }
    }

    /// Where a forward pass writes.
    pub(crate) fn targets(&mut self) -> OutputTargets<'_, T> {
        OutputTargets {
            output: self.with_output.then(|| self.output.as_sync_ptr()),
            h_n: &mut self.h_n,
            c_n: self.c_n.as_deref_mut(),
            cell_states: self.cell_states.as_mut().map(UninitVec::as_sync_ptr),
        }
    }

    /// Returns the output.
    ///
    /// # Safety
    ///
    /// A forward pass has written to the [targets](Self::targets).
    pub(crate) unsafe fn assume_init(self) -> Output<T> {
        let Self { output, h_n, c_n, cell_states, .. } = self;
        // SAFETY: the pass has written every element.
        let (output, cell_states) =
            unsafe { (output.assume_init(), cell_states.map(|states| states.assume_init())) };
        Output { output, h_n, c_n, cell_states }
    }
}

/// The memory of the gradients that are wanted.
pub(crate) struct GradientMemory<T>(Gradients<Option<UninitVec<T>>>);

impl<T: ElementPasses> GradientMemory<T> {
    pub(crate) fn new(shape: &PackedShape, gates: usize, wanted: &Gradients<bool>) -> Self {
        let lens = Gradients::lens(shape, gates);
        Self(wanted.zip(lens).map(|(wanted, len)| wanted.then(|| UninitVec::new(len))))
    }

    /// Where a backward pass writes.
    pub(crate) fn targets(&mut self) -> Gradients<Option<SyncPtr<T>>> {
        self.0.as_mut().map(|memory| memory.as_mut().map(UninitVec::as_sync_ptr))
    }

    /// Returns the gradients.
    ///
    /// # Safety
    ///
    /// A backward pass has written to the [targets](Self::targets).
    pub(crate) unsafe fn assume_init(self) -> Gradients<Option<Vec<T>>> {
        // SAFETY: the pass has written every element.
        self.0.map(|memory| memory.map(|memory| unsafe { memory.assume_init() }))
    }
}
