//! A migration transport over TCP with vectored sends straight from guest memory.
