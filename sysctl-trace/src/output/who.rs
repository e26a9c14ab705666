//! Components, containers and pods in a few words.

use crate::{
    event::{Component, Container, Event, Kubernetes, Stage},
    output::text::{Charset, push},
};

/// Of an id of 64 digits this many are shown, as the runtimes' own tools do.
const SHORT_ID: usize = 12;

/// `runc init`: what did it; nothing where no process stands behind the event.
pub(super) fn push_component(out: &mut String, event: &Event, charset: Charset) {
    let Some(component) = &event.component else {
        return;
    };
    let Component { name, stage, .. } = &***component;
    push(out, name, charset);
    if let Some(stage) = stage {
        out.push(' ');
        out.push_str(stage_name(*stage));
    }
}

/// `web`, `namespace/pod/container` or the beginning of an id: the container that the event is
/// about, or else the one that the process is in.
pub(super) fn push_container(out: &mut String, event: &Event, charset: Charset) {
    let owner = event.netns.as_ref().and_then(|netns| netns.owner.as_ref());
    match owner.and_then(|owner| Some((owner.container.as_ref()?, owner.k8s.as_ref()))) {
        Some((container, k8s)) => push_name(out, container, k8s, charset),
        None => {
            if let Some(container) = event.container.known() {
                push_name(
                    out,
                    container,
                    event.k8s.as_ref().map(|k8s| &***k8s),
                    charset,
                );
            } else if let Some(pin) = owner.and_then(|owner| owner.pin.as_ref()) {
                push(out, pin, charset);
            }
        }
    }
}

/// The same for one container.
pub(super) fn push_name(
    out: &mut String,
    container: &Container,
    k8s: Option<&Kubernetes>,
    charset: Charset,
) {
    if let Some(Kubernetes {
        pod,
        namespace: Some(namespace),
        container: app,
    }) = k8s
        && let Some(name) = &pod.name
    {
        push(out, &namespace.name, charset);
        out.push('/');
        push(out, name, charset);
        if let Some(app) = app {
            out.push('/');
            push(out, &app.name, charset);
        }
        return;
    }
    match &container.name {
        Some(name) => push(out, name, charset),
        None => push(out, short(&container.id), charset),
    }
}

/// The beginning of an id of hexadecimal digits; any other as it is.
fn short(id: &str) -> &str {
    let is_hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex { &id[..SHORT_ID] } else { id }
}

const fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Parent => "parent",
        Stage::Child => "child",
        Stage::Init => "init",
    }
}
