//! A day of the calendar.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A day in UTC, written `2026-12-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
pub struct Day {
    year: u16,
    month: u8,
    of_month: u8,
}

impl Day {
    /// The day of a time as RFC 3339 has it in UTC, like `2026-12-31T23:59:59Z`; `None` where it is
    /// none.
    pub fn of_time(time: &str) -> Option<Self> {
        time.strip_suffix('Z')?.split_once('T')?.0.parse().ok()
    }

    const fn length(year: u16, month: u8) -> u8 {
        match month {
            4 | 6 | 9 | 11 => 30,
            2 if year.is_multiple_of(4)
                && (!year.is_multiple_of(100) || year.is_multiple_of(400)) =>
            {
                29
            }
            2 => 28,
            _ => 31,
        }
    }
}

impl FromStr for Day {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a day is written like 2026-12-31";
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts.as_slice() else { return Err(FORM) };
        let is_number = |text: &str, digits: usize| {
            text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(year, 4) || !is_number(month, 2) || !is_number(day, 2) {
            return Err(FORM);
        }
        let year = year.parse().map_err(|_| FORM)?;
        let (month, day) = (month.parse().map_err(|_| FORM)?, day.parse().map_err(|_| FORM)?);
        if !(1..=12).contains(&month) || day == 0 || day > Self::length(year, month) {
            return Err("no such day");
        }
        Ok(Self { year, month, of_month: day })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.of_month)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_print_and_compare() {
        for text in ["2026-12-31", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert_eq!(text.parse::<Day>().map(|day| day.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-04-31",
            "2026-1-1",
            "",
            "x",
            "2026-12-31T00:00:00Z",
            "+026-12-31",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        let day = |text: &str| text.parse::<Day>().expect("a day");
        assert!(day("2026-12-31") < day("2027-01-01") && day("2026-09-30") < day("2026-10-01"));
        assert_eq!(Day::of_time("2026-12-31T23:59:59Z"), Some(day("2026-12-31")));
        assert_eq!(Day::of_time("then"), None);
    }
}
