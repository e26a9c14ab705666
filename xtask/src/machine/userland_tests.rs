use super::*;

const LIST: &str = "\
kernel/drivers/virtio/virtio.ko:
kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_modern.ko kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_modern.ko:
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko
";

#[test]
fn a_module_is_loaded_after_what_it_needs() {
    let order: Vec<&str> = load_order(LIST, DISK_MODULES)
        .into_iter()
        .map(module_name)
        .collect();
    assert_eq!(
        order,
        [
            "virtio",
            "virtio_ring",
            "virtio_modern",
            "virtio_pci",
            "virtio_blk"
        ]
    );
}

#[test]
fn what_is_built_in_is_not_loaded() {
    let list = "kernel/drivers/block/virtio_blk.ko.xz:\n";
    assert_eq!(
        load_order(list, DISK_MODULES),
        ["kernel/drivers/block/virtio_blk.ko.xz"]
    );
}

#[test]
fn the_recipe_names_the_folder() {
    let (one, two) = (packages("bookworm"), packages("trixie"));
    assert_eq!(fingerprint(&one), fingerprint(&packages("bookworm")));
    assert_ne!(fingerprint(&one), fingerprint(&two));
    assert!(two.contains(&"docker-cli") && !one.contains(&"docker-cli"));
}
