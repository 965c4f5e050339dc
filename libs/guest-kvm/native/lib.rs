//! A KVM microVM with a network card and guest programs, ready to be moved.
