//! Pages in the order in which a kernel looks at them.

/// Where the pages lie that a kernel looks at in one go.
pub trait PageRow: Copy {
    /// The address of a page; also one behind the row's end, for a prefetch that may come to nothing.
    fn page(&self, index: usize) -> *const u8;
}

/// Neighbouring pages.
#[derive(Clone, Copy)]
pub struct Run {
    pub first: *const u8,
    pub page_size_bytes: usize,
}

impl PageRow for Run {
    #[inline(always)]
    fn page(&self, index: usize) -> *const u8 {
        self.first.wrapping_add(index * self.page_size_bytes)
    }
}

/// Pages by their indexes, and behind them those that will be looked at next. There is at least one.
#[derive(Clone, Copy)]
pub struct Listed<'a> {
    pub base: *const u8,
    pub page_size_bytes: usize,
    pub pages: &'a [u64],
}

impl PageRow for Listed<'_> {
    #[inline(always)]
    fn page(&self, index: usize) -> *const u8 {
        let page = self.pages[index.min(self.pages.len() - 1)];
        self.base.wrapping_add(page as usize * self.page_size_bytes)
    }
}
