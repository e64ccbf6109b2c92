//! Values of a template that depend on its parameters, as expressions. What is constant is folded when it is made.

/// A variable of the desired state: its number in the table of variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarId(pub usize);

/// What every account knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    AccountId,
    ManagementAccount,
    Partition,
}

/// Something that no expression can say; the text around it becomes a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unsayable {
    StackId,
    Base64,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expr {
    /// A constant text.
    Text(String),
    /// A constant condition.
    Bool(bool),
    /// A variable, and whether it is a list.
    Var(VarId, bool),
    /// A fact of the account.
    Fact(Fact),
    /// What no expression can say.
    Unsayable(Unsayable),
    /// Texts one after the other.
    Concat(Vec<Expr>),
    /// A list of texts, and of lists whose items are put in.
    List(Vec<Item>),
    /// The items of a list with a text between them.
    Join(Box<Expr>, String),
    /// The parts of a text between a delimiter.
    Split(Box<Expr>, String),
    /// An item of a list.
    Index(Box<Expr>, usize),
    /// How many items a list has.
    Length(Box<Expr>),
    /// A value by a key.
    Lookup {
        /// Keys and values.
        entries: Vec<(String, Expr)>,
        /// The key.
        key: Box<Expr>,
        /// What holds for any other key.
        default: Option<Box<Expr>>,
    },
    /// One of two values, by a condition.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// Whether two values are equal.
    Eq(Box<Expr>, Box<Expr>),
    /// Whether a list has an item.
    Contains(Box<Expr>, Box<Expr>),
    /// The opposite.
    Not(Box<Expr>),
    /// Whether all hold.
    And(Vec<Expr>),
    /// Whether any holds.
    Or(Vec<Expr>),
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// One item.
    One(Expr),
    /// The items of a list.
    All(Expr),
}

impl Expr {
    /// A constant text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The constant text it is.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list of constant texts.
    pub fn as_texts(&self) -> Option<Vec<&str>> {
        let Self::List(items) = self else { return None };
        items
            .iter()
            .map(|item| match item {
                Item::One(expr) => expr.as_text(),
                Item::All(_) => None,
            })
            .collect()
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        match self {
            Self::List(_) | Self::Split(..) | Self::Var(_, true) => true,
            Self::If(_, yes, no) => yes.is_list() || no.is_list(),
            Self::Lookup { entries, .. } => entries.iter().any(|(_, value)| value.is_list()),
            _ => false,
        }
    }

    /// Whether it is a list that may have no item.
    pub fn may_be_empty(&self) -> bool {
        match self {
            Self::Var(_, true) => true,
            Self::List(items) => !items.iter().any(|item| matches!(item, Item::One(_))),
            Self::If(_, yes, no) => yes.may_be_empty() || no.may_be_empty(),
            _ => false,
        }
    }

    /// Texts one after the other.
    pub fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut joined: Vec<Self> = Vec::new();
        let mut add = |part: Self| match (joined.last_mut(), part) {
            (Some(Self::Text(before)), Self::Text(text)) => *before += &text,
            (_, Self::Text(text)) if text.is_empty() => {}
            (_, part) => joined.push(part),
        };
        for part in parts {
            match part {
                Self::Concat(inner) => inner.into_iter().for_each(&mut add),
                Self::Bool(value) => add(Self::text(value.to_string())),
                part => add(part),
            }
        }
        match joined.len() {
            0 => Self::text(""),
            1 => joined.remove(0),
            _ => Self::Concat(joined),
        }
    }

    /// A list of these texts.
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().map(Item::One).collect())
    }

    /// The items of a list with a text between them.
    pub fn join(list: Self, delimiter: &str) -> Self {
        match list {
            Self::List(items) if items.iter().all(|item| matches!(item, Item::One(_))) => {
                let mut parts = Vec::new();
                for item in items {
                    if let Item::One(expr) = item {
                        if !parts.is_empty() {
                            parts.push(Self::text(delimiter));
                        }
                        parts.push(expr);
                    }
                }
                Self::concat(parts)
            }
            Self::Split(text, by) if by == delimiter => *text,
            list => Self::Join(Box::new(list), delimiter.to_owned()),
        }
    }

    /// The parts of a text between a delimiter.
    pub fn split(text: Self, delimiter: &str) -> Self {
        match text {
            Self::Text(text) if !delimiter.is_empty() => {
                Self::list(text.split(delimiter).map(Self::text))
            }
            Self::Join(list, by) if by == delimiter => *list,
            text => Self::Split(Box::new(text), delimiter.to_owned()),
        }
    }

    /// An item of a list; `None` where a list that is known has no such item.
    pub fn index(list: Self, at: usize) -> Option<Self> {
        match list {
            Self::List(items) => {
                let known = items.iter().take(at + 1);
                let is_plain = known.clone().all(|item| matches!(item, Item::One(_)));
                match items.get(at) {
                    Some(Item::One(expr)) if is_plain => Some(expr.clone()),
                    None if is_plain => None,
                    _ => Some(Self::Index(Box::new(Self::List(items)), at)),
                }
            }
            Self::If(condition, yes, no) => {
                let (yes, no) = (Self::index(*yes, at)?, Self::index(*no, at)?);
                Some(Self::either(*condition, yes, no))
            }
            list => Some(Self::Index(Box::new(list), at)),
        }
    }

    /// One of two values, by a condition.
    pub fn either(condition: Self, yes: Self, no: Self) -> Self {
        match condition {
            Self::Bool(true) => yes,
            Self::Bool(false) => no,
            _ if yes == no => yes,
            condition => Self::If(Box::new(condition), Box::new(yes), Box::new(no)),
        }
    }

    /// Whether two values are equal, as texts.
    pub fn equals(left: Self, right: Self) -> Self {
        let text = |expr: Self| match expr {
            Self::Bool(value) => Self::text(value.to_string()),
            expr => expr,
        };
        match (text(left), text(right)) {
            (Self::Text(left), Self::Text(right)) => Self::Bool(left == right),
            (left, right) if left == right => Self::Bool(true),
            (Self::If(condition, yes, no), Self::Text(other))
            | (Self::Text(other), Self::If(condition, yes, no))
                if yes.as_text().is_some() && no.as_text().is_some() =>
            {
                let is = |branch: &Self| Self::Bool(branch.as_text() == Some(&other));
                match (is(&yes), is(&no)) {
                    (Self::Bool(true), Self::Bool(false)) => *condition,
                    (Self::Bool(false), Self::Bool(true)) => Self::negate(*condition),
                    (both, _) => both,
                }
            }
            (left, right) => Self::Eq(Box::new(left), Box::new(right)),
        }
    }

    /// The opposite of a condition.
    pub fn negate(condition: Self) -> Self {
        match condition {
            Self::Bool(value) => Self::Bool(!value),
            Self::Not(inner) => *inner,
            condition => Self::Not(Box::new(condition)),
        }
    }

    /// Whether all hold.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::gather(conditions, true)
    }

    /// Whether any holds.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::gather(conditions, false)
    }

    fn gather(conditions: impl IntoIterator<Item = Self>, all: bool) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        let mut pending: Vec<Self> = conditions.into_iter().collect();
        pending.reverse();
        while let Some(condition) = pending.pop() {
            match condition {
                Self::Bool(value) if value == all => {}
                Self::Bool(value) => return Self::Bool(value),
                Self::And(inner) if all => pending.extend(inner.into_iter().rev()),
                Self::Or(inner) if !all => pending.extend(inner.into_iter().rev()),
                condition if kept.contains(&condition) => {}
                condition if kept.contains(&Self::negate(condition.clone())) => {
                    return Self::Bool(!all);
                }
                condition => kept.push(condition),
            }
        }
        match kept.len() {
            0 => Self::Bool(all),
            1 => kept.remove(0),
            _ if all => Self::And(kept),
            _ => Self::Or(kept),
        }
    }

    /// A condition, where others are known to hold or not.
    pub fn given(&self, known: &[(Self, bool)]) -> Self {
        if let Some((_, value)) = known.iter().find(|(condition, _)| condition == self) {
            return Self::Bool(*value);
        }
        match self {
            Self::Not(inner) => Self::negate(inner.given(known)),
            Self::And(inner) => Self::all(inner.iter().map(|it| it.given(known))),
            Self::Or(inner) => Self::any(inner.iter().map(|it| it.given(known))),
            condition => condition.clone(),
        }
    }

    /// The parts it is made of.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Text(_) | Self::Bool(_) | Self::Var(..) | Self::Fact(_) | Self::Unsayable(_) => {
                Vec::new()
            }
            Self::Concat(inner) | Self::And(inner) | Self::Or(inner) => inner.iter().collect(),
            Self::List(items) => items
                .iter()
                .map(|item| match item {
                    Item::One(expr) | Item::All(expr) => expr,
                })
                .collect(),
            Self::Join(inner, _)
            | Self::Split(inner, _)
            | Self::Index(inner, _)
            | Self::Length(inner)
            | Self::Not(inner) => vec![inner],
            Self::Lookup {
                entries,
                key,
                default,
            } => {
                let values = entries.iter().map(|(_, value)| value);
                values
                    .chain([key.as_ref()])
                    .chain(default.as_deref())
                    .collect()
            }
            Self::If(condition, yes, no) => vec![condition, yes, no],
            Self::Eq(left, right) | Self::Contains(left, right) => vec![left, right],
        }
    }

    /// Whether some part of it is as `is` says.
    pub fn has(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self) || self.children().into_iter().any(|child| child.has(is))
    }

    /// How large it is.
    pub fn size(&self) -> usize {
        1 + self.children().into_iter().map(Self::size).sum::<usize>()
    }

    /// What in it cannot be said.
    pub fn unsayable(&self) -> Option<Unsayable> {
        match self {
            Self::Unsayable(what) => Some(*what),
            other => other.children().into_iter().find_map(Self::unsayable),
        }
    }
}
