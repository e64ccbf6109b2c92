//! `[[check]]`, `[lints]`, `without`, `when` and `[[role.expect]]`.

use super::*;
