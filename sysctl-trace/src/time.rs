//! From the kernel's clock to time of day, as text.

use std::{borrow::Cow, fmt, ops::Deref};

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

/// Characters of a moment: `2026-11-22T07:40:34.939150120Z`.
const LEN: usize = 30;
/// Where the nine digits begin.
const DIGITS: usize = 20;
const NANOS: i128 = 1_000_000_000;

/// A moment as RFC 3339 in UTC, with nine digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub struct Moment(#[schemars(with = "String")] [u8; LEN]);

impl Moment {
    /// From nanoseconds since 1970. Years beyond four digits give 1970.
    pub fn new(unix_ns: i128) -> Self {
        let moment = Timestamp::from_nanosecond(unix_ns).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut text = String::with_capacity(LEN);
        // Writing to a String does not fail.
        let _ = PRINTER.print_timestamp(&moment, &mut text);
        text.as_bytes()
            .try_into()
            .map_or_else(|_| Self::new(0), Self)
    }
}

impl Moment {
    /// So many nanoseconds before.
    #[must_use]
    pub fn earlier(&self, by_ns: u64) -> Self {
        let unix_ns = self
            .parse()
            .map_or(0, |moment: Timestamp| moment.as_nanosecond());
        Self::new(unix_ns.saturating_sub(i128::from(by_ns)))
    }
}

impl Deref for Moment {
    type Target = str;

    fn deref(&self) -> &str {
        // Made from text, and only digits were changed.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let moment: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(Self::new(moment.as_nanosecond()))
    }
}

/// When the machine booted, in nanoseconds since 1970: what must be added to CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(pub i128);

impl Epoch {
    /// A moment since boot.
    pub fn moment(self, boottime_ns: u64) -> Moment {
        Moment::new(self.unix_ns(boottime_ns))
    }

    fn unix_ns(self, boottime_ns: u64) -> i128 {
        self.0.saturating_add(i128::from(boottime_ns))
    }
}

/// Moments one after the other: within the same second only the digits are new.
#[derive(Debug)]
pub struct Clock {
    epoch: Epoch,
    second: i128,
    last: Moment,
}

impl Clock {
    /// A clock by which the machine booted at `epoch`.
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            second: 0,
            last: Moment::new(0),
        }
    }

    /// Sets the clock, after the time of day was.
    pub fn set(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// A moment since boot.
    pub fn moment(&mut self, boottime_ns: u64) -> Moment {
        let unix_ns = self.epoch.unix_ns(boottime_ns);
        let second = unix_ns.div_euclid(NANOS);
        if second == self.second {
            let mut rest = unix_ns.rem_euclid(NANOS) as u32;
            for digit in self.last.0[DIGITS..LEN - 1].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        } else {
            self.second = second;
            self.last = Moment::new(unix_ns);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch(1_795_333_234_000_000_000);

    #[test]
    fn nine_digits_always() {
        assert_eq!(
            &*EPOCH.moment(939_150_120),
            "2026-11-22T07:40:34.939150120Z"
        );
        assert_eq!(&*EPOCH.moment(0), "2026-11-22T07:40:34.000000000Z");
    }

    #[test]
    fn a_clock_says_the_same_as_each_moment_alone() {
        let mut clock = Clock::new(EPOCH);
        for ns in [
            0,
            1,
            999_999_999,
            1_000_000_000,
            59_000_000_000,
            1,
            86_400_000_000_123,
        ] {
            assert_eq!(clock.moment(ns), EPOCH.moment(ns));
        }
        clock.set(Epoch(-1));
        assert_eq!(&*clock.moment(0), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(&*clock.moment(1), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn what_is_beyond_all_time_is_1970() {
        assert_eq!(&*Moment::new(i128::MAX), "1970-01-01T00:00:00.000000000Z");
    }
}
