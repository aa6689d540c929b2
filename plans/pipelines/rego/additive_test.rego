package zkplan_additive_test

import data.zkplan

plan(label, step) := {
	"format": "zkplan/plan",
	"formatVersion": "2.6",
	"planId": "sha256:7f3a",
	"ensemble": label,
	"changes": [],
	"steps": [object.union({"id": "one", "text": "a step", "changes": []}, step)],
}

reconfig(change) := {"action": "reconfig", "changes": [{"server": 3, "change": change}]}

exception := {"plan": "sha256:7f3a", "reason": "the old machines go", "until": "2026-12-01"}

noon := "2026-12-01T12:00:00Z"

denied(document, exceptions, text) if {
	now := time.parse_rfc3339_ns(text)
	some message in zkplan.deny with input as document with data.exceptions as exceptions with time.now_ns as now
	contains(message, "only grows")
}

test_production_shrinks if {
	every change in ["leave", "unlist", "demote", "readdress"] {
		denied(plan("prod", reconfig(change)), [], noon)
	}
	denied(plan("prod-eu", reconfig("leave")), [], noon)
}

test_production_grows if {
	not denied(plan("prod-eu", reconfig("join")), [], noon)
	not denied(plan("prod-eu", reconfig("promote")), [], noon)
}

test_another_ensemble_shrinks if {
	not denied(plan("staging", reconfig("leave")), [], noon)
	not denied(plan("product", reconfig("leave")), [], noon)
}

test_a_restart_or_a_stop_is_not_additive if {
	every action in ["restart", "stop", "askToStop"] {
		denied(plan("prod", {"action": action}), [], noon)
	}
}

test_an_exception_counts_to_the_end_of_its_day if {
	not denied(plan("prod", reconfig("leave")), [exception], "2026-12-01T23:59:59Z")
	denied(plan("prod", reconfig("leave")), [exception], "2026-12-02T00:00:00Z")
}

test_an_exception_names_the_plan_and_a_reason if {
	denied(plan("prod", reconfig("leave")), [object.union(exception, {"plan": "sha256:0000"})], noon)
	denied(plan("prod", reconfig("leave")), [object.union(exception, {"reason": " "})], noon)
}
