//! A fake AWS for the tests of this module: a connector that answers from a function.
