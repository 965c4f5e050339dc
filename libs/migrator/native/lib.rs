//! Moves running memory from one process to another: sessions, switchover, recovery, report.
