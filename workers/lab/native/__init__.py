"""Parts of a step in compiled code, for CPUs: what torch would take many calls or passes over memory for."""
