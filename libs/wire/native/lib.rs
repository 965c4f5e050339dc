//! The outside world in a process of its own: packet generator, learning switch, and the truth about downtime.
