//! The live recorder: what a running `watch` knows, told to others over a Unix socket.
//!
//! One line of JSON asks, one line answers. The protocol is between programs of one version of
//! this project; both sides say which they speak.

pub mod client;
pub mod desk;
pub mod live;
pub mod protocol;
pub mod reader;
pub mod reconcile;
pub mod server;

/// Where a recorder listens if nothing else is said.
pub const SOCKET: &str = "/run/sysctl-trace/watch.sock";
