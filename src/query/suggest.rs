//! Did-you-mean: the known word that somebody probably meant.

/// The candidate closest to `word`, if one is close enough to be a slip of the hand: one edit for
/// words up to three letters, two up to seven, three beyond. Case does not count. The first of
/// equals wins.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let limit = match length {
        0 => return None,
        1..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    let near = candidates.into_iter().filter_map(|candidate| {
        // The cheap test first: lengths too far apart cannot be close, however long the word is.
        let far = candidate.chars().count().abs_diff(length) > limit;
        let distance = if far { return None } else { strsim::osa_distance(&word, &candidate.to_lowercase()) };
        (distance <= limit && distance < length).then_some((distance, candidate))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let verbs = ["get", "list", "delete", "deletecollection", "patch"];
        assert_eq!(closest("delte", verbs), Some("delete"));
        assert_eq!(closest("GET", verbs), Some("get"));
        assert_eq!(closest("lsit", verbs), Some("list"));
        assert_eq!(closest("impersonate", verbs), None);
        assert_eq!(closest("", verbs), None);
        assert_eq!(closest("x", ["y"]), None);
    }
}
