//! What differs between desired and live.
