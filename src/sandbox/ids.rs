//! Numbers by chance that are the same in each run.

use rolecall_core::org::AccountId;

/// A counter of unique ids.
#[derive(Debug, Clone, Copy)]
pub struct Ids(pub u64);

impl Ids {
    /// A new unique id such as `AROA…`, 21 characters long.
    pub fn unique(&mut self, prefix: &str) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        self.0 += 1;
        let x = self.roll();
        let mut id = prefix.to_owned();
        let mut value = u128::from(x) << 64 | u128::from(x ^ (x >> 31));
        while id.len() < 21 {
            id.push(char::from(
                ALPHABET.get((value & 31) as usize).copied().unwrap_or(b'A'),
            ));
            value >>= 5;
        }
        id
    }

    /// A number that looks like chance, of this counter as it stands.
    pub fn roll(&self) -> u64 {
        // SplitMix64 spreads the counter, so that ids look like AWS's.
        let mut x = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x
    }

    /// `length` characters of a-z and 2-7, as the ids of Organizations are made of.
    pub fn lower(&mut self, length: usize) -> String {
        self.unique("")
            .to_lowercase()
            .chars()
            .take(length)
            .collect()
    }

    /// An account id.
    pub fn account(&mut self) -> AccountId {
        loop {
            let digits: String = self
                .unique("")
                .bytes()
                .map(|byte| char::from(b'0' + byte % 10))
                .take(12)
                .collect();
            if let Ok(id) = AccountId::parse(&digits) {
                return id;
            }
        }
    }
}
