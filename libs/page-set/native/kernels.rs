//! The loops, compiled for each instruction set.

use crate::loops;
use crate::word_view::WordView;

/// The operations of one instruction set. What each asks of its caller stands at the loop of its name; all ask that the
/// processor has the instruction set.
pub struct Kernels {
    pub count: unsafe fn(WordView) -> u64,
    pub or: unsafe fn(WordView, WordView),
    pub and: unsafe fn(WordView, WordView),
    pub subtract: unsafe fn(WordView, WordView),
    pub equal: unsafe fn(WordView, WordView) -> bool,
    pub next_bit: unsafe fn(WordView, usize, u64) -> Option<usize>,
    pub run_count: unsafe fn(WordView) -> u64,
    pub fill_runs: unsafe fn(WordView, u64, *mut u32, usize) -> usize,
    pub fetch_and_clear: unsafe fn(WordView, WordView) -> u64,
    pub fetch_and_clear_shared: unsafe fn(WordView, WordView) -> u64,
}

macro_rules! kernels {
    ($isa:ident $(, $feature:literal)?) => {
        pub mod $isa {
            use super::{Kernels, WordView, loops};

            pub static KERNELS: Kernels = Kernels {
                count,
                or,
                and,
                subtract,
                equal,
                next_bit,
                run_count,
                fill_runs,
                fetch_and_clear,
                fetch_and_clear_shared,
            };

            $(#[target_feature(enable = $feature)])?
            unsafe fn count(words: WordView) -> u64 {
                loops::count(words)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn or(words: WordView, others: WordView) {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::join(words, others, |word, other| word | other) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn and(words: WordView, others: WordView) {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::join(words, others, |word, other| word & other) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn subtract(words: WordView, others: WordView) {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::join(words, others, |word, other| word & !other) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn equal(words: WordView, others: WordView) -> bool {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::equal(words, others) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn next_bit(words: WordView, from: usize, skipped: u64) -> Option<usize> {
                loops::next_bit(words, from, skipped)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn run_count(words: WordView) -> u64 {
                loops::run_count(words)
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn fill_runs(words: WordView, page_count: u64, runs: *mut u32, length: usize) -> usize {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::fill_runs(words, page_count, runs, length) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn fetch_and_clear(words: WordView, marks: WordView) -> u64 {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::fetch_and_clear(words, marks) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn fetch_and_clear_shared(words: WordView, marks: WordView) -> u64 {
                // SAFETY: the caller keeps the promises of the loop.
                unsafe { loops::fetch_and_clear_shared(words, marks) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(
    avx512,
    "avx512f,avx512bw,avx512vl,avx512vpopcntdq,bmi1,bmi2,lzcnt,popcnt"
);
#[cfg(target_arch = "x86_64")]
kernels!(avx2, "avx2,bmi1,bmi2,lzcnt,popcnt");
kernels!(scalar);
