//! Values of conditions as numbers, times and networks.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators".

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// How two numbers compare; integers exactly. `None` where one is not a number.
pub fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    match (a.trim().parse::<i128>(), b.trim().parse::<i128>()) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        _ => a
            .trim()
            .parse::<f64>()
            .ok()?
            .partial_cmp(&b.trim().parse().ok()?),
    }
}

/// Whether a text is a number.
pub fn is_number(text: &str) -> bool {
    compare_numbers(text, "0").is_some()
}

/// Whether a text is a time.
pub fn is_time(text: &str) -> bool {
    time(text).is_some()
}

/// How two times compare. `None` where one is not a time.
pub fn compare_times(a: &str, b: &str) -> Option<Ordering> {
    Some(time(a)?.cmp(&time(b)?))
}

/// An ISO 8601 date, a time of one, or seconds since 1970. Without a zone it is UTC.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // Four digits are a year of the W3C profile; no policy is about the first hours of 1970.
    if let Ok(seconds) = text.parse()
        && text.len() != 4
    {
        return Timestamp::from_second(seconds).ok();
    }
    let day = |date: Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    text.parse().ok().or_else(|| {
        // The W3C profile allows leaving the month, the day or the time out.
        let padded = match text.len() {
            4 => format!("{text}-01-01"),
            7 => format!("{text}-01"),
            _ => text.to_owned(),
        };
        day(padded.parse().ok()?)
    })
}

/// A range of IP addresses, `203.0.113.0/24`; an address alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Parses CIDR notation; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text
            .trim()
            .split_once('/')
            .map_or((text.trim(), None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(longest), str::parse).ok()?;
        (prefix <= longest).then_some(Self { address, prefix })
    }

    /// Whether some address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Whether its prefix is shorter than that of the family: `v4` bits, or `v6`.
    pub fn is_wider_than(&self, v4: u32, v6: u32) -> bool {
        self.prefix < if self.address.is_ipv4() { v4 } else { v6 }
    }

    /// Whether every address of `inner` is in this one.
    pub fn contains(&self, inner: &Self) -> bool {
        if self.prefix > inner.prefix {
            return false;
        }
        let differ = match (self.address, inner.address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                (a.to_bits() ^ b.to_bits())
                    .checked_shr(32 - self.prefix)
                    .unwrap_or(0)
                    != 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                (a.to_bits() ^ b.to_bits())
                    .checked_shr(128 - self.prefix)
                    .unwrap_or(0)
                    != 0
            }
            _ => true,
        };
        !differ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_exactly_and_as_numbers() {
        assert_eq!(
            compare_numbers("9007199254740993", "9007199254740992"),
            Some(Ordering::Greater)
        );
        assert_eq!(compare_numbers("10", "9.5"), Some(Ordering::Greater));
        assert_eq!(compare_numbers("3600", "3600.0"), Some(Ordering::Equal));
        assert_eq!(compare_numbers("x", "1"), None);
        assert_eq!(compare_numbers("NaN", "1"), None);
    }

    #[test]
    fn times_compare_in_every_documented_form() {
        for (a, b, expect) in [
            ("2030-01-01T00:00:00Z", "2030-01-01", Some(Ordering::Equal)),
            ("2030-01-01T00:00:00Z", "1893456000", Some(Ordering::Equal)),
            (
                "2030-01-01T01:00:00+01:00",
                "2030-01-01T00:00Z",
                Some(Ordering::Equal),
            ),
            ("2030-01", "2030-01-01", Some(Ordering::Equal)),
            ("2030", "2030-01-01", Some(Ordering::Equal)),
            ("2029", "2030-01-01", Some(Ordering::Less)),
            ("20", "1970", Some(Ordering::Greater)),
            ("2030", "2030-01-01T00:00:00Z", Some(Ordering::Equal)),
            ("2026-06-01", "2027", Some(Ordering::Less)),
            ("20300", "1970-01-01T05:38:20Z", Some(Ordering::Equal)),
            ("2029-12-31T23:59:59.5Z", "2030-01-01", Some(Ordering::Less)),
            ("soon", "2030-01-01", None),
            ("99999999999999999", "2030-01-01", None),
        ] {
            assert_eq!(compare_times(a, b), expect, "{a} {b}");
        }
    }

    #[test]
    fn networks_contain_networks_of_their_own_family() {
        for (outer, inner, expect) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.0.0/0", "11.1.2.3", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:DB8:0:1::/64", true),
            ("::/0", "2001:db8::1", true),
            ("10.1.2.3", "10.0.0.0/8", false),
            ("1.2.3.4", "1.2.3.4/32", true),
        ] {
            let [outer, inner] = [outer, inner].map(|text| Network::parse(text).expect(text));
            assert_eq!(outer.contains(&inner), expect, "{outer:?} {inner:?}");
        }
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/-1",
        ] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
