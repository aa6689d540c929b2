# At every moment of a plan this many voters can fail while writes continue. It counts every order that the plan
# allows, under any leader, as the summary of a plan does.
package zkplan

least_tolerance := 1

deny contains message if {
	some plan in plans
	count(plan.steps) > 0
	plan.summary.toleratesFailures < least_tolerance
	message := sprintf("%s: tolerates %d failures at its weakest moment; at least %d wanted", [
		plan.ensemble,
		plan.summary.toleratesFailures,
		least_tolerance,
	])
}
