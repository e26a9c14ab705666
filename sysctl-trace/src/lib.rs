//! sysctl-trace: who set this kernel setting?
//!
//! The modules stand in the order of the data:
//! kernel probe → record → decode → attribute → output.

pub mod kernel;

pub mod decode;

pub mod event;
pub mod rendered;
pub mod time;

pub mod attribute;

pub mod tracer;

pub mod filter;

pub mod output;

pub mod cli;
