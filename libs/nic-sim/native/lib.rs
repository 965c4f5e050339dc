//! The simulated network card of a Godwit guest and its frame rings.
