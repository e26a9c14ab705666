use super::*;

/// Nothing but one program's counts, and how often programs were passed over.
fn lost_with(change: impl FnOnce(&mut PerProgram<Losses>), passed_over: &[(Program, u64)]) -> Lost {
    by_action_with(change, passed_over).total()
}

fn by_action_with(
    change: impl FnOnce(&mut PerProgram<Losses>),
    passed_over: &[(Program, u64)],
) -> ByAction {
    let mut counted = [Losses::default(); Program::COUNT as usize];
    change(&mut counted);
    let mut missed = [0; Program::COUNT as usize];
    for &(program, times) in passed_over {
        missed[program as usize] = times;
    }
    lost(&counted, &missed)
}

fn probe_missed(probe_missed: u64) -> Lost {
    Lost {
        probe_missed,
        ..Lost::default()
    }
}

#[test]
fn nothing_is_lost_where_the_other_program_dealt_with_it() {
    let seen = |counted: &mut PerProgram<Losses>| {
        counted[Program::EnterKprobe as usize].handled = 100;
        counted[Program::ReturnTrampoline as usize].handled = 93;
        counted[Program::ReturnKprobe as usize].handled = 7;
    };
    let passed_over = [
        (Program::EnterTrampoline, 5),
        (Program::ReturnTrampoline, 7),
    ];
    assert_eq!(lost_with(seen, &passed_over), Lost::default());
}

#[test]
fn what_both_were_passed_over_for_is_lost() {
    let seen = |counted: &mut PerProgram<Losses>| {
        counted[Program::EnterKprobe as usize].handled = 90;
        counted[Program::EnterTrampoline as usize].handled = 6;
        counted[Program::ReturnTrampoline as usize].handled = 86;
        counted[Program::ReturnKprobe as usize].handled = 7;
    };
    let passed_over = [(Program::EnterKprobe, 10), (Program::ReturnTrampoline, 10)];
    assert_eq!(lost_with(seen, &passed_over), probe_missed(4 + 3));
}

#[test]
fn without_a_second_program_what_is_passed_over_is_lost() {
    let trampolines = [
        (Program::EnterTrampoline, 2),
        (Program::ReturnTrampoline, 3),
    ];
    assert_eq!(lost_with(|_| {}, &trampolines), probe_missed(5));
    let kprobes = [(Program::EnterKprobe, 2), (Program::ReturnKprobe, 3)];
    assert_eq!(lost_with(|_| {}, &kprobes), probe_missed(5));
    let netns = [(Program::NetnsCreate, 2), (Program::NetnsDestroy, 3)];
    assert_eq!(lost_with(|_| {}, &netns), probe_missed(5));
    let enter = [(Program::NetnsEnter, 2), (Program::NetnsExec, 3)];
    assert_eq!(lost_with(|_| {}, &enter), probe_missed(5));
}

#[test]
fn what_could_not_be_told_of_a_task_that_entered_is_lost() {
    let entering = |counted: &mut PerProgram<Losses>| {
        counted[Program::NetnsEnter as usize].unreadable = 1;
        counted[Program::NetnsExec as usize].unreadable = 2;
        counted[Program::NetnsEnter as usize].in_flight = 4;
    };
    let expected = Lost {
        in_flight: 4,
        unreadable: 3,
        ..Lost::default()
    };
    assert_eq!(lost_with(entering, &[]), expected);
}

#[test]
fn a_return_that_is_noticed_and_counted_is_lost_once() {
    let noticed = |counted: &mut PerProgram<Losses>| {
        counted[Program::EnterKprobe as usize].return_missed = 2;
    };
    let passed_over = [(Program::ReturnTrampoline, 3)];
    assert_eq!(lost_with(noticed, &passed_over), probe_missed(3));
    assert_eq!(lost_with(noticed, &[]), probe_missed(2));
}

#[test]
fn a_write_that_neither_entry_could_remember_is_lost_once() {
    let full = |counted: &mut PerProgram<Losses>| {
        counted[Program::EnterKprobe as usize].in_flight = 4;
        counted[Program::EnterTrampoline as usize].in_flight = 3;
        counted[Program::EnterKprobe as usize].unreadable = 1;
        counted[Program::EnterTrampoline as usize].unreadable = 1;
        counted[Program::ReturnTrampoline as usize].unreadable = 1;
    };
    let expected = Lost {
        in_flight: 4,
        unreadable: 2,
        ..Lost::default()
    };
    assert_eq!(lost_with(full, &[]), expected);
}

#[test]
fn every_program_that_sends_can_find_the_buffer_full() {
    for program in Program::ALL {
        let full = |counted: &mut PerProgram<Losses>| counted[program as usize].ring_full = 9;
        assert_eq!(lost_with(full, &[]).ring_full, 9);
    }
}

#[test]
fn each_program_s_loss_counts_for_its_action() {
    let actions = [
        (Program::NetnsCreate, Action::NetnsCreate),
        (Program::NetnsDestroy, Action::NetnsDestroy),
        (Program::EnterTrampoline, Action::SysctlWrite),
        (Program::EnterKprobe, Action::SysctlWrite),
        (Program::ReturnTrampoline, Action::SysctlWrite),
        (Program::ReturnKprobe, Action::SysctlWrite),
        (Program::NetnsEnter, Action::NetnsEnter),
        (Program::NetnsExec, Action::NetnsEnter),
        (Program::TableRegister, Action::SysctlRegister),
        (Program::TableUnregister, Action::SysctlUnregister),
    ];
    assert_eq!(actions.map(|(program, _)| program as u32), {
        Program::ALL.map(|program| program as u32)
    });
    for (program, action) in actions {
        let full = |counted: &mut PerProgram<Losses>| counted[program as usize].ring_full = 9;
        assert_eq!(by_action_with(full, &[]).counts(), [(action, 9)].into());
        let unreadable =
            |counted: &mut PerProgram<Losses>| counted[program as usize].unreadable = 2;
        let passed_over = by_action_with(unreadable, &[(program, 3)]);
        assert_eq!(passed_over.counts(), [(action, 5)].into());
    }
}

#[test]
fn the_actions_add_up_to_all_that_is_lost() {
    let any = |counted: &mut PerProgram<Losses>| {
        for program in Program::ALL {
            counted[program as usize] = Losses {
                ring_full: 1 + u64::from(program as u32),
                in_flight: 2,
                return_missed: 3,
                unreadable: 5,
                handled: 1,
            };
        }
    };
    let lost = by_action_with(any, &Program::ALL.map(|program| (program, 7)));
    assert_eq!(lost.counts().values().sum::<u64>(), lost.total().total());
    assert!(lost.total().total() > 0);
}

#[test]
fn what_is_told_once_is_not_told_again() {
    let full = |times| {
        by_action_with(
            |counted| counted[Program::NetnsEnter as usize].ring_full = times,
            &[(Program::EnterKprobe, times / 2)],
        )
    };
    let mut told = ByAction::default();
    for (now, expected) in [
        (4, vec![(Action::SysctlWrite, 2), (Action::NetnsEnter, 4)]),
        (4, vec![]),
        // A program that was passed over may turn out to have been stood in for.
        (2, vec![]),
        (5, vec![(Action::NetnsEnter, 1)]),
        (8, vec![(Action::SysctlWrite, 2), (Action::NetnsEnter, 3)]),
    ] {
        let since = full(now).since(&told);
        assert_eq!(since.counts(), expected.into_iter().collect());
        assert_eq!(since.counts().values().sum::<u64>(), since.total().total());
        told.add(&since);
    }
    assert_eq!(told.total(), full(8).total());
}

#[test]
fn what_can_t_be_understood_is_of_no_action_that_is_known() {
    let mut lost = by_action_with(|_| {}, &[(Program::NetnsEnter, 1)]);
    lost.undecodable = 2;
    assert_eq!(lost.total().total(), 3);
    assert_eq!(lost.counts(), [(Action::NetnsEnter, 1)].into());
    assert_eq!(lost.since(&ByAction::default()), lost);
}
