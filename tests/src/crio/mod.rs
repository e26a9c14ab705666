//! A stand-in for CRI-O, of which no package can be had: its `pinns`, and as much of `crio` as makes
//! pods in the same order, by the same programs and files. conmon and crun are the real ones.
//!
//! What CRI-O does: <https://github.com/cri-o/cri-o>, `pinns/src` and `internal/config/nsmgr`.

pub mod pinns;
pub mod server;
