use super::*;

#[test]
fn only_exact_dependencies_are_followed() {
    let text = "Package: linux-image-cloud-amd64\n\
                Depends: linux-base-cloud-amd64 (= 7.2.12-1), kmod, libc6 (>= 2.36), \
                linux-image-7.2.12+deb14-cloud-amd64 (= 7.2.12-1), a | b (= 1) | c\n\
                Recommends: firmware (= 1)\n";
    let names: Vec<String> = exact_dependencies(text).iter().map(Package::spec).collect();
    assert_eq!(
        names,
        [
            "linux-base-cloud-amd64=7.2.12-1",
            "linux-image-7.2.12+deb14-cloud-amd64=7.2.12-1"
        ]
    );
}

#[test]
fn what_apt_would_install_is_read_with_its_versions() {
    let text = "Reading package lists...\n\
                Inst libgcc-s1 (14.2.0-19 Debian:13.7/stable [amd64]) []\n\
                Inst bpftrace (0.23.2-1 Debian:13.7/stable [amd64])\n\
                Conf bpftrace (0.23.2-1 Debian:13.7/stable [amd64])\n";
    let names: Vec<String> = to_install(text).iter().map(Package::spec).collect();
    assert_eq!(names, ["libgcc-s1=14.2.0-19", "bpftrace=0.23.2-1"]);
}
