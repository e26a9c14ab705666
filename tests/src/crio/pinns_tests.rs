use super::*;

fn request(line: &str) -> Request {
    let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
    parse(&args).unwrap()
}

#[test]
fn arguments_are_those_of_cri_o() {
    let found = request(
        "pinns -d /var/run -f name -s net.core.somaxconn=1024 -s a.b=1 --ipc --net --uts=host",
    );
    assert_eq!(found.directory.as_deref(), Some("/var/run"));
    assert_eq!(found.name.as_deref(), Some("name"));
    let texts: Vec<_> = found.sysctls.iter().map(|sysctl| &*sysctl.text).collect();
    assert_eq!(texts, ["net.core.somaxconn=1024", "a.b=1"]);
    let places: Vec<_> = found.sysctls.iter().map(|sysctl| sysctl.place).collect();
    assert_eq!(places, [(6, 0), (8, 0)]);
    let kinds: Vec<_> = found
        .kinds
        .iter()
        .map(|kind| (kind.name, kind.of_host))
        .collect();
    assert_eq!(kinds, [("ipc", false), ("net", false), ("uts", true)]);
}

#[test]
fn values_may_be_attached() {
    let found = request("pinns --dir=/run -fname --sysctl=a.b=1 -sc.d=2 --net");
    assert_eq!(found.directory.as_deref(), Some("/run"));
    assert_eq!(found.name.as_deref(), Some("name"));
    let places: Vec<_> = found.sysctls.iter().map(|sysctl| sysctl.place).collect();
    assert_eq!(places, [(3, 9), (4, 2)]);
}

#[test]
fn what_it_cannot_do_is_refused() {
    for line in ["pinns --user", "pinns -d", "pinns net"] {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        assert!(parse(&args).is_err(), "{line}");
    }
}
