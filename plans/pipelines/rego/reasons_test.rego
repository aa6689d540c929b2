package zkplan_reasons_test

import data.zkplan

risk := {"code": "ZKQ2", "step": "join-2"}

term := object.union(risk, {"reason": "one voter to three", "until": "2026-12-31"})

plan(terms) := {
	"format": "zkplan/plan",
	"formatVersion": "2.6",
	"ensemble": "eu",
	"accepted": [risk],
	"terms": terms,
}

denied(document, words) if {
	now := time.parse_rfc3339_ns("2026-12-01T12:00:00Z")
	some message in zkplan.deny with input as document with time.now_ns as now
	contains(message, words)
}

test_a_reason_and_a_day if {
	not denied(plan([term]), "ZKQ2")
}

test_no_reason if {
	denied(plan([]), "ZKQ2:join-2 is accepted without")
	denied(plan([object.union(term, {"reason": ""})]), "ZKQ2:join-2 is accepted without")
	denied(object.remove(plan([]), ["terms"]), "ZKQ2:join-2 is accepted without")
}

test_the_reason_of_another_step if {
	denied(plan([object.union(term, {"step": "join-3"})]), "ZKQ2:join-2 is accepted without")
}

test_a_day_far_ahead if {
	denied(plan([object.union(term, {"until": "2027-12-31"})]), "more than 92 days")
}

test_a_finding_has_no_step if {
	finding := {"code": "ZKF1", "step": null}
	document := object.union(plan([]), {"accepted": [finding]})
	denied(document, "ZKF1 is accepted without")
	terms := [object.union(finding, {"reason": "3.8.0", "until": "2026-12-31"})]
	not denied(object.union(document, {"terms": terms}), "ZKF1")
}
