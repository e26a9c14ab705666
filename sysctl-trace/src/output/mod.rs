//! Events → bytes. Nothing here decides what is shown.
//!
//! [`json`] and [`table`] append lines to a buffer, [`sink`] takes the buffer to a file or pipe,
//! [`summary`] counts what went by. [`answer`] tells what `why` found. [`text`] makes hostile text harmless for terminals.

pub mod answer;
mod encode;
mod grid;
pub mod json;
mod layout;
mod limit;
pub mod listing;
mod names;
pub mod sink;
mod story;
pub mod summary;
pub mod table;
pub mod text;
mod who;

#[cfg(test)]
pub(crate) mod samples;
