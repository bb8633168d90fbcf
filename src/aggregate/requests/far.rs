//! The identities of requests that were settled long ago, in as little memory as they fit in.

use std::collections::VecDeque;

/// The identities of requests that were settled before those of late. Two captures of one log can repeat
/// each other over a long distance, and a repeat is told by its identity alone.
///
/// They come in generations, and the oldest is forgotten when one comes that there is no room for: that
/// depends on nothing but the order of the input. They lie one behind the other, those that begin alike together,
/// older ones first; so nothing is kept free for more, the bytes they begin with need not be kept, and
/// what is there is never held twice while the set grows.
#[derive(Default)]
pub(super) struct Far {
    /// Where the hashes begin that begin with each two bytes, and behind them where the last ones end.
    starts: Vec<u32>,
    /// The next two bytes of each, in the order of `starts`: those that begin alike fill one line of the cache.
    /// Behind the last stands an empty row.
    shorts: Vec<u16>,
    /// The last four bytes of each.
    rests: Vec<u32>,
    /// How many hashes of each generation begin with each two bytes; the oldest generation first.
    generations: VecDeque<Vec<u8>>,
}

/// So many that begin alike are compared in one go. More than that there hardly ever are: half as many, when it
/// is full.
const ROW: usize = 64;

/// How many ways there are to begin.
const BUCKETS: usize = 1 << 16;

/// In so many parts hashes are added.
const PARTS: usize = 4;

const fn bucket_of(hash: u64) -> usize {
    (hash >> 48) as usize
}

const fn short_of(hash: u64) -> u16 {
    (hash >> 32) as u16
}

const fn rest_of(hash: u64) -> u32 {
    hash as u32
}

impl Far {
    /// So many generations are remembered. With those that a [window](super::window::Window) hands on, each identity
    /// six bytes, they take eleven megabytes.
    pub(super) const GENERATIONS: usize = 8;

    const fn len(&self) -> usize {
        self.rests.len()
    }

    /// Whether one of these may be there; mostly none is, and then none is said to be. Each is a few misses of the
    /// cache, and here nothing waits for what another finds. Those that begin alike are compared in one go, however
    /// many there are.
    pub(super) fn may_hold_one(&self, identities: impl Iterator<Item = u64>) -> bool {
        let mut found = false;
        if self.len() > 0 {
            for hash in identities {
                let bucket = bucket_of(hash);
                let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
                let short = short_of(hash);
                let row: &[u16; ROW] = self.shorts[start..].first_chunk().expect("a row behind every start");
                found |= row.iter().fold(false, |any, &other| any | (other == short)) | (end - start > ROW);
            }
        }
        found
    }

    pub(super) fn contains(&self, identity: u64) -> bool {
        let bucket = bucket_of(identity);
        let Some(&[start, end]) = self.starts.get(bucket..bucket + 2) else { return false };
        let (start, end) = (start as usize, end as usize);
        let (short, rest) = (short_of(identity), rest_of(identity));
        let mut both = self.shorts[start..end].iter().zip(&self.rests[start..end]);
        both.any(|(&other, &others)| other == short && others == rest)
    }

    /// Takes over a generation of requests, all or none: hashes differ from run to run, so that no order
    /// within it means anything. One that is there already, because it had been given up and was settled after all,
    /// is there twice, and forgotten when the younger is.
    pub(super) fn extend(&mut self, new: impl ExactSizeIterator<Item = u64> + Clone) {
        if self.generations.len() == Self::GENERATIONS {
            self.forget_oldest();
        }
        let count = self.len() + new.len();
        self.starts.resize(BUCKETS + 1, 0);
        // At once, or the lists would be copied as they grow, and with less than what is there free behind them.
        let room = (new.len() * Self::GENERATIONS).max(count);
        self.shorts.reserve_exact((room + ROW).saturating_sub(self.shorts.len()));
        self.rests.reserve_exact(room - self.rests.len());
        self.shorts.resize(count + ROW, 0);
        self.rests.resize(count, 0);
        let mut counts = vec![0; BUCKETS];
        let mut free = count;
        // A few at a time, since the allocator may well keep what was freed.
        for buckets in (0..BUCKETS).step_by(BUCKETS / PARTS).rev().map(|first| first..first + BUCKETS / PARTS) {
            let mut part: Vec<u64> = new.clone().filter(|hash| buckets.contains(&bucket_of(*hash))).collect();
            part.sort_unstable();
            for bucket in buckets.rev() {
                free = self.move_behind(bucket, free, &mut part, &mut counts[bucket]);
            }
        }
        self.generations.push_back(counts);
    }

    /// Moves a bucket to its new place before `free`, with what `new` ends with for it, and tells where it begins.
    /// What is new is counted.
    fn move_behind(&mut self, bucket: usize, mut free: usize, new: &mut Vec<u64>, count: &mut u8) -> usize {
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        self.starts[bucket + 1] = free as u32;
        while let Some(hash) = new.pop_if(|hash| bucket_of(*hash) == bucket) {
            free -= 1;
            (self.shorts[free], self.rests[free]) = (short_of(hash), rest_of(hash));
            // There are three or four; if ever there should be more than that, they are remembered for longer.
            *count = count.saturating_add(1);
        }
        free -= end - start;
        self.shorts.copy_within(start..end, free);
        self.rests.copy_within(start..end, free);
        free
    }

    /// Forgets the oldest generation: the first ones of every bucket.
    fn forget_oldest(&mut self) {
        let Some(counts) = self.generations.pop_front() else { return };
        let mut free = 0;
        for (bucket, count) in counts.into_iter().enumerate() {
            let (start, end) = (self.starts[bucket] as usize + usize::from(count), self.starts[bucket + 1] as usize);
            self.starts[bucket] = free as u32;
            self.shorts.copy_within(start..end, free);
            self.rests.copy_within(start..end, free);
            free += end - start;
        }
        self.starts[BUCKETS] = free as u32;
        self.shorts.truncate(free);
        self.rests.truncate(free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A generator with nothing in common with the hashes.
    fn random(count: u64, seed: u64) -> Vec<u64> {
        (0..count)
            .map(|at| {
                (at + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
            })
            .collect()
    }

    #[test]
    fn what_was_added_is_there_and_nothing_else() {
        let all = random(60_000, 1);
        let mut far = Far::default();
        assert!(!far.contains(0) && !far.contains(all[0]) && !far.may_hold_one(all.iter().copied()));
        for part in all.chunks(20_000) {
            far.extend(part.iter().copied());
            assert!(all[..far.len()].iter().all(|&hash| far.contains(hash)));
            assert!(all[..far.len()].iter().all(|&hash| far.may_hold_one([hash].into_iter())));
            assert!(!all[far.len()..].iter().any(|&hash| far.contains(hash)));
        }
        // They differ from one that is there in some of the bytes that are kept apart.
        assert!(!all.iter().any(|hash| [1, 1 << 32, 1 << 48, 1 << 63].iter().any(|bit| far.contains(hash ^ bit))));
        let mut far = Far::default();
        far.extend([0, u64::MAX, 1, 1 << 32, 1 << 48].into_iter());
        assert!([0, u64::MAX, 1, 1 << 32, 1 << 48].iter().all(|&hash| far.contains(hash)));
        assert!(!far.contains(2) && !far.contains(u64::MAX - 1));
    }

    #[test]
    fn few_are_asked_about_again() {
        let (all, mut far) = (random(60_000, 1), Far::default());
        far.extend(all[..50_000].iter().copied());
        let batches = all[50_000..].chunks(50);
        let asked = batches.filter(|batch| far.may_hold_one(batch.iter().copied())).count();
        assert!(asked < 40, "{asked} of 200");
    }

    #[test]
    fn as_many_generations_are_remembered_as_there_is_room_for() {
        let size = 3000;
        let generation = |number: u64| random(size, number * size);
        let mut far = Far::default();
        for newest in 0..30 {
            far.extend(generation(newest).into_iter());
            let first = (newest + 1).saturating_sub(Far::GENERATIONS as u64);
            let known: Vec<u64> = (first..=newest).flat_map(generation).collect();
            assert_eq!((far.len(), far.generations.len() as u64), (known.len(), newest + 1 - first));
            assert!(known.iter().all(|&hash| far.contains(hash)));
            assert!(!(0..first).flat_map(generation).any(|hash| far.contains(hash)));
        }
    }
}
