# The leader does not change in business hours: writes stop until the next one leads. The hours count when the
# policy runs: it judges right before `zkplan apply`, and takes in the policies that judge a pull request.
package zkplan.now

import data.zkplan

allow if {
	zkplan.allow
	count(deny) == 0
}

deny contains message if some message in zkplan.deny

business := {"zone": "Europe/Berlin", "from": 8, "to": 18}

weekend := {"Saturday", "Sunday"}

deny contains message if {
	some plan in zkplan.plans
	plan.summary.mayChangeLeader
	in_business_hours
	message := sprintf("%s: the leader may change, and it is between %d and %d o'clock, %s", [
		plan.ensemble,
		business.from,
		business.to,
		business.zone,
	])
}

in_business_hours if {
	now := [time.now_ns(), business.zone]
	not time.weekday(now) in weekend
	[hour, _, _] := time.clock(now)
	hour >= business.from
	hour < business.to
}
