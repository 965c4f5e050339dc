//! A guest made of a memory arena in this process with native workload threads.
