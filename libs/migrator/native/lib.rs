//! The native pump of `@godwit/migrator`: moves pages, execution state and at last the guest itself between two
//! processes, driving the capsules of other packages. Page bytes never enter the JavaScript heap, and the blackout is
//! one call without a JavaScript turn. `frame` specifies the wire protocol.

mod approach;
mod cancellation;
mod clock;
mod delta_table;
mod destination_js;
mod destination_pump;
mod digest;
mod frame;
mod injected_fault;
mod link;
mod page_hashes;
mod page_runs;
mod promise;
mod pump_error;
mod source_js;
mod source_pump;
mod start_gate;
mod switchover;
