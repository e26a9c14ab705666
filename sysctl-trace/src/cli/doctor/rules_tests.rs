use aya::programs::ProgramError;

use super::*;
use crate::kernel::{probes::Probe, support::Hook};

/// A way to attach in which these programs failed.
fn trial(mode: Mode, failed: &[&str]) -> Trial {
    let hook = |probe: &Probe| Hook {
        function: probe.function,
        at: probe.at,
        without: mode.without(probe),
        outcome: match failed.contains(&probe.name) {
            true => Err(Error::Probe {
                probe: *probe,
                source: ProgramError::NotLoaded,
            }),
            false => Ok(()),
        },
    };
    let all = mode.probes().iter().chain(mode.beside());
    Trial {
        mode,
        outcome: Ok(all.map(hook).collect()),
    }
}

#[test]
fn a_probe_that_tracing_can_do_without_is_a_warning_that_says_what_is_lost() {
    let births = trial(Mode::Typed, &["table_register_fexit"]);
    assert!(births.works());
    let checks = attach(&births, true, false);
    let [ok, warning] = checks.as_slice() else {
        panic!("{checks:?}");
    };
    assert_eq!(ok.status, Status::Ok);
    assert!(!ok.found.contains("__register_sysctl_table"), "{ok:?}");
    assert_eq!(warning.status, Status::Warn);
    assert!(warning.found.contains("__register_sysctl_table"));
    assert!(warning.found.contains("keys that come and go"));
    assert!(warning.fix.is_some());

    let needed = trial(Mode::Typed, &["netns_create_fexit", "table_register_fexit"]);
    assert!(!needed.works());
    let checks = attach(&needed, false, false);
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(checks[0].status, Status::Fail);
}
