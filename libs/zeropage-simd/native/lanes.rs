//! What an instruction set has to supply: everything else about a kernel is written once, in [`crate::page_kernel`].

/// The bytes that one load brings, as a value.
///
/// Every method is inlined into a function that has the instruction set switched on; elsewhere it must not be called. So
/// what is written over lanes has `#[inline(always)]` functions and plain loops: a closure that the compiler leaves as a
/// function of its own does not have the instruction set.
pub trait Lanes: Copy {
    /// Of one load; a power of two up to 64.
    const BYTES: usize;
    /// Of the loop over a page, which is unrolled this far: short, as the processor recognises a stream of loads by the
    /// few instructions that make it. A kernel unrolled over a whole page takes more than twice as long.
    const STRIDE_BYTES: usize;

    /// # Safety
    /// The processor has the instruction set.
    unsafe fn zero() -> Self;

    /// A load that needs no alignment. It goes through a raw pointer, so no reference claims that the bytes do not change:
    /// a guest may write them, and old and new ones will both do.
    ///
    /// # Safety
    /// [`Lanes::BYTES`] bytes at `bytes` are readable; the processor has the instruction set.
    unsafe fn load(bytes: *const u8) -> Self;

    /// # Safety
    /// The processor has the instruction set.
    unsafe fn or(self, other: Self) -> Self;

    /// # Safety
    /// The processor has the instruction set.
    unsafe fn is_zero(self) -> bool;
}
