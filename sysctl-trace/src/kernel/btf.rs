//! A look-up of struct members in BTF, the kernel's description of its own types.
//!
//! One pass over the bytes, without copies: the offsets are needed once, at the start, and neither
//! time nor memory is to be spent on the other hundred thousand types. (The crate `btfparse` gives
//! the same answers, but builds a tree of all types: 150 ms for a kernel of today, a third of what
//! the tracer may take until it is attached.)
//!
//! Format: Documentation/bpf/btf.rst in the kernel's sources.

use std::collections::HashMap;

/// A description of types, over bytes such as those of /sys/kernel/btf/vmlinux.
pub struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Where each type begins in `types`, by type id. Id 0 is void and has no place.
    places: Vec<u32>,
    /// Ids of the types that were asked for, by name.
    named: HashMap<&'a [u8], u32>,
    /// Ids of the functions that were asked for.
    functions: Vec<(&'a [u8], u32)>,
}

/// Why bytes are not BTF that can be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The magic number at the beginning is another.
    #[error("this is no BTF of a little-endian kernel (magic number {0:#06x})")]
    Magic(u16),
    /// Something points behind the end.
    #[error("the BTF is cut off or damaged (type {0})")]
    Truncated(u32),
    /// A kind of type that this program does not know the size of.
    #[error("the BTF has a type of an unknown kind ({kind}, type {id})")]
    Kind {
        /// The kind's number.
        kind: u32,
        /// The type's id.
        id: u32,
    },
}

const MAGIC: u16 = 0xeb9f;
const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FORWARD: u32 = 7;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// Bytes of a type's fixed part: name, info, size or type.
const HEAD: usize = 12;
/// Bytes of a member of a struct or union.
const MEMBER: usize = 12;

struct Head {
    name: u32,
    kind: u32,
    /// Members, values or parameters.
    len: usize,
    /// The members' offsets also hold the width of bit fields.
    bit_fields: bool,
    /// Size in bytes, or the id of the type referred to.
    size_or_type: u32,
}

impl<'a> Btf<'a> {
    /// Finds the structs, unions and enums, and the functions, of the given names.
    pub fn parse(bytes: &'a [u8], names: &[&str], functions: &[&str]) -> Result<Self, Error> {
        let magic = bytes
            .first_chunk::<2>()
            .map_or(0, |raw| u16::from_le_bytes(*raw));
        if magic != MAGIC {
            return Err(Error::Magic(magic));
        }
        let field = |place| u32_at(bytes, place).map(|value| value as usize);
        let section = |offset: usize, len: usize| {
            let begin = field(4)?.checked_add(field(offset)?)?;
            bytes.get(begin..begin.checked_add(field(len)?)?)
        };
        let mut btf = Self {
            types: section(8, 12).ok_or(Error::Truncated(0))?,
            strings: section(16, 20).ok_or(Error::Truncated(0))?,
            places: vec![0],
            named: HashMap::new(),
            functions: Vec::new(),
        };
        btf.index(names, functions)?;
        Ok(btf)
    }

    fn index(&mut self, names: &[&str], functions: &[&str]) -> Result<(), Error> {
        let mut place = 0;
        while place < self.types.len() {
            let id = self.places.len() as u32;
            let head = self.head_at(place).ok_or(Error::Truncated(id))?;
            self.places.push(place as u32);
            let wanted = match head.kind {
                KIND_STRUCT | KIND_UNION | KIND_ENUM | KIND_ENUM64 => names,
                KIND_FUNC => functions,
                _ => &[],
            };
            if !wanted.is_empty() {
                let name = self.string(head.name).ok_or(Error::Truncated(id))?;
                if wanted.iter().any(|wanted| wanted.as_bytes() == name) {
                    if head.kind == KIND_FUNC {
                        self.functions.push((name, id));
                    } else {
                        self.named.entry(name).or_insert(id);
                    }
                }
            }
            let tail = tail(&head).ok_or(Error::Kind {
                kind: head.kind,
                id,
            })?;
            place += HEAD + tail;
        }
        Ok(())
    }

    /// BTF in which the functions that were asked for have the ids that they have here, and all
    /// else is empty. A loader that only looks for functions reads it without the time and memory
    /// that the whole takes.
    pub fn functions_only(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut types = Vec::with_capacity(self.places.len() * HEAD);
        let mut functions = self.functions.iter().peekable();
        for id in 1..self.places.len() as u32 {
            let mut head = [0, KIND_FORWARD << 24, 0];
            if let Some((name, _)) = functions.next_if(|(_, function)| *function == id) {
                head = [strings.len() as u32, KIND_FUNC << 24, 0];
                strings.extend_from_slice(name);
                strings.push(0);
            }
            types.extend(head.into_iter().flat_map(u32::to_le_bytes));
        }
        let (types_len, strings_len) = (types.len() as u32, strings.len() as u32);
        let mut btf = Vec::with_capacity(24 + types.len() + strings.len());
        btf.extend(MAGIC.to_le_bytes());
        // Version 1, no flags, header of 24 bytes; the types, then the strings.
        btf.extend([1, 0]);
        let header = [24, 0, types_len, types_len, strings_len];
        btf.extend(header.into_iter().flat_map(u32::to_le_bytes));
        btf.extend(types);
        btf.extend(strings);
        btf
    }

    /// Size of a struct or union in bytes.
    pub fn size_of(&self, name: &str) -> Option<u32> {
        let id = *self.named.get(name.as_bytes())?;
        Some(self.head(id)?.size_or_type)
    }

    /// Offset in bytes of a member from the beginning of a struct; `path` may lead through members
    /// of members (`core.sysctl_somaxconn`).
    pub fn offset_of(&self, name: &str, path: &str) -> Option<u32> {
        self.member(name, path).map(|(offset, _)| offset)
    }

    /// Size in bytes of a member that is an integer, struct or union.
    pub fn size_of_member(&self, name: &str, path: &str) -> Option<u32> {
        let (_, id) = self.member(name, path)?;
        Some(self.head(self.resolve(id)?)?.size_or_type)
    }

    /// The value that an enum gives a name.
    pub fn enum_value(&self, name: &str, variant: &str) -> Option<u32> {
        let id = *self.named.get(name.as_bytes())?;
        let head = self.head(id)?;
        let first = *self.places.get(id as usize)? as usize + HEAD;
        let step = if head.kind == KIND_ENUM { 8 } else { 12 };
        (0..head.len)
            .map(|index| first + index * step)
            .find(|&place| {
                u32_at(self.types, place).and_then(|name| self.string(name))
                    == Some(variant.as_bytes())
            })
            .and_then(|place| u32_at(self.types, place + 4))
    }

    fn member(&self, name: &str, path: &str) -> Option<(u32, u32)> {
        let mut id = *self.named.get(name.as_bytes())?;
        let mut offset = 0;
        for step in path.split('.') {
            let (bits, member) = self.find(self.resolve(id)?, step.as_bytes(), 0)?;
            offset += bits / 8;
            id = member;
        }
        Some((offset, id))
    }

    /// Looks for a member, also within those that have no name. Bits from the beginning, and type.
    fn find(&self, id: u32, name: &[u8], depth: u32) -> Option<(u32, u32)> {
        let head = self.head(id)?;
        if !matches!(head.kind, KIND_STRUCT | KIND_UNION) || depth > 16 {
            return None;
        }
        let first = *self.places.get(id as usize)? as usize + HEAD;
        for index in 0..head.len {
            let place = first + index * MEMBER;
            let member_name = self.string(u32_at(self.types, place)?)?;
            let member_type = u32_at(self.types, place + 4)?;
            let mut bits = u32_at(self.types, place + 8)?;
            if head.bit_fields {
                bits &= 0x00ff_ffff;
            }
            if member_name == name {
                return Some((bits, member_type));
            }
            if member_name.is_empty() {
                let inner = self
                    .resolve(member_type)
                    .and_then(|id| self.find(id, name, depth + 1));
                if let Some((inner, type_)) = inner {
                    return Some((bits + inner, type_));
                }
            }
        }
        None
    }

    /// Follows typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<u32> {
        for _ in 0..32 {
            let head = self.head(id)?;
            match head.kind {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_TYPE_TAG => id = head.size_or_type,
                _ => return Some(id),
            }
        }
        None
    }

    fn head(&self, id: u32) -> Option<Head> {
        if id == 0 {
            return None;
        }
        self.head_at(*self.places.get(id as usize)? as usize)
    }

    fn head_at(&self, place: usize) -> Option<Head> {
        let info = u32_at(self.types, place + 4)?;
        Some(Head {
            name: u32_at(self.types, place)?,
            kind: (info >> 24) & 0x1f,
            len: (info & 0xffff) as usize,
            bit_fields: info >> 31 != 0,
            size_or_type: u32_at(self.types, place + 8)?,
        })
    }

    fn string(&self, offset: u32) -> Option<&'a [u8]> {
        let from = self.strings.get(offset as usize..)?;
        let len = from.iter().position(|&byte| byte == 0)?;
        from.get(..len)
    }
}

/// Bytes that follow the fixed part of a type; `None` for an unknown kind.
fn tail(head: &Head) -> Option<usize> {
    Some(match head.kind {
        KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
        KIND_ARRAY => 12,
        KIND_STRUCT | KIND_UNION => head.len * MEMBER,
        KIND_ENUM | KIND_FUNC_PROTO => head.len * 8,
        KIND_DATASEC | KIND_ENUM64 => head.len * 12,
        // Pointer, forward, typedef, volatile, const, restrict, function, float, type tag.
        2 | 7..=12 | 16 | KIND_TYPE_TAG => 0,
        _ => return None,
    })
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    let raw = bytes.get(place..place.checked_add(4)?)?;
    raw.first_chunk::<4>().map(|raw| u32::from_le_bytes(*raw))
}

#[cfg(test)]
#[path = "btf_tests.rs"]
mod tests;
