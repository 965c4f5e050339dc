//! A migration transport over TCP with vectored sends straight from guest memory.

mod address;
mod connector;
mod failure;
mod js_connection;
mod js_connector;
mod js_listener;
mod lane;
mod listener;
#[cfg(test)]
mod listener_tests;
mod pacer;
mod promise;
mod socket;
mod stream;
#[cfg(test)]
mod stream_tests;
mod timer_slack;
mod vectors;
mod wake;
