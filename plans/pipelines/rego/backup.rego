# No voter is removed or replaced unless apply asks for a backup first: `policy.backup` in the spec.
package zkplan

deny contains message if {
	some plan in plans
	some change in plan.changes
	loses_its_vote(change)
	not asks_for_backup(plan)
	message := sprintf("%s: server %d loses its vote (%s), and the spec has no policy.backup", [
		plan.ensemble,
		change.id,
		change.action,
	])
}

asks_for_backup(plan) if is_object(plan.policy.backup)

loses_its_vote(change) if {
	change.before.role == "participant"
	change.action in {"leave", "replace", "demote"}
}

# "remake" is another role and another address at once.
loses_its_vote(change) if {
	change.before.role == "participant"
	change.action == "remake"
	change.after.role != "participant"
}
