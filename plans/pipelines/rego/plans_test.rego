package zkplan_test

import data.zkplan

grows := {
	"format": "zkplan/plan",
	"formatVersion": "2.6",
	"ensemble": "prod",
}

test_a_plan_is_found if zkplan.plans == {grows} with input as grows

test_plans_of_a_fleet_are_found if {
	fleet := {"format": "zkplan/fleet", "ensembles": [{"document": grows}]}
	zkplan.plans == {grows} with input as fleet
}

test_another_document_is_denied if {
	every document in [{}, {"format": "zkplan/status"}, object.union(grows, {"formatVersion": "3.0"})] {
		count(zkplan.deny) == 1 with input as document
	}
}

test_a_refusal_in_a_fleet_is_denied if {
	refused := {"format": "zkplan/refusal", "ensemble": "small"}
	fleet := {"format": "zkplan/fleet", "ensembles": [{"document": grows}, {"document": refused}]}
	found := zkplan.deny with input as fleet
	found == {"small: not a plan of format version 2: zkplan/refusal"}
}

test_an_ensemble_without_a_document_is_denied if {
	count(zkplan.deny) == 1 with input as {"format": "zkplan/fleet", "ensembles": [{}]}
}

test_an_empty_fleet_is_denied if {
	count(zkplan.deny) == 1 with input as {"format": "zkplan/fleet", "ensembles": []}
}

test_only_a_plan_that_is_not_denied_is_allowed if {
	zkplan.allow with input as grows
	not zkplan.allow with input as {}
}
