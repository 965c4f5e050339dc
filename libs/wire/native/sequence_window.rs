//! Which of the last frames of a flow have returned.

/// What a returned sequence number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Returned for the first time.
    First,
    /// Returned before.
    Again,
    /// Offered so long ago that nobody remembers whether it returned.
    Forgotten,
    /// Never offered.
    Unknown,
}

/// A bitmap over the last `span` sequence numbers: bounded memory however long the generator runs.
pub struct SequenceWindow {
    words: Vec<u64>,
    span: u64,
    next: u64,
}

impl SequenceWindow {
    /// Remembers the last `span` numbers, a power of two of at least 64.
    pub fn new(span: u64) -> Self {
        assert!(span.is_power_of_two() && span >= 64);
        Self {
            words: vec![0; (span / 64) as usize],
            span,
            next: 0,
        }
    }

    /// The number that is offered next.
    pub fn next(&self) -> u64 {
        self.next
    }

    fn place(&self, sequence: u64) -> (usize, u64) {
        let bit = sequence & (self.span - 1);
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    /// Offers the next number and forgets the one that is `span` older.
    pub fn offer(&mut self) -> u64 {
        let sequence = self.next;
        let (word, mask) = self.place(sequence);
        self.words[word] &= !mask;
        self.next += 1;
        sequence
    }

    /// Notes that a number came back.
    pub fn arrive(&mut self, sequence: u64) -> Arrival {
        if sequence >= self.next {
            return Arrival::Unknown;
        }
        if self.next - sequence > self.span {
            return Arrival::Forgotten;
        }
        let (word, mask) = self.place(sequence);
        let again = self.words[word] & mask != 0;
        self.words[word] |= mask;
        if again { Arrival::Again } else { Arrival::First }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_returns_once_and_old_ones_are_forgotten() {
        let mut window = SequenceWindow::new(64);
        assert_eq!(window.arrive(0), Arrival::Unknown);
        for sequence in 0..200 {
            assert_eq!(window.offer(), sequence);
            if sequence % 3 == 0 {
                assert_eq!(window.arrive(sequence), Arrival::First);
                assert_eq!(window.arrive(sequence), Arrival::Again);
            }
        }
        assert_eq!(window.arrive(135), Arrival::Forgotten);
        assert_eq!(window.arrive(136), Arrival::First);
        assert_eq!(window.arrive(198), Arrival::Again);
        assert_eq!(window.arrive(200), Arrival::Unknown);
        assert_eq!(window.arrive(u64::MAX), Arrival::Unknown);
    }
}
