//! Pseudo-random numbers: fast, seedable, and the same on every host.

/// SplitMix64 (G. Steele, D. Lea, C. Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014): one
/// addition and one mixing a number, so that the generator's whole state is one word of guest memory.
#[derive(Clone, Copy)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Begins the sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Begins a sequence of its own for each pair of numbers.
    pub const fn of(seed: u64, index: u64) -> Self {
        Self {
            state: mix(seed ^ mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15))),
        }
    }

    /// The next 64 bits.
    #[inline(always)]
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// The next number below `bound`, which is not zero and below 2^32 (bias below 2^-32).
    #[inline(always)]
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }

    /// What to begin with to go on from here.
    pub const fn state(self) -> u64 {
        self.state
    }
}

/// Spreads every bit of a number over all bits of the result.
#[inline(always)]
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
