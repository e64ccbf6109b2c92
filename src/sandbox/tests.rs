//! The sandbox as its callers meet it: through the real SDK.
#![allow(clippy::unwrap_used)]

use super::*;
