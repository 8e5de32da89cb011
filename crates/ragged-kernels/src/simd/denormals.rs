//! Denormal numbers are treated as zero while a kernel runs.
//!
//! Gradients that vanish over many steps become denormal, and arithmetic on denormal numbers is up to a
//! hundred times slower. The flags of the thread are set while a kernel runs and restored afterwards, also
//! when it panics.

/// Flushes denormals on this thread until it is dropped.
pub(crate) struct FlushDenormals {
    before: imp::Flags,
}

impl FlushDenormals {
    pub(crate) fn new() -> Self {
        let before = imp::read();
        imp::write(before | imp::FLUSH);
        Self { before }
    }
}

impl Drop for FlushDenormals {
    fn drop(&mut self) {
        imp::write(self.before);
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod imp {
    use std::arch::asm;

    pub(super) type Flags = u32;
    /// The bits "flush to zero" (15) and "denormals are zero" (6) of MXCSR.
    pub(super) const FLUSH: Flags = 1 << 15 | 1 << 6;

    pub(super) fn read() -> Flags {
        let mut flags: Flags = 0;
        // SAFETY: stores the 32 bits of MXCSR, which every x86-64 has, to a local of that size.
        unsafe { asm!("stmxcsr [{}]", in(reg) &mut flags, options(nostack)) };
        flags
    }

    pub(super) fn write(flags: Flags) {
        // SAFETY: the flags were read from MXCSR, so no reserved bit is set. Only the treatment of
        // denormals differs; rounding and exception masks stay. The code that runs meanwhile is the
        // kernel's arithmetic, which is meant to run so, and `FlushDenormals` restores the flags.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &flags, options(nostack, readonly)) };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod imp {
    use std::arch::asm;

    pub(super) type Flags = u64;
    /// The bit "flush to zero" (24) of FPCR.
    pub(super) const FLUSH: Flags = 1 << 24;

    pub(super) fn read() -> Flags {
        let flags: Flags;
        // SAFETY: reads FPCR, which every aarch64 has, into a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) flags, options(nomem, nostack)) };
        flags
    }

    pub(super) fn write(flags: Flags) {
        // SAFETY: as on x86-64: the flags were read before, and only the bit for denormals differs.
        unsafe { asm!("msr fpcr, {}", in(reg) flags, options(nostack)) };
    }
}

#[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod imp {
    pub(super) type Flags = u32;
    pub(super) const FLUSH: Flags = 0;

    pub(super) fn read() -> Flags {
        0
    }

    pub(super) fn write(_: Flags) {}
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn half_of_the_smallest() -> f32 {
        black_box(f32::MIN_POSITIVE) * black_box(0.5)
    }

    #[test]
    fn denormals_are_zero_inside_and_back_after_a_panic() {
        assert!(half_of_the_smallest() > 0.0);
        let caught = std::panic::catch_unwind(|| {
            let _flush = FlushDenormals::new();
            assert_eq!(half_of_the_smallest(), 0.0);
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(caught.is_err());
        assert!(half_of_the_smallest() > 0.0);
    }
}
