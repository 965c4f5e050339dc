//! A guest made of a memory arena in this process with native workload threads.

mod arena;
#[cfg(not(test))]
mod bindings;
mod clock;
mod workload_threads;

#[cfg(test)]
mod tests;
