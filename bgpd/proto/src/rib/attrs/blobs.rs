//! Octets of attribute sets, packed into pages. A freed place is taken again by the next set of about its size.

/// A place is a number of these.
const GRAIN: usize = 8;
/// Octets of a page: the longest set, whatever the wire's two-octet AS numbers grow to, fits into one.
const PAGE: usize = 256 * 1024;
/// Sizes in grains up to here are exact; above, the next power of two.
const EXACT: usize = 128;
const CLASSES: usize = EXACT + 16;
const NOWHERE: u32 = u32::MAX;

/// The octets.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    pages: Vec<Vec<u8>>,
    /// First free place of each class; each holds the next one in its first four octets.
    free: [u32; CLASSES],
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            free: [NOWHERE; CLASSES],
        }
    }
}

impl Blobs {
    /// The longest that can be stored.
    pub const LONGEST: usize = PAGE / 2;

    /// Stores octets; the answer is where. Longer ones than [`Blobs::LONGEST`] are cut off.
    pub fn put(&mut self, bytes: &[u8]) -> u32 {
        let bytes = &bytes[..bytes.len().min(Self::LONGEST)];
        let (class, size) = class(bytes.len());
        let free = self.free[class];
        if free != NOWHERE {
            let place = self.place_mut(free, size);
            let next = place
                .first_chunk::<4>()
                .map_or(NOWHERE, |next| u32::from_le_bytes(*next));
            place[..bytes.len()].copy_from_slice(bytes);
            self.free[class] = next;
            return free;
        }
        if self.pages.last().is_none_or(|page| page.len() + size > PAGE) {
            // The first page of a small speaker stays small.
            let room = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(room));
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let at = number * (PAGE / GRAIN) + page.len() / GRAIN;
        page.extend_from_slice(bytes);
        page.resize(page.len() + size - bytes.len(), 0);
        // Thirty-two gigabytes of attributes do not fit into any machine that this runs on.
        at as u32
    }

    /// What was stored there.
    pub fn get(&self, at: u32, length: usize) -> &[u8] {
        let (page, start) = split(at);
        &self.pages[page][start..start + length]
    }

    /// Gives a place back.
    pub fn free(&mut self, at: u32, length: usize) {
        let (class, size) = class(length);
        let next = std::mem::replace(&mut self.free[class], at);
        self.place_mut(at, size)[..4].copy_from_slice(&next.to_le_bytes());
    }

    /// Gives everything back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn place_mut(&mut self, at: u32, size: usize) -> &mut [u8] {
        let (page, start) = split(at);
        &mut self.pages[page][start..start + size]
    }
}

fn split(at: u32) -> (usize, usize) {
    let grains = PAGE / GRAIN;
    (at as usize / grains, at as usize % grains * GRAIN)
}

/// Class and room of so many octets.
fn class(length: usize) -> (usize, usize) {
    let grains = length.div_ceil(GRAIN).max(1);
    if grains <= EXACT {
        (grains - 1, grains * GRAIN)
    } else {
        let room = grains.next_power_of_two();
        let class = EXACT + (room / EXACT).ilog2() as usize;
        (class, room * GRAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again() {
        let mut blobs = Blobs::default();
        let (a, b) = (blobs.put(&[1; 20]), blobs.put(&[2; 5000]));
        assert_eq!(
            (blobs.get(a, 20), blobs.get(b, 5000)),
            (&[1; 20][..], &[2; 5000][..])
        );
        blobs.free(b, 5000);
        blobs.free(a, 20);
        assert_eq!(blobs.put(&[3; 24]), a);
        assert_eq!(blobs.put(&[4; 6000]), b);
        assert_ne!(blobs.put(&[5; 24]), a);
        assert_eq!(blobs.get(a, 24), &[3; 24]);
    }

    #[test]
    fn the_longest_fits() {
        let mut blobs = Blobs::default();
        for _ in 0..5 {
            let at = blobs.put(&vec![7; Blobs::LONGEST]);
            assert_eq!(blobs.get(at, Blobs::LONGEST).len(), Blobs::LONGEST);
        }
    }
}
