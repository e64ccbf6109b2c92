//! The desired state as its author wrote it, and how it becomes [`Desired`](crate::desired::Desired).
