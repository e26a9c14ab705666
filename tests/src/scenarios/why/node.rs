//! 16: the node's own value (p), set by systemd-sysctl from a file, then by hand.

use anyhow::Result;

use super::{
    KEY, Kept, ROUNDS,
    book::{Book, Target},
    write,
};
use crate::scenarios::{Context, command, runtime::Setting, watch::Watch};

/// Runs the scenario.
pub fn run(_: &Context) -> Result<()> {
    let mut book = Book::default();
    for (in_file, by_hand) in ROUNDS.into_iter().zip(ROUNDS.into_iter().rev()) {
        round(in_file, by_hand, &mut book)?;
    }
    book.hand_over()
}

fn round(in_file: &str, by_hand: &str, book: &mut Book) -> Result<()> {
    let _value = Kept::set(KEY, "3000")?;
    let text = format!("# of the scenario\n\nnet.core.somaxconn = {in_file}\n");
    let _setting = Setting::write("/etc/sysctl.d/99-scenario.conf", &text)?;
    let node = Target::named("node");

    book.head(
        "p",
        &format!("/etc/sysctl.d/99-scenario.conf:3 asks for {in_file}, not applied yet"),
    );
    let watch = Watch::with_options(&["--socket"])?;
    book.ask("p", &node)?;
    book.end(watch)?;

    let watch = Watch::with_options(&["--socket"])?;
    command::run("systemctl", &["restart", "systemd-sysctl.service"])?;
    book.head("p", &format!("systemd-sysctl sets {in_file}"));
    book.ask("p", &node)?;
    book.end(watch)?;

    let watch = Watch::with_options(&["--socket"])?;
    write(KEY, by_hand)?;
    book.head("p", &format!("then sysctl -w {KEY}={by_hand}"));
    book.ask("p", &node)?;
    book.end(watch)
}
