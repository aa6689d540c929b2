package zkplan_tolerance_test

import data.zkplan

plan(tolerates, steps) := {
	"format": "zkplan/plan",
	"formatVersion": "2.6",
	"ensemble": "eu",
	"steps": steps,
	"summary": {"toleratesFailures": tolerates},
}

denied(document) if {
	some message in zkplan.deny with input as document
	contains(message, "weakest moment")
}

test_no_failure_tolerated if denied(plan(0, [{}]))

test_one_failure_tolerated if not denied(plan(1, [{}]))

test_nothing_to_do if not denied(plan(0, []))
