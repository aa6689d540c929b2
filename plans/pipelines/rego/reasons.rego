# Every accepted risk stands in the spec, with a reason and a last day that is near. One that was accepted with
# `--accept` has neither.
package zkplan

most_days := 92

deny contains message if {
	some plan in plans
	some risk in plan.accepted
	not has_terms(plan, risk)
	message := sprintf("%s: %s is accepted without a reason and a day; write it under accept in the spec", [
		plan.ensemble,
		spelled(risk),
	])
}

deny contains message if {
	some plan in plans
	some term in plan.terms
	time.parse_ns("2006-01-02", term.until) > time.add_date(time.now_ns(), 0, 0, most_days)
	message := sprintf("%s: %s is accepted until %s, more than %d days ahead", [
		plan.ensemble,
		spelled(term),
		term.until,
		most_days,
	])
}

has_terms(plan, risk) if {
	some term in plan.terms
	term.code == risk.code
	term.step == risk.step
	trim_space(term.reason) != ""
}

spelled(risk) := risk.code if risk.step == null

spelled(risk) := sprintf("%s:%s", [risk.code, risk.step]) if risk.step != null
