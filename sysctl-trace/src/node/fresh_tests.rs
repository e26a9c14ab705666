use super::*;
use crate::kernel::netns;

#[test]
fn this_thread_stays_where_it_is() {
    let before = netns::of_thread().unwrap();
    let keys = Keys::parse(["net.core.somaxconn"]).unwrap();
    match read(&keys) {
        Ok(fresh) => {
            assert!(fresh.values.get("net.core.somaxconn").is_some());
            assert!(fresh.node.get("net.core.somaxconn").is_some());
        }
        // Without privileges.
        Err(error) => assert!(error.to_string().contains("it takes CAP_SYS_"), "{error}"),
    }
    assert_eq!(netns::of_thread().unwrap(), before);
}
