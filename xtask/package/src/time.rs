//! The one time that a package carries: in DriverVer, in its signatures, in its catalogue.

use std::time::Duration;

use ::der::DateTime;

/// A point in time, in UTC and whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(DateTime);

impl Timestamp {
    /// The time `seconds` after the beginning of 1970; `None` beyond the year 2049, where UTCTime ends.
    #[must_use]
    pub fn from_unix(seconds: u64) -> Option<Self> {
        let time = DateTime::from_unix_duration(Duration::from_secs(seconds)).ok()?;
        (time.year() < 2050).then_some(Self(time))
    }

    /// As `DriverVer` has it: month, day, year. [INF DriverVer
    /// directive](https://learn.microsoft.com/windows-hardware/drivers/install/inf-driverver-directive). In UTC, so that it is
    /// never in the future for Inf2Cat, which reckons in UTC.
    #[must_use]
    pub fn driver_date(self) -> String {
        let Self(time) = self;
        format!("{:02}/{:02}/{:04}", time.month(), time.day(), time.year())
    }

    /// The content of a UTCTime (X.680, 47): two digits each, and Z.
    pub(crate) fn utc_time(self) -> String {
        let Self(time) = self;
        let (year, month, day) = (time.year() % 100, time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minutes(), time.seconds());
        format!("{year:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn time_is_written_in_utc() {
        let time = Timestamp::from_unix(1_764_466_509).unwrap();
        assert_eq!((time.driver_date().as_str(), time.utc_time().as_str()), ("11/30/2025", "251130013509Z"));
    }

    #[test]
    fn time_beyond_utc_time_is_refused() {
        assert_eq!(Timestamp::from_unix(2_600_000_000), None);
    }
}
