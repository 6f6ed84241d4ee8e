"""Static analysis of a submission: an abstract run, and rules that decide on what it met. Nothing is executed.

`analyze.py` has the way in: `context` says under which settings, `steps` walks the script, with `library` for calls
that are not its own and `state` for where it stands; `labels` are what values carry, `rules` what is decided on them.
"""
