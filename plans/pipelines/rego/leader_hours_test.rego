package zkplan_leader_hours_test

import data.zkplan.now

plan(changes) := {
	"format": "zkplan/plan",
	"formatVersion": "2.6",
	"ensemble": "eu",
	"summary": {"mayChangeLeader": changes},
}

denied(document, text) if {
	at := time.parse_rfc3339_ns(text)
	some message in now.deny with input as document with time.now_ns as at
	contains(message, "leader may change")
}

# 2026-12-01 is a Tuesday; Berlin is an hour ahead of UTC.
test_in_business_hours if {
	denied(plan(true), "2026-12-01T07:00:00Z")
	denied(plan(true), "2026-12-01T16:59:59Z")
}

test_before_and_after if {
	not denied(plan(true), "2026-12-01T06:59:59Z")
	not denied(plan(true), "2026-12-01T17:00:00Z")
}

test_on_a_weekend if not denied(plan(true), "2026-12-05T10:00:00Z")

test_the_leader_stays if not denied(plan(false), "2026-12-01T10:00:00Z")

test_what_a_review_denies_is_denied_at_any_hour if {
	sunday := time.parse_rfc3339_ns("2026-12-06T10:00:00Z")
	count(now.deny) == 1 with input as {} with time.now_ns as sunday
	not now.allow with input as {} with time.now_ns as sunday
	now.allow with input as plan(true) with time.now_ns as sunday
}
