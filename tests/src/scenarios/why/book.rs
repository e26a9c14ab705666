//! Pages of answers: a letter's, for each value of the node and each way to ask.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write as _},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use super::stable::stable;
use crate::{
    cases::tracer::PROGRAM,
    golden,
    scenarios::watch::{self, Watch},
};

/// The pages of a scenario, by letter.
#[derive(Debug, Default)]
pub struct Book {
    pages: BTreeMap<&'static str, String>,
    /// What is still to be asked of the recording, once it has ended.
    pending: Vec<Question>,
}

/// What was asked of a recorder, and what it said.
#[derive(Debug)]
struct Question {
    letter: &'static str,
    target: Target,
    live: Answer,
}

/// Who is meant, and what stands for it on the page.
#[derive(Clone, Debug)]
pub struct Target {
    text: String,
    shown: String,
    /// What a recording knows it by, if by something else.
    recorded: Option<String>,
}

/// What the tool said.
#[derive(Clone, Debug)]
struct Answer {
    /// All that it printed, made stable.
    text: String,
    status: i32,
}

impl Target {
    /// Something that is called the same whenever this runs.
    pub fn named(text: &str) -> Self {
        Self::shown_as(text, text)
    }

    /// Something that is not.
    pub fn shown_as(text: &str, shown: &str) -> Self {
        Self {
            text: text.to_owned(),
            shown: shown.to_owned(),
            recorded: None,
        }
    }

    /// A recording is asked by another name: it does not have what only the node knows.
    pub fn recorded_as(self, name: &str) -> Self {
        Self {
            recorded: Some(name.to_owned()),
            ..self
        }
    }
}

impl Answer {
    /// What the recording has to say too, line by line: everything but the evidence.
    fn claims(&self) -> Vec<String> {
        let mut claims = Vec::new();
        let mut is_evidence = false;
        for line in self.text.lines() {
            match line {
                "evidence" => is_evidence = true,
                "suspects" => is_evidence = false,
                "" => {}
                _ if is_evidence => {}
                _ => claims.push(line.to_owned()),
            }
        }
        claims.push(format!("exit status {}", self.status));
        claims
    }
}

impl Book {
    /// Begins a part of a page.
    pub fn head(&mut self, letter: &'static str, text: &str) {
        let page = self.pages.entry(letter).or_default();
        if !page.is_empty() {
            page.push('\n');
        }
        self.line(letter, &format!("# {text}"));
    }

    /// Asks a running recorder, then without one; the recording is asked at the end.
    pub fn ask(&mut self, letter: &'static str, target: &Target) -> Result<()> {
        let live = self.put(letter, &[], target)?;
        self.put(letter, &["--no-recorder"], target)?;
        self.pending.push(Question {
            letter,
            target: target.clone(),
            live,
        });
        Ok(())
    }

    /// Ends the recorder and asks its recording.
    pub fn end(&mut self, watch: Watch) -> Result<()> {
        watch.finish()?;
        self.ask_recording()
    }

    /// The same for one that has lost events.
    pub fn end_with_loss(&mut self, watch: Watch) -> Result<()> {
        watch.finish_with_loss()?;
        self.ask_recording()
    }

    /// Prints what any other command of the tool says.
    pub fn tell(&mut self, letter: &'static str, arguments: &[&str]) -> Result<()> {
        let answer = run(arguments)?;
        self.show(letter, &arguments.join(" "), &answer);
        Ok(())
    }

    /// The same for a table, whose columns are as wide as what varies.
    pub fn list(&mut self, letter: &'static str, arguments: &[&str]) -> Result<()> {
        let mut answer = run(arguments)?;
        let mut lines: Vec<String> = answer.text.lines().map(narrowed).collect();
        // They are in the order of the namespaces' numbers.
        let is_row = |line: &&mut String| line.starts_with("<netns>");
        let mut rows: Vec<String> = lines
            .iter_mut()
            .filter(is_row)
            .map(|row| row.clone())
            .collect();
        rows.sort_unstable();
        for (line, row) in lines.iter_mut().filter(is_row).zip(rows) {
            *line = row;
        }
        answer.text = lines.join("\n");
        self.show(letter, &arguments.join(" "), &answer);
        Ok(())
    }

    /// Asks about another key, of a running recorder alone.
    pub fn ask_key(&mut self, letter: &'static str, target: &str, key: &str) -> Result<()> {
        self.tell(letter, &["why", target, key])
    }

    /// Adds a line.
    pub fn line(&mut self, letter: &'static str, text: &str) {
        let page = self.pages.entry(letter).or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{text}");
    }

    /// Hands the pages to the host, which compares them with the golden files.
    pub fn hand_over(self) -> Result<()> {
        let mut out = io::stdout().lock();
        for (letter, page) in &self.pages {
            out.write_all(golden::wrapped(letter, page).as_bytes())?;
        }
        Ok(out.flush()?)
    }

    fn put(&mut self, letter: &'static str, options: &[&str], target: &Target) -> Result<Answer> {
        let command = |target| [&["why"], options, &[target]].concat();
        let answer = run(&command(&target.text))?;
        self.show(letter, &command(&target.shown).join(" "), &answer);
        Ok(answer)
    }

    fn show(&mut self, letter: &'static str, command: &str, answer: &Answer) {
        self.line(letter, "");
        self.line(letter, &format!("$ sysctl-trace {command}"));
        self.line(letter, answer.text.trim_end());
        self.line(letter, &format!("exit status {}", answer.status));
    }

    /// What the recording says must be what its recorder said; where it says otherwise, the page
    /// has it.
    fn ask_recording(&mut self) -> Result<()> {
        for question in std::mem::take(&mut self.pending) {
            let Question { letter, target, .. } = &question;
            let name = target.recorded.as_ref().unwrap_or(&target.text);
            let shown = target.recorded.as_ref().unwrap_or(&target.shown);
            let answer = run(&["why", "--from", watch::FILE, name])?;
            let live = question.live.claims();
            let others: Vec<String> = answer
                .claims()
                .into_iter()
                .filter(|claim| !live.contains(claim))
                .collect();
            self.line(letter, "");
            self.line(letter, &format!("$ sysctl-trace why --from FILE {shown}"));
            match others.as_slice() {
                [] => self.line(letter, "as the recorder says"),
                others => {
                    self.line(letter, "as the recorder says, but:");
                    for claim in others {
                        self.line(letter, claim);
                    }
                }
            }
        }
        Ok(())
    }
}

/// With two spaces between columns.
fn narrowed(line: &str) -> String {
    let cells = line
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join("  ")
}

fn run(arguments: &[&str]) -> Result<Answer> {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("starting sysctl-trace")?;
    let text = [output.stdout, output.stderr].concat();
    Ok(Answer {
        text: stable(&String::from_utf8(text).context("the answer is no text")?),
        status: output.status.code().context("it was ended by a signal")?,
    })
}
