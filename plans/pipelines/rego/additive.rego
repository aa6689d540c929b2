# Production only grows, as with `zkplan apply --auto-approve=additive`: no server leaves, loses its vote, moves, is
# restarted or is stopped. An exception names the plan by its id, with a reason and a last day, in data.yaml.
# Production is every ensemble whose label is "prod" or begins with "prod-".
package zkplan

production := "prod"

deny contains message if {
	some plan in plans
	is_production(plan)
	some step in plan.steps
	takes_away(step)
	not is_exempt(plan)
	message := sprintf("%s: %s (%s): production only grows; an exception for %s needs a reason", [
		plan.ensemble,
		step.id,
		step.text,
		plan.planId,
	])
}

is_production(plan) if plan.ensemble == production

is_production(plan) if startswith(plan.ensemble, concat("", [production, "-"]))

takes_away(step) if step.action in {"restart", "stop", "askToStop"}

takes_away(step) if {
	some change in step.changes
	not change.change in {"join", "promote"}
}

# An exception counts to the end of its day, in UTC.
is_exempt(plan) if {
	some exception in data.exceptions
	exception.plan == plan.planId
	trim_space(exception.reason) != ""
	last := time.add_date(time.parse_ns("2006-01-02", exception.until), 0, 0, 1)
	time.now_ns() < last
}
