use super::*;

/// Capabilities belong to threads, so a thread can give up its own.
#[test]
fn only_the_kept_remain() {
    std::thread::spawn(|| {
        let had: CapsHashSet = caps::read(None, CapSet::Permitted).unwrap();
        give_back_of_thread().unwrap();
        let kept: CapsHashSet = KEPT.into_iter().collect();
        let want: CapsHashSet = had.intersection(&kept).copied().collect();
        for set in [CapSet::Permitted, CapSet::Effective] {
            let has = caps::read(None, set).unwrap();
            assert!(has.is_subset(&want), "{set:?}: {has:?}");
        }
        assert_eq!(caps::read(None, CapSet::Permitted).unwrap(), want);
        assert!(caps::read(None, CapSet::Inheritable).unwrap().is_empty());
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let barred = status.lines().any(|line| line == "NoNewPrivs:\t1");
        assert!(barred || had.is_empty());
        if had.contains(&Capability::CAP_SETPCAP) {
            let bounding = caps::read(None, CapSet::Bounding).unwrap();
            assert!(bounding.is_subset(&kept), "{bounding:?}");
        }
        // Once more changes nothing.
        give_back_of_thread().unwrap();
    })
    .join()
    .unwrap();
}

#[test]
fn other_threads_are_noticed() {
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || receive.recv());
    let error = give_back().unwrap_err().to_string();
    assert!(error.contains("threads hold them"), "{error}");
    drop(send);
    let _ = other.join().unwrap();
}
