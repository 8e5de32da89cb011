//! Updates one parameter in place, together with the optimiser state of that parameter.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Var};

use crate::optim::gradient::Gradient;
use crate::optim::slots::{Real, Slots};
use crate::optim::update_rules::UpdateRule;

type Result<T> = candle_core::Result<T>;

/// Updates `var` from its gradient.
pub(crate) fn update_in_place(
    var: &Var,
    gradient: &Gradient,
    slots: &mut Slots,
    rule: &UpdateRule,
) -> Result<()> {
    let rows = match gradient {
        Gradient::Dense(_) => None,
        Gradient::Rows { ids, .. } => Some(ids.as_slice()),
    };
    let update = InPlace { rule, slots: RefCell::new(slots), rows };
    var.as_tensor().inplace_op2(&gradient.elements().contiguous()?, &update)
}

/// Candle gives mutable access to the elements of a tensor only to an in-place operation.
struct InPlace<'a> {
    rule: &'a UpdateRule<'a>,
    slots: RefCell<&'a mut Slots>,
    /// The rows of the parameter that the gradient has; `None` for all elements.
    rows: Option<&'a [u32]>,
}

impl InPlace<'_> {
    fn run<T: Real>(&self, p: &mut [T], g: &CpuStorage, layout: &Layout) -> Result<()> {
        let (start, end) = offsets(layout)?;
        let g = &T::cpu_storage_as_slice(g)?[start..end];
        let mut slots = self.slots.borrow_mut();
        let Some(slots) = T::slots(&mut slots) else {
            candle_core::bail!(
                "update of a parameter of type {:?}: its optimizer state has another type",
                T::DTYPE
            );
        };
        if slots.iter().any(|slot| slot.len() != p.len()) {
            candle_core::bail!("update of {} elements: its state has another size", p.len());
        }
        let Some(rows) = self.rows else {
            if g.len() != p.len() {
                candle_core::bail!("update of {} elements: the gradient has {}", p.len(), g.len());
            }
            let mut slots: Vec<_> = slots.iter_mut().map(Vec::as_mut_slice).collect();
            self.rule.apply(p, g, &mut slots);
            return Ok(());
        };
        let Some(width) = g.len().checked_div(rows.len()) else { return Ok(()) };
        for (&row, g) in rows.iter().zip(g.chunks_exact(width.max(1))) {
            let row = row as usize * width..(row as usize + 1) * width;
            let Some(p) = p.get_mut(row.clone()) else {
                candle_core::bail!("update of row {}: the parameter is smaller", row.start / width);
            };
            let mut slots: Vec<_> = slots.iter_mut().map(|slot| &mut slot[row.clone()]).collect();
            self.rule.apply(p, g, &mut slots);
        }
        Ok(())
    }
}

impl InplaceOp2 for InPlace<'_> {
    fn name(&self) -> &'static str {
        "ragged-update"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        p_layout: &Layout,
        g: &CpuStorage,
        g_layout: &Layout,
    ) -> Result<()> {
        let (start, end) = offsets(p_layout)?;
        match p {
            CpuStorage::F32(p) => self.run(&mut p[start..end], g, g_layout),
            CpuStorage::F64(p) => self.run(&mut p[start..end], g, g_layout),
            _ => candle_core::bail!("update: expected a parameter of dtype f32 or f64"),
        }
    }
}

fn offsets(layout: &Layout) -> Result<(usize, usize)> {
    match layout.contiguous_offsets() {
        Some(offsets) => Ok(offsets),
        None => candle_core::bail!("update: expected contiguous tensors"),
    }
}
