//! The identities of requests that were settled long ago, in as little memory as they fit in.

/// The identities of requests that were settled before those of late. Two captures of one log can repeat
/// each other over any distance, and a repeat is told by its identity alone. Two generations, so that
/// forgetting is one swap and depends on nothing but the order of the input.
#[derive(Default)]
pub(super) struct Far {
    young: Identities,
    old: Identities,
}

impl Far {
    /// Six bytes each, so that both generations take less than 23 MB.
    pub(super) const SIZE: usize = (1 << 21) / 8 * 7;

    /// Takes over a generation of requests, all or none: hashes differ from run to run, so that no order
    /// within it means anything.
    pub(super) fn extend(&mut self, generation: impl ExactSizeIterator<Item = u64> + Clone) {
        if self.young.len() + generation.len() > Self::SIZE {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.extend(generation);
    }

    #[inline]
    pub(super) fn contains(&self, identity: u64) -> bool {
        self.young.contains(identity) || self.old.contains(identity)
    }
}

/// A set of hashes, of which many are added at a time. They lie one behind the other, those that begin
/// alike together; so nothing is kept free for more, the bytes they begin with need not be kept, and
/// what is there is never held twice while the set grows.
#[derive(Default)]
struct Identities {
    /// Where the hashes begin that begin with each two bytes, and behind them where the last ones end.
    starts: Vec<u32>,
    /// The next two bytes of each, in the order of `starts`: those that begin alike fill one line of the cache.
    shorts: Vec<u16>,
    /// The last four bytes of each.
    rests: Vec<u32>,
}

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

impl Identities {
    const fn len(&self) -> usize {
        self.shorts.len()
    }

    fn clear(&mut self) {
        self.starts.clear();
        self.shorts.clear();
        self.rests.clear();
    }

    #[inline]
    fn contains(&self, hash: u64) -> bool {
        let bucket = bucket_of(hash);
        let Some(&[start, end]) = self.starts.get(bucket..bucket + 2) else { return false };
        let (start, end) = (start as usize, end as usize);
        let short = short_of(hash);
        let shorts = &self.shorts[start..end];
        // All are compared, without a branch for each.
        if shorts.iter().fold(false, |found, &other| found | (other == short)) {
            let mut both = shorts.iter().zip(&self.rests[start..end]);
            return both.any(|(&other, &rest)| other == short && rest == rest_of(hash));
        }
        false
    }

    /// Adds hashes of which none is there yet.
    fn extend(&mut self, new: impl ExactSizeIterator<Item = u64> + Clone) {
        let count = self.len() + new.len();
        self.starts.resize(BUCKETS + 1, 0);
        // At once, or the lists would be copied as they grow, and with less than what is there free behind them.
        self.shorts.reserve_exact(Far::SIZE.max(count) - self.len());
        self.rests.reserve_exact(Far::SIZE.max(count) - self.len());
        self.shorts.resize(count, 0);
        self.rests.resize(count, 0);
        let mut free = count;
        // A few at a time, since the allocator may well keep what was freed.
        for buckets in (0..BUCKETS).step_by(BUCKETS / PARTS).rev().map(|first| first..first + BUCKETS / PARTS) {
            let mut part: Vec<u64> = new.clone().filter(|hash| buckets.contains(&bucket_of(*hash))).collect();
            part.sort_unstable();
            for bucket in buckets.rev() {
                free = self.move_behind(bucket, free, &mut part);
            }
        }
    }

    /// Moves a bucket to its new place before `free`, with what `new` ends with for it, and tells where it begins.
    fn move_behind(&mut self, bucket: usize, mut free: usize, new: &mut Vec<u64>) -> usize {
        let (start, end) = (self.starts[bucket] as usize, self.starts[bucket + 1] as usize);
        self.starts[bucket + 1] = free as u32;
        while let Some(hash) = new.pop_if(|hash| bucket_of(*hash) == bucket) {
            free -= 1;
            (self.shorts[free], self.rests[free]) = (short_of(hash), rest_of(hash));
        }
        free -= end - start;
        self.shorts.copy_within(start..end, free);
        self.rests.copy_within(start..end, free);
        free
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
        let mut set = Identities::default();
        assert!(!set.contains(0) && !set.contains(all[0]));
        for part in all.chunks(20_000) {
            set.extend(part.iter().copied());
            assert!(all[..set.len()].iter().all(|&hash| set.contains(hash)));
            assert!(!all[set.len()..].iter().any(|&hash| set.contains(hash)));
        }
        // They differ from one that is there in some of the bytes that are kept apart.
        assert!(!all.iter().any(|hash| [1, 1 << 32, 1 << 48, 1 << 63].iter().any(|bit| set.contains(hash ^ bit))));
        set.clear();
        assert!(!set.contains(all[0]));
        set.extend([0, u64::MAX, 1, 1 << 32, 1 << 48].into_iter());
        assert!([0, u64::MAX, 1, 1 << 32, 1 << 48].iter().all(|&hash| set.contains(hash)));
        assert!(!set.contains(2) && !set.contains(u64::MAX - 1));
    }

    #[test]
    fn what_is_far_is_bounded() {
        let generation = Far::SIZE / 8;
        let mut far = Far::default();
        for round in 0..20 {
            far.extend(random(generation as u64, (round * generation) as u64).into_iter());
            assert!(far.young.len() <= Far::SIZE && far.old.len() <= Far::SIZE);
        }
        let last = random(20 * generation as u64, 0);
        assert!(!far.contains(last[0]) && far.contains(last[last.len() - 1]) && far.contains(last[11 * generation]));
    }
}
