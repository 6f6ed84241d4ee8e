"""Static analysis of a submission: an abstract run, and decisions on what it met. Nothing is executed.

`analyze.py` is the entry. `context` gives the settings of the run, `steps` walks the script, `library` models calls out
of it, and `state` is where the walk stands. `labels` are what values carry, `decisions` what is concluded from them.
"""
