//! How never-touched pages are found, in words that JavaScript uses too.

use std::borrow::Cow;

/// A way to ask the page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    PagemapScan,
    Mincore,
    Pagemap,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::PagemapScan => "pagemap-scan",
            Self::Mincore => "mincore",
            Self::Pagemap => "pagemap",
        }
    }
}

/// What the caller wishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Ask the page tables where that is cheap beside reading. Of a part of much memory it is, also where the part is small.
    Auto { part_of_much: bool },
    /// Read everything.
    Read,
    /// Ask the page tables by this way, whatever it costs.
    Only(Way),
}

impl Wish {
    pub fn of_name(name: &str, part_of_much: bool) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto { part_of_much }),
            "read" => Some(Self::Read),
            _ => [Way::PagemapScan, Way::Mincore, Way::Pagemap]
                .into_iter()
                .find(|way| way.name() == name)
                .map(Self::Only),
        }
    }
}

/// What comes of a wish to ask.
pub enum Asked<T> {
    /// They can be asked; the words say why in no better way, and are empty where there is none.
    Of(T, Cow<'static, str>),
    /// Everything is read, because of this.
    Not(Cow<'static, str>),
    /// The way that was wished for is not there, because of this.
    Unsupported(Cow<'static, str>),
}
