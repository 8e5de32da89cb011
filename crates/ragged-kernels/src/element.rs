//! The two number types that the kernels compute in.

/// `f32` or `f64`.
pub trait Element:
    sealed::Sealed
    + Copy
    + Send
    + Sync
    + PartialOrd
    + std::fmt::Debug
    + Default
    + 'static
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::AddAssign
{
    /// One.
    const ONE: Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The logistic function `1 / (1 + exp(-x))`.
    fn sigmoid(self) -> Self;
}

macro_rules! element {
    ($t:ty) => {
        impl Element for $t {
            const ONE: Self = 1.0;
            fn tanh(self) -> Self {
                self.tanh()
            }
            fn sigmoid(self) -> Self {
                // exp(-x) overflows to infinity for very negative x, and 1 / inf is the right 0.
                1.0 / (1.0 + (-self).exp())
            }
        }
        impl sealed::Sealed for $t {}
    };
}
element!(f32);
element!(f64);

mod sealed {
    pub trait Sealed {}
}
