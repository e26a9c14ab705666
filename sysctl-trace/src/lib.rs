//! sysctl-trace: who set this kernel setting?
//!
//! The modules stand in the order of the data:
//! kernel probe → record → decode → attribute → ledger → verdict → answer → output.

pub mod kernel;

pub mod decode;

pub mod event;
pub mod rendered;
pub mod time;

pub mod attribute;

pub mod target;

pub mod node;

pub mod tracer;

pub mod ledger;

pub mod recorder;
pub mod recording;

pub mod verdict;

pub mod answer;
pub mod inquiry;

pub mod filter;

pub mod output;

pub mod cli;
