//! From the kernel's clock to time of day, as text.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use smol_str::SmolStr;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

/// When the machine booted, in nanoseconds since 1970: what must be added to CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub i128);

impl Epoch {
    /// A moment since boot as RFC 3339 in UTC, with nine digits.
    pub fn timestamp(self, boottime_ns: u64) -> SmolStr {
        let nanos = self.0.saturating_add(i128::from(boottime_ns));
        let moment = Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut text = String::with_capacity(30);
        // Writing to a String does not fail.
        let _ = PRINTER.print_timestamp(&moment, &mut text);
        SmolStr::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_digits_always() {
        let epoch = Epoch(1_795_333_234_000_000_000);
        assert_eq!(
            epoch.timestamp(939_150_120),
            "2026-11-22T07:40:34.939150120Z"
        );
        assert_eq!(epoch.timestamp(0), "2026-11-22T07:40:34.000000000Z");
    }
}
