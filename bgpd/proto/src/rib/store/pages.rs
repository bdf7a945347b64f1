//! A list that grows page by page: what is in it never moves to a place twice as large, so that a table of a million
//! entries is not for a moment one of two.

/// Entries of a page.
const PAGE: usize = 1 << 13;

/// Values by number. The first page grows as a list does: a small table stays small.
#[derive(Clone, Debug)]
pub struct Pages<T> {
    pages: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Copy> Pages<T> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Appends a value; its number is the length before.
    pub fn push(&mut self, value: T) {
        if self.len.is_multiple_of(PAGE) {
            let room = if self.len == 0 { 4 } else { PAGE };
            self.pages.push(Vec::with_capacity(room));
        }
        if let Some(page) = self.pages.last_mut() {
            page.push(value);
            self.len += 1;
        }
    }

    /// The value of a number that was given out.
    pub fn get(&self, number: u32) -> &T {
        &self.pages[number as usize / PAGE][number as usize % PAGE]
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.pages[number as usize / PAGE][number as usize % PAGE]
    }

    /// Takes the last value out.
    pub fn pop(&mut self) {
        if let Some(page) = self.pages.last_mut() {
            self.len -= usize::from(page.pop().is_some());
            if page.is_empty() {
                self.pages.pop();
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
