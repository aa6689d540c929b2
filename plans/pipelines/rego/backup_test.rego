package zkplan_backup_test

import data.zkplan

plan(change, policy) := {
	"format": "zkplan/plan",
	"formatVersion": "2.6",
	"ensemble": "eu",
	"policy": policy,
	"changes": [object.union({"id": 3}, change)],
}

leaves := {"action": "leave", "before": {"role": "participant"}, "after": null}

denied(document) if {
	some message in zkplan.deny with input as document
	contains(message, "no policy.backup")
}

test_a_voter_leaves_without_a_backup if {
	denied(plan(leaves, {}))
	denied(plan(leaves, {"backup": null}))
}

test_a_voter_leaves_with_a_backup if not denied(plan(leaves, {"backup": {"maxAge": "24h"}}))

test_an_observer_leaves if {
	not denied(plan(object.union(leaves, {"before": {"role": "observer"}}), {}))
}

test_another_machine_takes_the_id if denied(plan(object.union(leaves, {"action": "replace"}), {}))

test_a_voter_becomes_an_observer if {
	after := {"after": {"role": "observer"}}
	denied(plan(object.union_n([leaves, after, {"action": "demote"}]), {}))
	denied(plan(object.union_n([leaves, after, {"action": "remake"}]), {}))
}

test_a_server_joins if {
	not denied(plan({"action": "join", "before": null, "after": {"role": "participant"}}, {}))
}
