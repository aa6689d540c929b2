# The plans in a document of `zkplan plan --format json`, or in a file that `--out` saved. The other policies take
# them from here. The first command prints the reasons against a plan, the second one fails if there are any, and
# also if this file is missing:
#
#     opa exec --bundle policies --decision zkplan/deny plan.json
#     opa exec --bundle policies --decision zkplan/allow --fail plan.json
#
# With conftest one command does both:
#
#     conftest test --policy policies --data policies/data.yaml --namespace zkplan plan.json
#
# Right before an apply the decisions are zkplan/now/deny and zkplan/now/allow (leader_hours.rego).
package zkplan

allow if count(deny) == 0

plans contains input if is_plan(input)

plans contains entry.document if {
	input.format == "zkplan/fleet"
	some entry in input.ensembles
	is_plan(entry.document)
}

# Another major version may mean something else by the same keys.
is_plan(document) if {
	document.format == "zkplan/plan"
	startswith(document.formatVersion, "2.")
}

# A document without a plan is denied: the other policies would find nothing in it.
deny contains message if {
	not is_plan(input)
	not input.format == "zkplan/fleet"
	message := sprintf("not a plan of format version 2: %v %v", [
		object.get(input, "format", "no format"),
		object.get(input, "formatVersion", ""),
	])
}

deny contains message if {
	input.format == "zkplan/fleet"
	count(object.get(input, "ensembles", [])) == 0
	message := "a fleet without ensembles"
}

deny contains message if {
	input.format == "zkplan/fleet"
	some entry in input.ensembles
	document := object.get(entry, "document", {})
	not is_plan(document)
	message := sprintf("%v: not a plan of format version 2: %v", [
		object.get(document, "ensemble", "an ensemble"),
		object.get(document, "format", "no format"),
	])
}
