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
