//! Yes, no, and unknown.

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Truth {
    #[default]
    No,
    Maybe,
    Yes,
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

impl Truth {
    pub(super) fn and(self, other: Self) -> Self {
        self.min(other)
    }

    pub(super) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
            Self::Yes => Self::No,
        }
    }

    pub(super) fn any(mut truths: impl Iterator<Item = Self>) -> Self {
        let mut strongest = Self::No;
        while let Some(truth) = truths.next().filter(|_| strongest != Self::Yes) {
            strongest = strongest.max(truth);
        }
        strongest
    }

    pub(super) fn all(truths: impl Iterator<Item = Self>) -> Self {
        Self::any(truths.map(Self::not)).not()
    }
}
