//! Updates one parameter in place, together with the optimiser state of that parameter.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor, Var};

use crate::optim::slots::{Real, Slots};
use crate::optim::update_rules::UpdateRule;

type Result<T> = candle_core::Result<T>;

/// Updates `var` from its gradient.
pub(crate) fn update_in_place(
    var: &Var,
    gradient: &Tensor,
    slots: &mut Slots,
    rule: &UpdateRule,
) -> Result<()> {
    var.as_tensor()
        .inplace_op2(&gradient.contiguous()?, &InPlace { rule, slots: RefCell::new(slots) })
}

/// Candle gives mutable access to the elements of a tensor only to an in-place operation.
struct InPlace<'a> {
    rule: &'a UpdateRule<'a>,
    slots: RefCell<&'a mut Slots>,
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
        if g.len() != p.len() || slots.iter().any(|slot| slot.len() != p.len()) {
            candle_core::bail!("update of {} elements: the gradient has {}", p.len(), g.len());
        }
        self.rule.apply(p, g, slots);
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
