//! Which files of settings systemd-sysctl and sysctl(8) read, by their arguments. Pure.

/// Whose rules files are read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// systemd-sysctl: the last assignment to a key is the only one that is written.
    Systemd,
    /// sysctl(8): all are written, in their order, and /etc/sysctl.conf comes last.
    Procps,
}

/// Files of settings that a program was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Who reads them.
    pub reader: Reader,
    /// Their paths, in the order in which they are read. Absent where they are those of the system:
    /// the folders called sysctl.d.
    pub files: Option<Vec<String>>,
}

/// What stands for standard input.
const STDIN: &str = "-";

impl Inputs {
    /// Whether a file is named by a path that begins in the folder that its reader was started in.
    pub fn is_relative(&self) -> bool {
        self.reader == Reader::Procps && self.files.iter().flatten().any(is_relative)
    }

    /// Completes such paths. Where the folder is not known they stay, and are not looked at.
    pub fn start_from(&mut self, folder: Option<String>) {
        let Some(folder) = folder.filter(|_| self.reader == Reader::Procps) else {
            return;
        };
        for file in self
            .files
            .iter_mut()
            .flatten()
            .filter(|file| is_relative(file))
        {
            *file = format!("{}/{file}", folder.trim_end_matches('/'));
        }
    }
}

fn is_relative(file: &String) -> bool {
    file != STDIN && !file.starts_with('/')
}

/// The file that sysctl(8) reads when it is given none.
const DEFAULT: &str = "/etc/sysctl.conf";

/// What systemd-sysctl reads; nothing where its arguments are the settings. Where the arguments are
/// not known it is taken for the service, which has none.
pub(super) fn of_systemd(args: Option<&[String]>) -> Option<Inputs> {
    let mut files = Vec::new();
    let mut args = args.unwrap_or_default().iter().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--inline" => return None,
            "--prefix" => {
                args.next();
            }
            "--" => files.extend(args.by_ref().cloned()),
            option if option.starts_with('-') => {}
            _ => files.push(arg.clone()),
        }
    }
    Some(Inputs {
        reader: Reader::Systemd,
        files: (!files.is_empty()).then_some(files),
    })
}

/// What sysctl(8) reads; nothing where it was given settings instead of files.
pub(super) fn of_procps(args: &[String]) -> Option<Inputs> {
    let inputs = |files| Inputs {
        reader: Reader::Procps,
        files,
    };
    let mut loaded = None;
    let mut others = Vec::new();
    let mut args = args.iter().skip(program_len(args));
    while let Some(arg) = args.next() {
        match flag(arg) {
            Flag::System => return Some(inputs(None)),
            Flag::Load(file) => loaded = Some(file),
            Flag::WithValue => {
                args.next();
            }
            Flag::Rest => others.extend(args.by_ref().cloned()),
            Flag::Other => {}
            Flag::None => others.push(arg.clone()),
        }
    }
    let mut files: Vec<_> = loaded?.map(ToOwned::to_owned).into_iter().collect();
    files.append(&mut others);
    if files.is_empty() {
        files.push(DEFAULT.to_owned());
    }
    Some(inputs(Some(files)))
}

/// How many arguments name the program: two for an applet that is called through its executable.
fn program_len(args: &[String]) -> usize {
    let is_applet = args.get(1).is_some_and(|arg| arg == "sysctl");
    if is_applet { 2 } else { 1 }
}

/// What an argument of sysctl(8) is.
enum Flag<'a> {
    /// Read the files of the system.
    System,
    /// Read the files that are named, the one in this argument first.
    Load(Option<&'a str>),
    /// The next argument belongs to it.
    WithValue,
    /// No options come after it.
    Rest,
    Other,
    /// No option.
    None,
}

/// As getopt_long(3) reads them: names may be shortened, and letters put together.
fn flag(arg: &str) -> Flag<'_> {
    if arg == "--" {
        return Flag::Rest;
    }
    if let Some(long) = arg.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        };
        let is = |whole: &str| whole.starts_with(name);
        return match value {
            None if is("system") => Flag::System,
            value if is("load") => Flag::Load(value),
            None if is("pattern") => Flag::WithValue,
            _ => Flag::Other,
        };
    }
    let Some(letters) = arg.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
        return Flag::None;
    };
    let mut found = Flag::Other;
    for (at, letter) in letters.char_indices() {
        let rest = letters.get(at + 1..).filter(|rest| !rest.is_empty());
        match letter {
            'p' => return Flag::Load(rest),
            'f' => found = Flag::Load(None),
            'r' if rest.is_none() => return Flag::WithValue,
            'r' => return found,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
