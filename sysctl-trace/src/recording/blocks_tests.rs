use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread::sleep,
    time::Duration,
};

use super::*;

#[test]
fn results_come_in_order_however_long_they_take() {
    let work = |calls: &mut usize, block: usize, give: Give<'_, (usize, usize)>| {
        *calls += 1;
        sleep(Duration::from_millis((block % 3) as u64));
        for part in 0..block % 4 {
            give((block, part)).map_err(|_| ())?;
        }
        Ok::<(), ()>(())
    };
    let mut taken = Vec::new();
    in_order(20, work, |block, part| {
        assert_eq!(part.0, block);
        taken.push(part);
        Ok(())
    })
    .unwrap();
    let all = (0..20).flat_map(|block| (0..block % 4).map(move |part| (block, part)));
    assert_eq!(taken, all.collect::<Vec<_>>());
}

#[test]
fn the_first_error_ends_it() {
    let work = |(): &mut (), block: usize, give: Give<'_, usize>| {
        if block == 5 {
            return Err("five");
        }
        let _ = give(block);
        Ok(())
    };
    let mut taken = Vec::new();
    let ended = in_order(1000, work, |_, block| {
        taken.push(block);
        Ok(())
    });
    assert_eq!(ended, Err("five"));
    assert_eq!(taken, [0, 1, 2, 3, 4]);
}

#[test]
fn workers_stop_when_nothing_more_is_wanted() {
    let begun = AtomicUsize::new(0);
    let work = |(): &mut (), block: usize, give: Give<'_, usize>| {
        begun.fetch_add(1, Ordering::Relaxed);
        let _ = give(block);
        Ok(())
    };
    let ended = in_order(100_000, work, |_, _| Err("enough"));
    assert_eq!(ended, Err("enough"));
    assert!(begun.into_inner() < 1000);
}

#[test]
fn nothing_to_do() {
    let work = |(): &mut (), _, _: Give<'_, ()>| Ok::<(), ()>(());
    assert_eq!(in_order(0, work, |_, ()| Err(())), Ok(()));
}
