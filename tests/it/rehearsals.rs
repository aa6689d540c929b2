//! Plans rehearsed in the simulator.

use zkplan::rehearsal::{Limits, rehearse};

use crate::world::World;
use zkplan::check::CheckedPlan;
use zkplan::proposal::{acceptance, propose};

fn planned(world: &World) -> CheckedPlan {
    let (spec, facts) = (world.spec(), world.facts());
    let checked = propose(&spec, &facts, &[]).or_else(|refusal| {
        let risks: Vec<_> = refusal.breaches.iter().map(acceptance).collect();
        propose(&spec, &facts, &risks)
    });
    checked.map_err(|refusal| refusal.breaches).expect("a plan")
}

#[test]
fn look() {
    for (base, wanted, down) in [
        ("1 2 3", "4 5 6", ""),
        ("1 2 3", "1 2 4", "3"),
        ("1", "1 2", ""),
        ("1 2 3 4 5", "6 7 8 9 10", ""),
    ] {
        let world = World::new(base, wanted).down(down);
        let checked = planned(&world);
        let began = std::time::Instant::now();
        let rehearsal = rehearse(&checked, Limits::default());
        println!("{base} -> {wanted}: {:?}", began.elapsed());
        match rehearsal {
            Ok(r) => {
                println!("{} {} {}", r.played(), r.failures, r.moments.len());
                for (m, f) in r.all() {
                    println!(
                        "{:?} {:?} {:?} {:?} {:?}",
                        m.after, f.who, f.writes, f.course, f.back
                    );
                }
            }
            Err(e) => println!("{e:?}"),
        }
    }
}
