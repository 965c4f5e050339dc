//! Latencies in buckets of bounded relative width.

/// A value keeps this many leading bits: it is known to 1/16 of itself.
const STEPS_BITS: u32 = 5;
const STEPS: usize = 1 << STEPS_BITS;
const BUCKET_COUNT: usize = STEPS * (65 - STEPS_BITS as usize);

/// A histogram of nanoseconds with exponential buckets, each divided linearly (the layout of Tene's HdrHistogram).
#[derive(Clone)]
pub struct LatencyHistogram {
    counts: Vec<u64>,
    count: u64,
    max_ns: u64,
}

fn bucket_of(value_ns: u64) -> usize {
    let magnitude = 64 - (value_ns | (STEPS as u64 - 1)).leading_zeros();
    let shift = magnitude - STEPS_BITS;
    (shift as usize) * STEPS + (value_ns >> shift) as usize
}

fn upper_bound_ns(bucket: usize) -> u64 {
    let (shift, step) = (bucket / STEPS, (bucket % STEPS) as u64);
    (step << shift) | ((1 << shift) - 1)
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKET_COUNT],
            count: 0,
            max_ns: 0,
        }
    }
}

impl LatencyHistogram {
    pub fn record(&mut self, value_ns: u64) {
        self.counts[bucket_of(value_ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(value_ns);
    }

    pub fn merge(&mut self, other: &Self) {
        for (own, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *own += theirs;
        }
        self.count += other.count;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// The value that this share (0 to 1) of the records does not exceed, to 1/16 of itself; 0 without records.
    pub fn quantile_ns(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound_ns(bucket).min(self.max_ns);
            }
        }
        0
    }

    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_that_ends_close_above_it() {
        for shift in 0..63 {
            for offset in [0_u64, 1, 3, 17] {
                let value = (1_u64 << shift) + offset;
                let bound = upper_bound_ns(bucket_of(value));
                assert!(bound >= value && bound - value <= value / 16, "{value} {bound}");
            }
        }
        assert!(bucket_of(u64::MAX) < BUCKET_COUNT);
    }

    #[test]
    fn quantiles_are_those_of_the_records() {
        let mut histogram = LatencyHistogram::default();
        assert_eq!(histogram.quantile_ns(0.5), 0);
        for value in 1..=1000 {
            histogram.record(value * 1000);
        }
        let mut both = LatencyHistogram::default();
        both.merge(&histogram);
        let median = both.quantile_ns(0.5);
        assert!((500_000..=531_250).contains(&median), "{median}");
        assert!((990_000..=1_000_000).contains(&both.quantile_ns(0.99)));
        assert_eq!(both.max_ns(), 1_000_000);
    }
}
