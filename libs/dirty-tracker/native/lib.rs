//! Tells which pages of a running memory were written: PAGEMAP_SCAN, the KVM dirty log, or comparison.
