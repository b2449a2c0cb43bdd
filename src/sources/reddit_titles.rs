//! A recorded listing of subreddits (`fetched_at,subreddit,listing,rank,post_id,title,updated,score,num_comments`): what was
//! posted, without authors. For a rehearsal of what listens to people; it is not stored.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{Entry, Input, Outcome, SourceError, table};
use crate::domain::talk::{Platform, Post};

const COLUMNS: [&str; 3] = ["post_id", "title", "updated"];

/// Every post once, the oldest first, and how many rows were refused.
///
/// # Errors
/// A file that cannot be read, or that has not these columns.
pub fn read(input: Input, now: DateTime<Utc>) -> Result<(Vec<Post>, u64), SourceError> {
    let mut posts: BTreeMap<String, Post> = BTreeMap::new();
    let mut refused = 0;
    table::each_row(
        input.into_body(now),
        COLUMNS,
        &mut |row| {
            match row.outcome {
                Outcome::Values(entries) => {
                    for entry in entries {
                        if let Entry::Post(post) = entry {
                            posts.entry(post.id.clone()).or_insert(*post);
                        }
                    }
                }
                Outcome::Skipped(_) => {}
                Outcome::Refused(_) => refused += 1,
            }
            Ok(())
        },
        |fields| outcome(fields).unwrap_or_else(Outcome::Refused),
    )?;
    let mut posts: Vec<Post> = posts.into_values().collect();
    posts.sort_by(|one, other| one.posted_at.cmp(&other.posted_at).then_with(|| one.id.cmp(&other.id)));
    Ok((posts, refused))
}

fn outcome([id, title, updated]: [&str; 3]) -> Result<Outcome, String> {
    if id.is_empty() {
        return Err("a post without a number".into());
    }
    let posted_at = updated.parse::<NaiveDateTime>().map_err(|_| format!("\"{updated}\" is no moment"))?.and_utc();
    let post = Post { platform: Platform::Reddit, id: id.to_owned(), author: None, text: title.to_owned(), posted_at };
    Ok(Outcome::Values(vec![Entry::Post(Box::new(post))]))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_post_that_is_listed_on_many_days_is_one() {
        let text = "fetched_at,subreddit,listing,rank,post_id,title,updated,score,num_comments\n\
            2026-05-18,P,hot,1,b,\"Mew, again\",2026-05-18T07:00:00,1,0\n2026-05-19,P,hot,1,a,First,2026-05-18T06:00:00,1,0\n\
            2026-05-19,P,hot,2,b,\"Mew, again\",2026-05-18T07:00:00,1,0\n2026-05-19,P,hot,3,c,When?,never,1,0\n";
        let (posts, refused) = read(Input::stream("x", text.as_bytes()).unwrap(), "2026-11-24T00:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(posts.iter().map(|post| post.text.as_str()).collect::<Vec<_>>(), ["First", "Mew, again"]);
        assert_eq!(refused, 1);
    }
}
