//! Values by number, whose numbers are given out again.

use super::Pages;

/// Values by number. A place whose value was removed keeps what it has until the number is given out again: whoever looks at all
/// places can tell by the value.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    places: Pages<T>,
    free: Vec<u32>,
    live: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            places: Pages::default(),
            free: Vec::new(),
            live: 0,
        }
    }
}

impl<T: Copy> Slab<T> {
    /// Takes a value in; its number.
    pub fn insert(&mut self, value: T) -> u32 {
        self.live += 1;
        match self.free.pop() {
            Some(number) => {
                *self.places.get_mut(number) = value;
                number
            }
            None => {
                self.places.push(value);
                self.end() - 1
            }
        }
    }

    /// Gives a number back. With the last one all places go.
    pub fn remove(&mut self, number: u32) {
        self.free.push(number);
        self.live -= 1;
        if self.live == 0 {
            self.places.clear();
            self.free = Vec::new();
        }
    }

    /// The value of a number that was given out.
    #[inline]
    pub fn get(&self, number: u32) -> &T {
        self.places.get(number)
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, number: u32) -> &mut T {
        self.places.get_mut(number)
    }

    /// One more than the highest number.
    pub fn end(&self) -> u32 {
        self.places.len() as u32
    }

    /// How many values there are.
    pub fn live(&self) -> usize {
        self.live
    }

    /// All places, those of removed values too.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..self.end()).map(|number| (number, self.get(number)))
    }
}
