//! Sizes in bytes as people write them: `8MiB`, `64K`, `4096`.

/// Why a size can't be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a number with a unit.
    #[error("not a size; examples: 8MiB, 512K, 65536")]
    Syntax,
    /// Powers of a thousand are of no use here.
    #[error("{0} counts in thousands; use {1}iB or {1} for powers of two")]
    Decimal(String, char),
    /// More than 64 bits.
    #[error("too large")]
    TooLarge,
}

/// Reads a size.
pub fn parse(text: &str) -> Result<u64, Error> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(Error::Syntax);
    }
    let number: u64 = number.parse().map_err(|_| Error::TooLarge)?;
    let unit = unit.trim_start();
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "kb" => return Err(Error::Decimal(unit.into(), 'K')),
        "mb" => return Err(Error::Decimal(unit.into(), 'M')),
        "gb" => return Err(Error::Decimal(unit.into(), 'G')),
        _ => return Err(Error::Syntax),
    };
    number.checked_mul(1 << shift).ok_or(Error::TooLarge)
}

/// Writes a size that [`parse`] reads, with the largest unit that divides it.
pub fn text(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes > 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
#[path = "size_tests.rs"]
mod tests;
