//! Addresses of kernel objects, from /proc/kallsyms.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
};

use smol_str::SmolStr;

use crate::decode;

/// Where the kernel lists its symbols.
pub const KALLSYMS: &str = "/proc/kallsyms";

/// Addresses by name, of those names that were asked for, in the kernel and its modules. A name that
/// is there twice gives none: it is not known which is meant.
#[derive(Debug, Default)]
pub struct Symbols(HashMap<&'static str, u64>);

impl Symbols {
    /// Reads the list once.
    pub fn read(wanted: impl Iterator<Item = &'static str>) -> io::Result<Self> {
        Self::scan(File::open(KALLSYMS)?, wanted)
    }

    /// Picks the wanted names out of a list such as kallsyms.
    pub fn scan(
        mut list: impl Read,
        wanted: impl Iterator<Item = &'static str>,
    ) -> io::Result<Self> {
        let wanted: HashMap<&[u8], &'static str> =
            wanted.map(|name| (name.as_bytes(), name)).collect();
        let mut found = HashMap::new();
        let mut ambiguous = HashSet::new();
        let mut buffer = vec![0; 256 * 1024];
        let mut kept = 0;
        loop {
            let read = list.read(&mut buffer[kept..])?;
            if read == 0 {
                break;
            }
            let filled = kept + read;
            let whole = buffer[..filled]
                .iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |end| end + 1);
            for line in buffer[..whole].split(|&byte| byte == b'\n') {
                let Some((address, name)) = split(line) else {
                    continue;
                };
                if let Some(&name) = wanted.get(without_module(name))
                    && let Some(address) = parse(address)
                    && found
                        .insert(name, address)
                        .is_some_and(|before| before != address)
                {
                    ambiguous.insert(name);
                }
            }
            buffer.copy_within(whole..filled, 0);
            kept = filled - whole;
            if kept == buffer.len() {
                break;
            }
        }
        found.retain(|name, _| !ambiguous.contains(name));
        Ok(Self(found))
    }

    /// Address of a symbol; `None` where the kernel has none or hides it.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    /// Whether no address at all could be had.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Names of functions by their addresses, of those that were asked for, in modules too. Of several
/// names of one address the last.
pub fn names(wanted: &HashSet<u64>) -> io::Result<HashMap<u64, SmolStr>> {
    let mut names = HashMap::new();
    for line in BufReader::new(File::open(KALLSYMS)?).split(b'\n') {
        let line = line?;
        let Some((address, name)) = split(&line) else {
            continue;
        };
        if let Some(address) = parse(address)
            && wanted.contains(&address)
        {
            names.insert(address, decode::text_of(without_module(name)));
        }
    }
    Ok(names)
}

/// Address and name of a line: `ffffffff81000000 T name`; `\t[module]` follows in those of modules.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (address, rest) = line.split_at_checked(16)?;
    Some((address, rest.get(3..)?))
}

/// The name before `\t[module]`.
fn without_module(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'\t').next().unwrap_or(name)
}

/// The number; `None` for the zero that stands there where the kernel hides addresses.
fn parse(address: &[u8]) -> Option<u64> {
    let number = u64::from_str_radix(str::from_utf8(address).ok()?, 16).ok()?;
    (number != 0).then_some(number)
}
