//! What helps against more than one rule.

/// Where quorums are too small on the way of several changes.
pub(super) const FEWER_AT_A_TIME: &str = "change fewer voters at a time: in several specs, applied \
                                          one after the other, or add voters before you change or \
                                          remove others";

/// Where they are too small on the way of one change.
pub(super) const ADD_FIRST: &str = "add voters before you change or remove others";

/// Where the change cannot be made at once.
pub(super) const SPLIT: &str = "split the change into several specs, applied one after the other";

/// Where the plan does not grant what is needed now.
pub(super) const PLAN_AGAIN: &str =
    "make a new plan: the ensemble has changed since this one was made";

/// Where the operator may accept it.
pub(super) const ACCEPT: &str = "accept the risk, or fix the cause";
